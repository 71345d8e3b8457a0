/** What comes to a machine from outside between its runs, for devices that bring it to memory at once. */
import { VirtlabError } from "../state/error.js";
import { readPages, writePages } from "../state/page-map.js";
import { replaced } from "./devices/device-set.js";
import { type GuestMemory, NO_REACH } from "./devices/guest-memory.js";
import { driveLines } from "./devices/interrupt-lines.js";
import { typeAtConsole } from "./devices/virtio-console.js";
import type { MachineState } from "./state.js";

/**
 * The state with bytes typed at the virtio console.
 *
 * @throws VirtlabError for a machine without one.
 */
export function typedAtConsole(state: MachineState, bytes: Uint8Array): MachineState {
  const { devices, memorySize } = state;
  if (devices.virtioConsole === undefined) throw new VirtlabError("type: the machine has no virtio console");
  let { memory } = state;
  const guestMemory: GuestMemory = {
    read: (physical, length) =>
      physical + length <= memorySize ? readPages(memory, physical, length) : NO_REACH.memory.read(physical, length),
    write: (physical, written) => {
      if (physical + written.length <= memorySize) memory = writePages(memory, physical, written);
    },
  };
  const console = typeAtConsole(devices.virtioConsole, bytes, { ...NO_REACH, memory: guestMemory });
  const after = driveLines(replaced(devices, "virtioConsole", console), "virtioConsole", false);
  return { ...state, devices: after, memory };
}
