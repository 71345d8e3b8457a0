/**
 * Delivery of exceptions and interrupts through the IDT, the stack switch through the TSS, and IRET.
 * Left out so far, visibly: task gates, 16-bit gates, virtual-8086 mode, nested tasks.
 * Spec: SDM Vol. 3A, "Exception- and Interrupt-Handler Procedures", "Double Fault Exception (#DF)"; Vol. 2A, IRET/IRETD.
 */
import { Fault, type ProcessorPort, Unsupported, VECTOR } from "./processor.js";
import { dropInnerSegments, readCodeSegment, readStackSegment, SYSTEM_TYPE, withSegment } from "./segments.js";
import { ACCESS, dplOf, FLAG, type Segment } from "./state.js";

export type EventSource = "exception" | "interrupt" | "software";

/** An exception while delivering a double fault: the processor shuts down. */
export class TripleFault {}

/** Contributory exceptions. Spec: SDM Vol. 3A, "Interrupt 8—Double Fault Exception (#DF)". */
const isContributory = (vector: number): boolean =>
  vector === VECTOR.DE || (vector >= VECTOR.TS && vector <= VECTOR.GP);

function makesDoubleFault(first: number, second: number): boolean {
  if (isContributory(first)) return isContributory(second);
  return first === VECTOR.PF && (isContributory(second) || second === VECTOR.PF);
}

/**
 * Delivers an event: pushes the frame and goes to the handler. A fault on the way is delivered in its place, as #DF
 * where the rules say so; a fault while delivering #DF throws TripleFault. `returnEip` is what the frame says.
 */
export function deliver(
  port: ProcessorPort,
  vector: number,
  errorCode: number | undefined,
  source: EventSource,
  returnEip: number,
): void {
  let currentVector = vector;
  let currentError = errorCode;
  let currentSource = source;
  let currentReturn = returnEip;
  for (;;) {
    try {
      deliverOnce(port, currentVector, currentError, currentSource, currentReturn);
      return;
    } catch (thrown) {
      if (!(thrown instanceof Fault)) throw thrown;
      if (currentSource === "exception") {
        if (currentVector === VECTOR.DF) {
          port.faulted(thrown);
          throw new TripleFault();
        }
        if (makesDoubleFault(currentVector, thrown.vector)) {
          port.faulted(thrown);
          port.faulted(new Fault(VECTOR.DF, 0));
          currentVector = VECTOR.DF;
          currentError = 0;
          continue;
        }
      }
      // A fault in INT n itself returns to the INT; EXT is set for anything else.
      const external = currentSource === "software" ? 0 : 1;
      if (currentSource === "software") currentReturn = port.eip;
      currentVector = thrown.vector;
      currentError =
        thrown.errorCode === undefined || thrown.vector === VECTOR.PF ? thrown.errorCode : thrown.errorCode | external;
      currentSource = "exception";
      port.faulted(new Fault(currentVector, currentError, thrown.rule));
    }
  }
}

function deliverOnce(
  port: ProcessorPort,
  vector: number,
  errorCode: number | undefined,
  source: EventSource,
  returnEip: number,
): void {
  const { idtr } = port.system;
  const idtError = vector * 8 + 2;
  if (vector * 8 + 7 > idtr.limit) throw new Fault(VECTOR.GP, idtError);
  const gate = (idtr.base + vector * 8) >>> 0;
  const low = port.readLinear(gate, 4, false);
  const high = port.readLinear((gate + 4) >>> 0, 4, false);
  const type = (high >>> 8) & 0x1f;
  if (type === SYSTEM_TYPE.TASK_GATE || type === SYSTEM_TYPE.INTERRUPT_GATE16 || type === SYSTEM_TYPE.TRAP_GATE16) {
    throw new Unsupported(
      `interrupt ${vector} through ${type === SYSTEM_TYPE.TASK_GATE ? "a task gate" : "a 16-bit gate"}`,
    );
  }
  if (type !== SYSTEM_TYPE.INTERRUPT_GATE32 && type !== SYSTEM_TYPE.TRAP_GATE32) throw new Fault(VECTOR.GP, idtError);
  if (source === "software" && ((high >>> 13) & 3) < port.cpl) throw new Fault(VECTOR.GP, idtError);
  if ((high & 0x8000) === 0) throw new Fault(VECTOR.NP, idtError);

  const code = readCodeSegment(port, low >>> 16, "gate");
  const handler = ((high & 0xffff0000) | (low & 0xffff)) >>> 0;
  const eflags = port.getEflags();
  const { cs, ss } = port.system.segments;
  const frame: number[] = [eflags, cs.selector, returnEip, ...(errorCode === undefined ? [] : [errorCode])];
  const target = code.selector & 3;
  if (target < port.cpl) {
    const stack = innerStack(port, target);
    frame.unshift(ss.selector, port.getRegister(4));
    const esp = pushFrame(port, stack.ss, stack.esp, frame);
    port.setSystem({ segments: Object.freeze({ ...port.system.segments, cs: code, ss: stack.ss }) });
    port.setRegister(4, esp);
  } else {
    const esp = pushFrame(port, ss, port.getRegister(4), frame);
    port.setSystem(withSegment(port.system, "cs", code));
    port.setRegister(4, esp);
  }
  const cleared = FLAG.TF | FLAG.NT | FLAG.RF | FLAG.VM | (type === SYSTEM_TYPE.INTERRUPT_GATE32 ? FLAG.IF : 0);
  port.setEflags(eflags & ~cleared);
  port.nextEip = handler;
}

