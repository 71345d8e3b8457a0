/**
 * EVENTINJ and EXITINTINFO: an event in 64 bits.
 * Spec: AMD64 Architecture Programmer's Manual Vol. 2, "Event Injection", "EXITINTINFO Field" under "EXITINTINFO Pseudo-Code".
 */
import type { DeliveredEvent } from "../cpu/guest-operation.js";
import { VECTOR } from "../cpu/processor.js";

const VALID = 1n << 31n;
const HAS_ERROR_CODE = 1n << 11n;
/** By number; what is not here is reserved. */
const TYPES = { 0: "interrupt", 2: "nmi", 3: "exception", 4: "software" } as const;

/** Numbers of types. What an instruction raises on purpose is an exception here, INT n alone has a type of its own. */
const numbers: Readonly<Record<DeliveredEvent["type"], bigint>> = {
  interrupt: 0n,
  nmi: 2n,
  exception: 3n,
  "software exception": 3n,
  privileged: 3n,
  software: 4n,
};

/** Vectors below 32 that are no exceptions: the NMI, and what is reserved. */
const NO_EXCEPTIONS: readonly number[] = [VECTOR.NMI, 9, 15, 20, 22, 23, 24, 25, 26, 27, 31];

export const isEvent = (bits: bigint): boolean => (bits & VALID) !== 0n;

/** Why a valid EVENTINJ cannot be injected; undefined where it can. */
export function refusedEvent(bits: bigint): string | undefined {
  const vector = Number(bits & 0xffn);
  const type = TYPES[Number((bits >> 8n) & 7n) as keyof typeof TYPES];
  if (type === undefined) return "the type of the event is reserved";
  if (type === "exception" && (vector > 31 || NO_EXCEPTIONS.includes(vector)))
    return "the vector is not one of an exception";
  return undefined;
}

/** Exceptions that INT3 and INTO raise: the handler returns behind the instruction. */
const isTrap = (vector: number): boolean => vector === VECTOR.BP || vector === VECTOR.OF;

/** The event of a valid EVENTINJ; `length` is that of the instruction, as far as NRIP tells it. */
export function decodeEvent(bits: bigint, length: number): DeliveredEvent {
  const vector = Number(bits & 0xffn);
  const type = TYPES[Number((bits >> 8n) & 7n) as keyof typeof TYPES];
  const code = (bits & HAS_ERROR_CODE) !== 0n ? { errorCode: Number(bits >> 32n) } : {};
  if (type === "nmi") return { vector: VECTOR.NMI, type };
  if (type === "software") return { vector, type, length };
  if (type === "exception" && isTrap(vector)) return { vector, type: "software exception", length };
  return { vector, type, ...code };
}

/** An event as EXITINTINFO tells it; 0 for none. */
export function encodeEvent(event: DeliveredEvent | undefined): bigint {
  if (event === undefined) return 0n;
  const { vector, type, errorCode } = event;
  const code = errorCode === undefined ? 0n : HAS_ERROR_CODE | (BigInt(errorCode >>> 0) << 32n);
  return BigInt(vector) | (numbers[type] << 8n) | VALID | code;
}
