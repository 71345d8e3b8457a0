/** Where in the text something stands, and how a mistake there is told. */
import { VirtlabError } from "../../../state/error.js";

export interface Place {
  readonly name: string | undefined;
  readonly line: number;
  /** The first character of a line is 1. */
  readonly column: number;
}

export function fail({ name, line, column }: Place, message: string): never {
  throw new VirtlabError(`${name === undefined ? "" : `${name}:`}${line}:${column}: ${message}`);
}

/** A number as a person reads it: small ones decimal, others in both notations. */
export const numberText = (value: bigint): string =>
  value > -10n && value < 10n
    ? String(value)
    : `${value} (${value < 0n ? "-" : ""}0x${(value < 0n ? -value : value).toString(16)})`;
