/**
 * What I/O APICs and local APICs send to each other: an interrupt's kind, its vector, and for whom it is.
 *
 * Manual: SDM Vol. 3A, "Advanced Programmable Interrupt Controller (APIC)", "Interrupt Command Register (ICR)"; Intel
 * 82093AA (IOAPIC) datasheet, "IOREDTBL[23:0] - I/O Redirection Table Registers".
 */

/** Delivery modes: bits 8 to 10 of ICR, local vector table and redirection table alike. */
export const DELIVERY = {
  fixed: 0,
  lowestPriority: 1,
  smi: 2,
  nmi: 4,
  init: 5,
  startUp: 6,
  extInt: 7,
} as const;

/** Fields that ICR, local vector table and redirection table have in the same places. */
export const FIELD = {
  vector: 0xff,
  deliveryShift: 8,
  logical: 1 << 11,
  remoteIrr: 1 << 14,
  levelTriggered: 1 << 15,
  masked: 1 << 16,
} as const;

export const deliveryOf = (word: number): number => (word >> FIELD.deliveryShift) & 7;

export interface InterruptMessage {
  /** One of `DELIVERY`. */
  readonly delivery: number;
  /** 0 to 255; of a start-up message the number of the page to start at. */
  readonly vector: number;
  readonly levelTriggered: boolean;
  /** Whether `destination` is matched with logical addresses instead of IDs. */
  readonly logical: boolean;
  readonly destination: number;
}