/** SSn:ESPn of the current TSS. */
function innerStack(port: ProcessorPort, level: number): { ss: Segment; esp: number } {
  const { tr } = port.system;
  const offset = level * 8 + 4;
  if ((tr.access & ACCESS.PRESENT) === 0 || offset + 5 > tr.limit) throw new Fault(VECTOR.TS, tr.selector & 0xfffc);
  const esp = port.readLinear((tr.base + offset) >>> 0, 4, false);
  const selector = port.readLinear((tr.base + offset + 4) >>> 0, 2, false);
  return { esp, ss: readStackSegment(port, selector, level, VECTOR.TS) };
}

/** Pushes 32-bit words at the privilege of the stack; gives the new ESP. Checked before the first word is written. */
function pushFrame(port: ProcessorPort, ss: Segment, esp: number, words: readonly number[]): number {
  const bottom = (esp - 4 * words.length) >>> 0;
  if (bottom + 4 * words.length - 1 > ss.limit) throw new Fault(VECTOR.SS, 0);
  const user = dplOf(ss.access) === 3;
  let at = esp;
  for (const word of words) {
    at = (at - 4) >>> 0;
    port.writeLinear((ss.base + at) >>> 0, 4, word >>> 0, user);
  }
  return at;
}

/** IRET with 32-bit operands, to the same or an outer level. */
export function interruptReturn(port: ProcessorPort): void {
  const eflags = port.getEflags();
  if ((eflags & FLAG.NT) !== 0) throw new Unsupported("IRET with NT set (return from a nested task)");
  const { ss } = port.system.segments;
  const user = port.cpl === 3;
  const esp = port.getRegister(4);
  const word = (index: number): number => port.readLinear((ss.base + esp + 4 * index) >>> 0, 4, user);
  const eip = word(0);
  const selector = word(1) & 0xffff;
  const popped = word(2);
  if ((popped & FLAG.VM) !== 0 && port.cpl === 0) throw new Unsupported("IRET to virtual-8086 mode");
  const code = readCodeSegment(port, selector, "return");
  const cpl = port.cpl;
  const target = code.selector & 3;
  if (target > cpl) {
    const outerEsp = word(3);
    const stack = readStackSegment(port, word(4) & 0xffff, target, VECTOR.GP);
    if (eip > code.limit) throw new Fault(VECTOR.GP, 0);
    const system = { ...port.system, segments: Object.freeze({ ...port.system.segments, cs: code, ss: stack }) };
    port.setEflags(mergeEflags(eflags, popped, cpl));
    port.setSystem(dropInnerSegments(system, target));
    port.setRegister(4, outerEsp);
  } else {
    if (eip > code.limit) throw new Fault(VECTOR.GP, 0);
    port.setEflags(mergeEflags(eflags, popped, cpl));
    port.setSystem(withSegment(port.system, "cs", code));
    port.setRegister(4, (esp + 12) >>> 0);
  }
  port.nextEip = eip;
}

/**
 * What POPF and IRET may change: IF when CPL is not above IOPL, IOPL at CPL 0 only; the rest silently stays.
 * VM, VIF and VIP never change here, and RF is loaded by IRET alone.
 */
export function mergeEflags(old: number, loaded: number, cpl: number, withRf = true): number {
  const iopl = (old & FLAG.IOPL) >> 12;
  let may: number =
    FLAG.CF | FLAG.PF | FLAG.AF | FLAG.ZF | FLAG.SF | FLAG.TF | FLAG.DF | FLAG.OF | FLAG.NT | FLAG.AC | FLAG.ID;
  if (withRf) may |= FLAG.RF;
  if (cpl <= iopl) may |= FLAG.IF;
  if (cpl === 0) may |= FLAG.IOPL;
  return (old & ~may) | (loaded & may) | FLAG.RESERVED;
}
