/** What processes have used. Spec: getrusage(2), times(2), wait4(2). */
import { E } from "../errno.js";
import { writeUser } from "../mm/user-memory.js";
import { ranOf } from "../tasks/timers.js";
import { spanOf, TICKS_A_SECOND } from "../time.js";
import type { Work } from "../work.js";
import { call, type SystemCall } from "./call.js";
import { isWide } from "./times.js";

const LONGS = 14;

/** struct rusage: the time, and of the rest what the kernel counts. */
export function writeUsage(k: Work, at: number, ticks: number, resident = 0): void {
  const size = isWide(k) ? 8 : 4;
  const view = new DataView(new ArrayBuffer((4 + LONGS) * size));
  const [seconds, nanoseconds] = spanOf(ticks);
  view.setInt32(0, seconds, true);
  view.setInt32(size, Math.floor(nanoseconds / 1000), true);
  view.setUint32(4 * size, resident * 4, true);
  writeUser(k, at, new Uint8Array(view.buffer));
}

const RUSAGE = { SELF: 0, CHILDREN: -1, THREAD: 1 } as const;

function usage(k: Work, who: number, at: number): number {
  const { pid, childrenRan } = k.process;
  const ticks = { [RUSAGE.SELF]: ranOf(k, pid), [RUSAGE.CHILDREN]: childrenRan, [RUSAGE.THREAD]: k.task.ran }[who];
  if (ticks === undefined) throw E.EINVAL;
  writeUsage(k, at, ticks, who === RUSAGE.CHILDREN ? 0 : k.space.resident);
  return 0;
}

/** Spec: times(2), sysconf(_SC_CLK_TCK). */
const CLOCKS_A_SECOND = 100;
const clocksOf = (ticks: number): number => Math.floor((ticks * CLOCKS_A_SECOND) / TICKS_A_SECOND);

function times(k: Work, at: number): number {
  if (at !== 0) {
    const size = isWide(k) ? 8 : 4;
    const view = new DataView(new ArrayBuffer(4 * size));
    view.setUint32(0, clocksOf(ranOf(k, k.task.process)), true);
    view.setUint32(2 * size, clocksOf(k.process.childrenRan), true);
    writeUser(k, at, new Uint8Array(view.buffer));
  }
  return clocksOf(k.now);
}

export const usageCalls: readonly SystemCall[] = [
  call("getrusage", "who:int usage:pointer", usage),
  call("times", "buf:pointer", times),
];
