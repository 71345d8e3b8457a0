/** Gates, task switches, returns to outer rings and stack faults as programs, with what the manual says comes of them. */
import type { Cell } from "./cell-image.js";
import { SELECTORS } from "./cell-layout.js";
import { type GateData, gate, type SegmentData, segment, TYPE } from "./cell-tables.js";

/** What the records must say: each an outcome, with fields of the record in hexadecimal ("cs=b"), and notes ("n0=1"). */
export interface TransferCell extends Cell {
  readonly expected: readonly string[];
}

export const user = { kind: "protected", cpl: 3 } as const;
export const user16 = { kind: "protected", cpl: 3, bits: 16 } as const;
export const ring0 = { kind: "protected", cpl: 0 } as const;
export const virtual = { kind: "virtual-8086" } as const;
export const virtualIo = { kind: "virtual-8086", iopl: 3 } as const;

const put = (place: string, [first, second]: readonly [number, number]): string =>
  `mov dword [${place}], 0x${first.toString(16)}\nmov dword [${place} + 4], 0x${second.toString(16)}`;
/** A gate whose offset is a label: the words of a gate to offset 0, and the label's two halves. */
const putGate = (place: string, data: GateData, label: string): string =>
  `${put(place, gate(data))}\nmov eax, ${label}\nmov [${place}], ax\nshr eax, 16\nmov [${place} + 6], ax`;
const callGate = (label: string, data: Partial<GateData> = {}): string =>
  putGate("gdt + spare", { selector: SELECTORS.code0, type: TYPE.CALL_GATE32, dpl: 3, ...data }, label);
const putSegment = (place: string, data: SegmentData): string => put(`gdt + ${place}`, segment(data));

const cell = (
  name: string,
  mode: Cell["mode"],
  expected: readonly string[],
  code: string,
  prepare?: string,
  more: Partial<Cell> = {},
): TransferCell => ({
  ...{ name, mode, code, expected },
  ...(prepare === undefined ? {} : { prepare }),
  ...more,
});

/** Code that gates lead to. Each notes what it finds on its stack and ends with UD2. */
export const more = `
handler:
  ud2
; Notes six doublewords of the stack, and ESP.
take_stack:
  push ds
  push eax
  mov ax, data0
  mov ds, ax
  mov eax, [ss:esp + 8]
  mov [notes], eax
  mov eax, [ss:esp + 12]
  mov [notes + 4], eax
  mov eax, [ss:esp + 16]
  mov [notes + 8], eax
  mov eax, [ss:esp + 20]
  mov [notes + 12], eax
  mov eax, [ss:esp + 24]
  mov [notes + 16], eax
  mov eax, [ss:esp + 28]
  mov [notes + 20], eax
  pop eax
  pop ds
.taken:
  ud2
; Goes back to where the call came from.
go_back:
  retf
go_back_8:
  retf 8
int_back:
  iretd
; Takes a second task's turn: notes, then back by IRET or by a jump.
task_iret:
  str [notes]
  mov eax, [esp]
  mov [notes + 4], eax
  pushfd
  pop dword [notes + 8]
  mov ax, [tss1]
  mov [notes + 12], ax
  movzx eax, byte [gdt + main_task + 5]
  mov [notes + 16], eax
  movzx eax, byte [gdt + task1 + 5]
  mov [notes + 20], eax
  iretd
task_jump:
  str [notes]
  pushfd
  pop dword [notes + 8]
  movzx eax, byte [gdt + main_task + 5]
  mov [notes + 16], eax
  movzx eax, byte [gdt + task1 + 5]
  mov [notes + 20], eax
  mov eax, cr0
  mov [notes + 24], eax
  jmp main_task:0
; Notes the error code and the link.
task_note:
  ud2
.begin:
  mov eax, [esp]
  mov [notes], eax
  movzx eax, word [tss2]
  mov [notes + 4], eax
  mov eax, [tss1 + 0x20]
  mov [notes + 8], eax
  jmp task_note
reflect:
  ; A monitor's part of INT n: the handler of the 8086 program is called in its place.
  mov ax, data0
  mov ds, ax
  add esp, 4
  sub word [esp + 12], 6
  movzx ebx, word [esp + 12]
  add ebx, 0x10000
  mov eax, [esp]
  add eax, 2
  mov [ebx], ax
  mov eax, [esp + 4]
  mov [ebx + 2], ax
  mov eax, [esp + 8]
  mov [ebx + 4], ax
  movzx eax, word [0x40 * 4]
  mov [esp], eax
  movzx eax, word [0x40 * 4 + 2]
  mov [esp + 4], eax
  iretd
`;
/** 16-bit code in the low segment. */
export const moreLow = `
low_handler:
  ud2
low_return:
  retf
; The 8086 program's own interrupt handler. IRET would be the monitor's to emulate.
int40:
  mov word [data + 32], 0x4040
  retf 2
`;

