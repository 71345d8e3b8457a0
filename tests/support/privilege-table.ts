/**
 * What every privileged, IOPL-sensitive or mode-dependent instruction does where, written down from the manual.
 *
 * The six outcomes of a line are those of real mode, CPL 0, CPL 1 to 3 with IOPL 0, CPL 1 to 3 with IOPL 3, and
 * virtual-8086 mode with IOPL 0 and with IOPL 3. "runs" is without exception, to the next instruction; "behind" an
 * exception's name says that the saved EIP is that of the next instruction.
 */

/** What code has to know of the mode it is in. */
export interface World {
  readonly mode: "real" | "protected" | "virtual-8086";
  readonly cpl: number;
  readonly bits: 16 | 32;
  /** Selector of the code segment. */
  readonly cs: string;
}

export type Outcomes = readonly [
  real: string,
  ring0: string,
  user: string,
  userIopl: string,
  v86: string,
  v86Iopl: string,
];

export interface PrivilegeForm {
  readonly name: string;
  /** Section of the manual. */
  readonly spec: string;
  /** Instructions; `.at:` is put in front of the last one unless it is there. */
  readonly code: string | ((world: World) => string);
  readonly prepare?: string | ((world: World) => string);
  readonly eflags?: number;
  /** Adds IF and IOPL behind it to the outcome. */
  readonly flags?: true;
  readonly outcomes: Outcomes;
}

const R = "runs";
const G = "#GP(0)";
const U = "#UD";
const all = (outcome: string): Outcomes => [outcome, outcome, outcome, outcome, outcome, outcome];

const everywhere = all(R);
/** Spec: SDM Vol. 3A, "Privileged Instructions". */
const ring0: Outcomes = [R, R, G, G, G, G];
/** Not recognized outside of protected mode. Spec: SDM Vol. 3B, "Unrecognized Instructions". */
const protectedOnly: Outcomes = [U, R, R, R, U, U];
const protectedRing0: Outcomes = [U, R, G, G, U, U];
const iopl: Outcomes = [R, R, G, R, G, R];
/** Ports the bitmap denies. Spec: SDM Vol. 1, "I/O Permission Bit Map": IOPL does not count in virtual-8086 mode. */
const deniedPort: Outcomes = [R, R, G, R, G, G];
/** PUSHF, POPF, INT n and IRET are IOPL-sensitive in virtual-8086 mode only. Spec: SDM Vol. 3B, "Sensitive Instructions". */
const virtualIopl: Outcomes = [R, R, R, R, G, R];
const landed: Outcomes = all("#UD at landed");
const virtualIoplLanded: Outcomes = [...landed.slice(0, 4), G, "#UD at landed"] as unknown as Outcomes;

const pointer = ({ bits, cs }: World): string =>
  bits === 32
    ? `mov dword [data + 16], .landed\nmov word [data + 20], ${cs}`
    : `mov word [data + 16], .landed\nmov word [data + 18], ${cs}`;
/** A far pointer to data with the selector of DS, or of SS with the stack pointer. */
const dataPointer = ({ bits }: World): string => `mov ax, ds\nmov [data + ${bits === 32 ? 20 : 18}], ax`;
const stackPointer = ({ bits }: World): string =>
  bits === 32 ? "mov [data + 16], esp\nmov [data + 20], ss" : "mov [data + 16], sp\nmov [data + 18], ss";
const accumulator = ({ bits }: World): string => (bits === 32 ? "eax" : "ax");
const landing = "\n.next:\nud2\n.landed:\nud2";

const form = (
  name: string,
  spec: string,
  outcomes: Outcomes,
  code: PrivilegeForm["code"],
  more: Partial<PrivilegeForm> = {},
): PrivilegeForm => ({ name, spec, outcomes, code, ...more });

const IF = 0x200;
const setMsrs = `
mov ecx, 0x174
mov eax, 8
xor edx, edx
wrmsr
inc ecx
mov eax, user_stack
wrmsr
inc ecx
mov eax, target
wrmsr`;
const setCr4 = (bits: number): string => `mov eax, ${bits}\nmov cr4, eax`;
const setCr0 = (bits: number): string => `mov eax, cr0\nor eax, ${bits}\nmov cr0, eax`;
/** LIDT of 16-bit protected mode loads the table of protected mode. */
const ownIdt = ({ mode }: World): string =>
  mode === "real" ? "" : "mov eax, [idt_register]\nmov [0x10048], eax\nmov eax, [idt_register + 4]\nmov [0x1004c], eax";

