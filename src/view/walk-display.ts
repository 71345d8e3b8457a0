/** A page walk for readers: the linear address in its parts, each entry as it was read, and where it led. */
import type { PageTableEntry, PageWalk } from "../hardware/cpu/paging.js";
import { Display } from "./display.js";
import { frame } from "./style.js";
import { address, hex } from "./text.js";

/** The parts of a linear address that a walk uses, from the highest bits. */
function partsOf(walk: PageWalk): readonly (readonly [name: string, value: number, bits: string])[] {
  if (!walk.paging) return [["linear address", walk.linear, "31:0"]];
  const directory = ["page directory index", walk.linear >>> 22, "31:22"] as const;
  if (walk.entries[0]?.pageSize && walk.entries.length === 1 && walk.physical !== undefined)
    return [directory, ["offset", walk.linear & 0x3fffff, "21:0"]];
  return [
    directory,
    ["page table index", (walk.linear >>> 12) & 0x3ff, "21:12"],
    ["offset", walk.linear & 0xfff, "11:0"],
  ];
}

const rights = ({ present, writable, user, accessed, dirty, pageSize }: PageTableEntry): readonly string[] => [
  present ? "present" : "not present",
  ...(present ? [writable ? "writable" : "read-only", user ? "user" : "supervisor"] : []),
  ...(accessed ? ["accessed"] : []),
  ...(dirty ? ["dirty"] : []),
  ...(present && pageSize ? ["4 MiB page"] : []),
];

/** A #PF error code in words. Spec: SDM Vol. 3A, "Page-Fault Exceptions". */
export function faultText(errorCode: number): string {
  const access = `${(errorCode & 4) === 0 ? "a supervisor" : "a user"} ${(errorCode & 2) === 0 ? "read" : "write"}`;
  const why =
    (errorCode & 8) !== 0
      ? "reserved bits are set"
      : (errorCode & 1) === 0
        ? "the page is not present"
        : "the rights do not allow it";
  return `#PF with error code ${errorCode}: ${access}, and ${why}`;
}

const resultOf = ({ paging, physical, fault }: PageWalk): string =>
  physical === undefined
    ? faultText(fault?.errorCode ?? 0)
    : `physical ${address(physical)}${paging ? "" : " (paging is off)"}`;

/** A page walk as HTML and as text. */
export function walkDisplay(walk: PageWalk): Display {
  const rows = walk.entries.map(
    (entry) =>
      `<tr><td>${entry.table}</td><td class="mono">${address(entry.address)}</td><td class="mono">${hex(entry.entry, 8)}</td><td>${rights(entry).join(" · ")}</td></tr>`,
  );
  const table = `<table><thead><tr><th>table</th><th>entry at (physical)</th><th>entry</th><th>says</th></tr></thead><tbody>${rows.join("")}</tbody></table>`;
  const bits = partsOf(walk).map(
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
  const text = [
    `page walk of linear ${address(walk.linear)} (${partsOf(walk)
      .map(([name, value]) => `${name} 0x${value.toString(16)}`)
      .join(", ")})`,
    ...walk.entries.map(
      (entry) =>
        `  ${entry.table.padEnd(14)} entry at ${address(entry.address)}: ${hex(entry.entry, 8)}  ${rights(entry).join(", ")}`,
    ),
    `  → ${resultOf(walk)}`,
  ].join("\n");
  return new Display(html, text);
}
