/** What the exits of a ledger are made of, as a cost table has it: how the guest was left, the handler, and the way back in. */
import type { CostTable } from "../hardware/cost/cost-table.js";
import { combined, exitCounts } from "../hardware/cost/counts.js";
import { cycles } from "../hardware/cost/cycles.js";
import { type CostCounts, type CostPrimitive, primitiveOfVmexit } from "../hardware/cost/primitives.js";
import { VECTOR } from "../hardware/cpu/processor.js";
import { FIRST_IRQ } from "./layout.js";
import type { LedgerEntry } from "./ledger.js";
import type { TechniqueName } from "./techniques/names.js";

/** How a gate of the hypervisor is come through, by its vector. */
function primitiveOfGate(vector: number): CostPrimitive {
  if (vector === VECTOR.BP || vector === VECTOR.OF || vector >= FIRST_IRQ + 16) return "software interrupt";
  return vector >= FIRST_IRQ ? "interrupt delivery" : "exception delivery";
}

type Parts = (exit: LedgerEntry) => CostCounts;

const gate: Parts = ({ number, count }) => ({
  [primitiveOfGate(number)]: count,
  "handler entry": count,
  "interrupt return": count,
});
const assisted: Parts = (exit) => exitCounts([exit]);

const parts: Readonly<Record<TechniqueName, Parts>> = {
  // The guest is left where its engine is: nothing of the processor's is crossed.
  sim: ({ count }) => ({ "handler entry": count }),
  trap: gate,
  bt: gate,
  pv: gate,
  "vmx-shadow": assisted,
  "vmx-ept": assisted,
  "svm-npt": ({ number, count }) => ({
    [primitiveOfVmexit(number)]: count,
    "handler entry": count,
    "VM entry": count,
  }),
};

/** The handler looked at an instruction by itself. */
const DECODED: readonly string[] = ["emulated", "simulated", "halted", "traced store"];

const handlerCounts = ({ instruction, effect, count }: LedgerEntry): CostCounts =>
  instruction !== "" && DECODED.includes(effect) ? { "instruction decoded": count } : {};

const countsOf = (technique: TechniqueName, exit: LedgerEntry): CostCounts =>
  combined([
    [parts[technique](exit), 1],
    [handlerCounts(exit), 1],
  ]);

/** What handlers do beyond being entered, as far as a ledger tells it: to be added to `countRun` of the host. */
export const workOfHandlers = (ledger: readonly LedgerEntry[]): CostCounts =>
  combined(ledger.map((exit) => [handlerCounts(exit), 1]));

/**
 * A VM's exits by what a cost table has figures for: the way out of the guest, the handler and the way back in of each. `countRun` of
 * the host has all of these but "instruction decoded" by itself.
 *
 * @example
 * const exit = { reason: "CPUID", number: 10, instruction: "CPUID", effect: "emulated", count: 2 };
 * ledgerCounts("vmx-ept", [exit])["VM exit by instruction"] // => 2
 */
export const ledgerCounts = (technique: TechniqueName, ledger: readonly LedgerEntry[]): CostCounts =>
  combined(ledger.map((exit) => [countsOf(technique, exit), 1]));

/** Cycles of the exits of one entry of a ledger. */
export const exitCycles = (technique: TechniqueName, exit: LedgerEntry, table: CostTable): number =>
  cycles(countsOf(technique, exit), table);
