/** Waiting for one of several files. Spec: poll(2), select(2). */
import { E, Errno, Wait } from "../errno.js";
import { fileAt } from "../fs/descriptors.js";
import { O, POLL } from "../fs/kinds.js";
import { earlier, readinessOf } from "../fs/readiness.js";
import { readLong, readUser, readWord, writeLong, writeUser, writeWord } from "../mm/user-memory.js";
import { TICKS_A_SECOND, ticksOf } from "../time.js";
import type { Work } from "../work.js";
import { call, type SystemCall } from "./call.js";

const NOFILE = 7;
const NEVER = Number.POSITIVE_INFINITY;

/** What a wait remembers: until when it goes at the most. */
interface TimedProgress {
  readonly until: number;
}

/** The tick until which a call waits: worked out when it is made first. */
export function deadline(k: Work, ticks: () => number): number {
  const begun = k.call.progress as TimedProgress | undefined;
  return begun?.until ?? k.now + ticks();
}

const isWide = (k: Work): boolean => k.call.abi === "x86_64";

/** A duration of a program in ticks; without one, for ever. Throws EINVAL. */
export function readDuration(k: Work, at: number, unit: 1 | 1000, wide: boolean): number {
  if (at === 0) return NEVER;
  const [seconds, rest] = wide
    ? [readLong(k, at), readLong(k, at + 8)]
    : [readWord(k, at) | 0, readWord(k, at + 4) | 0];
  if (seconds < 0 || rest < 0 || (unit === 1 && rest >= 1e9)) throw E.EINVAL;
  return ticksOf(seconds, rest * unit);
}

/** What is left of a duration is told where it stood. */
function writeLeft(k: Work, at: number, unit: 1 | 1000, wide: boolean, until: number): void {
  if (at === 0) return;
  const left = Math.max(0, until - k.now);
  const seconds = Math.floor(left / TICKS_A_SECOND);
  const rest = Math.floor(((left - seconds * TICKS_A_SECOND) * 1e9) / TICKS_A_SECOND / unit);
  const put = wide ? writeLong : writeWord;
  put(k, at, seconds);
  put(k, at + (wide ? 8 : 4), rest);
}

/** Signals that are blocked for the time of a call only. */
export function withMask(k: Work, maskAt: number, size: number, run: () => number): number {
  if (maskAt === 0) return run();
  if (size !== 8) throw E.EINVAL;
  const mask = new DataView(readUser(k, maskAt, 8).buffer).getBigUint64(0, true);
  const UNBLOCKABLE = (1n << 8n) | (1n << 18n);
  const { savedMask, blocked } = k.task;
  const before = savedMask ?? blocked;
  k.setTask(k.current, { savedMask: before, blocked: mask & ~UNBLOCKABLE });
  try {
    const result = run();
    k.setTask(k.current, { savedMask: undefined, blocked: before });
    return result;
  } catch (thrown) {
    if (thrown instanceof Errno) k.setTask(k.current, { savedMask: undefined, blocked: before });
    throw thrown;
  }
}

/** What several files say, and what to wait for if none is ready. */
interface Looked {
  ready: number;
  on: Set<number>;
  until: number | undefined;
}

/** Events of a descriptor; undefined where there is no open file. */
function look(k: Work, fd: number, looked: Looked): number | undefined {
  try {
    const file = fileAt(k, fd);
    if ((file.flags & O.PATH) !== 0) return undefined;
    const { events, on, until } = readinessOf(k, file);
    for (const channel of on) looked.on.add(channel);
    looked.until = earlier(looked.until, until);
    return events;
  } catch (thrown) {
    if (thrown === E.EBADF) return undefined;
    throw thrown;
  }
}

/** Sleeps until something may have changed. */
function sleep({ on, until }: Looked, end: number): never {
  const next = earlier(until, end === NEVER ? undefined : end);
  throw new Wait([...on], next, { until: end } satisfies TimedProgress, "interrupt");
}

// ---- poll ---------------------------------------------------------------------------------------------------------

const SIZE = 8;

function poll(k: Work, at: number, count: number, ticks: () => number): number {
  if (count > k.process.limits[NOFILE]![0]) throw E.EINVAL;
  const view = new DataView(readUser(k, at, count * SIZE).buffer);
  const end = deadline(k, ticks);
  const looked: Looked = { ready: 0, on: new Set(), until: undefined };
  for (let index = 0; index < count; index++) {
    const fd = view.getInt32(index * SIZE, true);
    const wanted = view.getUint16(index * SIZE + 4, true) | POLL.ERR | POLL.HUP;
    const events = fd < 0 ? 0 : look(k, fd, looked);
    const told = events === undefined ? POLL.NVAL : events & wanted;
    view.setUint16(index * SIZE + 6, told, true);
    if (told !== 0) looked.ready++;
  }
  if (looked.ready === 0 && k.now < end) sleep(looked, end);
  writeUser(k, at, new Uint8Array(view.buffer));
  return looked.ready;
}

