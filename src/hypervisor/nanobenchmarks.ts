/**
 * The seven nanobenchmarks of Adams & Agesen 2006, measured: the guest `nanobench` on the bare machine, under binary translation, and
 * under VT-x with shadow paging. What one repetition takes is the difference of two runs that differ in nothing but how often they
 * repeat, less that of the empty loop.
 */
import type { CostTable } from "../hardware/cost/cost-table.js";
import { COUNTED, combined, countsOfRun } from "../hardware/cost/counts.js";
import {
  compareNanobenchmark,
  type Nanobenchmark,
  type NanobenchmarkResult,
  type NanobenchmarkWay,
  nanobenchmarkNames,
} from "../hardware/cost/nanobenchmarks.js";
import type { CostCounts } from "../hardware/cost/primitives.js";
import type { PerturbOptions } from "../hardware/cost/sensitivity.js";
import { costTables } from "../hardware/cost/tables.js";
import type { ModelName } from "../hardware/cpu/model.js";
import { Machine } from "../hardware/machine.js";
import { deepFreeze } from "../hardware/machine-content.js";
import type { MachineEvent } from "../hardware/state.js";
import { VirtlabError } from "../state/error.js";
import { Hypervisor } from "./hypervisor.js";
import type { LedgerEntry } from "./ledger.js";
import { workOfHandlers } from "./ledger-costs.js";
import type { TechniqueName } from "./techniques/names.js";

export interface NanobenchmarkOptions extends PerturbOptions {
  /** The guest `nanobench`. */
  readonly image: Uint8Array;
  /** Which of the seven. Default: all. */
  readonly names?: readonly Nanobenchmark[];
  /** Repetitions of the shorter run; the other one has twice as many. Default 16. */
  readonly rounds?: number;
  /** A processor with VT-x. Default "core2", which has no EPT. */
  readonly model?: ModelName;
  /** Default: that of the Pentium 4 the paper measured. */
  readonly table?: CostTable;
}

/** What one repetition takes in one way, without the empty loop's. */
export interface NanobenchmarkMeasure {
  /** Times the guest was left. */
  readonly exits: number;
  /** The same by reason, instruction and effect. */
  readonly ledger: readonly LedgerEntry[];
  /** Steps of the guest: instructions and deliveries. */
  readonly steps: number;
  /** Steps of the host beyond the guest's: of translated code, exits and handlers. */
  readonly beyond: number;
  /** Page faults that the guest never sees. */
  readonly shadowFaults: number;
  /** By primitives. */
  readonly counts: CostCounts;
}

/** One of the seven: measured in three ways, and what a cost table makes of that beside the paper. */
export interface NanobenchmarkReport extends NanobenchmarkResult {
  readonly measured: Readonly<Record<NanobenchmarkWay, NanobenchmarkMeasure>>;
}

const GUEST_MEMORY = "16M";
const HOST_MEMORY = "64M";
const MOST_STEPS = 10_000_000;
const NAME = "nanobench";
const EMPTY = "empty";
type Loop = Nanobenchmark | typeof EMPTY;

/**
 * What no machine shows of a repetition. The store reaches the local APIC on the bare machine alone; the processor's walk for the
 * absent page reads two entries, in shadow tables as in the guest's own, and that for the page of the APIC, which the shadow never has,
 * ends at the first.
 */
const unseen: Readonly<Partial<Record<Nanobenchmark, Readonly<Partial<Record<NanobenchmarkWay, CostCounts>>>>>> =
  deepFreeze({
    cr8wr: { native: { "device register access": 1 }, vmx: { "page-walk reference": 1 } },
    pgfault: {
      native: { "page-walk reference": 2 },
      translation: { "page-walk reference": 2 },
      vmx: { "page-walk reference": 2 },
    },
  });

