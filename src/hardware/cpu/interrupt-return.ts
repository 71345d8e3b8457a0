/**
 * IRET: to the same and to outer levels, to and from virtual-8086 mode, in real mode, and out of a nested task.
 * Spec: SDM Vol. 2A, IRET/IRETD/IRETQ—Interrupt Return; Vol. 3B, "Leaving Virtual-8086 Mode", "Entering …".
 */
import { loadedSegment } from "./descriptors.js";
import { reportInNewTask } from "./exceptions.js";
import {
  checkVirtualFlags,
  definedFlags,
  ioplOf,
  loadVirtualFlags,
  RETURNABLE_IN_8086,
  replaceFlags,
  returnable,
} from "./flags.js";
import { interruptReturnLong, type WordSize } from "./long-returns.js";
import { masked, peek, release, setStackPointer, stackMask } from "./operands.js";
import { checkCodeLimit, checkDescriptorLimit, codeAt, readReturnCode } from "./privilege.js";
import type { ProcessorPort } from "./processor.js";
import { dropInnerSegments, loadVirtual8086Segments, readStack, segmentWithoutTable } from "./segments.js";
import { FLAG } from "./state.js";
import { readLinkedTask, switchTask } from "./tasks.js";

const ESP = 4;
const SS = 2;

/** IRET with words of `size` bytes. NMIs are let in again, even when it faults. Spec: SDM Vol. 3A, "Handling Multiple NMIs". */
export function interruptReturn(port: ProcessorPort, size: WordSize): void {
  const eflags = port.getEflags();
  port.unblockNmi();
  if (port.long || size === 8) interruptReturnLong(port, size);
  else if (port.mode !== "protected") returnWithoutTable(port, size, eflags);
  else if ((eflags & FLAG.NT) === 0) returnToCode(port, size, eflags);
  else reportInNewTask(port, () => switchTask(port, "return", readLinkedTask(port), port.nextEip, eflags));
}

/** Real and virtual-8086 mode. */
function returnWithoutTable(port: ProcessorPort, size: 2 | 4, eflags: number): void {
  const virtual = port.mode === "virtual-8086";
  const emulated = virtual && ioplOf(eflags) < 3;
  if (emulated) checkVirtualFlags(port, size);
  const base = stackBlock(port, 3 * size);
  const eip = stackWord(port, base, 0, size);
  const selector = stackWord(port, base, 1, size) & 0xffff;
  const popped = stackWord(port, base, 2, size);
  const cs = segmentWithoutTable(port, "cs", selector);
  checkCodeLimit(eip, cs.limit);
  const may = virtual ? RETURNABLE_IN_8086[size] : returnable(port, 0, 0, size);
  const loaded = emulated ? loadVirtualFlags(eflags, popped) : replaceFlags(eflags, popped, may);
  release(port, 3 * size);
  port.setEflags(loaded);
  port.setSegment("cs", cs);
  port.nextEip = eip;
}

/** Protected mode: to code of the same or an outer level, or to virtual-8086 mode. */
function returnToCode(port: ProcessorPort, size: 2 | 4, eflags: number): void {
  const { cpl } = port;
  const base = stackBlock(port, 3 * size);
  readStack3(port, base, size, cpl === 3);
  const eip = size === 4 ? popped3[0]! >>> 0 : popped3[0]!;
  const selector = popped3[1]! & 0xffff;
  const popped = popped3[2]!;
  if (size === 4 && cpl === 0 && (popped & FLAG.VM) !== 0) {
    returnToVirtual8086(port, eip, selector, popped);
    return;
  }
  const descriptor = readReturnCode(port, selector, cpl);
  const target = selector & 3;
  const may = returnable(port, cpl, ioplOf(eflags), size);
  const loaded = replaceFlags(eflags, popped, may);
  if (target === cpl) {
    checkDescriptorLimit(eip, descriptor);
    const cs = codeAt(port, descriptor, cpl);
    if (size === 4) port.wentBack(selector, descriptor, undefined, eflags, may);
    release(port, 3 * size);
    port.setEflags(loaded);
    port.setSegment("cs", cs);
    port.nextEip = eip;
    return;
  }
  const outer = stackBlock(port, 5 * size);
  const outerPointer = stackWord(port, outer, 3, size);
  const outerSelector = stackWord(port, outer, 4, size) & 0xffff;
  const stack = readStack(port, outerSelector, target);
  checkDescriptorLimit(eip, descriptor);
  const ss = loadedSegment(port, stack, outerSelector);
  const cs = codeAt(port, descriptor, target);
  if (size === 4) port.wentBack(selector, descriptor, stack, eflags, may);
  port.setEflags(loaded);
  port.setSegment("cs", cs);
  port.setSegment("ss", ss);
  setStackPointer(port, ss, outerPointer);
  dropInnerSegments(port, target);
  port.nextEip = eip;
}

/** From CPL 0 alone. Spec: SDM Vol. 3B, "Entering Virtual-8086 Mode". */
function returnToVirtual8086(port: ProcessorPort, eip: number, cs: number, popped: number): void {
  const base = stackBlock(port, 36);
  const [esp, ss, es, ds, fs, gs] = [3, 4, 5, 6, 7, 8].map((index) => stackWord(port, base, index, 4)) as Six;
  checkCodeLimit(eip, 0xffff);
  port.setEflags((popped & definedFlags(port.system)) | FLAG.RESERVED);
  loadVirtual8086Segments(port, [es & 0xffff, cs, ss & 0xffff, ds & 0xffff, fs & 0xffff, gs & 0xffff]);
  port.setRegister(ESP, esp);
  port.nextEip = eip;
}
type Six = [number, number, number, number, number, number];

/** Linear address of the top `bytes` of the stack; -1 when they wrap around its end. Throws #SS(0). */
function stackBlock(port: ProcessorPort, bytes: number): number {
  const mask = stackMask(port.system.segments.ss);
  const pointer = masked(port.getRegister(ESP), mask);
  return pointer + bytes - 1 > mask ? -1 : port.segmentAddress(SS, pointer, bytes, false);
}

/** EIP, CS and EFLAGS as IRET finds them. */
const popped3 = new Int32Array(3);
function readStack3(port: ProcessorPort, base: number, size: 2 | 4, user: boolean): void {
  if (size === 4 && base >= 0) port.readWords(base, 3, user, popped3);
  else for (let index = 0; index < 3; index++) popped3[index] = stackWord(port, base, index, size);
}

const stackWord = (port: ProcessorPort, base: number, index: number, size: 2 | 4): number =>
  base < 0 ? peek(port, index * size, size) : port.readLinear((base + index * size) >>> 0, size, port.cpl === 3);
