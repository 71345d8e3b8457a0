/**
 * The places of a timeline at which a scrubber can stand: its steps, its events, the executions of one instruction, or
 * where a predicate holds. Always the first and the last step too; too many are thinned out evenly.
 */
import { rows } from "../../hardware/isa/table/index.js";
import { Machine } from "../../hardware/machine.js";
import { type EventKind, eventKinds, type MachineEvent } from "../../hardware/state.js";
import { VirtlabError } from "../../state/error.js";
import type { Tally } from "../../state/progress.js";
import type { Steppable } from "../../state/steppable.js";
import type { Timeline } from "../../state/timeline.js";
import { address, grouped, hex } from "../text.js";

/**
 * Where a scrubber stops: at every "instruction"; at a kind of event ("exception", "interrupt", "port", "privilege", "vm-entry",
 * "vm-exit"); at the executions of one instruction, by its mnemonic in capitals ("INT", "HLT"); at several of these; or wherever a
 * predicate holds.
 */
export type ScrubberAt<M> = string | readonly string[] | ((machine: M) => boolean);

export interface PlacesOptions<M> {
  readonly at: ScrubberAt<M>;
  /** First and last step. */
  readonly from: number;
  readonly to: number;
  /** Places at the most. */
  readonly limit: number;
  /** A step that is among the places if all steps are wanted. */
  readonly cursor: number;
  /** Steps that were searched; all but "instruction" search every step. */
  readonly work: Tally;
}

/** A step at which a scrubber can stand; the value is the one that `timeline.goto(steps)` gives. */
export interface Place {
  readonly steps: number;
  /** What is about to happen here; empty where that is the instruction at hand. */
  readonly label: string;
}

export interface Places {
  readonly list: readonly Place[];
  /** What there is, and how many of them are shown: "every step", "400 of 12,345 exceptions, evenly chosen". */
  readonly summary: string;
}

const INSTRUCTION = "instruction";
/** Steps of one run; "instruction" leaves an event a step, and all of a run's are in memory at once. */
const STRIDE = 1 << 16;

const short = (value: number): string => `0x${(value >>> 0).toString(16)}`;

/** Each kind of event: how a reader counts it, and what is said of one. */
const EVENTS: { readonly [K in EventKind]: { many: string; label: (event: MachineEvent & { kind: K }) => string } } = {
  exception: {
    many: "exceptions",
    label: ({ name, errorCode, cr2 }) =>
      `${name}${errorCode === undefined ? "" : `(${errorCode})`}${cr2 === undefined ? "" : ` at ${address(cr2)}`}`,
  },
  interrupt: { many: "interrupts", label: ({ vector }) => `interrupt, vector ${vector}` },
  port: {
    many: "port accesses",
    label: ({ direction, port, size, value }) =>
      direction === "out"
        ? `writes ${hex(value, size * 2)} to port ${short(port)}`
        : `reads ${hex(value, size * 2)} from port ${short(port)}`,
  },
  privilege: { many: "changes of privilege", label: ({ from, to }) => `CPL ${from} → ${to}` },
  instruction: { many: "instructions", label: () => "" },
  schedule: {
    many: "turns of VMs",
    label: ({ processor, vm }) => `processor ${processor} ${vm === undefined ? "idles" : `is given to ${vm}`}`,
  },
  syscall: { many: "system calls", label: ({ name, result, task }) => `thread ${task}: ${name} = ${result}` },
  "vm-entry": { many: "VM entries", label: ({ eip }) => `enters the guest at ${address(eip)}` },
  "vm-exit": { many: "VM exits", label: ({ name }) => `leaves the guest: ${name}` },
};

/** The places, in order. Throws a VirtlabError for what no timeline has. The cursor is left elsewhere. */
export function placesOf<M extends Steppable<M>>(timeline: Timeline<M>, options: PlacesOptions<M>): Places {
  const { at, from, to, limit, cursor } = options;
  if (at === INSTRUCTION) {
    const total = to - from + 1;
    const steps = withCursor(
      evenly(total, limit).map((index) => from + index),
      cursor,
    );
    const summary = total <= limit ? "every step" : thinned(steps.length, total, "steps");
    return { list: steps.map((step) => ({ steps: step, label: "" })), summary };
  }
  const [found, many] =
    typeof at === "function"
      ? [whereHolds(timeline, at, options), "steps where it holds"]
      : eventPlaces(timeline, typeof at === "string" ? [at] : at, options);
  const chosen = evenly(found.length, limit).map((index) => found[index]!);
  const summary =
    chosen.length === found.length ? `${grouped(found.length)} ${many}` : thinned(limit, found.length, many);
  return { list: withEnds(chosen, from, to), summary };
}

const thinned = (shown: number, total: number, many: string): string =>
  `${grouped(shown)} of ${grouped(total)} ${many}, evenly chosen`;

/** Indices from 0 to `total - 1`, all of them or `limit` at equal distances. */
function evenly(total: number, limit: number): readonly number[] {
  if (total <= limit) return Array.from({ length: total }, (_, index) => index);
  return Array.from({ length: limit }, (_, index) => Math.round((index * (total - 1)) / (limit - 1)));
}

