/** The guest `attacker` on a bare machine: each attack comes to its end, with the exceptions that the manuals promise. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { guest, Machine } from "../../src/index.js";
import { bochsOutput } from "../support/bochs.js";
import { images } from "../support/guests.js";
import { peer } from "../support/peers.js";
import { runProcessToFile } from "../support/processes.js";

const folder = mkdtempSync(join(tmpdir(), "virtlab-attacker-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const LIMIT = 20_000_000;
const image = guest("attacker");
const disk = Uint8Array.from({ length: 63 * 512 }, (_, index) => index * 7);

interface Attack {
  readonly name: string;
  readonly faults: number;
  /** Why QEMU is not asked, but Bochs is. */
  readonly withoutQemu?: string;
  /** What QEMU's command line has besides. */
  readonly append?: string;
}

const attacks: readonly Attack[] = [
  { name: "memory", faults: 0 },
  { name: "page-tables", faults: 2 },
  { name: "ports-in", faults: 0 },
  { name: "ports-out", faults: 0 },
  { name: "ports-user", faults: 2 * (0x400 - 16) },
  { name: "mmio", faults: 0 },
  { name: "dma", faults: 0 },
  // QEMU's own loop has no time for anything else at the highest rate.
  { name: "storm", faults: 255 - 128, append: "divisor=1000" },
  { name: "nmi", faults: 0 },
  { name: "hypercalls", faults: 3 * 300 },
  { name: "virtualization", faults: 19 * 50 },
  { name: "virtualization-on", faults: 0, withoutQemu: "does not go on from a reserved bit of CR4" },
  { name: "msr", faults: 2 * 256, withoutQemu: "has no #GP for registers that are not there" },
  { name: "memory-types", faults: 0 },
  { name: "control-registers", faults: 8 * 4 },
  { name: "cr4", faults: 4, withoutQemu: "does not go on from a reserved bit of CR4" },
  { name: "control-register-pairs", faults: 4, withoutQemu: "takes CR0.PG without CR0.PE" },
  { name: "segments", faults: 68 },
  { name: "segment-limits", faults: 64 * 2 + 31, withoutQemu: "checks no limits" },
];

const output = ({ name, faults }: Attack): string => `attack ${name}: begins\nattack ${name}: faults ${faults}\n`;
const qemuOptions = (append: string): string[] => [
  ...["-kernel", join(images, "attacker.elf"), "-append", append, "-cpu", "pentium2", "-m", "16", "-accel", "tcg"],
  ...["-display", "none", "-serial", "stdio", "-monitor", "none", "-no-reboot"],
  ...["-device", "isa-debug-exit,iobase=0xf4,iosize=4"],
];

for (const attack of attacks)
  describe(`the attack ${attack.name}`, () => {
    it.each(["isapc", "pc"] as const)("ends on a bare %s with the exceptions it has to get", (machine) => {
      const model = "pentium2";
      const start = Machine.boot({ machine, model, image, disks: [disk], append: attack.name, memory: "16M" });
      const end = start.run({ maxInstructions: LIMIT });
      expect(end.serial).toBe(output(attack));
      expect(end.stop).toMatchObject({ reason: "debug-exit", value: 0x10 });
    });

    if (attack.withoutQemu === undefined) {
      it("ends in QEMU with as many", async (context) => {
        const qemu = peer(context, "qemu-system-i386");
        const file = join(folder, "disk.img");
        writeFileSync(file, disk);
        const ended = await runProcessToFile(qemu, [
          ...qemuOptions([attack.name, attack.append ?? ""].join(" ").trim()),
          ...["-drive", `file=${file},format=raw,if=ide,snapshot=on`],
        ]);
        expect([ended.stdout, ended.status], ended.stderr).toEqual([output(attack), 33]);
      });
    } else {
      it("ends in Bochs with as many", async (context) => {
        const options = { append: attack.name, strictMsrs: true };
        const text = await bochsOutput(peer(context, "bochs"), "attacker.elf", "corei5_lynnfield_750", options);
        expect(text).toBe(output(attack));
      });
    }
  });

describe("an attack that ends its machine", () => {
  const endings = [
    ["triple-fault", "triple-fault"],
    ["reset-keyboard", "reset"],
    ["reset-port-92", "reset"],
    ["reset-port-cf9", "reset"],
  ] as const;

  it.each(endings)("%s does so by %s", (name, reason) => {
    const end = Machine.boot({ image, append: name, memory: "16M" }).run({ maxInstructions: LIMIT });
    expect([end.serial, end.stop?.reason]).toEqual([`attack ${name}: begins\n`, reason]);
  });

  for (const [name] of endings) {
    it(`${name} does so in QEMU, too`, async (context) => {
      const ended = await runProcessToFile(peer(context, "qemu-system-i386"), qemuOptions(name));
      expect([ended.stdout, ended.status], ended.stderr).toEqual([`attack ${name}: begins\n`, 0]);
    });
  }
});

it("hogging never ends, takes no interrupt and never halts", () => {
  const start = Machine.boot({ image, append: "hog", memory: "16M" });
  const end = start.run({ maxInstructions: 1_000_000 });
  expect([end.serial, end.stop?.reason, end.ticks]).toEqual(["attack hog: begins\n", "limit", end.steps]);
  expect(end.counters.interrupts).toBe(0);
});

it("the storm is one of 2000 ticks, and NMIs come where there is an APIC", () => {
  const interrupts = (append: string): number =>
    Machine.boot({ machine: "pc", image, append, memory: "16M" }).run({ maxInstructions: LIMIT }).counters.interrupts;
  // INT n of the lines' own vectors counts as a tick there.
  expect(interrupts("storm")).toBe(2000 - 16);
  expect(interrupts("nmi")).toBe(200);
});

it("the bus master does what it is told: it fills memory up to the end, and not beyond", () => {
  const end = Machine.boot({ machine: "pc", image, disks: [disk], append: "dma", memory: "16M" }).run({
    maxInstructions: LIMIT,
  });
  expect([...end.memory.read(2 ** 24 - 256, 256)]).toEqual([...disk.subarray(0, 256)]);
  // What is no memory reads as ones.
  expect(end.disks[0]!.read(0, 512).every((byte) => byte === 0xff)).toBe(true);
});

it("other seeds are other attacks, with the same end", () => {
  const end = (seed: number): Machine =>
    Machine.boot({ image, append: `page-tables seed=${seed}`, memory: "16M" }).run({ maxInstructions: LIMIT });
  const [one, other] = [end(2), end(3)];
  expect(one.serial).toBe(other.serial);
  expect(one.hash).not.toBe(other.hash);
});

it("a command line without an attack's name gets a list of them, and fails", () => {
  const end = Machine.boot({ image, append: "all", memory: "16M" }).run({ maxInstructions: LIMIT });
  expect(end.serial).toBe(
    `attacker: the command line names no attack; there are ${attacks.map(({ name }) => name).join(" ")} triple-fault reset-keyboard reset-port-92 reset-port-cf9 hog\n`,
  );
  expect(end.stop).toMatchObject({ reason: "debug-exit", value: 0x11 });
});
