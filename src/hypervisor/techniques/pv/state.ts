/** What paravirtualization keeps of a VM. Types of frames, and the pages that both sides see, are in the host's memory. */
import type { Host } from "../../host.js";

/** Where a vector goes. */
export interface GuestTrap {
  readonly flags: number;
  readonly selector: number;
  readonly address: number;
}

export interface PvOwn {
  /** Number of the first of its frames in the machine, and how many there are. */
  readonly first: number;
  readonly pages: number;
  /** Host-physical: a word for each frame, the shared page, and the block device's request page, if there is a disk. */
  readonly types: number;
  readonly shared: number;
  readonly block: number | undefined;
  /** Machine frame of the page directory in use. */
  readonly directory: number;
  /** Machine frames of its descriptors, and how many descriptors there are. */
  readonly descriptors: readonly number[];
  readonly descriptorCount: number;
  /** By vector. */
  readonly traps: Readonly<Record<string, GuestTrap>>;
  readonly callback: { readonly selector: number; readonly address: number };
  readonly stack: { readonly ss: number; readonly esp: number };
  /** Its port of the timer's event; undefined: not bound. */
  readonly timerPort: number | undefined;
  /** The guest's tick at which the timer's event comes; undefined: it does not. */
  readonly timer: number | undefined;
}

export const ownOf = (host: Host, number: number): PvOwn => host.vm(number).own as PvOwn;

export function changeOwn(host: Host, number: number, change: Partial<PvOwn>): void {
  host.change(number, { own: { ...ownOf(host, number), ...change } });
}
