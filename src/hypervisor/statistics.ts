/** What running a guest came to: its exits by reason, and what its technique made for it. */
import type { CostTable } from "../hardware/cost/cost-table.js";
import { deepFreeze } from "../hardware/machine-content.js";
import { exitCycles } from "./ledger-costs.js";
import type { Vm } from "./options.js";
import type { TechniqueName } from "./techniques/names.js";

/** Exits of one reason. */
export interface ExitStatistics {
  /** The reason's number, where the hardware gives one. */
  readonly number: number;
  readonly count: number;
  /** By the cost table. */
  readonly cycles: number;
}

export interface VmStatistics {
  readonly technique: TechniqueName;
  /** By name of the reason, in the order of their first exits. */
  readonly exits: Readonly<Record<string, ExitStatistics>>;
  /** Blocks of guest code that binary translation has translated. */
  readonly translatedBlocks: number;
  /** Shadow page tables that were built, and page faults that the guest never saw. */
  readonly shadow: { readonly builds: number; readonly faults: number };
  /** Of all exits. */
  readonly sum: { readonly count: number; readonly cycles: number };
}

/** The ledger of a VM by reasons, and its sums. */
export function vmStatistics(vm: Vm, table: CostTable): VmStatistics {
  const { technique, ledger, translatedBlocks, shadow } = vm;
  const exits: Record<string, ExitStatistics> = {};
  for (const entry of ledger) {
    const { count = 0, cycles = 0 } = exits[entry.reason] ?? {};
    exits[entry.reason] = {
      number: entry.number,
      count: count + entry.count,
      cycles: cycles + exitCycles(technique, entry, table),
    };
  }
  const sum = { count: 0, cycles: 0 };
  for (const { count, cycles } of Object.values(exits)) {
    sum.count += count;
    sum.cycles += cycles;
  }
  return deepFreeze({ technique, exits, translatedBlocks, shadow, sum });
}
