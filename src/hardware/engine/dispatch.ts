/**
 * The dispatch loop as the parts of an interpreter see it: its locals, the fields of the record at hand, and how generated
 * code goes from one block to the next.
 */
import { add, and, i32, isZero, less, narrow, ne, or, shl, shr, sub, widen, widenUnsigned } from "../isa/code.js";
import {
  EXIT,
  EXIT_TARGET,
  EXIT_TARGET_HIGH,
  JUMP_CACHE_BASE,
  JUMP_CACHE_ENTRIES,
  JUMP_CACHE_ENTRY_SIZE,
  JUMP_CACHE_HIGH,
  JUMP_CACHE_RECORD,
  LAST_BRANCH,
  RECORD,
  RECORD_FLAG,
  RIP_BASE,
  RIP_HIGH,
} from "./layout.js";
import { type Expr, type FunctionBody, type Label, type Local, load } from "./wasm.js";

/**
 * The interpreters: for flat 32-bit segments, for any other segments, and for 64-bit code.
 */
export type CodeKind = "flat" | "segmented" | "long";

/** Locals of the dispatch loop and where its parts leave to. */
export interface Frame {
  readonly body: FunctionBody;
  readonly ip: Local;
  readonly left: Local;
  readonly exit: Local;
  readonly result: Local;
  readonly sign: Local;
  readonly carry: Local;
  readonly carries: Local;
  readonly tlb: Local;
  readonly flat: boolean;
  readonly long: boolean;
  dispatch: Label;
  /** Leave; what the block was charged from this instruction on is given back. */
  refund: Label;
  out: Label;
}

export const field16 = (frame: Frame, offset: number): Expr => load("i16u", frame.ip, offset);
export const field8 = (frame: Frame, offset: number): Expr => load("i8u", frame.ip, offset);
export const field32 = (frame: Frame, offset: number): Expr => load("i32", frame.ip, offset);

/** Charges the block at `ip` and goes there, or leaves when the budget does not cover it. */
function enter({ body, ip, left, exit, out, dispatch }: Frame): void {
  body.set(left, sub(left, load("i16u", ip, RECORD.left)));
  body.if(less(left, i32(0)), () => {
    body.set(exit, i32(EXIT.budget));
    body.br(out);
  });
  body.br(dispatch);
}

/** Takes the direct branch at `ip`. Its link leads to the block, or to the record of a miss, which finds the branch again. */
export function follow(frame: Frame): void {
  const { body, ip } = frame;
  body.store("i32", i32(0), ip, LAST_BRANCH);
  body.set(ip, field32(frame, RECORD.link));
  enter(frame);
}

/** Goes to the block at `address` if the jump cache knows it, else leaves for a look-up. */
export function probe(frame: Frame, address: Expr, linkable: boolean): void {
  const { body, ip, exit, out, long } = frame;
  const target = body.temporary("i32");
  const high = body.temporary("i32");
  const entry = body.temporary("i32");
  body.set(target, narrow(address));
  if (long) body.set(high, narrow(shr(address, i32(32))));
  body.set(
    entry,
    add(
      load("i32", i32(JUMP_CACHE_BASE)),
      shl(and(target, i32(JUMP_CACHE_ENTRIES - 1)), i32(Math.log2(JUMP_CACHE_ENTRY_SIZE))),
    ),
  );
  const differs = ne(load("i32", entry), target);
  body.if(long ? or(differs, ne(load("i32", entry, JUMP_CACHE_HIGH), high)) : differs, () => {
    body.store("i32", i32(0), target, EXIT_TARGET);
    if (long) body.store("i32", i32(0), high, EXIT_TARGET_HIGH);
    body.set(exit, i32(EXIT.lookup));
    body.br(out);
  });
  if (long) body.store("i32", i32(0), high, RIP_HIGH);
  body.set(ip, load("i32", entry, JUMP_CACHE_RECORD));
  body.release(entry);
  body.release(high);
  body.release(target);
  if (linkable) {
    // A block that lies on two pages is never linked: the second page may be mapped elsewhere by then.
    const from = load("i32", i32(LAST_BRANCH));
    const mayLink = and(
      and(load("i8u", from, RECORD.flags), i32(RECORD_FLAG.linkable)),
      isZero(and(load("i8u", ip, RECORD.flags), i32(RECORD_FLAG.twoPages))),
    );
    body.if(mayLink, () => body.store("i32", from, ip, RECORD.link));
  }
  enter(frame);
}

/** Where the direct branch at `record` leads to. */
export function branchTarget({ long }: Frame, record: Expr): Expr {
  const target = load("i32", record, RECORD.immediate);
  if (!long) return target;
  const farther = shl(widen(load("i32", record, RECORD.displacement)), i32(32));
  return add(add(load("i64", i32(RIP_BASE)), widenUnsigned(target)), farther);
}
