/**
 * The panel of a scrubber: the HTML of the place shown first, with the names of the columns from which script.ts shows
 * the others in the same way. What is escaped here is text there.
 */
import { addressDigits, escapeHtml, grouped, hex, hexBytes, visible } from "../text.js";
import { Columns, type ScrubberData } from "./columns.js";
import { outputTails } from "./output-tail.js";
import type { ListingLine, Snapshot, SnapshotRow } from "./snapshot.js";

export interface PanelOptions {
  readonly title: string;
  readonly outputTitle: string;
  /** What is about to happen at each place; empty where that is the instruction at hand. */
  readonly labels: readonly string[];
  /** The place shown first. */
  readonly start: number;
}

export interface Panel {
  readonly head: string;
  readonly body: string;
  readonly data: ScrubberData;
  /** What is about to happen at each place, in words. */
  readonly captions: readonly string[];
}

/** Classes of the cells of each table; in the data the class of a row comes before its cells. */
const LISTING_CELLS = "arrow,dim,dim bytes,";
const STACK_CELLS = "dim,,dim";
const WRITTEN_CELLS = "dim,was,";

/** @param snapshots of the places, at least one. */
export function panelOf(snapshots: readonly Snapshot[], options: PanelOptions): Panel {
  const { title, outputTitle, labels, start } = options;
  const fields = new Fields(snapshots, start);
  const here = snapshots[start]!;
  const captions = snapshots.map(({ code }, place) => visible(labels[place] || code.lines[code.here]?.text || ""));

  const head = [
    `<b>${title}</b>`,
    `<span>step ${fields.number(({ steps }) => steps, "step")}</span>`,
    ...here.chips.map((_, index) => fields.text(({ chips }) => visible(chips[index]!), 'class="chip"')),
    fields.text((_, place) => captions[place]!, 'class="label mono" data-is="label"'),
    `<span class="end dim">content ${fields.text(({ hash }) => hash, 'class="mono"')}</span>`,
  ];
  const registers = here.registers.map((group, number) => {
    const rows = group.map(
      ([name], index) =>
        `<tr><th scope="row">${name}</th>${fields.cells(({ registers }) => registers[number]![index]![1])}</tr>`,
    );
    return `<div class="registers${number > 0 ? " short" : ""}"><table class="mono"><tbody>${rows.join("")}</tbody></table></div>`;
  });
  const listing = `<div class="grow listing"><div class="title">Code</div>${listingTable(fields)}</div>`;
  const body = [
    `<div class="cols">${registers.join("")}${listing}</div>`,
    flagsRow(fields, here),
    memoryRow(fields, snapshots),
    outputRow(fields, outputTitle),
    `<div class="row counts">${here.counters
      .map(
        ([name], index) => `<span><small>${name}</small>${fields.number(({ counters }) => counters[index]![1])}</span>`,
      )
      .join("")}</div>`,
  ];
  return { head: head.join(" "), body: body.filter(Boolean).join("\n"), data: fields.data(), captions };
}

/** Makes columns, and the HTML of what each shows at first. */
class Fields {
  readonly #columns = new Columns();
  readonly #tails: ReturnType<typeof outputTails>;

  constructor(
    readonly snapshots: readonly Snapshot[],
    readonly start: number,
  ) {
    this.#tails = outputTails(snapshots.map(({ output }) => output));
  }

  text(select: (one: Snapshot, place: number) => string, attributes = ""): string {
    const texts = this.snapshots.map(select);
    return `<span data-s="t${this.#columns.texts(texts)}" ${attributes}>${escapeHtml(texts[this.start]!)}</span>`;
  }

  /** A text that is marked where it is new. */
  value(select: (one: Snapshot) => string): string {
    const texts = this.snapshots.map(select);
    const [now, was] = this.#pair(texts);
    const isNew = now === was ? "" : ' class="new"';
    return `<span data-s="v${this.#columns.texts(texts)}"${isNew}>${escapeHtml(now)}</span>`;
  }

  /** A cell with such a text, and one with what it was. */
  cells(select: (one: Snapshot) => string): string {
    const [now, was] = this.#pair(this.snapshots.map(select));
    return `<td>${this.value(select)}</td><td class="was">${now === was ? "" : `was ${escapeHtml(was)}`}</td>`;
  }

  /** A number, with its growth beside it. */
  number(select: (one: Snapshot) => number, name?: string): string {
    const numbers = this.snapshots.map(select);
    const [now, was] = this.#pair(numbers);
    const more = now === was ? "" : `${now < was ? "−" : "+"}${grouped(Math.abs(now - was))}`;
    const is = name === undefined ? "" : ` data-is="${name}"`;
    return `<span data-s="n${this.#columns.numbers(numbers)}"${is}>${grouped(now)}</span> <mark class="more">${more}</mark>`;
  }

  /** A bit by its name, in capitals where it is set. */
  bit(name: string, select: (one: Snapshot) => number): string {
    const bits = this.snapshots.map(select);
    const [now, was] = this.#pair(bits);
    const className = (now ? "on" : "off") + (now === was ? "" : " new");
    return `<span data-s="b${this.#columns.numbers(bits)}" class="${className}">${now ? name : name.toLowerCase()}</span>`;
  }

