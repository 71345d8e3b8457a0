/** A program that goes through gates and back all the time while tables, stacks and flags change at random. */
import fc from "fast-check";
import { assemble, Machine } from "../../src/index.js";

/**
 * A program in ring 3 that goes through gates all the time, and handlers that mend what they can. INT 0x41 carries out
 * what comes next in `changes`: two words of memory to be changed, and flags in the frame it returns to; `before` comes first, and `user` behind INT 0x40.
 */
const textOf = (before: string, user: string): string => `
bits 32
org 0x100000
start:  lgdt [gdtr]
        lidt [idtr]
        mov ax, 0x28
        ltr ax
        mov esp, stack0
        mov eax, directory
        mov cr3, eax
        mov eax, cr0
        or eax, 0x80040000
        mov cr0, eax
        ; Both levels use the same: ways lead between flat segments.
        mov ax, 0x23
        mov ds, ax
        mov es, ax
        mov ebx, stack3 + 1
        push dword 0x23
        push dword stack3
        push dword 0x3002
        push dword 0x1b
        push dword user
        iretd

align 16
user:   int 0x40
        ${user}
        xor edx, edx
        xor esi, esi
        div esi
        int3
        mov al, [0x300000]
        int 0x41
        in al, 0x21
        mov edi, [ebx]
        pushfd
        push dword 0x1b
        push dword within
        iretd
within: inc ecx
        jmp user

nested: int 0x42
        in al, 0x21
        iretd
change: ${before}
        push eax
        push esi
        push edx
        mov esi, [next]
        mov eax, [esi]
        mov edx, [esi + 4]
        xor [eax], edx
        mov eax, [esi + 8]
        mov edx, [esi + 12]
        xor [eax], edx
        mov edx, [esi + 16]
        xor [esp + 20], edx
        add dword [next], 20
        pop edx
        pop esi
        pop eax
        iretd
plain:  iretd
; Behind an instruction of two bytes; the error code is dropped.
mend:   add esp, 4
skip:   add dword [esp], 2
        iretd
fault:  add esp, 4
        add dword [esp], 5
        iretd

align 8
gdt:    dq 0
        dq 0x00cf9b000000ffff
        dq 0x00cf93000000ffff
        dq 0x00cffb000000ffff
        dq 0x00cff3000000ffff
tssd:   dw 0x67, tss & 0xffff
        dd 0x00008900 | (tss >> 16)
        dq 0x00cf9b000000ffff
        dq 0x00cf93000000ffff
gdtr:   dw $ - gdt - 1
        dd gdt
idtr:   dw 0x43 * 8 - 1
        dd idt
align 16
tss:    dd 0, stack0, 0x10
        times 23 dd 0
next:   dd changes
align 4096
idt:    resb 0x43 * 8
align 4096
directory: dd table + 7
        resb 4092
table:  resb 4096
changes: resb 4096
        resb 4096
stack0: resb 4096
stack3:
`;

const word = (value: number): Uint8Array => new Uint8Array(Uint32Array.of(value).buffer);

/** Vectors, their handlers, the gates' types and privileges; those of INT n lead to a code segment of their own. */
const gates: readonly (readonly [vector: number, handler: string, access: number])[] = [
  [0, "skip", 0x8e00],
  [1, "plain", 0x8e00],
  [2, "plain", 0x8e00],
  [3, "plain", 0xee00],
  [8, "mend", 0x8e00],
  [10, "mend", 0x8e00],
  [11, "mend", 0x8e00],
  [12, "mend", 0x8e00],
  [13, "mend", 0x8e00],
  [14, "fault", 0x8e00],
  [17, "mend", 0x8e00],
  [0x20, "plain", 0x8e00],
  [0x40, "nested", 0xee00],
  [0x41, "change", 0xef00],
  [0x42, "plain", 0x8f00],
];

