// When MMX and SSE may be used, what is approximate, and that a machine keeps its vectors.
import { describe, expect, it } from "vitest";
import type { ModelName } from "../../cpu/model.js";
import { CR0, CR4 } from "../../cpu/state.js";
import { Machine } from "../../machine.js";
import { assemble } from "../assembler/assembler.js";

const ENABLE = "mov eax, cr4\nor eax, 0x600\nmov cr4, eax\n";

/** The exceptions that a program meets. */
function exceptionsOf(text: string, model: ModelName = "max"): readonly string[] {
  const machine = Machine.boot({ image: assemble(`${text}\nhlt`).bytes, model, memory: "4M" });
  const { events } = machine.run({ maxInstructions: 200, observe: ["exception"] });
  return events.flatMap((event) => (event.kind === "exception" ? [event.name] : [])).slice(0, 1);
}

/** The machine behind a program. */
const behind = (text: string): Machine =>
  Machine.boot({ image: assemble(`${ENABLE}${text}\nhlt`).bytes, model: "max", memory: "4M" }).run({
    maxInstructions: 10_000,
  });

describe("MMX and SSE", () => {
  it.each([
    ["paddb mm0, mm1", "pentium", "#UD"],
    ["paddb mm0, mm1", "pentium2", undefined],
    [`${ENABLE}addps xmm0, xmm1`, "pentium3", undefined],
    [`${ENABLE}addpd xmm0, xmm1`, "pentium3", "#UD"],
    [`${ENABLE}paddb xmm0, xmm1`, "pentium3", "#UD"],
    [`${ENABLE}pshufb xmm0, xmm1`, "core2", undefined],
    [`${ENABLE}pmulld xmm0, xmm1`, "core2", "#UD"],
    [`${ENABLE}pcmpgtq xmm0, xmm1`, "nehalem", undefined],
    [`${ENABLE}pshufb xmm0, xmm1`, "phenom", "#UD"],
    ["popcnt eax, ebx", "core2", "#UD"],
    ["popcnt eax, ebx", "nehalem", undefined],
  ] as const)("%s on model %s raises %s", (text, model, exception) => {
    expect(exceptionsOf(text, model)).toEqual(exception === undefined ? [] : [exception]);
  });

  it.each([
    ["movaps xmm0, xmm1", "#UD"],
    [`${ENABLE}mov eax, ${CR0.PE | CR0.ET | CR0.TS}\nmov cr0, eax\nmovaps xmm0, xmm1`, "#NM"],
    [`${ENABLE}mov eax, ${CR0.PE | CR0.ET | CR0.TS | CR0.EM}\nmov cr0, eax\nmovaps xmm0, xmm1`, "#UD"],
    [`mov eax, ${CR0.PE | CR0.ET | CR0.TS}\nmov cr0, eax\npaddb mm0, mm1`, "#NM"],
    [`mov eax, ${CR0.PE | CR0.ET | CR0.EM}\nmov cr0, eax\npaddb mm0, mm1`, "#UD"],
    [`${ENABLE}mov eax, ${CR0.PE | CR0.ET | CR0.TS}\nmov cr0, eax\naddsd xmm0, xmm1`, "#NM"],
    [`${ENABLE}mov eax, ${CR0.PE | CR0.ET | CR0.TS}\nmov cr0, eax\nhaddps xmm0, xmm1`, "#NM"],
    [`${ENABLE}movaps xmm0, [0x200001]`, "#GP"],
    [`${ENABLE}addps xmm0, [0x200004]`, "#GP"],
    [`${ENABLE}movups xmm0, [0x200001]`, undefined],
    [`${ENABLE}mov dword [0x200000], 0x1d80\nldmxcsr [0x200000]\ndivps xmm0, xmm1`, undefined],
    [`${ENABLE}mov dword [0x200000], 0x1f00\nldmxcsr [0x200000]\ndivps xmm0, xmm1`, "#XM"],
    [`mov eax, ${CR4.OSFXSR}\nmov cr4, eax\nmov dword [0x200000], 0x1f00\nldmxcsr [0x200000]\ndivps xmm0, xmm1`, "#UD"],
  ])("%j raises %s", (text, exception) => {
    expect(exceptionsOf(text)).toEqual(exception === undefined ? [] : [exception]);
  });

  it("are part of a machine's value: in its hash, and in forks", () => {
    const machine = behind("mov eax, 5\nmovd xmm3, eax\npshufd xmm3, xmm3, 0");
    const five = 0x5_00000005_00000005_00000005n;
    expect(machine.cpu.floating.xmm[3]).toBe(five);
    expect(machine.hash).not.toBe(behind("mov eax, 5\nmovd xmm4, eax\npshufd xmm4, xmm4, 0").hash);
    expect(Machine.load(machine.save()).cpu.floating.xmm[3]).toBe(five);
  });

  it("make the x87 registers valid, and EMMS empties them", () => {
    const used = behind("mov eax, -1\nmovd mm2, eax").cpu.floating;
    expect([used.tags, used.status & 0x3800, used.registers[2]]).toEqual([0, 0, 0xffff_00000000_ffffffffn]);
    expect(behind("movd mm2, eax\nemms").cpu.floating.tags).toBe(0xffff);
  });
});

