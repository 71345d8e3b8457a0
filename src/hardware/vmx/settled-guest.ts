/**
 * What a VM exit makes of the guest's state before it is saved: RF as its cause has it, and which debug exceptions go on waiting.
 * Spec: SDM Vol. 3C, "Saving RIP, RSP, RFLAGS, and SSP", "Saving Non-Register State".
 */
import { FAULT_CLASS } from "../cpu/exceptions.js";
import type { DeliveredEvent, ExitCause } from "../cpu/guest-operation.js";
import { type ProcessorPort, VECTOR } from "../cpu/processor.js";
import { FLAG } from "../cpu/state.js";

/** Whether the frame of an exception would say RF: a fault's, and that of what faults lead to. */
const saysResume = ({ type, vector }: DeliveredEvent): boolean =>
  type === "exception" && (vector === VECTOR.DF || (vector < 20 && ((FAULT_CLASS >>> vector) & 1) !== 0));

/** RF as it is saved; undefined where it stays as it is. */
function savedResume(cause: ExitCause, vectoring: DeliveredEvent | undefined): boolean | undefined {
  switch (cause.kind) {
    case "instruction":
    case "control-register":
    case "debug-register":
    case "port":
    case "msr":
      return false;
    case "exception":
      if (cause.event.type !== "exception") return false;
      return saysResume(cause.event) ? true : undefined;
    case "triple-fault":
      return true;
    case "nested-fault":
      return vectoring === undefined || saysResume(vectoring) ? true : undefined;
    case "task-switch":
      return vectoring !== undefined && saysResume(vectoring) ? true : undefined;
    default:
      return undefined;
  }
}

const isDebugException = (cause: ExitCause): boolean => cause.kind === "exception" && cause.event.vector === VECTOR.DB;

/** Debug exceptions are told to the host where they can be delivered later alone. */
const keepsDebug = ({ between }: ProcessorPort, cause: ExitCause): boolean =>
  cause.kind === "init" ||
  cause.kind === "monitor-trap" ||
  cause.kind === "tpr-below-threshold" ||
  (between.shadow === "mov-ss" && !isDebugException(cause));

/** Settles RFLAGS and the pending debug exceptions of a guest that is being left. */
export function settleGuest(port: ProcessorPort, cause: ExitCause, vectoring: DeliveredEvent | undefined): void {
  const resume = savedResume(cause, vectoring);
  const eflags = port.getEflags();
  if (resume !== undefined && resume !== ((eflags & FLAG.RF) !== 0))
    port.setEflags(resume ? eflags | FLAG.RF : eflags & ~FLAG.RF);
  const { pending } = port.between;
  if (pending.debug !== 0 && !keepsDebug(port, cause)) port.setBetween({ pending: { ...pending, debug: 0 } });
}