const segments: readonly PrivilegeForm[] = [
  ...["ax, ds", "[data + 32], ss", "eax, cs"].map((operands) =>
    form(`MOV ${operands}`, "SDM Vol. 2B, MOV—Move", everywhere, `mov ${operands}`),
  ),
  form("MOV ES, AX", "SDM Vol. 2B, MOV—Move", everywhere, "mov ax, ds\nmov es, ax"),
  form("MOV SS, AX", "SDM Vol. 2B, MOV—Move", everywhere, "mov ax, ss\nmov ss, ax"),
  form("MOV CS, AX", "SDM Vol. 2B, MOV—Move", all(U), "mov ax, cs\n.at: db 0x8e, 0xc8"),
  ...["cs", "ss", "ds", "es", "fs", "gs"].map((name) =>
    form(
      `PUSH ${name.toUpperCase()}`,
      "SDM Vol. 2B, PUSH—Push Word, Doubleword, or Quadword Onto the Stack",
      everywhere,
      `push ${name}`,
    ),
  ),
  ...["ss", "ds", "es", "fs", "gs"].map((name) =>
    form(
      `POP ${name.toUpperCase()}`,
      "SDM Vol. 2B, POP—Pop a Value From the Stack",
      everywhere,
      `push ${name}\npop ${name}`,
    ),
  ),
  ...["lds", "les", "lfs", "lgs"].map((name) =>
    form(
      name.toUpperCase(),
      "SDM Vol. 2A, LDS/LES/LFS/LGS/LSS—Load Far Pointer",
      everywhere,
      (world) => `${dataPointer(world)}\n${name} ${accumulator(world)}, [data + 16]`,
    ),
  ),
  form(
    "LSS",
    "SDM Vol. 2A, LDS/LES/LFS/LGS/LSS—Load Far Pointer",
    everywhere,
    (world) => `${stackPointer(world)}\nlss ${world.bits === 32 ? "esp" : "sp"}, [data + 16]`,
  ),
];

const descriptors: readonly PrivilegeForm[] = [
  form("SLDT", "SDM Vol. 2B, SLDT—Store Local Descriptor Table Register", protectedOnly, "sldt ax"),
  form("STR", "SDM Vol. 2B, STR—Store Task Register", protectedOnly, "str ax"),
  form(
    "LLDT",
    "SDM Vol. 2A, LLDT—Load Local Descriptor Table Register",
    protectedRing0,
    "mov ax, ldt_selector\nlldt ax",
  ),
  form("LTR", "SDM Vol. 2A, LTR—Load Task Register", protectedRing0, "mov ax, task1\nltr ax"),
  form(
    "VERR",
    "SDM Vol. 2D, VERR/VERW—Verify a Segment for Reading or Writing",
    protectedOnly,
    "mov ax, data3\nverr ax",
  ),
  form(
    "VERW",
    "SDM Vol. 2D, VERR/VERW—Verify a Segment for Reading or Writing",
    protectedOnly,
    "mov ax, data3\nverw ax",
  ),
  form("LAR", "SDM Vol. 2A, LAR—Load Access Rights Byte", protectedOnly, "mov bx, data3\nlar ax, bx"),
  form("LSL", "SDM Vol. 2A, LSL—Load Segment Limit", protectedOnly, "mov bx, data3\nlsl ax, bx"),
  form("ARPL", "SDM Vol. 2A, ARPL—Adjust RPL Field of Segment Selector", protectedOnly, "arpl ax, bx"),
  form("SGDT", "SDM Vol. 2B, SGDT—Store Global Descriptor Table Register", everywhere, "sgdt [data + 32]"),
  form("SIDT", "SDM Vol. 2B, SIDT—Store Interrupt Descriptor Table Register", everywhere, "sidt [data + 32]"),
  form("LGDT", "SDM Vol. 2A, LGDT/LIDT—Load Global/Interrupt Descriptor Table Register", ring0, "lgdt [data]"),
  form("LIDT", "SDM Vol. 2A, LGDT/LIDT—Load Global/Interrupt Descriptor Table Register", ring0, "lidt [data + 8]", {
    prepare: ownIdt,
  }),
];

