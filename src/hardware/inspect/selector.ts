/**
 * A selector as a value: its parts, the descriptor it names, and which segment registers it could be loaded into now.
 * The checks are made as the processor makes them, in its order, and loading nothing.
 * Spec: SDM Vol. 3A, "Segment Selectors", "Privilege Level Checking When Accessing Data Segments", "Privilege Level
 * Checking When Loading the SS Register", "Accessing a Code Segment in Code Segments" of far calls and jumps.
 */
import { VirtlabError } from "../../state/error.js";
import { codeBitsOf, isLong, modeOf } from "../cpu/state.js";
import type { Machine } from "../machine.js";
import { deepFreeze } from "../machine-content.js";
import { type DescriptorEntry, isSegment, kindName } from "./descriptor.js";
import { descriptorAt } from "./descriptor-table.js";

/** Whether a selector could be loaded, and what would be raised otherwise. */
export type LoadCheck =
  | { readonly ok: true }
  | {
      readonly ok: false;
      /** "#GP", "#NP" or "#SS". */
      readonly exception: string;
      readonly errorCode: number;
      /** The check that fails, as a sentence. */
      readonly why: string;
      readonly spec: string;
    };

export interface Selector {
  readonly value: number;
  readonly index: number;
  readonly table: "gdt" | "ldt";
  readonly rpl: number;
  /** Index 0 of the GDT names no segment. */
  readonly null: boolean;
  /** Absent where the selector is null, lies outside of its table, or means a paragraph (real and virtual-8086 mode). */
  readonly descriptor?: DescriptorEntry;
  /** In real and virtual-8086 mode: the segment's first linear address. */
  readonly base?: number;
  /** For DS, ES, FS and GS; for SS; and for CS by a far JMP or CALL straight to it. */
  readonly loadable: { readonly ds: LoadCheck; readonly ss: LoadCheck; readonly cs: LoadCheck };
}

const OK: LoadCheck = { ok: true };
const DATA_SPEC = 'SDM Vol. 3A, "Privilege Level Checking When Accessing Data Segments"';
const STACK_SPEC = 'SDM Vol. 3A, "Privilege Level Checking When Loading the SS Register"';
const CODE_SPEC = 'SDM Vol. 3A, "Direct Calls or Jumps to Code Segments"';
const TYPE_SPEC = 'SDM Vol. 3A, "Type Checking"';
const NULL_SPEC = 'SDM Vol. 3A, "Null Segment Selector Checking"';
const LIMIT_SPEC = 'SDM Vol. 3A, "Limit Checking"';
const L_SPEC = 'SDM Vol. 3A, "Code Segment Descriptor in 64-bit Mode"';
const PRESENT_SPEC = 'SDM Vol. 3A, "Segment Descriptors"';

/** What a check looks at. */
interface Attempt {
  readonly selector: Omit<Selector, "loadable">;
  readonly cpl: number;
  /** In long mode, and in 64-bit code. */
  readonly long: boolean;
  readonly code64: boolean;
}

/**
 * A selector's parts, its descriptor, and whether DS, SS and CS could be loaded with it at the machine's present CPL.
 *
 * @throws VirtlabError for a value that is not one of 0 to 0xFFFF.
 * @example
 * const machine = Machine.boot({ image: guest("rings") }).run({ until: { serial: "hello" } });
 * const { index, table, rpl, descriptor } = selector(machine, 0x1b);
 * [index, table, rpl, descriptor?.kind] // => [ 3, 'gdt', 3, 'code' ]
 * selector(machine, 0x1000).loadable.ds.ok // => false
 */
export function selector(machine: Machine, value: number): Selector {
  if (!(Number.isInteger(value) && value >= 0 && value <= 0xffff))
    throw new VirtlabError(`selector: ${String(value)} is not one of 0 to 0xffff`);
  const { system, eflags } = machine.cpu;
  const table = (value & 4) === 0 ? "gdt" : "ldt";
  const parts = { value, index: value >>> 3, table, rpl: value & 3, null: (value & 0xfffc) === 0 } as const;
  if (modeOf(system, eflags) !== "protected")
    return deepFreeze({ ...parts, null: false, base: value * 16, loadable: { ds: OK, ss: OK, cs: OK } });
  const descriptor = parts.null ? undefined : descriptorAt(machine, table, parts.index);
  const described = descriptor === undefined ? parts : { ...parts, descriptor };
  const attempt = {
    ...{ selector: described, cpl: machine.cpl },
    ...{ long: isLong(system), code64: codeBitsOf(system) === 64 },
  };
  return deepFreeze({
    ...described,
    loadable: { ds: loadData(attempt), ss: loadStack(attempt), cs: loadCode(attempt) },
  });
}

