/**
 * A small typed writer of WebAssembly modules: values are expressions that know their type, control flow is nested
 * closures, and branches name labels instead of counting depths. It checks types while the code is being written, so a
 * wrong width in an instruction's semantics fails when the interpreter is generated and not when it runs.
 *
 * Operators on vectors are in `simd.ts`. Left out on purpose: floats, several memories, everything the engine does not
 * emit.
 * Spec: WebAssembly Core Specification 2.0, "Binary Format".
 */

export type ValueType = "i32" | "i64" | "f64" | "v128";

/** Bytes of code, in parts: to put expressions together copies nothing. */
export type Bytes = readonly (number | Bytes)[];

/** An expression: its type and the bytes that leave its value on the operand stack. */
export interface Expr {
  readonly type: ValueType;
  readonly code: Bytes;
  /** Of `i32(value)`: that value. */
  readonly constant?: number;
}

const typeByte: Readonly<Record<ValueType, number>> = { i32: 0x7f, i64: 0x7e, f64: 0x7c, v128: 0x7b };
const EMPTY_BLOCK = 0x40;

export function unsignedLeb(value: number): number[] {
  const out: number[] = [];
  do {
    const byte = value % 128;
    value = Math.floor(value / 128);
    out.push(value > 0 ? byte | 0x80 : byte);
  } while (value > 0);
  return out;
}

export function signedLeb(value: bigint): number[] {
  const out: number[] = [];
  for (;;) {
    const byte = Number(value & 0x7fn);
    value >>= 7n;
    if ((value === 0n && (byte & 0x40) === 0) || (value === -1n && (byte & 0x40) !== 0)) {
      out.push(byte);
      return out;
    }
    out.push(byte | 0x80);
  }
}

/** Opcodes that take one operand: [opcode bytes, operand type, result type]. */
const unaryOps = {
  "i32.eqz": [[0x45], "i32", "i32"],
  "i32.clz": [[0x67], "i32", "i32"],
  "i32.ctz": [[0x68], "i32", "i32"],
  "i32.popcnt": [[0x69], "i32", "i32"],
  "i32.extend8_s": [[0xc0], "i32", "i32"],
  "i32.extend16_s": [[0xc1], "i32", "i32"],
  "i32.wrap_i64": [[0xa7], "i64", "i32"],
  "i64.extend_i32_s": [[0xac], "i32", "i64"],
  "i64.extend_i32_u": [[0xad], "i32", "i64"],
  "i64.eqz": [[0x50], "i64", "i32"],
  "i64.clz": [[0x79], "i64", "i64"],
  "i64.ctz": [[0x7a], "i64", "i64"],
  "i64.popcnt": [[0x7b], "i64", "i64"],
  "i64.extend8_s": [[0xc2], "i64", "i64"],
  "i64.extend16_s": [[0xc3], "i64", "i64"],
  "i64.extend32_s": [[0xc4], "i64", "i64"],
  "f64.convert_i64_s": [[0xb9], "i64", "f64"],
} as const;

/** Opcodes that take two operands of one type: [i32 opcode, i64 opcode, whether the result is a truth value]. */
const binaryOps = {
  add: [0x6a, 0x7c, false],
  sub: [0x6b, 0x7d, false],
  mul: [0x6c, 0x7e, false],
  div_s: [0x6d, 0x7f, false],
  div_u: [0x6e, 0x80, false],
  rem_s: [0x6f, 0x81, false],
  rem_u: [0x70, 0x82, false],
  and: [0x71, 0x83, false],
  or: [0x72, 0x84, false],
  xor: [0x73, 0x85, false],
  shl: [0x74, 0x86, false],
  shr_s: [0x75, 0x87, false],
  shr_u: [0x76, 0x88, false],
  rotl: [0x77, 0x89, false],
  rotr: [0x78, 0x8a, false],
  eq: [0x46, 0x51, true],
  ne: [0x47, 0x52, true],
  lt_s: [0x48, 0x53, true],
  lt_u: [0x49, 0x54, true],
  gt_s: [0x4a, 0x55, true],
  gt_u: [0x4b, 0x56, true],
  le_s: [0x4c, 0x57, true],
  le_u: [0x4d, 0x58, true],
  ge_s: [0x4e, 0x59, true],
  ge_u: [0x4f, 0x5a, true],
} as const;

/** Loads: [opcode, result type]; stores: [opcode, value type]. */
const loadOps = {
  i32: [0x28, "i32"],
  i64: [0x29, "i64"],
  i8s: [0x2c, "i32"],
  i8u: [0x2d, "i32"],
  i16s: [0x2e, "i32"],
  i16u: [0x2f, "i32"],
} as const;
const storeOps = { i32: [0x36, "i32"], i64: [0x37, "i64"], i8: [0x3a, "i32"], i16: [0x3b, "i32"] } as const;

