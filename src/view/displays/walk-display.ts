/** A page walk for readers: the linear address in its parts, each entry as it was read, and where it led. */
import type { PageTableEntry, PageWalk } from "../../hardware/cpu/page-walk.js";
import { pageFaultText } from "../../hardware/inspect/error-code.js";
import { Display } from "../display.js";
import { frame } from "../style.js";
import { address } from "../text.js";

/** The parts of a linear address that a walk uses, from the highest bits; what the walk did not come to is left out. */
export function linearParts({ paging, linear, entries, pageBytes }: PageWalk): readonly LinearPart[] {
  if (!paging) return [["linear address", linear, "31:0"]];
  const indices = entries.map(
    ({ table, index, bits: [high, low] }): LinearPart => [`${table} index`, index, `${high}:${low}`],
  );
  // Where the walk ended early, the bits below the last index are all that is known.
  const lowest = pageBytes === undefined ? (entries.at(-1)?.bits[1] ?? 32) : Math.log2(pageBytes);
  const rest = linear % 2 ** lowest;
  return [...indices, [pageBytes === undefined && lowest > 12 ? "rest" : "offset", rest, `${lowest - 1}:0`]];
}

export type LinearPart = readonly [name: string, value: number, bits: string];

/** "4 KiB", "2 MiB". */
const sizeText = (bytes: number): string => (bytes < 2 ** 20 ? `${bytes / 1024} KiB` : `${bytes / 2 ** 20} MiB`);

function rights({
  present,
  writable,
  user,
  accessed,
  dirty,
  global,
  cacheDisabled,
  writeThrough,
  leaf,
  level,
  bits,
}: PageTableEntry): readonly string[] {
  if (!present) return ["not present"];
  return [
    "present",
    ...(level > 2 ? [] : [writable ? "writable" : "read-only", user ? "user" : "supervisor"]),
    ...(accessed ? ["accessed"] : []),
    ...(leaf && dirty ? ["dirty"] : []),
    ...(leaf && global ? ["global"] : []),
    ...(cacheDisabled ? ["not cached"] : writeThrough ? ["write-through"] : []),
    ...(leaf && level > 1 ? [`${sizeText(2 ** bits[1])} page`] : []),
  ];
}

/** Entries of PAE paging have 64 bits. */
const isWide = ({ entries }: PageWalk): boolean => entries.some(({ level, entry }) => level > 2 || entry > 0xffffffff);
const wideHex = (value: number, digits: number): string => value.toString(16).padStart(digits, "0");

/** A #PF error code in words. Spec: SDM Vol. 3A, "Page-Fault Exceptions". */
export const faultText = (errorCode: number): string => `#PF with error code ${errorCode}: ${pageFaultText(errorCode)}`;

const resultOf = ({ paging, physical, fault }: PageWalk): string =>
  physical === undefined
    ? faultText(fault?.errorCode ?? 0)
    : `physical 0x${wideHex(physical, 8)}${paging ? "" : " (paging is off)"}`;

/** A page walk as HTML and as text. */
export function walkDisplay(walk: PageWalk): Display {
  const digits = isWide(walk) ? 16 : 8;
  const rows = walk.entries.map(
    (entry) =>
      `<tr><td>${entry.table}</td><td class="mono">0x${wideHex(entry.address, 8)}</td><td class="mono">${wideHex(entry.entry, digits)}</td><td>${rights(entry).join(" · ")}</td></tr>`,
  );
  const table = `<table><thead><tr><th>table</th><th>entry at (physical)</th><th>entry</th><th>says</th></tr></thead><tbody>${rows.join("")}</tbody></table>`;
  const bits = linearParts(walk).map(
    ([name, value, range]) =>
      `<span><small>${name}, bits ${range}</small><span class="mono">0x${value.toString(16)}</span></span>`,
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
      .map(([name, value]) => `${name} 0x${value.toString(16)}`)
      .join(", ")})`,
    ...walk.entries.map(
      (entry) =>
        `  ${entry.table.padEnd(tableWidth)} entry at 0x${wideHex(entry.address, 8)}: ${wideHex(entry.entry, digits)}  ${rights(entry).join(", ")}`,
    ),
    `  → ${resultOf(walk)}`,
  ].join("\n");
  return new Display(html, text);
}
