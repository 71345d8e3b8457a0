/**
 * Error codes in words.
 * Spec: SDM Vol. 3A, "Error Code", "Page-Fault Error Code" of "Interrupt 14—Page-Fault Exception (#PF)".
 */
import { PF } from "../cpu/paging.js";
import { VECTOR } from "../cpu/processor.js";
import { vectorMeaning } from "./vectors.js";

const EXT = 1;
const IDT = 2;
const TI = 4;

/** What an error code with a selector names. */
export interface SelectorErrorCode {
  readonly table: "gdt" | "ldt" | "idt";
  readonly index: number;
  /** EXT: something from outside of the program was being delivered. */
  readonly external: boolean;
}

export const decodeSelectorErrorCode = (errorCode: number): SelectorErrorCode => ({
  table: (errorCode & IDT) !== 0 ? "idt" : (errorCode & TI) !== 0 ? "ldt" : "gdt",
  index: (errorCode & 0xffff) >>> 3,
  external: (errorCode & EXT) !== 0,
});

/** Who wanted what, by a page-fault error code: "a user write". */
export const pageFaultAccess = (errorCode: number): string =>
  `${(errorCode & PF.U) === 0 ? "a supervisor" : "a user"} ${
    (errorCode & PF.W) !== 0 ? "write" : (errorCode & PF.I) !== 0 ? "fetch" : "read"
  }`;

/** A #PF error code in words: "a user write, and the rights do not allow it". */
export function pageFaultText(errorCode: number): string {
  const why =
    (errorCode & PF.RSVD) !== 0
      ? "reserved bits are set"
      : (errorCode & PF.P) === 0
        ? "the page is not present"
        : "the rights do not allow it";
  return `${pageFaultAccess(errorCode)}, and ${why}`;
}

/** An error code in words; undefined for one that says nothing, as that of #DF. */
export function errorCodeText(vector: number, errorCode: number): string | undefined {
  if (vector === VECTOR.PF) return pageFaultText(errorCode);
  if (vector === VECTOR.DF || vector === VECTOR.AC) return undefined;
  const { table, index, external } = decodeSelectorErrorCode(errorCode);
  const outside = external ? "while an event was being delivered (EXT)" : "";
  if ((errorCode & ~EXT) === 0) return ["no selector or gate takes part", outside].filter(Boolean).join(", ");
  const entry =
    table === "idt"
      ? `entry ${index} of the IDT (${vectorMeaning(index & 0xff).name})`
      : `entry ${index} of the ${table.toUpperCase()}`;
  return [entry, outside].filter(Boolean).join(", ");
}
