/** What a machine's firmware leaves in memory for systems to find, by the tables its kind has. */
import { identify } from "../cpu/cpuid.js";
import type { ModelName } from "../cpu/model.js";
import { devicesOf, type FirmwareTable, machineKind } from "../devices/machines.js";
import type { DeviceConfig } from "../devices/port-map.js";
import { acpiTables, type FirmwareBytes } from "./acpi.js";
import { mpTables } from "./mp-tables.js";

export type { FirmwareBytes } from "./acpi.js";

/** The bytes of all tables of a machine with this configuration and processors of a model. */
export function firmwareTables(config: DeviceConfig, model: ModelName): readonly FirmwareBytes[] {
  const { name, tables } = machineKind(config.machine);
  const devices = devicesOf(config);
  const { processors = 1 } = config;
  const [signature, , , features] = identify(model, 1);
  const make: { readonly [N in FirmwareTable]: () => readonly FirmwareBytes[] } = {
    mp: () => mpTables(name, devices, processors, { signature, features }),
    acpi: () => acpiTables(devices, processors),
  };
  return tables.flatMap((table) => make[table]());
}
