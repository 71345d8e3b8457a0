/** Instructions that no guest uses and no program may compare with its own processor; the manual says what they do. */
import { describe, expect, it } from "vitest";
import { Machine } from "../../machine.js";

const CODE = 0x10000;
const POINTER = 0x4000;
const word = (value: number): number[] => [0, 8, 16, 24].map((shift) => (value >>> shift) & 0xff);
const gdt = [0, 0, 0xffff, 0xcf9b00, 0xffff, 0xcf9300, 0xffff, 0xcffb00, 0xffff, 0xcff300].flatMap(word);

/** Runs code behind LGDT, with a far pointer to a procedure in memory, until it executes `hlt` or something stops it. */
function run(code: readonly number[], selector = 8, procedure: readonly number[] = [0xf4]): Machine {
  return Machine.create({ memory: "1M" })
    .write(CODE, Uint8Array.from([0x0f, 0x01, 0x15, ...word(0x3000), ...code, 0xf4]))
    .write(CODE + 0x80, Uint8Array.from(procedure))
    .write(0x3000, Uint8Array.from([gdt.length - 1, 0, ...word(0x7000)]))
    .write(0x7000, Uint8Array.from(gdt))
    .write(POINTER, Uint8Array.from([...word(CODE + 0x80), ...word(selector)]))
    .edit((draft) => {
      draft.registers.eip = CODE;
      draft.registers.esp = 0x9000;
    })
    .run({ maxInstructions: 40, observe: ["exception"] });
}

const faultOf = ({ events: [first] }: Machine): string | undefined =>
  first?.kind === "exception" ? first.name : undefined;
const movEax = (value: number): number[] => [0xb8, ...word(value)];
const movEdx = (value: number): number[] => [0xba, ...word(value)];
const movEcx = (value: number): number[] => [0xb9, ...word(value)];

describe("port instructions", () => {
  it("IN AL, imm8 reads a byte and leaves the rest of EAX", () => {
    expect(run([...movEax(0x123456ab), 0xe6, 0x21, 0xb0, 0, 0xe4, 0x21]).registers.eax).toBe(0x123456ab);
  });

  it("IN EAX, DX and IN AX, DX read ones where nobody answers", () => {
    expect(run([...movEdx(0x1234), 0xed]).registers.eax).toBe(0xffffffff);
    expect(run([...movEdx(0x1234), 0x66, 0xed]).registers.eax).toBe(0x0000ffff);
  });

  it("OUT imm8, EAX and OUT DX, EAX write four bytes", () => {
    expect(run([...movEax(0x31), 0xe7, 0xf4]).stop).toMatchObject({ reason: "debug-exit", value: 0x31 });
    expect(run([...movEax(0x32), ...movEdx(0xf4), 0xef]).stop).toMatchObject({ reason: "debug-exit", value: 0x32 });
  });

  it("REP INSD stores at EDI and counts ECX down", () => {
    const end = run([...movEdx(0x1234), 0xbf, ...word(0x2000), ...movEcx(2), 0xf3, 0x6d]);
    expect([...end.memory.read(0x2000, 9)]).toEqual([...Array.from({ length: 8 }, () => 0xff), 0]);
    expect(end.registers).toMatchObject({ ecx: 0, edi: 0x2008 });
  });

  it("OUTSD writes what is at ESI", () => {
    const end = run([...movEdx(0xf4), 0xbe, ...word(POINTER + 4), 0x6f], 0x2a);
    expect(end.stop).toMatchObject({ reason: "debug-exit", value: 0x2a });
    expect(end.registers.esi).toBe(POINTER + 8);
  });
});

describe("far transfers through memory", () => {
  it("JMP m16:32 loads CS and EIP", () => {
    expect(run([0xff, 0x2d, ...word(POINTER)]).registers).toMatchObject({ eip: CODE + 0x81, cs: 8, esp: 0x9000 });
  });

  it("CALL m16:32 pushes CS and EIP, and RETF imm16 pops them and releases arguments", () => {
    const called = run([0xff, 0x1d, ...word(POINTER)]);
    expect(called.registers).toMatchObject({ eip: CODE + 0x81, esp: 0x8ff8 });
    expect([...called.memory.read(0x8ff8, 8)]).toEqual([...word(CODE + 13), ...word(8)]);
    // The procedure is the byte behind HLT; what is pushed first is its argument.
    const returned = run([0x68, ...word(7), 0xff, 0x1d, ...word(POINTER)], 8, [0xca, 4, 0]);
    expect(returned.registers).toMatchObject({ eip: CODE + 19, esp: 0x9000, cs: 8 });
  });

  it("a selector of another privilege is #GP", () => {
    expect(faultOf(run([0xff, 0x2d, ...word(POINTER)], 0x1b))).toBe("#GP");
  });
});

describe("segment registers", () => {
  it("PUSH CS and PUSH SS push selectors, POP SS loads one", () => {
    const end = run([0x0e, 0x16, 0x17]);
    expect([...end.memory.read(0x8ff8, 8)]).toEqual([...word(0x10), ...word(8)]);
    expect(end.registers).toMatchObject({ ss: 0x10, esp: 0x8ffc });
  });

  for (const [name, opcode, segment] of [
    ["LES", [0xc4], "es"],
    ["LDS", [0xc5], "ds"],
    ["LSS", [0x0f, 0xb2], "ss"],
    ["LFS", [0x0f, 0xb4], "fs"],
    ["LGS", [0x0f, 0xb5], "gs"],
  ] as const) {
    it(`${name} loads a register and a segment from memory, or nothing`, () => {
      const end = run([...opcode, 0x0d, ...word(POINTER)], 0x10);
      expect(end.registers).toMatchObject({ ecx: CODE + 0x80, [segment]: 0x10 });
      const refused = run([...movEcx(5), ...opcode, 0x0d, ...word(POINTER)], 0x30);
      expect(faultOf(refused)).toBe("#GP");
      expect(refused.registers.ecx).toBe(5);
    });
  }
});

