/** The public surface of virtlab. */
export { type EventKind, type MachineEvent, type Stop } from "./hardware/state.js";
export * from "./hardware/machine.js";
export { VirtlabError } from "./state/error.js";
