/**
 * What a notebook's front end is given to show: one bundle of the same thing in several forms, of which it takes the
 * richest it can show. An object says so itself by a method under `Symbol.for("Jupyter.display")`.
 * Manual: Messaging in Jupyter, "display_data".
 */

/** The name of the method a kernel asks for a value's forms. */
export const DISPLAY: unique symbol = Symbol.for("Jupyter.display") as never;

/** Forms by mime type: text, or JSON. */
export type MimeBundle = Readonly<Record<string, unknown>>;

/** Something that shows itself in a notebook. */
export interface Displayable {
  [DISPLAY](): MimeBundle | Promise<MimeBundle>;
}

/** A value as HTML and as plain text. */
export class Display implements Displayable {
  constructor(
    /**
     * A fragment that brings its own style, loads nothing, and inherits colours. It runs nothing either, except that the
     * scrubber's brings a script of its own; where scripts are not run, it shows one place.
     */
    readonly html: string,
    /** The same for terminals, logs and front ends without HTML. */
    readonly text: string,
  ) {
    Object.freeze(this);
  }

  toString(): string {
    return this.text;
  }

  [DISPLAY](): MimeBundle {
    return { "text/html": this.html, "text/plain": this.text };
  }
}

/** A frozen copy of a plain record or list that shows itself; the method is not enumerable, so that equal records stay equal. */
export function displayable<T extends object>(record: T, display: (record: T) => Displayable): T {
  const copy = (Array.isArray(record) ? [...record] : { ...record }) as T;
  Object.defineProperty(copy, DISPLAY, { value: () => display(copy)[DISPLAY]() });
  return Object.freeze(copy);
}
