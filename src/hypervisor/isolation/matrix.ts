/** Reports side by side: a row for each thing tried, a column for each technique. */
import { deepFreeze } from "../../hardware/machine-content.js";
import type { TechniqueName } from "../techniques/names.js";
import { type AttackName, attacks } from "./attacks.js";
import type { AttackReport, Verdict } from "./battery.js";
import type { RedPillReport } from "./red-pills.js";

/** An attack under each technique: what it came to, and of what is not so why. */
export interface AttackRow {
  readonly attack: AttackName;
  /** What it does. */
  readonly tries: string;
  readonly verdicts: Readonly<Partial<Record<TechniqueName, Verdict>>>;
  /** Where it is not "held": what is broken, or why the attack cannot be made. */
  readonly reasons: Readonly<Partial<Record<TechniqueName, string>>>;
}

const reasonOf = ({ broken, why }: AttackReport): string => (broken.length === 0 ? why : broken.join(", "));

/** Reports of any number of techniques as rows, in the order of the attacks. */
export function attackMatrix(reports: readonly AttackReport[]): readonly AttackRow[] {
  const names = [...new Set(reports.map(({ attack }) => attack))];
  return deepFreeze(
    names.map((attack): AttackRow => {
      const own = reports.filter((report) => report.attack === attack);
      return {
        attack,
        tries: attacks[attack].tries,
        verdicts: Object.fromEntries(own.map(({ technique, verdict }) => [technique, verdict])),
        reasons: Object.fromEntries(
          own.filter(({ verdict }) => verdict !== "held").map((report) => [report.technique, reasonOf(report)]),
        ),
      };
    }),
  );
}

/** What a pill shows under a technique: nothing, or what it shows in place of a bare machine's value. */
export interface PillCell {
  readonly reveals: boolean;
  readonly bare: string;
  /** Undefined where the guest did not come so far. */
  readonly virtual: string | undefined;
}

/** A pill under each technique that it was tried under. */
export interface PillRow {
  readonly pill: string;
  /** What it looks at: CPUID, SIDT, SGDT, SMSW, POPF, time, ... */
  readonly family: string;
  readonly cells: Readonly<Partial<Record<TechniqueName, PillCell>>>;
}

/** The word a pill's name begins with, in capitals. */
const familyOf = (pill: string): string => {
  const [word] = pill.split("-");
  return word === "time" ? "time" : word!.toUpperCase();
};

/** Reports of any number of techniques as rows, in the order of the pills. */
export function pillMatrix(reports: readonly RedPillReport[]): readonly PillRow[] {
  const names = [...new Set(reports.flatMap(({ pills }) => pills.map(({ name }) => name)))];
  const cellsOf = (pill: string): PillRow["cells"] =>
    Object.fromEntries(
      reports.flatMap(({ technique, pills }) => {
        const found = pills.find(({ name }) => name === pill);
        if (found === undefined) return [];
        const { bare, virtual } = found;
        return [[technique, { reveals: bare !== virtual, bare, virtual }]];
      }),
    );
  return deepFreeze(names.map((pill) => ({ pill, family: familyOf(pill), cells: cellsOf(pill) })));
}
