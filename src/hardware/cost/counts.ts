/** How often each primitive came in a run of a machine, and sums and differences of such counts. */
import { VirtlabError } from "../../state/error.js";
import type { OnProgress } from "../../state/progress.js";
import type { Machine } from "../machine.js";
import type { Until } from "../run-options.js";
import type { MachineEvent } from "../state.js";
import {
  type CostCounts,
  type CostPrimitive,
  primitiveNames,
  primitiveOfExit,
  primitiveOfInstruction,
  primitiveOfVmexit,
} from "./primitives.js";

export interface CountOptions {
  /** Steps at the most. Default: no limit. */
  readonly maxInstructions?: number;
  readonly until?: Until;
  /** Is told how many steps were looked at, of how many. What it throws ends it. */
  readonly onProgress?: OnProgress;
}

export interface CountedRun {
  /** The machine at the end of the run. */
  readonly machine: Machine;
  readonly counts: CostCounts;
}

/** Steps whose events are in memory at a time. */
const WINDOW = 1 << 16;
/** Events that counting needs. */
export const COUNTED = ["instruction", "exception", "vm-entry", "vm-exit"] as const;

type Tally = Partial<Record<CostPrimitive, number>>;

function add(tally: Tally, primitive: CostPrimitive | undefined, count: number): void {
  if (primitive !== undefined && count !== 0) tally[primitive] = (tally[primitive] ?? 0) + count;
}

/** What an instruction, which is met before it is done, may have in place of being done. */
const isRefusal = ({ kind }: MachineEvent): boolean => kind === "exception" || kind === "vm-exit";

function addEvents(tally: Tally, events: readonly MachineEvent[]): void {
  events.forEach((event, index) => {
    if (event.kind === "vm-entry") {
      add(tally, "VM entry", 1);
      // Those of instructions are counted as what they are.
      const type = event.injected?.type;
      if (type !== undefined) add(tally, type === "interrupt" ? "interrupt delivery" : "exception delivery", 1);
    }
    if (event.kind === "vm-exit")
      add(tally, event.technology === "vmx" ? primitiveOfExit(event.reason) : primitiveOfVmexit(event.reason), 1);
    if (event.kind !== "instruction") return;
    const next = events[index + 1];
    const refused = next !== undefined && isRefusal(next) && next.tick === event.tick && next.eip === event.eip;
    if (!refused) add(tally, primitiveOfInstruction(event.mnemonic, event.group), 1);
  });
}

/**
 * Runs a machine (the value itself stays) and counts primitives: instructions that retired and REP iterations by group,
 * deliveries of exceptions and interrupts, accesses of ports. Exact, and about a million steps a second. What a machine
 * does not show is not counted: walks of page tables and fills of the TLB, accesses of device registers in memory,
 * branches that were not foreseen. Of a host with VMs it counts what the guests execute by themselves, VM exits and entries, and the
 * handlers that were entered; what these do is for `ledgerCounts`.
 *
 * @throws VirtlabError as `run` does.
 * @example
 * const start = Machine.boot({ image: guest("nanobench"), machine: "pc", append: "divzero rounds=100" });
 * const { machine, counts } = countRun(start, { until: { serial: "done" } });
 * [counts["exception delivery"], counts["interrupt return"]] // => [ 100, 101 ]
 * machine.hash === start.run({ until: { serial: "done" } }).hash // => true
 */
export function countRun(start: Machine, options: CountOptions = {}): CountedRun {
  const { maxInstructions, until, onProgress } = options;
  const machine = start.run({
    ...(maxInstructions === undefined ? {} : { maxInstructions }),
    ...(until === undefined ? {} : { until }),
  });
  const total = machine.steps - start.steps;
  const tally: Tally = {};
  let at = start;
  while (at.steps < machine.steps) {
    onProgress?.({
      done: at.steps - start.steps,
      total,
      unit: "steps",
      ticks: at.ticks - start.ticks,
      finished: false,
    });
    const next = at.run({ maxInstructions: Math.min(WINDOW, machine.steps - at.steps), observe: COUNTED });
    if (next.steps === at.steps) break;
    addEvents(tally, next.events);
    at = next;
  }
  onProgress?.({ done: total, total, unit: "steps", ticks: machine.ticks - start.ticks, finished: true });
  addEventCounts(tally, start, machine);
  return { machine, counts: inOrder(tally) };
}

