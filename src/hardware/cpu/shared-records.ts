/**
 * Segments and tables by their values: equal values mostly give the same frozen record, so that who compares by identity finds
 * nothing new. What descriptors are loaded as has a memory of its own (`descriptors.ts`).
 */
import { NULL_SEGMENT, type Segment, type SystemState, type TableRegister } from "./state.js";

const COUNT = 256;
const MASK = COUNT - 1;

const segments: Segment[] = Array.from({ length: COUNT }, () => NULL_SEGMENT);

export function sharedSegment(selector: number, base: number, limit: number, access: number): Segment {
  const at = ((selector >>> 3) ^ (base >>> 4) ^ limit ^ (access << 1) ^ (access >>> 7)) & MASK;
  const known = segments[at]!;
  if (known.selector === selector && known.base === base && known.limit === limit && known.access === access)
    return known;
  const segment = Object.freeze({ selector, base, limit, access });
  segments[at] = segment;
  return segment;
}

const tables: TableRegister[] = Array.from({ length: COUNT }, () => Object.freeze({ base: 0, limit: 0 }));

export function sharedTable(base: number, limit: number): TableRegister {
  const at = ((base >>> 4) ^ (base >>> 12) ^ limit) & MASK;
  const known = tables[at]!;
  if (known.base === base && known.limit === limit) return known;
  const table = Object.freeze({ base, limit });
  tables[at] = table;
  return table;
}

type Debug = SystemState["debug"];
let lastDebug: Debug | undefined;

/** Debug registers with other DR6 and DR7. */
export function withDebug(debug: Debug, dr6: number, dr7: number): Debug {
  if (debug[4] === dr6 && debug[5] === dr7) return debug;
  const [dr0, dr1, dr2, dr3] = debug;
  const last = lastDebug;
  const isLast =
    last?.[0] === dr0 && last[1] === dr1 && last[2] === dr2 && last[3] === dr3 && last[4] === dr6 && last[5] === dr7;
  lastDebug = debug;
  return isLast ? last : Object.freeze([dr0, dr1, dr2, dr3, dr6, dr7] as const);
}

type Msrs = SystemState["msrs"];

/** Two records that differ in these registers alone: a host's and its guest's. */
let exchanged: { readonly one: Msrs; readonly other: Msrs; readonly names: readonly string[] } | undefined;

function holds(msrs: Msrs, values: Msrs): boolean {
  for (const name in values) if (msrs[name] !== values[name]) return false;
  return true;
}

/** Model-specific registers with other values of some: the record that was left last, where that is what they come to. */
export function withMsrs(msrs: Msrs, values: Msrs): Msrs {
  if (holds(msrs, values)) return msrs;
  const last = exchanged;
  const left = last?.one === msrs ? last.other : last?.other === msrs ? last.one : undefined;
  if (left !== undefined && last!.names.every((name) => name in values) && holds(left, values)) return left;
  const other = Object.freeze({ ...msrs, ...values });
  exchanged = { one: msrs, other, names: Object.keys(values) };
  return other;
}
