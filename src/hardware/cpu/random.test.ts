/** RDRAND and RDSEED: a sequence that follows from the state. */
import { describe, expect, it } from "vitest";
import { Machine } from "../machine.js";
import { afterInit } from "./reset.js";

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

  it("draw other numbers from another seed, and the same from the same", () => {
    const first = (seed: number | bigint) =>
      Machine.boot({ image: Uint8Array.from(RDRAND_EAX), model: "max", seed }).step();
    expect(first(7).hash).toBe(first(7n).hash);
    expect(first(7).registers.eax).not.toBe(first(8).registers.eax);
    expect(first(2n ** 64n - 1n).registers.eax).not.toBe(first(0).registers.eax);
  });

  it("draw other numbers in each processor of a machine, after INIT too", () => {
    const randoms = (seed: number) => {
      const { cpu, turn } = Machine.create({ machine: "pc", processors: 8, memory: "1M", seed });
      return [cpu, ...turn!.others];
    };
    const all = [...randoms(0), ...randoms(1)].map(({ system }) => system.random);
    expect(new Set(all).size).toBe(16);
    for (const cpu of randoms(1)) expect(afterInit(cpu).system.random).toBe(cpu.system.random);
  });

  it.each([-1, 1.5, 2 ** 53, -1n, 2n ** 64n, Number.NaN])("do not follow from %s", (seed) => {
    expect(() => Machine.create({ memory: "1M", seed })).toThrow(
      /^seed .*: expected a whole number from 0 to 2\^64 - 1/,
    );
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
