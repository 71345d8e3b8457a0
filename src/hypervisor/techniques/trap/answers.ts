/** What an exception or interrupt that left a guest of an outer ring is answered with. */
import { VECTOR } from "../../../hardware/cpu/processor.js";
import type { Host } from "../../host.js";
import { type Answer, note } from "../emulation.js";
import { emulate, inject, injectStep, isHostInterrupt, pageFault, reasonOf, settle } from "../record.js";

/** What may have been raised because the guest is not in the ring it thinks it is in: these are met again on the virtual processor. */
const OF_THE_RING: readonly number[] = [VECTOR.TS, VECTOR.NP, VECTOR.SS, VECTOR.GP];

function answerTo(host: Host, number: number, vector: number, errorCode: number | undefined): Answer {
  if (isHostInterrupt(vector)) return { effect: "host interrupt" };
  if (vector === VECTOR.PF) return pageFault(host, number, errorCode!);
  if (vector === VECTOR.DB) return injectStep(host, number);
  if (OF_THE_RING.includes(vector) || (vector === VECTOR.UD && host.vm(number).supervisors !== undefined))
    return emulate(host, number);
  return inject(host, number, vector, errorCode);
}

/** Answers what left the guest, and writes it into the VM's ledger. */
export function answer(host: Host, number: number, vector: number, errorCode: number | undefined): void {
  note(host, number, reasonOf(vector), vector, answerTo(host, number, vector, errorCode));
  settle(host, number);
}
