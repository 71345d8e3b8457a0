/** A machine with tables for tests of protection: flat segments of every level, an LDT, two tasks, and handlers that halt. */
import { assemble } from "../isa/assembler/assembler.js";
import { Machine } from "../machine.js";
import type { ModelName } from "./model.js";

export const AT = {
  gdt: 0x1000,
  idt: 0x1800,
  tss: 0x2000,
  other: 0x2100,
  code: 0x5000,
  target: 0x6000,
  handlers: 0x8000,
} as const;
/** Selectors; 3 in the name is DPL 3. CALL, GATE and FREE are for what a test wants there. */
export const SEL = {
  code: 0x08,
  data: 0x10,
  code3: 0x1b,
  data3: 0x23,
  tss: 0x28,
  other: 0x30,
  conforming: 0x38,
  code16: 0x40,
  stack16: 0x48,
  free: 0x50,
} as const;
/** Stack tops: what TSS.ESP0 says, and where ring 3 begins. */
export const TOP = { ring0: 0x3800, ring3: 0x4800 } as const;

type Bytes = readonly number[];
const half = (value: number): number[] => [value & 0xff, (value >>> 8) & 0xff];
export const word = (value: number): number[] => [...half(value), ...half(value >>> 16)];

/** A segment descriptor; `access` has type, S, DPL and P, `flags` has G and D/B. */
export const segment = (base: number, limit: number, access: number, flags: number): Bytes => [
  ...half(limit),
  ...half(base),
  (base >>> 16) & 0xff,
  access,
  (flags << 4) | ((limit >>> 16) & 15),
  base >>> 24,
];
export const gate = (selector: number, offset: number, access: number, parameters = 0): Bytes => [
  ...half(offset),
  ...half(selector),
  parameters,
  access,
  ...half(offset >>> 16),
];

const gdt = [
  segment(0, 0, 0, 0),
  segment(0, 0xfffff, 0x9a, 12),
  segment(0, 0xfffff, 0x92, 12),
  segment(0, 0xfffff, 0xfa, 12),
  segment(0, 0xfffff, 0xf2, 12),
  segment(AT.tss, 0xff, 0x89, 0),
  segment(AT.other, 0x67, 0x89, 0),
  segment(0, 0xfffff, 0x9e, 12),
  segment(0, 0xffff, 0x9a, 0),
  segment(0, 0xffff, 0x92, 0),
];

/** A 32-bit TSS: SS0 and ESP0, and where its task begins. */
const task = (fields: Readonly<Record<number, number>>): Bytes => {
  const bytes = new Uint8Array(0x68);
  for (const [offset, value] of Object.entries({ 4: TOP.ring0, 8: SEL.data, 100: 0x680000, ...fields }))
    bytes.set(word(value), Number(offset));
  return [...bytes];
};

export interface Setup {
  /** Runs at CPL 0, or behind IRETD with `frame`. NASM syntax; HLT ends the run. */
  readonly code: string;
  /** EIP is the code's: CS, EFLAGS, ESP, SS, and the data segments for virtual-8086 mode. */
  readonly frame?: Bytes;
  /** More of the tables, by linear address. */
  readonly memory?: Readonly<Record<number, Bytes>>;
  /** More fields of the other task. */
  readonly other?: Readonly<Record<number, number>>;
  readonly model?: ModelName;
  readonly bits?: 16 | 32;
}

/** Runs until HLT; handlers of vector n halt at `AT.handlers` + 2n. */
export function run({ code, frame, memory = {}, other = {}, model = "pentium2", bits = 32 }: Setup): Machine {
  const idt = Array.from({ length: 48 }, (_, n) => gate(SEL.code, AT.handlers + 2 * n, n < 32 ? 0x8e : 0xee));
  const prologue = `
    lgdt [gdtr]
    lidt [idtr]
    mov ax, ${SEL.tss}
    ltr ax
    jmp ${SEL.code}:enter
  enter:
    ${(frame ?? [])
      .map((value) => `push dword ${value}`)
      .reverse()
      .join("\n")}
    ${frame ? `push dword ${AT.code}\niret` : `jmp ${SEL.code}:${AT.code}`}
  gdtr: dw 0x7f
    dd ${AT.gdt}
  idtr: dw 48 * 8 - 1
    dd ${AT.idt}`;
  const body = assemble(code, { bits, address: AT.code }).bytes;
  let machine = Machine.create({ memory: "1M", model })
    .write(0x10000, assemble(prologue, { address: 0x10000 }).bytes)
    .write(AT.gdt, Uint8Array.from(gdt.flat()))
    .write(AT.idt, Uint8Array.from(idt.flat()))
    .write(AT.tss, Uint8Array.from(task({})))
    .write(AT.code, body)
    .write(AT.target, Uint8Array.from([0xf4]))
    .write(AT.handlers, Uint8Array.from(Array.from({ length: 96 }, () => 0xf4)))
    .write(
      AT.other,
      Uint8Array.from(
        task({
          32: AT.target,
          36: 2,
          56: 0x4000,
          72: SEL.data,
          76: SEL.code,
          80: SEL.data,
          84: SEL.data,
          ...other,
        }),
      ),
    );
  for (const [address, bytes] of Object.entries(memory))
    machine = machine.write(Number(address), Uint8Array.from(bytes));
  return machine
    .edit((draft) => {
      draft.registers.eip = 0x10000;
      draft.registers.esp = TOP.ring0;
    })
    .run({ maxInstructions: 200, observe: ["exception"] });
}

/** Frames for IRETD: ring 3, and virtual-8086 mode with CS 0 and the stack at 0400:0800. */
export const ring3 = (eflags = 2): Bytes => [SEL.code3, eflags, TOP.ring3, SEL.data3];
export const virtual8086 = (eflags = 0x20002): Bytes => [0, eflags, 0x800, 0x400, 0x601, 0x602, 0x603, 0x604];

/** Words on the stack, from ESP up. */
export const stackWords = (machine: Machine, count: number): number[] => {
  const bytes = machine.memory.read(machine.registers.esp, 4 * count);
  return [...new Uint32Array(bytes.buffer, bytes.byteOffset, count)];
};
/** Vector whose handler has halted. */
export const handled = ({ registers }: Machine): number => (registers.eip - 1 - AT.handlers) / 2;