/** With the cursor in the place of the step that is nearest to it, unless that is the first or the last. */
function withCursor(steps: readonly number[], cursor: number): readonly number[] {
  const last = steps.length - 1;
  const after = steps.findIndex((step) => step >= cursor);
  if (after <= 0 || steps[after] === cursor) return steps;
  const nearest = cursor - steps[after - 1]! < steps[after]! - cursor ? after - 1 : after;
  return nearest === 0 || nearest === last ? steps : steps.with(nearest, cursor);
}

function withEnds(places: readonly Place[], from: number, to: number): readonly Place[] {
  const start = places[0]?.steps === from ? [] : [{ steps: from, label: "start" }];
  const last = places.at(-1)?.steps ?? from;
  return [...start, ...places, ...(last === to ? [] : [{ steps: to, label: "end" }])];
}

function whereHolds<M extends Steppable<M>>(
  timeline: Timeline<M>,
  predicate: (machine: M) => boolean,
  { from, to, work }: PlacesOptions<M>,
): readonly Place[] {
  const places: Place[] = [];
  timeline.find(
    (machine) => {
      if (machine.steps > from) work.add(1);
      if (predicate(machine)) places.push({ steps: machine.steps, label: "" });
      return false;
    },
    { from, to, direction: "forward" },
  );
  return places;
}

/** Kinds of events and mnemonics, told apart by their letters. */
interface Wanted {
  readonly kinds: ReadonlySet<EventKind>;
  readonly mnemonics: ReadonlySet<string>;
}

function eventPlaces<M extends Steppable<M>>(
  timeline: Timeline<M>,
  names: readonly string[],
  { from, to, work }: PlacesOptions<M>,
): readonly [readonly Place[], string] {
  const start = timeline.goto(from);
  if (!(start instanceof Machine))
    throw new VirtlabError('scrubber: this machine has no events: "at" is "instruction" or a predicate');
  const wanted = wantedOf(names);
  const places: Place[] = [];
  const cuts = [...timeline.edits.filter((step) => step > from && step < to), to];
  for (let machine: Machine | undefined = start; machine !== undefined; ) {
    const steps: number = machine.steps;
    const cut = cuts.find((step) => step > steps);
    if (cut === undefined) break;
    const next: Machine = collect(machine, Math.min(STRIDE, cut - steps), wanted, places);
    work.add(next.steps - steps);
    // At an edit the machine goes on as the edit has made it.
    machine = next.steps === steps ? undefined : next.steps === cut ? (timeline.goto(cut) as unknown as Machine) : next;
  }
  const many = [...wanted.kinds]
    .map((kind) => EVENTS[kind].many)
    .concat([...wanted.mnemonics].map((name) => `${name} instructions`));
  return [places, many.join(", ")];
}

function wantedOf(names: readonly string[]): Wanted {
  if (names.length === 0) throw new VirtlabError("scrubber: no places are asked for");
  const kinds = new Set<EventKind>();
  const mnemonics = new Set<string>();
  for (const name of names) {
    if ((eventKinds as readonly string[]).includes(name)) kinds.add(name as EventKind);
    else if (rows.some(({ mnemonic }) => mnemonic === name)) mnemonics.add(name);
    else
      throw new VirtlabError(
        `scrubber: unknown place "${name}" (known: ${eventKinds.join(", ")}, and mnemonics in capitals such as INT)`,
      );
  }
  return { kinds, mnemonics };
}

/**
 * Runs on and notes the places of wanted events. They carry ticks; a run in which no time was skipped has as many ticks
 * as steps, and others are halved until that holds or one step is left.
 */
function collect(machine: Machine, steps: number, wanted: Wanted, places: Place[]): Machine {
  const observe: readonly EventKind[] = [
    ...wanted.kinds,
    ...(wanted.mnemonics.size > 0 ? [INSTRUCTION as EventKind] : []),
  ];
  const next = machine.run({ maxInstructions: steps, observe });
  const made = next.steps - machine.steps;
  const events = next.events.filter(
    (event) => wanted.kinds.has(event.kind) || (event.kind === INSTRUCTION && wanted.mnemonics.has(event.mnemonic)),
  );
  if (events.length > 0 && made > 1 && next.ticks - machine.ticks !== made) {
    const half = collect(machine, made >> 1, wanted, places);
    return collect(half, next.steps - half.steps, wanted, places);
  }
  for (const event of events) {
    // Told after the step that changed it; all others are told before their step.
    const offset = made === 1 ? Number(event.kind === "privilege") : event.tick - machine.ticks;
    const place = machine.steps + Math.min(offset, made);
    const { label } = EVENTS[event.kind] as { label: (event: MachineEvent) => string };
    const before = places.at(-1);
    if (before?.steps === place)
      places[places.length - 1] = { steps: place, label: joined(before.label, label(event)) };
    else places.push({ steps: place, label: label(event) });
  }
  return next;
}

const joined = (...labels: readonly string[]): string => [...new Set(labels.filter(Boolean))].join("; ");
