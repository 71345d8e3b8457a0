/**
 * What a device reaches beyond its own registers, as the master of the bus: the guest's memory, and disks.
 *
 * These are the only effects of a device that are not in the state it returns. Whoever runs the machine hands them to
 * the bus, which hands them to the accesses of devices that may need them; time passing needs none.
 */

/** Physical memory, as a device sees it: no translation, no A20 gate. */
export interface GuestMemory {
  /** A copy of `length` bytes; ones where there is no memory, as on an open bus. */
  read(physical: number, length: number): Uint8Array;
  /** Where there is no memory, or only read-only memory, nothing happens. */
  write(physical: number, bytes: Uint8Array): void;
}

/** The machine's disks, by number. */
export interface DiskAccess {
  /** A copy of bytes of a disk, all of which it has. */
  read(disk: number, offset: number, length: number): Uint8Array;
  /** Writes bytes, all of which lie on the disk. */
  write(disk: number, offset: number, bytes: Uint8Array): void;
}

export interface Reach {
  readonly memory: GuestMemory;
  readonly disks: DiskAccess;
}

/** Nothing is reached: for accesses without a machine. */
export const NO_REACH: Reach = {
  memory: { read: (_physical, length) => new Uint8Array(length).fill(0xff), write: () => {} },
  disks: { read: (_disk, _offset, length) => new Uint8Array(length), write: () => {} },
};
