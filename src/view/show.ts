/** `show`: any value that has a display of its own, as one, with options where it takes some. */

import type { PageWalk } from "../hardware/cpu/page-walk.js";
import type { DescriptorEntry } from "../hardware/inspect/descriptor.js";
import type { VmEntryCheck, WhyEntryFails } from "../hardware/inspect/entry-failures.js";
import type { Explanation } from "../hardware/inspect/explain.js";
import type { Flags } from "../hardware/inspect/flags.js";
import type { InterruptControllers } from "../hardware/inspect/interrupt-controllers.js";
import type { InventoryDifference, InventoryItem } from "../hardware/inspect/inventory.js";
import type { RegisterValue } from "../hardware/inspect/registers.js";
import type { Screen } from "../hardware/inspect/screen.js";
import type { Selector } from "../hardware/inspect/selector.js";
import type { TaskState } from "../hardware/inspect/task-state.js";
import type { ExitReasonEntry, ExplainedExit } from "../hardware/inspect/vm-exits.js";
import type { VmTransition } from "../hardware/inspect/vm-transition.js";
import type { Vmcb } from "../hardware/inspect/vmcb.js";
import type { Vmcs } from "../hardware/inspect/vmcs.js";
import type { Why } from "../hardware/inspect/why.js";
import { Machine, type MachineDifference } from "../hardware/machine.js";
import { ToyMachine } from "../hardware/toy/machine.js";
import type { Hypervisor } from "../hypervisor/hypervisor.js";
import type { LedgerEntry } from "../hypervisor/ledger.js";
import type { Vm } from "../hypervisor/options.js";
import type { VmStatistics } from "../hypervisor/statistics.js";
import { VirtlabError } from "../state/error.js";
import { Timeline } from "../state/timeline.js";
import { DISPLAY, Display, type Displayable, type MimeBundle } from "./display.js";
import { differenceDisplay } from "./displays/diff-display.js";
import { type MachineDisplayOptions, machineDisplay } from "./displays/machine-display.js";
import { type ToyDisplayOptions, toyDisplay } from "./displays/toy-display.js";
import { walkDisplay } from "./displays/walk-display.js";
import { timelineDisplay } from "./timeline-display.js";

/** What `show` knows how to show. */
export type Showable = Machine | Timeline<Machine> | Timeline<ToyMachine> | MachineDifference | PageWalk | Inspection;

/** Values made from a machine that have a display of their own: `flagsOf`, `descriptorTable`, `why` and the like. */
export type Inspection =
  | readonly RegisterValue[]
  | Flags
  | readonly DescriptorEntry[]
  | Selector
  | TaskState
  | InterruptControllers
  | Screen
  | Explanation
  | Why
  | VmTransition
  | Vmcs
  | Vmcb
  | ExplainedExit
  | WhyEntryFails
  | readonly ExitReasonEntry[]
  | readonly VmEntryCheck[]
  | Hypervisor
  | Vm
  | readonly LedgerEntry[]
  | VmStatistics
  | readonly InventoryItem[]
  | InventoryDifference;

/**
 * The value's display, as HTML and text. With `since`, what changed in a machine is marked.
 *
 * @throws VirtlabError for a value that has no display.
 *
 * @example
 * const machine = Machine.create({ memory: "1M" });
 * show(machine.walk(0x1234)).text.split("\n")[1] // => '  → physical 0x00001234 (paging is off)'
 */
export function show(value: Showable, options?: MachineDisplayOptions): Display;
export function show(value: ToyMachine, options?: ToyDisplayOptions): Display;
export function show(value: Showable | ToyMachine, options: MachineDisplayOptions | ToyDisplayOptions = {}): Display {
  if (value instanceof Machine) return machineDisplay(value, options as MachineDisplayOptions);
  if (value instanceof ToyMachine) return toyDisplay(value, options as ToyDisplayOptions);
  if (value instanceof Timeline) return timelineDisplay(value as Timeline<Machine>);
  if (isDisplayable(value)) {
    const { "text/html": html, "text/plain": text } = value[DISPLAY]() as MimeBundle;
    if (typeof html === "string" && typeof text === "string") return new Display(html, text);
  }
  // Those that were made by other means, such as from a file, have no method of their own.
  if (isDifference(value)) return differenceDisplay(value);
  if (isWalk(value)) return walkDisplay(value);
  throw new VirtlabError("show: the value is no machine, timeline, difference or page walk, nor made from one");
}

const isDisplayable = (value: unknown): value is Displayable => isRecord(value) && typeof value[DISPLAY] === "function";

const isRecord = (value: unknown): value is Readonly<Record<string | symbol, unknown>> =>
  typeof value === "object" && value !== null;
const isDifference = (value: unknown): value is MachineDifference =>
  isRecord(value) && Array.isArray(value["state"]) && Array.isArray(value["memory"]);
const isWalk = (value: unknown): value is PageWalk =>
  isRecord(value) && typeof value["linear"] === "number" && Array.isArray(value["entries"]);
