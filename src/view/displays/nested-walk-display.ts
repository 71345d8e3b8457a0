/** A page walk in two dimensions for readers: every reference to memory, numbered in the order they are made. */
import type { ExtendedEntry, NestedReference, NestedWalk } from "../../hardware/cpu/nested-walk.js";
import type { PageTableEntry } from "../../hardware/cpu/page-walk.js";
import { Display } from "../display.js";
import { columnsOfText, heading, table } from "../parts.js";
import { frame } from "../style.js";
import { address, escapeHtml, hex } from "../text.js";

export const physicalText = (value: number): string => `0x${value.toString(16).padStart(8, "0")}`;
const wordsText = ({ words: [low, high] }: PageTableEntry | ExtendedEntry): string => hex(high, 8) + hex(low, 8);

const isExtended = (entry: PageTableEntry | ExtendedEntry): entry is ExtendedEntry => "memoryType" in entry;

/** What an entry allows, and the notes in it. */
export function entryRights(entry: PageTableEntry | ExtendedEntry): string {
  if (!entry.present) return "not present";
  const notes = [...(entry.accessed ? ["accessed"] : []), ...(entry.leaf && entry.dirty ? ["dirty"] : [])];
  if (isExtended(entry)) {
    const rights = `${entry.read ? "r" : ""}${entry.write ? "w" : ""}${entry.execute ? "x" : ""}`;
    return [rights, ...notes].join(", ");
  }
  return [
    entry.writable ? "writable" : "read-only",
    entry.user ? "user" : "supervisor",
    ...(entry.executeDisable ? ["no execution"] : []),
    ...notes,
  ].join(", ");
}

/** How a walk in two dimensions ends. */
export function nestedResult({ physical, guestPhysical, fault, exit }: NestedWalk): string {
  if (physical !== undefined) {
    return `guest-physical ${physicalText(guestPhysical ?? 0)}, host-physical ${physicalText(physical)}`;
  }
  if (exit !== undefined) {
    const what = exit.misconfigured ? "is misconfigured" : "is refused";
    return `guest-physical ${physicalText(exit.guestPhysical)} ${what} by the nested tables: the guest is left`;
  }
  return fault?.vector === 13
    ? "#GP(0) in the guest: the address is not canonical"
    : `#PF in the guest, error code ${fault?.errorCode ?? 0}`;
}

const dimensions = { ept: "EPT", npt: "nested" } as const;
const whose = (walk: NestedWalk, { dimension }: NestedReference): string =>
  dimension === "guest" ? "guest" : dimensions[walk.kind];
const addressOf = (reference: NestedReference): number =>
  reference.dimension === "guest" ? reference.hostAddress : reference.entry.address;
/** What the reference is for. */
const ofWhat = (reference: NestedReference): string =>
  reference.dimension === "guest"
    ? `entry at guest-physical ${physicalText(reference.entry.address)}`
    : `on the way from guest-physical ${physicalText(reference.of)}`;

export function nestedWalkDisplay(walk: NestedWalk): Display {
  const { linear, references, count } = walk;
  const rows = references.map((reference, index) => [
    String(index + 1),
    whose(walk, reference),
    `${reference.entry.table}`,
    physicalText(addressOf(reference)),
    wordsText(reference.entry),
    entryRights(reference.entry),
    ofWhat(reference),
  ]);
  const titles = ["", "whose", "table", "read at (host-physical)", "entry", "says", "which"];
  const columns = titles.map((title, index) => ({ title, num: index === 0, mono: index === 3 || index === 4 }));
  const counted = `${count} ${count === 1 ? "reference" : "references"} to memory`;
  const html = frame(
    [
      heading("Page walk in two dimensions", [`of linear <span class="mono">${address(linear)}</span>`], counted),
      `<div class="first row">${table(
        columns,
        rows.map((cells) => ({ cells: cells.map(escapeHtml) })),
      )}</div>`,
      `<div class="row"><div class="${walk.physical === undefined ? "fault" : "found"} result">→ ${nestedResult(walk)}</div></div>`,
    ].join("\n"),
  );
  const text = [
    `page walk of linear ${address(linear)} in two dimensions: ${counted}`,
    ...columnsOfText(rows).map((line) => `  ${line}`),
    `  → ${nestedResult(walk)}`,
  ].join("\n");
  return new Display(html, text);
}
