/**
 * A virtio entropy device. Its bytes follow from the machine's seed alone: block n of 32 is the SHA-256 of seed and n.
 *
 * Manual: virtio 1.2, "Entropy Device".
 */
import { sha256 } from "../../state/hash.js";
import { resetVirtio, type VirtioKind, type VirtioState, virtioDevice } from "./virtio.js";
import { lengthOf, scatter } from "./virtqueue.js";

export interface VirtioRngState extends VirtioState {
  /** Of 64 bits. */
  readonly seed: bigint;
  /** Bytes given so far. */
  readonly drawn: number;
}

const BLOCK = 32;
/** Bytes of one request that are filled; a driver asks again for more. */
const MOST = 4096;

export const resetVirtioRng = (seed = 0n): VirtioRngState => ({ ...resetVirtio(1), seed, drawn: 0 });

function randomBytes(seed: bigint, from: number, count: number): Uint8Array {
  const bytes = new Uint8Array(count);
  const input = new DataView(new ArrayBuffer(16));
  input.setBigUint64(0, seed);
  for (let at = 0; at < count; ) {
    const block = Math.floor((from + at) / BLOCK);
    const offset = (from + at) % BLOCK;
    input.setFloat64(8, block);
    const part = sha256(new Uint8Array(input.buffer)).subarray(offset, offset + count - at);
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}

const kind: VirtioKind<VirtioRngState> = {
  name: "virtio rng",
  spec: 'virtio 1.2, "Entropy Device"',
  id: 4,
  features: () => 0,
  reset: () => resetVirtioRng(),
  config: () => new Uint8Array(0),

  use(state, _queue, chain, { memory }) {
    const count = Math.min(lengthOf(chain.writable), MOST);
    scatter(chain.writable, randomBytes(state.seed, state.drawn, count), memory);
    return { state: { ...state, drawn: state.drawn + count }, written: count };
  },
};

export const virtioRng = virtioDevice(kind);
