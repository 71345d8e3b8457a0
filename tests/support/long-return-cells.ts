/**
 * IRET and far RET in IA-32e mode, as cells. What each gives is by SDM Vol. 2A, IRET/IRETD/IRETQ—Interrupt Return, and
 * Vol. 2B, RET—Return From Procedure.
 */
import type { LongCell } from "./long-cell-image.js";

const AFTER = "user_stack + 0x108";
/** IRETQ of a frame in 64-bit code: SS, RSP, RFLAGS, CS, RIP. */
const iretq = (ss: string, rsp: string, flags: string, cs: string, rip = ".end"): string =>
  `  frame ${ss}, ${rsp}, ${flags}, ${cs}, ${rip}\n.at:\n  iretq`;

const far: readonly LongCell[] = [
  { name: "IRETQ to the same level", code: iretq("data0", AFTER, "0xcd7", "code0"), gives: "runs" },
  { name: "IRETQ to CPL 3", code: iretq("data3 | 3", AFTER, "0x246", "code3 | 3"), gives: "runs" },
  { name: "IRETQ to CPL 1", code: iretq("data1 | 1", AFTER, "2", "code1 | 1"), gives: "runs" },
  {
    name: "IRETQ to compatibility mode at CPL 3",
    code: iretq("data3 | 3", AFTER, "0x3002", "user32 | 3"),
    gives: "runs",
  },
  { name: "IRETQ to compatibility mode at CPL 0", code: iretq("data0", AFTER, "2", "compat0"), gives: "runs" },
  {
    name: "IRETQ from CPL 3 to CPL 3",
    cpl: 3,
    code: iretq("data3 | 3", AFTER, "0x203ed7", "code3 | 3"),
    gives: "runs",
  },
  {
    name: "IRETQ from CPL 3 with IOPL 3 changes IF",
    cpl: 3,
    iopl: 3,
    code: iretq("data3 | 3", AFTER, "0x200", "code3 | 3"),
    gives: "runs",
  },
  {
    name: "IRETQ from CPL 3 to compatibility mode",
    cpl: 3,
    code: iretq("data3 | 3", AFTER, "2", "user32 | 3"),
    gives: "runs",
  },
  { name: "IRETQ with a null SS at CPL 0", code: iretq("0", AFTER, "2", "code0"), gives: "runs" },
  { name: "IRETQ with a null SS to CPL 1", code: iretq("1", AFTER, "2", "code1 | 1"), gives: "runs" },
  { name: "IRETQ with a null SS to CPL 3", code: iretq("3", AFTER, "2", "code3 | 3"), gives: "#GP(0)" },
  {
    name: "IRETQ with a null SS to compatibility mode",
    code: iretq("0", AFTER, "2", "compat0"),
    gives: "#GP(0)",
    qemu: "runs",
  },
  {
    name: "IRETQ with a stack pointer that is not canonical",
    code: iretq("data3 | 3", "0x8000123456789abc", "2", "code3 | 3"),
    gives: "runs",
  },
  {
    name: "IRETQ to an address that is not canonical",
    code: iretq("data0", AFTER, "2", "code0", "0x800000000000"),
    gives: "#GP(0)",
    qemu: "#GP(0) at 0x800000000000",
  },
  {
    name: "IRETQ to an address of CPL 3 that is not canonical",
    code: iretq("data3 | 3", AFTER, "2", "code3 | 3", "0x800000000000"),
    gives: "#GP(0)",
    qemu: "#GP(0) at 0x800000000000",
  },
  {
    name: "IRETQ to compatibility mode beyond the limit",
    code: iretq("data3 | 3", AFTER, "2", "user32 | 3", ".end + 0x100000000"),
    gives: "#GP(0)",
    qemu: "differs",
  },
  {
    name: "IRETQ to compatibility mode at an address of the upper half",
    code: iretq("data3 | 3", AFTER, "2", "user32 | 3", "-0x7ff00000"),
    gives: "#GP(0)",
    qemu: "differs",
  },
  {
    name: "IRETQ to the upper half",
    code: iretq("data0", AFTER, "2", "code0", ".end - 0x80000000"),
    gives: "#UD at end above",
  },
  { name: "IRETQ with a null CS", code: iretq("data0", AFTER, "2", "0"), gives: "#GP(0)" },
  { name: "IRETQ with CS beyond the table", code: iretq("data0", AFTER, "2", "0x1230"), gives: "#GP(0x1230)" },
  { name: "IRETQ to data", code: iretq("data0", AFTER, "2", "data0"), gives: "#GP(0x10)" },
  { name: "IRETQ to an inner level", cpl: 3, code: iretq("data0", AFTER, "2", "code0"), gives: "#GP(0x8)" },
  {
    name: "IRETQ to code whose DPL is not the RPL",
    code: iretq("data3 | 3", AFTER, "2", "code0 | 3"),
    gives: "#GP(0x8)",
  },
  { name: "IRETQ to conforming code", code: iretq("data3 | 3", AFTER, "2", "conforming | 3"), gives: "runs" },
  { name: "IRETQ to code that is not present", code: iretq("data0", AFTER, "2", "absent_code"), gives: "#NP(0x58)" },
  {
    name: "IRETQ to code with L and D",
    code: iretq("data0", AFTER, "2", "both_flags"),
    gives: "#GP(0x60)",
    qemu: "differs",
  },
  { name: "IRETQ with a stack of another level", code: iretq("data0", AFTER, "2", "code3 | 3"), gives: "#GP(0x10)" },
  {
    name: "IRETQ with a stack that cannot be written",
    code: iretq("read_only | 3", AFTER, "2", "code3 | 3"),
    gives: "#GP(0x70)",
  },
  {
    name: "IRETQ with a stack that is not present",
    code: iretq("absent_data | 3", AFTER, "2", "code3 | 3"),
    gives: "#SS(0x68)",
    qemu: "#NP(0x68)",
  },
  { name: "IRETQ with code as stack", code: iretq("code3 | 3", AFTER, "2", "code3 | 3"), gives: "#GP(0x38)" },
  { name: "IRETQ with NT", rflags: 0x4000, code: iretq("data0", AFTER, "2", "code0"), gives: "#GP(0)" },
  { name: "IRETQ of a frame with VM", code: iretq("data3 | 3", AFTER, "0x20002", "code3 | 3"), gives: "runs" },
  {
    name: "IRETQ from a stack that is not canonical",
    code: "  mov rsp, 0x800000000000\n.at:\n  iretq",
    gives: "#SS(0)",
    prepare: "  gate 12, 0x8e, 1, code0",
    qemu: "differs",
  },
  {
    name: "IRETQ from a stack where there is no page",
    code: "  mov rsp, 0x700000000000\n.at:\n  iretq",
    gives: "#PF(0)",
    prepare: "  gate 14, 0x8e, 1, code0",
  },
  {
    name: "IRETQ to CPL 3 makes data of CPL 0 null",
    code: `  mov eax, data0\n  mov ds, eax\n  mov fs, eax\n  mov eax, data3 | 3\n  mov es, eax\n  mov gs, eax\n${iretq("data3 | 3", AFTER, "2", "code3 | 3")}`,
    gives: "runs",
  },
  {
    name: "IRETQ to CPL 3 leaves the bases of a null FS and GS",
    code: `  write_msr 0xc0000100, 0x123456789abc\n  write_msr 0xc0000101, -0x1000\n${iretq("data3 | 3", AFTER, "2", "code3 | 3")}`,
    gives: "runs",
  },
  {
    name: "IRETD in 64-bit code",
    code: "  sub rsp, 20\n  mov dword [rsp], .end\n  mov dword [rsp + 4], code3 | 3\n  mov dword [rsp + 8], 0x246\n  mov dword [rsp + 12], user_stack + 0x80\n  mov dword [rsp + 16], data3 | 3\n.at:\n  iretd",
    gives: "runs",
  },
  {
    name: "IRETW in 64-bit code",
    prepare: "  mov word [0x1234], 0x0b0f",
    code: "  sub rsp, 10\n  mov word [rsp], 0x1234\n  mov word [rsp + 2], code3 | 3\n  mov word [rsp + 4], 0x246\n  mov word [rsp + 6], 0x8000\n  mov word [rsp + 8], data3 | 3\n.at:\n  db 0x66\n  iret",
    gives: "#UD at 0x1234",
  },
  {
    name: "IRETD in compatibility mode, same level",
    bits: 32,
    code: "  push dword 0xcd7\n  push dword compat0\n  push dword .end\n.at:\n  iretd",
    gives: "runs",
  },
  {
    name: "IRETD from compatibility mode to 64-bit code",
    bits: 32,
    code: "  push dword 2\n  push dword code0\n  push dword .end\n.at:\n  iretd",
    gives: "runs",
  },
  {
    name: "IRETD from compatibility mode to CPL 3",
    bits: 32,
    code: "  push dword data3 | 3\n  push dword user_stack + 0x40\n  push dword 2\n  push dword code3 | 3\n  push dword .end\n.at:\n  iretd",
    gives: "runs",
  },
  {
    name: "IRETD from compatibility mode at CPL 3",
    cpl: 3,
    bits: 32,
    code: "  push dword 0x3ed7\n  push dword user32 | 3\n  push dword .end\n.at:\n  iretd",
    gives: "runs",
  },
  { name: "IRETD with NT in compatibility mode", bits: 32, rflags: 0x4000, code: ".at:\n  iretd", gives: "#GP(0)" },
];

