// Why exceptions of 64-bit code were raised, by a machine that runs it.
import { describe, expect, it } from "vitest";
import type { Machine } from "../machine.js";
import { ABSENT, CODE, DATA, KERNEL_STACK, longMachine, quadwords, USER_PAGE } from "./long-machine.test-helper.js";
import { stackChange } from "./stack-change.js";
import { why } from "./why.js";

const rsp = { esp: KERNEL_STACK | 0, wide: [0, 0, 0, 0, -1, ...new Array<number>(19).fill(0)] };
const about = (...code: readonly number[]): Machine => longMachine({ code, cpu: rsp });
/** MOV RAX, imm64. */
const load = (value: number | bigint): readonly number[] => [0x48, 0xb8, ...quadwords(BigInt(value))];
const readRax = [0x48, 0x8b, 0x00];
const writeRax = [0x48, 0x89, 0x00];
const jumpRax = [0xff, 0xe0];

describe("why, of an exception in 64-bit code", () => {
  it("tells the entry of four levels that is not present, with an address of 64 bits", () => {
    const answer = why(about(...load(ABSENT), ...readRax), "#PF");
    expect(answer.sentence).toMatch(
      /at 0xffffffff8100000a raises #PF: a supervisor read of linear 0xffffffff81003000: the page table entry at physical 0x00004018 \(0x0000000000000000\) is not present\.$/,
    );
    expect(answer.chain[0]).toMatchObject({ cr2: ABSENT, walk: { mode: "4-level", linear: ABSENT } });
    expect(answer.machine!.registers.rip).toBe(0xffff_ffff_8100_000an);
  });

  it.each([
    [
      "XD",
      [...load(DATA), ...jumpRax],
      /^The fetch of the instruction at 0xffffffff81001000 .*supervisor fetch .*\(0x8000000000011003\) has XD set/,
    ],
    ["SMEP", [...load(USER_PAGE), ...jumpRax], /supervisor fetch .* is for the user, and CR4\.SMEP keeps/],
    ["SMAP", [...load(USER_PAGE), ...readRax], /supervisor read .* is for the user, and CR4\.SMAP lets/],
    ["CR0.WP", [...load(CODE), ...writeRax], /supervisor write .* is read-only, and CR0\.WP makes/],
  ])("tells %s", (_name, code, sentence) => {
    expect(why(about(...code), "#PF").sentence).toMatch(sentence);
  });

  it("tells of SMAP that EFLAGS.AC would let the access through", () => {
    const code = [...load(USER_PAGE), ...readRax, 0x90];
    const open = longMachine({ code, cpu: { ...rsp, eflags: 0x40002 } });
    expect(open.run({ maxInstructions: 2 }).registers.rip).toBe(0xffff_ffff_8100_000dn);
  });

  it("tells which address is not canonical", () => {
    const answer = why(about(...load(1n << 47n), ...readRax), "#GP");
    expect(answer.sentence).toContain(
      "raises #GP(0): the linear address 0x0000800000000000 is not canonical: bits 48 to 63 do not repeat bit 47",
    );
    expect(answer.chain[0]?.spec).toBe('SDM Vol. 1, "Canonical Addressing"');
  });

  it("knows the frame that the processor pushed", () => {
    const before = about(...load(1n << 47n), ...readRax).run({ maxInstructions: 1 });
    const change = stackChange(before, before.step());
    expect(change).toMatchObject({ switched: false, bytes: 8 });
    expect(change?.entries.map(({ holds, after }) => [holds, after])).toEqual([
      ["error code", 0n],
      ["rip", 0xffff_ffff_8100_000an],
      ["cs", 8n],
      ["rflags", before.registers.rflags | 0x10000n],
      ["rsp", before.registers.rsp],
      ["ss", 0x10n],
    ]);
  });
});
