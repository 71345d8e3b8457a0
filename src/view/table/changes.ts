/** Two lists of records beside each other: which rows came, went or changed, and in which columns. */

export type TableRecord = Readonly<Record<string, unknown>>;

/** How a row differs from the list before. */
export type RowChange = "added" | "removed" | "changed" | "same";

export interface ComparedRow {
  readonly change: RowChange;
  /** The row as it is; of one that is gone, as it was. */
  readonly row: TableRecord;
  /** The row as it was, where it was there. */
  readonly before?: TableRecord;
}

/** Numbers that are equal, or values that look the same. */
export const isSame = (one: unknown, other: unknown): boolean => Object.is(one, other) || String(one) === String(other);

/** Rows by the value of the key; the second of the same is another one. */
function byKey(rows: readonly TableRecord[], key: string): ReadonlyMap<string, TableRecord> {
  const seen = new Map<string, number>();
  return new Map(
    rows.map((row) => {
      const name = String(row[key]);
      const count = (seen.get(name) ?? 0) + 1;
      seen.set(name, count);
      return [`${name}\n${count}`, row];
    }),
  );
}

/** The rows in their present order, with those that are gone behind what they stood behind. */
export function compareRows(
  before: readonly TableRecord[],
  after: readonly TableRecord[],
  key: string,
): readonly ComparedRow[] {
  const [old, now] = [byKey(before, key), byKey(after, key)];
  const gone = new Map<string | undefined, ComparedRow[]>();
  let behind: string | undefined;
  for (const [name, row] of old) {
    if (now.has(name)) behind = name;
    else gone.set(behind, [...(gone.get(behind) ?? []), { change: "removed", row }]);
  }
  const kept = [...now].flatMap(([name, row]): readonly ComparedRow[] => {
    const was = old.get(name);
    return [
      was === undefined
        ? { change: "added", row }
        : { change: differ(was, row) ? "changed" : "same", row, before: was },
      ...(gone.get(name) ?? []),
    ];
  });
  return [...(gone.get(undefined) ?? []), ...kept];
}

const differ = (was: TableRecord, row: TableRecord): boolean =>
  [...new Set([...Object.keys(was), ...Object.keys(row)])].some((name) => !isSame(was[name], row[name]));
