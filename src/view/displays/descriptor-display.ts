/** Descriptor tables and selectors for readers. */
import { type DescriptorEntry, isSegment, kindName } from "../../hardware/inspect/descriptor.js";
import type { LoadCheck, Selector } from "../../hardware/inspect/selector.js";
import { Display } from "../display.js";
import { bitFields, type Column, columnsOfText, heading, type TableRow, table } from "../parts.js";
import { frame } from "../style.js";
import { address, addressDigits, counted, escapeHtml, hex } from "../text.js";

/** More rows than these are counted and not shown. */
const ROWS_SHOWN = 64;

const titles = {
  gdt: "Global descriptor table",
  ldt: "Local descriptor table",
  idt: "Interrupt descriptor table",
} as const;

const hex4 = (value: number): string => hex(value, 4);

/** Type flags in words. */
function flagsText(entry: DescriptorEntry): string {
  if (!isSegment(entry)) {
    if (entry.ist) return `stack IST${entry.ist}`;
    return entry.parameters ? counted(entry.parameters, "parameter") : "";
  }
  const words = [
    entry.executable ? (entry.readable ? "readable" : "execute-only") : entry.writable ? "writable" : "read-only",
    entry.conforming ? "conforming" : "",
    entry.expandDown ? "expand-down" : "",
    entry.long ? "64-bit" : entry.big ? "32-bit" : "16-bit",
    entry.granular ? "limit in pages" : "",
    entry.accessed ? "accessed" : "",
  ];
  return words.filter(Boolean).join(" · ");
}

const targetText = ({ target }: DescriptorEntry): string =>
  target === undefined
    ? ""
    : `${hex4(target.selector)}${target.offset === undefined ? "" : `:${hex(target.offset, addressDigits(target.offset))}`}`;

/** Base and highest offset, or where a gate leads. */
const placeText = (entry: DescriptorEntry): string =>
  entry.base === undefined
    ? targetText(entry)
    : `${hex(entry.base, addressDigits(entry.base))} + ${hex(entry.limit ?? 0, 8)}`;

const nameOf = ({ table: place, index, name, selector }: DescriptorEntry): string =>
  place === "idt" ? (name ?? `vector ${index}`) : hex4(selector ?? 0);

/** As it stands in memory, from its highest word. */
const wordsText = ({ low, high, upper }: DescriptorEntry): string =>
  [...(upper === undefined ? [] : [upper]), high, low].map((word) => hex(word, 8)).join(" ");

/** One entry, or a run of entries that are alike: empty ones, and gates for vectors without a name of their own. */
type Line = readonly [first: DescriptorEntry, ...rest: DescriptorEntry[]];

const isUnnamed = ({ name, index }: DescriptorEntry): boolean => name === `vector ${index}`;

function isAlike(a: DescriptorEntry, b: DescriptorEntry): boolean {
  if (a.index + 1 !== b.index || a.kind !== b.kind) return false;
  if (a.kind === "empty") return true;
  const gates = isUnnamed(a) && isUnnamed(b) && a.dpl === b.dpl && a.present === b.present && a.ist === b.ist;
  return gates && a.target?.selector === b.target?.selector;
}

function linesOf(entries: readonly DescriptorEntry[]): readonly Line[] {
  const lines: [DescriptorEntry, ...DescriptorEntry[]][] = [];
  for (const entry of entries) {
    const line = lines.at(-1);
    const last = line?.at(-1);
    if (line !== undefined && last !== undefined && isAlike(last, entry)) line.push(entry);
    else lines.push([entry]);
  }
  return lines;
}

/** Index or indices, the name, and where it leads. */
function lineTexts(line: Line): readonly [range: string, name: string, place: string] {
  const [first] = line;
  const last = line.at(-1)!;
  if (first === last) return [String(first.index), first.kind === "empty" ? "" : nameOf(first), placeText(first)];
  const range = `${first.index}–${last.index}`;
  return first.kind === "empty" ? [range, "", ""] : [range, counted(line.length, "vector"), `${placeText(first)} …`];
}

