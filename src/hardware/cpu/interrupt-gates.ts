/**
 * Interrupts and exceptions through the IDT: interrupt and trap gates of both sizes, to the same and to inner levels,
 * out of virtual-8086 mode, and task gates.
 * Spec: SDM Vol. 2A, INT n/INTO/INT3/INT1—Call to Interrupt Procedure; Vol. 3A, "IDT Descriptors", "Exception- and
 * Interrupt-Handler Procedures".
 */
import { loadedSegment, SYSTEM_TYPE, selectorFault } from "./descriptors.js";
import { checkRoom, writeWords } from "./frames.js";
import { setStackPointer } from "./operands.js";
import { checkDescriptorLimit, codeAt, isInnerCode, readGateCode } from "./privilege.js";
import { Fault, type ProcessorPort, VECTOR } from "./processor.js";
import type { RuleName } from "./rules.js";
import { dplOf, FLAG, NULL_SEGMENT } from "./state.js";
import { readAvailableTask, switchTask } from "./tasks.js";
import { innerStack } from "./tss.js";

const ESP = 4;
/** Bit n: type n is a gate of the IDT; and of those, the ones of a 32-bit handler, and the ones that clear IF. */
const GATES = (1 << SYSTEM_TYPE.INTERRUPT_GATE16) | (1 << SYSTEM_TYPE.TRAP_GATE16) | (1 << SYSTEM_TYPE.TASK_GATE);
const WIDE = (1 << SYSTEM_TYPE.INTERRUPT_GATE32) | (1 << SYSTEM_TYPE.TRAP_GATE32);
const ALLOWED = GATES | WIDE;
const IF_CLEARED = (1 << SYSTEM_TYPE.INTERRUPT_GATE16) | (1 << SYSTEM_TYPE.INTERRUPT_GATE32);

/**
 * Delivers through the gate of `vector`, in protected and virtual-8086 mode. `eflags` is what is saved of the flags.
 * Registers change only when nothing can fault any more. Throws what the delivery itself raises, with EXT clear.
 */
export function deliverThroughGate(
  port: ProcessorPort,
  vector: number,
  errorCode: number | undefined,
  software: boolean,
  returnEip: number,
  eflags: number,
): void {
  const { idtr } = port.system;
  if (vector * 8 + 7 > idtr.limit) throw idtFault(VECTOR.GP, vector, "vector-outside-table");
  const gate = (idtr.base + vector * 8) >>> 0;
  const low = port.readLinear(gate, 4, false);
  const high = port.readLinear((gate + 4) >>> 0, 4, false);
  const type = (high >>> 8) & 0x1f;
  if (type > 15 || ((ALLOWED >>> type) & 1) === 0) throw idtFault(VECTOR.GP, vector, "not-an-idt-gate");
  const { cpl } = port;
  if (software && ((high >>> 13) & 3) < cpl) throw idtFault(VECTOR.GP, vector, "gate-too-privileged");
  if ((high & 0x8000) === 0) throw idtFault(VECTOR.NP, vector, "gate-not-present");
  if (type === SYSTEM_TYPE.TASK_GATE) {
    switchTask(port, "interrupt", readAvailableTask(port, low >>> 16), returnEip, eflags, errorCode);
    return;
  }
  const code = readGateCode(port, low >>> 16, cpl);
  const inner = isInnerCode(code.access, cpl);
  const level = inner ? dplOf(code.access) : cpl;
  const virtual = (eflags & FLAG.VM) !== 0;
  if (virtual && level !== 0) throw selectorFault(VECTOR.GP, code.selector, "8086-handler-level");
  const wide = ((WIDE >>> type) & 1) !== 0;
  const handler = wide ? ((high & 0xffff0000) | (low & 0xffff)) >>> 0 : low & 0xffff;
  const size = wide ? 4 : 2;

  const { segments } = port.system;
  const words: number[] = [];
  let { ss } = segments;
  let pointer = port.getRegister(ESP);
  if (inner) {
    if (virtual) words.push(segments.gs.selector, segments.fs.selector, segments.ds.selector, segments.es.selector);
    words.push(ss.selector, pointer);
    const stack = innerStack(port, level);
    ss = loadedSegment(port, stack.descriptor, stack.descriptor.selector);
    pointer = stack.pointer;
  }
  words.push(eflags, segments.cs.selector, returnEip);
  if (errorCode !== undefined) words.push(errorCode);
  checkRoom(ss, pointer, size, words.length, inner ? ss.selector & 0xfffc : 0);
  checkDescriptorLimit(handler, code);
  const cs = codeAt(port, code, level);
  pointer = writeWords(port, ss, pointer, size, words, level === 3);

  const cleared = FLAG.TF | FLAG.NT | FLAG.RF | FLAG.VM | (((IF_CLEARED >>> type) & 1) !== 0 ? FLAG.IF : 0);
  port.setEflags(eflags & ~cleared);
  port.setSegment("cs", cs);
  if (inner) port.setSegment("ss", ss);
  setStackPointer(port, ss, pointer);
  if (virtual) for (const name of DATA) port.setSegment(name, NULL_SEGMENT);
  port.nextEip = handler;
}

const DATA = ["ds", "es", "fs", "gs"] as const;

/** A fault with a vector's entry in the IDT as its error code. Spec: SDM Vol. 3A, "Error Code". */
const idtFault = (fault: number, vector: number, rule: RuleName): Fault => new Fault(fault, vector * 8 + 2, rule);
