import { describe, expect, it } from "vitest";
import { assemble } from "../../hardware/isa/assembler/assembler.js";
import { Machine } from "../../hardware/machine.js";
import { Hypervisor } from "../hypervisor.js";

/** Counts counter 2 of the 8254 down to OUT, as Linux does to find out how fast the time-stamp counter is, and leaves. */
const CALIBRATION = `
  in al, 0x61
  and al, 0xfd
  or al, 1
  out 0x61, al
  mov al, 0xb0
  out 0x43, al
  mov al, 0xff
  out 0x42, al
  mov al, 0x0f
  out 0x42, al
again:
  rdtsc
  inc ebx
  in al, 0x61
  test al, 0x20
  jz again
  mov al, 1
  out 0xf4, al
  hlt`;
const image = assemble(CALIBRATION, { bits: 32 }).bytes;

describe.each([
  { technique: "vmx-ept", model: "nehalem" },
  { technique: "vmx-shadow", model: "nehalem" },
  { technique: "svm-npt", model: "phenom" },
] as const)("a guest that polls a timer under $technique", ({ technique, model }) => {
  const guest = Machine.boot({ image, memory: "16M", model });
  const bare = guest.run();
  const vm = Hypervisor.create({ model, memory: "64M" })
    .addVm({ name: "a", guest, technique })
    .run({ until: { vm: "a" } })
    .vm("a");

  it("reads as often as on the bare machine, and ends in the same state at the same time", () => {
    expect(bare.registers.ebx).toBeGreaterThan(10_000);
    const { state, memory } = Machine.diff(bare, vm.machine);
    expect(state.filter(({ path }) => path !== "counts.repeats" && path !== "counts.exceptions")).toEqual([]);
    expect(memory).toEqual([]);
  });

  it("leaves for a few of its reads alone, and the ledger says what became of the others", () => {
    const ins = vm.ledger.filter(({ instruction }) => instruction === "IN");
    expect(ins.map(({ effect }) => effect)).toEqual(["device access", "device access, simulated on"]);
    expect(ins.reduce((sum, { count }) => sum + count, 0)).toBeLessThan(200);
  });
});
