/**
 * Far jumps and calls in IA-32e mode, call gates of 16 bytes, as cells. What each gives is by SDM Vol. 2A, JMP—Jump,
 * CALL—Call Procedure, and Vol. 3A, "64-Bit Call-Gate Descriptor", "Stack Switching in IA-32e Mode".
 */
import type { LongCell } from "./long-cell-image.js";

const PRESENT_GATE3 = "0xec";

const to = (selector: string, offset = ".end"): string => `  pointer32 ${selector}, ${offset}\n`;
const to64 = (selector: string, offset = ".end"): string => `  pointer ${selector}, ${offset}\n`;
const jump = (selector: string, offset?: string): string => `${to(selector, offset)}.at:\n  jump_far`;
const jump64 = (selector: string, offset?: string): string => `${to64(selector, offset)}.at:\n  jump_far64`;
const call = (selector: string, offset?: string): string => `${to(selector, offset)}.at:\n  call_far\n`;
const call64 = (selector: string, offset?: string): string => `${to64(selector, offset)}.at:\n  call_far64\n`;

const jumps: readonly LongCell[] = [
  { name: "JMP m16:32 to 64-bit code", code: jump("code0"), gives: "runs" },
  { name: "JMP m16:64 to 64-bit code", code: jump64("code0"), gives: "runs" },
  { name: "JMP m16:64 to the upper half", code: jump64("code0", ".end - 0x80000000"), gives: "#UD at end above" },
  { name: "JMP m16:32 to compatibility mode", code: jump("compat0"), gives: "runs" },
  { name: "JMP at CPL 3 to compatibility mode", cpl: 3, code: jump("user32 | 3"), gives: "runs" },
  { name: "JMP in compatibility mode to 64-bit code", bits: 32, code: ".at:\n  jmp code0:.end", gives: "runs" },
  {
    name: "JMP in compatibility mode at CPL 3 to 64-bit code",
    cpl: 3,
    bits: 32,
    code: ".at:\n  jmp (code3 | 3):.end",
    gives: "runs",
  },
  {
    name: "JMP of 16 bits",
    code: "  mov dword [data], 0x00081234\n.at:\n  db 0x66, 0xff, 0x2c, 0x25\n  dd data",
    prepare: "  mov word [0x1234], 0x0b0f",
    gives: "#UD at 0x1234",
  },
  {
    name: "JMP to an address that is not canonical",
    code: jump64("code0", "0x800000000000"),
    gives: "#GP(0)",
    qemu: "differs",
  },
  {
    name: "JMP to compatibility mode beyond the limit",
    code: jump64("compat0", ".end + 0x100000000"),
    gives: "#GP(0)",
  },
  { name: "JMP to null", code: jump("3"), gives: "#GP(0)" },
  { name: "JMP beyond the table", code: jump("0x1230"), gives: "#GP(0x1230)" },
  { name: "JMP to data", code: jump("data0"), gives: "#GP(0x10)" },
  { name: "JMP to an outer level", code: jump("code3"), gives: "#GP(0x38)" },
  { name: "JMP to an inner level", cpl: 3, code: jump("code0"), gives: "#GP(0x8)" },
  { name: "JMP with an RPL too weak", code: jump("code0 | 3"), gives: "#GP(0x8)" },
  { name: "JMP to conforming code of an inner level", cpl: 3, code: jump("conforming"), gives: "runs" },
  { name: "JMP to code that is not present", code: jump("absent_code"), gives: "#NP(0x58)" },
  { name: "JMP to code with L and D", code: jump("both_flags"), gives: "#GP(0x60)", qemu: "differs" },
  { name: "JMP to a TSS", code: jump("task2"), gives: "#GP(0xe0)" },
  { name: "JMP to an LDT", code: jump("ldt_selector"), gives: "#GP(0xa0)" },
  {
    name: "JMP to a task gate",
    code: `  mov byte [gdt + spare + 5], 0xe5\n  mov word [gdt + spare + 2], task2\n${jump("spare")}`,
    gives: "#GP(0xb0)",
  },
  {
    name: "JMP to a 16-bit call gate",
    code: `  call_gate spare, 0xe4, code0, .end\n${jump("spare")}`,
    gives: "#GP(0xb0)",
  },
  { name: "JMP to code of the LDT", code: `  mov ax, ldt_selector\n  lldt ax\n${jump("0xc")}`, gives: "runs" },
  { name: "JMP through a gate", code: `  call_gate spare, 0x8c, code0, .end\n${jump("spare")}`, gives: "runs" },
  {
    name: "JMP through a gate to the upper half",
    code: `  call_gate spare, 0x8c, code0, .end - 0x80000000\n${jump("spare")}`,
    gives: "#UD at end above",
  },
  {
    name: "JMP through a gate to an inner level",
    cpl: 3,
    code: jump("spare"),
    prepare: `  call_gate spare, ${PRESENT_GATE3}, code0, @.end`,
    gives: "#GP(0x8)",
  },
  {
    name: "JMP through a gate to conforming code",
    cpl: 3,
    code: jump("spare"),
    prepare: `  call_gate spare, ${PRESENT_GATE3}, conforming, @.end`,
    gives: "runs",
  },
  {
    name: "JMP through a gate from compatibility mode",
    cpl: 3,
    bits: 32,
    code: ".at:\n  jmp spare:0",
    prepare: `  call_gate spare, ${PRESENT_GATE3}, code3, @.end`,
    gives: "runs",
  },
];

