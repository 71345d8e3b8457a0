/** Pipes: bytes on their way from one descriptor to another. Spec: pipe(7). */
import { E, Wait } from "../errno.js";
import { joinBytes, writeWord } from "../mm/user-memory.js";
import type { InodeName, OpenFile } from "../state.js";
import { wake } from "../tasks/waiting.js";
import type { Work } from "../work.js";
import { newFile } from "./descriptors.js";
import { setInodeEntry } from "./inode-tables.js";
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
  /** Of a FIFO. */
  readonly fifo?: Fifo;
}

/** What a FIFO remembers besides: how often it was opened for reading and for writing, and who is about to. Spec: fifo(7). */
export interface Fifo {
  readonly inode: InodeName;
  readonly opened: readonly [reading: number, writing: number];
  readonly opening: readonly { readonly task: number; readonly reads: boolean }[];
}

export const newPipe: Pipe = Object.freeze({
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
  const last = parts.at(-1);
  // Small writes lie in one part, as they lie in one page of Linux's pipes.
  const joins = last !== undefined && last.length + bytes.length <= PIPE_BUF;
  const all = joins ? parts.with(-1, joinBytes([last, bytes])) : [...parts, bytes.slice()];
  k.changeObject<Pipe>(id, { parts: all, size: size + bytes.length });
  wake(k, id);
}

/** What a thread remembers that waits in open(2) for the other side of a FIFO. */
export interface FifoProgress {
  readonly fifo: number;
  /** How often the other side had been opened. */
  readonly partners: number;
}

/** Threads that have a side of a FIFO as good as open: they have been woken, or will be, with the other side there. */
function openingSides(k: Work, id: number, reads: boolean): number {
  const { fifo } = k.objectOf<Pipe>(id);
  if (fifo === undefined || fifo.opening.length === 0) return 0;
  return fifo.opening.filter(
    (one) =>
      one.reads === reads && (k.state.tasks.get(one.task)?.call?.progress as FifoProgress | undefined)?.fifo === id,
  ).length;
}

export const readersOf = (k: Work, id: number): number => k.objectOf<Pipe>(id).readers + openingSides(k, id, true);
export const writersOf = (k: Work, id: number): number => k.objectOf<Pipe>(id).writers + openingSides(k, id, false);

/** How many writers a FIFO had had when it was opened without any. */
interface FifoData {
  readonly writersSeen: number;
}

const isReader = ({ flags }: OpenFile): boolean => (flags & O.ACCMODE) !== O.WRONLY;
const isWriter = ({ flags }: OpenFile): boolean => (flags & O.ACCMODE) !== O.RDONLY;

defineKind({
  name: "pipe",

  read(k, file, length) {
    if (length === 0) return new Uint8Array(0);
    if (pipeOf(k, file).size > 0) return takeFromPipe(k, file.object, length);
    if (writersOf(k, file.object) === 0) return new Uint8Array(0);
    if (!mayWait(file)) throw E.EAGAIN;
    throw new Wait([file.object]);
  },

  write(k, file, bytes) {
    const { size, capacity } = pipeOf(k, file);
    if (readersOf(k, file.object) === 0) throw E.EPIPE;
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
    const { size, capacity, fifo } = pipeOf(k, file);
    let events = 0;
    if (isReader(file)) {
      if (size > 0) events |= POLL.IN | POLL.RDNORM;
      const neverHad = (file.data as FifoData | undefined)?.writersSeen === fifo?.opened[1];
      if (writersOf(k, file.object) === 0 && (fifo === undefined || !neverHad)) events |= POLL.HUP;
    }
    if (isWriter(file)) {
      if (capacity - size >= PIPE_BUF) events |= POLL.OUT | POLL.WRNORM;
      if (readersOf(k, file.object) === 0) events |= POLL.ERR;
    }
    return { events, on: [file.object] };
  },

  release(k, file) {
    const { readers, writers } = pipeOf(k, file);
    const left = { readers: readers - (isReader(file) ? 1 : 0), writers: writers - (isWriter(file) ? 1 : 0) };
    k.changeObject<Pipe>(file.object, left);
    if (readersOf(k, file.object) + writersOf(k, file.object) === 0) {
      const { fifo } = pipeOf(k, file);
      if (fifo !== undefined) setInodeEntry(k, "fifos", fifo.inode, undefined);
      k.setObject(file.object, undefined);
    }
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