const techniques = { translation: ["bt", 32], vmx: ["vmx-shadow", 64] } as const satisfies Readonly<
  Record<Exclude<NanobenchmarkWay, "native">, readonly [TechniqueName, 32 | 64]>
>;

/** What some part of a run came to. */
interface Totals {
  /** By reason, instruction and effect. */
  readonly ledger: ReadonlyMap<string, LedgerEntry>;
  readonly steps: number;
  readonly hostSteps: number;
  readonly shadowFaults: number;
  readonly counts: CostCounts;
}

/** A machine that the guest runs in: itself, or one of a host. */
interface Running {
  /** Goes on until the guest has put out a text; `observe`: what is done is counted. */
  until(text: string, observe: boolean): Running;
  readonly ended: boolean;
  /** Since it began; `counts`: of the last `until`. */
  readonly totals: Totals;
}

const NONE: CostCounts = {};

function native(machine: Machine, counts = NONE): Running {
  const { steps } = machine;
  return {
    until(serial, observe) {
      const end = machine.run({ until: { serial }, maxInstructions: MOST_STEPS, ...(observe && { observe: COUNTED }) });
      return native(end, observe ? countsOfRun(machine, end) : NONE);
    },
    ended: machine.stop?.reason !== "until",
    totals: { ledger: new Map(), steps, hostSteps: steps, shadowFaults: 0, counts },
  };
}

/** Times that the hypervisor enters a guest's kernel, for which it looks its address up among the translations. */
function lookUps(events: readonly MachineEvent[]): number {
  let count = 0;
  let before = -1;
  for (const event of events) {
    if (event.kind !== "instruction") continue;
    if (before === 0 && event.cpl === 1) count++;
    before = event.cpl;
  }
  return count;
}

function virtual(host: Hypervisor, counts = NONE): Running {
  const { ledger, shadow, machine, status, technique } = host.vm(NAME);
  return {
    until(serial, observe) {
      const options = { until: { vm: NAME, serial }, maxInstructions: MOST_STEPS };
      const end = host.run({ ...options, ...(observe && { observe: COUNTED }) });
      if (!observe) return virtual(end);
      const looks = technique === "bt" ? { "translation look-up": lookUps(end.events) } : NONE;
      return virtual(end, sum([countsOfRun(host.machine, end.machine), 1], [looks, 1]));
    },
    ended: status.kind === "stopped",
    totals: {
      ledger: new Map(ledger.map((entry) => [`${entry.reason}|${entry.instruction}|${entry.effect}`, entry])),
      steps: machine.steps,
      hostSteps: host.steps,
      shadowFaults: shadow.faults,
      counts,
    },
  };
}

function begun(way: NanobenchmarkWay, guest: Machine, model: ModelName): Running {
  if (way === "native") return native(guest);
  const [technique, bits] = techniques[way];
  return virtual(Hypervisor.create({ model, memory: HOST_MEMORY, bits }).addVm({ name: NAME, guest, technique }));
}

const sum = (...terms: readonly (readonly [CostCounts, number])[]): CostCounts => combined(terms);

/** Whole numbers stay whole ones. */
const divided = (counts: CostCounts, by: number): CostCounts =>
  Object.fromEntries(Object.entries(counts).map(([name, count]) => [name, count / by]));

/** What `b` has beyond `a`, each divided by `by`. */
function between(a: Totals, b: Totals, by: number, counts: CostCounts): Totals {
  const ledger = [...b.ledger].flatMap(([key, entry]) => {
    const count = (entry.count - (a.ledger.get(key)?.count ?? 0)) / by;
    return count === 0 ? [] : [[key, { ...entry, count }] as const];
  });
  return {
    ledger: new Map(ledger),
    steps: (b.steps - a.steps) / by,
    hostSteps: (b.hostSteps - a.hostSteps) / by,
    shadowFaults: (b.shadowFaults - a.shadowFaults) / by,
    counts,
  };
}