const registers: readonly PrivilegeForm[] = [
  form("SMSW", "SDM Vol. 2B, SMSW—Store Machine Status Word", everywhere, "smsw ax"),
  form("LMSW", "SDM Vol. 2A, LMSW—Load Machine Status Word", ring0, "smsw ax\nlmsw ax"),
  form("CLTS", "SDM Vol. 2A, CLTS—Clear Task-Switched Flag in CR0", ring0, "clts"),
  form("INVD", "SDM Vol. 2A, INVD—Invalidate Internal Caches", ring0, "invd"),
  form("WBINVD", "SDM Vol. 2D, WBINVD—Write Back and Invalidate Cache", ring0, "wbinvd"),
  form("INVLPG", "SDM Vol. 2A, INVLPG—Invalidate TLB Entries", ring0, "invlpg [data]"),
  ...[0, 2, 3, 4].flatMap((number) => [
    form(`MOV EAX, CR${number}`, "SDM Vol. 2B, MOV—Move to/from Control Registers", ring0, `mov eax, cr${number}`),
    form(
      `MOV CR${number}, EAX`,
      "SDM Vol. 2B, MOV—Move to/from Control Registers",
      ring0,
      ({ mode }) => `mov eax, ${number !== 0 ? 0 : mode === "real" ? 0x10 : 0x11}\nmov cr${number}, eax`,
    ),
  ]),
  ...[0, 3, 6, 7].flatMap((number) => [
    form(`MOV EAX, DR${number}`, "SDM Vol. 2B, MOV—Move to/from Debug Registers", ring0, `mov eax, dr${number}`),
    form(
      `MOV DR${number}, EAX`,
      "SDM Vol. 2B, MOV—Move to/from Debug Registers",
      ring0,
      `xor eax, eax\nmov dr${number}, eax`,
    ),
  ]),
  form("RDMSR", "SDM Vol. 2B, RDMSR—Read From Model Specific Register", ring0, "mov ecx, 0x174\nrdmsr"),
  form(
    "WRMSR",
    "SDM Vol. 2D, WRMSR—Write to Model Specific Register",
    ring0,
    "mov ecx, 0x174\nmov eax, 8\nxor edx, edx\nwrmsr",
  ),
  form("RDTSC", "SDM Vol. 2B, RDTSC—Read Time-Stamp Counter", everywhere, "rdtsc"),
  form("RDTSC with CR4.TSD", "SDM Vol. 2B, RDTSC—Read Time-Stamp Counter", ring0, "rdtsc", { prepare: setCr4(4) }),
  // No counter exists here, so that every index is invalid.
  form("RDPMC", "SDM Vol. 2B, RDPMC—Read Performance-Monitoring Counters", all(G), "mov ecx, 40\nrdpmc"),
  form("CPUID", "SDM Vol. 2A, CPUID—CPU Identification", everywhere, "xor eax, eax\ncpuid"),
  form("WAIT", "SDM Vol. 2D, WAIT/FWAIT—Wait", everywhere, "wait"),
  form("WAIT with CR0.TS", "SDM Vol. 2D, WAIT/FWAIT—Wait", everywhere, "wait", { prepare: setCr0(8) }),
  form("WAIT with CR0.TS and CR0.MP", "SDM Vol. 2D, WAIT/FWAIT—Wait", all("#NM"), "wait", { prepare: setCr0(10) }),
  form(
    "CMPXCHG8B",
    "SDM Vol. 2A, CMPXCHG8B/CMPXCHG16B—Compare and Exchange Bytes",
    everywhere,
    "cmpxchg8b [data + 32]",
  ),
  form("ENTER", "SDM Vol. 2A, ENTER—Make Stack Frame for Procedure Parameters", everywhere, "enter 8, 0"),
];

