/** Shadow-entry validation: what stands between a guest's page tables and the host's frames. */
import { extentAt } from "../guest-memory.js";
import type { Extent } from "../state.js";

/** A host frame that a shadow entry may map. */
export interface ValidFrame {
  /** Host-physical. */
  readonly host: number;
  readonly readOnly: boolean;
}

/**
 * The host's frame for a guest-physical address, if it is one of the VM's: no shadow entry is made without this. Below `open`, which is 0
 * unless the host is without this protection, other addresses are the host's own.
 */
export function validFrame(extents: readonly Extent[], physical: number, open: number): ValidFrame | undefined {
  const extent = extentAt(extents, physical);
  const page = physical - (physical % 4096);
  if (extent === undefined) return page < open ? { host: page, readOnly: false } : undefined;
  return { host: page - extent.guest + extent.host, readOnly: extent.readOnly };
}
