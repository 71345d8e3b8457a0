import { readFileSync } from "node:fs";
import path from "node:path";
import { describe, expect, it } from "vitest";
import { Machine } from "../../../hardware/machine.js";
import { Hypervisor } from "../../hypervisor.js";
import { paravirtualMachine } from "./builder.js";
import { updateGuest } from "./small-guest.js";

const guests = path.join(__dirname, "../../../../guests");
const imageOf = (name: string): Uint8Array => readFileSync(path.join(guests, `images/${name}.elf`));
const expected = (name: string): string => readFileSync(path.join(guests, `expected/${name}.txt`), "utf8");
const image = imageOf("kernel-xen");
const DISK = new Uint8Array(2016 * 512);

const empty = Hypervisor.create({ model: "pentium2", bits: 32, memory: "32M" });
const hosting = (guest: Machine, technique: "pv" | "trap" = "pv"): Hypervisor =>
  empty.addVm({ name: "a", guest, technique });
const ended = (host: Hypervisor) => host.run({ until: { vm: "a" }, maxInstructions: 20_000_000 });
const kernel = (disks: Uint8Array[] = []): Hypervisor => hosting(paravirtualMachine({ image, disks }));

describe("a VM under paravirtualization", () => {
  const done = ended(kernel());

  it("prints and ends as under the hypervisor in machine code", () => {
    const modules = [{ data: image }];
    const other = Machine.boot({ image: imageOf("pv-hypervisor"), modules, memory: "32M" }).run();
    const { serial, status: end } = done.vm("a");
    expect(serial).toBe(expected("kernel"));
    expect(serial).toBe(other.serial);
    expect(end).toEqual({ kind: "stopped", stop: other.stop });
  });

  it("is the same in odd pieces, saved and loaded between them", () => {
    let host = kernel();
    for (const steps of [1, 70_001, 313, 1, 2, 3, 250_007]) {
      host = Hypervisor.load(host.run({ maxInstructions: steps }).save());
      host.vm("a").machine.registers;
    }
    host = ended(host);
    expect(host.steps).toBe(done.steps);
    expect(host.hash).toBe(done.hash);
  });

  it("has its disk by requests, and leaves there what the bare kernel leaves", () => {
    const vm = ended(kernel([DISK])).vm("a");
    expect(vm.serial).toBe(expected("kernel-disk"));
    const bare = Machine.boot({ image: imageOf("kernel"), disks: [DISK], memory: "16M" }).run();
    const disk = ({ disks }: Machine) => Buffer.from(disks[0]!.read(0, DISK.length));
    expect(disk(vm.machine).equals(disk(bare))).toBe(true);
  });

  it("shows registers of ring 1 and 3 wherever it is stopped", () => {
    let host = kernel().run({ maxInstructions: 30_000 });
    const rings = new Set<number>();
    for (let step = 0; step < 4000; step++) {
      const { machine } = host.vm("a");
      rings.add(machine.registers.cs & 3);
      expect(machine.registers.eip).toBeLessThan(0xfc00_0000);
      host = host.step();
      if (step % 50 === 0) host = host.run({ maxInstructions: 3001 });
    }
    expect([...rings].sort()).toEqual([1, 3]);
  });

  it("goes by hypercalls: every exit but faults, system calls and the host's timer is one", () => {
    const { ledger, exits } = done.vm("a");
    const reasons = new Set(ledger.map(({ reason }) => reason.replace(/ .*/, "")));
    // Whether the host's timer comes in between is the scheduler's.
    reasons.delete("external");
    expect([...reasons].sort()).toEqual(["exception", "hypercall", "interrupt"]);
    expect(ledger.reduce((sum, { count }) => sum + count, 0)).toBe(exits);
    const batches = ledger.filter(({ reason }) => reason === "hypercall mmu_update").map(({ effect }) => effect);
    expect(batches).toEqual(["5 updates", "1 update"]);
  });

  it("runs beside another one, each with its own", () => {
    const two = empty
      .addVm({ name: "a", guest: paravirtualMachine({ image }), technique: "pv" })
      .addVm({ name: "b", guest: paravirtualMachine({ image, disks: [DISK] }), technique: "pv" })
      .run();
    expect(two.vm("a").serial).toBe(expected("kernel"));
    expect(two.vm("b").serial).toBe(expected("kernel-disk"));
  });
});

describe("a kernel that was not built for it", () => {
  it("stops at its first privileged instruction, and is told which", () => {
    const { status: end, serial } = ended(hosting(paravirtualMachine({ image: imageOf("kernel") }))).vm("a");
    expect(serial).toBe("");
    expect(end).toMatchObject({ kind: "stopped", stop: { reason: "unsupported" } });
    expect(JSON.stringify(end)).toMatch(
      /paravirtual guest: #GP\(0\) at 0x10[0-9a-f]{4}, LGDT in ring 1, and it has set no handler for that/,
    );
  });

  it("is refused without start information, and the host is as it was", () => {
    const { hash } = empty;
    const guest = Machine.boot({ image: imageOf("kernel"), memory: "16M", model: "pentium2" });
    expect(() => hosting(guest)).toThrow(/a: paravirtualization needs a guest with start information/);
    expect(empty.hash).toBe(hash);
    const ran = kernel().run({ maxInstructions: 50_000 }).vm("a").machine;
    expect(() => hosting(ran)).toThrow(/a: /);
  });

  it("is refused by the builder where it wants what there is not", () => {
    expect(() => paravirtualMachine({ image, memory: "2M" })).toThrow(
      "a paravirtual guest needs at least 4M of memory",
    );
    expect(() => paravirtualMachine({ image, append: "x".repeat(1024) })).toThrow("the command line has 1024 bytes");
    expect(() => paravirtualMachine({ image, memory: "2G" })).toThrow("reach beyond 2 MiB");
  });
});

describe("batches of page-table updates", () => {
  const UPDATES = 240;
  const exitsWith = (batch: number): number => {
    const { ledger } = ended(hosting(paravirtualMachine({ image: updateGuest({ updates: UPDATES, batch }) }))).vm("a");
    return ledger.filter(({ reason }) => reason === "hypercall mmu_update").reduce((sum, { count }) => sum + count, 0);
  };

  it("need an exit for each batch, the last of which may be smaller", () => {
    expect([1, 2, 7, 64, 240, 1000].map(exitsWith)).toEqual([240, 120, 35, 4, 1, 1]);
  });

  it("need fewer exits than trap-and-emulate, which sees each store", () => {
    const guest = Machine.boot({
      image: imageOf("nanobench"),
      machine: "pc",
      model: "pentium2",
      memory: "4M",
      append: `ptemod rounds=${UPDATES}`,
    });
    const trapped = ended(hosting(guest, "trap")).vm("a");
    const without = ended(
      hosting(
        Machine.boot({
          image: imageOf("nanobench"),
          machine: "pc",
          model: "pentium2",
          memory: "4M",
          append: `empty rounds=${UPDATES}`,
        }),
        "trap",
      ),
    ).vm("a");
    expect(trapped.exits - without.exits).toBeGreaterThanOrEqual(UPDATES);
    expect(exitsWith(64)).toBeLessThan((trapped.exits - without.exits) / 50);
  });

  it("are refused where they are none", () => {
    expect(() => updateGuest({ updates: 1, batch: 0 })).toThrow("a batch of 0 is not 1 to 65536");
    expect(() => updateGuest({ updates: 1.5, batch: 1 })).toThrow("1.5 updates cannot be made");
  });
});
