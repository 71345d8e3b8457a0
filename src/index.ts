/** The public surface of virtlab. */
export type { PageTableEntry, PageWalk } from "./hardware/cpu/paging.js";
export type { CpuState, Segment, SegmentName, SystemState, TableRegister } from "./hardware/cpu/state.js";
export type { DeviceSet } from "./hardware/devices/bus.js";
export {
  type BootModule,
  type BootOptions,
  type Counters,
  type CreateOptions,
  diff,
  type EditableMachine,
  Machine,
  type MachineDifference,
  type Registers,
  type RunOptions,
  type Until,
} from "./hardware/machine.js";
export type { EventKind, MachineEvent, Stop } from "./hardware/state.js";
export type { BytesDifference, StateDifference } from "./state/diff.js";
export { type Divergence, type DivergenceOptions, firstDivergence } from "./state/divergence.js";
export { VirtlabError } from "./state/error.js";
export type { Steppable } from "./state/steppable.js";
export { type Change, type FindOptions, Timeline } from "./state/timeline.js";