export type UnaryOp = keyof typeof unaryOps;
export type BinaryOp = keyof typeof binaryOps;
export type LoadOp = keyof typeof loadOps;
export type StoreOp = keyof typeof storeOps;

function expectType(expr: Expr, type: ValueType, where: string): void {
  if (expr.type !== type) throw new TypeError(`${where}: expected ${type}, got ${expr.type}`);
}

export const i32 = (value: number): Expr => ({
  type: "i32",
  code: [0x41, ...signedLeb(BigInt(value | 0))],
  constant: value | 0,
});
export const i64 = (value: bigint): Expr => ({ type: "i64", code: [0x42, ...signedLeb(BigInt.asIntN(64, value))] });

export function unary(op: UnaryOp, a: Expr): Expr {
  const [code, from, to] = unaryOps[op];
  expectType(a, from, op);
  return { type: to, code: [a.code, ...code] };
}

export function binary(op: BinaryOp, a: Expr, b: Expr): Expr {
  expectType(b, a.type, op);
  if (a.type === "v128" || a.type === "f64") throw new TypeError(`${op}: vectors have operators of their own`);
  const [narrow, wide, truth] = binaryOps[op];
  return { type: truth ? "i32" : a.type, code: [a.code, b.code, a.type === "i32" ? narrow : wide] };
}

/** `condition ? a : b`, both evaluated. */
export function select(condition: Expr, a: Expr, b: Expr): Expr {
  expectType(condition, "i32", "select");
  expectType(b, a.type, "select");
  return { type: a.type, code: [a.code, b.code, condition.code, 0x1b] };
}

/** Alignment hints are 0 everywhere: guest addresses are not aligned, and engines ignore the hint. */
export function load(op: LoadOp, address: Expr, offset = 0): Expr {
  expectType(address, "i32", "load");
  const [code, type] = loadOps[op];
  return { type, code: [address.code, code, 0, ...unsignedLeb(offset)] };
}

/** A label to branch to; `level` is the nesting it was opened at. */
export interface Label {
  readonly level: number;
}

export interface Local extends Expr {
  readonly index: number;
}

/** The body of one function, written front to back. */
export class FunctionBody {
  readonly #code: number[] = [];
  readonly #localTypes: ValueType[] = [];
  readonly #parameterCount: number;
  readonly #free: Record<ValueType, Local[]> = { i32: [], i64: [], f64: [], v128: [] };
  #level = 0;

  constructor(parameters: readonly ValueType[]) {
    this.#parameterCount = parameters.length;
  }

