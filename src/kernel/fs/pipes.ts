/** Pipes: bytes on their way from one descriptor to another. Spec: pipe(7). */
import { E, Wait } from "../errno.js";
import { joinBytes, writeWord } from "../mm/user-memory.js";
import type { OpenFile } from "../state.js";
import { wake } from "../tasks/waiting.js";
import type { Work } from "../work.js";
import { newFile } from "./descriptors.js";
import { defineKind, mayWait, O, POLL } from "./kinds.js";

/** Writes of so many bytes are not mixed with others. Spec: pipe(7), "PIPE_BUF". */
const PIPE_BUF = 4096;
const CAPACITY = 65_536;

export interface Pipe {
  readonly kind: "pipe";
  /** What was written and not read: whole writes, first come first, of which so many bytes are read already. */
  readonly parts: readonly Uint8Array[];
  readonly read: number;
  readonly size: number;
  readonly capacity: number;
  readonly readers: number;
  readonly writers: number;
}

const newPipe: Pipe = Object.freeze({
  kind: "pipe",
  parts: Object.freeze([]),
  ...{ read: 0, size: 0, capacity: CAPACITY, readers: 1, writers: 1 },
});

const pipeOf = (k: Work, { object }: OpenFile): Pipe => k.objectOf<Pipe>(object);

/** Both ends of a new pipe: for reading, and for writing. */
export function openPipe(k: Work, flags: number): readonly [OpenFile, OpenFile] {
  const object = k.addObject<Pipe>(newPipe);
  return [
    newFile(k, { kind: "pipe", flags: O.RDONLY | flags, object }),
    newFile(k, { kind: "pipe", flags: O.WRONLY | flags, object }),
  ];
}

/** At most `length` bytes from the front of a pipe. */
export function takeFromPipe(k: Work, id: number, length: number): Uint8Array {
  const pipe = k.objectOf<Pipe>(id);
  const taken: Uint8Array[] = [];
  let { read } = pipe;
  let left = Math.min(length, pipe.size);
  let index = 0;
  while (left > 0) {
    const part = pipe.parts[index]!;
    const count = Math.min(left, part.length - read);
    taken.push(part.subarray(read, read + count));
    left -= count;
    read += count;
    if (read === part.length) {
      index++;
      read = 0;
    }
  }
  const bytes = joinBytes(taken);
  k.changeObject<Pipe>(id, { parts: pipe.parts.slice(index), read, size: pipe.size - bytes.length });
  wake(k, id);
  return bytes;
}

/** Puts bytes into a pipe, whatever room it has. */
export function putIntoPipe(k: Work, id: number, bytes: Uint8Array): void {
  const { parts, size } = k.objectOf<Pipe>(id);
  k.changeObject<Pipe>(id, { parts: [...parts, bytes.slice()], size: size + bytes.length });
  wake(k, id);
}

const isReader = ({ flags }: OpenFile): boolean => (flags & O.ACCMODE) !== O.WRONLY;
const isWriter = ({ flags }: OpenFile): boolean => (flags & O.ACCMODE) !== O.RDONLY;

defineKind({
  name: "pipe",

  read(k, file, length) {
    const { size, writers } = pipeOf(k, file);
    if (length === 0) return new Uint8Array(0);
    if (size > 0) return takeFromPipe(k, file.object, length);
    if (writers === 0) return new Uint8Array(0);
    if (!mayWait(file)) throw E.EAGAIN;
    throw new Wait([file.object]);
  },

  write(k, file, bytes) {
    const { size, capacity, readers } = pipeOf(k, file);
    if (readers === 0) throw E.EPIPE;
    const room = capacity - size;
    const needed = bytes.length <= PIPE_BUF ? bytes.length : 1;
    if (room < needed) {
      if (!mayWait(file)) throw E.EAGAIN;
      throw new Wait([file.object]);
    }
    if (bytes.length > 0) putIntoPipe(k, file.object, bytes.subarray(0, room));
    return Math.min(room, bytes.length);
  },

  poll(k, file) {
    const { size, capacity, readers, writers } = pipeOf(k, file);
    let events = 0;
    if (isReader(file)) {
      if (size > 0) events |= POLL.IN | POLL.RDNORM;
      if (writers === 0) events |= POLL.HUP;
    }
    if (isWriter(file)) {
      if (capacity - size >= PIPE_BUF) events |= POLL.OUT | POLL.WRNORM;
      if (readers === 0) events |= POLL.ERR;
    }
    return { events, on: [file.object] };
  },

  release(k, file) {
    const { readers, writers } = pipeOf(k, file);
    const left = { readers: readers - (isReader(file) ? 1 : 0), writers: writers - (isWriter(file) ? 1 : 0) };
    if (left.readers + left.writers === 0) k.setObject(file.object, undefined);
    else k.changeObject<Pipe>(file.object, left);
    wake(k, file.object);
  },

  control(k, file, request, argument) {
    const FIONREAD = 0x541b;
    if (request !== FIONREAD) throw E.ENOTTY;
    writeWord(k, argument, pipeOf(k, file).size);
    return 0;
  },

  label: ({ object }) => `pipe:[${object}]`,
});
