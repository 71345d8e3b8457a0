/** A notebook's title and sections, and how far one has come in each. Nothing here knows of the page. */

/** What is looked at of a cell. */
export interface CellFacts {
  readonly id: string;
  readonly type: string;
  readonly source: string;
  /** For code: whether it has been run, whether it failed, and whether it is running. */
  readonly ran: boolean;
  readonly failed: boolean;
  readonly running: boolean;
}

export interface Progress {
  readonly total: number;
  readonly ran: number;
  readonly failed: number;
  readonly running: number;
}

export interface Section extends Progress {
  readonly title: string;
  /** Index of the cell with the heading. */
  readonly cell: number;
}

export interface NotebookSummary extends Progress {
  /** undefined when there is no heading of the first level. */
  readonly title: string | undefined;
  readonly sections: readonly Section[];
}

export function summarize(cells: readonly CellFacts[]): NotebookSummary {
  let title: string | undefined;
  const starts: { title: string; cell: number }[] = [];
  cells.forEach(({ type, source }, cell) => {
    if (type !== "markdown") return;
    for (const { level, text } of headingsOf(source)) {
      if (level === 1) title ??= text;
      if (level === 2) starts.push({ title: text, cell });
    }
  });
  const sections = starts.map((start, index) => ({
    ...start,
    ...progressOf(cells.slice(start.cell, starts[index + 1]?.cell)),
  }));
  return { title, sections, ...progressOf(cells) };
}

/** Empty code cells are not something to run. */
export function progressOf(cells: readonly CellFacts[]): Progress {
  const code = cells.filter(({ type, source }) => type === "code" && source.trim() !== "");
  const count = (predicate: (cell: CellFacts) => boolean) => code.filter(predicate).length;
  return {
    total: code.length,
    ran: count(({ ran, failed }) => ran && !failed),
    failed: count(({ failed }) => failed),
    running: count(({ running }) => running),
  };
}

export const isFinished = ({ total, ran }: Progress): boolean => total > 0 && ran === total;

/** Headings outside of quoted code, as plain text. */
export function headingsOf(markdown: string): { level: number; text: string }[] {
  const headings: { level: number; text: string }[] = [];
  let fence: string | undefined;
  for (const line of markdown.split("\n")) {
    const marker = /^ {0,3}(```+|~~~+)/.exec(line)?.[1];
    if (marker !== undefined && fence === undefined) fence = marker;
    else if (marker !== undefined && fence !== undefined && marker.startsWith(fence)) fence = undefined;
    if (fence !== undefined) continue;
    const match = /^ {0,3}(#{1,6})\s+(.+?)\s*#*\s*$/.exec(line);
    if (match !== null) headings.push({ level: match[1]!.length, text: plainText(match[2]!) });
  }
  return headings;
}

function plainText(markdown: string): string {
  return markdown
    .replace(/!?\[([^\]]*)\]\([^)]*\)/g, "$1")
    .replace(/(\*\*|__|\*|`)(.+?)\1/g, "$2")
    .replace(/<[^>]+>/g, "")
    .trim();
}

/** The facts of a cell as a notebook file has it. */
export function factsOfFile(cell: {
  readonly id?: unknown;
  readonly cell_type?: unknown;
  readonly source?: unknown;
  readonly execution_count?: unknown;
  readonly outputs?: unknown;
}): CellFacts {
  const outputs = Array.isArray(cell.outputs) ? (cell.outputs as { output_type?: unknown }[]) : [];
  return {
    id: String(cell.id ?? ""),
    type: String(cell.cell_type),
    source: Array.isArray(cell.source) ? cell.source.join("") : String(cell.source ?? ""),
    ran: typeof cell.execution_count === "number",
    failed: outputs.some(({ output_type }) => output_type === "error"),
    running: false,
  };
}
