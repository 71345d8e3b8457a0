/**
 * Delivery of exceptions and interrupts, in every mode, and what becomes of a fault on the way: an exception in its
 * place, a double fault, the end.
 * Spec: SDM Vol. 3A, "Interrupt and Exception Handling", "Interrupt 8—Double Fault Exception (#DF)".
 */
import { checkRoom, writeWords } from "./frames.js";
import { type DeliveredEvent, VmExit } from "./guest-operation.js";
import { deliverThroughGate } from "./interrupt-gates.js";
import { deliverThroughLongGate } from "./long-gates.js";
import { setStackPointer } from "./operands.js";
import { checkCodeLimit } from "./privilege.js";
import { Fault, type ProcessorPort, VECTOR } from "./processor.js";
import { realModeSegment } from "./segments.js";
import { FLAG } from "./state.js";
import { TaskFault } from "./tasks.js";

/** For INT n ("software"), INT3 and INTO ("software exception") gates have a privilege; INT1 ("privileged") raises its exception as hardware does. */
export type EventSource = DeliveredEvent["type"];

/** An exception while delivering a double fault: the processor shuts down. */
export class TripleFault {}

const isOfInstruction = (source: EventSource): boolean => source === "software" || source === "software exception";
/** What an exception bitmap is asked for. */
const isException = (source: EventSource): boolean =>
  source === "exception" || source === "software exception" || source === "privileged";

/** The event as it is told to the host of a guest. */
function eventOf(
  port: ProcessorPort,
  vector: number,
  errorCode: number | undefined,
  type: EventSource,
): DeliveredEvent {
  const length = isOfInstruction(type) || type === "privileged" ? { length: port.nextEip - port.eip } : {};
  return { vector, type, ...(errorCode === undefined ? {} : { errorCode }), ...length };
}

/** A guest's shutdown is its host's to see. */
function throwTripleFault(port: ProcessorPort, vectoring: DeliveredEvent | undefined): never {
  try {
    port.guest?.check(port, { kind: "triple-fault" });
  } catch (thrown) {
    if (thrown instanceof VmExit) throw new VmExit(thrown.cause, vectoring);
    throw thrown;
  }
  throw new TripleFault();
}

/**
 * The host of a guest is asked for the second exception before both become one.
 * Spec: SDM Vol. 3C, "Information for VM Exits That Occur During Event Delivery"; AMD64 Vol. 2, "Exception Intercepts".
 */
function checkSecond(port: ProcessorPort, fault: Fault, vectoring: DeliveredEvent | undefined): void {
  const { vector } = fault;
  try {
    const event = eventOf(port, vector, external(fault), "exception");
    port.guest?.check(port, { kind: "exception", event, payload: port.payloadOf(vector) });
  } catch (thrown) {
    if (thrown instanceof VmExit) throw new VmExit(thrown.cause, vectoring);
    throw thrown;
  }
}

/** Contributory exceptions. Spec: SDM Vol. 3A, "Interrupt 8—Double Fault Exception (#DF)". */
const isContributory = (vector: number): boolean =>
  vector === VECTOR.DE || (vector >= VECTOR.TS && vector <= VECTOR.GP);

function makesDoubleFault(first: number, second: number): boolean {
  if (isContributory(first)) return isContributory(second);
  return first === VECTOR.PF && (isContributory(second) || second === VECTOR.PF);
}

/** Bit n: exception n is reported before the instruction that raised it: #DE, #BR to #NM, #TS to #PF, #MF, #AC, #XM. */
export const FAULT_CLASS = 0b1011_0111_1100_1110_0001;
const isFaultClass = (vector: number): boolean => vector < 20 && ((FAULT_CLASS >>> vector) & 1) !== 0;

/**
 * Delivers an event: pushes the frame and goes to the handler. A fault on the way is delivered in its place, as #DF
 * where the rules say so; a fault while delivering #DF throws TripleFault. `returnEip` is what the frame says, and
 * `faultEip` what the frame of a fault on the way says; `injected` by an entry into a guest. Registers change only when nothing
 * can fault any more.
 * Spec: SDM Vol. 3A, "Exception- and Interrupt-Handler Procedures"; Vol. 2A, INT n/INTO/INT3/INT1—Call to Interrupt
 * Procedure; Vol. 3C, "VM Exits During Event Injection"; AMD64 Vol. 2, "Event Injection".
 */