/** A descriptor table, or some of its entries. */
export function descriptorTableDisplay(entries: readonly DescriptorEntry[]): Display {
  const [first] = entries;
  const name = first?.table ?? "gdt";
  const title = first?.kind === "vector" ? "Interrupt vector table" : titles[name];
  const lines = linesOf(entries);
  const shown = lines.slice(0, ROWS_SHOWN);
  const left = lines.length > shown.length ? `… and ${counted(lines.length - shown.length, "more row")}` : "";
  const used = entries.filter(({ kind }) => kind !== "empty").length;
  const facts = first === undefined ? "no entries" : `${counted(entries.length, "entry", "entries")}, ${used} used`;
  const where = first === undefined ? "" : `at linear ${address(first.address - first.index * entrySize(first))}`;
  const gates = name === "idt";
  const withFlags = !gates || entries.some(({ ist }) => ist);
  const columns: readonly Column[] = [
    { title: "", num: true, mono: true },
    { title: gates ? "vector" : "selector", mono: true },
    { title: "kind" },
    { title: gates ? "leads to" : "base + limit, or target", mono: true },
    { title: "DPL", num: true, mono: true },
    { title: "present" },
    ...(withFlags ? [{ title: "flags" }] : []),
    { title: "high, low", mono: true },
  ];
  const rows = shown.map((line): TableRow => {
    const [entry] = line;
    const [numbers, label, place] = lineTexts(line);
    if (entry.kind === "empty") return { cells: [numbers, "", "empty"], class: "guess" };
    return {
      class: entry.present ? "" : "guess",
      cells: [
        numbers,
        escapeHtml(label),
        kindName(entry.kind),
        place,
        String(entry.dpl),
        entry.present ? "yes" : "no",
        ...(withFlags ? [flagsText(entry)] : []),
        line.length > 1 ? "" : `<span class="dim">${wordsText(entry)}</span>`,
      ],
    };
  });
  const html = frame(
    [
      heading(title, [`<span class="dim">${facts}</span>`], where),
      `<div class="first row">${table(columns, rows)}${left === "" ? "" : `<div class="dim">${left}</div>`}</div>`,
    ].join("\n"),
  );
  const text = columnsOfText(
    shown.map((line) => {
      const [entry] = line;
      const [numbers, label, place] = lineTexts(line);
      if (entry.kind === "empty") return [numbers, "", "empty"];
      const facts = [entry.present ? "" : "not present", flagsText(entry)].filter(Boolean).join(", ");
      return [numbers, label, kindName(entry.kind), place, `DPL ${entry.dpl}`, facts];
    }),
  );
  return new Display(
    html,
    [
      `${title.toLowerCase()} ${where}: ${facts}`,
      ...text.map((line) => `  ${line}`),
      ...(left === "" ? [] : [left]),
    ].join("\n"),
  );
}

const entrySize = ({ kind, table: name, upper }: DescriptorEntry): number =>
  kind === "vector" ? 4 : name === "idt" && upper !== undefined ? 16 : 8;

const registers = [
  ["ds", "DS, ES, FS, GS"],
  ["ss", "SS"],
  ["cs", "CS, by a far jump"],
] as const;

const verdict = (check: LoadCheck): string =>
  check.ok
    ? "yes"
    : `${check.exception}(${check.errorCode === 0 ? "0" : `0x${check.errorCode.toString(16)}`}): ${check.why}`;

/** A selector as a manual draws it, what it names, and where it could be loaded. */
export function selectorDisplay(selector: Selector): Display {
  const { value, index, table: place, rpl, descriptor, base } = selector;
  const bits = value.toString(2).padStart(16, "0");
  const fields = [
    { bits: bits.slice(0, 13), range: "15:3", name: "index", value: String(index) },
    { bits: bits.slice(13, 14), range: "2", name: "TI", value: place.toUpperCase() },
    { bits: bits.slice(14), range: "1:0", name: "RPL", value: String(rpl) },
  ];
  const names =
    base !== undefined
      ? `a paragraph: linear ${address(base)} and on`
      : selector.null
        ? "the null selector: it names no segment"
        : descriptor === undefined
          ? `nothing: entry ${index} lies outside of the ${place.toUpperCase()}`
          : `${kindName(descriptor.kind)} ${placeText(descriptor)}, DPL ${descriptor.dpl}, ${descriptor.present ? "present" : "not present"}`;
  const flags = descriptor === undefined ? "" : flagsText(descriptor);
  const checks = registers.map(([name, title]) => ({ title, check: selector.loadable[name] }));
  const rows = checks.map(
    ({ title, check }): TableRow => ({
      cells: [
        title,
        check.ok ? '<span class="yes">✓</span>' : '<span class="no">✗</span>',
        check.ok ? "can be loaded" : escapeHtml(verdict(check)),
        check.ok ? "" : `<span class="dim">${escapeHtml(check.spec)}</span>`,
      ],
    }),
  );
  const columns = [{ title: "into" }, { title: "" }, { title: "now" }, { title: "" }];
  const html = frame(
    [
      heading("Selector", [`<span class="mono">0x${hex4(value)}</span>`]),
      base === undefined ? `<div class="first row">${bitFields(fields)}</div>` : "",
      `<div class="${base === undefined ? "" : "first "}row">${escapeHtml(names)}${flags === "" ? "" : ` <span class="dim">${flags}</span>`}</div>`,
      `<div class="row">${table(columns, rows)}</div>`,
    ].join("\n"),
  );
  const text = [
    `selector 0x${hex4(value)}${base === undefined ? `: index ${index}, ${place.toUpperCase()}, RPL ${rpl}` : ""}`,
    `  names ${names}${flags === "" ? "" : ` (${flags})`}`,
    ...columnsOfText(checks.map(({ title, check }) => [title, verdict(check)])).map((line) => `  ${line}`),
  ];
  return new Display(html, text.join("\n"));
}
