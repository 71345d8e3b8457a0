/** A page walk for readers: the linear address in its parts, each entry as it was read, and where it led. */
import type { PageTableEntry, PageWalk } from "../../hardware/cpu/page-walk.js";
import { pageFaultText } from "../../hardware/inspect/error-code.js";
import { Display } from "../display.js";
import { frame } from "../style.js";
import { address, hex } from "../text.js";
import { nestedWalkDisplay } from "./nested-walk-display.js";

/** The parts of a linear address that a walk uses, from the highest bits; what the walk did not come to is left out. */
export function linearParts({ paging, linear, entries, pageBytes }: PageWalk): readonly LinearPart[] {
  if (!paging) return [["linear address", linear, "31:0"]];
  const indices = entries.map(
    ({ table, index, bits: [high, low] }): LinearPart => [`${table} index`, index, `${high}:${low}`],
  );
  if (entries.length === 0) return [["linear address", linear, "63:0"]];
  // Where the walk ended early, the bits below the last index are all that is known.
  const lowest = pageBytes === undefined ? (entries.at(-1)?.bits[1] ?? 32) : Math.log2(pageBytes);
  const size = 2 ** lowest;
  const rest = ((linear % size) + size) % size;
  return [...indices, [pageBytes === undefined && lowest > 12 ? "rest" : "offset", rest, `${lowest - 1}:0`]];
}

/** A part of an address; the whole of one may be negative. */
export const partText = (value: number): string => `0x${BigInt.asUintN(64, BigInt(value)).toString(16)}`;

export type LinearPart = readonly [name: string, value: number, bits: string];

/** "4 KiB", "2 MiB", "1 GiB". */
export function sizeText(bytes: number): string {
  if (bytes < 2 ** 20) return `${bytes / 1024} KiB`;
  return bytes < 2 ** 30 ? `${bytes / 2 ** 20} MiB` : `${bytes / 2 ** 30} GiB`;
}

/** The pointer table of PAE paging restricts nothing. */
export const hasRights = ({ level, bits: [highest] }: PageTableEntry): boolean => level !== 3 || highest > 31;

function rights(entry: PageTableEntry): readonly string[] {
  const { present, writable, user, accessed, dirty, global, cacheDisabled, writeThrough, leaf, level, bits } = entry;
  if (!present) return ["not present"];
  return [
    "present",
    ...(hasRights(entry) ? [writable ? "writable" : "read-only", user ? "user" : "supervisor"] : []),
    ...(entry.executeDisable ? ["no execution"] : []),
    ...(accessed ? ["accessed"] : []),
    ...(leaf && dirty ? ["dirty"] : []),
    ...(leaf && global ? ["global"] : []),
    ...(cacheDisabled ? ["not cached"] : writeThrough ? ["write-through"] : []),
    ...(leaf && level > 1 ? [`${sizeText(2 ** bits[1])} page`] : []),
  ];
}

/** The whole entry, of 8 or 16 digits. */
export const entryText = ({ words: [low, high], bytes }: PageTableEntry): string =>
  bytes === 8 ? hex(high, 8) + hex(low, 8) : hex(low, 8);
const physicalText = (value: number): string => `0x${value.toString(16).padStart(8, "0")}`;

/** A #PF error code in words. Spec: SDM Vol. 3A, "Page-Fault Exceptions". */
export const faultText = (errorCode: number): string => `#PF with error code ${errorCode}: ${pageFaultText(errorCode)}`;

/** How a walk that faults ends, in words. */
export const walkFaultText = ({ fault }: PageWalk): string =>
  fault?.vector === 13 ? "#GP(0): the address is not canonical" : faultText(fault?.errorCode ?? 0);

const resultOf = (walk: PageWalk): string =>
  walk.physical === undefined
    ? walkFaultText(walk)
    : `physical ${physicalText(walk.physical)}${walk.paging ? "" : " (paging is off)"}`;

/** A page walk as HTML and as text; of a guest with nested paging, in both dimensions. */
export function walkDisplay(walk: PageWalk): Display {
  if (walk.nested !== undefined) return nestedWalkDisplay(walk.nested);
  const rows = walk.entries.map(
    (entry) =>
      `<tr><td>${entry.table}</td><td class="mono">${physicalText(entry.address)}</td><td class="mono">${entryText(entry)}</td><td>${rights(entry).join(" · ")}</td></tr>`,
  );
  const table = `<table><thead><tr><th>table</th><th>entry at (physical)</th><th>entry</th><th>says</th></tr></thead><tbody>${rows.join("")}</tbody></table>`;
  const bits = linearParts(walk).map(
    ([name, value, range]) =>
      `<span><small>${name}, bits ${range}</small><span class="mono">${partText(value)}</span></span>`,
  );
  const html = frame(
    [
      `<div class="head"><b>Page walk</b> <span>of linear <span class="mono">${address(walk.linear)}</span></span></div>`,
      `<div class="first row"><div class="bits">${bits.join("")}</div></div>`,
      rows.length === 0 ? "" : `<div class="row">${table}</div>`,
      `<div class="row"><div class="${walk.physical === undefined ? "fault" : "found"} result">→ ${resultOf(walk)}</div></div>`,
    ].join("\n"),
  );
  const tableWidth = Math.max(14, ...walk.entries.map(({ table: name }) => name.length));
  const text = [
    `page walk of linear ${address(walk.linear)} (${linearParts(walk)
      .map(([name, value]) => `${name} ${partText(value)}`)
      .join(", ")})`,
    ...walk.entries.map(
      (entry) =>
        `  ${entry.table.padEnd(tableWidth)} entry at ${physicalText(entry.address)}: ${entryText(entry)}  ${rights(entry).join(", ")}`,
    ),
    `  → ${resultOf(walk)}`,
  ].join("\n");
  return new Display(html, text);
}
