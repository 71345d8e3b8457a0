/**
 * IRET and far RET in IA-32e mode: from 64-bit code and compatibility mode to either, to the same and to outer levels.
 * Spec: SDM Vol. 2A, IRET/IRETD/IRETQ—Interrupt Return; Vol. 2B, RET—Return From Procedure; Vol. 3A, "IRET in IA-32e Mode".
 */
import { type Descriptor, isCode64, isNull, loadedSegment } from "./descriptors.js";
import { ioplOf, replaceFlags, returnable } from "./flags.js";
import { release, setStackPointer, stackAddress } from "./operands.js";
import { checkTarget, codeAt, readReturnCode } from "./privilege.js";
import { Fault, type ProcessorPort, VECTOR } from "./processor.js";
import { addressOf, setRegisterAddress } from "./quadwords.js";
import { dropInnerSegments, nullSegment, readStack } from "./segments.js";
import { FLAG, type Segment } from "./state.js";

const RSP = 4;
export type WordSize = 2 | 4 | 8;

/** What has been read of the stack, zero-extended. */
const low = new Int32Array(5);
const high = new Int32Array(5);
const quad = new Int32Array(2);

/** Reads words `from` to `to` - 1, the first of them `skip` bytes above the stack pointer. */
function readStackWords(port: ProcessorPort, from: number, to: number, size: WordSize, skip: number): void {
  const user = port.cpl === 3;
  for (let index = from; index < to; index++) {
    const linear = stackAddress(port, skip + (index - from) * size, size, false);
    if (size === 8) {
      port.readWords(linear, 2, user, quad);
      low[index] = quad[0]!;
      high[index] = quad[1]!;
    } else {
      low[index] = port.readLinear(linear, size, user);
      high[index] = 0;
    }
  }
}

const selectorAt = (index: number): number => low[index]! & 0xffff;

/** Stack of the code returned to. 64-bit code above CPL 3 needs none. Throws #GP, #SS or #NP. */
function returnStack(port: ProcessorPort, selector: number, code: Descriptor, level: number): Segment {
  if (isNull(selector) && isCode64(code) && level !== 3) return nullSegment(selector);
  return loadedSegment(port, readStack(port, selector, level), selector);
}

/** Loads the stack pointer that was read as word `index`, `extra` bytes further on. */
function loadPointer(port: ProcessorPort, index: number, extra: number, code: Descriptor, ss: Segment): void {
  if (!isCode64(code)) setStackPointer(port, ss, low[index]! + extra);
  else if (extra === 0) port.setRegister(RSP, low[index]!, high[index]!);
  else setRegisterAddress(port, RSP, addressOf(low[index]!, high[index]!) + extra);
}

/** IRET with words of `size` bytes. 64-bit code always gives a stack, too. */
export function interruptReturnLong(port: ProcessorPort, size: WordSize): void {
  const eflags = port.getEflags();
  if ((eflags & FLAG.NT) !== 0) throw new Fault(VECTOR.GP, 0, "no-tasks-in-long-mode");
  const { cpl } = port;
  readStackWords(port, 0, 3, size, 0);
  const selector = selectorAt(1);
  const code = readReturnCode(port, selector, cpl);
  const level = selector & 3;
  const rip = addressOf(low[0]!, high[0]!);
  const loaded = replaceFlags(eflags, low[2]!, returnable(port, cpl, ioplOf(eflags), size === 2 ? 2 : 4));
  const withStack = level !== cpl || port.codeBits === 64;
  let ss: Segment | undefined;
  if (withStack) {
    readStackWords(port, 3, 5, size, 3 * size);
    ss = returnStack(port, selectorAt(4), code, level);
  }
  checkTarget(port, rip, code);
  const cs = codeAt(port, code, level);
  port.setEflags(loaded);
  if (ss === undefined) release(port, 3 * size);
  port.setSegment("cs", cs);
  if (ss !== undefined) {
    port.setSegment("ss", ss);
    loadPointer(port, 3, 0, code, ss);
  }
  if (level !== cpl) dropInnerSegments(port, level);
  port.nextEip = rip;
}

/** Far RET, with `extra` bytes of parameters to release. */
export function returnFarLong(port: ProcessorPort, size: WordSize, extra: number): void {
  const { cpl } = port;
  readStackWords(port, 0, 2, size, 0);
  const selector = selectorAt(1);
  const code = readReturnCode(port, selector, cpl);
  const level = selector & 3;
  const rip = addressOf(low[0]!, high[0]!);
  if (level === cpl) {
    checkTarget(port, rip, code);
    const cs = codeAt(port, code, level);
    release(port, 2 * size + extra);
    port.setSegment("cs", cs);
    port.nextEip = rip;
    return;
  }
  readStackWords(port, 2, 4, size, 2 * size + extra);
  const ss = returnStack(port, selectorAt(3), code, level);
  checkTarget(port, rip, code);
  port.setSegment("cs", codeAt(port, code, level));
  port.setSegment("ss", ss);
  loadPointer(port, 2, extra, code, ss);
  dropInnerSegments(port, level);
  port.nextEip = rip;
}