const callGates: readonly TransferCell[] = [
  cell(
    "CALL through a 32-bit gate to ring 0 pushes SS, ESP, two parameters, CS and EIP on the inner stack",
    user,
    ["#UD at take_stack.taken cs=8 ss=10 n0=@after n1=3b n2=2222 n3=1111 n4=27fff8 n5=43"],
    "push dword 0x1111\npush dword 0x2222\n.at: call spare:0\n.after: nop",
    callGate("take_stack", { parameters: 2 }),
  ),
  cell(
    "RETF 8 behind it releases the parameters on both stacks",
    user,
    ["runs cs=3b esp=280000 ss=43"],
    "push dword 0x1111\npush dword 0x2222\n.at: call spare:0",
    callGate("go_back_8", { parameters: 2 }),
  ),
  cell(
    "CALL through a 16-bit gate pushes words",
    user,
    // The gate has 16 bits of offset: it leads to 16-bit code.
    ["#UD at low_handler cs=48 ss=10 esp=29fff4"],
    "push word 0x1111\npush word 0x2222\n.at: call spare:0",
    `${put("gdt + spare", gate({ selector: SELECTORS.code0_16, type: TYPE.CALL_GATE16, dpl: 3, parameters: 2 }))}\nmov word [gdt + spare], low_handler`,
  ),
  cell(
    "JMP through a call gate to ring 0 is #GP(selector) of the code segment",
    user,
    ["#GP(0x8)"],
    ".at: jmp spare:0",
    callGate("handler"),
  ),
  cell(
    "JMP through a call gate to the same ring goes there",
    ring0,
    ["#UD at handler cs=8"],
    ".at: jmp spare:0",
    callGate("handler", { dpl: 0 }),
  ),
  cell(
    "CALL through a gate to the same ring pushes CS and EIP only",
    ring0,
    ["#UD at handler cs=8 esp=28fff8"],
    ".at: call spare:0",
    callGate("handler"),
  ),
  cell(
    "a call gate of DPL 0 is #GP(selector) for ring 3",
    user,
    ["#GP(0xb0)"],
    ".at: call spare:0",
    callGate("handler", { dpl: 0 }),
  ),
  cell(
    "an RPL above the gate's DPL is #GP(selector)",
    ring0,
    ["#GP(0xb0)"],
    ".at: call (spare | 3):0",
    callGate("handler", { dpl: 2 }),
  ),
  cell(
    "an absent call gate is #NP(selector)",
    user,
    ["#NP(0xb0)"],
    ".at: call spare:0",
    callGate("handler", { absent: true }),
  ),
  cell(
    "a call gate to outer code is #GP(selector)",
    ring0,
    ["#GP(0x38)"],
    ".at: call spare:0",
    callGate("handler", { selector: 0x38 }),
  ),
  cell(
    "a call gate to conforming code stays at CPL 3, on the same stack",
    user,
    ["#UD at handler cs=93 ss=43 esp=27fff8"],
    ".at: call spare:0",
    callGate("handler", { selector: SELECTORS.conforming }),
  ),
  cell(
    "a call gate to a null selector is #GP(0)",
    user,
    ["#GP(0)"],
    ".at: call spare:0",
    callGate("handler", { selector: 0 }),
  ),
  cell("CALL to conforming code of ring 0 keeps CPL 3", user, ["#UD at handler cs=93"], ".at: call conforming:handler"),
  cell(
    "an inner stack of another privilege is #TS(selector)",
    user,
    ["#TS(0x40)"],
    ".at: call spare:0",
    `${callGate("handler", { selector: SELECTORS.code1 })}\nmov word [tss + 0x10], data3 | 3`,
  ),
  cell(
    "a null inner stack is #TS(0)",
    user,
    ["#TS(0)"],
    ".at: call spare:0",
    `${callGate("handler", { selector: SELECTORS.code1 })}\nmov word [tss + 0x10], 0`,
  ),
  cell(
    "an inner stack without room is #SS(selector)",
    user,
    ["#SS(0xb8)"],
    ".at: call spare:0",
    `${callGate("handler", { selector: SELECTORS.code1 })}\n${putSegment("spare2", { limit: 0xfff, big: true, type: TYPE.DATA, dpl: 1 })}
mov word [tss + 0x10], spare2 | 1\nmov dword [tss + 0xc], 0x2000`,
  ),
  cell(
    "a TSS too short for the inner stack is #TS(TSS)",
    user,
    ["#TS(0x58)"],
    ".at: call spare:0",
    // The stack of ring 0 is still in it: for the handler of #TS.
    `${callGate("handler", { selector: SELECTORS.code1 })}\nand byte [gdt + main_task + 5], 0xfd\nmov word [gdt + main_task], 0x0b\nmov ax, main_task\nltr ax`,
  ),
  cell(
    "an offset beyond the code segment's limit is #GP(0)",
    user,
    ["#GP(0)"],
    ".at: call spare:0",
    `${callGate("handler", { selector: SELECTORS.spare2 })}\n${putSegment("spare2", { limit: 0xfff, big: true, type: TYPE.CODE })}`,
  ),
];

