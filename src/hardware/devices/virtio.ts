/**
 * What all virtio devices have: features, status, queues and an interrupt, behind two faces: the structures of a PCI
 * device's memory range, and the registers of a memory-mapped device.
 *
 * A device works through a queue at once when it is notified; there is nothing it would have to wait for.
 *
 * Left out on purpose: legacy and transitional devices, message signalled interrupts, resets of single queues, and the
 * window in PCI configuration space.
 *
 * Manual: virtio 1.2, "Basic Facilities of a Virtio Device", "Virtio Over PCI Bus", "Virtio Over MMIO".
 */
import type { BusDevice } from "./bus-device.js";
import { NO_REACH, type Reach } from "./guest-memory.js";
import {
  type Chain,
  nextChain,
  putUsed,
  QUEUE_SIZE,
  resetQueue,
  type VirtqueueState,
  wantsInterrupt,
} from "./virtqueue.js";

/** Register offsets: the structures behind a PCI BAR, and the face of a memory-mapped device. */
export const VIRTIO_OFFSET = { common: 0, isr: 0x1000, device: 0x2000, notify: 0x3000, mmio: 0x1_0000 } as const;
/** Bytes of the whole of the first, and of the second. */
export const VIRTIO_PCI_LENGTH = 0x4000;
export const VIRTIO_MMIO_LENGTH = 0x200;

/** Bits of device_status. */
const STATUS = { FEATURES_OK: 8, DRIVER_OK: 4 } as const;
/** Features of the second word: the device is of version 1. Of the first: descriptors may be in tables of their own. */
const VERSION_1 = 0x0000_0001;
const INDIRECT_DESC = 0x1000_0000;
/** Bits of the interrupt status: a used buffer. */
const USED_BUFFER = 1;

/** The state every virtio device has; names are those of the specification's structure virtio_pci_common_cfg. */
export interface VirtioState {
  readonly device_feature_select: number;
  readonly driver_feature_select: number;
  /** Low and high word. */
  readonly driver_feature: readonly number[];
  readonly device_status: number;
  readonly queue_select: number;
  readonly queues: readonly VirtqueueState[];
  /** Interrupt status: what the pin is high for. */
  readonly isr: number;
}

/** What distinguishes one kind of virtio device from another. */
export interface VirtioKind<S extends VirtioState> {
  readonly name: string;
  readonly spec: string;
  readonly id: number;
  /** Low word of the features, those of all devices apart. */
  readonly features: (state: S) => number;
  readonly reset: () => S;
  /** The device's configuration space. */
  readonly config: (state: S) => Uint8Array;
  /**
   * What is done with a chain of buffers of a queue: the state after it and how many bytes were written; undefined to
   * leave it for later.
   */
  readonly use: (state: S, queue: number, chain: Chain, reach: Reach) => { state: S; written: number } | undefined;
}

export const resetVirtio = (queues: number): VirtioState => ({
  device_feature_select: 0,
  driver_feature_select: 0,
  driver_feature: [0, 0],
  device_status: 0,
  queue_select: 0,
  queues: Array.from({ length: queues }, resetQueue),
  isr: 0,
});

/** A register of either face: how it is read and written, as a whole. */
interface Register<S extends VirtioState> {
  readonly size: number;
  readonly read?: (state: S) => number;
  readonly write?: (state: S, value: number, reach: Reach) => S;
}

type Registers<S extends VirtioState> = { readonly [offset: number]: Register<S> };