const calls: readonly LongCell[] = [
  { name: "CALL m16:32 pushes words of 4 bytes", code: `${call("code0", ".land")}.land:\n  note_stack`, gives: "runs" },
  {
    name: "CALL m16:64 pushes words of 8 bytes",
    code: `${call64("code0", ".land")}.land:\n  note_stack`,
    gives: "runs",
  },
  {
    name: "CALL of 16 bits pushes words of 2 bytes",
    code: "  mov dword [data], 0x00081234\n.at:\n  db 0x66, 0xff, 0x1c, 0x25\n  dd data",
    prepare: "  mov word [0x1234], 0x0b0f",
    gives: "#UD at 0x1234",
  },
  {
    name: "CALL from the upper half",
    code: `  mov rax, .above - 0x80000000\n  jmp rax\n.above:\n${call64("code0", ".land")}.land:\n  note_stack`,
    gives: "runs",
  },
  { name: "CALL to compatibility mode", code: call("compat0"), gives: "runs" },
  { name: "CALL at CPL 3 to compatibility mode", cpl: 3, code: call64("user32 | 3"), gives: "runs" },
  { name: "CALL in compatibility mode to 64-bit code", bits: 32, code: ".at:\n  call code0:.end", gives: "runs" },
  {
    name: "CALL with a stack that is not canonical",
    code: `${to64("code0")}  mov rsp, 0x800000000001\n.at:\n  call_far64`,
    prepare: "  gate 12, 0x8e, 1, code0",
    gives: "#SS(0)",
    qemu: "differs",
  },
  {
    name: "CALL to an address that is not canonical",
    code: call64("code0", "0x800000000000"),
    gives: "#GP(0)",
    qemu: "differs",
  },
  { name: "CALL to an outer level", code: call("code3"), gives: "#GP(0x38)" },
  { name: "CALL to a TSS", code: call("task2"), gives: "#GP(0xe0)" },
  { name: "CALL to code with L and D", code: call("both_flags"), gives: "#GP(0x60)", qemu: "differs" },
];

/** CALL through the gate `spare`, made in ring 0. */
const gated = (name: string, cell: Partial<LongCell> & { readonly gives: string }, gate: string): LongCell => ({
  name: `CALL through a gate ${name}`,
  cpl: 3,
  code: `${call("spare")}.land:\n  note_stack`,
  prepare: `  call_gate spare, ${gate}`,
  ...cell,
});