export function deliver(
  port: ProcessorPort,
  vector: number,
  errorCode: number | undefined,
  source: EventSource,
  returnEip: number,
  faultEip = port.eip,
  injected = false,
): void {
  let resume = false;
  /** What a host injects never leaves the guest itself, and its frame has the guest's RF; what comes in its way is as ever. */
  let asked = !injected;
  /** What a guest was being delivered when something else came in its way. */
  let vectoring: DeliveredEvent | undefined;
  for (;;) {
    // Sticky: the frame of a double fault says RF when one of its faults would have.
    resume ||= asked && source === "exception" && isFaultClass(vector);
    const { guest } = port;
    try {
      if (guest !== undefined) {
        const event = eventOf(port, vector, errorCode, source);
        if (asked && isException(source))
          guest.check(port, { kind: "exception", event, payload: port.payloadOf(vector) });
        vectoring = event;
      }
      deliverOnce(port, vector, errorCode, isOfInstruction(source), returnEip, resume);
      return;
    } catch (thrown) {
      if (thrown instanceof VmExit) throw new VmExit(thrown.cause, vectoring);
      if (!(thrown instanceof Fault)) throw thrown;
      asked = true;
      const failed = source === "exception" ? vector : -1;
      if (failed === VECTOR.DF) {
        port.faulted(thrown);
        throwTripleFault(port, vectoring);
      }
      returnEip = thrown instanceof TaskFault ? port.nextEip : faultEip;
      faultEip = returnEip;
      if (makesDoubleFault(failed, thrown.vector)) {
        checkSecond(port, thrown, vectoring);
        port.faulted(thrown);
        port.faulted(new Fault(VECTOR.DF, 0));
        vector = VECTOR.DF;
        errorCode = 0;
      } else {
        vector = thrown.vector;
        errorCode = isOfInstruction(source) ? thrown.errorCode : external(thrown);
        port.faulted(new Fault(vector, errorCode, thrown.rule));
      }
      source = "exception";
    }
  }
}

/** The error code of a fault during the delivery of an event from outside of the program: with EXT set. */
const external = ({ vector, errorCode }: Fault): number | undefined =>
  errorCode === undefined || vector === VECTOR.PF ? errorCode : errorCode | 1;

function deliverOnce(
  port: ProcessorPort,
  vector: number,
  errorCode: number | undefined,
  software: boolean,
  returnEip: number,
  resume: boolean,
): void {
  if (port.mode === "real") {
    deliverThroughVector(port, vector, returnEip);
    return;
  }
  const eflags = port.getEflags();
  const deliverGate = port.long ? deliverThroughLongGate : deliverThroughGate;
  deliverGate(port, vector, errorCode, software, returnEip, resume ? eflags | FLAG.RF : eflags);
}

/** Real mode: through a far pointer of the interrupt vector table, without an error code. Spec: SDM Vol. 3B, "Interrupt and Exception Handling" of real-address mode. */
function deliverThroughVector(port: ProcessorPort, vector: number, returnEip: number): void {
  const { idtr, segments } = port.system;
  if (vector * 4 + 3 > idtr.limit) throw new Fault(VECTOR.GP, vector * 8 + 2, "vector-outside-table");
  const { cs, ss } = segments;
  const pointer = port.getRegister(4);
  checkRoom(ss, pointer, 2, 3, 0);
  const entry = (idtr.base + vector * 4) >>> 0;
  const offset = port.readLinear(entry, 2, false);
  const code = realModeSegment(port, "cs", port.readLinear((entry + 2) >>> 0, 2, false));
  checkCodeLimit(offset, code.limit);
  const eflags = port.getEflags();
  const low = writeWords(port, ss, pointer, 2, [eflags, cs.selector, returnEip], false);
  setStackPointer(port, ss, low);
  port.setEflags(eflags & ~(FLAG.IF | FLAG.TF | FLAG.RF | FLAG.AC));
  port.setSegment("cs", code);
  port.nextEip = offset;
}

/**
 * Does a task switch by an instruction. A fault behind its commit point is delivered in the new task at once: there is
 * no going back to the instruction. Spec: SDM Vol. 3A, "Task Switching".
 */
export function reportInNewTask(port: ProcessorPort, switchTask: () => void): void {
  try {
    switchTask();
  } catch (thrown) {
    if (!(thrown instanceof TaskFault)) throw thrown;
    port.faulted(thrown);
    deliver(port, thrown.vector, thrown.errorCode, "exception", port.nextEip, port.nextEip);
  }
}
