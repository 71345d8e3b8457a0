/**
 * Interrupts and exceptions through the IDT: interrupt and trap gates of both sizes, to the same and to inner levels,
 * out of virtual-8086 mode, and task gates.
 * Spec: SDM Vol. 2A, INT n/INTO/INT3/INT1—Call to Interrupt Procedure; Vol. 3A, "IDT Descriptors", "Exception- and
 * Interrupt-Handler Procedures".
 */
import { descriptorAddress, loadedSegment, SYSTEM_TYPE, selectorFault } from "./descriptors.js";
import { checkRoom, writeFrame } from "./frames.js";
import { setStackPointer } from "./operands.js";
import { checkDescriptorLimit, codeAt, isInnerCode, readGateCode } from "./privilege.js";
import { Fault, type GateWay, type ProcessorPort, VECTOR } from "./processor.js";
import type { RuleName } from "./rules.js";
import { dplOf, FLAG, NULL_SEGMENT } from "./state.js";
import { readAvailableTask, switchTask } from "./tasks.js";
import { type InnerStack, innerStack } from "./tss.js";

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
  const { system } = port;
  const { idtr, segments } = system;
  if (vector * 8 + 7 > idtr.limit) throw idtFault(VECTOR.GP, vector, "vector-outside-table");
  const gate = (idtr.base + vector * 8) >>> 0;
  port.readPair(gate);
  const { low, high } = port;
  const { cpl } = port;
  const way = knownWay(port, vector, low, high, software, cpl) ?? findWay(port, vector, low, high, software, cpl);
  if (way === undefined) {
    switchTask(port, "interrupt", readAvailableTask(port, low >>> 16), returnEip, eflags, errorCode);
    return;
  }
  const { inner, level, size, handler } = way;
  const virtual = (eflags & FLAG.VM) !== 0;
  if (virtual && level !== 0) throw selectorFault(VECTOR.GP, way.code.selector, "8086-handler-level");

  let { ss } = segments;
  let pointer = port.getRegister(ESP);
  let stack: InnerStack | undefined;
  let count = 0;
  if (errorCode !== undefined) frame[count++] = errorCode;
  frame[count++] = returnEip;
  frame[count++] = segments.cs.selector;
  frame[count++] = eflags;
  if (inner) {
    frame[count++] = pointer;
    frame[count++] = ss.selector;
    if (virtual) for (const name of DATA) frame[count++] = segments[name].selector;
    stack = innerStack(port, level);
    ss = loadedSegment(port, stack.descriptor, stack.descriptor.selector);
    pointer = stack.pointer;
  }
  checkRoom(ss, pointer, size, count, inner ? ss.selector & 0xfffc : 0);
  checkDescriptorLimit(handler, way.code);
  const cs = codeAt(port, way.code, level);
  pointer = writeFrame(port, ss, pointer, size, frame, count, level === 3);

  port.wentThroughGate(way, gate, stack?.descriptor);
  port.setEflags(eflags & way.kept);
  port.setSegment("cs", cs);
  if (inner) port.setSegment("ss", ss);
  setStackPointer(port, ss, pointer);
  if (virtual) for (const name of DATA) port.setSegment(name, NULL_SEGMENT);
  port.nextEip = handler;
}

/** A frame being put together, lowest word first. */
const frame = new Int32Array(16);

/** The way each vector went last: the same words lead to the same way. */
const ways = new Array<GateWay | undefined>(256).fill(undefined);

function knownWay(
  port: ProcessorPort,
  vector: number,
  low: number,
  high: number,
  software: boolean,
  cpl: number,
): GateWay | undefined {
  const way = ways[vector];
  if (way === undefined || way.low !== low || way.high !== high || way.cpl !== cpl || way.software !== software)
    return undefined;
  const { code } = way;
  if (code.address !== descriptorAddress(port.system, code.selector)) return undefined;
  port.readPair(code.address);
  return port.low === code.low && port.high === code.high ? way : undefined;
}

/** Makes the checks on a gate and the code segment it names. Undefined for a task gate. */
function findWay(
  port: ProcessorPort,
  vector: number,
  low: number,
  high: number,
  software: boolean,
  cpl: number,
): GateWay | undefined {
  const type = (high >>> 8) & 0x1f;
  if (type > 15 || ((ALLOWED >>> type) & 1) === 0) throw idtFault(VECTOR.GP, vector, "not-an-idt-gate");
  if (software && ((high >>> 13) & 3) < cpl) throw idtFault(VECTOR.GP, vector, "gate-too-privileged");
  if ((high & 0x8000) === 0) throw idtFault(VECTOR.NP, vector, "gate-not-present");
  if (type === SYSTEM_TYPE.TASK_GATE) return undefined;
  const code = readGateCode(port, low >>> 16, cpl);
  const inner = isInnerCode(code.access, cpl);
  const wide = ((WIDE >>> type) & 1) !== 0;
  const cleared = FLAG.TF | FLAG.NT | FLAG.RF | FLAG.VM | (((IF_CLEARED >>> type) & 1) !== 0 ? FLAG.IF : 0);
  const way: GateWay = {
    vector,
    low,
    high,
    software,
    cpl,
    code,
    inner,
    level: inner ? dplOf(code.access) : cpl,
    size: wide ? 4 : 2,
    handler: wide ? ((high & 0xffff0000) | (low & 0xffff)) >>> 0 : low & 0xffff,
    kept: ~cleared,
  };
  ways[vector & 0xff] = way;
  return way;
}

/** In the order they are pushed from virtual-8086 mode, last first. */
const DATA = ["es", "ds", "fs", "gs"] as const;

/** A fault with a vector's entry in the IDT as its error code. Spec: SDM Vol. 3A, "Error Code". */
const idtFault = (fault: number, vector: number, rule: RuleName): Fault => new Fault(fault, vector * 8 + 2, rule);