const flagForms: readonly PrivilegeForm[] = [
  form("CLI", "SDM Vol. 2A, CLI—Clear Interrupt Flag", iopl, "cli"),
  form("STI", "SDM Vol. 2B, STI—Set Interrupt Flag", iopl, "sti"),
  form("PUSHF", "SDM Vol. 2B, PUSHF/PUSHFD/PUSHFQ—Push EFLAGS Register Onto the Stack", virtualIopl, "pushf"),
  form(
    "POPF with IF and IOPL 3",
    "SDM Vol. 2B, POPF/POPFD/POPFQ—Pop Stack Into EFLAGS Register",
    ["runs, IF 1, IOPL 3", "runs, IF 1, IOPL 3", "runs, IF 0, IOPL 0", "runs, IF 1, IOPL 3", G, "runs, IF 1, IOPL 3"],
    "push 0x3202\npopf",
    { flags: true },
  ),
  form(
    "POPF without IF and with IOPL 0",
    "SDM Vol. 2B, POPF/POPFD/POPFQ—Pop Stack Into EFLAGS Register",
    ["runs, IF 0, IOPL 0", "runs, IF 0, IOPL 0", "runs, IF 1, IOPL 0", "runs, IF 0, IOPL 3", G, "runs, IF 0, IOPL 3"],
    "push 2\npopf",
    { flags: true, eflags: IF },
  ),
  form(
    "IRET with IF and IOPL 3",
    "SDM Vol. 2A, IRET/IRETD/IRETQ—Interrupt Return",
    ["runs, IF 1, IOPL 3", "runs, IF 1, IOPL 3", "runs, IF 0, IOPL 0", "runs, IF 1, IOPL 3", G, "runs, IF 1, IOPL 3"],
    "push 0x3202\npush cs\npush .end\niret",
    { flags: true },
  ),
  form(
    "HLT",
    "SDM Vol. 2A, HLT—Halt",
    ["INT 0x20 behind", "INT 0x20 behind", G, G, G, G],
    ({ mode, cpl }) => (mode === "real" || cpl === 0 ? "sti\nhlt" : "hlt"),
    { prepare: "mov al, 0xfe\nout 0x21, al" },
  ),
];

const transfers: readonly PrivilegeForm[] = [
  form(
    "INT n, gate of DPL 3",
    "SDM Vol. 2A, INT n/INTO/INT3/INT1—Call to Interrupt Procedure",
    [
      ...["INT 0x30 behind", "INT 0x30 behind", "INT 0x30 behind", "INT 0x30 behind"],
      ...[G, "INT 0x30 behind"],
    ] as unknown as Outcomes,
    "int 0x30",
  ),
  form(
    "INT n, gate of DPL 0",
    "SDM Vol. 2A, INT n/INTO/INT3/INT1—Call to Interrupt Procedure",
    [...["INT 0x31 behind", "INT 0x31 behind", "#GP(0x18a)", "#GP(0x18a)", G, "#GP(0x18a)"]] as unknown as Outcomes,
    "int 0x31",
  ),
  form("INT3", "SDM Vol. 2A, INT n/INTO/INT3/INT1—Call to Interrupt Procedure", all("#BP behind"), "int3"),
  form(
    "INT 3 of two bytes",
    "SDM Vol. 2A, INT n/INTO/INT3/INT1—Call to Interrupt Procedure",
    [...["#BP behind", "#BP behind", "#BP behind", "#BP behind", G, "#BP behind"]] as unknown as Outcomes,
    "db 0xcd, 3",
  ),
  form(
    "INTO with OF",
    "SDM Vol. 2A, INT n/INTO/INT3/INT1—Call to Interrupt Procedure",
    all("#OF behind"),
    "mov al, 0x7f\ninc al\ninto",
  ),
  form(
    "INTO without OF",
    "SDM Vol. 2A, INT n/INTO/INT3/INT1—Call to Interrupt Procedure",
    everywhere,
    "xor al, al\ninto",
  ),
  form("INT1", "SDM Vol. 2A, INT n/INTO/INT3/INT1—Call to Interrupt Procedure", all("#DB behind"), "int1"),
  form(
    "IRET",
    "SDM Vol. 2A, IRET/IRETD/IRETQ—Interrupt Return",
    virtualIoplLanded,
    `push 2\npush cs\npush .landed\n.at: iret${landing}`,
  ),
  form("JMP ptr16:32", "SDM Vol. 2A, JMP—Jump", landed, ({ cs }) => `.at: jmp ${cs}:.landed${landing}`),
  form(
    "JMP m16:32",
    "SDM Vol. 2A, JMP—Jump",
    landed,
    (world) => `${pointer(world)}\n.at: jmp far [data + 16]${landing}`,
  ),
  form("CALL ptr16:32", "SDM Vol. 2A, CALL—Call Procedure", landed, ({ cs }) => `.at: call ${cs}:.landed${landing}`),
  form(
    "CALL m16:32",
    "SDM Vol. 2A, CALL—Call Procedure",
    landed,
    (world) => `${pointer(world)}\n.at: call far [data + 16]${landing}`,
  ),
  form("RETF", "SDM Vol. 2B, RET—Return From Procedure", landed, `push cs\npush .landed\n.at: retf${landing}`),
  form("RETF imm16", "SDM Vol. 2B, RET—Return From Procedure", landed, `push cs\npush .landed\n.at: retf 4${landing}`),
  form(
    "SYSENTER",
    "SDM Vol. 2B, SYSENTER—Fast System Call",
    [G, ...all("#UD at target").slice(1)] as unknown as Outcomes,
    "sysenter",
    {
      prepare: setMsrs,
    },
  ),
  form(
    "SYSEXIT",
    "SDM Vol. 2B, SYSEXIT—Fast Return from Fast System Call",
    [G, "#UD at target", G, G, G, G],
    "mov ecx, 0x280000\nmov edx, 0x100060\nsysexit",
    { prepare: setMsrs },
  ),
];

