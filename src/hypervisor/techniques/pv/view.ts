/** The hypercalls as a list to look at. */
import { hypercalls } from "./calls.js";

/** What a paravirtual guest can ask for. */
export interface HypercallEntry {
  /** Goes into EAX. Xen's. */
  readonly number: number;
  readonly name: string;
  /** In EBX, ECX, EDX, ESI, EDI, in this order. */
  readonly args: readonly string[];
}

/**
 * The hypercalls of paravirtual guests by number: INT 82h from ring 1 with the number in EAX; the result comes back there, negative where
 * the call is refused.
 * Spec: Xen, public header xen.h ("HYPERCALLS").
 *
 * @example
 * hypercallTable.find(({ number }) => number === 1).args // => [ 'requests', 'count', 'done', 'domain' ]
 */
export const hypercallTable: readonly HypercallEntry[] = Object.freeze(
  Object.entries(hypercalls).map(([number, { name, args }]) =>
    Object.freeze({ number: Number(number), name, args: Object.freeze([...args]) }),
  ),
);
