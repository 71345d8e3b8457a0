/**
 * EXITCODE, EXITINFO1 and EXITINFO2 of each cause.
 * Spec: AMD64 Architecture Programmer's Manual Vol. 2, "Instruction Intercepts", "IOIO Intercepts", "MSR Intercepts",
 * "Exception Intercepts", "Task Switch Intercept", "Nested versus Guest Page Faults, Fault Ordering".
 */
import type { ExitCause, NestedFault } from "../cpu/guest-operation.js";
import { type ProcessorPort, VECTOR } from "../cpu/processor.js";
import { CR4, EFER, FLAG } from "../cpu/state.js";
import { exitCodeOf, interceptNamed, interceptOf, NPF } from "./intercepts.js";
import type { SvmGuest } from "./state.js";

export interface ExitInfo {
  readonly code: bigint;
  readonly info1: bigint;
  readonly info2: bigint;
}

type Cause<Kind extends ExitCause["kind"]> = Extract<ExitCause, { readonly kind: Kind }>;
type Pair = readonly [info1: bigint, info2: bigint];

const NOTHING: Pair = [0n, 0n];
const flag = (set: boolean, bit: number): bigint => (set ? 1n << BigInt(bit) : 0n);

/** The segment of a string instruction is for decode assists to tell, which are not announced. */
function portInfo(port: ProcessorPort, cause: Cause<"port">, next: bigint): Pair {
  const { direction, string, repeated, size } = cause;
  const addressSize = string?.addressSize ?? port.codeBits;
  const info =
    flag(direction === "in", 0) |
    flag(string !== undefined, 2) |
    flag(repeated, 3) |
    BigInt(size << 4) |
    BigInt((addressSize / 16) << 7) |
    (BigInt(cause.port) << 16n);
  return [info, next];
}

const taskSwitchInfo = (port: ProcessorPort, { selector, source, errorCode }: Cause<"task-switch">): Pair => [
  BigInt(selector),
  BigInt((errorCode ?? 0) >>> 0) |
    flag(source === "return", 36) |
    flag(source === "jump", 38) |
    flag(errorCode !== undefined, 44) |
    flag((port.getEflags() & FLAG.RF) !== 0, 48),
];

const PRESENT = 0;
const WRITE = 1;
const USER = 2;
const RESERVED = 3;
const FETCH = 4;
const FINAL = 32;
const OF_WALK = 33;

/** Whether nested tables tell fetches from reads. */
const tellsFetches = ({ nested }: SvmGuest): boolean =>
  nested !== undefined && (nested.efer & EFER.NXE) !== 0 && (nested.cr4 & CR4.PAE) !== 0;

/** Nested tables take every access for one of the user, and those to the guest's tables for writes. */
const nestedInfo = (guest: SvmGuest, { guestPhysical, access, ofWalk, rights, misconfigured }: NestedFault): Pair => [
  flag(rights.read || misconfigured, PRESENT) |
    flag(access.write || ofWalk, WRITE) |
    flag(true, USER) |
    flag(misconfigured, RESERVED) |
    flag(access.fetch && tellsFetches(guest), FETCH) |
    flag(true, ofWalk ? OF_WALK : FINAL),
  BigInt(guestPhysical),
];

const exceptionInfo = ({ event, payload }: Cause<"exception">): Pair => [
  BigInt((event.errorCode ?? 0) >>> 0),
  event.vector === VECTOR.PF ? BigInt.asUintN(64, BigInt(payload)) : 0n,
];

function infoOf(port: ProcessorPort, guest: SvmGuest, cause: ExitCause, next: bigint): Pair {
  switch (cause.kind) {
    case "port":
      return portInfo(port, cause, next);
    case "msr":
      return [cause.access === "write" ? 1n : 0n, 0n];
    case "exception":
      return exceptionInfo(cause);
    case "task-switch":
      return taskSwitchInfo(port, cause);
    case "nested-fault":
      return nestedInfo(guest, cause.fault);
    default:
      return NOTHING;
  }
}

/** Code and information of an exit from a guest; `next` is the address behind the instruction. */
export function exitInfo(port: ProcessorPort, guest: SvmGuest, cause: ExitCause, next: bigint): ExitInfo {
  const [info1, info2] = infoOf(port, guest, cause, next);
  const code = cause.kind === "nested-fault" ? NPF : exitCodeOf(interceptOf(port, guest, cause) ?? SHUTDOWN);
  return { code: BigInt(code), info1, info2 };
}

/** What leaves a guest with no intercept for it is a triple fault. */
const SHUTDOWN = interceptNamed("SHUTDOWN");

/** Causes that are an instruction, behind which the guest goes on. */
export const isInstruction = (cause: ExitCause): boolean =>
  cause.kind === "instruction" ||
  cause.kind === "control-register" ||
  cause.kind === "debug-register" ||
  cause.kind === "port" ||
  cause.kind === "msr" ||
  (cause.kind === "exception" && (cause.event.type === "software exception" || cause.event.type === "privileged"));
