/**
 * Interrupts and exceptions in IA-32e mode: gates of 16 bytes to 64-bit code, stacks without a segment from a 64-bit TSS,
 * and frames that always hold SS and RSP.
 * Spec: SDM Vol. 3A, "Exception and Interrupt Handling in 64-bit Mode"; Vol. 2A, INT n/INTO/INT3/INT1—Call to Interrupt
 * Procedure.
 */
import { SYSTEM_TYPE, selectorFault, tableAddress } from "./descriptors.js";
import { codeAt, isInnerCode, readGateCode } from "./privilege.js";
import { Fault, type ProcessorPort, VECTOR } from "./processor.js";
import { addressOf, highWord, readAddress, registerAddress, setRegisterAddress, writeQuads } from "./quadwords.js";
import type { RuleName } from "./rules.js";
import { nullSegment } from "./segments.js";
import { dplOf, FLAG, isCanonical } from "./state.js";

const RSP = 4;
const GATE_BYTES = 16;
const CLEARED = FLAG.TF | FLAG.NT | FLAG.RF | FLAG.VM;
/** Where a 64-bit TSS has RSP0, and a word below IST1. Spec: SDM Vol. 3A, figure "64-Bit TSS Format". */
const TSS_RSP0 = 4;
const TSS_IST = 0x1c;

/** A frame being put together, lowest quadword first, each as two words. */
const frame = new Int32Array(12);

function put(index: number, low: number, high = 0): number {
  frame[2 * index] = low;
  frame[2 * index + 1] = high;
  return index + 1;
}

/** Throws #SS(0) unless the `bytes` below an address have canonical addresses. */
export function checkLongRoom(top: number, bytes: number): void {
  if (!isCanonical(top - bytes) || !isCanonical(top - 1)) throw new Fault(VECTOR.SS, 0, "address-not-canonical");
}

/** Stack pointer of a level, or of an entry of the interrupt stack table. Throws #TS. */
export function innerPointer(port: ProcessorPort, level: number, stackTable = 0): number {
  const { system } = port;
  const { tr } = system;
  const offset = stackTable === 0 ? TSS_RSP0 + 8 * level : TSS_IST + 8 * stackTable;
  if (tr.access === 0 || offset + 7 > tr.limit) throw selectorFault(VECTOR.TS, tr.selector, "tss-too-short");
  return readAddress(port, tableAddress(system, tr.base, offset), false);
}

/**
 * Delivers through the gate of `vector`. `eflags` is what is saved of the flags. Registers change only when nothing can
 * fault any more. Throws what the delivery itself raises, with EXT clear.
 */
export function deliverThroughLongGate(
  port: ProcessorPort,
  vector: number,
  errorCode: number | undefined,
  software: boolean,
  returnRip: number,
  eflags: number,
): void {
  const { system, cpl } = port;
  const { idtr, segments } = system;
  const at = vector * GATE_BYTES;
  if (at + GATE_BYTES - 1 > idtr.limit) throw idtFault(VECTOR.GP, vector, "vector-outside-table");
  port.readPair(tableAddress(system, idtr.base, at));
  const { low, high } = port;
  const type = (high >>> 8) & 0x1f;
  if (type !== SYSTEM_TYPE.INTERRUPT_GATE32 && type !== SYSTEM_TYPE.TRAP_GATE32)
    throw idtFault(VECTOR.GP, vector, "not-an-idt-gate");
  if (software && ((high >>> 13) & 3) < cpl) throw idtFault(VECTOR.GP, vector, "gate-too-privileged");
  if ((high & 0x8000) === 0) throw idtFault(VECTOR.NP, vector, "gate-not-present");
  port.readPair(tableAddress(system, idtr.base, at + 8));
  const handler = addressOf((high & 0xffff0000) | (low & 0xffff), port.low);
  const code = readGateCode(port, low >>> 16, cpl);
  const inner = isInnerCode(code.access, cpl);
  const level = inner ? dplOf(code.access) : cpl;
  const stackTable = high & 7;
  const switches = inner || stackTable !== 0;
  const pointer = switches ? innerPointer(port, level, stackTable) : registerAddress(port, RSP);
  const top = pointer - (pointer & 15);

  let count = errorCode === undefined ? 0 : put(0, errorCode);
  count = put(count, returnRip | 0, highWord(returnRip));
  count = put(count, segments.cs.selector);
  count = put(count, eflags);
  count = put(count, port.getRegister(RSP), port.getRegisterHigh(RSP));
  count = put(count, segments.ss.selector);
  checkLongRoom(top, 8 * count);
  if (!isCanonical(handler)) throw new Fault(VECTOR.GP, 0, "target-not-canonical");
  const cs = codeAt(port, code, level);
  writeQuads(port, top - 8 * count, count, level === 3, frame);

  port.setEflags(eflags & ~(CLEARED | (type === SYSTEM_TYPE.INTERRUPT_GATE32 ? FLAG.IF : 0)));
  port.setSegment("cs", cs);
  if (switches) port.setSegment("ss", nullSegment(level));
  setRegisterAddress(port, RSP, top - 8 * count);
  port.nextEip = handler;
}

/** A fault with a vector's entry in the IDT as its error code. Spec: SDM Vol. 3A, "Error Code". */
const idtFault = (fault: number, vector: number, rule: RuleName): Fault => new Fault(fault, vector * 8 + 2, rule);
