/** Sets of files to be waited for. Spec: epoll(7), epoll_ctl(2); Linux, fs/eventpoll.c. */
import { PersistentMap } from "../../state/persistent-map.js";
import { E } from "../errno.js";
import type { OpenFile, Table } from "../state.js";
import { wake } from "../tasks/waiting.js";
import type { Work } from "../work.js";
import { defineKind, POLL, type Readiness } from "./kinds.js";
import { countFile, polledOf, unwatchChannels, watchChannels, watchersOf } from "./polled.js";
import { earlier, readinessOf } from "./readiness.js";

export const EPOLL = { EXCLUSIVE: 1 << 28, WAKEUP: 1 << 29, ONESHOT: 1 << 30, ET: 0x8000_0000 } as const;
/** Bits that say how, and not for what. */
const PRIVATE = (EPOLL.EXCLUSIVE | EPOLL.WAKEUP | EPOLL.ONESHOT | EPOLL.ET) >>> 0;
/** Told whether they were asked for or not. */
const UNASKED = POLL.ERR | POLL.HUP;
/** How deep instances may lie in each other. Spec: Linux, EP_MAX_NESTS. */
const MOST_NESTED = 4;

export interface Item {
  readonly fd: number;
  /** Open file. */
  readonly file: number;
  /** Wanted events, with the private bits. */
  readonly events: number;
  readonly data: bigint;
  readonly on: readonly number[];
  /** It changes by itself: it is looked at whenever somebody waits. */
  readonly timed: boolean;
  /** Of what changes by itself: the state that was told. */
  readonly edge: number;
}

export interface Epoll {
  readonly kind: "epoll";
  readonly items: Table<Item>;
  readonly next: number;
  /** Items that may be ready, in the order in which they will be told. */
  readonly ready: readonly number[];
}

export const newEpoll: Epoll = Object.freeze({
  kind: "epoll",
  items: PersistentMap.empty<Item>(),
  next: 0,
  ready: Object.freeze([]),
});

const epollOf = (k: Work, id: number): Epoll => k.objectOf<Epoll>(id);

/** An item is looked at when somebody waits the next time. */
function mark(k: Work, id: number, item: number): void {
  const { ready } = epollOf(k, id);
  if (ready.includes(item)) return;
  k.changeObject<Epoll>(id, { ready: [...ready, item] });
  wake(k, id, POLL.IN);
}

/** A channel was woken, with what has come true of it if that is known. */
export function tellEpolls(k: Work, channel: number, events: number | undefined): void {
  for (const { epoll, item } of watchersOf(k, channel) ?? []) {
    const wanted = epollOf(k, epoll)?.items.get(item);
    if (wanted === undefined) continue;
    if (events === undefined || (events & (wanted.events | UNASKED)) !== 0) mark(k, epoll, item);
  }
}

export function findItem(k: Work, id: number, fd: number, file: number): number | undefined {
  for (const [number, item] of epollOf(k, id).items.entries()) if (item.fd === fd && item.file === file) return number;
  return undefined;
}

/** Depth of instances below one; more than may be where one contains another that is around it. */
function depthOf(k: Work, file: OpenFile, around: number): number {
  if (file.kind !== "epoll") return 0;
  if (file.object === around) return Number.POSITIVE_INFINITY;
  let depth = 0;
  for (const [, { file: inner }] of epollOf(k, file.object).items.entries()) {
    const open = k.state.files.get(inner);
    if (open !== undefined) depth = Math.max(depth, depthOf(k, open, around));
  }
  return depth + 1;
}

export function addItem(k: Work, id: number, fd: number, file: OpenFile, events: number, data: bigint): void {
  if (depthOf(k, file, id) > MOST_NESTED) throw E.ELOOP;
  const { items, next } = epollOf(k, id);
  const now = readinessOf(k, file);
  const timed = now.until !== undefined || now.edge !== undefined;
  const item: Item = { fd, file: file.id, events: events | UNASKED, data, on: now.on, timed, edge: 0 };
  k.changeObject<Epoll>(id, { items: items.set(next, item), next: next + 1 });
  watchChannels(k, now.on, { epoll: id, item: next });
  countFile(k, file.id, id, 1);
  if ((now.events & item.events) !== 0) mark(k, id, next);
}