/**
 * Counts of a run that is over, and that all of `COUNTED` was observed in.
 *
 * @param end what the run gave.
 */
export function countsOfRun(start: Machine, end: Machine): CostCounts {
  const tally: Tally = {};
  addEvents(tally, end.events);
  addEventCounts(tally, start, end);
  return inOrder(tally);
}

function addEventCounts(tally: Tally, start: Machine, end: Machine): void {
  const {
    "port access": ports,
    "exception delivery": exceptions,
    "interrupt delivery": interrupts,
  } = eventCounts(start, end);
  add(tally, "port access", ports);
  add(tally, "exception delivery", exceptions);
  add(tally, "interrupt delivery", interrupts);
}

function eventCounts(start: Machine, end: Machine) {
  const since = (name: keyof Machine["counters"]): number => end.counters[name] - start.counters[name];
  return {
    "port access": since("portReads") + since("portWrites"),
    "exception delivery": since("exceptions"),
    "interrupt delivery": since("interrupts"),
    instruction: since("instructions") + since("repeats"),
  };
}

/**
 * Counts between two values of one machine, from the counters that every machine has: nothing is run. Instructions are not
 * told apart: all are "instruction", and those that access a port are there as an access besides.
 *
 * @throws VirtlabError where `end` is not the later one.
 * @example
 * const start = Machine.boot({ image: guest("rings") });
 * const end = start.run({ maxInstructions: 1_000_000 });
 * const { instruction, "port access": ports } = countsBetween(start, end);
 * [instruction, ports] // => [ 377318, 2321 ]
 */
export function countsBetween(start: Machine, end: Machine): CostCounts {
  const counts = eventCounts(start, end);
  if (Object.values(counts).some((count) => count < 0))
    throw new VirtlabError("counts: the second machine is not a later value of the first, its counters are lower");
  return inOrder(counts);
}

function inOrder(tally: Tally): CostCounts {
  const present = primitiveNames.flatMap((name) => (tally[name] ? [[name, tally[name]] as const] : []));
  return Object.freeze(Object.fromEntries(present));
}

/**
 * Sum of counts, each times a factor: `[[long, 1], [empty, -1]]` is what a loop does beyond an empty one.
 *
 * @example
 * combined([[{ logic: 5, string: 1 }, 2], [{ logic: 10 }, -1]]) // => { string: 2 }
 */
export function combined(terms: readonly (readonly [counts: CostCounts, factor: number])[]): CostCounts {
  const tally: Tally = {};
  for (const [counts, factor] of terms)
    for (const name of primitiveNames) add(tally, name, (counts[name] ?? 0) * factor);
  return inOrder(tally);
}

/**
 * Counts of VM exits of VT-x: each is an exit by what led to it, a handler entered, and a VM entry. What the handler does
 * beyond that is its own to count. `countRun` of the host has the handlers already: leave them out of a sum of both.
 *
 * @param exits basic exit reasons (SDM Vol. 3D, Appendix C) with how often each came: the entries of a ledger, for one.
 * @example
 * const ledger = [{ number: 30, count: 5 }, { number: 0, count: 1 }];
 * cycles(exitCounts(ledger), costTables["pentium4-672"]) // => 26640
 * ledger.map((exit) => cycles(exitCounts([exit]), costTables["pentium4-672"])) // => [ 22200, 4440 ]
 */
export function exitCounts(exits: readonly { readonly number: number; readonly count: number }[]): CostCounts {
  const tally: Tally = {};
  for (const { number, count } of exits)
    for (const primitive of [primitiveOfExit(number), "VM entry", "handler entry"] as const)
      add(tally, primitive, count);
  return inOrder(tally);
}
