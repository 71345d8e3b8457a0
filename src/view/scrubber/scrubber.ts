/**
 * `scrubber`: a timeline to drag through. The display is self-contained: the states of all places are in it, stored by
 * what differs, with one constant script that shows them. Without scripts it shows the place of the cursor.
 */
import { VirtlabError } from "../../state/error.js";
import { type OnProgress, type Tally, tally } from "../../state/progress.js";
import type { Steppable } from "../../state/steppable.js";
import type { Timeline } from "../../state/timeline.js";
import { Display } from "../display.js";
import { grouped } from "../text.js";
import { inertJson } from "./inert-json.js";
import { panelOf } from "./panel.js";
import { type Places, placesOf, type ScrubberAt } from "./places.js";
import { SCRUBBER_SCRIPT } from "./script.js";
import { anatomyOf, type Snapshot } from "./snapshot.js";
import { stripOf } from "./strip.js";
import { SCRUBBER_STYLE } from "./style.js";

export interface ScrubberOptions<M> {
  /**
   * Where to stop: at every "instruction" (unless given), at a kind of event such as "exception", "interrupt", "port" or
   * "privilege", at an instruction by its mnemonic in capitals such as "INT", at several of these, or where a predicate holds.
   */
  readonly at?: ScrubberAt<M>;
  /** The first and the last step; those of the timeline unless given. */
  readonly from?: number;
  readonly to?: number;
  /** Places at the most, from 2 to 2,000; 400 unless given. Of more they are chosen at equal distances. */
  readonly limit?: number;
  /** Told how many steps were searched for places, and gone through to show them. */
  readonly onProgress?: OnProgress;
}

const LIMIT = 400;
const MOST = 2000;
/** Places named in the text form. */
const NAMED = 12;

/**
 * A timeline as something to drag through: at each place the code, registers, flags, stack, memory and output, with what
 * changed since the place before. The timeline stays as it is. It takes about a millisecond and 200 bytes a place.
 *
 * @throws VirtlabError for steps that were not run, a limit that cannot be, and places that no timeline has.
 *
 * @example
 * const timeline = new Timeline(Machine.boot({ image: guest("rings"), memory: "16M" }));
 * timeline.forward(1_000_000);
 * String(scrubber(timeline, { at: "exception" })).split("\n")[0] // => 'scrubber over steps 0 to 377,345: 8 exceptions'
 */
export function scrubber<M extends Steppable<M>>(timeline: Timeline<M>, options: ScrubberOptions<M> = {}): Display {
  const { at = "instruction", from = timeline.start, to = timeline.end, limit = LIMIT, onProgress } = options;
  check(timeline, from, to, limit);
  const work = tally(onProgress, (to - from) * (at === "instruction" ? 1 : 2));
  const copy = copyOf(timeline);
  const places = placesOf(copy, { at, from, to, limit, cursor: timeline.position, work });
  const snapshots = snapshotsOf(copy, places, work);
  work.end();
  return displayOf(timeline, places, snapshots);
}

/** A timeline of its own with the same past, to run about in: the cursor and the kept values stay as they are. */
function copyOf<M extends Steppable<M>>(timeline: Timeline<M>): Timeline<M> {
  const { position, end } = timeline;
  timeline.goto(end);
  const copy = timeline.branch();
  timeline.goto(position);
  return copy;
}

function check<M extends Steppable<M>>({ start, end }: Timeline<M>, from: number, to: number, limit: number): void {
  if (!(Number.isInteger(from) && Number.isInteger(to) && start <= from && from <= to && to <= end))
    throw new VirtlabError(`scrubber: cannot show steps ${from} to ${to}: the timeline has ${start} to ${end}`);
  if (!(Number.isInteger(limit) && limit >= 2 && limit <= MOST))
    throw new VirtlabError(`scrubber: a limit of ${limit} places is not a whole number from 2 to ${MOST}`);
}

function snapshotsOf<M extends Steppable<M>>(
  timeline: Timeline<M>,
  { list }: Places,
  work: Tally,
): readonly Snapshot[] {
  const anatomy = anatomyOf(timeline.current);
  const snapshots: Snapshot[] = [];
  let before: M | undefined;
  for (const { steps } of list) {
    const machine = timeline.goto(steps);
    snapshots.push(anatomy.snapshot(machine, before, snapshots.at(-1)));
    work.add(steps - (before?.steps ?? steps));
    before = machine;
  }
  return snapshots;
}

/** The last place up to the cursor. */
const startOf = (list: Places["list"], position: number): number =>
  Math.max(
    0,
    list.findLastIndex(({ steps }) => steps <= position),
  );

function displayOf<M extends Steppable<M>>(
  timeline: Timeline<M>,
  { list, summary }: Places,
  snapshots: readonly Snapshot[],
): Display {
  const start = startOf(list, timeline.position);
  const { title, outputTitle } = anatomyOf(timeline.current);
  const labels = list.map(({ label }) => label);
  const { head, body, data, captions } = panelOf(snapshots, { title, outputTitle, labels, start });
  const { svg, legend } = stripOf(snapshots, start, timeline.edits);
  const range = `steps ${grouped(list[0]!.steps)} to ${grouped(list.at(-1)!.steps)}`;
  const keys = legend.map(([name, text]) => `<span><i class="k-${name}"></i>${text}</span>`).join("");
  const html = `<div class="vl vl-scrubber" data-label="Place in the timeline">${SCRUBBER_STYLE}<div class="box"><div class="head">${head}</div>
<div class="scrub"><div class="track">${svg}</div><div class="bar"><div class="controls"><span class="dim">${range}</span></div><div class="legend">${keys}<span class="dim">${summary}</span></div></div></div>
${body}</div><script type="application/json">${inertJson(data)}</script><script>${SCRUBBER_SCRIPT}</script></div>`;
  const named = list.slice(0, NAMED).map(({ steps }, place) => `  step ${grouped(steps)}  ${captions[place]}`);
  const left = list.length - named.length;
  const lines = [`scrubber over ${range}: ${summary}`, ...named, ...(left > 0 ? [`  … and ${left} more`] : [])];
  return new Display(html, lines.join("\n"));
}
