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

/** Entries by reason, instruction and effect, in the order of their first exits. */
export type Ledger = Readonly<Record<string, LedgerEntry>>;

export const emptyLedger: Ledger = Object.freeze({});

/** The ledger with one exit more. */
export function noted(
  ledger: Ledger,
  { reason, number, instruction = "", effect }: Omit<LedgerEntry, "count" | "instruction"> & { instruction?: string },
): Ledger {
  const key = `${reason}|${instruction}|${effect}`;
  const count = (ledger[key]?.count ?? 0) + 1;
  return { ...ledger, [key]: { reason, number, instruction, effect, count } };
}

/** How often the guest was left. */
export const exitsOf = (ledger: Ledger): number => Object.values(ledger).reduce((sum, { count }) => sum + count, 0);