/** What each of the loops comes to, by name. */
function loops(way: NanobenchmarkWay, rounds: number, image: Uint8Array, model: ModelName): ReadonlyMap<Loop, Totals> {
  const append = `rounds=${rounds}`;
  let running = begun(way, Machine.boot({ image, machine: "pc", memory: GUEST_MEMORY, model, append }), model);
  const found = new Map<Loop, Totals>();
  for (const name of [EMPTY, ...nanobenchmarkNames] as const) {
    const before = running.until(`${name} ${rounds}\n`, false);
    running = before.until("done\n", true);
    if (running.ended)
      throw new VirtlabError(`nanobenchmarks: ${way}: "${name}" is not done: is this the guest nanobench?`);
    const { ledger, counts } = between(before.totals, running.totals, 1, running.totals.counts);
    const whole = sum([counts, 1], [workOfHandlers([...ledger.values()]), 1]);
    found.set(name, between(before.totals, running.totals, 1, whole));
  }
  return found;
}

/** What a repetition of each loop takes: what as many more of them add. */
function repetitions(way: NanobenchmarkWay, rounds: number, image: Uint8Array, model: ModelName) {
  const [less, more] = [loops(way, rounds, image, model), loops(way, 2 * rounds, image, model)];
  return (name: Loop): Totals => {
    const [a, b] = [less.get(name)!, more.get(name)!];
    return between(a, b, rounds, divided(sum([b.counts, 1], [a.counts, -1]), rounds));
  };
}

function measure(name: Nanobenchmark, way: NanobenchmarkWay, own: Totals, empty: Totals): NanobenchmarkMeasure {
  const ledger = [...own.ledger.values()];
  const steps = own.steps - empty.steps;
  return {
    exits: ledger.reduce((all, { count }) => all + count, 0),
    ledger,
    steps,
    beyond: own.hostSteps - empty.hostSteps - steps,
    shadowFaults: own.shadowFaults - empty.shadowFaults,
    counts: sum([own.counts, 1], [empty.counts, -1], [unseen[name]?.[way] ?? NONE, 1]),
  };
}

/**
 * Runs the nanobenchmarks of Adams & Agesen 2006 on the bare machine, under binary translation and under VT-x without EPT, counts what a
 * repetition of each takes, and compares the cycles that a table of primitives makes of that with the paper's. The counts are exact,
 * and the same for any number of repetitions; the cycles are a model's. Nothing in the table is fitted to the seven.
 *
 * @throws VirtlabError for an image that is not the guest `nanobench`, a model without VT-x, and counts that a table has no figure for.
 * @example
 * const [report] = nanobenchmarks({ image: guest("nanobench"), names: ["in"] });
 * report?.measured.vmx.ledger.map(({ reason, count }) => `${reason}: ${count}`) // => [ 'I/O instruction: 1' ]
 * [report?.winner, report?.publishedWinner, report?.holds] // => [ 'translation', 'translation', true ]
 */
export function nanobenchmarks(options: NanobenchmarkOptions): readonly NanobenchmarkReport[] {
  const { image, names = nanobenchmarkNames, rounds = 16, model = "core2", factors, marks } = options;
  const { table = costTables["pentium4-672"] } = options;
  const native = repetitions("native", rounds, image, model);
  const translation = repetitions("translation", rounds, image, model);
  const vmx = repetitions("vmx", rounds, image, model);
  return names.map((name) => {
    const measured = {
      native: measure(name, "native", native(name), native(EMPTY)),
      translation: measure(name, "translation", translation(name), translation(EMPTY)),
      vmx: measure(name, "vmx", vmx(name), vmx(EMPTY)),
    };
    const counts = {
      native: measured.native.counts,
      translation: measured.translation.counts,
      vmx: measured.vmx.counts,
    };
    const perturb = { ...(factors && { factors }), ...(marks && { marks }) };
    return deepFreeze({ ...compareNanobenchmark(name, counts, table, perturb), measured });
  });
}
