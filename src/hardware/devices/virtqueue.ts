/**
 * Split virtqueues: rings in the guest's memory through which a driver hands buffers to a device and gets them back.
 *
 * Left out on purpose: packed virtqueues and event indices, which are features a device need not offer.
 *
 * Manual: virtio 1.2, "Split Virtqueues".
 */
import type { GuestMemory } from "./guest-memory.js";

/** Buffers of a queue at the most. */
export const QUEUE_SIZE = 256;

export interface VirtqueueState {
  readonly size: number;
  readonly enabled: boolean;
  /** Physical addresses of the descriptor table, the driver's ring and the device's ring. */
  readonly desc: number;
  readonly driver: number;
  readonly device: number;
  /** Index of the next entry of the driver's ring to be taken, and of the device's ring to be written: both count on. */
  readonly availIndex: number;
  readonly usedIndex: number;
}

export const resetQueue = (): VirtqueueState => ({
  size: QUEUE_SIZE,
  enabled: false,
  desc: 0,
  driver: 0,
  device: 0,
  availIndex: 0,
  usedIndex: 0,
});

/** A piece of memory a driver offers. */
export interface Piece {
  readonly address: number;
  readonly length: number;
}

/** What one entry of the driver's ring leads to. */
export interface Chain {
  readonly head: number;
  /** What the device reads, and what it writes. */
  readonly readable: readonly Piece[];
  readonly writable: readonly Piece[];
}

const FLAG = { next: 1, write: 2, indirect: 4 } as const;
const DESCRIPTOR = 16;
/** The driver wants no interrupt for used buffers. */
const NO_INTERRUPT = 1;

const word = (memory: GuestMemory, address: number): number => {
  const [low, high] = memory.read(address, 2);
  return low! | (high! << 8);
};
const wordBytes = (value: number): Uint8Array => Uint8Array.of(value & 0xff, value >> 8);

/** The next chain of buffers the driver has offered, if there is one; the queue is as it was. */
export function nextChain({ size, desc, driver, availIndex }: VirtqueueState, memory: GuestMemory): Chain | undefined {
  if (word(memory, driver + 2) === availIndex) return undefined;
  const head = word(memory, driver + 4 + 2 * (availIndex % size));
  const readable: Piece[] = [];
  const writable: Piece[] = [];
  let table = desc;
  let entries = size;
  let index = head;
  // A chain is no longer than its table, so that one which bites its tail ends.
  for (let count = 0; count < entries && index < entries; count++) {
    const entry = new DataView(memory.read(table + DESCRIPTOR * index, DESCRIPTOR).buffer);
    const address = entry.getUint32(0, true) + entry.getUint32(4, true) * 2 ** 32;
    const length = entry.getUint32(8, true);
    const flags = entry.getUint16(12, true);
    if ((flags & FLAG.indirect) !== 0 && table === desc) {
      table = address;
      entries = Math.floor(length / DESCRIPTOR);
      index = 0;
      count = -1;
      continue;
    }
    ((flags & FLAG.write) !== 0 ? writable : readable).push({ address, length });
    if ((flags & FLAG.next) === 0) break;
    index = entry.getUint16(14, true);
  }
  return { head, readable, writable };
}

/** Gives a chain back with `written` bytes in it. */
export function putUsed(queue: VirtqueueState, memory: GuestMemory, head: number, written: number): VirtqueueState {
  const { size, device, usedIndex, availIndex } = queue;
  const element = new Uint8Array(8);
  const view = new DataView(element.buffer);
  view.setUint32(0, head, true);
  view.setUint32(4, written, true);
  memory.write(device + 4 + 8 * (usedIndex % size), element);
  const next = (usedIndex + 1) & 0xffff;
  memory.write(device + 2, wordBytes(next));
  return { ...queue, availIndex: (availIndex + 1) & 0xffff, usedIndex: next };
}

export const wantsInterrupt = ({ driver }: VirtqueueState, memory: GuestMemory): boolean =>
  (word(memory, driver) & NO_INTERRUPT) === 0;

/** Bytes of all pieces. */
export const lengthOf = (pieces: readonly Piece[]): number => pieces.reduce((sum, { length }) => sum + length, 0);

/** All bytes of pieces that the device reads, up to `most`. */
export function gather(pieces: readonly Piece[], memory: GuestMemory, most = Number.POSITIVE_INFINITY): Uint8Array {
  const bytes = new Uint8Array(Math.min(lengthOf(pieces), most));
  let at = 0;
  for (const { address, length } of pieces) {
    const count = Math.min(length, bytes.length - at);
    if (count > 0) bytes.set(memory.read(address, count), at);
    at += count;
  }
  return bytes;
}

/** Writes bytes to pieces from `offset` on; gives how many there was room for. */
export function scatter(pieces: readonly Piece[], bytes: Uint8Array, memory: GuestMemory, offset = 0): number {
  let at = 0;
  let skip = offset;
  for (const { address, length } of pieces) {
    const from = Math.min(skip, length);
    skip -= from;
    const count = Math.min(length - from, bytes.length - at);
    if (count > 0) memory.write(address + from, bytes.subarray(at, at + count));
    at += count;
  }
  return at;
}