const returns: readonly TransferCell[] = [
  cell(
    "RETF to ring 3 loads the outer stack and drops data segments of ring 0",
    ring0,
    ["runs cs=3b ss=43 esp=27ff00 ds=0"],
    "push dword data3 | 3\npush dword 0x27ff00\npush dword code3 | 3\npush dword .end\n.at: retf",
  ),
  cell(
    "RETF 4 releases bytes of the outer stack, too",
    ring0,
    ["runs cs=3b ss=43 esp=27ff04"],
    "push dword data3 | 3\npush dword 0x27ff00\npush dword 0\npush dword code3 | 3\npush dword .end\n.at: retf 4",
  ),
  cell("RETF to an inner ring is #GP(selector)", user, ["#GP(0x8)"], "push dword code0\npush dword .end\n.at: retf"),
  cell(
    "IRET to an inner ring is #GP(selector)",
    user,
    ["#GP(0x8)"],
    "push dword 2\npush dword code0\npush dword .end\n.at: iretd",
  ),
  cell(
    "RETF with an outer SS of another RPL is #GP(selector)",
    ring0,
    ["#GP(0x10)"],
    "push dword data0\npush dword 0x27ff00\npush dword code3 | 3\npush dword .end\n.at: retf",
  ),
  cell(
    "IRET to ring 1 keeps a data segment of DPL 3",
    ring0,
    ["runs cs=19 ss=21 ds=43"],
    "push dword data1 | 1\npush dword 0x27ff00\npush dword 2\npush dword code1 | 1\npush dword .end\nmov ax, data3 | 3\nmov ds, ax\n.at: iretd",
  ),
];

const interruptGates: readonly TransferCell[] = [
  cell(
    "INT n through a 32-bit gate to ring 0 pushes SS, ESP, EFLAGS, CS and EIP",
    user,
    ["#UD at take_stack.taken cs=8 n0=@end n1=3b n2=2 n3=280000 n4=43"],
    ".at: int 0x30",
    putGate("idt + 0x30 * 8", { selector: SELECTORS.code0, type: TYPE.INTERRUPT_GATE32, dpl: 3 }, "take_stack"),
  ),
  cell(
    "INT n through a 16-bit gate pushes words",
    user,
    ["#UD at low_handler cs=48 esp=29fff6"],
    ".at: int 0x30",
    `${put("idt + 0x30 * 8", gate({ selector: SELECTORS.code0_16, type: TYPE.INTERRUPT_GATE16, dpl: 3 }))}\nmov word [idt + 0x30 * 8], low_handler`,
  ),
  cell(
    "an interrupt gate to conforming code stays at CPL 3",
    user,
    ["#UD at handler cs=93 ss=43 esp=27fff4"],
    ".at: int 0x30",
    putGate("idt + 0x30 * 8", { selector: SELECTORS.conforming, type: TYPE.INTERRUPT_GATE32, dpl: 3 }, "handler"),
  ),
  cell(
    "IRET behind INT n goes back to ring 3",
    user,
    ["runs cs=3b ss=43 esp=280000"],
    ".at: int 0x30",
    putGate("idt + 0x30 * 8", { selector: SELECTORS.code0, type: TYPE.TRAP_GATE32, dpl: 3 }, "int_back"),
  ),
  cell(
    "a gate to an outer ring is #GP(selector)",
    ring0,
    ["#GP(0x38)"],
    ".at: int 0x30",
    putGate("idt + 0x30 * 8", { selector: SELECTORS.code3, type: TYPE.INTERRUPT_GATE32, dpl: 3 }, "handler"),
  ),
];

