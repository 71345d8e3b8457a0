/**
 * Popek and Goldberg's classes of instructions, decided by what instructions did in pairs of states.
 *
 * Spec: G. J. Popek and R. P. Goldberg, "Formal Requirements for Virtualizable Third Generation Architectures", CACM
 * 17(7), 1974, "Instruction Behavior". Their machine has one trap, and operands that are always good. Here a
 * state in which also the supervisor cannot execute the instruction (a bad operand) says nothing of privilege; and page
 * faults are their memory traps, which say nothing at all.
 */
import type { Outcome } from "./outcome.js";
import type { WorldName } from "./worlds.js";

/** What an instruction did in one state. */
export interface Trial extends WorldName {
  readonly outcome: Outcome;
}

/** The classes. An instruction that is control-sensitive may be behaviour-sensitive, too. */
export type InstructionClass = "privileged" | "control-sensitive" | "behaviour-sensitive" | "innocuous";

/** What a pair of states, or one state alone, shows of an instruction. */
export type Property =
  /** The supervisor executes it, the user traps. */
  | "traps in user mode"
  /** It changes what the monitor keeps for itself, and nobody is told. */
  | "changes resources"
  /** Supervisor and user, in the same location, both execute it and get different results; or only the supervisor traps. */
  | "depends on mode"
  /** In two locations the same mode gets different results. */
  | "depends on location";

export interface Finding<T = Trial> {
  readonly property: Property;
  /** The state, or the two of them. */
  readonly trials: readonly T[];
  /** Names of what changed of the monitor's, or of what differs for the guest. Empty if the difference is a trap. */
  readonly differs: readonly string[];
}

export interface Findings<T = Trial> {
  readonly class: InstructionClass;
  /** Control-sensitive or behaviour-sensitive, in whatever mode. A privileged instruction is sensitive unless it does nothing. */
  readonly sensitive: boolean;
  /** The same with states of user mode alone: what theorem 3 asks. */
  readonly userSensitive: boolean;
  /** No state was found in which it is executed. */
  readonly alwaysTraps: boolean;
  /** For each property and mode the first states that show it. */
  readonly findings: readonly Finding<T>[];
}

const PAGE_FAULT = 14;
const isMemoryTrap = ({ outcome }: Trial): boolean => outcome.trap?.vector === PAGE_FAULT;
const traps = ({ outcome }: Trial): boolean => outcome.trap !== undefined;

/** Names of what differs for the guest between two executions from states that were the same to it. */
function guestDifferences(a: Outcome, b: Outcome): readonly string[] {
  const values = (outcome: Outcome) => new Map(outcome.guest.map(({ name, after }) => [name, after]));
  const [inA, inB] = [values(a), values(b)];
  return [...new Set([...inA.keys(), ...inB.keys()])].filter((name) => inA.get(name) !== inB.get(name));
}

const sameForGuest = (a: Trial, b: Trial): boolean => {
  const [one, two] = [a.outcome.guest, b.outcome.guest];
  return (
    one.length === two.length &&
    one.every(({ name, after }, index) => name === two[index]!.name && after === two[index]!.after)
  );
};

/** What a pair with the same operands shows. */
function ofPair<T extends Trial>(a: T, b: T): Property | undefined {
  if (isMemoryTrap(a) || isMemoryTrap(b)) return undefined;
  if (a.mode === b.mode) return traps(a) || traps(b) || sameForGuest(a, b) ? undefined : "depends on location";
  const [supervisor, user] = a.mode === "supervisor" ? [a, b] : [b, a];
  if (traps(user)) return traps(supervisor) ? undefined : "traps in user mode";
  if (traps(supervisor)) return "depends on mode";
  return sameForGuest(a, b) ? undefined : "depends on mode";
}

/** What a finding is about. */
function differing([a, b]: readonly Trial[]): readonly string[] {
  if (b === undefined) return a!.outcome.monitor.map(({ name }) => name);
  return traps(a!) || traps(b) ? [] : guestDifferences(a!.outcome, b.outcome);
}

const changes = (trial: Trial): boolean => !traps(trial) && trial.outcome.monitor.length > 0;

/**
 * Classifies an instruction by all of its trials: a list for each choice of operands, with a trial in each state.
 *
 * - *privileged*: in every pair in which the supervisor executes it the user traps, and there is such a pair;
 * - *control-sensitive*: it changes resources or mode without a trap;
 * - *behaviour-sensitive*: what the guest sees depends on mode or location;
 * - *innocuous*: none of these.
 */
export function classify<T extends Trial>(trials: readonly (readonly T[])[]): Findings<T> {
  const found = new Map<string, Finding<T>>();
  const note = (property: Property, ...of: readonly T[]): void => {
    const key = `${property} ${of.map(({ mode }) => mode).join()}`;
    if (!found.has(key)) found.set(key, Object.freeze({ property, trials: Object.freeze(of), differs: differing(of) }));
  };
  let supervisorOnly = false;
  let userToo = false;
  for (const list of trials) {
    for (const trial of list) {
      if (changes(trial)) note("changes resources", trial);
      if (trial.mode === "user" && !traps(trial)) userToo = true;
    }
    list.forEach((a, index) => {
      for (const b of list.slice(index + 1)) {
        // Two states that differ in both tell nothing that those which differ in one do not.
        if (a.mode !== b.mode && a.location !== b.location) continue;
        const property = ofPair(a, b);
        if (property !== undefined) note(property, a, b);
        if (property === "traps in user mode") supervisorOnly = true;
      }
    });
  }
  const findings = [...found.values()];
  const privileged = supervisorOnly && !userToo;
  const controls = findings.some(({ property }) => property === "changes resources");
  const depends = findings.filter(({ property }) => property.startsWith("depends"));
  return {
    class: privileged
      ? "privileged"
      : controls
        ? "control-sensitive"
        : depends.length > 0
          ? "behaviour-sensitive"
          : "innocuous",
    sensitive: controls || depends.length > 0,
    userSensitive: findings.some(
      ({ property, trials: of }) => property !== "traps in user mode" && of.every(({ mode }) => mode === "user"),
    ),
    alwaysTraps: trials.every((list) => list.every(traps)),
    findings,
  };
}