const refused =
  ({ selector: { value } }: Attempt) =>
  (exception: string, why: string, spec: string): LoadCheck => ({
    ok: false,
    exception,
    errorCode: value & 0xfffc,
    why,
    spec,
  });

/** What is the same for all of them: the selector names an entry of a table. */
function missing(attempt: Attempt): LoadCheck {
  const { table, index } = attempt.selector;
  return refused(attempt)("#GP", `Index ${index} lies outside of the limit of the ${table.toUpperCase()}.`, LIMIT_SPEC);
}

const absent = (attempt: Attempt, exception: "#NP" | "#SS"): LoadCheck =>
  refused(attempt)(exception, "The descriptor is marked not present.", PRESENT_SPEC);

const wrongType = (attempt: Attempt, found: DescriptorEntry, wanted: string): LoadCheck => {
  const what = found.kind === "data" && !found.writable ? "read-only data segment" : kindName(found.kind);
  return refused(attempt)(
    "#GP",
    `The descriptor is a${/^[aeiouL]/.test(what) ? "n" : ""} ${what}, not ${wanted}.`,
    TYPE_SPEC,
  );
};

function loadData(attempt: Attempt): LoadCheck {
  const { descriptor: found, rpl } = attempt.selector;
  if (attempt.selector.null) return OK;
  if (found === undefined) return missing(attempt);
  if (!isSegment(found)) return wrongType(attempt, found, "a segment that can be read");
  if (!found.readable) return refused(attempt)("#GP", "The code segment may be executed only, not read.", TYPE_SPEC);
  const most = Math.max(attempt.cpl, rpl);
  if (!found.conforming && most > found.dpl) {
    const which = attempt.cpl >= rpl ? `CPL ${attempt.cpl}` : `RPL ${rpl}`;
    return refused(attempt)("#GP", `${which} is above DPL ${found.dpl} of the segment.`, DATA_SPEC);
  }
  return found.present ? OK : absent(attempt, "#NP");
}

function loadStack(attempt: Attempt): LoadCheck {
  const { descriptor: found, rpl } = attempt.selector;
  const { cpl } = attempt;
  // Spec: SDM Vol. 2B, MOV: 64-bit code of rings 0 to 2 may do without a stack segment.
  if (attempt.selector.null)
    return attempt.code64 && cpl < 3 && rpl === cpl
      ? OK
      : { ok: false, exception: "#GP", errorCode: 0, why: "SS cannot be null.", spec: NULL_SPEC };
  if (found === undefined) return missing(attempt);
  if (rpl !== cpl) return refused(attempt)("#GP", `RPL ${rpl} is not CPL ${cpl}.`, STACK_SPEC);
  if (found.kind !== "data" || !found.writable) return wrongType(attempt, found, "a writable data segment");
  if (found.dpl !== cpl) return refused(attempt)("#GP", `DPL ${found.dpl} is not CPL ${cpl}.`, STACK_SPEC);
  return found.present ? OK : absent(attempt, "#SS");
}

function loadCode(attempt: Attempt): LoadCheck {
  const { descriptor: found, rpl } = attempt.selector;
  const { cpl } = attempt;
  if (attempt.selector.null)
    return { ok: false, exception: "#GP", errorCode: 0, why: "CS cannot be null.", spec: NULL_SPEC };
  if (found === undefined) return missing(attempt);
  if (found.kind !== "code") return wrongType(attempt, found, "a code segment");
  if (attempt.long && found.long && found.big)
    return refused(attempt)("#GP", "L and D of the code segment are both set.", L_SPEC);
  if (found.conforming) {
    if (found.dpl > cpl)
      return refused(attempt)("#GP", `DPL ${found.dpl} of the conforming segment is above CPL ${cpl}.`, CODE_SPEC);
  } else {
    if (rpl > cpl) return refused(attempt)("#GP", `RPL ${rpl} is above CPL ${cpl}.`, CODE_SPEC);
    if (found.dpl !== cpl) return refused(attempt)("#GP", `DPL ${found.dpl} is not CPL ${cpl}.`, CODE_SPEC);
  }
  return found.present ? OK : absent(attempt, "#NP");
}
