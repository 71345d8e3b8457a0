/** System calls on files that tell of something: counters, timers, changes of files. Spec: eventfd(2), timerfd_create(2), inotify(7). */
import { E } from "../errno.js";
import { addDescriptor, fileAt, freeDescriptor } from "../fs/descriptors.js";
import { openEvent } from "../fs/eventfd.js";
import { attributesOf } from "../fs/file-systems.js";
import { addWatch, openInotify, removeWatch } from "../fs/inotify.js";
import { O } from "../fs/kinds.js";
import { IN } from "../fs/notify.js";
import { MAY, requireAccess } from "../fs/permissions.js";
import { openSignals, setSignals } from "../fs/signalfd.js";
import { openTimer, setTimer, type Timer, timerSetting } from "../fs/timerfd.js";
import { isDirectory } from "../fs/types.js";
import { readUser, writeUser } from "../mm/user-memory.js";
import { requireCapability } from "../tasks/capabilities.js";
import { START, TICKS_A_SECOND, ticksOf } from "../time.js";
import type { Work } from "../work.js";
import { AT, targetAt } from "./at.js";
import { call, type SystemCall } from "./call.js";

const FILE_FLAGS = O.CLOEXEC | O.NONBLOCK;
const EFD_SEMAPHORE = 1;

function eventfd(k: Work, count: number, flags: number): number {
  if ((flags & ~(FILE_FLAGS | EFD_SEMAPHORE)) !== 0) throw E.EINVAL;
  freeDescriptor(k);
  const file = openEvent(k, count, (flags & EFD_SEMAPHORE) !== 0, flags & O.NONBLOCK);
  return addDescriptor(k, file, (flags & O.CLOEXEC) !== 0);
}

// ---- timers -------------------------------------------------------------------------------------------------------

const CLOCK = { REALTIME: 0, MONOTONIC: 1, BOOTTIME: 7, REALTIME_ALARM: 8, BOOTTIME_ALARM: 9 } as const;
const CLOCKS: ReadonlySet<number> = new Set(Object.values(CLOCK));
const TFD = { ABSTIME: 1, CANCEL_ON_SET: 2 } as const;

function createTimer(k: Work, clock: number, flags: number): number {
  if ((flags & ~FILE_FLAGS) !== 0 || !CLOCKS.has(clock)) throw E.EINVAL;
  if (clock === CLOCK.REALTIME_ALARM || clock === CLOCK.BOOTTIME_ALARM) requireCapability(k, "CAP_WAKE_ALARM");
  freeDescriptor(k);
  return addDescriptor(k, openTimer(k, clock, flags & O.NONBLOCK), (flags & O.CLOEXEC) !== 0);
}

/** The timer of a descriptor. Throws EBADF, EINVAL. */
function timerAt(k: Work, fd: number): number {
  const { kind, object } = fileAt(k, fd);
  if (kind !== "timerfd") throw E.EINVAL;
  return object;
}

/** `struct itimerspec`: interval and value, in seconds and nanoseconds. Throws EINVAL. */
function readSetting(k: Work, at: number, wide: boolean) {
  const view = new DataView(readUser(k, at, wide ? 32 : 16).buffer);
  const word = (index: number): number =>
    wide ? Number(view.getBigInt64(index * 8, true)) : view.getInt32(index * 4, true);
  const [interval, intervalRest, value, rest] = [0, 1, 2, 3].map(word) as [number, number, number, number];
  if (interval < 0 || value < 0 || intervalRest < 0 || rest < 0 || intervalRest >= 1e9 || rest >= 1e9) throw E.EINVAL;
  return { interval: ticksOf(interval, intervalRest), seconds: value, rest };
}

function settingBytes([left, interval]: readonly [number, number], wide: boolean): Uint8Array {
  const view = new DataView(new ArrayBuffer(wide ? 32 : 16));
  const parts = [interval, left].flatMap((ticks) => {
    const seconds = Math.floor(ticks / TICKS_A_SECOND);
    return [seconds, Math.floor(((ticks - seconds * TICKS_A_SECOND) * 1e9) / TICKS_A_SECOND)];
  });
  parts.forEach((value, index) => {
    if (wide) view.setBigInt64(index * 8, BigInt(value), true);
    else view.setInt32(index * 4, value, true);
  });
  return new Uint8Array(view.buffer);
}

function setTime(k: Work, fd: number, flags: number, newAt: number, oldAt: number, wide: boolean): number {
  const { interval, seconds, rest } = readSetting(k, newAt, wide);
  if ((flags & ~(TFD.ABSTIME | TFD.CANCEL_ON_SET)) !== 0) throw E.EINVAL;
  const id = timerAt(k, fd);
  const old = timerSetting(k, id);
  const { clock } = k.objectOf<Timer>(id);
  const ofDay = clock === CLOCK.REALTIME || clock === CLOCK.REALTIME_ALARM;
  const absolute = (flags & TFD.ABSTIME) !== 0;
  const at = absolute ? ticksOf(seconds - (ofDay ? START : 0), rest) : k.now + ticksOf(seconds, rest);
  if (oldAt !== 0) writeUser(k, oldAt, settingBytes(old, wide));
  setTimer(k, id, seconds === 0 && rest === 0 ? undefined : Math.max(at, 0), interval);
  return 0;
}

