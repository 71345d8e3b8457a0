/**
 * The EXITCODEs by number, and what EXITINFO1 and EXITINFO2 say with each, for people.
 * Spec: AMD64 Architecture Programmer's Manual Vol. 2, Appendix C "SVM Intercept Exit Codes".
 */
import { exitCodeOf, INVALID, intercepts, NPF } from "./intercepts.js";

/** A part of EXITINFO1 or EXITINFO2. */
export interface InfoField {
  readonly name: string;
  readonly bit: number;
  readonly bits: number;
}

export interface ExitCode {
  /** EXITCODE, unsigned. */
  readonly code: bigint;
  readonly name: string;
  readonly summary: string;
  readonly info1: readonly InfoField[];
  readonly info2: readonly InfoField[];
}

const part = (name: string, bit = 0, bits = 1): InfoField => ({ name, bit, bits });

const PORT_INFO = [
  part("in", 0),
  part("string", 2),
  part("repeated", 3),
  part("size", 4, 3),
  part("address of 16 bits", 7),
  part("address of 32 bits", 8),
  part("address of 64 bits", 9),
  part("port", 16, 16),
];
const NESTED_INFO = [
  part("present", 0),
  part("write", 1),
  part("user", 2),
  part("reserved bit", 3),
  part("fetch", 4),
  part("of the final address", 32),
  part("of the guest's page tables", 33),
];
const TASK_INFO = [
  part("error code", 0, 32),
  part("by IRET", 36),
  part("by JMP", 38),
  part("has an error code", 44),
  part("RF", 48),
];
const NO_INFO: readonly InfoField[] = [];

/** Summaries and fields of those that have more than a name. */
const described: Readonly<Record<string, Partial<Omit<ExitCode, "code" | "name">>>> = {
  INTR: { summary: "A physical interrupt, which still waits." },
  NMI: { summary: "A physical NMI, which still waits." },
  INIT: { summary: "INIT." },
  VINTR: { summary: "A virtual interrupt is about to be taken." },
  CR0_SEL_WRITE: { summary: "A write of CR0 that changes more than TS and MP." },
  SWINT: { summary: "INT n." },
  IOIO: { summary: "An access to a port.", info1: PORT_INFO, info2: [part("next rIP", 0, 64)] },
  MSR: { summary: "RDMSR or WRMSR.", info1: [part("write", 0)] },
  TASK_SWITCH: { summary: "A task switch.", info1: [part("TSS selector", 0, 16)], info2: TASK_INFO },
  SHUTDOWN: { summary: "A triple fault." },
  ICEBP: { summary: "INT1." },
};

function summaryOf(name: string): string {
  const register = /^([CD]R\d+|GDTR|IDTR|LDTR|TR)_(READ|WRITE)$/.exec(name);
  if (register !== null) return `A ${register[2] === "READ" ? "read" : "write"} of ${register[1]}.`;
  const exception = /^EXCP(\d+)$/.exec(name);
  return exception === null ? `${name}.` : `Exception ${exception[1]}.`;
}

const PAGE_FAULT = 14;
/** Exceptions with an error code. */
const WITH_CODE: readonly number[] = [8, 10, 11, 12, 13, PAGE_FAULT, 17];

function exceptionFields(name: string): Partial<ExitCode> {
  const vector = Number(/^EXCP(\d+)$/.exec(name)?.[1] ?? -1);
  return {
    ...(WITH_CODE.includes(vector) ? { info1: [part("error code", 0, 32)] } : {}),
    ...(vector === PAGE_FAULT ? { info2: [part("linear address", 0, 64)] } : {}),
  };
}

export const exitCodes: readonly ExitCode[] = Object.freeze([
  ...intercepts.map(
    (entry): ExitCode => ({
      code: BigInt(exitCodeOf(entry)),
      name: `VMEXIT_${entry.name}`,
      summary: summaryOf(entry.name),
      info1: NO_INFO,
      info2: NO_INFO,
      ...exceptionFields(entry.name),
      ...described[entry.name],
    }),
  ),
  {
    code: BigInt(NPF),
    name: "VMEXIT_NPF",
    summary: "Nested paging refused an access.",
    info1: NESTED_INFO,
    info2: [part("guest-physical address", 0, 64)],
  },
  {
    code: INVALID,
    name: "VMEXIT_INVALID",
    summary: "VMRUN refused the state or the controls of the guest.",
    info1: NO_INFO,
    info2: NO_INFO,
  },
]);

const byCode = new Map(exitCodes.map((entry) => [entry.code, entry]));

/** An exit as people read it. */
export interface ExplainedExit {
  readonly code: bigint;
  readonly name: string;
  readonly summary: string;
  /** What EXITINFO1 and EXITINFO2 say, by name. */
  readonly info: Readonly<Record<string, bigint>>;
}

const valuesOf = (fields: readonly InfoField[], value: bigint): readonly (readonly [string, bigint])[] =>
  fields.map(({ name, bit, bits }) => [name, (value >> BigInt(bit)) & ((1n << BigInt(bits)) - 1n)] as const);

/**
 * What an exit of AMD-V says: its name, and EXITINFO1 and EXITINFO2 by the names of their parts. A code that no exit here
 * has is told as it is.
 * Spec: AMD64 Architecture Programmer's Manual Vol. 2, Appendix C "SVM Intercept Exit Codes".
 */
export function explainExit(code: bigint, info1: bigint, info2: bigint): ExplainedExit {
  const unsigned = BigInt.asUintN(64, code);
  const entry = byCode.get(unsigned);
  if (entry === undefined)
    return Object.freeze({
      code: unsigned,
      name: `EXITCODE 0x${unsigned.toString(16)}`,
      summary: "No exit that is known here.",
      info: Object.freeze({ EXITINFO1: info1, EXITINFO2: info2 }),
    });
  const info = Object.fromEntries([...valuesOf(entry.info1, info1), ...valuesOf(entry.info2, info2)]);
  return Object.freeze({ code: unsigned, name: entry.name, summary: entry.summary, info: Object.freeze(info) });
}