function ppoll(k: Work, at: number, count: number, timeout: number, mask: number, size: number, wide: boolean): number {
  const end = deadline(k, () => readDuration(k, timeout, 1, wide));
  const ready = withMask(k, mask, size, () => poll(k, at, count, () => end - k.now));
  writeLeft(k, timeout, 1, wide, end);
  return ready;
}

// ---- select -------------------------------------------------------------------------------------------------------

const SETS = [
  POLL.IN | POLL.RDNORM | POLL.RDBAND | POLL.HUP | POLL.ERR,
  POLL.OUT | POLL.WRNORM | POLL.WRBAND | POLL.ERR,
  POLL.PRI,
] as const;

/** Descriptors of a set. */
const has = (set: Uint8Array | undefined, fd: number): boolean =>
  set !== undefined && ((set[fd >>> 3]! >> (fd & 7)) & 1) !== 0;

function select(k: Work, count: number, sets: readonly number[], ticks: () => number): number {
  if (count < 0) throw E.EINVAL;
  const most = Math.min(count, k.process.limits[NOFILE]![0]);
  const word = isWide(k) ? 8 : 4;
  const size = Math.ceil(most / (word * 8)) * word;
  const asked = sets.map((at) => (at === 0 ? undefined : readUser(k, at, size)));
  const told = sets.map(() => new Uint8Array(size));
  const end = deadline(k, ticks);
  const looked: Looked = { ready: 0, on: new Set(), until: undefined };
  for (let fd = 0; fd < most; fd++) {
    if (!asked.some((set) => has(set, fd))) continue;
    const events = look(k, fd, looked);
    if (events === undefined) throw E.EBADF;
    SETS.forEach((wanted, index) => {
      if (!has(asked[index], fd) || (events & wanted) === 0) return;
      told[index]![fd >>> 3]! |= 1 << (fd & 7);
      looked.ready++;
    });
  }
  if (looked.ready === 0 && k.now < end) sleep(looked, end);
  sets.forEach((at, index) => {
    if (at !== 0) writeUser(k, at, told[index]!);
  });
  return looked.ready;
}

function selectCall(k: Work, count: number, read: number, write: number, except: number, timeout: number): number {
  const end = deadline(k, () => readDuration(k, timeout, 1000, isWide(k)));
  const ready = select(k, count, [read, write, except], () => end - k.now);
  writeLeft(k, timeout, 1000, isWide(k), end);
  return ready;
}

/** The first select of 32-bit programs: its arguments lie in memory. */
function oldSelect(k: Work, at: number): number {
  const [count, read, write, except, timeout] = [0, 4, 8, 12, 16].map((offset) => readWord(k, at + offset));
  return selectCall(k, count! | 0, read!, write!, except!, timeout!);
}

function pselect(
  k: Work,
  count: number,
  sets: readonly number[],
  timeout: number,
  maskAt: number,
  wide: boolean,
): number {
  const [mask, size] =
    maskAt === 0
      ? [0, 8]
      : isWide(k)
        ? [readLong(k, maskAt), readLong(k, maskAt + 8)]
        : [readWord(k, maskAt), readWord(k, maskAt + 4)];
  const end = deadline(k, () => readDuration(k, timeout, 1, wide));
  const ready = withMask(k, mask, size, () => select(k, count, sets, () => end - k.now));
  writeLeft(k, timeout, 1, wide, end);
  return ready;
}

const PSELECT = "nfds:int readfds:pointer writefds:pointer exceptfds:pointer timeout:pointer sigmask:pointer";
const PPOLL = "fds:pointer nfds:uint tmo_p:pointer sigmask:pointer sigsetsize:size";

export const pollCalls: readonly SystemCall[] = [
  call("poll", "fds:pointer nfds:uint timeout:int", (k, at, count, timeout) =>
    poll(k, at, count, () => (timeout < 0 ? NEVER : ticksOf(0, timeout * 1e6))),
  ),
  call("ppoll", PPOLL, (k, at, count, timeout, mask, size) => ppoll(k, at, count, timeout, mask, size, isWide(k))),
  call("ppoll_time64", PPOLL, (k, at, count, timeout, mask, size) => ppoll(k, at, count, timeout, mask, size, true)),
  call(
    "select",
    "nfds:long readfds:pointer writefds:pointer exceptfds:pointer timeout:pointer",
    (k, count, ...rest) => {
      if (!isWide(k)) return oldSelect(k, count >>> 0);
      const [read, write, except, timeout] = rest;
      return selectCall(k, count | 0, read!, write!, except!, timeout!);
    },
  ),
  call("_newselect", "nfds:int readfds:pointer writefds:pointer exceptfds:pointer timeout:pointer", selectCall),
  call("pselect6", PSELECT, (k, count, read, write, except, timeout, mask) =>
    pselect(k, count, [read, write, except], timeout, mask, isWide(k)),
  ),
  call("pselect6_time64", PSELECT, (k, count, read, write, except, timeout, mask) =>
    pselect(k, count, [read, write, except], timeout, mask, true),
  ),
];