const port = (code: string): PrivilegeForm["code"] => `mov edi, data + 32\nmov esi, edi\n${code}`;
const ports: readonly PrivilegeForm[] = [
  ...["in al, 0x74", "in eax, 0x74", "out 0x74, al", "out 0x74, eax"].map((code) =>
    form(code.toUpperCase(), "SDM Vol. 1, I/O Privilege Level", deniedPort, code),
  ),
  ...[
    "in al, dx",
    "in eax, dx",
    "in ax, dx",
    "out dx, al",
    "out dx, eax",
    "insb",
    "insd",
    "outsb",
    "outsd",
    "rep insb",
  ].map((code) =>
    form(
      `${code.toUpperCase()} of a port denied`,
      "SDM Vol. 1, I/O Privilege Level",
      deniedPort,
      port(`mov dx, 0x74\nmov ecx, 1\n${code}`),
    ),
  ),
  ...["in al, 0x80", "in eax, 0x84", "out 0x80, al", "out 0x84, eax"].map((code) =>
    form(code.toUpperCase(), "SDM Vol. 1, I/O Permission Bit Map", everywhere, code),
  ),
  ...["in al, dx", "in eax, dx", "out dx, al", "out dx, ax", "insb", "insw", "outsb", "outsw", "rep outsb"].map(
    (code) =>
      form(
        `${code.toUpperCase()} of a port allowed`,
        "SDM Vol. 1, I/O Permission Bit Map",
        everywhere,
        port(`mov dx, 0x80\nmov ecx, 1\n${code}`),
      ),
  ),
  form(
    "IN EAX, DX of two ports allowed and two denied",
    "SDM Vol. 1, I/O Permission Bit Map",
    deniedPort,
    "mov dx, 0x86\nin eax, dx",
  ),
  form(
    "REP INSB with a count of 0",
    "SDM Vol. 2B, REP/REPE/REPZ/REPNE/REPNZ—Repeat String Operation Prefix",
    everywhere,
    port("mov dx, 0x80\nxor ecx, ecx\nrep insb"),
  ),
];

const undefinedForms: readonly PrivilegeForm[] = [
  form("LOCK CLI", "SDM Vol. 2A, LOCK—Assert LOCK# Signal Prefix", all(U), "db 0xf0\ncli"),
  form("UD2", "SDM Vol. 2D, UD—Undefined Instruction", all(U), ".at: ud2"),
];

export const privilegeForms: readonly PrivilegeForm[] = [
  ...[...segments, ...descriptors, ...registers, ...flagForms, ...transfers, ...ports, ...undefinedForms],
];

/** Code with \`.at:\` in front of its last instruction. */
export function codeOf({ code }: PrivilegeForm, world: World): string {
  const text = typeof code === "string" ? code : code(world);
  if (text.includes(".at:")) return text;
  const lines = text.split("\n");
  const last = lines.at(-2)?.startsWith("db 0xf0") ? lines.length - 2 : lines.length - 1;
  return [...lines.slice(0, last), ".at:", ...lines.slice(last)].join("\n");
}
