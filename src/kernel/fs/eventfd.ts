/** A number to wait for. Spec: eventfd(2). */
import { E, Wait } from "../errno.js";
import type { OpenFile } from "../state.js";
import { wake } from "../tasks/waiting.js";
import type { Work } from "../work.js";
import { newFile } from "./descriptors.js";
import { defineKind, mayWait, O, POLL } from "./kinds.js";

interface EventCounter {
  readonly kind: "eventfd";
  readonly count: bigint;
  readonly semaphore: boolean;
}

const MOST = 0xffff_ffff_ffff_fffen;

export const openEvent = (k: Work, count: number, semaphore: boolean, flags: number): OpenFile =>
  newFile(k, {
    kind: "eventfd",
    flags: O.RDWR | flags,
    object: k.addObject<EventCounter>({ kind: "eventfd", count: BigInt(count), semaphore }),
  });

defineKind({
  name: "eventfd",
  whole: true,
  read(k, file, length) {
    if (length < 8) throw E.EINVAL;
    const { count, semaphore } = k.objectOf<EventCounter>(file.object);
    if (count === 0n) {
      if (!mayWait(file)) throw E.EAGAIN;
      throw new Wait([file.object]);
    }
    const taken = semaphore ? 1n : count;
    k.changeObject<EventCounter>(file.object, { count: count - taken });
    wake(k, file.object, POLL.OUT);
    const view = new DataView(new ArrayBuffer(8));
    view.setBigUint64(0, taken, true);
    return new Uint8Array(view.buffer);
  },
  write(k, file, bytes) {
    if (bytes.length < 8) throw E.EINVAL;
    const more = new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(0, true);
    if (more > MOST) throw E.EINVAL;
    const { count } = k.objectOf<EventCounter>(file.object);
    if (count + more > MOST) {
      if (!mayWait(file)) throw E.EAGAIN;
      throw new Wait([file.object]);
    }
    k.changeObject<EventCounter>(file.object, { count: count + more });
    wake(k, file.object, POLL.IN);
    return 8;
  },
  poll(k, { object }) {
    const { count } = k.objectOf<EventCounter>(object);
    return { events: (count > 0n ? POLL.IN : 0) | (count < MOST ? POLL.OUT : 0), on: [object] };
  },
  release: (k, { object }) => k.setObject(object, undefined),
  seek: () => 0,
  label: () => "anon_inode:[eventfd]",
});
