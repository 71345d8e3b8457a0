/** Shadow page tables for readers: each entry beside the guest's that it was made from. */
import type { ShadowTables, ShadowTableView } from "../../hypervisor/shadow/view.js";
import { Display } from "../display.js";
import { heading, table } from "../parts.js";
import { frame } from "../style.js";
import { counted, escapeHtml, hex } from "../text.js";

const NAMES = ["", "page table", "page directory", "page-directory-pointer table", "PML4 table"] as const;
const SOURCES = {
  table: "of the guest's",
  split: "in place of a large page",
  flat: "without the guest's paging",
  area: "the hypervisor's",
} as const;
/** More entries that are not built yet are told by their number alone. */
const MISSING_SHOWN = 4;

const FLAGS = ["present", "writable", "user", "", "", "accessed", "dirty", "large"] as const;
const EXECUTE_DISABLE = 1n << 63n;

/** "writable, accessed" */
function flagsText(entry: bigint): string {
  if ((entry & 1n) === 0n) return "not present";
  const names = FLAGS.filter((name, bit) => bit > 0 && name !== "" && (entry & (1n << BigInt(bit))) !== 0n);
  return [...names, ...((entry & EXECUTE_DISABLE) !== 0n ? ["no execution"] : [])].join(", ") || "present";
}

interface Row {
  readonly index: string;
  readonly guest: string;
  readonly guestFlags: string;
  readonly shadow: string;
  readonly shadowFlags: string;
}

function rowsOf({ entries, entryBytes }: ShadowTableView): readonly Row[] {
  const text = (entry: bigint): string => hex(entry, 2 * entryBytes);
  const built = entries.filter(({ shadow }) => (shadow & 1n) !== 0n);
  const missing = entries.filter(({ shadow }) => (shadow & 1n) === 0n);
  const shown = [...built, ...missing.slice(0, MISSING_SHOWN)].sort((a, b) => a.index - b.index);
  const left = missing.length - Math.min(MISSING_SHOWN, missing.length);
  return [
    ...shown.map(({ index, guest, shadow }) => ({
      index: String(index),
      guest: guest === undefined ? "" : text(guest),
      guestFlags: guest === undefined ? "" : flagsText(guest),
      shadow: (shadow & 1n) === 0n ? "—" : text(shadow),
      shadowFlags: (shadow & 1n) === 0n ? "not built" : flagsText(shadow),
    })),
    ...(left === 0
      ? []
      : [{ index: "…", guest: `${left} more`, guestFlags: "", shadow: "—", shadowFlags: "not built" }]),
  ];
}

const titleOf = ({ level, kind, guestAddress, hostAddress }: ShadowTableView): string =>
  [
    `${NAMES[level]} ${SOURCES[kind]}`,
    ...(guestAddress === undefined ? [] : [`guest-physical ${hex(guestAddress, 8)}`]),
    `shadow at host-physical ${hex(hostAddress, 8)}`,
  ].join(", ");

/** All tables, from the root down. */
export function shadowTablesDisplay({ tables, traced, counts }: ShadowTables): Display {
  const facts = [
    counted(tables.length, "table"),
    counted(counts.faults, "hidden fault"),
    `${counted(counts.reflected, "fault")} of the guest's own`,
    counted(counts.traced, "traced store"),
    `stores are seen to ${traced.length === 0 ? "no page" : traced.map((page) => hex(page, 8)).join(", ")}`,
  ];
  const columns = ["entry", "the guest's", "", "the shadow", ""].map((title) => ({ title, mono: title !== "" }));
  const parts = tables.map((one) => {
    const rows = rowsOf(one).map(({ index, guest, guestFlags, shadow, shadowFlags }) => ({
      cells: [index, guest, guestFlags, shadow, shadowFlags].map(escapeHtml),
    }));
    const title = `<div class="dim">${escapeHtml(titleOf(one))}</div>`;
    return `<div class="row">${title}${table(columns, rows)}</div>`;
  });
  const text = tables.flatMap((one) => [
    titleOf(one),
    ...rowsOf(one).map(
      ({ index, guest, guestFlags, shadow, shadowFlags }) =>
        `  ${index.padStart(4)}  ${guest} ${guestFlags}  →  ${shadow} ${shadowFlags}`,
    ),
  ]);
  return new Display(
    frame(`${heading("Shadow tables", facts.map(escapeHtml))}${parts.join("")}`),
    [`Shadow tables: ${facts.join("; ")}`, ...text].join("\n"),
  );
}
