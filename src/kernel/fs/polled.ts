/**
 * Which epoll instances want to hear of a channel: what `wake` tells them is their list of files that may be ready.
 * Spec: epoll(7); Linux, fs/eventpoll.c, ep_poll_callback.
 */
import { PersistentMap } from "../../state/persistent-map.js";
import type { Table } from "../state.js";
import type { Work } from "../work.js";

interface Watcher {
  readonly epoll: number;
  readonly item: number;
}

export interface Polled {
  readonly kind: "polled";
  /** By channel. */
  readonly channels: Table<readonly Watcher[]>;
  /** Epoll instances by the open file that is in them. */
  readonly files: Table<readonly number[]>;
}

export const nothingPolled: Polled = Object.freeze({
  kind: "polled",
  channels: PersistentMap.empty<readonly Watcher[]>(),
  files: PersistentMap.empty<readonly number[]>(),
});

export const polledOf = (k: Work): Polled => k.objectOf<Polled>(k.state.initial.polled!);
const change = (k: Work, parts: Partial<Polled>): void => k.changeObject<Polled>(k.state.initial.polled!, parts);

export const watchersOf = (k: Work, channel: number): readonly Watcher[] | undefined =>
  polledOf(k).channels.get(channel);

export function watchChannels(k: Work, on: readonly number[], watcher: Watcher): void {
  let { channels } = polledOf(k);
  for (const channel of on) channels = channels.set(channel, [...(channels.get(channel) ?? []), watcher]);
  change(k, { channels });
}

export function unwatchChannels(k: Work, on: readonly number[], { epoll, item }: Watcher): void {
  let { channels } = polledOf(k);
  for (const channel of on) {
    const left = (channels.get(channel) ?? []).filter((one) => one.epoll !== epoll || one.item !== item);
    channels = channels.set(channel, left.length === 0 ? undefined : left);
  }
  change(k, { channels });
}

/** An instance has a file, once more or less. */
export function countFile(k: Work, file: number, epoll: number, by: 1 | -1): void {
  const { files } = polledOf(k);
  const known = files.get(file) ?? [];
  const left = by === 1 ? [...known, epoll] : known.toSpliced(known.indexOf(epoll), 1);
  change(k, { files: files.set(file, left.length === 0 ? undefined : left) });
}
