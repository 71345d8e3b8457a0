/**
 * A virtio block device over one of the machine's disks.
 *
 * Left out on purpose: discard, write zeroes, several queues, topology.
 *
 * Manual: virtio 1.2, "Block Device".
 */
import { SECTOR_SIZE } from "../disk.js";
import type { Reach } from "./guest-memory.js";
import type { AttachedDisk } from "./ide.js";
import { resetVirtio, type VirtioKind, type VirtioState, virtioDevice } from "./virtio.js";
import { type Chain, gather, lengthOf, scatter } from "./virtqueue.js";

export interface VirtioBlockState extends VirtioState {
  /** Number of the disk. */
  readonly disk: number;
  readonly sectors: number;
  readonly readOnly: boolean;
}

const FEATURE = { SEG_MAX: 1 << 2, RO: 1 << 5, BLK_SIZE: 1 << 6, FLUSH: 1 << 9 } as const;
const REQUEST = { IN: 0, OUT: 1, FLUSH: 4, GET_ID: 8 } as const;
const RESULT = { OK: 0, IOERR: 1, UNSUPP: 2 } as const;
const HEADER = 16;
/** Pieces of data a request can have, with a header and a status in a queue of 256. */
const MOST_PIECES = 254;
const ID_LENGTH = 20;

/** The device for a disk; without one it has no sectors. */
export const resetVirtioBlock = (disk?: AttachedDisk): VirtioBlockState => ({
  ...resetVirtio(1),
  disk: disk?.disk ?? 0,
  sectors: (disk?.size ?? 0) / SECTOR_SIZE,
  readOnly: disk?.readOnly ?? false,
});

/** Does a request; gives its result and how many bytes of data it wrote. */
function request(
  state: VirtioBlockState,
  chain: Chain,
  room: number,
  { disks, memory }: Reach,
): readonly [number, number] {
  const header = gather(chain.readable, memory, HEADER);
  if (header.length < HEADER) return [RESULT.IOERR, 0];
  const view = new DataView(header.buffer);
  const offset = (view.getUint32(8, true) + view.getUint32(12, true) * 2 ** 32) * SECTOR_SIZE;
  const fits = (length: number): boolean =>
    length % SECTOR_SIZE === 0 && offset + length <= state.sectors * SECTOR_SIZE;
  switch (view.getUint32(0, true)) {
    case REQUEST.IN:
      if (!fits(room)) return [RESULT.IOERR, 0];
      return [RESULT.OK, scatter(chain.writable, disks.read(state.disk, offset, room), memory)];
    case REQUEST.OUT: {
      const length = lengthOf(chain.readable) - HEADER;
      if (state.readOnly || !fits(length)) return [RESULT.IOERR, 0];
      disks.write(state.disk, offset, gather(chain.readable, memory).subarray(HEADER));
      return [RESULT.OK, 0];
    }
    case REQUEST.FLUSH:
      return [RESULT.OK, 0];
    case REQUEST.GET_ID: {
      const id = new Uint8Array(Math.min(ID_LENGTH, room));
      new TextEncoder().encodeInto(`VL${String(state.disk).padStart(5, "0")}`, id);
      return [RESULT.OK, scatter(chain.writable, id, memory)];
    }
    default:
      return [RESULT.UNSUPP, 0];
  }
}

const kind: VirtioKind<VirtioBlockState> = {
  name: "virtio block",
  spec: 'virtio 1.2, "Block Device"',
  id: 2,
  features: ({ readOnly }) => FEATURE.SEG_MAX | FEATURE.BLK_SIZE | FEATURE.FLUSH | (readOnly ? FEATURE.RO : 0),
  reset: () => resetVirtioBlock(),

  config({ sectors }): Uint8Array {
    const view = new DataView(new ArrayBuffer(60));
    view.setUint32(0, sectors % 2 ** 32, true);
    view.setUint32(4, Math.floor(sectors / 2 ** 32), true);
    view.setUint32(12, MOST_PIECES, true);
    view.setUint32(20, SECTOR_SIZE, true);
    return new Uint8Array(view.buffer);
  },

  use(state, _queue, chain, reach) {
    // The last byte that can be written is the result's.
    const room = lengthOf(chain.writable) - 1;
    if (room < 0) return { state, written: 0 };
    const [result, written] = request(state, chain, room, reach);
    scatter(chain.writable, Uint8Array.of(result), reach.memory, room);
    return { state, written: written + 1 };
  },
};

export const virtioBlock = virtioDevice(kind);
