/**
 * The figure of a run: privilege level, incidents, and the share of each kind of instruction, all by step.
 */
import type { InstructionGroup } from "../../hardware/isa/instruction.js";
import type { Machine } from "../../hardware/machine.js";
import { colours, translucent } from "../palette.js";
import { counted, grouped } from "../text.js";
import { AXIS_LOOK, axis, axisTitle } from "./axis.js";
import { Figure } from "./figure.js";
import { captionBelow, HOUSE } from "./plot.js";
import { type ProfileOptions, profileRun, type RunIncident, type RunProfile } from "./run-profile.js";

/** Groups that have a colour of their own, the frequent ones below; the rest is shown as one. */
const GROUPS: readonly (readonly [InstructionGroup, string])[] = [
  ["data transfer", colours.blue],
  ["arithmetic", colours.orange],
  ["control transfer", colours.sky],
  ["logic", colours.pink],
  ["bit and byte", colours.green],
  ["shift and rotate", colours.violet],
  ["string", colours.brown],
];
const REST = "all other";

const INCIDENTS: readonly {
  readonly kind: RunIncident["kind"];
  readonly label: string;
  readonly colour: string;
  readonly symbol: string;
}[] = [
  { kind: "INT", label: "INT instructions", colour: colours.green, symbol: "diamond" },
  { kind: "interrupt", label: "interrupts", colour: colours.sky, symbol: "triangle-down" },
  { kind: "exception", label: "exceptions", colour: colours.orange, symbol: "x" },
];

/** With more level changes than this the line is a solid block anyway, and only each window's extremes are kept. */
const MOST_LEVELS = 5000;

/**
 * CPL, incidents and kinds of instructions of a machine's next steps, as a figure.
 *
 * @throws VirtlabError if `steps` or `windows` is not a whole number, 1 or greater.
 *
 * @example
 * const machine = Machine.boot({ image: guest("rings") });
 * figureOfRun(machine, { steps: 1000 }).text.split("\n")[1] // => '  privilege: CPL 0 100.0 %'
 */
export function figureOfRun(machine: Machine, options: ProfileOptions = {}): Figure {
  const profile = profileRun(machine, options);
  const caption = `steps ${grouped(profile.from)} to ${grouped(profile.to)}, windows of ${counted(profile.windowSteps, "step")}`;
  return new Figure(
    [levelTrace(profile), ...incidentTraces(profile), ...groupTraces(profile)],
    (stamped) => layoutOf(profile, stamped),
    { title: "Run", caption, text: textOf(profile), from: machine },
  );
}

function levelTrace(profile: RunProfile): Record<string, unknown> {
  const levels = thinned(profile);
  const x = levels.map(({ step }) => step);
  const y = levels.map(({ cpl }) => cpl);
  x.push(profile.to);
  y.push(y.at(-1) ?? 0);
  return {
    type: "scatter",
    mode: "lines",
    name: "CPL",
    x,
    y,
    xaxis: "x",
    yaxis: "y",
    line: { shape: "hv", width: 1.6, color: colours.blue },
    fill: "tozeroy",
    fillcolor: translucent(colours.blue, 0.18),
    showlegend: false,
    hovertemplate: "step %{x:,d}<br>CPL %{y}<extra></extra>",
  };
}

/** The first change, and the lowest and highest level, of each window. */
function thinned({ levels, from, windowSteps }: RunProfile): RunProfile["levels"] {
  if (levels.length <= MOST_LEVELS) return levels;
  const kept = new Map<number, RunProfile["levels"][number]>();
  for (const level of levels) {
    const slot = Math.floor((level.step - from) / windowSteps) * 4 + level.cpl;
    if (!kept.has(slot)) kept.set(slot, level);
  }
  return [...kept.values()].sort((a, b) => a.step - b.step);
}

function incidentTraces({ incidents }: RunProfile): Record<string, unknown>[] {
  return INCIDENTS.map(({ kind, label, colour, symbol }) => {
    const own = incidents.filter((incident) => incident.kind === kind);
    return {
      type: "scatter",
      mode: "markers",
      name: label,
      x: own.map(({ step }) => step),
      y: own.map(() => label),
      text: own.map(({ detail }) => detail),
      xaxis: "x",
      yaxis: "y2",
      marker: { symbol, size: 8, color: colour },
      cliponaxis: false,
      showlegend: false,
      hovertemplate: "step %{x:,d}<br>%{text}<extra></extra>",
    };
  });
}

