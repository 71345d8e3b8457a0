/** The strip under the slider: by place, where the privilege level was which, and what came between two places. */
import type { Snapshot } from "./snapshot.js";

const WIDTH = 1000;
const HEIGHT = 28;
const BAND = { top: 16, height: 9 };

/** What is marked, from where to where, and its name; the class gives the colour. */
const MARKS = [
  { name: "exception", top: 1, bottom: 15 },
  { name: "interrupt", top: 6, bottom: 15 },
  { name: "edit", top: 0, bottom: HEIGHT },
] as const;
type MarkName = (typeof MARKS)[number]["name"];

export interface Strip {
  readonly svg: string;
  /** Entries of the legend: of what there is, its class and its name. */
  readonly legend: readonly (readonly [name: string, text: string])[];
}

/** @param start the place that is shown first; @param edits steps at which the timeline was edited. */
export function stripOf(snapshots: readonly Snapshot[], start: number, edits: readonly number[]): Strip {
  const last = Math.max(1, snapshots.length - 1);
  const x = (place: number): string => ((place / last) * WIDTH).toFixed(1).replace(/\.0$/, "");
  const marked: Record<MarkName, readonly number[]> = {
    exception: placesWithMore(snapshots, "exceptions"),
    interrupt: placesWithMore(snapshots, "interrupts"),
    edit: edits.map((edit) => snapshots.findIndex(({ steps }) => steps >= edit)).filter((place) => place >= 0),
  };
  const lines = MARKS.filter(({ name }) => marked[name].length > 0).map(
    ({ name, top, bottom }) =>
      `<path class="${name}" d="${marked[name].map((place) => `M${x(place)} ${top}V${bottom}`).join("")}"/>`,
  );
  const levels = levelRuns(snapshots).map(
    ({ from, to, cpl }) =>
      `<rect class="level" x="${x(from)}" y="${BAND.top + (3 - cpl)}" width="${(Number(x(to)) - Number(x(from))).toFixed(1)}" height="${BAND.height - 2 * (3 - cpl)}"/>`,
  );
  const svg = `<svg viewBox="0 0 ${WIDTH} ${HEIGHT}" preserveAspectRatio="none" aria-hidden="true" fill="none"><rect class="ground" x="0" y="${BAND.top + 3}" width="${WIDTH}" height="3"/>${levels.join("")}${lines.join("")}<path class="still" d="M${x(start)} 0V${HEIGHT}"/></svg>`;
  const kinds = MARKS.filter(({ name }) => marked[name].length > 0).map(({ name }) => [name, name] as const);
  const rings = [...new Set(snapshots.map(({ cpl }) => cpl))].filter((cpl) => cpl > 0).sort();
  return { svg, legend: [...(rings.length === 0 ? [] : [["level", `CPL ${rings.join(", ")}`] as const]), ...kinds] };
}

/** Places between which and the one before a counter grew. */
function placesWithMore(snapshots: readonly Snapshot[], counter: string): readonly number[] {
  const counts = snapshots.map(({ counters }) => counters.find(([name]) => name === counter)?.[1] ?? 0);
  return counts.flatMap((count, place) => (place > 0 && count > counts[place - 1]! ? [place] : []));
}

/** Runs of places at one level other than 0; each lasts to the place at which the next begins. */
function levelRuns(snapshots: readonly Snapshot[]): readonly { from: number; to: number; cpl: number }[] {
  const found: { from: number; to: number; cpl: number }[] = [];
  for (const [place, { cpl }] of snapshots.entries()) {
    const current = found.at(-1);
    if (current !== undefined && current.to === place) {
      if (cpl === current.cpl) current.to = place + 1;
      else if (cpl > 0) found.push({ from: place, to: place + 1, cpl });
    } else if (cpl > 0) found.push({ from: place, to: place + 1, cpl });
  }
  return found.map((run) => ({ ...run, to: Math.min(run.to, snapshots.length - 1) }));
}
