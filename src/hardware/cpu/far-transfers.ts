/**
 * Far JMP, CALL and RET in every mode: straight to code, through call gates, to tasks, and back to outer levels.
 * Spec: SDM Vol. 2A, JMP—Jump, CALL—Call Procedure; Vol. 2B, RET—Return From Procedure; Vol. 3A, "Call Gates".
 */
import {
  type Descriptor,
  isCode64,
  isNull,
  isPresent,
  loadedSegment,
  readDescriptor,
  readUpperHalf,
  SYSTEM_TYPE,
  selectorFault,
  typeOf,
} from "./descriptors.js";
import { reportInNewTask } from "./exceptions.js";
import { checkRoom, writeWords } from "./frames.js";
import { checkLongRoom, innerPointer } from "./long-gates.js";
import { returnFarLong, type WordSize } from "./long-returns.js";
import { peek, release, setStackPointer } from "./operands.js";
import {
  checkCodeLimit,
  checkDescriptorLimit,
  checkDirectCode,
  checkTarget,
  codeAt,
  isInnerCode,
  readCode,
  readGateCode,
  readReturnCode,
} from "./privilege.js";
import { Fault, type ProcessorPort, VECTOR } from "./processor.js";
import { addressOf, highWord, registerAddress, setRegisterAddress, writeQuad, writeQuads } from "./quadwords.js";
import { dropInnerSegments, nullSegment, readStack, segmentWithoutTable } from "./segments.js";
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
    checkDirectCode(port, descriptor, cpl, selector & 3);
    jumpTo(port, descriptor, offset);
    return;
  }
  const gate = systemTarget(port, descriptor, "jump");
  if (gate === undefined) return;
  const code = readCode(port, gate.selector, VECTOR.GP);
  checkDirectCode(port, code, cpl, 0);
  if (port.long && !isCode64(code)) throw selectorFault(VECTOR.GP, code.selector, "gate-not-to-64-bit-code");
  jumpTo(port, code, gate.offset);
}

/** Far CALL; `size` is that of what it pushes. Spec: SDM Vol. 2A, CALL—Call Procedure. */
export function callFar(port: ProcessorPort, selector: number, offset: number, size: WordSize): void {
  if (port.mode !== "protected") {
    const code = segmentWithoutTable(port, "cs", selector);
    const pointer = pushReturn(port, size, () => checkCodeLimit(offset, code.limit));
    setStackPointer(port, port.system.segments.ss, pointer);
    goTo(port, code, offset);
    return;
  }
  const descriptor = readTarget(port, selector);
  const { cpl } = port;
  if ((descriptor.access & ACCESS.S) !== 0) {
    checkDirectCode(port, descriptor, cpl, selector & 3);
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
  checkTarget(port, offset, descriptor);
  goTo(port, codeAt(port, descriptor, port.cpl), offset);
}

/** What a call gate says. Spec: SDM Vol. 3A, "Call Gates". */
interface CallGate {
  readonly selector: number;
  readonly offset: number;
  /** Of the parameters and of what is pushed. */
  readonly size: WordSize;
  readonly parameters: number;
}

/** Where a system descriptor leads: a call gate as it is read; a task is switched to, which leaves nothing to do. */
function systemTarget(port: ProcessorPort, descriptor: Descriptor, transfer: Transfer): CallGate | undefined {
  if (port.long) return longTarget(port, descriptor);
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

/** In IA-32e mode there are call gates alone, of 16 bytes. Spec: SDM Vol. 3A, "64-Bit Call-Gate Descriptor". */
function longTarget(port: ProcessorPort, descriptor: Descriptor): CallGate {
  const { access, selector, low, high } = descriptor;
  if (typeOf(access) !== SYSTEM_TYPE.CALL_GATE32) throw selectorFault(VECTOR.GP, selector, "no-code-gate-or-task");
  checkGate(descriptor, port.cpl);
  const upper = readUpperHalf(port, descriptor);
  const offset = addressOf((high & 0xffff0000) | (low & 0xffff), upper);
  return { selector: low >>> 16, offset, size: 8, parameters: 0 };
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
function pushReturn(port: ProcessorPort, size: WordSize, check: () => void): number {
  const { cs, ss } = port.system.segments;
  const user = port.cpl === 3;
  if (port.codeBits !== 64 && size !== 8) {
    const pointer = port.getRegister(ESP);
    checkRoom(ss, pointer, size, 2, 0);
    check();
    return writeWords(port, ss, pointer, size, [cs.selector, port.nextEip], user);
  }
  const top = registerAddress(port, ESP);
  checkLongRoom(top, 2 * size);
  check();
  writeReturn(port, top - size, size, cs.selector, user);
  writeReturn(port, top - 2 * size, size, port.nextEip, user);
  return top - 2 * size;
}

function writeReturn(port: ProcessorPort, linear: number, size: WordSize, value: number, user: boolean): void {
  if (size === 8) writeQuad(port, linear, value | 0, highWord(value), user);
  else port.writeLinear(linear, size, size === 2 ? value & 0xffff : value >>> 0, user);
}

function callSameLevel(port: ProcessorPort, descriptor: Descriptor, offset: number, size: WordSize): void {
  const long = port.codeBits === 64 || size === 8;
  const pointer = pushReturn(port, size, () => checkTarget(port, offset, descriptor));
  const code = codeAt(port, descriptor, port.cpl);
  if (long) setRegisterAddress(port, ESP, pointer);
  else setStackPointer(port, port.system.segments.ss, pointer);
  goTo(port, code, offset);
}

/** Calls more privileged 64-bit code: its stack has no segment, and parameters are not copied. */
function callInnerLong(port: ProcessorPort, descriptor: Descriptor, offset: number): void {
  const level = dplOf(descriptor.access);
  const { cs, ss } = port.system.segments;
  const top = innerPointer(port, level);
  checkLongRoom(top, 32);
  checkTarget(port, offset, descriptor);
  const code = codeAt(port, descriptor, level);
  const pointer = [port.getRegister(ESP), port.getRegisterHigh(ESP)] as const;
  longFrame.set([port.nextEip | 0, highWord(port.nextEip), cs.selector, 0, ...pointer, ss.selector, 0]);
  writeQuads(port, top - 32, 4, false, longFrame);
  port.setSegment("ss", nullSegment(level));
  setRegisterAddress(port, ESP, top - 32);
  goTo(port, code, offset);
}
const longFrame = new Int32Array(8);

/** Calls more privileged code: its own stack gets the caller's stack pointer, parameters and return address. */
function callInnerLevel(port: ProcessorPort, descriptor: Descriptor, gate: CallGate): void {
  if (gate.size === 8) {
    callInnerLong(port, descriptor, gate.offset);
    return;
  }
  const level = dplOf(descriptor.access);
  const { cs, ss } = port.system.segments;
  const { parameters } = gate;
  const size = gate.size;
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
export function returnFar(port: ProcessorPort, size: WordSize, extra: number): void {
  if (port.long || size === 8) {
    returnFarLong(port, size, extra);
    return;
  }
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
