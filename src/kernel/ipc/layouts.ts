/**
 * Structures of System V as programs of either width have them.
 * Spec: Linux, arch/x86/include/uapi/asm/sembuf.h, include/uapi/asm-generic/ipcbuf.h, shmbuf.h and msgbuf.h.
 */
import { pidInside } from "../namespaces/pid.js";
import { idInside } from "../tasks/capabilities.js";
import { secondsAt } from "../time.js";
import type { Work } from "../work.js";
import type { MessageQueue } from "./messages.js";
import type { IpcObject } from "./records.js";
import type { SemaphoreSet } from "./semaphores.js";
import type { SharedSegment } from "./shared-memory.js";

export const isWide = (k: Work): boolean => k.call.abi === "x86_64";
/** Words that a structure of the program's own width is made of. */
export class Layout {
  readonly #k: Work;
  readonly #bytes: number[] = [];
  constructor(k: Work) {
    this.#k = k;
  }
  word(value: number): this {
    for (let shift = 0; shift < 32; shift += 8) this.#bytes.push((value >>> shift) & 0xff);
    return this;
  }
  /** As wide as a register. */
  long(value: number): this {
    this.word(value >>> 0);
    return isWide(this.#k) ? this.word(Math.floor(value / 2 ** 32)) : this;
  }
  /** A time: 32-bit programs have its upper half behind it. */
  time(tick: number): this {
    return this.word(tick < 0 ? 0 : secondsAt(tick)[0]).word(0);
  }
  permissions({ permissions }: IpcObject): this {
    const { user } = this.#k.task.namespaces;
    const { key, uid, gid, cuid, cgid, mode, sequence } = permissions;
    this.word(key);
    for (const [which, id] of [["uidMap", uid] as const, ["gidMap", gid] as const, ["uidMap", cuid] as const])
      this.word(idInside(this.#k, user, which, id));
    this.word(idInside(this.#k, user, "gidMap", cgid))
      .word(mode)
      .word(sequence);
    return isWide(this.#k) ? this.word(0).long(0).long(0) : this.long(0).long(0);
  }
  get bytes(): Uint8Array {
    return Uint8Array.from(this.#bytes);
  }
}

export const shmBytes = (k: Work, segment: SharedSegment): Uint8Array => {
  const { size, attachedAt, detachedAt, changedAt, creator, last, attached } = segment;
  return new Layout(k)
    .permissions(segment)
    .long(size)
    .time(attachedAt)
    .time(detachedAt)
    .time(changedAt)
    .word(pidInside(k, creator))
    .word(pidInside(k, last))
    .long(attached)
    .long(0)
    .long(0).bytes;
};

export const semBytes = (k: Work, set: SemaphoreSet): Uint8Array => {
  const layout = new Layout(k).permissions(set).time(set.operatedAt);
  if (isWide(k)) layout.long(0);
  layout.time(set.changedAt);
  if (isWide(k)) layout.long(0);
  return layout.long(set.values.length).long(0).long(0).bytes;
};

export const msgBytes = (k: Work, queue: MessageQueue): Uint8Array =>
  new Layout(k)
    .permissions(queue)
    .time(queue.sentAt)
    .time(queue.receivedAt)
    .time(queue.changedAt)
    .long(queue.bytes)
    .long(queue.messages.length)
    .long(queue.most)
    .word(pidInside(k, queue.sender))
    .word(pidInside(k, queue.receiver))
    .long(0)
    .long(0).bytes;