/** A virtio device of a kind. */
export function virtioDevice<S extends VirtioState>(kind: VirtioKind<S>): BusDevice<S> {
  const pci = commonConfiguration(kind);
  const mmio = mmioRegisters(kind);
  const configByte = (state: S, offset: number): number => kind.config(state)[offset] ?? 0;

  /** The register that has an offset, and which of its bytes. */
  const find = (offset: number): { register: Register<S>; at: number } | undefined => {
    const [registers, base] = offset >= VIRTIO_OFFSET.mmio ? [mmio, VIRTIO_OFFSET.mmio] : [pci, VIRTIO_OFFSET.common];
    for (let at = 0; at < 4; at++) {
      const register = registers[offset - base - at];
      if (register !== undefined && at < register.size) return { register, at };
    }
    return undefined;
  };

  const byteAt = (state: S, offset: number): number => {
    if (offset >= VIRTIO_OFFSET.mmio + MMIO_CONFIG) return configByte(state, offset - VIRTIO_OFFSET.mmio - MMIO_CONFIG);
    if (offset >= VIRTIO_OFFSET.device && offset < VIRTIO_OFFSET.notify)
      return configByte(state, offset - VIRTIO_OFFSET.device);
    const place = find(offset);
    return place === undefined ? 0 : ((place.register.read?.(state) ?? 0) >>> (8 * place.at)) & 0xff;
  };

  return {
    name: kind.name,
    spec: kind.spec,
    reset: kind.reset,

    peek(state, offset, size): number {
      if (offset === VIRTIO_OFFSET.isr && state.isr !== 0) return -1;
      if (offset === VIRTIO_OFFSET.isr) return 0;
      let value = 0;
      for (let at = size - 1; at >= 0; at--) value = value * 256 + byteAt(state, offset + at);
      return value;
    },

    // Only reading the interrupt status of a PCI device changes something: it acknowledges.
    read: (state) => ({ state: { ...state, isr: 0 }, value: state.isr }),

    write(state, offset, size, value, _tick, reach = NO_REACH): S {
      if (offset >= VIRTIO_OFFSET.notify && offset < VIRTIO_PCI_LENGTH)
        return notify(kind, state, value & 0xffff, reach);
      const place = find(offset);
      if (place?.register.write === undefined) return state;
      const { register, at } = place;
      const before = register.read?.(state) ?? 0;
      const mask = 2 ** (8 * Math.min(size, register.size - at)) - 1;
      const shift = 2 ** (8 * at);
      const kept = before - (Math.floor(before / shift) % (mask + 1)) * shift;
      return register.write!(state, kept + (value % (mask + 1)) * shift, reach);
    },

    interrupt: (state) => state.isr !== 0,
  };
}

/** The device works through a queue. */
export function notify<S extends VirtioState>(kind: VirtioKind<S>, start: S, number: number, reach: Reach): S {
  let state = start;
  let used = 0;
  for (;;) {
    const queue = state.queues[number];
    if (queue === undefined || !queue.enabled || (state.device_status & STATUS.DRIVER_OK) === 0) return start;
    const chain = nextChain(queue, reach.memory);
    const done = chain && kind.use(state, number, chain, reach);
    if (done === undefined) break;
    state = withQueue(done.state, number, putUsed(queue, reach.memory, chain!.head, done.written));
    used++;
  }
  const interrupts = used > 0 && wantsInterrupt(state.queues[number]!, reach.memory);
  return interrupts ? { ...state, isr: state.isr | USED_BUFFER } : state;
}

const withQueue = <S extends VirtioState>(state: S, number: number, queue: VirtqueueState): S => ({
  ...state,
  queues: state.queues.with(number, queue),
});

/** A change of the selected queue; none while there is no such queue. */
function changeQueue<S extends VirtioState>(state: S, change: Partial<VirtqueueState>): S {
  const queue = state.queues[state.queue_select];
  return queue === undefined ? state : withQueue(state, state.queue_select, { ...queue, ...change });
}

const selected = ({ queues, queue_select }: VirtioState): VirtqueueState | undefined => queues[queue_select];

const LIMIT = 2 ** 32;
const ADDRESSES = ["desc", "driver", "device"] as const;
/** Half of one of the selected queue's addresses. */
function address<S extends VirtioState>(name: (typeof ADDRESSES)[number], high: boolean): Register<S> {
  return {
    size: 4,
    read: (state) => {
      const value = selected(state)?.[name] ?? 0;
      return high ? Math.floor(value / LIMIT) : value % LIMIT;
    },
    write: (state, value) => {
      const before = selected(state)?.[name] ?? 0;
      // Physical addresses have 52 bits.
      const after = high ? (value % 2 ** 20) * LIMIT + (before % LIMIT) : before - (before % LIMIT) + value;
      return changeQueue(state, { [name]: after });
    },
  };
}

