/**
 * How far something is, for readers: as a bar in a page, as one line of text, as one line of a terminal. While it goes on
 * that is a percentage, a rate and the time left; at the end what was done. What is not the same at every run (times and
 * rates) is left out at the end unless it is asked for, so that a saved notebook has the same outputs again.
 */
import { TICKS_PER_SECOND } from "../hardware/devices/mc146818.js";
import type { Progress } from "../state/progress.js";
import { escapeHtml, grouped } from "./text.js";

export interface ProgressState {
  readonly label: string;
  readonly progress: Progress;
  /** Seconds since it began. */
  readonly seconds: number;
  /** Units a second; undefined before there is one. */
  readonly rate: number | undefined;
  /** Whether it goes on, came to its end, or was stopped from outside. */
  readonly phase: "running" | "finished" | "stopped";
  /** Whether the end tells the time it took. */
  readonly timed: boolean;
}

const BAR_CHARACTERS = { most: 32, least: 6 };
const ACCENT = "var(--jp-brand-color1, #3d8bd4)";
/** The moving part of a bar without an end, in percent of it, and the seconds it needs from one side to the other. */
const SHUTTLE = { width: 18, seconds: 2 };

/** Part of the work that is done, from 0 to 1; undefined where its length is not known. */
function partOf({ done, total }: Progress): number | undefined {
  if (total === undefined) return undefined;
  return total === 0 ? 1 : Math.min(1, done / total);
}

const percent = (part: number): string => `${Math.floor(part * 100)} %`;

/** "0.4 s", "12 s", "3 min 5 s", "1 h 4 min". */
const duration = (seconds: number): string =>
  seconds < 9.95 ? `${seconds.toFixed(1)} s` : wholeDuration(Math.round(seconds));

