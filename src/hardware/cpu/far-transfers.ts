/**
 * Far JMP, CALL and RET in every mode: straight to code, through call gates, to tasks, and back to outer levels.
 * Spec: SDM Vol. 2A, JMP—Jump, CALL—Call Procedure; Vol. 2B, RET—Return From Procedure; Vol. 3A, "Call Gates".
 */
import {
  type Descriptor,
  isNull,
  isPresent,
  limitOf,
  loadedSegment,
  readDescriptor,
  SYSTEM_TYPE,
  selectorFault,
  typeOf,
} from "./descriptors.js";
import { reportInNewTask } from "./exceptions.js";
import { checkRoom, writeWords } from "./frames.js";
import { peek, release, setStackPointer } from "./operands.js";
import {
  checkCodeLimit,
  checkDescriptorLimit,
  checkDirectCode,
  codeAt,
  isInnerCode,
  readCode,
  readGateCode,
  readReturnCode,
} from "./privilege.js";
import { Fault, type ProcessorPort, VECTOR } from "./processor.js";
import { dropInnerSegments, readStack, segmentWithoutTable } from "./segments.js";
import { ACCESS, dplOf, type Segment } from "./state.js";
import { checkDirectTask, readAvailableTask, switchTask } from "./tasks.js";
import { innerStack } from "./tss.js";

const ESP = 4;
type Transfer = "jump" | "call";

/** Far JMP. Spec: SDM Vol. 2A, JMP—Jump. */
export function jumpFar(port: ProcessorPort, selector: number, offset: number): void {
  if (port.mode !== "protected") {
    const code = segmentWithoutTable(port, "cs", selector);
    checkCodeLimit(offset, code.limit);
    goTo(port, code, offset);
    return;
  }
  const descriptor = readTarget(port, selector);
  const { cpl } = port;
  if ((descriptor.access & ACCESS.S) !== 0) {
    checkDirectCode(descriptor, cpl, selector & 3);
    jumpTo(port, descriptor, offset);
    return;
  }
  const gate = systemTarget(port, descriptor, "jump");
  if (gate === undefined) return;
  const code = readCode(port, gate.selector, VECTOR.GP);
  checkDirectCode(code, cpl, 0);
  jumpTo(port, code, gate.offset);
}

/** Far CALL; `size` is that of what it pushes. Spec: SDM Vol. 2A, CALL—Call Procedure. */
export function callFar(port: ProcessorPort, selector: number, offset: number, size: 2 | 4): void {
  if (port.mode !== "protected") {
    const code = segmentWithoutTable(port, "cs", selector);
    const pointer = pushReturn(port, size, offset, code.limit);
    setStackPointer(port, port.system.segments.ss, pointer);
    goTo(port, code, offset);
    return;
  }
  const descriptor = readTarget(port, selector);
  const { cpl } = port;
  if ((descriptor.access & ACCESS.S) !== 0) {
    checkDirectCode(descriptor, cpl, selector & 3);
    callSameLevel(port, descriptor, offset, size);
    return;
  }
  const gate = systemTarget(port, descriptor, "call");
  if (gate === undefined) return;
  const code = readGateCode(port, gate.selector, cpl);
  if (isInnerCode(code.access, cpl)) callInnerLevel(port, code, gate);
  else callSameLevel(port, code, gate.offset, gate.size);
}

function readTarget(port: ProcessorPort, selector: number): Descriptor {
  if (isNull(selector)) throw new Fault(VECTOR.GP, 0, "code-selector-null");
  return readDescriptor(port, selector);
}

function goTo(port: ProcessorPort, code: Segment, offset: number): void {
  port.setSegment("cs", code);
  port.nextEip = offset;
}

function jumpTo(port: ProcessorPort, descriptor: Descriptor, offset: number): void {
  checkDescriptorLimit(offset, descriptor);
  goTo(port, codeAt(port, descriptor, port.cpl), offset);
}

/** What a call gate says. Spec: SDM Vol. 3A, "Call Gates". */
interface CallGate {
  readonly selector: number;
  readonly offset: number;
  /** Of the parameters and of what is pushed. */
  readonly size: 2 | 4;
  readonly parameters: number;
}

/** Where a system descriptor leads: a call gate as it is read; a task is switched to, which leaves nothing to do. */
function systemTarget(port: ProcessorPort, descriptor: Descriptor, transfer: Transfer): CallGate | undefined {
  switch (typeOf(descriptor.access)) {
    case SYSTEM_TYPE.CALL_GATE16:
    case SYSTEM_TYPE.CALL_GATE32:
      checkGate(descriptor, port.cpl);
      return callGate(descriptor);
    case SYSTEM_TYPE.TASK_GATE:
      checkGate(descriptor, port.cpl);
      goToTask(port, transfer, readAvailableTask(port, descriptor.low >>> 16));
      return undefined;
    case SYSTEM_TYPE.TSS16:
    case SYSTEM_TYPE.TSS32:
    case SYSTEM_TYPE.BUSY_TSS16:
    case SYSTEM_TYPE.BUSY_TSS32:
      checkDirectTask(descriptor, port.cpl);
      goToTask(port, transfer, descriptor);
      return undefined;
    default:
      throw selectorFault(VECTOR.GP, descriptor.selector, "no-code-gate-or-task");
  }
}

