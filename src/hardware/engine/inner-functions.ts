/**
 * What the handlers of an interpreter share as functions of its module: each settles what nearly always holds and asks a
 * slow path for the rest.
 */
import { add, and, below, belowEqual, eq, i32, ne, shl, shr, sub } from "../isa/code.js";
import {
  CODE_PAGES,
  SEGMENT_READABLE,
  SEGMENT_SIZE,
  SEGMENTS,
  TABLE_OF_MANY,
  TLB_BASE,
  TLB_CARE_TAG,
  TLB_DELTA,
  TLB_ENTRIES,
  TLB_ENTRY_SIZE,
  TLB_INVALID,
  TLB_SIDE,
  TLB_SUPERVISOR,
  TLB_TABLE_OF,
  TLB_USER,
  TLB_WRITE_TAG,
} from "./layout.js";
import { slow, WRITE_ACCESS } from "./slow-paths.js";
import { type Expr, FunctionBody, type Local, load } from "./wasm.js";

const ENTRY_SHIFT = Math.log2(TLB_ENTRY_SIZE);

/** `linear(segment, offset, access)`: the checks of an access through a segment. */
function writeLinear(): FunctionBody {
  const body = new FunctionBody(["i32", "i32", "i32"]);
  const [segment, offset, access] = [0, 1, 2].map((index) => body.parameter(index, "i32")) as [Local, Local, Local];
  const entry = body.local("i32");
  const last = body.local("i32");
  body.set(entry, shl(segment, i32(Math.log2(SEGMENT_SIZE))));
  body.set(last, add(offset, sub(and(access, i32(WRITE_ACCESS - 1)), i32(1))));
  const allowed = load(
    "i32",
    add(entry, shr(and(access, i32(WRITE_ACCESS)), i32(Math.log2(WRITE_ACCESS / 4)))),
    SEGMENTS + SEGMENT_READABLE,
  );
  body.if(and(below(last, allowed), belowEqual(offset, last)), () =>
    body.return(add(load("i32", entry, SEGMENTS), offset)),
  );
  body.return(slow("segment", segment, offset, access));
  body.unreachable();
  return body;
}

/** The TLB entry of 4 bytes that may be written with care: on a page table, and all in one entry of it. */
function ifInTable(body: FunctionBody, linear: Local, size: Local, then: (entry: Local, tableOf: Local) => void): void {
  const entry = body.local("i32");
  const tableOf = body.local("i32");
  body.set(
    entry,
    add(load("i32", i32(TLB_BASE)), shl(and(shr(linear, i32(12)), i32(TLB_ENTRIES - 1)), i32(ENTRY_SHIFT))),
  );
  const wholeEntry = and(eq(size, i32(4)), eq(and(linear, i32(3)), i32(0)));
  const tag = and(linear, i32(-4096));
  body.if(and(wholeEntry, eq(load("i32", entry, TLB_CARE_TAG), tag)), () => {
    body.set(tableOf, load("i32", entry, TLB_TABLE_OF));
    body.if(ne(tableOf, i32(TABLE_OF_MANY)), () => then(entry, tableOf));
  });
}

const hostOf = (linear: Expr, entry: Expr): Expr => add(linear, load("i32", entry, TLB_DELTA));

/** `modify(linear, size)` */
function writeModify(): FunctionBody {
  const body = new FunctionBody(["i32", "i32"]);
  const [linear, size] = [0, 1].map((index) => body.parameter(index, "i32")) as [Local, Local];
  ifInTable(body, linear, size, (entry) => body.return(load("i32", hostOf(linear, entry))));
  body.return(slow("loadForWrite", linear, size));
  body.unreachable();
  return body;
}

/** `write(linear, size, value)`: an entry of a page table changes, and the one translation that depends on it is dropped. */
function writeWrite(): FunctionBody {
  const body = new FunctionBody(["i32", "i32", "i32"]);
  const [linear, size, value] = [0, 1, 2].map((index) => body.parameter(index, "i32")) as [Local, Local, Local];
  const page = body.local("i32");
  const other = body.local("i32");
  ifInTable(body, linear, size, (entry, tableOf) => {
    body.set(page, add(tableOf, shr(and(linear, i32(0xfff)), i32(2))));
    // Where code was found, more depends on it.
    body.if(eq(load("i8u", page, CODE_PAGES), i32(0)), () => {
      body.store("i32", hostOf(linear, entry), value);
      for (const half of [TLB_SUPERVISOR, TLB_USER]) {
        body.set(
          other,
          add(shl(and(page, i32(TLB_ENTRIES - 1)), i32(ENTRY_SHIFT)), add(load("i32", i32(TLB_SIDE)), i32(half))),
        );
        body.if(eq(load("i32", other), shl(page, i32(12))), () => {
          for (const tag of [0, TLB_WRITE_TAG, TLB_CARE_TAG]) body.store("i32", other, i32(TLB_INVALID), tag);
        });
      }
      body.return(i32(0));
    });
  });
  body.return(slow("store", linear, size, value));
  body.unreachable();
  return body;
}

export const innerBodies = { linear: writeLinear, modify: writeModify, write: writeWrite } as const;