const virtual8086: readonly TransferCell[] = [
  cell(
    "an exception in virtual-8086 mode pushes the data segments and saves VM",
    virtual,
    ["#GP(0) cs=1000 ss=1000 esp=f000 ds=0"],
    ".at: cli",
  ),
  cell(
    "a monitor reflects INT n to the 8086 program's own handler, which comes back behind INT",
    virtual,
    ["runs cs=1000 ss=1000 esp=f000 eax=4040"],
    ".at: int 0x40\nmov ax, [data + 32]\nmov eax, 0x4040",
    `${putGate("idt + 13 * 8", { selector: SELECTORS.code0, type: TYPE.INTERRUPT_GATE32 }, "reflect")}\nmov dword [0x100], 0x10000000 + int40`,
    { mode: virtual },
  ),
  cell(
    "a handler of ring 1 for virtual-8086 mode is #GP(selector)",
    virtualIo,
    ["#GP(0x18)"],
    ".at: int 0x30",
    putGate("idt + 0x30 * 8", { selector: SELECTORS.code1, type: TYPE.INTERRUPT_GATE32, dpl: 3 }, "handler"),
  ),
  cell(
    "conforming code as handler for virtual-8086 mode is #GP(selector)",
    virtualIo,
    ["#GP(0x90)"],
    ".at: int 0x30",
    putGate("idt + 0x30 * 8", { selector: SELECTORS.conforming, type: TYPE.INTERRUPT_GATE32, dpl: 3 }, "handler"),
  ),
  cell(
    "an access beyond 64 KiB in virtual-8086 mode is #GP(0)",
    virtual,
    ["#GP(0)"],
    "mov ebx, 0x10000\n.at: mov ax, [ebx]",
  ),
];

/** A task gate for a vector, to the second task, which notes the error code: a task without a stack cannot have a handler. */
const toTask2 = (vector: number, before: string): string =>
  `${before}\n${put(`idt + ${8 * vector}`, gate({ selector: SELECTORS.task2, type: TYPE.TASK_GATE }))}\nmov dword [tss2 + 0x20], task_note.begin`;