function started(bytes: Uint8Array, at: (name: string) => number): Machine {
  let machine = Machine.boot({ image: bytes, memory: "4M" });
  for (const [vector, handler, access] of gates) {
    const gate = at("idt") + vector * 8;
    machine = machine.write(gate, word(((vector < 0x40 ? 0x08 : 0x30) << 16) | (at(handler) & 0xffff)));
    machine = machine.write(gate + 4, word((at(handler) & 0xffff0000) | access));
  }
  for (let page = 0; page < 1024; page++)
    if (page !== 0x300) machine = machine.write(at("table") + 4 * page, word((page << 12) | 7));
  return machine;
}
/** The program in front of its first instruction in ring 3, and what may happen to it there. */
export interface WaysProgram {
  readonly user: Machine;
  /** What `prepare` takes. */
  readonly changes: fc.Arbitrary<readonly number[]>;
  /** The machine with changes to come, and an event that waits. */
  readonly prepare: (machine: Machine, words: readonly number[], event: string) => Machine;
}

const bit = fc.nat(31).map((number) => 1 << number);
const flag = fc.constantFrom(0, 0, 0, ...[8, 9, 12, 14, 16, 18, 21].map((number) => 1 << number));
/** What comes from outside at the start: a request with interrupts off, an NMI. */
export const outside = fc.constantFrom("nothing", "request", "NMI");

function changesOf(at: (name: string) => number): fc.Arbitrary<readonly number[]> {
  // What decides a way, and what it changes.
  const places: readonly number[] = [
    ...[0, 3, 14, 0x40, 0x42].flatMap((vector) => [0, 4].map((half) => at("idt") + vector * 8 + half)),
    ...[1, 2, 3, 4, 6].flatMap((entry) => [0, 4].map((half) => at("gdt") + entry * 8 + half)),
    ...[4, 8].map((offset) => at("tss") + offset),
    at("table") + 4 * ((at("stack0") - 1) >>> 12),
  ];
  const wordChange = fc.oneof(
    { weight: 3, arbitrary: fc.constant([at("stack3") - 4, 0] as const) },
    { weight: 1, arbitrary: fc.tuple(fc.constantFrom(...places), bit) },
    // The stack of ring 0 at the edges of a page and of the address space, and another selector for it.
    {
      weight: 1,
      arbitrary: fc
        .constantFrom(at("stack0") ^ (at("stack0") - 4084), at("stack0") ^ 16, at("stack0") ^ (at("stack0") - 2048))
        .map((bits) => [at("tss") + 4, bits] as const),
    },
    { weight: 1, arbitrary: fc.constant([at("tss") + 8, 0x10 ^ 0x38] as const) },
  );
  // Of a change, half is taken back by the next one.
  return fc.array(fc.tuple(wordChange, flag), { minLength: 1, maxLength: 40 }).map((list) =>
    list.flatMap(([[place, bits], flags], index) => {
      const [before, undone] = index === 0 ? [at("stack3") - 4, 0] : list[index - 1]![0];
      return [place, bits, before, undone, flags];
    }),
  );
}

function withEvent(machine: Machine, event: string): Machine {
  if (event === "NMI") return machine.nmi();
  if (event === "nothing") return machine;
  return machine.edit(({ devices }) => {
    devices.pic = { ...devices.pic, master: { ...devices.pic.master, IMR: 0xfe, IRR: 1, ICW2: 0x20 } };
  });
}

/** The program, with instructions that INT 0x41 begins with, and more in ring 3. */
export function waysProgram(before = "", more = ""): WaysProgram {
  const { bytes, symbols } = assemble(textOf(before, more));
  const at = (name: string): number => symbols[name]!;
  return {
    user: started(bytes, at).run({ until: at("user"), maxInstructions: 100 }),
    changes: changesOf(at),
    prepare: (machine, words, event) =>
      withEvent(machine.write(at("changes"), new Uint8Array(Int32Array.from(words).buffer)), event),
  };
}

/** What two runs of it must have in common. */
export const asText = ({ hash, counters, stop, why }: Machine & { readonly why?: unknown }): string =>
  JSON.stringify({ hash, counters, stop, why });