function goToTask(port: ProcessorPort, transfer: Transfer, task: Descriptor): void {
  reportInNewTask(port, () => switchTask(port, transfer, task, port.nextEip, port.getEflags()));
}

function checkGate({ selector, access }: Descriptor, cpl: number): void {
  const dpl = dplOf(access);
  if (dpl < cpl || dpl < (selector & 3)) throw selectorFault(VECTOR.GP, selector, "gate-too-privileged");
  if (!isPresent(access)) throw selectorFault(VECTOR.NP, selector, "gate-not-present");
}

function callGate({ access, low, high }: Descriptor): CallGate {
  const wide = typeOf(access) === SYSTEM_TYPE.CALL_GATE32;
  return {
    selector: low >>> 16,
    offset: wide ? ((high & 0xffff0000) | (low & 0xffff)) >>> 0 : low & 0xffff,
    size: wide ? 4 : 2,
    parameters: high & 31,
  };
}

/** Pushes CS and the address behind the call; gives the stack pointer, which is not moved yet. */
function pushReturn(port: ProcessorPort, size: 2 | 4, target: number, limit: number): number {
  const { cs, ss } = port.system.segments;
  const pointer = port.getRegister(ESP);
  checkRoom(ss, pointer, size, 2, 0);
  checkCodeLimit(target, limit);
  return writeWords(port, ss, pointer, size, [cs.selector, port.nextEip], port.cpl === 3);
}

function callSameLevel(port: ProcessorPort, descriptor: Descriptor, offset: number, size: 2 | 4): void {
  const pointer = pushReturn(port, size, offset, limitOf(descriptor.low, descriptor.high));
  const code = codeAt(port, descriptor, port.cpl);
  setStackPointer(port, port.system.segments.ss, pointer);
  goTo(port, code, offset);
}

/** Calls more privileged code: its own stack gets the caller's stack pointer, parameters and return address. */
function callInnerLevel(port: ProcessorPort, descriptor: Descriptor, gate: CallGate): void {
  const level = dplOf(descriptor.access);
  const { cs, ss } = port.system.segments;
  const { size, parameters } = gate;
  const stack = innerStack(port, level);
  const inner = loadedSegment(port, stack.descriptor, stack.descriptor.selector);
  checkRoom(inner, stack.pointer, size, parameters + 4, inner.selector & 0xfffc);
  checkDescriptorLimit(gate.offset, descriptor);
  const words = [ss.selector, port.getRegister(ESP)];
  for (let index = parameters - 1; index >= 0; index--) words.push(peek(port, index * size, size));
  words.push(cs.selector, port.nextEip);
  const pointer = writeWords(port, inner, stack.pointer, size, words, false);
  const code = codeAt(port, descriptor, level);
  port.setSegment("ss", inner);
  setStackPointer(port, inner, pointer);
  goTo(port, code, gate.offset);
}

/** Far RET, with `extra` bytes of parameters to release. Spec: SDM Vol. 2B, RET—Return From Procedure. */
export function returnFar(port: ProcessorPort, size: 2 | 4, extra: number): void {
  const selector = peek(port, size, size) & 0xffff;
  const offset = peek(port, 0, size);
  if (port.mode !== "protected") {
    const code = segmentWithoutTable(port, "cs", selector);
    checkCodeLimit(offset, code.limit);
    release(port, 2 * size + extra);
    goTo(port, code, offset);
    return;
  }
  const { cpl } = port;
  const descriptor = readReturnCode(port, selector, cpl);
  const target = selector & 3;
  if (target === cpl) {
    checkDescriptorLimit(offset, descriptor);
    release(port, 2 * size + extra);
    goTo(port, codeAt(port, descriptor, cpl), offset);
    return;
  }
  const outerSelector = peek(port, 3 * size + extra, size) & 0xffff;
  const outerPointer = peek(port, 2 * size + extra, size);
  const stack = readStack(port, outerSelector, target);
  checkDescriptorLimit(offset, descriptor);
  const ss = loadedSegment(port, stack, outerSelector);
  const code = codeAt(port, descriptor, target);
  goTo(port, code, offset);
  port.setSegment("ss", ss);
  setStackPointer(port, ss, outerPointer + extra);
  dropInnerSegments(port, target);
}
