/** Attacks and what held, red pills and what they reveal, for readers. */
import type { AttackReport } from "../../hypervisor/isolation/battery.js";
import type { AttackRow, PillRow } from "../../hypervisor/isolation/matrix.js";
import type { RedPillReport } from "../../hypervisor/isolation/red-pills.js";
import { type TechniqueName, techniqueNames, techniques } from "../../hypervisor/techniques/names.js";
import type { Display } from "../display.js";
import { type CellMark, tableOf } from "../table/table-display.js";

const markOf = (value: unknown): CellMark | undefined => {
  if (value === "held" || value === "nothing") return "yes";
  if (value === "not applicable") return "dim";
  return typeof value === "string" && /^(broken|reveals)/.test(value) ? "no" : undefined;
};

/** Attacks, and what held. */
export function isolationDisplay(reports: readonly AttackReport[]): Display {
  const rows = reports.map(({ technique, attack, guest, share, hypervisor, broken, why }) => ({
    ...{ technique: techniques[technique].title, attack, "guest B": guest, "B's share": share, hypervisor },
    ...{ broken: broken.join(", "), end: why },
  }));
  return tableOf(rows, { mark: markOf });
}

/** Columns for the techniques that rows have cells of. */
const columnsOf = (keys: readonly object[]): readonly TechniqueName[] =>
  techniqueNames.filter((technique) => keys.some((cells) => technique in cells));

/** Reasons, each once, under the techniques they are of. */
function footnotes(rows: readonly AttackRow[]): string {
  const texts = new Map<string, Set<string>>();
  for (const { verdicts, reasons } of rows)
    for (const [technique, reason] of Object.entries(reasons))
      if (verdicts[technique as TechniqueName] === "not applicable") {
        const of = texts.get(reason) ?? new Set();
        texts.set(reason, of.add(techniques[technique as TechniqueName].title));
      }
  return [...texts].map(([reason, of]) => `not applicable under ${[...of].join(", ")}: ${reason}`).join("; ");
}

/** A row for each attack, a column for each technique. */
export function attackMatrixDisplay(rows: readonly AttackRow[]): Display {
  const columns = columnsOf(rows.map(({ verdicts }) => verdicts));
  const cell = ({ verdicts, reasons }: AttackRow, technique: TechniqueName): string =>
    verdicts[technique] === "broken" ? `broken: ${reasons[technique]}` : (verdicts[technique] ?? "");
  const lines = rows.map((row) => ({
    ...{ attack: row.attack, "what it tries": row.tries },
    ...Object.fromEntries(columns.map((technique) => [technique, cell(row, technique)])),
  }));
  const notes = footnotes(rows);
  return tableOf(lines, { caption: notes === "" ? "Attacks" : `Attacks; ${notes}`, mark: markOf });
}

/** What each technique reveals, a line each. */
export function redPillsDisplay(reports: readonly RedPillReport[]): Display {
  const rows = reports.flatMap(({ technique, model, revealed, refused, tried }) => {
    const row = { technique: techniques[technique].title, model };
    if (refused !== undefined) return [{ ...row, pill: "", bare: "", virtual: refused }];
    if (revealed.length === 0) return [{ ...row, pill: `none of ${tried}`, bare: "", virtual: "" }];
    return revealed.map(({ name, bare, virtual = "(not reached)" }) => ({ ...row, pill: name, bare, virtual }));
  });
  return tableOf(rows, { caption: "What techniques reveal" });
}

/** A row for each pill, a column for each technique. */
export function pillMatrixDisplay(rows: readonly PillRow[]): Display {
  const columns = columnsOf(rows.map(({ cells }) => cells));
  const cell = ({ cells }: PillRow, technique: TechniqueName): string => {
    const found = cells[technique];
    if (found === undefined) return "";
    return found.reveals ? `reveals ${found.virtual ?? "(not reached)"}, bare ${found.bare}` : "nothing";
  };
  const lines = rows.map((row) => ({
    ...{ family: row.family, pill: row.pill },
    ...Object.fromEntries(columns.map((technique) => [technique, cell(row, technique)])),
  }));
  return tableOf(lines, { caption: "What techniques reveal", mark: markOf });
}
