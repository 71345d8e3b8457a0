/** Gates, returns and virtual-8086 mode; what is expected was compared with Bochs. */
import { describe, expect, it } from "vitest";
import {
  AT,
  gate,
  handled,
  ring3,
  run,
  SEL,
  segment,
  stackWords,
  TOP,
  virtual8086,
  word,
} from "./protection.test-helper.js";

const CALL_CODE = `push dword 0x11111111\npush dword 0x22222222\ncall ${SEL.free | 3}:0\nhlt`;
const called = (access: number): Readonly<Record<number, readonly number[]>> => ({
  [AT.gdt + SEL.free]: gate(SEL.code, AT.target, access, 2),
});

/** INT3 from any level. */
const INT3_FOR_ALL = { [AT.idt + 3 * 8]: gate(SEL.code, AT.handlers + 6, 0xee) };

describe("a call gate to an inner level", () => {
  it("copies parameters between the caller's stack pointer and return address", () => {
    const end = run({ code: CALL_CODE, frame: ring3(), memory: called(0xec) });
    expect(end.cpl).toBe(0);
    expect(end.registers).toMatchObject({ eip: AT.target + 1, ss: SEL.data, esp: TOP.ring0 - 24 });
    expect(stackWords(end, 6)).toEqual([AT.code + 17, SEL.code3, 0x22222222, 0x11111111, TOP.ring3 - 8, SEL.data3]);
  });

  it("of 16 bits copies and pushes words of 16 bits", () => {
    const end = run({ code: CALL_CODE, frame: ring3(), memory: called(0xe4) });
    expect(end.registers.esp).toBe(TOP.ring0 - 12);
    expect(stackWords(end, 3)).toEqual([
      (SEL.code3 << 16) | (AT.code + 17),
      0x22222222,
      (SEL.data3 << 16) | (TOP.ring3 - 8),
    ]);
  });

  it("is left by a RETF that releases the parameters of both stacks and drops segments of the inner level", () => {
    // mov ax, data; mov ds, ax; retf 8
    const memory = { ...called(0xec), [AT.target]: [0x66, 0xb8, SEL.data, 0, 0x8e, 0xd8, 0xca, 8, 0], ...INT3_FOR_ALL };
    const end = run({ code: CALL_CODE.replace("hlt", "int3"), frame: ring3(), memory });
    expect([handled(end), end.registers.ds]).toEqual([3, 0]);
    expect(stackWords(end, 5).slice(1)).toEqual([SEL.code3, 2, TOP.ring3, SEL.data3]);
  });

  it("of a DPL below CPL is #GP with the gate's selector", () => {
    const end = run({ code: CALL_CODE, frame: ring3(), memory: called(0x8c) });
    expect([handled(end), stackWords(end, 1)]).toEqual([13, [SEL.free]]);
  });

  it("whose stack has no room is #SS with that stack's selector", () => {
    // The inner stack ends at 0x10; the exception goes to another task, which has a stack of its own.
    const memory = {
      ...called(0xec),
      [AT.gdt + 0x58]: segment(0, 0x10, 0x92, 4),
      [AT.tss + 4]: word(0x10),
      [AT.tss + 8]: word(0x58),
      [AT.idt + 12 * 8]: gate(SEL.other, 0, 0x85),
    };
    const end = run({ code: CALL_CODE, frame: ring3(), memory });
    expect([end.cpu.system.tr.selector, stackWords(end, 1)]).toEqual([SEL.other, [0x58]]);
  });
});

describe("far transfers without a gate", () => {
  it("a jump to conforming code keeps CPL and puts it into CS", () => {
    const end = run({
      code: `jmp ${SEL.conforming}:${AT.target}`,
      frame: ring3(),
      memory: { [AT.target]: [0xcc], ...INT3_FOR_ALL },
    });
    expect([handled(end), stackWords(end, 2)[1]]).toEqual([3, SEL.conforming | 3]);
  });

  it("a call into 16-bit code runs it as such, and its stack pointer is SP", () => {
    // mov ax, stack16; mov ss, ax; call code16:target, where "mov ax, 1234h; hlt" has two bytes of operand
    const code = `mov esp, 0xabcd4000\nmov ax, ${SEL.stack16}\nmov ss, ax\ncall ${SEL.code16}:${AT.target}`;
    const end = run({ code, memory: { [AT.target]: [0xb8, 0x34, 0x12, 0x50, 0xf4] } });
    expect(end.registers).toMatchObject({ cs: SEL.code16, esp: 0xabcd3ff6, eip: AT.target + 5 });
    expect(end.registers.eax & 0xffff).toBe(0x1234);
  });

  it("a target beyond the limit is #GP(0) in front of the jump", () => {
    const end = run({ code: `jmp ${SEL.code16}:0x10000` });
    expect([handled(end), stackWords(end, 2)]).toEqual([13, [0, AT.code]]);
  });
});

