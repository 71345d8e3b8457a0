/** Two runs of one notebook, compared display by display: the same, or what of each is another. */
import type { Provenance } from "../../view/plot/provenance.js";
import type { DisplayFingerprint } from "./fingerprint.js";

export type Outcome = "same" | "changed" | "missing" | "new";

export interface ComparedDisplay {
  readonly cell: number;
  readonly output: number;
  readonly kind: DisplayFingerprint["kind"];
  readonly title: string;
  readonly outcome: Outcome;
  /** What is another, in words: "state hash 0123… → 4567…", "text/plain". Empty where all is the same. */
  readonly changes: readonly string[];
  readonly hash: { readonly before?: string; readonly now?: string };
  /** Of figures: the machines, costs and numbers they show. */
  readonly provenance?: { readonly before?: Provenance; readonly now?: Provenance };
}

const SHORT = 12;
const short = (hash: string | undefined): string => hash?.slice(0, SHORT) ?? "none";

/** Displays are matched by the place of their cell and their place in it. */
export function compareDisplays(
  before: readonly DisplayFingerprint[],
  now: readonly DisplayFingerprint[],
): readonly ComparedDisplay[] {
  const key = ({ cell, output }: DisplayFingerprint): string => `${cell}.${output}`;
  const rest = new Map(now.map((one) => [key(one), one]));
  const compared = before.map((old) => {
    const fresh = rest.get(key(old));
    rest.delete(key(old));
    return compare(old, fresh);
  });
  return [...compared, ...[...rest.values()].map((fresh) => compare(undefined, fresh))].sort(
    (a, b) => a.cell - b.cell || a.output - b.output,
  );
}

function compare(before: DisplayFingerprint | undefined, now: DisplayFingerprint | undefined): ComparedDisplay {
  const { cell, output, kind, title } = (before ?? now)!;
  const changes = before === undefined || now === undefined ? [] : changesOf(before, now);
  const outcome =
    before === undefined ? "new" : now === undefined ? "missing" : before.hash === now.hash ? "same" : "changed";
  const hash = { ...(before && { before: before.hash }), ...(now && { now: now.hash }) };
  const [old, fresh] = [before?.provenance, now?.provenance];
  const provenance = { ...(old && { before: old }), ...(fresh && { now: fresh }) };
  return { cell, output, kind, title, outcome, changes, hash, ...((old || fresh) && { provenance }) };
}

function changesOf(before: DisplayFingerprint, now: DisplayFingerprint): readonly string[] {
  if (before.hash === now.hash) return [];
  const [old, fresh] = [before.provenance, now.provenance];
  const types = Object.keys({ ...before.forms, ...now.forms });
  const forms = types.filter((type) => before.forms[type] !== now.forms[type]);
  if (old === undefined || fresh === undefined)
    return before.kind === now.kind ? forms : [`${before.kind} → ${now.kind}`];
  const changes = [
    old.figure === fresh.figure ? "" : `name ${old.figure} → ${fresh.figure}`,
    ...stateChanges(old.states, fresh.states),
    changed("cost table", old.costs, fresh.costs),
    changed("data", old.data, fresh.data),
  ].filter((change) => change !== "");
  return changes.length > 0 ? changes : [`same states and data, drawn differently (${forms.join(", ")})`];
}

const changed = (what: string, before: string | undefined, now: string | undefined): string =>
  before === now ? "" : `${what} ${short(before)} → ${short(now)}`;

function stateChanges(before: readonly string[], now: readonly string[]): readonly string[] {
  if (before.length !== now.length) return [`${before.length} states → ${now.length}`];
  return before.map((hash, index) => changed(before.length === 1 ? "state" : `state ${index + 1}`, hash, now[index]));
}
