/** System calls on epoll instances. Spec: epoll_create(2), epoll_ctl(2), epoll_wait(2). */
import { E, Wait } from "../errno.js";
import { addDescriptor, fileAt, freeDescriptor, newFile } from "../fs/descriptors.js";
import { addItem, changeItem, collect, EPOLL, type Epoll, findItem, newEpoll, removeItem } from "../fs/epoll.js";
import { O } from "../fs/kinds.js";
import { earlier } from "../fs/readiness.js";
import { readUser, writeUser } from "../mm/user-memory.js";
import { ticksOf } from "../time.js";
import type { Work } from "../work.js";
import { call, type SystemCall } from "./call.js";
import { deadline, readDuration, withMask } from "./poll.js";

const CTL = { ADD: 1, DEL: 2, MOD: 3 } as const;
/** `struct epoll_event` is packed. */
const SIZE = 12;

function create(k: Work, flags: number): number {
  if ((flags & ~O.CLOEXEC) !== 0) throw E.EINVAL;
  freeDescriptor(k);
  const file = newFile(k, { kind: "epoll", flags: O.RDWR, object: k.addObject<Epoll>(newEpoll) });
  return addDescriptor(k, file, (flags & O.CLOEXEC) !== 0);
}

function control(k: Work, epfd: number, operation: number, fd: number, at: number): number {
  const view = operation === CTL.DEL ? undefined : new DataView(readUser(k, at, SIZE).buffer);
  const instance = fileAt(k, epfd);
  const file = fileAt(k, fd);
  if (((instance.flags | file.flags) & O.PATH) !== 0) throw E.EBADF;
  if (file.kind === "regular" || file.kind === "directory") throw E.EPERM;
  if (instance.kind !== "epoll" || instance.id === file.id) throw E.EINVAL;
  const events = view?.getUint32(0, true) ?? 0;
  const data = view?.getBigUint64(4, true) ?? 0n;
  if ((events & EPOLL.EXCLUSIVE) !== 0 && (operation === CTL.MOD || file.kind === "epoll")) throw E.EINVAL;
  const found = findItem(k, instance.object, fd, file.id);
  if (operation === CTL.ADD) {
    if (found !== undefined) throw E.EEXIST;
    addItem(k, instance.object, fd, file, events, data);
  } else if (operation === CTL.MOD || operation === CTL.DEL) {
    if (found === undefined) throw E.ENOENT;
    if (operation === CTL.DEL) removeItem(k, instance.object, found);
    else changeItem(k, instance.object, found, events, data);
  } else throw E.EINVAL;
  return 0;
}

function wait(k: Work, epfd: number, at: number, most: number, ticks: () => number): number {
  if (most <= 0 || most > Math.floor(0x7fff_ffff / SIZE)) throw E.EINVAL;
  const { kind, object } = fileAt(k, epfd);
  if (kind !== "epoll") throw E.EINVAL;
  const end = deadline(k, ticks);
  const { told, until } = collect(k, object, most);
  if (told.length === 0) {
    if (k.now >= end) return 0;
    const next = earlier(until, end === Number.POSITIVE_INFINITY ? undefined : end);
    throw new Wait([object], next, { until: end }, "interrupt");
  }
  const view = new DataView(new ArrayBuffer(told.length * SIZE));
  told.forEach(({ events, data }, index) => {
    view.setUint32(index * SIZE, events, true);
    view.setBigUint64(index * SIZE + 4, data, true);
  });
  writeUser(k, at, new Uint8Array(view.buffer));
  return told.length;
}

const milliseconds = (timeout: number) => (): number =>
  timeout < 0 ? Number.POSITIVE_INFINITY : ticksOf(0, timeout * 1e6);

export const epollCalls: readonly SystemCall[] = [
  call("epoll_create", "size:int", (k, size) => {
    if (size <= 0) throw E.EINVAL;
    return create(k, 0);
  }),
  call("epoll_create1", "flags:flags", create),
  call("epoll_ctl", "epfd:fd op:int fd:fd event:pointer", control),
  call("epoll_wait", "epfd:fd events:pointer maxevents:int timeout:int", (k, fd, at, most, timeout) =>
    wait(k, fd, at, most, milliseconds(timeout)),
  ),
  call(
    "epoll_pwait",
    "epfd:fd events:pointer maxevents:int timeout:int sigmask:pointer sigsetsize:size",
    (k, fd, at, most, timeout, mask, size) =>
      withMask(k, mask, size, () => wait(k, fd, at, most, milliseconds(timeout))),
  ),
  call(
    "epoll_pwait2",
    "epfd:fd events:pointer maxevents:int timeout:pointer sigmask:pointer sigsetsize:size",
    (k, fd, at, most, timeout, mask, size) =>
      withMask(k, mask, size, () => wait(k, fd, at, most, () => readDuration(k, timeout, 1, true))),
  ),
];
