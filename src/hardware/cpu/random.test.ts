/** RDRAND and RDSEED: a sequence that follows from the state. */
import { describe, expect, it } from "vitest";
import { Machine } from "../machine.js";

const CODE = 0x10000;
const RDRAND_EAX = [0x0f, 0xc7, 0xf0];
const RDSEED_EBX = [0x0f, 0xc7, 0xfb];

const machine = (model: "max" | "nehalem" = "max"): Machine =>
  Machine.create({ memory: "1M", model })
    .write(CODE, Uint8Array.from([...RDRAND_EAX, ...RDRAND_EAX, ...RDSEED_EBX, 0x66, ...RDRAND_EAX, 0xf4]))
    .edit((draft) => {
      draft.registers.eip = CODE;
      draft.registers.eflags = 0x8d7;
    });

describe("RDRAND and RDSEED", () => {
  it("draw a sequence: SplitMix64 from the seed in the state", () => {
    const first = machine().step();
    const second = first.step();
    const third = second.step();
    // The first numbers of SplitMix64 from 0, of which the low halves are here.
    expect([first.registers.eax, second.registers.eax, third.registers.ebx]).toEqual([
      0x7b1dcdaf, 0xa1b965f4, 0x8009454f,
    ]);
    expect(third.cpu.system.random).toBe((3n * 0x9e37_79b9_7f4a_7c15n) & 0xffff_ffff_ffff_ffffn);
  });

  it("draw the same again in a fork, and from a save", () => {
    const one = machine().step();
    expect(one.step().hash).toBe(Machine.load(one.save()).step().hash);
  });

  it("set CF and clear the other status flags; 16 bits leave the rest", () => {
    const end = machine().run({ maxInstructions: 4 });
    expect(end.registers.eflags & 0x8d5).toBe(1);
    expect(end.registers.eax >>> 16).toBe(0xa1b9);
  });

  it("are no instructions where the model does not announce them", () => {
    const end = machine("nehalem").run({ maxInstructions: 1, observe: ["exception"] });
    expect(end.events[0]).toMatchObject({ name: "#UD" });
  });
});