// ---- approximations ----------------------------------------------------------------------------------------------------

const float = new Float32Array(1);
const pattern = new Uint32Array(float.buffer);
const bitsOf = (value: number): number => {
  float[0] = value;
  return pattern[0]!;
};
const numberOf = (bits: number): number => {
  pattern[0] = bits;
  return float[0]!;
};
/** What an instruction makes of a pattern. */
function approximated(mnemonic: string, bits: number): number {
  const { xmm } = behind(`mov eax, ${bits}\nmovd xmm1, eax\n${mnemonic} xmm0, xmm1`).cpu.floating;
  return Number(xmm[0]! & 0xffffffffn);
}

describe("RCPSS and RSQRTSS", () => {
  const BOUND = 1.5 * 2 ** -12;
  const values = [1, 1.5, 1.9999999, 2, 3, 0.1, 7e-20, 1e30, 2 ** 100, 1.2345678e-5, Math.PI, 2 ** -60 * 1.7];

  it.each(values)("are within the manual's bound at %d", (value) => {
    const exact = numberOf(bitsOf(value));
    const reciprocal = numberOf(approximated("rcpss", bitsOf(value)));
    const root = numberOf(approximated("rsqrtss", bitsOf(value)));
    expect(Math.abs(reciprocal * exact - 1)).toBeLessThan(BOUND);
    expect(Math.abs(root * Math.sqrt(exact) - 1)).toBeLessThan(BOUND);
    expect(numberOf(approximated("rcpss", bitsOf(-value)))).toBe(-reciprocal);
  });

  // Spec: SDM Vol. 2B, RCPPS, RSQRTPS: zeros, denormals, infinities, NaNs.
  it.each([
    ["rcpss", 0, 0x7f800000],
    ["rcpss", 0x80000000, 0xff800000],
    ["rcpss", 0x80000001, 0xff800000],
    ["rcpss", 0xff800000, 0x80000000],
    ["rcpss", 0x7f800001, 0x7fc00001],
    ["rcpss", 0x7f7fffff, 0],
    ["rsqrtss", 0, 0x7f800000],
    ["rsqrtss", 0x80000000, 0xff800000],
    ["rsqrtss", 0x007fffff, 0x7f800000],
    ["rsqrtss", 0x7f800000, 0],
    ["rsqrtss", 0xbf800000, 0xffc00000],
    ["rsqrtss", 0xff800000, 0xffc00000],
    ["rsqrtss", 0xffa00000, 0xffe00000],
  ])("%s of %i is %i", (mnemonic, bits, result) => {
    expect(approximated(mnemonic, bits)).toBe(result);
  });
});
