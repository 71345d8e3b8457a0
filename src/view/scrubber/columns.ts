/**
 * The data of a scrubber: a column of numbers for everything it shows, with one number a place. Texts and lists of texts
 * are stored once and stand in columns by their number; columns are stored as runs of equal differences, so that what
 * does not change costs nothing.
 */

/** What scrubber-script.ts reads. */
export interface ScrubberData {
  readonly places: number;
  /** The place shown at first. */
  readonly start: number;
  readonly texts: readonly string[];
  /** Each list as numbers of texts. */
  readonly lists: readonly (readonly number[])[];
  /** Output of the machine, as far as any place shows it. */
  readonly output: string;
  /** Each column as pairs: a difference to the place before, and how often it comes in a row. */
  readonly columns: readonly (readonly number[])[];
}

/** Gathers columns; each method gives the number of its column. */
export class Columns {
  readonly #texts = new Map<string, number>();
  readonly #lists = new Map<string, readonly number[]>();
  readonly #listNumbers = new Map<string, number>();
  readonly #columns: (readonly number[])[] = [];

  numbers(values: readonly number[]): number {
    return this.#columns.push(runs(values)) - 1;
  }

  texts(values: readonly string[]): number {
    return this.numbers(values.map((text) => this.#text(text)));
  }

  lists(values: readonly (readonly string[])[]): number {
    return this.numbers(
      values.map((list) => {
        const numbers = list.map((text) => this.#text(text));
        const key = numbers.join();
        if (!this.#lists.has(key)) this.#lists.set(key, numbers);
        return numberOf(this.#listNumbers, key);
      }),
    );
  }

  data(rest: Pick<ScrubberData, "places" | "start" | "output">): ScrubberData {
    return { ...rest, texts: [...this.#texts.keys()], lists: [...this.#lists.values()], columns: this.#columns };
  }

  #text(text: string): number {
    return numberOf(this.#texts, text);
  }
}

/** The key's number; a new key gets the next. */
function numberOf(numbers: Map<string, number>, key: string): number {
  const number = numbers.get(key) ?? numbers.size;
  numbers.set(key, number);
  return number;
}

function runs(values: readonly number[]): readonly number[] {
  const pairs: number[] = [];
  let before = 0;
  for (const value of values) {
    const difference = value - before;
    if (pairs.at(-2) === difference) pairs[pairs.length - 1]!++;
    else pairs.push(difference, 1);
    before = value;
  }
  return pairs;
}
