/**
 * The memory of a guest under nested paging: where what it takes for physical memory is the host's. As the memory of
 * a page walk it makes the walk one in two dimensions, since each entry of the guest's own tables lies at a guest-physical
 * address.
 *
 * What nested translation refuses leaves the guest: a `VmExit`. Translations of guest frames are remembered until `flush`;
 * nothing but the tables read from the host's memory decides them.
 * Spec: SDM Vol. 3C, "Translation of Guest-Physical Addresses Using EPT", "EPT-Induced VM Exits"; AMD64 Vol. 2, "Nested Paging".
 */
import { EPT } from "./ept-levels.js";
import { type NestedFault, VmExit } from "./guest-operation.js";
import {
  type NestedAccess,
  type NestedPaging,
  type NestedTranslation,
  newNestedTranslation,
  translateNested,
  walksWrite,
} from "./nested-paging.js";
import { type Access, type PagingState, type PhysicalMemory, type Translation, translate } from "./paging.js";
import { newPointersOnDemand, translateOnDemand } from "./pointers-on-demand.js";

const WORD = 2 ** 32;
/** What is read where there is nothing. */
const OPEN_BUS = -1;
/** Translations that are remembered, of guest frames below 4 GiB to such of the host's. */
const FRAMES = 4096;

const READ: NestedAccess = Object.freeze({ write: false, fetch: false });
const WRITE: NestedAccess = Object.freeze({ write: true, fetch: false });

/** What nested translation refused, as the exit tells it. */
export function nestedFault(
  nested: NestedPaging,
  { rights, misconfigured, errorCode }: NestedTranslation,
  access: NestedAccess,
  where: Pick<NestedFault, "guestPhysical" | "linear" | "ofWalk">,
): NestedFault {
  const has = (right: number): boolean => (rights & right) !== 0;
  return Object.freeze({
    ...where,
    access: Object.freeze({ write: access.write, fetch: access.fetch }),
    rights: Object.freeze({ read: has(EPT.R), write: has(EPT.W), execute: has(EPT.X) }),
    misconfigured,
    ...(nested.kind === "npt" ? { errorCode } : {}),
  });
}

export class NestedMemory implements PhysicalMemory {
  readonly #host: PhysicalMemory;
  #nested: NestedPaging;
  /** How entries of the guest's own tables are read. */
  #walkAccess: NestedAccess;
  /** The linear address of the present walk; undefined if none leads to what is accessed. */
  #linear: number | undefined;
  #setFlags = false;
  readonly #out = newNestedTranslation();
  readonly #pointers = newPointersOnDemand();
  /** Guest frame numbers, where they are in host-physical memory, and the accesses that need no walk, as rights. */
  readonly #frames = new Int32Array(FRAMES).fill(-1);
  readonly #pages = new Uint32Array(FRAMES);
  readonly #rights = new Uint8Array(FRAMES);
  #isEmpty = true;

  /** `host` is read for entries of the nested tables, with level 0, and for those of the guest's, with their own. */
  constructor(host: PhysicalMemory, nested: NestedPaging) {
    this.#host = host;
    this.#nested = nested;
    this.#walkAccess = walksWrite(nested) ? WRITE : READ;
  }

  /** Goes on with other tables. */
  use(nested: NestedPaging): void {
    this.#nested = nested;
    this.#walkAccess = walksWrite(nested) ? WRITE : READ;
    this.flush();
  }

  /** Forgets all translations: a nested table may have been written. */
  flush(): void {
    if (this.#isEmpty) return;
    this.#frames.fill(-1);
    this.#isEmpty = true;
  }

  /** Host-physical address of a frame that the guest may read, by its number, without a walk; -1 where that is not known. */
  knownPage(frame: number): number {
    const at = frame & (FRAMES - 1);
    return this.#frames[at] === frame && (this.#rights[at]! & EPT.R) !== 0 ? this.#pages[at]! : -1;
  }

  /**
   * `translate` of paging, from linear to host-physical. `directoryEntry` is of the guest's: its table has a guest-physical
   * address. Throws a `VmExit` for what nested translation refuses.
   */
  translate(
    system: PagingState,
    linear: number,
    access: Access,
    setFlags: boolean,
    out: Translation,
    directoryEntry = 0,
  ): Translation {
    this.#linear = linear;
    this.#setFlags = setFlags;
    if (this.#nested.kind === "ept") translate(this, system, linear, access, setFlags, out, undefined, directoryEntry);
    else translateOnDemand(this, system, linear, access, setFlags, out, this.#pointers, undefined, directoryEntry);
    if (out.physical >= 0) out.physical = this.#locate(out.physical, access, false);
    return out;
  }

  /**
   * Host-physical address of what the processor reaches in the guest's memory without a linear address, as a load of PDPTE
   * registers does. Throws a `VmExit`.
   */
  locate(guestPhysical: number, access: NestedAccess, setFlags: boolean): number {
    this.#linear = undefined;
    this.#setFlags = setFlags;
    return this.#locate(guestPhysical, access, true);
  }

  /** A word of an entry of the guest's own tables. */
  read32(guestPhysical: number, level: number): number {
    const physical = this.#locate(guestPhysical, this.#walkAccess, true);
    return physical < WORD ? this.#host.read32(physical, level) : OPEN_BUS;
  }

  /** Accessed and dirty flags of the guest's. */
  write32(guestPhysical: number, value: number): void {
    const physical = this.#locate(guestPhysical, WRITE, true);
    if (physical < WORD) this.#host.write32(physical, value);
  }

  reachAbove(guestPhysical: number): void {
    this.#locate(guestPhysical, this.#walkAccess, true);
  }

  #locate(guestPhysical: number, access: NestedAccess, ofWalk: boolean): number {
    if (guestPhysical >= WORD) return this.#walk(guestPhysical, access, ofWalk);
    const frame = guestPhysical >>> 12;
    const at = frame & (FRAMES - 1);
    const right = access.write ? EPT.W : access.fetch ? EPT.X : EPT.R;
    const isKnown = this.#frames[at] === frame;
    const offset = guestPhysical & 0xfff;
    if (isKnown && (this.#rights[at]! & right) !== 0) return this.#pages[at]! + offset;
    const physical = this.#walk(guestPhysical, access, ofWalk);
    // Without its flags set an entry has to be found again.
    if (!this.#setFlags || physical >= WORD) return physical;
    // What may be written may be read, in both kinds of tables.
    const rights = access.write ? EPT.W | EPT.R : right;
    const isSame = isKnown && this.#pages[at] === physical - offset;
    this.#rights[at] = isSame ? this.#rights[at]! | rights : rights;
    this.#frames[at] = frame;
    this.#pages[at] = physical - offset;
    this.#isEmpty = false;
    return physical;
  }

  #walk(guestPhysical: number, access: NestedAccess, ofWalk: boolean): number {
    const nested = this.#nested;
    const out = translateNested(this.#host, nested, guestPhysical, access, this.#setFlags, this.#out);
    if (out.physical >= 0) return out.physical;
    const fault = nestedFault(nested, out, access, { guestPhysical, linear: this.#linear, ofWalk });
    throw new VmExit(Object.freeze({ kind: "nested-fault", fault }));
  }
}
