/** Time namespaces: what is added to the monotonic and the boot-time clock. Spec: time_namespaces(7). */
import { E } from "../errno.js";
import type { Task } from "../state.js";
import { may } from "../tasks/capabilities.js";
import { START, secondsAt } from "../time.js";
import type { Work } from "../work.js";
import { addNamespace, type Namespace } from "./records.js";

/** Seconds, and nanoseconds from 0 to 999,999,999. */
type Offset = readonly [seconds: number, nanoseconds: number];

export interface TimeNamespace extends Namespace {
  readonly kind: "time";
  readonly monotonic: Offset;
  readonly boottime: Offset;
  /** A process is in it: the offsets stay as they are. */
  readonly entered: boolean;
}

export const firstTimeNamespace = { monotonic: [0, 0], boottime: [0, 0], entered: true } as const;

export function newTimeNamespace(k: Work, from: number, home: number): number {
  const { monotonic, boottime } = k.objectOf<TimeNamespace>(from);
  return addNamespace<TimeNamespace>(k, { kind: "time", home, monotonic, boottime, entered: false });
}

/** A process goes on in the time namespace that was meant for its children. */
export function enterTime(k: Work, id: number): void {
  if (!k.objectOf<TimeNamespace>(id).entered) k.changeObject<TimeNamespace>(id, { entered: true });
}

/** Seconds and nanoseconds with what a task's namespace adds. */
export function offsetTime(k: Work, clock: "monotonic" | "boottime", [seconds, nanoseconds]: Offset): Offset {
  const { time } = k.task.namespaces;
  if (time === k.state.initial.time) return [seconds, nanoseconds];
  const [more, rest] = k.objectOf<TimeNamespace>(time)[clock];
  const sum = nanoseconds + rest;
  return [seconds + more + Math.floor(sum / 1e9), sum % 1e9];
}

/** What /proc/PID/timens_offsets says. */
export function timeOffsetsText(k: Work, { namespaces: { timeForChildren } }: Task): string {
  const { monotonic, boottime } = k.objectOf<TimeNamespace>(timeForChildren);
  const line = (name: string, [seconds, nanoseconds]: Offset): string =>
    `${name.padEnd(10)} ${String(seconds).padStart(10)} ${String(nanoseconds).padStart(9)}\n`;
  return line("monotonic", monotonic) + line("boottime", boottime);
}

/** Bytes that are more than a text of two clocks can be. */
const MOST_TEXT = 4096;
/** KTIME_SEC_MAX / 2: half of what a clock can tell. */
const MOST_SECONDS = Math.floor(Number(2n ** 63n / 10n ** 9n) / 2);

function parsed(text: string): readonly (readonly ["monotonic" | "boottime", Offset])[] {
  const lines = text.split("\n").filter((line) => line !== "");
  if (lines.length === 0 || lines.length > 2 || text.length >= MOST_TEXT) throw E.EINVAL;
  return lines.map((line) => {
    const match = /^\s*(\S+)\s+(-?\d+)\s+(\d+)\s*$/.exec(line);
    if (match === null) throw E.EINVAL;
    const clock = { monotonic: "monotonic", 1: "monotonic", boottime: "boottime", 7: "boottime" }[match[1]!];
    const nanoseconds = Number(match[3]);
    if (clock === undefined || nanoseconds >= 1e9) throw E.EINVAL;
    return [clock as "monotonic" | "boottime", [Number(match[2]), nanoseconds]] as const;
  });
}

/** A write to /proc/PID/timens_offsets. Throws EINVAL, EPERM, EACCES, ERANGE. */
export function writeTimeOffsets(k: Work, { namespaces: { timeForChildren } }: Task, text: string): void {
  const changes = parsed(text);
  const { home } = k.objectOf<TimeNamespace>(timeForChildren);
  if (!may(k, "CAP_SYS_TIME", home)) throw E.EPERM;
  const [now] = secondsAt(k.now);
  for (const [, [seconds, nanoseconds]] of changes) {
    const then = now - START + seconds;
    if (then < 0 || then > MOST_SECONDS || (then === 0 && nanoseconds < 0)) throw E.ERANGE;
  }
  if (k.objectOf<TimeNamespace>(timeForChildren).entered) throw E.EACCES;
  for (const [clock, offset] of changes) k.changeObject<TimeNamespace>(timeForChildren, { [clock]: offset });
}

export type { Offset };