describe("registers of the system", () => {
  it("MOV DR0, EAX is read back", () => {
    expect(run([...movEax(0x1234), 0x0f, 0x23, 0xc0, 0x0f, 0x21, 0xc3]).registers.ebx).toBe(0x1234);
  });

  it("RDTSC and RDMSR read the tick, and there is no MSR at other addresses", () => {
    expect(run([0x90, 0x90, 0x0f, 0x31]).registers).toMatchObject({ eax: 3, edx: 0 });
    expect(run([...movEcx(0x10), 0x0f, 0x32]).registers).toMatchObject({ eax: 2, edx: 0 });
    expect(faultOf(run([...movEcx(0x11), 0x0f, 0x32]))).toBe("#GP");
    expect(faultOf(run([...movEcx(0x11), 0x0f, 0x30]))).toBe("#GP");
  });

  it("RDTSC reads the same tick each time a loop comes to it, and PAUSE takes one", () => {
    // again: RDTSC; PAUSE; ADD EBX, EAX; LOOP again
    const loop = [...movEcx(9), 0x0f, 0x31, 0xf3, 0x90, 0x01, 0xc3, 0xe2, 0xf8];
    const { ebx, eax } = run(loop).registers;
    // The first comes in tick 2, the others follow each other by 4.
    expect(eax).toBe(2 + 4 * 8);
    expect(ebx).toBe(2 * 9 + (4 * 8 * 9) / 2);
  });

  it("WRMSR sets the low half of the time-stamp counter, clears the high one, and it goes on from there", () => {
    const write = [...movEcx(0x10), ...movEax(0xfffffffe), ...movEdx(7), 0x0f, 0x30];
    expect(run([...write, 0x0f, 0x31]).registers).toMatchObject({ eax: 0xffffffff, edx: 0 });
    expect(run([...write, 0x90, 0x90, 0x0f, 0x32]).registers).toMatchObject({ eax: 1, edx: 1 });
  });

  it("WRMSR keeps what a register takes, and refuses reserved bits and read-only registers", () => {
    const write = (address: number, low: number, high = 0): number[] => [
      ...[...movEcx(address), ...movEax(low), ...movEdx(high), 0x0f, 0x30, ...movEax(0), ...movEdx(1), 0x0f, 0x32],
    ];
    expect(run(write(0x175, 0x89abcdef)).registers).toMatchObject({ eax: 0x89abcdef, edx: 0 });
    expect(faultOf(run(write(0x175, 0, 1)))).toBe("#GP");
    expect(run([...movEcx(0), 0x0f, 0x32]).registers).toMatchObject({ eax: 0, edx: 0 });
    expect(faultOf(run(write(1, 0)))).toBe("#GP");
  });

  it("RDPMC is #GP, since there is no counter", () => {
    expect(faultOf(run([...movEcx(0), 0x0f, 0x33]))).toBe("#GP");
  });

  it("DR6 and DR7 keep their fixed bits, and DR4 and DR5 are the same while CR4.DE is clear", () => {
    const through = (number: number, value: number): number[] => [
      ...[...movEax(value), 0x0f, 0x23, 0xc0 | (number << 3), 0x0f, 0x21, 0xc3 | (number << 3)],
    ];
    expect(run(through(6, 0xffffffff)).registers.ebx).toBe(0xffffefff);
    expect(run(through(6, 0)).registers.ebx).toBe(0xffff0ff0);
    expect(run(through(7, 0xffffdf00)).registers.ebx).toBe(0xffff0700);
    expect(run(through(5, 0)).registers.ebx).toBe(0x400);
    expect(run([...through(4, 0xffff0ff1), 0x0f, 0x21, 0xf1]).registers.ecx).toBe(0xffff0ff1);
    const extensions = [...movEax(8), 0x0f, 0x22, 0xe0];
    expect(faultOf(run([...extensions, 0x0f, 0x21, 0xe0]))).toBe("#UD");
    expect(faultOf(run([...extensions, 0x0f, 0x21, 0xf0]))).toBeUndefined();
  });

  it("with DR7.GD set an access to any debug register is #DB", () => {
    const guard = [...movEax(0x2000), 0x0f, 0x23, 0xf8];
    expect(faultOf(run([...guard, 0x0f, 0x21, 0xc3]))).toBe("#DB");
    expect(faultOf(run([...guard, 0x0f, 0x23, 0xc8]))).toBe("#DB");
  });

  it("INVLPG and WBINVD do nothing that shows, whatever the address", () => {
    expect(faultOf(run([0x0f, 0x01, 0x3d, ...word(0xfffff000), 0x0f, 0x09, 0x0f, 0x08]))).toBeUndefined();
  });

  it("CPUID tells the vendor and the features, and the highest leaf for leaves beyond it", () => {
    const text = ({ ebx, edx, ecx }: { ebx: number; edx: number; ecx: number }): string =>
      Buffer.from([...word(ebx), ...word(edx), ...word(ecx)]).toString();
    const [vendor, features, last, beyond] = [0, 1, 2, 9].map((leaf) => run([...movEax(leaf), 0x0f, 0xa2]).registers);
    expect([vendor!.eax, text(vendor!)]).toEqual([2, "GenuineIntel"]);
    expect(features!.edx & 0x10).toBe(0x10);
    expect(features!.eax).toBe(0x652);
    expect(beyond).toMatchObject({ eax: last!.eax, edx: last!.edx });
  });
});
