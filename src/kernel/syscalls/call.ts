/** What a system call is: an entry of the tables beside this file. */
import type { Work } from "../work.js";
import type { SystemCallName } from "./numbers.js";

/**
 * How an argument is read from its register, and shown: `int`, `fd` and `dirfd` are 32 bits, signed; `uint`, `mode` and `flags` 32 bits,
 * unsigned; `long` is signed and as wide as the program's registers, `size` and `pointer` are unsigned; `path` and `text` are pointers to
 * strings, `paths` to a list of them.
 */
export type ArgumentKind =
  | "int"
  | "fd"
  | "dirfd"
  | "uint"
  | "mode"
  | "flags"
  | "octal"
  | "long"
  | "size"
  | "pointer"
  | "path"
  | "text"
  | "texts"
  | "buffer"
  | "signal";

export interface SystemCall {
  readonly name: SystemCallName;
  /** Names and kinds of the arguments: "fd:fd buffer:pointer count:size". */
  readonly arguments: readonly (readonly [name: string, kind: ArgumentKind])[];
  /** Gives the result; throws an `Errno`, or `Wait` to be made anew later. */
  readonly run: (k: Work, ...values: number[]) => number;
}

/** An entry: `call("read", "fd:fd buffer:buffer count:size", (k, fd, buffer, count) => ...)`. */
export function call(name: SystemCallName, description: string, run: SystemCall["run"]): SystemCall {
  const parts = description.split(" ").filter((part) => part !== "");
  return {
    name,
    arguments: parts.map((part) => part.split(":") as unknown as [string, ArgumentKind]),
    run,
  };
}

const SIGNED: ReadonlySet<ArgumentKind> = new Set(["int", "fd", "dirfd", "signal"]);
const WORDS: ReadonlySet<ArgumentKind> = new Set(["uint", "mode", "flags", "octal"]);
const WORD = 2 ** 32;

/** The value of an argument from the two halves of its register. */
export function argumentValue(kind: ArgumentKind, low: number, high: number, wide: boolean): number {
  if (SIGNED.has(kind)) return low | 0;
  if (WORDS.has(kind)) return low >>> 0;
  if (!wide) return kind === "long" ? low | 0 : low >>> 0;
  return (high | 0) * WORD + (low >>> 0);
}