/** Share of each group in each window, in percent of the window's instructions. */
function groupTraces({ windows, to }: RunProfile): Record<string, unknown>[] {
  const named = new Set<string>(GROUPS.map(([group]) => group));
  const countOf = (groups: Readonly<Record<string, number>>, group: string): number =>
    group === REST
      ? Object.entries(groups).reduce((sum, [name, count]) => sum + (named.has(name) ? 0 : count), 0)
      : (groups[group] ?? 0);
  const x = windows.map(({ step }) => step);
  return [...GROUPS, [REST, colours.grey] as const].flatMap(([group, colour]) => {
    const y = windows.map(({ groups }) => {
      const all = Object.values(groups).reduce((sum, count) => sum + count, 0);
      return Math.round((countOf(groups, group) / Math.max(1, all)) * 10000) / 100;
    });
    if (y.every((share) => share === 0)) return [];
    return [
      {
        type: "scatter",
        mode: "lines",
        name: group,
        x: [...x, to],
        y: [...y, y.at(-1)!],
        xaxis: "x",
        yaxis: "y3",
        stackgroup: "kinds",
        line: { shape: "hv", width: 0 },
        fillcolor: colour,
        hovertemplate: `%{y:.1f} %<extra>${group}</extra>`,
      },
    ];
  });
}

function layoutOf(profile: RunProfile, caption: string): Record<string, unknown> {
  const seen = [...new Set(profile.levels.map(({ cpl }) => cpl))].sort();
  const look = { ...AXIS_LOOK, fixedrange: true };
  const below = captionBelow(caption);
  const heading = (text: string, y: number): Record<string, unknown> => ({
    text,
    x: 0,
    y,
    xref: "paper",
    yref: "paper",
    xanchor: "left",
    yanchor: "bottom",
    showarrow: false,
    align: "left",
    font: { size: 12 },
  });
  return {
    ...HOUSE,
    height: 520,
    margin: { l: 132, r: 16, t: 30, b: below.margin },
    legend: { traceorder: "reversed", x: 1.01, y: 0.56, yanchor: "top", font: { size: 12 } },
    xaxis: {
      ...look,
      fixedrange: false,
      range: [profile.from, Math.max(profile.to, profile.from + 1)],
      title: { text: "step", standoff: 10 },
      tickformat: ",d",
      anchor: "y3",
      showgrid: false,
    },
    yaxis: {
      ...look,
      domain: [0.83, 1],
      range: [-0.25, 3.35],
      title: { text: "CPL", standoff: 10 },
      tickvals: seen,
      ticktext: seen.map((cpl) => (cpl === 3 ? "3 user" : `${cpl} supervisor`)),
    },
    yaxis2: {
      ...look,
      domain: [0.62, 0.74],
      type: "category",
      categoryorder: "array",
      categoryarray: INCIDENTS.map(({ label }) => label),
      range: [-0.6, 2.6],
      title: { text: "kind", standoff: 10 },
    },
    yaxis3: {
      ...look,
      domain: [0, 0.53],
      range: [0, 100],
      tickvals: [0, 25, 50, 75, 100],
      title: { text: axisTitle(axis("share", "%")), standoff: 10 },
    },
    annotations: [
      heading("<b>Privilege level (CPL)</b>", 1.005),
      heading("<b>Events</b>", 0.748),
      heading("<b>Kinds of instructions</b> of each window", 0.538),
      below.annotation,
    ],
  };
}

function textOf({ windows, stepsAt, incidents }: RunProfile): string {
  const totals: Record<string, number> = {};
  for (const { groups } of windows)
    for (const [group, count] of Object.entries(groups)) totals[group] = (totals[group] ?? 0) + count;
  const percent = (count: number, of: number): string => `${((100 * count) / Math.max(1, of)).toFixed(1)} %`;
  const all = Object.values(totals).reduce((sum, count) => sum + count, 0);
  const levels = stepsAt.flatMap((count, cpl) => (count === 0 ? [] : [`CPL ${cpl} ${percent(count, all)}`]));
  const kinds = Object.entries(totals)
    .sort(([a, one], [b, other]) => other - one || (a < b ? -1 : 1))
    .map(([group, count]) => `${group} ${percent(count, all)}`);
  const events = INCIDENTS.map(({ kind, label }) => `${incidents.filter((one) => one.kind === kind).length} ${label}`);
  return [
    `figure of a run`,
    `  privilege: ${levels.join(", ")}`,
    `  events: ${events.join(", ")}`,
    `  instructions: ${kinds.join(", ")}`,
  ].join("\n");
}
