/** What software finds on a machine, and what two machines have not in common, for readers. */
import type { InventoryDifference, InventoryItem } from "../../hardware/inspect/inventory.js";
import type { Display } from "../display.js";
import { tableOf } from "../table/table-display.js";
import { counted } from "../text.js";

const row = ({ kind, name, value }: InventoryItem) => ({ kind, name, value });

export const inventoryDisplay = (items: readonly InventoryItem[]): Display =>
  tableOf(items.map(row), { caption: "What software finds" });

/** A line for each name that only one machine has, or both with other values. */
export function inventoryDifferenceDisplay({ first, second, common }: InventoryDifference): Display {
  const keyOf = ({ kind, name }: InventoryItem): string => `${kind}|${name}`;
  const [inFirst, inSecond] = [first, second].map((items) => new Map(items.map((item) => [keyOf(item), item.value])));
  const keys = new Map([...first, ...second].map((item) => [keyOf(item), item]));
  const rows = [...keys].map(([key, { kind, name }]) => ({
    kind,
    name,
    first: inFirst!.get(key) ?? "",
    second: inSecond!.get(key) ?? "",
  }));
  const caption = `In one of two machines; ${counted(common, "thing")} in both`;
  return tableOf(rows, { caption });
}