describe("interrupts through gates", () => {
  it("a 16-bit gate pushes IP, CS and FLAGS as words", () => {
    const end = run({ code: "int 32", memory: { [AT.idt + 32 * 8]: gate(SEL.code, AT.handlers + 64, 0x86) } });
    expect([handled(end), end.registers.esp]).toEqual([32, TOP.ring0 - 6]);
    expect(stackWords(end, 1)).toEqual([(SEL.code << 16) | (AT.code + 2)]);
  });

  it("INT n through a gate of DPL 0 is #GP with the vector's entry, and EXT clear", () => {
    const end = run({ code: "int 6", frame: ring3() });
    expect([handled(end), stackWords(end, 2)]).toEqual([13, [6 * 8 + 2, AT.code]]);
  });

  it("INT1 asks for no privilege", () => {
    const end = run({ code: "int1", frame: ring3() });
    expect([handled(end), stackWords(end, 1)]).toEqual([1, [AT.code + 1]]);
  });

  it("an exception whose gate is absent is #NP with EXT set", () => {
    const end = run({ code: "ud2", memory: { [AT.idt + 6 * 8]: gate(SEL.code, 0, 0x0e) } });
    expect([handled(end), stackWords(end, 2)]).toEqual([11, [6 * 8 + 3, AT.code]]);
  });

  it("the frame of a fault has RF set, that of INT has not", () => {
    expect(stackWords(run({ code: "ud2" }), 3)[2]! & 0x10000).toBe(0x10000);
    expect(stackWords(run({ code: "int 32" }), 3)[2]! & 0x10000).toBe(0);
  });

  it("a fault while delivering a fault is #DF, and one while delivering that ends everything", () => {
    const broken = { [AT.idt + 13 * 8]: gate(SEL.data, 0, 0x8e) };
    const end = run({ code: "int 50", memory: broken });
    expect([handled(end), stackWords(end, 2)]).toEqual([8, [0, AT.code]]);
    const over = run({ code: "int 50", memory: { ...broken, [AT.idt + 8 * 8]: gate(SEL.data, 0, 0x8e) } });
    expect(over.stop).toEqual({ reason: "triple-fault" });
  });
});

describe("virtual-8086 mode", () => {
  it("is left by an interrupt that saves the data segments and makes them null", () => {
    const end = run({ code: "int 32", bits: 16, frame: virtual8086(0x23002) });
    expect([handled(end), end.cpl]).toEqual([32, 0]);
    expect(stackWords(end, 9)).toEqual([AT.code + 2, 0, 0x23002, 0x800, 0x400, 0x601, 0x602, 0x603, 0x604]);
    expect(end.registers).toMatchObject({ ds: 0, es: 0, fs: 0, gs: 0, ss: SEL.data });
    expect(end.registers.eflags & 0x20000).toBe(0);
  });

  it("loads segments as an 8086 does", () => {
    const end = run({ code: "mov ax, 0x1234\nmov ds, ax\nint3", bits: 16, frame: virtual8086(), memory: INT3_FOR_ALL });
    expect([handled(end), stackWords(end, 7)[6]]).toEqual([3, 0x1234]);
  });

  for (const code of ["int 32", "cli", "sti", "popf", "iret", "hlt", "mov eax, cr0"]) {
    it(`${code} is the monitor's below IOPL 3: #GP(0)`, () => {
      const end = run({ code, bits: 16, frame: virtual8086(0x21002) });
      expect([handled(end), stackWords(end, 2)]).toEqual([13, [0, AT.code]]);
    });
  }

  for (const code of [
    "sldt ax",
    "str ax",
    "lldt ax",
    "ltr ax",
    "lar ax, ax",
    "lsl ax, ax",
    "verr ax",
    "verw ax",
    "arpl ax, ax",
  ]) {
    it(`has no ${code}: #UD`, () => {
      expect(handled(run({ code, bits: 16, frame: virtual8086() }))).toBe(6);
    });
  }

  it("asks the bitmap for every port, whatever IOPL is", () => {
    const map = (bits: number): Readonly<Record<number, readonly number[]>> => ({ [AT.tss + 0x68 + 0x10]: [bits] });
    const code = "out 0x80, al\nint3";
    const denied = run({ code, bits: 16, frame: virtual8086(0x23002), memory: { ...INT3_FOR_ALL, ...map(1) } });
    expect([handled(denied), stackWords(denied, 2)]).toEqual([13, [0, AT.code]]);
    const allowed = run({ code, bits: 16, frame: virtual8086(0x20002), memory: { ...INT3_FOR_ALL, ...map(0xfe) } });
    expect(handled(allowed)).toBe(3);
  });
});

describe("a selector on the stack", () => {
  it("takes 16 of the 32 bits of its place, on the Pentium all of them", () => {
    const code = "push dword -1\npop eax\npush ds\nhlt";
    expect(stackWords(run({ code }), 1)).toEqual([0xffff0010]);
    expect(stackWords(run({ code, model: "pentium" }), 1)).toEqual([0x10]);
  });

  it("that is popped into SS moves the stack pointer as the old stack has it", () => {
    const end = run({
      code: `mov esp, 0x12344000\npush dword 0\nmov esp, 0x4000\npush dword ${SEL.stack16}\npop ss\nhlt`,
    });
    expect(end.registers).toMatchObject({ ss: SEL.stack16, esp: 0x4000 });
  });
});
