/**
 * A virtio console with one port.
 *
 * Manual: virtio 1.2, "Console Device".
 */
import type { Reach } from "./guest-memory.js";
import { notify, resetVirtio, type VirtioKind, type VirtioState, virtioDevice } from "./virtio.js";
import { gather, lengthOf, scatter } from "./virtqueue.js";

export interface VirtioConsoleState extends VirtioState {
  /** Every byte the guest has put out so far, and those typed that it has not taken yet, a character each. */
  readonly output: string;
  readonly input: string;
}

const QUEUE = { receive: 0, transmit: 1 } as const;

const textOf = (bytes: Uint8Array): string => {
  let text = "";
  for (const byte of bytes) text += String.fromCharCode(byte);
  return text;
};

const kind: VirtioKind<VirtioConsoleState> = {
  name: "virtio console",
  spec: 'virtio 1.2, "Console Device"',
  id: 3,
  features: () => 0,
  reset: () => ({ ...resetVirtio(2), output: "", input: "" }),
  config: () => new Uint8Array(12),

  use(state, queue, chain, { memory }) {
    if (queue === QUEUE.transmit)
      return { state: { ...state, output: state.output + textOf(gather(chain.readable, memory)) }, written: 0 };
    if (state.input === "") return undefined;
    const count = Math.min(lengthOf(chain.writable), state.input.length);
    const bytes = Uint8Array.from(state.input.slice(0, count), (character) => character.charCodeAt(0));
    scatter(chain.writable, bytes, memory);
    return { state: { ...state, input: state.input.slice(count) }, written: count };
  },
};

export const virtioConsole = virtioDevice(kind);

/** The console with bytes typed, which go into the buffers that its driver has offered. */
export const typeAtConsole = (state: VirtioConsoleState, bytes: Uint8Array, reach: Reach): VirtioConsoleState =>
  notify(kind, { ...state, input: state.input + textOf(bytes) }, QUEUE.receive, reach);
