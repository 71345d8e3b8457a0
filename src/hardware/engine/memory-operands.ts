/**
 * How an interpreter reaches memory: addresses of operands, the check of their segment, the TLB, and the slow path behind
 * it. A cell is one operand of up to 8 bytes; vectors use the same parts (`vector-operands.ts`).
 */
import type { CellAccess, ImpliedSegment, MemoryCell, OperandSize } from "../isa/code.js";
import { add, and, eq, i32, i64, narrow, or, select, shl, shr, unary, widen, widenUnsigned } from "../isa/code.js";
import { field8, field16, field32 } from "./dispatch.js";
import type { Handler } from "./handler.js";
import {
  LONG_BASES,
  RECORD,
  RECORD_FLAG,
  RIP_BASE,
  SLOW_EXIT,
  SLOW_VALUE,
  TLB_DELTA,
  TLB_ENTRIES,
  TLB_ENTRY_SIZE,
  TLB_WRITE_TAG,
} from "./layout.js";
import { vectorLoad, vectorStore } from "./simd.js";
import { linearAddress, loadToModify, STACK_ACCESS, slow, storeWithCare, WRITE_ACCESS } from "./slow-paths.js";
import { type Expr, type FunctionBody, type Local, load } from "./wasm.js";

export const loadOps = { 8: "i8s", 16: "i16s", 32: "i32", 64: "i64" } as const;
export const storeOps = { 8: "i8", 16: "i16", 32: "i32", 64: "i64" } as const;

/** A value as a store of a width takes it. */
export const fitted = (value: Expr, width: OperandSize): Expr => (width === 64 ? widen(value) : narrow(value));

// ---- addresses ----------------------------------------------------------------------------------------------------

/** Whether addresses may be narrower than most, which the record says. */
export const addressVaries = ({ form, frame }: Handler): boolean =>
  form.memory === "segment" || (!frame.flat && !frame.long && form.memory === "none");

/** Ones where an address has bits. */
export function addressMask({ frame }: Handler): Expr {
  const narrower = and(field8(frame, RECORD.flags), i32(RECORD_FLAG.narrowAddress));
  return frame.long ? shr(i64(-1n), widenUnsigned(shl(narrower, i32(1)))) : shr(i32(-1), narrower);
}

/** The address of the next instruction, in 64-bit code. */
export function nextRip({ frame }: Handler): Expr {
  const low = add(widenUnsigned(field32(frame, RECORD.eip)), widenUnsigned(field8(frame, RECORD.length)));
  return add(load("i64", i32(RIP_BASE)), low);
}

/** Offset of the memory operand in its segment. */
export function operandOffset(handler: Handler): Expr {
  const { frame, form } = handler;
  if (frame.long) return longOffset(handler);
  const base = load("i32", field16(frame, RECORD.base));
  const displacement = field32(frame, RECORD.displacement);
  if (form.memory === "simple") return add(base, displacement);
  const index = load("i32", field16(frame, RECORD.index));
  return handler.wrapAddress(add(add(base, shl(index, field8(frame, RECORD.scale))), displacement));
}

function longOffset(handler: Handler): Expr {
  const { frame, form } = handler;
  if (form.row.operands.some(({ method }) => method === "O")) return load("i64", frame.ip, RECORD.displacement);
  const displacement = widen(field32(frame, RECORD.displacement));
  if (form.memory === "relative") return add(nextRip(handler), displacement);
  const base = load("i64", field16(frame, RECORD.base));
  if (form.memory === "simple") return add(base, displacement);
  const scaled = shl(load("i64", field16(frame, RECORD.index)), widenUnsigned(field8(frame, RECORD.scale)));
  const sum = add(add(base, scaled), displacement);
  if (form.memory !== "segment") return sum;
  const relative = and(field8(frame, RECORD.flags), i32(RECORD_FLAG.relative));
  return handler.wrapAddress(add(sum, select(relative, nextRip(handler), i64(0n))));
}

/** Linear address of an access; leaves where the segment does not let it through. */
export function linearOf(handler: Handler, segment: ImpliedSegment, offset: Expr, bytes: number, write: boolean): Expr {
  const { frame, form } = handler;
  if (frame.long) {
    if (segment !== "operand" || form.memory !== "segment") return offset;
    const number = field8(frame, RECORD.segment);
    return handler.let(add(offset, load("i64", shl(number, i32(3)), LONG_BASES)));
  }
  if (frame.flat && !(segment === "operand" && form.memory === "segment")) return offset;
  const number = segment === "ss" ? i32(2) : segment === "es" ? i32(0) : field8(frame, RECORD.segment);
  const linear = handler.let(linearAddress(number, offset, i32(bytes + (write ? WRITE_ACCESS : 0))));
  checkSlow(handler);
  return linear;
}

// ---- the TLB and what is behind it --------------------------------------------------------------------------------

/** Where bytes lie in the engine's memory, if the TLB has the tag. */
export function resident(
  handler: Handler,
  linear: Expr,
  bytes: number,
): { readonly hit: (tag: number) => Expr; readonly host: Expr } {
  const { tlb, long } = handler.frame;
  const low = narrow(linear);
  const entry = handler.let(
    add(tlb, and(shr(low, i32(12 - Math.log2(TLB_ENTRY_SIZE))), i32((TLB_ENTRIES - 1) * TLB_ENTRY_SIZE))),
  );
  const page = and(bytes === 1 ? linear : add(linear, i32(bytes - 1)), i32(-4096));
  return {
    hit: (tag) => eq(load(long ? "i64" : "i32", entry, tag), page),
    host: add(low, load("i32", entry, TLB_DELTA)),
  };
}

