/** What a machine's firmware leaves in memory for systems to find, by the tables its kind has. */
import { identify } from "../cpu/cpuid.js";
import type { ModelName } from "../cpu/model.js";
import type { FirmwareTable, MachineKind } from "../devices/machines.js";
import { acpiTables, type FirmwareBytes } from "./acpi.js";
import { mpTables } from "./mp-tables.js";

export type { FirmwareBytes } from "./acpi.js";

export function firmwareTables(kind: MachineKind, processors: number, model: ModelName): readonly FirmwareBytes[] {
  const [signature, , , features] = identify(model, 1);
  const make: { readonly [N in FirmwareTable]: () => readonly FirmwareBytes[] } = {
    mp: () => mpTables(kind, processors, { signature, features }),
    acpi: () => acpiTables(processors),
  };
  return kind.tables.flatMap((table) => make[table]());
}