const gates: readonly LongCell[] = [
  gated("of the same level", { cpl: 0, gives: "runs" }, `${PRESENT_GATE3}, code0, @.land`),
  gated("to ring 0", { gives: "runs" }, `${PRESENT_GATE3}, code0, @.land`),
  gated("from ring 1", { cpl: 1, gives: "runs" }, `${PRESENT_GATE3}, code0, @.land`),
  gated("to ring 1", { gives: "runs", differs: ["frame", "handlerSs"] }, `${PRESENT_GATE3}, code1, @.end`),
  gated("to conforming code", { gives: "runs", differs: ["cs"] }, `${PRESENT_GATE3}, conforming, @.land`),
  gated("to the upper half", { gives: "#UD at end above" }, `${PRESENT_GATE3}, code0, @.end - 0x80000000`),
  gated(
    "with a selector whose RPL is too weak",
    { cpl: 0, code: call("spare | 3"), gives: "#GP(0xb0)" },
    "0x8c, code0, @.end",
  ),
  gated("too privileged", { gives: "#GP(0xb0)" }, "0x8c, code0, @.end"),
  gated("not present", { gives: "#NP(0xb0)" }, "0x6c, code0, @.end"),
  gated(
    "whose second half has a type",
    { gives: "#GP(0xb0)" },
    `${PRESENT_GATE3}, code0, @.end\n  mov byte [gdt + spare + 13], 12`,
  ),
  gated("to a null selector", { gives: "#GP(0)" }, `${PRESENT_GATE3}, 0, @.end`),
  gated("to a selector beyond the table", { gives: "#GP(0x1230)" }, `${PRESENT_GATE3}, 0x1230, @.end`),
  gated("to data", { gives: "#GP(0x10)" }, `${PRESENT_GATE3}, data0, @.end`),
  gated("to an outer level", { cpl: 0, gives: "#GP(0x38)" }, `${PRESENT_GATE3}, code3, @.end`),
  gated("to code that is not present", { gives: "#NP(0x58)" }, `${PRESENT_GATE3}, absent_code, @.end`),
  gated("to compatibility mode", { gives: "#GP(0x18)" }, `${PRESENT_GATE3}, compat0, @.end`),
  gated("to code with L and D", { gives: "#GP(0x60)" }, `${PRESENT_GATE3}, both_flags, @.end`),
  gated(
    "to an address that is not canonical",
    { gives: "#GP(0)", qemu: "differs" },
    `${PRESENT_GATE3}, code0, 0x800000000000`,
  ),
  gated(
    "with an inner stack that is not canonical",
    { gives: "#SS(0)", qemu: "differs" },
    `${PRESENT_GATE3}, code0, @.end\n  mov rax, 0x900000000000\n  mov [tss + 4], rax\n  gate 12, 0x8e, 1, code0`,
  ),
  gated(
    "with an inner stack where there is no page",
    { gives: "#PF(0x2)" },
    `${PRESENT_GATE3}, code0, @.end\n  mov rax, 0x700000000000\n  mov [tss + 4], rax\n  gate 14, 0x8e, 1, code0`,
  ),
  gated(
    "with an inner stack beyond the TSS",
    { gives: "#TS(0x90)", qemu: "differs" },
    `${PRESENT_GATE3}, code1, @.end\n  mov word [gdt + task], 0x12\n  reload_task`,
  ),
  gated(
    "does not copy parameters",
    { gives: "runs" },
    `${PRESENT_GATE3}, code0, @.land\n  mov byte [gdt + spare + 4], 3`,
  ),
  gated(
    "leaves the inner stack as it is aligned",
    { gives: "runs" },
    `${PRESENT_GATE3}, code0, @.land\n  mov byte [tss + 4], 0x5`,
  ),
  gated(
    "from compatibility mode to ring 0",
    { bits: 32, code: ".at:\n  call spare:0", gives: "#UD at target" },
    `${PRESENT_GATE3}, code0, target`,
  ),
  gated(
    "from compatibility mode, same level",
    { bits: 32, code: ".at:\n  call spare:0", gives: "#UD at target" },
    `${PRESENT_GATE3}, code3, target`,
  ),
  {
    name: "a gate whose second half lies beyond the table",
    cpl: 3,
    code: call("cut"),
    prepare: `  call_gate cut, ${PRESENT_GATE3}, code0, @.end`,
    gives: "#GP(0xf0)",
  },
  {
    name: "a gate of the LDT",
    cpl: 3,
    code: call("0x1c"),
    prepare: "  mov ax, ldt_selector\n  lldt ax\n  call_gate 0x2818, 0xec, code0, @.end",
    gives: "runs",
  },
];

export const longTransferCells: readonly LongCell[] = [...jumps, ...calls, ...gates];
