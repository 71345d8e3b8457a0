/**
 * Why an exception was raised: which check failed, at which instruction, by which rule of the manual, and what became of
 * it on the way to its handler. The answer is made of what the machine did, not of guesses at what it might have done.
 */
import { VirtlabError } from "../../state/error.js";
import type { PageWalk } from "../cpu/page-walk.js";
import { PF } from "../cpu/paging.js";
import { VECTOR } from "../cpu/processor.js";
import { type Rule, rules } from "../cpu/rules.js";
import { FLAG } from "../cpu/state.js";
import { addressText } from "../linear-memory.js";
import type { Machine } from "../machine.js";
import { deepFreeze } from "../machine-content.js";
import { decodeSelectorErrorCode, errorCodeText, type SelectorErrorCode } from "./error-code.js";
import type { DeliveredException, MetFault } from "./exception.js";
import { type FaultScene, faultDetail } from "./fault-detail.js";
import {
  type DecodedAt,
  decodeBytes,
  type InstructionAt,
  instructionAt,
  LONGEST_INSTRUCTION,
} from "./instruction-at.js";
import { findException } from "./look-ahead.js";
import { vectorMeaning, vectors } from "./vectors.js";

/** A fault in words. */
export interface ExplainedFault {
  /** "#GP". */
  readonly exception: string;
  readonly vector: number;
  readonly errorCode?: number;
  /** The error code in words. */
  readonly errorCodeMeaning?: string;
  /** What an error code with a selector in it names. */
  readonly names?: SelectorErrorCode;
  /** The address of a page fault. */
  readonly cr2?: number;
  /** The check that failed, as a sentence. */
  readonly check: string;
  /** Section of the manual, by its title. */
  readonly spec: string;
  /** The walk of a page fault. */
  readonly walk?: PageWalk;
}

export interface Why {
  /** The exception asked for, or the first of the chain; absent where there is none. */
  readonly name?: string;
  /** Whether it has happened, will happen, or does neither within reach. */
  readonly when: "before" | "ahead" | "never";
  /** Everything in one sentence. */
  readonly sentence: string;
  readonly instruction?: InstructionAt;
  /** The faults in the order they were met. */
  readonly chain: readonly ExplainedFault[];
  /** Privilege of the instruction. */
  readonly cpl?: number;
  /** Looked ahead: how many steps from the machine the exception is, and the machine just before the instruction. */
  readonly steps?: number;
  readonly machine?: Machine;
}

/** How many steps `why` looks ahead. */
export const WHY_REACH = 1_000_000;

/**
 * Why the last exception of this name was raised, or any with no name; if it was not among the faults of the last
 * exception, why the next one will be, at the most a million steps ahead. Nothing is run on the machine itself.
 *
 * @throws VirtlabError for a name that is no exception's.
 * @example
 * const machine = Machine.boot({ image: Uint8Array.of(0x31, 0xc9, 0xf7, 0xf1) }); // xor ecx, ecx; div ecx
 * const { when, instruction, chain } = why(machine, "#DE");
 * [when, instruction?.text, chain[0]?.check] // => [ 'ahead', 'div ecx', 'The divisor (ecx) is 0.' ]
 */
export function why(machine: Machine, name?: string): Why {
  const wanted = name === undefined ? undefined : vectorNamed(name);
  const matches = ({ vector }: { readonly vector: number }): boolean => wanted === undefined || vector === wanted;
  const met = machine.lastException;
  if (met?.chain.some(matches)) return deepFreezeAround(answer(machine, met, wanted, "before"));
  const label = wanted === undefined ? undefined : vectorMeaning(wanted).name;
  const found = findException(machine, (one) => label === undefined || one === label, WHY_REACH);
  if ("before" in found) {
    const { before, after } = found;
    const ahead = after.lastException;
    if (ahead?.chain.some(matches))
      return deepFreezeAround({
        ...answer(before, ahead, wanted, "ahead"),
        steps: before.steps - machine.steps,
        machine: before,
      });
  }
  const [steps, stop] = "before" in found ? [WHY_REACH, undefined] : [found.steps, found.stop];
  const end = stop === undefined || stop.reason === "limit" ? "" : `; then the machine stops (${stop.reason})`;
  const last = machine.lastException === undefined ? "There was no exception" : `The last exception was not ${label}`;
  return deepFreeze({
    ...(label === undefined ? {} : { name: label }),
    when: "never",
    sentence: `${last}, and ${label === undefined ? "none" : `no ${label}`} comes within the next ${grouped(steps)} steps${end}.`,
    chain: [],
  });
}

const grouped = (value: number): string => String(value).replace(/\B(?=(\d{3})+$)/g, ",");

/** A machine in a record stays as it is: it is immutable by itself. */
function deepFreezeAround(value: Why): Why {
  const { machine, ...rest } = value;
  return Object.freeze({ ...deepFreeze(rest), ...(machine === undefined ? {} : { machine }) });
}

