/** Where a guest in an outer ring stands: on the hypervisor's stack behind a gate, or in a machine at rest. */
import type { ProcessorPort } from "../../../hardware/cpu/processor.js";
import { cplOf } from "../../../hardware/cpu/state.js";
import type { MachineState } from "../../../hardware/state.js";
import { VirtualBoard, VirtualProcessor } from "../../../hardware/virtual-processor/index.js";
import { readPages } from "../../../state/page-map.js";
import { guestMemory } from "../../guest-memory.js";
import { GATE_STRIDE, TOP } from "../../layout.js";
import type { HypervisorState, VmState } from "../../state.js";
import type { Place } from "./capture.js";

const ESP = 4;
const FRAME_WORDS = 5;
/** Vectors that push an error code. Spec: SDM Vol. 3A, "Exception and Interrupt Vectors". */
const WITH_CODE: readonly number[] = [8, 10, 11, 12, 13, 14, 17];

export const hasErrorCode = (vector: number): boolean => WITH_CODE.includes(vector);

/** What stands on the stack of ring 0 behind a gate, from the error code on. */
function placeOf(words: readonly number[]): Place {
  const [eip, cs, eflags, esp, ss] = words as [number, number, number, number, number];
  return { eip, cs: cs & 0xffff, eflags, esp, ss: ss & 0xffff };
}

/** What the gate of a vector has pushed. */
export function placeBehindGate(
  port: ProcessorPort,
  vector: number,
): { readonly place: Place; readonly errorCode: number | undefined } {
  const hasCode = hasErrorCode(vector);
  const words = new Int32Array(FRAME_WORDS + 1);
  port.readWords(port.getRegister(ESP), FRAME_WORDS + (hasCode ? 1 : 0), false, words);
  return { place: placeOf([...words.subarray(hasCode ? 1 : 0)]), errorCode: hasCode ? words[0] : undefined };
}

/** The guest's descriptors in a machine at rest. */
export function tablesAtRest({ memory }: MachineState, { cpu, devices, extents, ticks }: VmState): VirtualProcessor {
  const words = {
    readPhysical: (at: number) => new DataView(readPages(memory, at, 4).buffer).getUint32(0, true),
    writePhysical: () => {},
  };
  return new VirtualProcessor(cpu, new VirtualBoard({ devices, tick: ticks }, guestMemory(words, extents)));
}

/** Where the guest stands in a machine at rest; undefined where that is what was kept of it. */
export function placeAtRest({ cpu, memory, supervisors }: MachineState): Place | undefined {
  const { eip, eflags, esp, system } = cpu;
  const { cs, ss } = system.segments;
  if (cplOf(system, eflags) !== 0) return { eip, eflags, esp, cs: cs.selector, ss: ss.selector };
  const { places, processors } = supervisors!["hypervisor"]!.state as HypervisorState;
  const running = processors.find((one) => one.running !== undefined)?.running;
  const offset = (eip >>> 0) - places.gates;
  // In front of the host call, what the guest was is on the stack alone.
  if (running === undefined || offset < 0 || offset % GATE_STRIDE !== 0) return undefined;
  const words = [...new Int32Array(readPages(memory, (esp >>> 0) - TOP, 24).slice().buffer)];
  return placeOf(hasErrorCode(offset / GATE_STRIDE) ? words.slice(1) : words);
}
