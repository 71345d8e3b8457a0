/** Which protection is missing, told by what attacks have come to. */
import type { TechniqueName } from "../techniques/names.js";
import type { AttackName } from "./attacks.js";
import type { AttackReport } from "./battery.js";
import type { GuardedName } from "./guarded.js";
import { type ProtectionName, protectionNames, protections } from "./protections.js";

/** Memory that is not the attacker's: whoever else's it is. */
const MEMORY: readonly GuardedName[] = [
  ...(["guest B", "hypervisor's code and tables", "control structures", "ways to memory"] as const),
  ...(["free frames", "hypervisor's course"] as const),
];

/** An attack that one protection alone is in the way of, and what it would come to without. */
interface Witness {
  readonly attacks: readonly AttackName[];
  readonly breaks: readonly GuardedName[];
  /** With these broken, too, it says nothing: something else was in the way of it. */
  readonly unless: readonly GuardedName[];
}

const witnesses: Readonly<Record<ProtectionName, Witness>> = {
  "EPT permission": { attacks: ["memory"], breaks: MEMORY, unless: [] },
  "shadow-entry validation": { attacks: ["page-tables"], breaks: MEMORY, unless: [] },
  "I/O bitmap": { attacks: ["ports-out", "ports-user"], breaks: ["host's devices"], unless: [] },
  "MSR bitmap": { attacks: ["memory-types"], breaks: ["host's MSRs"], unless: [] },
  "DMA bounds": { attacks: ["dma"], breaks: MEMORY, unless: [] },
  "segment truncation": { attacks: ["segments"], breaks: MEMORY, unless: [] },
  "scheduler cap": { attacks: ["hog"], breaks: ["A's cap"], unless: ["host's devices"] },
};

const shares = (some: readonly GuardedName[], others: readonly GuardedName[]): boolean =>
  some.some((name) => others.includes(name));

function isMissing(name: ProtectionName, technique: TechniqueName, reports: readonly AttackReport[]): boolean {
  const { attacks, breaks, unless } = witnesses[name];
  if (protections[name].establishedBy[technique] === undefined) return false;
  return reports.some(
    ({ attack, broken }) => attacks.includes(attack) && shares(breaks, broken) && !shares(unless, broken),
  );
}

/** Attacks that tell of protections; without one of them nothing is said of its protection. */
export const witnessAttacks: Readonly<Record<ProtectionName, readonly AttackName[]>> = Object.freeze(
  Object.fromEntries(protectionNames.map((name) => [name, witnesses[name].attacks])),
) as Readonly<Record<ProtectionName, readonly AttackName[]>>;

/** The protections that are missing, of those that the techniques of the reports rely on: none, if everything held. */
export const missingProtections = (reports: readonly AttackReport[]): readonly ProtectionName[] =>
  protectionNames.filter((name) =>
    [...new Set(reports.map(({ technique }) => technique))].some((technique) =>
      isMissing(
        name,
        technique,
        reports.filter((report) => report.technique === technique),
      ),
    ),
  );
