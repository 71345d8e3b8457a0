/** Shadow-entry validation: what stands between a guest's page tables and the host's frames. */
import { extentAt } from "../guest-memory.js";
import type { Extent } from "../state.js";

/** A host frame that a shadow entry may map. */
export interface ValidFrame {
  /** Host-physical. */
  readonly host: number;
  readonly readOnly: boolean;
}

/** The host's frame for a guest-physical address, if it is one of the VM's: no shadow entry is made without this. */
export function validFrame(extents: readonly Extent[], physical: number): ValidFrame | undefined {
  const extent = extentAt(extents, physical);
  if (extent === undefined) return undefined;
  const page = physical - (physical % 4096);
  return { host: page - extent.guest + extent.host, readOnly: extent.readOnly };
}
