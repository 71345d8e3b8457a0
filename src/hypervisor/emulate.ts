/** Executes one instruction of a guest on a processor that is a record: the same rows as everywhere, on the VM's own memory and devices. */
import type { CpuState } from "../hardware/cpu/state.js";
import { type Outcome, VirtualProcessor } from "../hardware/virtual-processor/index.js";
import type { Host } from "./host.js";

export interface Emulated {
  readonly outcome: Outcome;
  /** The virtual processor behind it. */
  readonly cpu: CpuState;
  /** Mnemonic. */
  readonly instruction: string;
}

/** The instruction at the guest's CS:EIP. A step that was made has counted its tick. */
export function emulated(host: Host, number: number, cpu: CpuState): Emulated {
  const processor = new VirtualProcessor(cpu, host.board(number));
  const outcome = processor.execute();
  return { outcome, cpu: processor.cpu, instruction: processor.instruction?.row?.mnemonic ?? "(bad)" };
}
