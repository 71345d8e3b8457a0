/**
 * The ledger of a VM: every time its guest was left, by reason, instruction and what was done about it. Sums over any of them agree,
 * because there is one entry for each combination and nothing else.
 */

export interface LedgerEntry {
  /** The exit's reason as the hardware or the technique names it. */
  readonly reason: string;
  /** Its number, where the hardware gives one. */
  readonly number: number;
  /** The instruction that was emulated; "" where there was none. */
  readonly instruction: string;
  /** What the hypervisor did. */
  readonly effect: string;
  readonly count: number;
}

type Exit = Omit<LedgerEntry, "count">;

/** Combinations of reason, instruction and effect, in the order of their first exits, and the count of each. */
export interface Ledger {
  readonly exits: readonly Exit[];
  readonly counts: readonly number[];
}

export const emptyLedger: Ledger = Object.freeze({ exits: [], counts: [] });

type Which = Pick<LedgerEntry, "reason" | "instruction" | "effect">;
const keyOf = ({ reason, instruction, effect }: Which): string => `${reason}|${instruction}|${effect}`;

/** The ledger with one exit more. */
export function noted(
  { exits, counts }: Ledger,
  { reason, number, instruction = "", effect }: Omit<Exit, "instruction"> & { instruction?: string },
): Ledger {
  for (let index = 0; index < exits.length; index++) {
    const exit = exits[index]!;
    if (exit.reason === reason && exit.instruction === instruction && exit.effect === effect)
      return { exits, counts: counts.with(index, counts[index]! + 1) };
  }
  return { exits: [...exits, { reason, number, instruction, effect }], counts: [...counts, 1] };
}

export const entriesOf = ({ exits, counts }: Ledger): readonly LedgerEntry[] =>
  exits.map((exit, index) => ({ ...exit, count: counts[index]! }));

/** How often the guest was left. */
export const exitsOf = ({ counts }: Ledger): number => counts.reduce((sum, count) => sum + count, 0);

/** What a later ledger of the same guest has more than an earlier one. */
export function between(before: readonly LedgerEntry[], after: readonly LedgerEntry[]): readonly LedgerEntry[] {
  const known = new Map(before.map((entry) => [keyOf(entry), entry.count]));
  return after.flatMap((entry) => {
    const count = entry.count - (known.get(keyOf(entry)) ?? 0);
    return count === 0 ? [] : [{ ...entry, count }];
  });
}