function wholeDuration(whole: number): string {
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${whole % 60} s`;
  return `${grouped(Math.floor(whole / 3600))} h ${Math.floor((whole % 3600) / 60)} min`;
}

const PREFIXES: readonly (readonly [number, string])[] = [
  [1e9, "G"],
  [1e6, "M"],
  [1e3, "k"],
];

/** Three digits and a prefix of the SI: "8.41 M", "950", "5.00". */
function threeDigits(value: number): string {
  // What would be rounded up to 1000 has the next prefix.
  const [unit, prefix] = PREFIXES.find(([size]) => value >= size * 0.9995) ?? [1, ""];
  const scaled = value / unit;
  return scaled.toFixed(scaled >= 99.95 ? 0 : scaled >= 9.995 ? 1 : 2) + (prefix === "" ? "" : ` ${prefix}`);
}

/** Ticks as seconds of the machine's clock. */
function machineTime(ticks: number): string {
  const seconds = ticks / TICKS_PER_SECOND;
  if (seconds < 1) return `${threeDigits(seconds * 1000)} ms`;
  return seconds < 60 ? `${threeDigits(seconds)} s` : duration(seconds);
}

const rateText = (rate: number, unit: string): string => `${threeDigits(rate)}${unit === "" ? "" : ` ${unit}`}/s`;
const withUnit = (amount: string, unit: string): string => (unit === "" ? amount : `${amount} ${unit}`);

/** How much is done, of how much, how fast, and how long it will take. */
function detailsOf({ progress, rate, seconds, phase, timed }: ProgressState): string[] {
  const { done, total, unit, ticks, note } = progress;
  const notes = note === undefined ? [] : [note];
  const whole = total === undefined || (phase === "finished" && done >= total);
  const amount = withUnit(whole ? grouped(done) : `${grouped(done)} of ${grouped(total)}`, unit);
  if (phase !== "running") {
    const time = timed ? ` in ${duration(seconds)}` : "";
    return [amount + time, ...notes, ...(ticks === undefined ? [] : [`${machineTime(ticks)} of machine time`])];
  }
  if (rate === undefined || rate === 0) return [amount, ...notes];
  const left = total === undefined || done >= total ? [] : [`${wholeDuration(Math.ceil((total - done) / rate))} left`];
  return [amount, ...notes, rateText(rate, unit), ...left];
}

/** The state in one line. */
export function progressText(state: ProgressState): string {
  const { label, phase, progress } = state;
  const part = phase === "finished" ? undefined : partOf(progress);
  const what = phase === "stopped" ? [`stopped${part === undefined ? "" : ` at ${percent(part)}`}`] : [];
  const now = phase === "running" && part !== undefined ? [percent(part)] : [];
  const text = [...what, ...now, ...detailsOf(state)].join(", ");
  return label === "" ? text : `${label}: ${text}`;
}

/** The state as a line of a terminal of so many columns, with a bar as long as there is room for one. */
export function progressLine(state: ProgressState, columns: number): string {
  const { label, phase, progress } = state;
  const part = partOf(progress);
  // The last column stays free: some terminals go on to the next line behind it.
  if (phase !== "running" || part === undefined) return progressText(state).slice(0, columns - 1);
  const before = label === "" ? "" : `${label} `;
  const behind = ` ${percent(part).padStart(5)}  ${detailsOf(state).join(", ")}`;
  const room = Math.min(BAR_CHARACTERS.most, columns - 1 - before.length - longestBehind(progress));
  const filled = Math.round(part * room);
  const bar = room < BAR_CHARACTERS.least ? "" : "█".repeat(filled) + "░".repeat(room - filled);
  return `${before}${bar}${behind}`.slice(0, columns - 1);
}

/** Characters behind a bar at the most, as long as no rate and no time is out of the ordinary: a bar keeps its length. */
function longestBehind({ total = 0, unit, note }: Progress): number {
  const all = grouped(total);
  const more = note === undefined ? "" : `, ${note}`;
  return ` 100 %  ${withUnit(`${all} of ${all}`, unit)}${more}, ${rateText(999.4e6, unit)}, ${wholeDuration(3599)} left`
    .length;
}

/** The state as HTML that needs no style sheet: it is replaced many times a second. */
export function progressHtml(state: ProgressState): string {
  const { label, phase, progress } = state;
  const part = partOf(progress);
  const name = label === "" ? "" : `<b style="font-weight:600">${escapeHtml(label)}</b>`;
  const details = escapeHtml(detailsOf(state).join(" · "));
  const shown = phase === "running" && part !== undefined ? percent(part) : "";
  const items = [
    MARKS[markOf(state)],
    name,
    phase === "running" ? barHtml(state, part) : "",
    phase === "stopped" ? `<span>stopped${part === undefined ? "" : ` at ${percent(part)}`}</span>` : "",
    shown === "" ? "" : `<span style="min-width:2.6rem;text-align:right">${shown}</span>`,
    `<span style="opacity:.7">${details}</span>`,
  ];
  return `<div style="display:flex;flex-wrap:wrap;align-items:center;gap:0 .7rem;max-width:62rem;font:13px/1.7 var(--jp-ui-font-family,system-ui,sans-serif);font-variant-numeric:tabular-nums">${items.join("")}</div>`;
}

type Mark = "none" | "done" | "stopped";

const MARKS: Readonly<Record<Mark, string>> = {
  none: "",
  done: '<span style="color:#3a9d74;font-weight:700" aria-hidden="true">✓</span>',
  stopped: '<span style="color:#c8503c;font-weight:700" aria-hidden="true">✕</span>',
};

/** What ended before all was done has no mark: a machine that stopped by itself as well as a loop that was left. */
function markOf({ phase, progress }: ProgressState): Mark {
  if (phase === "stopped") return "stopped";
  return phase === "finished" && (partOf(progress) ?? 1) === 1 ? "done" : "none";
}

function barHtml({ label, seconds }: ProgressState, part: number | undefined): string {
  const phase = (seconds / SHUTTLE.seconds) % 2;
  const [width, left] =
    part === undefined ? [SHUTTLE.width, (phase < 1 ? phase : 2 - phase) * (100 - SHUTTLE.width)] : [part * 100, 0];
  const value = part === undefined ? "" : ` aria-valuenow="${Math.floor(width)}"`;
  const name = label === "" ? "progress" : escapeHtml(label);
  return `<span role="progressbar" aria-label="${name}" aria-valuemin="0" aria-valuemax="100"${value} style="flex:0 1 16rem;min-width:4rem;height:6px;border-radius:3px;overflow:hidden;background:color-mix(in srgb,currentColor 16%,transparent)"><span style="display:block;height:100%;border-radius:3px;width:${width.toFixed(1)}%;margin-left:${left.toFixed(1)}%;background:${ACCENT}"></span></span>`;
}