  /** A new local (zero at function entry). */
  local(type: ValueType): Local {
    this.#localTypes.push(type);
    return this.parameter(this.#parameterCount + this.#localTypes.length - 1, type);
  }

  parameter(index: number, type: ValueType): Local {
    return { type, index, code: [0x20, ...unsignedLeb(index)] };
  }

  /** A local out of the pool, to be given back with `release` when no expression reads it any more. */
  temporary(type: ValueType): Local {
    return this.#free[type].pop() ?? this.local(type);
  }

  release(local: Local): void {
    this.#free[local.type].push(local);
  }

  set(local: Local, value: Expr): void {
    expectType(value, local.type, "local.set");
    this.#push(value.code, 0x21, ...unsignedLeb(local.index));
  }

  /** Evaluates for what else it does. */
  drop(value: Expr): void {
    this.#push(value.code, 0x1a);
  }

  store(op: StoreOp, address: Expr, value: Expr, offset = 0): void {
    expectType(address, "i32", "store");
    const [code, type] = storeOps[op];
    expectType(value, type, `store ${op}`);
    this.#push(address.code, value.code, code, 0, ...unsignedLeb(offset));
  }

  /** An instruction as bytes: one that leaves nothing on the operand stack. */
  emit(code: Bytes): void {
    this.#push(...code);
  }

  block(write: (label: Label) => void): void {
    this.#nest(0x02, write);
  }

  /** The same for so many blocks one in another that closures would nest too deep: ends with `close`, the inner one first. */
  open(): Label {
    this.#push(0x02, EMPTY_BLOCK);
    this.#level++;
    return { level: this.#level };
  }

  close(): void {
    this.#level--;
    this.#push(0x0b);
  }

  loop(write: (label: Label) => void): void {
    this.#nest(0x03, write);
  }

  if(condition: Expr, then: () => void, otherwise?: () => void): void {
    expectType(condition, "i32", "if");
    this.#push(condition.code, 0x04, EMPTY_BLOCK);
    this.#level++;
    then();
    if (otherwise) {
      this.#push(0x05);
      otherwise();
    }
    this.#level--;
    this.#push(0x0b);
  }

  br(label: Label): void {
    this.#push(0x0c, ...unsignedLeb(this.#level - label.level));
  }

  brIf(label: Label, condition: Expr): void {
    expectType(condition, "i32", "br_if");
    this.#push(condition.code, 0x0d, ...unsignedLeb(this.#level - label.level));
  }

  brTable(index: Expr, labels: readonly Label[], otherwise: Label): void {
    expectType(index, "i32", "br_table");
    this.#push(index.code, 0x0e, ...unsignedLeb(labels.length));
    for (const label of [...labels, otherwise]) this.#push(...unsignedLeb(this.#level - label.level));
  }

  return(value: Expr): void {
    this.#push(value.code, 0x0f);
  }

  unreachable(): void {
    this.#push(0x00);
  }

  /** Bytes of the code section entry: size, locals, code, end. */
  encode(): number[] {
    const runs: [number, ValueType][] = [];
    for (const type of this.#localTypes) {
      const last = runs.at(-1);
      if (last && last[1] === type) last[0]++;
      else runs.push([1, type]);
    }
    const locals = [
      ...unsignedLeb(runs.length),
      ...runs.flatMap(([count, type]) => [...unsignedLeb(count), typeByte[type]]),
    ];
    const size = locals.length + this.#code.length + 1;
    return unsignedLeb(size).concat(locals, this.#code, [0x0b]);
  }

  #nest(opcode: number, write: (label: Label) => void): void {
    this.#push(opcode, EMPTY_BLOCK);
    this.#level++;
    write({ level: this.#level });
    this.#level--;
    this.#push(0x0b);
  }

  #push(...bytes: Bytes): void {
    for (const part of bytes) {
      if (typeof part === "number") this.#code.push(part);
      else this.#push(...part);
    }
  }
}

export interface FunctionType {
  readonly parameters: readonly ValueType[];
  readonly results: readonly ValueType[];
}

/** A call to function `index` of the module (imports come first). */
export function call(index: number, type: FunctionType, args: readonly Expr[]): Expr {
  type.parameters.forEach((parameter, position) => {
    const arg = args[position];
    if (!arg) throw new TypeError(`call: argument ${position} is missing`);
    expectType(arg, parameter, "call");
  });
  const result = type.results[0];
  if (!result) throw new TypeError("call: the engine only calls functions with a result");
  return { type: result, code: [...args.map((arg) => arg.code), 0x10, ...unsignedLeb(index)] };
}

export interface ModuleParts {
  readonly memoryPages: number;
  readonly imports: readonly { readonly name: string; readonly type: FunctionType }[];
  /** A function without a name is not exported. */
  readonly functions: readonly { readonly name?: string; readonly type: FunctionType; readonly body: FunctionBody }[];
}

/** A module that imports `engine.memory` and the given functions of `engine`, and exports its own functions by name. */
export function encodeModule(parts: ModuleParts): Uint8Array {
  const text = (name: string): number[] => [...unsignedLeb(name.length), ...[...name].map((c) => c.charCodeAt(0))];
  const vector = (items: readonly number[][]): number[] => unsignedLeb(items.length).concat(...items);
  const section = (id: number, content: number[]): number[] => [id].concat(unsignedLeb(content.length), content);
  const types = [...parts.imports, ...parts.functions].map(({ type }) => [
    0x60,
    ...vector(type.parameters.map((t) => [typeByte[t]])),
    ...vector(type.results.map((t) => [typeByte[t]])),
  ]);
  const memoryImport = [...text("engine"), ...text("memory"), 0x02, 0x00, ...unsignedLeb(parts.memoryPages)];
  const functionImports = parts.imports.map(({ name }, index) => [
    ...text("engine"),
    ...text(name),
    0x00,
    ...unsignedLeb(index),
  ]);
  const first = parts.imports.length;
  return new Uint8Array(
    [0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00].concat(
      section(1, vector(types)),
      section(2, vector([memoryImport, ...functionImports])),
      section(3, vector(parts.functions.map((_, index) => unsignedLeb(first + index)))),
      section(
        7,
        vector(
          parts.functions.flatMap(({ name }, index) =>
            name === undefined ? [] : [[...text(name), 0x00, ...unsignedLeb(first + index)]],
          ),
        ),
      ),
      section(10, vector(parts.functions.map(({ body }) => body.encode()))),
    ),
  );
}