/** Registers that both faces have, under their names of PCI. */
function commonRegisters<S extends VirtioState>(kind: VirtioKind<S>) {
  const offered = (state: S): readonly number[] => [kind.features(state) | INDIRECT_DESC, VERSION_1];
  const register = (size: number, rest: Omit<Register<S>, "size">): Register<S> => ({ size, ...rest });
  return {
    device_feature_select: register(4, {
      read: (state) => state.device_feature_select,
      write: (state, value) => ({ ...state, device_feature_select: value }),
    }),
    device_feature: register(4, { read: (state) => (offered(state)[state.device_feature_select] ?? 0) >>> 0 }),
    driver_feature_select: register(4, {
      read: (state) => state.driver_feature_select,
      write: (state, value) => ({ ...state, driver_feature_select: value }),
    }),
    driver_feature: register(4, {
      read: (state) => (state.driver_feature[state.driver_feature_select] ?? 0) >>> 0,
      write: (state, value) =>
        state.driver_feature_select > 1
          ? state
          : { ...state, driver_feature: state.driver_feature.with(state.driver_feature_select, value) },
    }),
    device_status: register(1, {
      read: (state) => state.device_status,
      write: (state, value) => {
        if (value === 0) return { ...state, ...resetVirtio(state.queues.length) };
        // Features that were not offered, or a driver of before version 1, are not agreed to.
        const [low, high] = offered(state);
        const [driverLow = 0, driverHigh = 0] = state.driver_feature;
        const agreed = (driverLow & ~low!) === 0 && (driverHigh & ~high!) === 0 && (driverHigh & VERSION_1) !== 0;
        return { ...state, device_status: agreed ? value : value & ~STATUS.FEATURES_OK };
      },
    }),
    queue_select: register(2, {
      read: (state) => state.queue_select,
      write: (state, value) => ({ ...state, queue_select: value }),
    }),
    queue_size: register(2, {
      read: (state) => selected(state)?.size ?? 0,
      write: (state, size) => (size > 0 && size <= QUEUE_SIZE ? changeQueue(state, { size }) : state),
    }),
    queue_enable: register(2, {
      read: (state) => (selected(state)?.enabled === true ? 1 : 0),
      write: (state, value) => changeQueue(state, { enabled: value === 1 }),
    }),
  };
}

const NO_VECTOR = 0xffff;

/** Spec: virtio 1.2, "Common configuration structure layout". */
function commonConfiguration<S extends VirtioState>(kind: VirtioKind<S>): Registers<S> {
  const common = commonRegisters(kind);
  return {
    0: common.device_feature_select,
    4: common.device_feature,
    8: common.driver_feature_select,
    12: common.driver_feature,
    16: { size: 2, read: () => NO_VECTOR },
    18: { size: 2, read: (state) => state.queues.length },
    20: common.device_status,
    // The configuration never changes by itself.
    21: { size: 1, read: () => 0 },
    22: common.queue_select,
    24: common.queue_size,
    26: { size: 2, read: () => NO_VECTOR },
    28: common.queue_enable,
    // Each queue is notified at its number times the multiplier.
    30: { size: 2, read: (state) => state.queue_select },
    32: address("desc", false),
    36: address("desc", true),
    40: address("driver", false),
    44: address("driver", true),
    48: address("device", false),
    52: address("device", true),
  };
}

/** "virt", and this package's own vendor, "VLAB". */
const MAGIC = 0x7472_6976;
const VENDOR = 0x4241_4c56;
const MMIO_VERSION = 2;
const MMIO_CONFIG = 0x100;

/** Spec: virtio 1.2, "MMIO Device Register Layout". */
function mmioRegisters<S extends VirtioState>(kind: VirtioKind<S>): Registers<S> {
  const common = commonRegisters(kind);
  const wide = (register: Register<S>): Register<S> => ({ ...register, size: 4 });
  return {
    0: { size: 4, read: () => MAGIC },
    4: { size: 4, read: () => MMIO_VERSION },
    8: { size: 4, read: () => kind.id },
    12: { size: 4, read: () => VENDOR },
    16: common.device_feature,
    20: common.device_feature_select,
    32: common.driver_feature,
    36: common.driver_feature_select,
    48: wide(common.queue_select),
    52: { size: 4, read: (state) => (selected(state) === undefined ? 0 : QUEUE_SIZE) },
    56: wide(common.queue_size),
    68: wide(common.queue_enable),
    80: { size: 4, write: (state, value, reach) => notify(kind, state, value, reach) },
    96: { size: 4, read: (state) => state.isr },
    100: { size: 4, write: (state, value) => ({ ...state, isr: state.isr & ~value }) },
    112: wide(common.device_status),
    128: address("desc", false),
    132: address("desc", true),
    144: address("driver", false),
    148: address("driver", true),
    160: address("device", false),
    164: address("device", true),
    252: { size: 4, read: () => 0 },
  };
}
