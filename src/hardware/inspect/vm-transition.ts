/**
 * A VM entry or a VM exit as a value: field by field what was loaded, saved and written. It is made from the tables of fields
 * and from the two machines between which it happened.
 * Spec: SDM Vol. 3C, "VM Entries", "VM Exits"; AMD64 Architecture Programmer's Manual Vol. 2, "VMRUN", "#VMEXIT".
 */
import { VirtlabError } from "../../state/error.js";
import type { DeliveredEvent } from "../cpu/guest-operation.js";
import type { Machine } from "../machine.js";
import { svmMoves } from "./svm-transition.js";
import { type ExplainedExit, explainExit, type VmTechnology } from "./vm-exits.js";
import { vmxMoves } from "./vmx-transition.js";

/** One value on its way, or written. */
export interface VmMove {
  /**
   * "loaded": from the field to the register. "saved": from the register to the field. "written": to a field, by the processor
   * itself. "set": to a register, the same value at every exit.
   */
  readonly way: "loaded" | "saved" | "written" | "set";
  /** Whose it is; "host save area" is the region that AMD's VM_HSAVE_PA names. */
  readonly area: "guest" | "host" | "host save area" | "control" | "exit information";
  /** Of the VMCS or the VMCB; absent where no field says it. */
  readonly field?: string;
  /** "cr3", "cs.base", "IA32_EFER"; absent where none is meant. */
  readonly register?: string;
  /** What the field or register that was changed had before, and has behind the step; unsigned. */
  readonly before: bigint;
  readonly after: bigint;
}

/** A VM entry or a VM exit. */
export interface VmTransition {
  /**
   * "refused": an entry that failed behind its first checks, so that the host goes on as after an exit. "entry and exit": what the
   * entry delivers left the guest at once; the moves are those of the exit.
   */
  readonly kind: "entry" | "exit" | "refused" | "entry and exit";
  readonly technology: VmTechnology;
  /** Steps of the machine before it. */
  readonly step: number;
  /** Physical address of the VMCS or the VMCB. */
  readonly address: number;
  /** Why the guest was left, or refused. */
  readonly exit?: ExplainedExit;
  /** What the entry delivered to the guest: RIP, RSP and RFLAGS behind the step are those of its handler. */
  readonly injected?: DeliveredEvent;
  /** In the order in which the manual has them. */
  readonly moves: readonly VmMove[];
}

/** What a technology tells of a transition. */
export interface Moves {
  readonly address: number;
  readonly moves: readonly VmMove[];
}

function passes(before: Machine, after: Machine): "entry" | "exit" | "both" {
  const entries = after.counters.vmEntries - before.counters.vmEntries;
  const exits = after.counters.vmExits - before.counters.vmExits;
  const steps = after.steps - before.steps;
  if (steps !== 1) throw new VirtlabError(`vmTransition: the machines are ${steps} steps apart, not one`);
  if (entries + exits === 0)
    throw new VirtlabError(`vmTransition: step ${before.steps} neither enters nor leaves a guest`);
  if (entries === 0) return "exit";
  return exits === 0 ? "entry" : "both";
}

/** What the step tells of itself. */
function observed(before: Machine): { readonly injected?: DeliveredEvent; readonly exit?: ExplainedExit } {
  const { events } = before.run({ maxInstructions: 1, observe: ["vm-entry", "vm-exit"] });
  const entry = events.find((event) => event.kind === "vm-entry");
  const exit = events.find((event) => event.kind === "vm-exit");
  return {
    ...(entry?.injected === undefined ? {} : { injected: entry.injected }),
    ...(exit === undefined ? {} : { exit: explainExit(exit) }),
  };
}

/**
 * What the step between two machines loaded, saved and wrote on its way into a guest or out of one, field by field.
 *
 * @throws VirtlabError for machines that are not one step apart, and for a step that enters and leaves no guest.
 */
export function vmTransition(before: Machine, after: Machine): VmTransition {
  const passed = passes(before, after);
  const technology = (after.cpu.system.virtualization ?? before.cpu.system.virtualization)?.kind ?? "vmx";
  const told = observed(before);
  const kind = passed !== "both" ? passed : told.exit?.entryFailed === true ? "refused" : "entry and exit";
  const { address, moves } = (technology === "vmx" ? vmxMoves : svmMoves)(before, after, kind);
  return Object.freeze({
    kind,
    technology,
    step: before.steps,
    address,
    ...told,
    moves: Object.freeze(moves.map((move) => Object.freeze(move))),
  });
}

/** What `findVmTransition` looks for. */
export interface FindTransitionOptions {
  /** Either, unless one is named; an entry that is refused counts as both. */
  readonly kind?: "entry" | "exit";
  /** Steps to look at, at the most. Default: 2^24. */
  readonly maxInstructions?: number;
}

/** The machines on both sides of a transition, and what it did. */
export interface FoundTransition {
  readonly before: Machine;
  readonly after: Machine;
  readonly transition: VmTransition;
}

const WITHIN = 2 ** 24;
const PIECE = 2 ** 14;

/**
 * Runs a machine to its next VM entry or exit. Of a timeline, `find` does it by the counters `vmEntries` and `vmExits`. Undefined
 * where none comes.
 */
export function findVmTransition(machine: Machine, options: FindTransitionOptions = {}): FoundTransition | undefined {
  const { kind, maxInstructions = WITHIN } = options;
  const counted = ({ counters: { vmEntries, vmExits } }: Machine): number =>
    (kind === "exit" ? 0 : vmEntries) + (kind === "entry" ? 0 : vmExits);
  const goal = counted(machine);
  const last = machine.steps + maxInstructions;
  let before = machine;
  for (let piece = PIECE; before.steps < last; ) {
    const after = before.run({ maxInstructions: Math.min(piece, last - before.steps) });
    const made = after.steps - before.steps;
    if (made === 0) return undefined;
    if (counted(after) === goal) before = after;
    else if (made === 1) return Object.freeze({ before, after, transition: vmTransition(before, after) });
    else piece = Math.max(1, made >> 1);
  }
  return undefined;
}
