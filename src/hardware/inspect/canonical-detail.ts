/**
 * Which address of an instruction in 64-bit code is not canonical.
 * Spec: SDM Vol. 1, "Canonical Addressing"; Vol. 3A, "Limit Checking in 64-bit Mode".
 */
import { isCanonical, segmentNames } from "../cpu/state.js";
import type { DecodedInstruction } from "../isa/instruction.js";
import { longLinear } from "./explain.js";
import type { FaultDetail, FaultScene } from "./fault-detail.js";

const SPEC = 'SDM Vol. 1, "Canonical Addressing"';
const isOutside = (address: bigint): boolean => !isCanonical(Number(BigInt.asIntN(64, address)));
const hex = (address: bigint): string => `0x${BigInt.asUintN(64, address).toString(16).padStart(16, "0")}`;
const why = "bits 48 to 63 do not repeat bit 47";

/** The address that faulted; undefined where it cannot be told any more, and where all are canonical. */
export function notCanonical({ instruction, exception, machine, exact }: FaultScene): FaultDetail | undefined {
  if (exception.codeBits !== 64 || !exact) return undefined;
  const { decoded } = instruction;
  const memory = decoded?.row === undefined ? undefined : memoryOf(decoded);
  if (memory !== undefined) {
    const linear = longLinear(machine, memory);
    const segment = segmentNames[memory.memory!.segment]!;
    if (isOutside(linear)) {
      const based = segment === "fs" || segment === "gs" ? ` (with the base of ${segment.toUpperCase()})` : "";
      return { check: `The linear address ${hex(linear)}${based} is not canonical: ${why}.`, spec: SPEC };
    }
  }
  const { rsp, rip } = machine.registers;
  if (isOutside(rip)) return { check: `RIP (${hex(rip)}) is not canonical: ${why}.`, spec: SPEC };
  if (isOutside(rsp)) return { check: `RSP (${hex(rsp)}) is not canonical: ${why}.`, spec: SPEC };
  return undefined;
}

const memoryOf = (decoded: DecodedInstruction): DecodedInstruction | undefined =>
  decoded.memory === undefined || decoded.row.mnemonic === "LEA" ? undefined : decoded;