function vectorNamed(name: string): number {
  const wanted = name.toUpperCase().replace(/^#?/, "#");
  const found = vectors.find((one) => one.name.replace(/^#?/, "#") === wanted && one.class !== "reserved");
  if (found === undefined)
    throw new VirtlabError(
      `why: "${name}" is no exception (${vectors
        .filter((one) => one.name.startsWith("#"))
        .map((one) => one.name)
        .join(" ")})`,
    );
  return found.vector;
}

function answer(
  machine: Machine,
  exception: DeliveredException,
  wanted: number | undefined,
  when: "before" | "ahead",
): Why {
  const instruction = instructionOf(machine, exception);
  const chain = exception.chain.map((fault, index) =>
    explainFault({ fault, first: index === 0, exception, instruction, machine, exact: when === "ahead" }),
  );
  const { address, bytes, text } = instruction;
  return {
    name: wanted === undefined ? chain[0]!.exception : vectorMeaning(wanted).name,
    when,
    sentence: sentenceOf(subjectOf(instruction, isFetchFault(exception, machine)), exception, chain, when),
    instruction: { address, bytes, text },
    chain,
    cpl: exception.cpl,
  };
}

/** From the bytes that were kept; where they end within the instruction, from memory as it is now. */
function instructionOf(machine: Machine, exception: DeliveredException): DecodedAt {
  const { eip, instructionBytes, codeBits, cs } = exception;
  const kept = decodeBytes(Uint8Array.from(instructionBytes), eip, codeBits);
  if (kept.decoded !== undefined || isFetchFault(exception, machine)) return kept;
  return machine.cpu.system.segments.cs.selector === cs ? instructionAt(machine, eip) : kept;
}

/** The page fault was raised by reading the instruction itself. */
function isFetchFault(exception: DeliveredException, machine: Machine): boolean {
  const { chain, eip, cs, mode, codeBits, instructionBytes } = exception;
  const base = mode === "protected" ? machine.cpu.system.segments.cs.base : cs * 16;
  const { vector, errorCode = 0, cr2 = -1 } = chain[0]!;
  if (vector === VECTOR.PF && (errorCode & PF.I) !== 0) return true;
  const into = codeBits === 64 ? cr2 - eip : (cr2 - base - eip) >>> 0;
  return vector === VECTOR.PF && into === instructionBytes.length && into < LONGEST_INSTRUCTION;
}

function explainFault(scene: FaultScene): ExplainedFault {
  const { vector, errorCode, cr2, rule: ruleName } = scene.fault;
  const meaning = vectorMeaning(vector);
  const rule: Rule | undefined = ruleName === undefined ? undefined : rules[ruleName];
  const detail = faultDetail(scene);
  const words = errorCode === undefined ? undefined : errorCodeText(vector, errorCode);
  const naming = errorCode !== undefined && vector >= VECTOR.TS && vector <= VECTOR.GP && (errorCode & 0xfffe) !== 0;
  return {
    exception: meaning.name,
    vector,
    ...(errorCode === undefined ? {} : { errorCode }),
    ...(words === undefined ? {} : { errorCodeMeaning: words }),
    ...(naming ? { names: decodeSelectorErrorCode(errorCode) } : {}),
    ...(cr2 === undefined ? {} : { cr2 }),
    check:
      detail?.check ??
      (rule && withFacts(rule.check, scene)) ??
      checkOf(vector, scene.exception.chain, scene.fault) ??
      meaning.meaning,
    spec: detail?.spec ?? rule?.spec ?? meaning.spec,
    ...(detail?.walk === undefined ? {} : { walk: detail.walk }),
  };
}

/** A rule's check, with the privilege levels it speaks of. */
function withFacts(check: string, { exception, machine }: FaultScene): string {
  const iopl = (machine.registers.eflags & FLAG.IOPL) >> 12;
  const facts = [
    /\bCPL\b/.test(check) ? `CPL is ${exception.cpl}` : "",
    /\bIOPL\b/.test(check) ? `IOPL is ${iopl}` : "",
  ].filter(Boolean);
  return facts.length === 0 ? check : `${check.replace(/\.$/, "")} (${facts.join(", ")}).`;
}

/** A double fault is told by the two that make it. */
function checkOf(vector: number, chain: readonly MetFault[], fault: MetFault): string | undefined {
  const at = chain.indexOf(fault);
  if (vector !== VECTOR.DF || at < 2) return undefined;
  const [first, second] = chain.slice(at - 2, at).map((one) => vectorMeaning(one.vector).name);
  return `${second} was raised while ${first} was being delivered.`;
}

/** Within a sentence: the first letter small, unless it begins a name. */
const within = (sentence: string): string =>
  sentence.replace(/\.$/, "").replace(/^[A-Z](?=[a-z' ])/, (letter) => letter.toLowerCase());

function sentenceOf(
  subject: string,
  { chain: met }: DeliveredException,
  chain: readonly ExplainedFault[],
  when: "before" | "ahead",
): string {
  const [first, ...others] = chain as readonly [ExplainedFault, ...ExplainedFault[]];
  const parts = [`${subject} ${when === "ahead" ? "raises" : "raised"} ${called(first)}: ${within(first.check)}`];
  for (const fault of others) {
    parts.push(
      fault.vector === VECTOR.DF
        ? "that makes a double fault (#DF)"
        : `on the way to its handler came ${called(fault)}: ${within(fault.check)}`,
    );
  }
  const double = met.findIndex(({ vector }) => vector === VECTOR.DF);
  if (double >= 0 && double < met.length - 1) parts.push("the processor shuts down (triple fault)");
  return `${parts.join("; ")}.`;
}

/** What raised it: "cli at 0x00101000". */
function subjectOf({ address, bytes, text }: InstructionAt, fetch: boolean): string {
  if (fetch || bytes.length === 0) return `The fetch of the instruction at ${addressText(address)}`;
  if (text !== "(bad)") return `${text} at ${addressText(address)}`;
  const shown = bytes.map((byte) => byte.toString(16).padStart(2, "0")).join(" ");
  return `The encoding ${shown} at ${addressText(address)}`;
}

/** "#GP(0)", "#NP(0x30, GDT entry 6)". */
function called({ exception, vector, errorCode, names }: ExplainedFault): string {
  if (errorCode === undefined || vector === VECTOR.PF || vector === VECTOR.DF) return exception;
  if (names === undefined) return `${exception}(${errorCode})`;
  return `${exception}(0x${errorCode.toString(16)}, ${names.table.toUpperCase()} entry ${names.index})`;
}