function getTime(k: Work, fd: number, at: number, wide: boolean): number {
  writeUser(k, at, settingBytes(timerSetting(k, timerAt(k, fd)), wide));
  return 0;
}

const isWide = (k: Work): boolean => k.call.abi === "x86_64";

// ---- signals ------------------------------------------------------------------------------------------------------

const SIGKILL = 9;
const SIGSTOP = 19;
const UNBLOCKABLE = (1n << BigInt(SIGKILL - 1)) | (1n << BigInt(SIGSTOP - 1));

function signalfd(k: Work, fd: number, maskAt: number, size: number, flags: number): number {
  if (size !== 8 || (flags & ~FILE_FLAGS) !== 0) throw E.EINVAL;
  const mask = new DataView(readUser(k, maskAt, size).buffer).getBigUint64(0, true) & ~UNBLOCKABLE;
  if (fd === -1) {
    freeDescriptor(k);
    return addDescriptor(k, openSignals(k, mask, flags & O.NONBLOCK), (flags & O.CLOEXEC) !== 0);
  }
  const { id, kind } = fileAt(k, fd);
  if (kind !== "signalfd") throw E.EINVAL;
  setSignals(k, id, mask);
  return fd;
}

// ---- inotify ------------------------------------------------------------------------------------------------------

function initInotify(k: Work, flags: number): number {
  if ((flags & ~FILE_FLAGS) !== 0) throw E.EINVAL;
  freeDescriptor(k);
  return addDescriptor(k, openInotify(k, flags & O.NONBLOCK), (flags & O.CLOEXEC) !== 0);
}

function inotifyAt(k: Work, fd: number): number {
  const { kind, object } = fileAt(k, fd);
  if (kind !== "inotify") throw E.EINVAL;
  return object;
}

function watch(k: Work, fd: number, path: number, mask: number): number {
  const known = IN.ALL_EVENTS | IN.UNMOUNT | IN.Q_OVERFLOW | IN.IGNORED | IN.ONLYDIR | IN.DONT_FOLLOW | IN.EXCL_UNLINK;
  const all = (known | IN.MASK_CREATE | IN.MASK_ADD | IN.ISDIR | IN.ONESHOT) >>> 0;
  if ((mask & ~all) !== 0 || (mask & all) === 0) throw E.EINVAL;
  if ((mask & IN.MASK_ADD) !== 0 && (mask & IN.MASK_CREATE) !== 0) throw E.EINVAL;
  const instance = inotifyAt(k, fd);
  const { inode } = targetAt(k, AT.FDCWD, path, (mask & IN.DONT_FOLLOW) !== 0 ? AT.SYMLINK_NOFOLLOW : 0);
  const attributes = attributesOf(k, inode);
  if ((mask & IN.ONLYDIR) !== 0 && !isDirectory(attributes)) throw E.ENOTDIR;
  requireAccess(k, attributes, MAY.READ);
  return addWatch(k, instance, inode, mask);
}

export const eventFileCalls: readonly SystemCall[] = [
  call("eventfd", "initval:uint", (k, count) => eventfd(k, count, 0)),
  call("eventfd2", "initval:uint flags:flags", eventfd),
  call("signalfd", "fd:fd mask:pointer sizemask:size", (k, fd, mask, size) => signalfd(k, fd, mask, size, 0)),
  call("signalfd4", "fd:fd mask:pointer sizemask:size flags:flags", signalfd),
  call("timerfd_create", "clockid:int flags:flags", createTimer),
  call("timerfd_settime", "fd:fd flags:flags new_value:pointer old_value:pointer", (k, fd, flags, at, old) =>
    setTime(k, fd, flags, at, old, isWide(k)),
  ),
  call("timerfd_settime64", "fd:fd flags:flags new_value:pointer old_value:pointer", (k, fd, flags, at, old) =>
    setTime(k, fd, flags, at, old, true),
  ),
  call("timerfd_gettime", "fd:fd curr_value:pointer", (k, fd, at) => getTime(k, fd, at, isWide(k))),
  call("timerfd_gettime64", "fd:fd curr_value:pointer", (k, fd, at) => getTime(k, fd, at, true)),
  call("inotify_init", "", (k) => initInotify(k, 0)),
  call("inotify_init1", "flags:flags", initInotify),
  call("inotify_add_watch", "fd:fd pathname:path mask:uint", watch),
  call("inotify_rm_watch", "fd:fd wd:int", (k, fd, wd) => {
    removeWatch(k, inotifyAt(k, fd), wd);
    return 0;
  }),
];
