/** Task switches; what is expected was compared with Bochs. */
import { describe, expect, it } from "vitest";
import type { Machine } from "../machine.js";
import { AT, gate, handled, ring3, run, SEL, segment, stackWords, TOP, virtual8086 } from "./protection.test-helper.js";

const typeAt = (machine: Machine, selector: number): number => machine.memory.read(AT.gdt + selector + 5, 1)[0]! & 15;
const dword = (machine: Machine, address: number): number =>
  new DataView(machine.memory.read(address, 4).buffer).getUint32(0, true);

describe("a task switch", () => {
  it("by JMP frees the old task, saves it, and enters the new one", () => {
    const end = run({ code: `mov ebx, 77\njmp ${SEL.other}:0` });
    expect(end.registers).toMatchObject({ eip: AT.target + 1, esp: 0x4000, eflags: 2, ebx: 0 });
    expect(end.registers.cr0 & 8).toBe(8);
    expect(end.cpu.system.tr.selector).toBe(SEL.other);
    expect([typeAt(end, SEL.tss), typeAt(end, SEL.other)]).toEqual([9, 11]);
    expect([dword(end, AT.tss + 0x20), dword(end, AT.tss + 0x34), dword(end, AT.tss + 0x4c)]).toEqual([
      AT.code + 12,
      77,
      SEL.code,
    ]);
  });

  it("by CALL nests: both tasks are busy, and IRET goes back behind the call", () => {
    const nested = run({ code: `call ${SEL.other}:0\nhlt` });
    expect(nested.registers.eflags & 0x4000).toBe(0x4000);
    expect(dword(nested, AT.other) & 0xffff).toBe(SEL.tss);
    expect([typeAt(nested, SEL.tss), typeAt(nested, SEL.other)]).toEqual([11, 11]);
    const back = run({ code: `call ${SEL.other}:0\nhlt`, memory: { [AT.target]: [0xcf] } });
    expect(back.registers).toMatchObject({ eip: AT.code + 8, esp: TOP.ring0 });
    expect([typeAt(back, SEL.tss), typeAt(back, SEL.other)]).toEqual([11, 9]);
    expect(dword(back, AT.other + 0x24) & 0x4000).toBe(0);
  });

  it("to a busy task is #GP with its selector, in the old task", () => {
    const end = run({ code: `jmp ${SEL.tss}:0` });
    expect([handled(end), stackWords(end, 2)]).toEqual([13, [SEL.tss, AT.code]]);
  });

  it("by an exception pushes the error code in the new task", () => {
    const end = run({ code: "int 50", memory: { [AT.idt + 13 * 8]: gate(SEL.other, 0, 0x85) } });
    expect([end.cpu.system.tr.selector, end.registers.esp, stackWords(end, 1)]).toEqual([
      SEL.other,
      0x3ffc,
      [50 * 8 + 2],
    ]);
  });

  it("of a 16-bit TSS loads words, and leaves ones above them", () => {
    const memory = { [AT.gdt + SEL.other]: segment(AT.other, 0x2b, 0x81, 0), [AT.other]: sixteen };
    const end = run({ code: `jmp ${SEL.other}:0`, memory });
    expect(end.registers).toMatchObject({ eip: AT.target + 1, eax: 0xffff1234, esp: 0xffff4000, fs: 0 });
  });

  it("with the T flag ends in #DB in front of the first instruction, with DR6.BT", () => {
    const end = run({ code: `jmp ${SEL.other}:0`, other: { 100: 1 } });
    expect([handled(end), stackWords(end, 1)]).toEqual([1, [AT.target]]);
    expect(end.cpu.system.debug[4] & 0x8000).toBe(0x8000);
  });

  it("can enter virtual-8086 mode", () => {
    const other = { 36: 0x20002, 56: 0x800, 76: 0, 80: 0x400, 84: 0x1234 };
    const memory = { [AT.target]: [0xcc], [AT.idt + 3 * 8]: gate(SEL.code, AT.handlers + 6, 0xee) };
    const end = run({ code: `jmp ${SEL.other}:0`, other, memory });
    expect([handled(end), stackWords(end, 7)]).toEqual([
      3,
      [AT.target + 1, 0, 0x20002, 0x800, 0x400, SEL.data, 0x1234],
    ]);
  });
});

describe("a task that cannot run", () => {
  it("faults in its own context: #TS with the selector, behind the switch", () => {
    const end = run({ code: `jmp ${SEL.other}:0`, other: { 80: SEL.code } });
    // The handler finds no stack to push on and there is no way out: the stack segment is what is wrong.
    expect(end.stop).toEqual({ reason: "triple-fault" });
    const data = run({ code: `jmp ${SEL.other}:0`, other: { 84: 0x78 } });
    expect([handled(data), stackWords(data, 3)]).toEqual([10, [0x78, AT.target, SEL.code]]);
    expect(data.cpu.system.tr.selector).toBe(SEL.other);
  });

  it("of ring 3 faults at the privilege of its code selector: the handler has the inner stack", () => {
    const other = { 56: TOP.ring3, 72: 0, 76: SEL.code3, 80: SEL.data3, 84: 0x78 };
    const end = run({ code: `jmp ${SEL.other}:0`, other });
    expect([handled(end), end.registers.ss]).toEqual([10, SEL.data]);
    expect(stackWords(end, 6)).toEqual([0x78, AT.target, SEL.code3, 0x10002, TOP.ring3, SEL.data3]);
  });

  it("is refused while its TSS is too short: #TS in the old task", () => {
    const end = run({ code: `jmp ${SEL.other}:0`, memory: { [AT.gdt + SEL.other]: segment(AT.other, 0x66, 0x89, 0) } });
    expect([handled(end), stackWords(end, 2), end.cpu.system.tr.selector]).toEqual([10, [SEL.other, AT.code], SEL.tss]);
  });

  it("is not returned to unless it is busy", () => {
    const end = run({ code: "pushf\nor dword [esp], 0x4000\npopf\niret", memory: { [AT.tss]: [SEL.other, 0] } });
    expect([handled(end), stackWords(end, 1)]).toEqual([10, [SEL.other]]);
  });

  it("whose descriptor wants more privilege is #GP", () => {
    const end = run({ code: `call ${SEL.other}:0`, frame: ring3() });
    expect([handled(end), stackWords(end, 1)]).toEqual([13, [SEL.other]]);
    expect(handled(run({ code: `call ${SEL.other}:0`, bits: 16, frame: virtual8086() }))).not.toBe(13);
  });
});

const half = (value: number): number[] => [value & 0xff, value >> 8];
const sixteen: readonly number[] = [
  ...[0, TOP.ring0, SEL.data, 0, 0, 0, 0, AT.target, 2, 0x1234, 0, 0, 0, 0x4000, 0, 0, 0],
  ...[SEL.data, SEL.code, SEL.data, SEL.data, 0],
].flatMap(half);
