/**
 * What leaves a guest of AMD-V: the bits of the intercept vectors as a table, and what each cause of an exit asks of them.
 * A bit's EXITCODE is its place: 32 times the word, and the bit.
 *
 * Left out: FERR_FREEZE, as no processor here freezes on an error of the x87 unit (with CR0.NE clear it tells the
 * interrupt controller and goes on); SMI and RSM, as there is no system-management mode; and what later processors have.
 * Spec: AMD64 Architecture Programmer's Manual Vol. 2, "Intercept Operation", "Instruction Intercepts"; Appendix B,
 * "VMCB Layout, Control Area".
 */
import type { ExitCause, InterceptedInstruction } from "../cpu/guest-operation.js";
import { VmExit } from "../cpu/guest-operation.js";
import type { ProcessorPort } from "../cpu/processor.js";
import { portIntercepted, registerIntercepted } from "./permission-maps.js";
import type { SvmGuest } from "./state.js";

export interface Intercept {
  readonly name: string;
  /** Of the intercept vectors. */
  readonly word: number;
  readonly bit: number;
}

/** Bits of words 3 to 5, in the manual's names. */
const miscellaneous: readonly (readonly [name: string, word: number, bit: number])[] = [
  ["INTR", 3, 0],
  ["NMI", 3, 1],
  ["INIT", 3, 3],
  ["VINTR", 3, 4],
  ["CR0_SEL_WRITE", 3, 5],
  ["IDTR_READ", 3, 6],
  ["GDTR_READ", 3, 7],
  ["LDTR_READ", 3, 8],
  ["TR_READ", 3, 9],
  ["IDTR_WRITE", 3, 10],
  ["GDTR_WRITE", 3, 11],
  ["LDTR_WRITE", 3, 12],
  ["TR_WRITE", 3, 13],
  ["RDTSC", 3, 14],
  ["RDPMC", 3, 15],
  ["PUSHF", 3, 16],
  ["POPF", 3, 17],
  ["CPUID", 3, 18],
  ["IRET", 3, 20],
  ["SWINT", 3, 21],
  ["INVD", 3, 22],
  ["PAUSE", 3, 23],
  ["HLT", 3, 24],
  ["INVLPG", 3, 25],
  ["INVLPGA", 3, 26],
  ["IOIO", 3, 27],
  ["MSR", 3, 28],
  ["TASK_SWITCH", 3, 29],
  ["SHUTDOWN", 3, 31],
  ["VMRUN", 4, 0],
  ["VMMCALL", 4, 1],
  ["VMLOAD", 4, 2],
  ["VMSAVE", 4, 3],
  ["STGI", 4, 4],
  ["CLGI", 4, 5],
  ["SKINIT", 4, 6],
  ["RDTSCP", 4, 7],
  ["ICEBP", 4, 8],
  ["WBINVD", 4, 9],
  ["MONITOR", 4, 10],
  ["MWAIT", 4, 11],
  ["XSETBV", 4, 13],
  ["INVPCID", 5, 2],
];

/** The word of the exceptions' bits. */
export const EXCEPTIONS = 2;

const numbered = (name: (index: number) => string, word: number, first: number, count: number): readonly Intercept[] =>
  Array.from({ length: count }, (_, index) => ({ name: name(index), word, bit: first + index }));

export const intercepts: readonly Intercept[] = Object.freeze([
  ...numbered((index) => `CR${index}_READ`, 0, 0, 16),
  ...numbered((index) => `CR${index}_WRITE`, 0, 16, 16),
  ...numbered((index) => `DR${index}_READ`, 1, 0, 16),
  ...numbered((index) => `DR${index}_WRITE`, 1, 16, 16),
  ...numbered((index) => `EXCP${index}`, EXCEPTIONS, 0, 32),
  ...miscellaneous.map(([name, word, bit]) => ({ name, word, bit })),
]);

const byName = new Map(intercepts.map((entry) => [entry.name, entry]));

/** An intercept by its name. */
export function interceptNamed(name: string): Intercept {
  const found = byName.get(name);
  if (found === undefined) throw new TypeError(`no intercept of AMD-V is named ${name}`);
  return found;
}

export const exitCodeOf = ({ word, bit }: Intercept): number => 32 * word + bit;

/** Exits that no bit asks for. */
export const NPF = 0x400;
export const INVALID = 0xffff_ffff_ffff_ffffn;

