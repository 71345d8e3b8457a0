/**
 * A timeline for readers: something to drag through, and in words where the cursor stands, how many values are kept, and
 * where edits are. Very long timelines are a bar, since going to places all over them takes long.
 */
import type { Steppable } from "../state/steppable.js";
import type { Timeline } from "../state/timeline.js";
import { Display } from "./display.js";
import { scrubber } from "./scrubber/scrubber.js";
import { isKnown } from "./scrubber/snapshot.js";
import { frame } from "./style.js";
import { counted, grouped } from "./text.js";

const WIDTH = 1000;
/** Places of a display that nobody asked to be exact. */
const PLACES = 120;
/** Up to here a place is reached by running some 2^18 steps at the most. */
const LONGEST = 2 ** 24;

/** A timeline as HTML and as text. */
export function timelineDisplay<M extends Steppable<M>>(timeline: Timeline<M>): Display {
  const { start, end, position, kept, edits } = timeline;
  const counts = [
    `${counted(kept.length, "value")} kept`,
    ...(edits.length === 0 ? [] : [counted(edits.length, "edit")]),
  ].join(", ");
  const where = `step ${grouped(position)} of ${grouped(start)} to ${grouped(end)}`;
  const isShort = timeline.length <= LONGEST && isKnown(timeline.current);
  const html = isShort ? scrubber(timeline, { limit: PLACES }).html : barHtml(timeline, where, counts);
  return new Display(html, `timeline at ${where}; ${counts}`);
}

function barHtml<M extends Steppable<M>>(
  { start, end, position, kept, edits }: Timeline<M>,
  where: string,
  counts: string,
): string {
  const x = (step: number): string => (((step - start) / Math.max(1, end - start)) * WIDTH).toFixed(1);
  const ticks = kept.map((step) => `<path d="M${x(step)} 17v8"/>`).join("");
  const diamonds = edits
    .map(
      (step) =>
        `<path d="M${x(step)} 15l6 6l-6 6l-6 -6z" fill="#d08700" stroke="none"><title>edit at step ${grouped(step)}</title></path>`,
    )
    .join("");
  const drawing = `<svg viewBox="-8 2 ${WIDTH + 16} 30" role="img" aria-label="${where}" fill="none" stroke="currentColor">
<path d="M0 21H${WIDTH}" stroke-width="2" opacity=".35"/><path d="M0 21H${x(position)}" stroke="var(--jp-brand-color1, #3d8bd4)" stroke-width="4"/>
<g opacity=".55">${ticks}</g>${diamonds}<path d="M${x(position)} 14l-6 -9h12z" fill="var(--jp-brand-color1, #3d8bd4)" stroke="none"/></svg>`;
  return frame(
    `<div class="head"><b>Timeline</b> <span>${where}</span> <span class="end dim">${counts}</span></div><div class="first row">${drawing}</div>`,
  );
}
