/** What people may edit of a machine, and what no machine could be after it. */
import { produce } from "immer";
import { VirtlabError } from "../state/error.js";
import { FLAG, type generalNames } from "./cpu/state.js";
import type { DeviceSet } from "./devices/bus.js";
import { firstMisfit } from "./machine-content.js";
import type { MachineState } from "./state.js";

/** What `machine.edit` may change. */
export interface EditableMachine {
  registers: { -readonly [K in (typeof generalNames)[number] | "eip" | "eflags"]: number };
  devices: { -readonly [K in keyof DeviceSet]: DeviceSet[K] };
}

/** All EFLAGS bits but those that always read as zero. */
const DEFINED_FLAGS = 0x3f7fd7;

/**
 * The state with registers or devices edited.
 *
 * @throws VirtlabError for what no machine could be: unknown registers or devices, another VM flag, values that are no numbers.
 */
export function editedState(state: MachineState, recipe: (draft: EditableMachine) => void): MachineState {
  const { cpu, devices } = state;
  const { eax, ecx, edx, ebx, esp, ebp, esi, edi, eip, eflags } = cpu;
  const before = { registers: { eax, ecx, edx, ebx, esp, ebp, esi, edi, eip, eflags }, devices };
  const after = produce(before, (draft) => {
    recipe(draft as unknown as EditableMachine); // what it returns, as a short arrow function does, is not meant
  });
  if (((after.registers.eflags ^ eflags) & FLAG.VM) !== 0)
    throw new VirtlabError("edit: EFLAGS.VM cannot be changed: the segment registers would have to change with it");
  for (const [name, value] of Object.entries(after.registers)) {
    if (!(name in before.registers)) throw new VirtlabError(`edit: there is no register "${name}"`);
    if (!Number.isInteger(value)) throw new VirtlabError(`edit: ${name} is not a whole number (${String(value)})`);
  }
  const misfit = firstMisfit(before, after, "edit") ?? firstMisfit(after, before, "edit");
  if (misfit !== undefined) throw new VirtlabError(`${misfit} is unknown, missing or of the wrong type`);
  const signed = Object.fromEntries(Object.entries(after.registers).map(([name, value]) => [name, value | 0]));
  const flags = (after.registers.eflags | FLAG.RESERVED) & DEFINED_FLAGS;
  return { ...state, cpu: { ...cpu, ...signed, eflags: flags }, devices: after.devices };
}