export function changeItem(k: Work, id: number, number: number, events: number, data: bigint): void {
  const { items } = epollOf(k, id);
  const item = { ...items.get(number)!, events: events | UNASKED, data };
  k.changeObject<Epoll>(id, { items: items.set(number, item) });
  if ((readinessOf(k, k.fileOf(item.file)).events & item.events) !== 0) mark(k, id, number);
}

export function removeItem(k: Work, id: number, number: number): void {
  const { items, ready } = epollOf(k, id);
  const { file, on } = items.get(number)!;
  unwatchChannels(k, on, { epoll: id, item: number });
  countFile(k, file, id, -1);
  k.changeObject<Epoll>(id, { items: items.set(number, undefined), ready: ready.filter((one) => one !== number) });
}

/** An open file is gone: with it go the items for it. */
export function forgetFile(k: Work, file: number): void {
  for (const id of polledOf(k).files.get(file) ?? [])
    for (const [number, item] of epollOf(k, id).items.entries()) if (item.file === file) removeItem(k, id, number);
}

const eventsOf = (k: Work, { events, file }: Item): number =>
  (events & ~PRIVATE & ~UNASKED) === 0 && (events & EPOLL.ONESHOT) !== 0
    ? 0
    : readinessOf(k, k.fileOf(file)).events & events & ~PRIVATE;

/** Items that change by themselves join the list. Gives when the next of them may. */
function lookAtTimed(k: Work, id: number): number | undefined {
  let until: number | undefined;
  for (const [number, item] of epollOf(k, id).items.entries()) {
    if (!item.timed) continue;
    const { events, edge = 0, until: next } = readinessOf(k, k.fileOf(item.file));
    until = earlier(until, next);
    if ((events & item.events) === 0 || ((item.events & EPOLL.ET) !== 0 && edge === item.edge)) continue;
    const { items } = epollOf(k, id);
    k.changeObject<Epoll>(id, { items: items.set(number, { ...item, edge }) });
    mark(k, id, number);
  }
  return until;
}

export interface Told {
  readonly events: number;
  readonly data: bigint;
}

/** What is ready, as it is told once; or when to look again. */
export function collect(
  k: Work,
  id: number,
  most: number,
): { readonly told: readonly Told[]; readonly until: number | undefined } {
  const until = lookAtTimed(k, id);
  const told: Told[] = [];
  const again: number[] = [];
  const { ready } = epollOf(k, id);
  let { items } = epollOf(k, id);
  let at = 0;
  for (; at < ready.length && told.length < most; at++) {
    const number = ready[at]!;
    const item = items.get(number);
    const events = item === undefined ? 0 : eventsOf(k, item);
    if (item === undefined || events === 0) continue;
    told.push({ events, data: item.data });
    if ((item.events & EPOLL.ONESHOT) !== 0) items = items.set(number, { ...item, events: item.events & PRIVATE });
    else if ((item.events & EPOLL.ET) === 0) again.push(number);
  }
  if (ready.length > 0) k.changeObject<Epoll>(id, { items, ready: [...ready.slice(at), ...again] });
  return { told, until };
}

function poll(k: Work, { object }: OpenFile): Readiness {
  const { ready, items } = epollOf(k, object);
  let until: number | undefined;
  let isReady = ready.some((number) => {
    const item = items.get(number);
    return item !== undefined && eventsOf(k, item) !== 0;
  });
  for (const [, item] of items.entries()) {
    if (!item.timed) continue;
    const now = readinessOf(k, k.fileOf(item.file));
    until = earlier(until, now.until);
    isReady ||= (now.events & item.events) !== 0;
  }
  return { events: isReady ? POLL.IN | POLL.RDNORM : 0, on: [object], until };
}

defineKind({
  name: "epoll",
  poll,
  release(k, { object }) {
    for (const [number] of epollOf(k, object).items.entries()) removeItem(k, object, number);
    k.setObject(object, undefined);
  },
  seek: () => 0,
  label: () => "anon_inode:[eventpoll]",
});
