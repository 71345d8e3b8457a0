/**
 * The way between a guest in an outer ring and the hypervisor: what a gate pushes on the stack of ring 0, and the IRET behind the
 * host call of each gate.
 * Spec: SDM Vol. 3A, "Stack Usage on Transfers to Interrupt or Exception-Handling Routines".
 */
import type { ProcessorPort } from "../../hardware/cpu/processor.js";
import { cplOf, FLAG } from "../../hardware/cpu/state.js";
import type { MachineState } from "../../hardware/state.js";
import { readPages } from "../../state/page-map.js";
import type { Host } from "../host.js";
import { GATE_STRIDE, PLACE, TOP } from "../layout.js";
import type { HypervisorState } from "../state.js";

/** Where a guest stands. */
export interface Place {
  readonly eip: number;
  readonly cs: number;
  readonly eflags: number;
  readonly esp: number;
  readonly ss: number;
}

const ESP = 4;
const FRAME_WORDS = 5;
/** Vectors that push an error code. Spec: SDM Vol. 3A, "Exception and Interrupt Vectors". */
const WITH_CODE: readonly number[] = [8, 10, 11, 12, 13, 14, 17];
/** Bytes of the host call that begins each gate's code. */
const HOST_CALL = 2;

export const hasErrorCode = (vector: number): boolean => WITH_CODE.includes(vector);

/** What stands on the stack of ring 0 from EIP on. */
function placeOf(words: readonly number[]): Place {
  const [eip, cs, eflags, esp, ss] = words as [number, number, number, number, number];
  return { eip, cs: cs & 0xffff, eflags, esp, ss: ss & 0xffff };
}

/** Where the guest was when the gate of a vector was gone through, and the error code, if the vector has one. */
export function leftAt(port: ProcessorPort, vector: number): { readonly place: Place; readonly errorCode?: number } {
  const words = new Int32Array(FRAME_WORDS + 1);
  const withCode = hasErrorCode(vector);
  port.readWords(port.getRegister(ESP), FRAME_WORDS + (withCode ? 1 : 0), false, words);
  const place = placeOf([...words.subarray(withCode ? 1 : 0)]);
  return withCode ? { place, errorCode: words[0]! } : { place };
}

/** Ends the handler in the guest: by the IRET behind the host call of a gate, which is a step of the host's. */
export function goTo({ port, state }: Host, { eip, cs, eflags, esp, ss }: Place): void {
  const words = Int32Array.of(eip, cs, eflags, esp, ss);
  const top = TOP + PLACE.stack - 4 * FRAME_WORDS;
  port.writeWords(top, words.length, false, words);
  port.setRegister(ESP, top);
  port.setEflags(port.getEflags() & ~(FLAG.NT | FLAG.IF));
  port.nextEip = state.places.gates + HOST_CALL;
}

/** Where the guest stands in a machine at rest; undefined where that is what was kept of it. */
export function placeAtRest({ cpu, memory, supervisors }: MachineState): Place | undefined {
  const { eip, eflags, esp, system } = cpu;
  const { cs, ss } = system.segments;
  if (cplOf(system, eflags) !== 0) return { eip, eflags, esp, cs: cs.selector, ss: ss.selector };
  const { places, running } = supervisors!["hypervisor"]!.state as HypervisorState;
  const offset = (eip >>> 0) - places.gates;
  // In front of the host call, what the guest was is on the stack alone.
  if (running === undefined || offset < 0 || offset % GATE_STRIDE !== 0) return undefined;
  const words = [...new Int32Array(readPages(memory, (esp >>> 0) - TOP, 4 * (FRAME_WORDS + 1)).slice().buffer)];
  return placeOf(hasErrorCode(offset / GATE_STRIDE) ? words.slice(1) : words);
}
