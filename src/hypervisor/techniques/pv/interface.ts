/**
 * Numbers and structures that a paravirtual guest and the hypervisor agree on: Xen's for 32-bit guests without PAE, as
 * `guests/kernel/xen-interface.h` says. Pure tables.
 * Spec: Xen, public headers xen.h, arch-x86/xen.h, arch-x86/xen-x86_32.h, event_channel.h, sched.h, errno.h.
 */

/** What a refused hypercall gives, negative. */
export const ERRNO = {
  EPERM: 1,
  ENOENT: 2,
  E2BIG: 7,
  EFAULT: 14,
  EEXIST: 17,
  EINVAL: 22,
  ENOSYS: 38,
} as const;
export type ErrnoName = keyof typeof ERRNO;

export const DOMID_SELF = 0x7ff0;
/** INT 82h is the way in. */
export const HYPERCALL_VECTOR = 0x82;
export const START_MAGIC = "xen-3.0-x86_32";

/** Flat segments of ring 1 that every guest has, and how many descriptors are its own. */
export const FLAT_RING1 = { cs: 0xe019, ds: 0xe021 } as const;
export const GUEST_DESCRIPTORS = 14 * 512;

/** Flags of a trap's entry: the ring that may use it by INT, and whether events are masked in its handler. */
export const TRAP = { DPL: 3, EVENTS_OFF: 4, BYTES: 8 } as const;

/** What the lowest bits of an address ask for. */
export const MMU_NORMAL_PT_UPDATE = 0;
export const MMUEXT = { PIN_L1: 0, PIN_L2: 1, UNPIN: 4, NEW_BASEPTR: 5, INVLPG_LOCAL: 7 } as const;
export const SCHEDOP = { yield: 0, block: 1, shutdown: 2 } as const;
export const SHUTDOWN_POWEROFF = 0;
export const CONSOLEIO_WRITE = 0;
export const EVTCHNOP = { bindVirq: 1, send: 4 } as const;
export const VIRQ_TIMER = 0;

/** Bytes of what arguments point at. */
export const BYTES = { update: 16, operation: 12, call: 32 } as const;

/** Offsets in the shared page; the first of 32 virtual processors has the beginning. */
export const SHARED = {
  upcallPending: 0,
  upcallMask: 1,
  pendingSelector: 4,
  cr2: 8,
  timeVersion: 32,
  systemTime: 48,
  vcpuBytes: 64,
  vcpus: 32,
  pending: 2048,
  mask: 2176,
} as const;

/** Offsets in the start information. */
export const START = {
  magic: 0,
  pages: 32,
  sharedInfo: 36,
  storeFrame: 44,
  storeEvent: 48,
  tables: 60,
  tableCount: 64,
  frameList: 68,
  commandLine: 80,
  commandLineBytes: 1024,
} as const;

/** The block device's request page. Not Xen's. */
export const BLOCK = {
  sectors: 0,
  asked: 4,
  done: 8,
  requests: 16,
  request: { operation: 0, sector: 4, count: 8, frame: 12, status: 16, bytes: 32 },
  count: 16,
  mostSectors: 8,
  READ: 0,
  WRITE: 1,
  DONE: 0,
  REFUSED: 1,
} as const;
