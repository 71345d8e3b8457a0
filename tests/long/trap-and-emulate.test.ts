import { readFileSync } from "node:fs";
import path from "node:path";
import { describe, expect, it } from "vitest";
import { Machine, stateOf } from "../../src/hardware/machine.js";
import { Hypervisor } from "../../src/hypervisor/hypervisor.js";
import type { HypervisorState } from "../../src/hypervisor/state.js";
import type { TrapOwn } from "../../src/hypervisor/techniques/trap/state.js";
import { NOTHING, visible } from "../support/visible.js";

const imageOf = (name: string) => readFileSync(path.join(__dirname, `../../guests/images/${name}.elf`));
/** What no hypervisor sees happen. */

const hosting = (guest: Machine) =>
  Hypervisor.create({ model: "pentium2", bits: 32, memory: "64M" }).addVm({ name: "a", guest, technique: "trap" });

const ownOf = ({ machine }: Hypervisor): TrapOwn =>
  (stateOf(machine).supervisors!["hypervisor"]!.state as HypervisorState).vms[0]!.own as TrapOwn;

/**
 * Robin and Irvine's instructions as `guests/sensitive` finds them in ring 1. POPF is wrong, too, though what is printed is not: it
 * leaves an IF alone that is not the guest's. SLDT, VERR and VERW tell nothing of the ring here, nor does the PE flag of SMSW.
 * INT n, RET to the selector of ring 0 and POP of SS fault, so that they are executed on the virtual processor; behind POP of SS, so is
 * the instruction that nothing may interrupt.
 */
const WRONG = [
  // The registers are the hypervisor's.
  "ring 0 0000ffff  ring 3 0000ffff  SGDT: limit",
  "ring 0 00000000  ring 3 00000000  SGDT: base lies in the image",
  "ring 0 000007ff  ring 3 000007ff  SIDT: limit",
  "ring 0 00000000  ring 3 00000000  SIDT: base lies in the image",
  // The real IF is set.
  "ring 0 00000200  ring 3 00000200  PUSHF: IF",
  // Descriptors have another privilege and another limit in the shadow GDT.
  "ring 0 0000ba00  ring 3 00000000  LAR: access rights of the kernel's code",
  "ring 0 0fbfffff  ring 3 00000000  LSL: limit of the kernel's data",
  "ring 0 0000fff0  ring 3 0000fff0  STR: selector",
  // The ring is in the lowest bits of CS and SS.
  "ring 0 00000009  ring 3 0000001b  PUSH: CS",
  "ring 0 00000009  ring 3 0000001b  MOV: from CS",
  "ring 0 00000011  ring 3 00000023  MOV: from SS",
  "ring 0 00000009  ring 3 #GP       CALL: CS that was pushed on the way to the kernel's code",
  "ring 0 00000009  ring 3 #GP       JMP: CS after it went to the kernel's code",
  "ring 0 00000009  ring 3 #GP       RET: CS after it went to the kernel's code",
];

describe("a VM under trap-and-emulate", () => {
  it("ends as the bare machine does, in the same guest time, its kernel in ring 1", () => {
    const guest = Machine.boot({ image: imageOf("kernel"), memory: "16M", model: "pentium2" });
    const bare = guest.run();
    const done = hosting(guest).run({ until: { vm: "a" } });
    expect(done.vm("a").status).toEqual({ kind: "stopped", stop: bare.stop });
    expect(visible(bare, done.vm("a").machine)).toEqual(NOTHING);
    const own = ownOf(done);
    expect(own.guestKernelCpls).toEqual([1]);
    const { builds, faults, reflected, traced } = own.shadow.counts;
    expect([builds, faults, reflected, traced].every((count) => count > 0)).toBe(true);
    const entries = done.vm("a").ledger;
    const count = (effect: string): number =>
      entries.filter((entry) => entry.effect === effect).reduce((sum, entry) => sum + entry.count, 0);
    expect([count("hidden page fault"), count("traced store"), count("#PF injected")]).toEqual([
      faults,
      traced,
      reflected,
    ]);
  });

  it("is interrupted where the bare machine is", () => {
    const guest = Machine.boot({ image: imageOf("rings"), memory: "16M", model: "pentium2" });
    const bare = guest.run();
    const { status, machine } = hosting(guest)
      .run({ until: { vm: "a" } })
      .vm("a");
    expect(status).toEqual({ kind: "stopped", stop: bare.stop });
    expect(bare.counters.interrupts).toBeGreaterThan(10);
    expect(visible(bare, machine)).toEqual(NOTHING);
  });

  it("shows at every step of the host what the bare machine is at that step of the guest", () => {
    const guest = Machine.boot({ image: imageOf("kernel"), memory: "16M", model: "pentium2" });
    let host = hosting(guest).run({ maxInstructions: 330_000 });
    const rings = new Set<number>();
    for (let index = 0; index < 150; index++) {
      host = host.run({ maxInstructions: index % 3 === 0 ? 1 + ((index * 37) % 91) : 1 });
      const { machine } = host.vm("a");
      rings.add(host.machine.cpl);
      expect(visible(guest.run({ maxInstructions: machine.steps }), machine)).toEqual(NOTHING);
    }
    expect([...rings].sort()).toEqual([0, 1]);
  });

  it("tells a guest that asks which ring it really is in, where the instruction does not fault", () => {
    const guest = Machine.boot({ image: imageOf("sensitive"), memory: "16M", model: "pentium2" });
    const bare = guest.run().serial.split("\n");
    const told = hosting(guest)
      .run({ until: { vm: "a" } })
      .vm("a")
      .serial.split("\n");
    expect(told.length).toBe(bare.length);
    const differing = bare.flatMap((line, index) => (told[index] === line ? [] : [told[index]]));
    expect(differing).toEqual(WRONG);
  });

  it("shares the processor with another, and neither notices", () => {
    const a = Machine.boot({ image: imageOf("hello"), memory: "16M", model: "pentium2" });
    const b = Machine.boot({ image: imageOf("rings"), memory: "8M", model: "pentium2" });
    const host = hosting(a).addVm({ name: "b", guest: b, technique: "trap" });
    const there = host.run({ maxInstructions: 5000 });
    const done = Hypervisor.load(there.save()).run({ until: { vm: "b" } });
    for (const [name, guest] of [["a", a] as const, ["b", b] as const])
      expect([name, visible(guest.run(), done.vm(name).machine)]).toEqual([name, NOTHING]);
  });
});