const tasks: readonly TransferCell[] = [
  cell(
    "JMP to a TSS switches: the old one is available, the new one busy, TS set, NT clear",
    ring0,
    ["#UD at task_entry cs=8 tr=60 esp=2b0000 eax=1001 cr0=19"],
    ".at: jmp task1:0",
  ),
  cell(
    "a task that was jumped to jumps back, behind the JMP",
    ring0,
    ["runs tr=58 n0=60 n2=2 n4=89 n5=8b n6=19"],
    ".at: jmp task1:0",
    "mov dword [tss1 + 0x20], task_jump",
  ),
  cell(
    "CALL to a TSS nests: link, NT, both busy; IRET comes back and clears NT and busy",
    ring0,
    ["runs tr=58 n0=60 n2=4002 n3=58 n4=8b n5=8b"],
    ".at: call task1:0",
    "mov dword [tss1 + 0x20], task_iret",
  ),
  cell(
    "CALL through a task gate of DPL 3 switches from ring 3",
    user,
    ["#UD at task_entry cs=8 tr=60"],
    ".at: call spare:0",
    put("gdt + spare", gate({ selector: SELECTORS.task1, type: TYPE.TASK_GATE, dpl: 3 })),
  ),
  cell("CALL to a TSS of DPL 0 in ring 3 is #GP(selector)", user, ["#GP(0x60)"], ".at: call task1:0"),
  cell(
    "INT n through a task gate nests",
    user,
    ["runs cs=3b tr=58 n0=60 n2=4002 n3=58"],
    ".at: int 0x30",
    `${put("idt + 0x30 * 8", gate({ selector: SELECTORS.task1, type: TYPE.TASK_GATE, dpl: 3 }))}\nmov dword [tss1 + 0x20], task_iret`,
  ),
  cell("JMP to a busy TSS is #GP(selector)", ring0, ["#GP(0x58)"], ".at: jmp main_task:0"),
  cell(
    "JMP to an absent TSS is #NP(selector)",
    ring0,
    ["#NP(0x60)"],
    ".at: jmp task1:0",
    "and byte [gdt + task1 + 5], 0x7f",
  ),
  cell(
    "a TSS of less than 104 bytes is #TS(selector)",
    ring0,
    ["#TS(0x60)"],
    ".at: jmp task1:0",
    "mov byte [gdt + task1], 0x66",
  ),
  cell(
    "IRET with NT and a link to an available TSS is #TS(selector)",
    ring0,
    ["#TS(0x60)"],
    "pushfd\nor dword [esp], 0x4000\npopfd\nmov word [tss], task1\n.at: iretd",
  ),
  cell("JMP to a 16-bit TSS loads words", ring0, ["#UD at low_taken cs=48 ss=50 tr=68 ds=50"], ".at: jmp task16:0"),
  cell(
    "a task's CS that is no code is #TS(selector) in the new task",
    ring0,
    ["#UD at task_note tr=70 n0=40 n1=60 n2=%task_entry"],
    ".at: jmp task1:0",
    toTask2(10, "mov word [tss1 + 0x4c], data3"),
  ),
  cell(
    "a task's absent DS is #NP(selector) in the new task",
    ring0,
    ["#UD at task_note tr=70 n0=98 n1=60 n2=%task_entry"],
    ".at: jmp task1:0",
    toTask2(11, "mov word [tss1 + 0x54], absent_data"),
  ),
  cell(
    "a task's SS of another privilege is #TS(selector) in the new task",
    ring0,
    ["#UD at task_note tr=70 n0=40 n1=60 n2=%task_entry"],
    ".at: jmp task1:0",
    toTask2(10, "mov word [tss1 + 0x50], data3"),
  ),
  cell(
    "a task's LDT that is none is #TS(selector) in the new task",
    ring0,
    ["#UD at task_note tr=70 n0=10 n1=60 n2=%task_entry"],
    ".at: jmp task1:0",
    toTask2(10, "mov word [tss1 + 0x60], data0"),
  ),
  cell(
    "the T flag of a TSS is #DB with DR6.BT in front of the task's first instruction",
    ring0,
    ["#DB at task_entry tr=60 dr6=ffff8ff0"],
    ".at: jmp task1:0",
    "mov byte [tss1 + 0x64], 1",
  ),
  cell(
    "a task gate for #DF is given the error code 0 on the new task's stack, and links to the old one",
    user,
    ["#UD at task_note tr=70 n0=0 n1=58"],
    "xor ecx, ecx\n.at: div ecx",
    toTask2(8, "and byte [idt + 5], 0x7f"),
  ),
];

const stacks: readonly TransferCell[] = [
  ...(
    [
      ["above its limit an expand-down segment is there", "mov [es:0x1000], eax", "runs"],
      ["at its limit an expand-down segment ends", "mov [es:0xffc], eax", "#GP(0)"],
      ["an expand-down segment with B clear ends at 64 KiB", "mov [es:0xfffd], eax", "#GP(0)"],
    ] as const
  ).map(([name, code, outcome]) =>
    cell(
      name,
      user,
      [outcome],
      `mov ax, spare | 3\nmov es, ax\n.at: ${code}`,
      putSegment("spare", { base: 0x280000, limit: 0xfff, type: TYPE.EXPAND_DOWN, dpl: 3 }),
    ),
  ),
  cell("PUSH with ESP 0 on a 16-bit stack wraps to its top", user16, ["runs esp=fffe"], "xor esp, esp\n.at: push ax"),
  cell(
    "a 16-bit stack pointer leaves the high half of ESP",
    user16,
    ["runs esp=1234effe"],
    "mov esp, 0x1234f000\n.at: push ax",
  ),
  cell(
    "a code fetch beyond the limit of CS is #GP(0)",
    ring0,
    ["#GP(0)"],
    ".at: jmp spare:0x1000",
    putSegment("spare", { limit: 0xfff, big: true, type: TYPE.CODE }),
  ),
];

export const transferCells: readonly TransferCell[] = [
  ...[...callGates, ...returns, ...interruptGates, ...virtual8086, ...tasks, ...stacks],
];
