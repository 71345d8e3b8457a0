/** Timers that are read. Spec: timerfd_create(2). */
import { E, Wait } from "../errno.js";
import type { OpenFile } from "../state.js";
import { wake } from "../tasks/waiting.js";
import type { Work } from "../work.js";
import { newFile } from "./descriptors.js";
import { defineKind, mayWait, O, POLL } from "./kinds.js";

export interface Timer {
  readonly kind: "timerfd";
  readonly clock: number;
  /** Tick of the next expiration that was not read; undefined: none is to come. */
  readonly at: number | undefined;
  /** Ticks between expirations; 0: there is one. */
  readonly interval: number;
  /** Expirations that were read or taken back. */
  readonly past: number;
}

export const openTimer = (k: Work, clock: number, flags: number): OpenFile =>
  newFile(k, {
    kind: "timerfd",
    flags: O.RDWR | flags,
    object: k.addObject<Timer>({ kind: "timerfd", clock, at: undefined, interval: 0, past: 0 }),
  });

/** Expirations that were not read. */
function expirations(k: Work, { at, interval }: Timer): number {
  if (at === undefined || k.now < at) return 0;
  return interval === 0 ? 1 : Math.floor((k.now - at) / interval) + 1;
}

/** Ticks to the next expiration, and between expirations. */
export function timerSetting(k: Work, id: number): readonly [left: number, interval: number] {
  const timer = k.objectOf<Timer>(id);
  const { at, interval } = timer;
  if (at === undefined) return [0, interval];
  const next = interval === 0 ? at : at + expirations(k, timer) * interval;
  return [Math.max(0, next - k.now), interval];
}

export function setTimer(k: Work, id: number, at: number | undefined, interval: number): void {
  const old = k.objectOf<Timer>(id);
  k.changeObject<Timer>(id, { at, interval, past: old.past + expirations(k, old) });
  wake(k, id, POLL.IN);
}

defineKind({
  name: "timerfd",
  read(k, file, length) {
    if (length < 8) throw E.EINVAL;
    const timer = k.objectOf<Timer>(file.object);
    const count = expirations(k, timer);
    if (count === 0) {
      if (!mayWait(file)) throw E.EAGAIN;
      throw new Wait([file.object], timer.at);
    }
    const at = timer.interval === 0 ? undefined : timer.at! + count * timer.interval;
    k.changeObject<Timer>(file.object, { at, past: timer.past + count });
    const view = new DataView(new ArrayBuffer(8));
    view.setBigUint64(0, BigInt(count), true);
    return new Uint8Array(view.buffer);
  },
  poll(k, { object }) {
    const timer = k.objectOf<Timer>(object);
    const count = expirations(k, timer);
    const next = timer.interval === 0 ? timer.at : (timer.at ?? 0) + count * timer.interval;
    const until = timer.at === undefined || next! <= k.now ? undefined : next;
    return { events: count > 0 ? POLL.IN : 0, on: [object], until, edge: timer.past + count };
  },
  release: (k, { object }) => k.setObject(object, undefined),
  seek: () => 0,
  label: () => "anon_inode:[timerfd]",
});