/** RETF with words of 8 bytes. */
const retfq = (words: readonly string[], operand = ""): string =>
  `${words.map((word) => `  mov rax, ${word}\n  push rax`).join("\n")}\n.at:\n  o64 retf ${operand}`;

const returns: readonly LongCell[] = [
  { name: "RETFQ to the same level", code: retfq(["code0", ".end"]), gives: "runs" },
  { name: "RETFQ releases parameters", code: retfq(["1", "2", "code0", ".end"], "16"), gives: "runs" },
  { name: "RETFQ to CPL 3", code: retfq(["data3 | 3", AFTER, "code3 | 3", ".end"]), gives: "runs" },
  {
    name: "RETFQ to CPL 3 releases parameters of both stacks",
    code: retfq(["data3 | 3", AFTER, "7", "code3 | 3", ".end"], "8"),
    gives: "runs",
  },
  { name: "RETFQ to compatibility mode", code: retfq(["data3 | 3", AFTER, "user32 | 3", ".end"]), gives: "runs" },
  { name: "RETFQ to compatibility mode, same level", code: retfq(["compat0", ".end"]), gives: "runs" },
  { name: "RETFQ to CPL 1 with a null stack", code: retfq(["1", AFTER, "code1 | 1", ".end"]), gives: "runs" },
  { name: "RETFQ to CPL 3 with a null stack", code: retfq(["3", AFTER, "code3 | 3", ".end"]), gives: "#GP(0)" },
  { name: "RETFQ to an inner level", cpl: 3, code: retfq(["code0", ".end"]), gives: "#GP(0x8)" },
  { name: "RETFQ with a null CS", code: retfq(["3", ".end"]), gives: "#GP(0)" },
  {
    name: "RETFQ to an address that is not canonical",
    code: retfq(["code0", "0x800000000000"]),
    gives: "#GP(0)",
    qemu: "#GP(0) at 0x800000000000",
  },
  { name: "RETFQ to code with L and D", code: retfq(["both_flags", ".end"]), gives: "#GP(0x60)", qemu: "differs" },
  {
    name: "RETFQ from a stack that is not canonical",
    code: "  mov rsp, 0x800000000000\n.at:\n  o64 retf",
    prepare: "  gate 12, 0x8e, 1, code0",
    gives: "#SS(0)",
    qemu: "differs",
  },
  {
    name: "RETF in 64-bit code takes words of 4 bytes",
    code: "  sub rsp, 8\n  mov dword [rsp], .end\n  mov dword [rsp + 4], code0\n.at:\n  retf",
    gives: "runs",
  },
  {
    name: "RETF with words of 4 bytes to CPL 3",
    code: "  sub rsp, 16\n  mov dword [rsp], .end\n  mov dword [rsp + 4], code3 | 3\n  mov dword [rsp + 8], user_stack\n  mov dword [rsp + 12], data3 | 3\n.at:\n  retf",
    gives: "runs",
  },
  {
    name: "RETF in compatibility mode to 64-bit code",
    bits: 32,
    code: "  push dword code0\n  push dword .end\n.at:\n  retf",
    gives: "runs",
  },
  {
    name: "RETF at CPL 3 in compatibility mode to 64-bit code",
    cpl: 3,
    bits: 32,
    code: "  push dword code3 | 3\n  push dword .end\n.at:\n  retf",
    gives: "runs",
  },
  {
    name: "RETFQ makes data of CPL 0 null",
    code: `  mov eax, data0\n  mov ds, eax\n  mov gs, eax\n${retfq(["data3 | 3", AFTER, "code3 | 3", ".end"])}`,
    gives: "runs",
  },
];

export const longReturnCells: readonly LongCell[] = [...far, ...returns];