/** Leaves if a slow path said so. */
export function checkSlow({ frame: { body, exit, refund } }: Handler): void {
  body.set(exit, load("i32", i32(SLOW_EXIT)));
  body.brIf(refund, exit);
}

/** What a slow path left of an operand of more than 4 bytes. */
const loadSlowValue = (bytes: number): Expr =>
  bytes === 16 ? vectorLoad(128, i32(SLOW_VALUE)) : load("i64", i32(SLOW_VALUE));

function storeSlowValue(body: FunctionBody, value: Expr): void {
  if (value.type === "v128") body.emit(vectorStore(128, i32(SLOW_VALUE), value));
  else body.store("i64", i32(SLOW_VALUE), value);
}

/** Ways of an access that the TLB does not know. */
interface SlowAccess {
  load(into: Local, toModify: boolean): void;
  /** 0, or an exit code. */
  store(value: Expr): Expr;
}

/** An operand of more than 4 bytes, which may be a vector, goes through SLOW_VALUE. */
export function slowAccess(handler: Handler, linear: Expr, bytes: number, segment: ImpliedSegment): SlowAccess {
  if (handler.long) return slowLongAccess(handler, linear, bytes, segment);
  const { body } = handler.frame;
  if (bytes <= 4)
    return {
      load: (into, toModify) =>
        body.set(into, toModify ? loadToModify(linear, i32(bytes)) : slow("load", linear, i32(bytes))),
      store: (value) => storeWithCare(linear, i32(bytes), value),
    };
  return {
    load: (into) => {
      body.drop(slow("loadWide", linear, i32(bytes)));
      body.set(into, loadSlowValue(bytes));
    },
    store: (value) => {
      storeSlowValue(body, value);
      return slow("storeWide", linear, i32(bytes));
    },
  };
}

/** The same in 64-bit code, where an address goes as a float, which has room for every canonical one. */
function slowLongAccess(handler: Handler, linear: Expr, bytes: number, segment: ImpliedSegment): SlowAccess {
  const { body } = handler.frame;
  const wide = bytes > 4;
  const address = unary("f64.convert_i64_s", linear);
  const throughStack = or(
    i32(bytes),
    segment === "ss"
      ? i32(STACK_ACCESS)
      : segment === "operand"
        ? select(eq(field8(handler.frame, RECORD.segment), i32(2)), i32(STACK_ACCESS), i32(0))
        : i32(0),
  );
  return {
    load: (into, toModify) => {
      const loaded = slow(toModify ? "loadLongForWrite" : "loadLong", address, throughStack);
      if (!wide) body.set(into, loaded);
      else {
        body.drop(loaded);
        body.set(into, loadSlowValue(bytes));
      }
    },
    store: (value) => {
      if (wide) storeSlowValue(body, value);
      return slow("storeLong", address, throughStack, wide ? i32(0) : value);
    },
  };
}

// ---- cells --------------------------------------------------------------------------------------------------------

/** Opens an operand of up to 8 bytes: reads it, or makes sure that it can be written. */
export function openCell(
  handler: Handler,
  segment: ImpliedSegment,
  offset: Expr,
  size: OperandSize,
  access: CellAccess,
): MemoryCell {
  const { body, exit, refund } = handler.frame;
  const bytes = size / 8;
  const linear = linearOf(handler, segment, offset, bytes, access !== "read");
  const { hit, host } = resident(handler, linear, bytes);
  const slowly = slowAccess(handler, linear, bytes, segment);
  const storeSlowly = (value: Expr): void => {
    body.set(exit, slowly.store(value));
    body.brIf(refund, exit);
  };
  if (access === "write") {
    return {
      value: linear,
      store: (value) =>
        body.if(
          hit(TLB_WRITE_TAG),
          () => body.store(storeOps[size], host, fitted(value, size)),
          () => storeSlowly(fitted(value, size)),
        ),
    };
  }
  const value = handler.let(size === 64 ? i64(0n) : i32(0));
  const loadSlowly = (): void => {
    slowly.load(value, access === "modify");
    checkSlow(handler);
  };
  if (access === "read") {
    body.if(hit(0), () => body.set(value, load(loadOps[size], host)), loadSlowly);
    return {
      value,
      store: () => {
        throw new TypeError(`${handler.form.row.mnemonic}: this cell was opened for reading`);
      },
    };
  }
  const place = handler.let(i32(0));
  body.if(
    hit(TLB_WRITE_TAG),
    () => {
      body.set(place, host);
      body.set(value, load(loadOps[size], place));
    },
    () => {
      loadSlowly();
      // The slow path has let the page in, unless it is a special one: then the store asks again.
      body.set(place, select(hit(TLB_WRITE_TAG), host, i32(0)));
    },
  );
  return {
    value,
    store: (next) =>
      body.if(
        place,
        () => body.store(storeOps[size], place, fitted(next, size)),
        () => storeSlowly(fitted(next, size)),
      ),
  };
}
