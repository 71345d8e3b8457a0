/**
 * VM exits in words, of VT-x and AMD-V alike, and the tables they are read from.
 * Spec: SDM Vol. 3D, Appendix C "VMX Basic Exit Reasons"; AMD64 Architecture Programmer's Manual Vol. 2, Appendix C "SVM
 * Intercept Exit Codes".
 */
import type { VmExitEvent } from "../state.js";
import { exitCodes, explainExit as explainSvm, type InfoField } from "../svm/exit-codes.js";
import { explainExit as explainVmx, exitReasons as reasons } from "../vmx/exit-reasons.js";
import type { Vmcb } from "./vmcb.js";
import type { Vmcs } from "./vmcs.js";

/** Hardware that runs guests: Intel's VT-x or AMD's AMD-V. */
export type VmTechnology = "vmx" | "svm";

/** A VM exit in words. */
export interface ExplainedExit {
  readonly technology: VmTechnology;
  /** The basic exit reason, or EXITCODE, where VMEXIT_INVALID is -1. */
  readonly number: number;
  readonly name: string;
  /** VM entry failed: the guest did not run. */
  readonly entryFailed: boolean;
  /** What the exit qualification, or EXITINFO1 and EXITINFO2, say, by name; empty where they say nothing. */
  readonly told: Readonly<Record<string, string | number | boolean>>;
}

/** Where an exit can be read: an event, a VMCS, a VMCB, or the numbers themselves. */
export type ExitSource =
  | VmExitEvent
  | Vmcs
  | Vmcb
  | { readonly technology: "vmx"; readonly reason: number; readonly qualification: bigint }
  | { readonly technology: "svm"; readonly reason: number; readonly info1: bigint; readonly info2: bigint };

const INVALID = -1;

const hex = (value: bigint): string => `0x${value.toString(16)}`;

function partText({ bit, bits, name }: InfoField, info: Readonly<Record<string, bigint>>): string | number | boolean {
  const value = info[name] ?? 0n;
  if (bits === 1) return value !== 0n;
  return bits < 8 && bit > 0 ? Number(value) : hex(value);
}

function svmExit(reason: number, info1: bigint, info2: bigint): ExplainedExit {
  const { code, name, info } = explainSvm(BigInt(reason), info1, info2);
  const entry = exitCodes.find((one) => one.code === code);
  const parts = entry === undefined ? [] : [...entry.info1, ...entry.info2];
  const told =
    entry === undefined
      ? Object.entries(info).map(([part, value]) => [part, hex(value)] as const)
      : parts.map((part) => [part.name, partText(part, info)] as const);
  return Object.freeze({
    technology: "svm",
    number: reason,
    name,
    entryFailed: reason === INVALID,
    told: Object.freeze(Object.fromEntries(told)),
  });
}

function vmxExit(reason: number, value: bigint, failed = false): ExplainedExit {
  const { number, name, entryFailed, qualification } = explainVmx(reason, value);
  return Object.freeze({
    technology: "vmx",
    number,
    name,
    entryFailed: entryFailed || failed,
    told: qualification,
  });
}

/**
 * What a VM exit says: its name, and its qualification, or EXITINFO1 and EXITINFO2, by the names of their parts. It is read from
 * an event of `run({ observe: ["vm-exit"] })`, from a VMCS or a VMCB, or from the numbers.
 * Spec: SDM Vol. 3C, "Basic VM-Exit Information"; AMD64 Architecture Programmer's Manual Vol. 2, Appendix C "SVM Intercept Exit
 * Codes".
 */
export function explainExit(from: ExitSource): ExplainedExit {
  if ("technology" in from)
    return from.technology === "vmx"
      ? vmxExit(from.reason, from.qualification, "entryFailed" in from && from.entryFailed)
      : svmExit(from.reason, from.info1, from.info2);
  const values: Readonly<Record<string, bigint>> = from.fields;
  const { EXITCODE, EXITINFO1 = 0n, EXITINFO2 = 0n } = values;
  if (EXITCODE !== undefined) return svmExit(Number(BigInt.asIntN(64, EXITCODE)), EXITINFO1, EXITINFO2);
  return vmxExit(Number(values["Exit reason"] ?? 0n), values["Exit qualification"] ?? 0n);
}

/** A reason to leave a guest, as the manual's table has it. */
export interface ExitReasonEntry {
  /** The basic exit reason, or EXITCODE, where VMEXIT_INVALID is -1. */
  readonly number: number;
  readonly name: string;
  /** The names of what the qualification, or EXITINFO1 and EXITINFO2, tell. */
  readonly tells: readonly string[];
}

const vmxReasons: readonly ExitReasonEntry[] = Object.freeze(
  [...reasons.values()].map(({ number, name, told }) =>
    Object.freeze({ number, name, tells: Object.freeze(Object.keys(told?.(0n) ?? {})) }),
  ),
);
const svmReasons: readonly ExitReasonEntry[] = Object.freeze(
  exitCodes.map(({ code, name, info1, info2 }) =>
    Object.freeze({
      number: Number(BigInt.asIntN(64, code)),
      name,
      tells: Object.freeze([...info1, ...info2].map((part) => part.name)),
    }),
  ),
);

/** Every reason for which this processor leaves a guest, in the order of the manual's table. */
export const exitReasons = (technology: VmTechnology): readonly ExitReasonEntry[] =>
  technology === "vmx" ? vmxReasons : svmReasons;
