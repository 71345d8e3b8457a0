/** The functions through which generated code asks for what it cannot do by itself. */
import { call, type Expr, type FunctionType } from "./wasm.js";

const I32: "i32" = "i32";
const F64: "f64" = "f64";
export const slowTypes = {
  load: { parameters: [I32, I32], results: [I32] },
  loadForWrite: { parameters: [I32, I32], results: [I32] },
  store: { parameters: [I32, I32, I32], results: [I32] },
  loadLong: { parameters: [F64, I32], results: [I32] },
  loadLongForWrite: { parameters: [F64, I32], results: [I32] },
  storeLong: { parameters: [F64, I32, I32], results: [I32] },
  segment: { parameters: [I32, I32, I32], results: [I32] },
  loadWide: { parameters: [I32, I32], results: [I32] },
  storeWide: { parameters: [I32, I32], results: [I32] },
  leave: { parameters: [I32], results: [I32] },
  system: { parameters: [I32], results: [I32] },
} as const satisfies Record<string, FunctionType>;
type SlowName = keyof typeof slowTypes;
export const slowNames = Object.keys(slowTypes) as SlowName[];
/** Functions of the module that are not for the outside, in their order: what nearly always holds, before a slow path. */
const innerTypes = {
  linear: slowTypes.segment,
  modify: slowTypes.loadForWrite,
  write: slowTypes.store,
} as const;
type InnerName = keyof typeof innerTypes;
export const innerNames = Object.keys(innerTypes) as InnerName[];
export const innerType = (name: InnerName): FunctionType => innerTypes[name];
const inner = (name: InnerName, ...args: Expr[]): Expr =>
  call(slowNames.length + innerNames.indexOf(name), innerTypes[name], args);

/** Added to the size of an access that writes. */
export const WRITE_ACCESS = 32;
/** Linear address of an access through a segment; `access` is the size in bytes, plus WRITE_ACCESS for a write. */
export const linearAddress = (segment: Expr, offset: Expr, access: Expr): Expr =>
  inner("linear", segment, offset, access);
/** `loadForWrite` and `store` where the TLB has no write tag: they know pages that may be written with care. */
export const loadToModify = (linear: Expr, size: Expr): Expr => inner("modify", linear, size);
export const storeWithCare = (linear: Expr, size: Expr, value: Expr): Expr => inner("write", linear, size, value);
/** A call of one of them. */
export const slow = (name: SlowName, ...args: Expr[]): Expr => call(slowNames.indexOf(name), slowTypes[name], args);

/** See `loadLong`. */
export const STACK_ACCESS = 64;

/** What `system` gives when the block goes on behind its instruction. */
export const NEXT_RECORD = 1;

/** What the TypeScript around the interpreter provides. */
export type SlowPaths = {
  /** Value at a linear address, sign-extended; sets SLOW_EXIT when it cannot be read now. */
  readonly load: (linear: number, size: number) => number;
  readonly loadForWrite: (linear: number, size: number) => number;
  /** 0, or an exit code. */
  readonly store: (linear: number, size: number, value: number) => number;
  /**
   * The same in 64-bit code. `access` is the size in bytes, plus STACK_ACCESS if an address that is not canonical is a stack
   * fault. Operands of more than 4 bytes are in SLOW_VALUE instead.
   */
  readonly loadLong: (linear: number, access: number) => number;
  readonly loadLongForWrite: (linear: number, access: number) => number;
  readonly storeLong: (linear: number, access: number, value: number) => number;
  /** Linear address; sets SLOW_EXIT on a fault. `access` is the size in bytes, plus WRITE_ACCESS for a write. */
  readonly segment: (segment: number, offset: number, access: number) => number;
  /** More than 4 bytes into SLOW_VALUE, in 32-bit code; sets SLOW_EXIT when they cannot be read now. */
  readonly loadWide: (linear: number, size: number) => number;
  /** The same out of it. 0, or an exit code. */
  readonly storeWide: (linear: number, size: number) => number;
  /**
   * Deals with an exit code. Gives the record to go on from, whose block is charged to what EXIT_LEFT says now, or 0 to
   * come back.
   */
  readonly leave: (exit: number) => number;
  /**
   * Executes the instruction of a record that has no generated code. Gives NEXT_RECORD when nothing of what the block
   * was decoded for has changed; else the same as `leave`.
   */
  readonly system: (record: number) => number;
};
