/** `show`: any value that has a display of its own, as one, with options where it takes some. */

import type { PageWalk } from "../hardware/cpu/paging.js";
import { Machine, type MachineDifference } from "../hardware/machine.js";
import { VirtlabError } from "../state/error.js";
import { Timeline } from "../state/timeline.js";
import { differenceDisplay } from "./diff-display.js";
import type { Display } from "./display.js";
import { type MachineDisplayOptions, machineDisplay } from "./machine-display.js";
import { timelineDisplay } from "./timeline-display.js";
import { walkDisplay } from "./walk-display.js";

/** What `show` knows how to show. */
export type Showable = Machine | Timeline<Machine> | MachineDifference | PageWalk;

/**
 * The value's display, as HTML and text. With `since`, what changed in a machine is marked.
 *
 * @throws VirtlabError for a value that has no display.
 */
export function show(value: Showable, options: MachineDisplayOptions = {}): Display {
  if (value instanceof Machine) return machineDisplay(value, options);
  if (value instanceof Timeline) return timelineDisplay(value);
  if (isDifference(value)) return differenceDisplay(value);
  if (isWalk(value)) return walkDisplay(value);
  throw new VirtlabError("show: the value is no machine, timeline, difference or page walk");
}

const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null;
const isDifference = (value: unknown): value is MachineDifference =>
  isRecord(value) && Array.isArray(value["state"]) && Array.isArray(value["memory"]);
const isWalk = (value: unknown): value is PageWalk =>
  isRecord(value) && typeof value["linear"] === "number" && Array.isArray(value["entries"]);