  /** A table; each row is a class and cells with tabs between them. `marked` is the number of a row. */
  table(cells: string, select: (one: Snapshot) => readonly string[], marked?: (one: Snapshot) => number): string {
    const lists = this.snapshots.map(select);
    const names = [`r${this.#columns.lists(lists)}`];
    if (marked !== undefined) names.push(`h${this.#columns.numbers(this.snapshots.map(marked))}`);
    const here = marked?.(this.snapshots[this.start]!);
    const classes = cells.split(",");
    const rows = lists[this.start]!.map((row, number) => {
      const [className = "", ...texts] = row.split("\t");
      const isHere = number === here;
      const tds = texts.map((text, index) => {
        const shown = isHere && index === 0 ? "▶" : text;
        return `<td class="${classes[index] ?? ""}">${escapeHtml(shown)}</td>`;
      });
      return `<tr class="${[className, isHere ? "here" : ""].filter(Boolean).join(" ")}">${tds.join("")}</tr>`;
    });
    return `<table class="mono"><tbody data-s="${names.join(" ")}" data-cells="${cells}">${rows.join("")}</tbody></table>`;
  }

  /** The end of the output; empty if there is none at any place. */
  output(): string {
    const { text, parts } = this.#tails;
    if (text === "") return "";
    const [first] = [0, 1, 2].map((part) => this.#columns.numbers(parts.map((one) => one[part]!)));
    const [from, fresh, to] = parts[this.start]!;
    const marked = fresh < to ? `<mark>${escapeHtml(text.slice(fresh, to))}</mark>` : "";
    const lines = Math.max(
      ...parts.map(([start, , end]) => text.slice(start, end).replace(/\n$/, "").split("\n").length),
    );
    return `<pre class="tail" style="--lines:${lines}" data-s="o${first}" tabindex="0">${escapeHtml(text.slice(from, fresh))}${marked}</pre>`;
  }

  data(): ScrubberData {
    return this.#columns.data({ places: this.snapshots.length, start: this.start, output: this.#tails.text });
  }

  /** The value of the place shown first, and of the one before it. */
  #pair<T>(values: readonly T[]): readonly [T, T] {
    return [values[this.start]!, values[Math.max(0, this.start - 1)]!];
  }
}

/** Lines ahead of the first arrow are a guess, unless the machine has been there at another place. */
function listingTable(fields: Fields): string {
  const visited = new Set(fields.snapshots.map(({ code }) => code.lines[code.here]?.address));
  const row = ({ address, bytes, text, place }: ListingLine): string =>
    [
      place === "before" && !visited.has(address) ? "guess" : "",
      "",
      hex(address, addressDigits(address)),
      hexBytes(bytes),
      text,
    ].join("\t");
  const rows = ({ code }: Snapshot): readonly string[] =>
    code.lines.length === 0 ? ["guess\t\t\t\tnothing is mapped here"] : code.lines.map(row);
  return fields.table(LISTING_CELLS, rows, ({ code }) => code.here);
}

function flagsRow(fields: Fields, { flags, flagTexts }: Snapshot): string {
  if (flags.length === 0) return "";
  // Flags that programs hardly use are shown only if one does.
  const used = flags.flatMap(([name], index) =>
    COMMON_FLAGS.has(name) || fields.snapshots.some((one) => one.flags[index]![1] !== 0) ? [index] : [],
  );
  const bits = used.map((index) => fields.bit(flags[index]![0], (one) => one.flags[index]![1]));
  const texts = flagTexts.map(
    ([name], index) =>
      `<span><span class="dim">${name}</span> ${fields.value((one) => one.flagTexts[index]![1])}</span>`,
  );
  return `<div class="row mono">${texts[0]} &ensp;<span class="flags" title="capitals are set">${bits.join(" ")}</span> &ensp;${texts.slice(1).join(" ")}</div>`;
}

const COMMON_FLAGS = new Set(["OF", "DF", "IF", "TF", "SF", "ZF", "AF", "PF", "CF"]);

const rowText = ({ isNew, cells }: SnapshotRow): string => [isNew ? "new" : "", ...cells].join("\t");
const NOTHING = "\tnothing";

function memoryRow(fields: Fields, snapshots: readonly Snapshot[]): string {
  const part = (
    name: string,
    title: string,
    cells: string,
    select: (one: Snapshot) => readonly SnapshotRow[],
  ): string =>
    snapshots.every((one) => select(one).length === 0)
      ? ""
      : `<div class="${name}"><div class="title">${title}</div>${fields.table(cells, (one) => (select(one).length === 0 ? [NOTHING] : select(one).map(rowText)))}</div>`;
  const parts = [
    part("stack", "Top of the stack", STACK_CELLS, ({ stack }) => stack),
    part("written", "Written elsewhere (physical address, before, after)", WRITTEN_CELLS, ({ written }) => written),
  ].join("");
  return parts === "" ? "" : `<div class="cols memory">${parts}</div>`;
}

function outputRow(fields: Fields, title: string): string {
  const output = fields.output();
  return output === "" ? "" : `<div class="row"><div class="title">${title}</div>${output}</div>`;
}
