/**
 * The extended page tables as a table of levels, as `paging-levels.ts` has the paging modes.
 * Spec: SDM Vol. 3C, "EPT Translation Mechanism", "EPT Misconfigurations".
 */
import { type ModelName, modelNames, models } from "./model.js";
import { bitsFrom, type Level, level } from "./paging-levels.js";

/** Flags of an entry. A and D only where the EPT pointer says so; IPAT and the memory type only of a page. */
export const EPT = { R: 1, W: 2, X: 4, IPAT: 64, PS: 128, A: 256, D: 512 } as const;

/** Rights in an entry; without any it is not present. */
export const EPT_RIGHTS = EPT.R | EPT.W | EPT.X;

/** Where the memory type of a page is: bits 3 to 5. */
export const EPT_TYPE_SHIFT = 3;
export const EPT_TYPE_MASK = 7;
/** A bit for each memory type that is reserved: 2, 3 and 7. */
export const EPT_RESERVED_TYPES = (1 << 2) | (1 << 3) | (1 << 7);

/** What of a processor extended paging depends on; IA32_VMX_EPT_VPID_CAP says the same of it. */
export interface EptFeatures {
  readonly physicalBits: number;
  /** Pages of 1 GiB. */
  readonly gigabytePages: boolean;
  /** An entry may allow instruction fetches alone. */
  readonly executeOnly: boolean;
}

/** Bits 3 to 6 of an entry that leads to a table. */
const RESERVED_IN_TABLE = bitsFrom(3, 6);

/** The levels, from the PML4 table down. */
export function eptLevels({ physicalBits, gigabytePages }: EptFeatures): Level {
  const common = { wide: true, reservedHigh: bitsFrom(physicalBits - 32, 19) };
  const last = level({ ...common, level: 1, table: "page table", bits: [20, 12], page: EPT_RIGHTS });
  const directory = level({
    ...{ ...common, level: 2, table: "page directory", bits: [29, 21], page: EPT.PS, next: last },
    reservedInPage: bitsFrom(12, 20),
    reservedInTable: RESERVED_IN_TABLE,
  });
  const pointers = level({
    ...{ ...common, level: 3, table: "page-directory-pointer table", bits: [38, 30], next: directory },
    page: gigabytePages ? EPT.PS : 0,
    reservedInPage: bitsFrom(12, 29),
    reservedInTable: RESERVED_IN_TABLE | EPT.PS,
  });
  return level({
    ...{ ...common, level: 4, table: "PML4 table", bits: [47, 39], page: 0, next: pointers },
    reservedInTable: RESERVED_IN_TABLE | EPT.PS,
  });
}

function featuresOf(name: ModelName): EptFeatures {
  const { features, physicalBits } = models[name];
  return Object.freeze({ physicalBits, gigabytePages: features.has("PDPE1GB"), executeOnly: true });
}

/** By model. Which of them have VT-x is not asked here. */
export const eptFeatures = Object.freeze(
  Object.fromEntries(modelNames.map((name) => [name, featuresOf(name)])),
) as Readonly<Record<ModelName, EptFeatures>>;