/** Intercepts of instructions whose names are others; one with none here and in the table has no intercept. */
const instructionNames: Partial<Record<InterceptedInstruction, string>> = {
  SIDT: "IDTR_READ",
  SGDT: "GDTR_READ",
  SLDT: "LDTR_READ",
  STR: "TR_READ",
  LIDT: "IDTR_WRITE",
  LGDT: "GDTR_WRITE",
  LLDT: "LDTR_WRITE",
  LTR: "TR_WRITE",
  INT: "SWINT",
};

const CR0_TS_MP = 10n;

/** Whether a bit of the intercept vectors is set. */
export const isSet = ({ intercepts: words }: SvmGuest, { word, bit }: Intercept): boolean =>
  ((words[word]! >>> bit) & 1) !== 0;

type Cause<Kind extends ExitCause["kind"]> = Extract<ExitCause, { readonly kind: Kind }>;

/** CR0 as a whole comes first; CR0_SEL_WRITE is for what changes more than TS and MP, and for every LMSW. */
function controlIntercepts(port: ProcessorPort, cause: Cause<"control-register">): readonly string[] {
  const { access, number, value } = cause;
  if (access === "read" || access === "smsw") return [`CR${number}_READ`];
  const whole = `CR${number}_WRITE`;
  if (number !== 0 || access === "clts") return [whole];
  const changed = (BigInt(port.system.cr0 >>> 0) ^ (value ?? 0n)) & ~CR0_TS_MP;
  return access === "lmsw" || changed !== 0n ? [whole, "CR0_SEL_WRITE"] : [whole];
}

/** INT1 has an intercept of its own, and that of #DB is not for it. */
const exceptionIntercept = ({ event }: Cause<"exception">): string =>
  event.type === "privileged" ? "ICEBP" : `EXCP${event.vector}`;

/** Causes that one intercept is for. */
const plainCauses: Partial<Record<ExitCause["kind"], string>> = {
  interrupt: "INTR",
  nmi: "NMI",
  init: "INIT",
  "virtual-interrupt": "VINTR",
  "triple-fault": "SHUTDOWN",
  "task-switch": "TASK_SWITCH",
};

/** The intercepts that a cause falls under, the one that is told first; none for what cannot leave a guest of AMD-V. */
function interceptsFor(port: ProcessorPort, cause: ExitCause): readonly string[] {
  switch (cause.kind) {
    case "instruction":
      return [instructionNames[cause.name] ?? cause.name];
    case "control-register":
      return controlIntercepts(port, cause);
    case "debug-register":
      return [`DR${cause.number}_${cause.access === "read" ? "READ" : "WRITE"}`];
    case "exception":
      return [exceptionIntercept(cause)];
    case "port":
      return ["IOIO"];
    case "msr":
      return ["MSR"];
    default: {
      const name = plainCauses[cause.kind];
      return name === undefined ? [] : [name];
    }
  }
}

/** What a map says, beyond the bit that makes it count. */
function permitted(port: ProcessorPort, guest: SvmGuest, cause: ExitCause): boolean {
  if (cause.kind === "port") return !portIntercepted(port, guest.ioPermissions, cause.port, cause.size);
  if (cause.kind === "msr")
    return !registerIntercepted(port, guest.msrPermissions, cause.address, cause.access === "write");
  return false;
}

/** The intercept that makes a cause leave the guest; undefined where none does. */
export function interceptOf(port: ProcessorPort, guest: SvmGuest, cause: ExitCause): Intercept | undefined {
  for (const name of interceptsFor(port, cause)) {
    const entry = byName.get(name);
    if (entry !== undefined && isSet(guest, entry) && !permitted(port, guest, cause)) return entry;
  }
  return undefined;
}

/** The guest that runs, if one of AMD-V does. */
export function runningGuest({ system: { virtualization } }: ProcessorPort): SvmGuest | undefined {
  return virtualization?.kind === "svm" ? virtualization.guest : undefined;
}

/** The exit that a cause is, where an intercept asks for it. An access that nested paging refused leaves in any case. */
export function exitFor(port: ProcessorPort, cause: ExitCause): VmExit | undefined {
  const guest = runningGuest(port);
  if (guest === undefined) return undefined;
  const leaves = cause.kind === "nested-fault" || interceptOf(port, guest, cause) !== undefined;
  return leaves ? new VmExit(cause) : undefined;
}

/** Throws it. */
export function check(port: ProcessorPort, cause: ExitCause): void {
  const exit = exitFor(port, cause);
  if (exit !== undefined) throw exit;
}
