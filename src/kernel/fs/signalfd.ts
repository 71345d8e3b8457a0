/** Signals that are read. Spec: signalfd(2). */
import { E, Wait } from "../errno.js";
import { joinBytes } from "../mm/user-memory.js";
import type { OpenFile, PendingSignal } from "../state.js";
import { maskBit } from "../tasks/signals.js";
import type { Work } from "../work.js";
import { newFile } from "./descriptors.js";
import { defineKind, mayWait, O, POLL } from "./kinds.js";

interface Wanted {
  readonly mask: bigint;
}

const SIZE = 128;
const SI_QUEUE = -1;
const SIGCHLD = 17;

export const openSignals = (k: Work, mask: bigint, flags: number): OpenFile =>
  newFile(k, { kind: "signalfd", flags: O.RDWR | flags, data: { mask } satisfies Wanted });

export const setSignals = (k: Work, file: number, mask: bigint): void =>
  k.setFile(file, { data: { mask } satisfies Wanted });

const wants = ({ data }: OpenFile, { signal }: PendingSignal): boolean =>
  ((data as Wanted).mask & maskBit(signal)) !== 0n;

/** The first wanted signal that waits for the thread at work, or for its process; it waits no more. */
function take(k: Work, file: OpenFile): PendingSignal | undefined {
  const { pending } = k.task;
  const own = pending.find((one) => wants(file, one));
  if (own !== undefined) {
    k.setTask(k.current, { pending: pending.filter((one) => one !== own) });
    return own;
  }
  const { pid, pending: shared } = k.process;
  const other = shared.find((one) => wants(file, one));
  if (other !== undefined) k.setProcess(pid, { pending: shared.filter((one) => one !== other) });
  return other;
}

/** `struct signalfd_siginfo`. */
function infoBytes({ signal, code, pid, uid, value }: PendingSignal): Uint8Array {
  const view = new DataView(new ArrayBuffer(SIZE));
  view.setUint32(0, signal, true);
  view.setInt32(8, code, true);
  view.setUint32(12, pid, true);
  view.setUint32(16, uid, true);
  if (signal === SIGCHLD) view.setInt32(40, value, true);
  if (code === SI_QUEUE) {
    view.setInt32(44, value | 0, true);
    view.setBigInt64(48, BigInt(value), true);
  }
  return new Uint8Array(view.buffer);
}

defineKind({
  name: "signalfd",
  read(k, file, length) {
    if (length < SIZE) throw E.EINVAL;
    const parts: Uint8Array[] = [];
    while ((parts.length + 1) * SIZE <= length) {
      const signal = take(k, file);
      if (signal === undefined) break;
      parts.push(infoBytes(signal));
    }
    if (parts.length > 0) return joinBytes(parts);
    if (!mayWait(file)) throw E.EAGAIN;
    // Signals that come wake the number of the handlers that they would be for.
    throw new Wait([k.task.handlers]);
  },
  poll(k, file) {
    const waits = [...k.task.pending, ...k.process.pending].some((one) => wants(file, one));
    return { events: waits ? POLL.IN : 0, on: [k.task.handlers] };
  },
  seek: () => 0,
  label: () => "anon_inode:[signalfd]",
});
