/**
 * Expressions: text to tree, tree to value.
 *
 * A value is 64 bits, as in NASM, plus what is not known before the layout is: how many addresses are in it, and which
 * registers. `a - b` of two labels is a plain number, `a` is not: NASM gives a plain number the shortest encoding and an
 * address its full width, and so do we.
 * Spec: NASM manual, "Expressions".
 */
import type { CodeBits } from "../instruction.js";
import { registerNames, rexByteNames, segmentNames } from "../names.js";
import { accept, type Cursor, expect, peek, placeOf, unexpected } from "./cursor.js";
import { fail, type Place } from "./place.js";

export interface AddressRegister {
  readonly size: CodeBits;
  readonly number: number;
}

export type Expression = { readonly place: Place } & (
  | { readonly kind: "number"; readonly value: bigint }
  | { readonly kind: "symbol"; readonly name: string }
  /** `$`: the address of the statement. */
  | { readonly kind: "here" }
  /** `$$`: the address of the first byte. */
  | { readonly kind: "start" }
  | { readonly kind: "register"; readonly register: AddressRegister }
  | { readonly kind: "unary"; readonly operator: string; readonly operand: Expression }
  | { readonly kind: "binary"; readonly operator: string; readonly left: Expression; readonly right: Expression }
);

export interface Term {
  readonly register: AddressRegister;
  readonly factor: bigint;
  /** A factor is written, even if it is one: this register is to be the index. */
  readonly multiplied: boolean;
}

export interface Value {
  readonly number: bigint;
  /** False while a symbol in it has no address yet. */
  readonly known: boolean;
  /** Addresses added less addresses subtracted; 0 is a plain number. */
  readonly addresses: number;
  readonly registers: readonly Term[];
}

/** What an expression can ask for. */
export interface Surroundings {
  /** Address of the statement, as far as it is known. `times` does not change it. */
  readonly here: bigint | undefined;
  /** Address of this repetition of the statement. */
  readonly position: bigint | undefined;
  readonly start: bigint;
  /** The last pass: what is wrong now will stay wrong. */
  readonly final: boolean;
  /** Value of a symbol; undefined while it has none. */
  symbol(name: string, place: Place, depth: number): Value | undefined;
}

/** By precedence, lowest first. */
const LEVELS: readonly (readonly string[])[] = [
  ["||"],
  ["^^"],
  ["&&"],
  ["=", "==", "!=", "<>", "<", "<=", ">", ">=", "<=>"],
  ["|"],
  ["^"],
  ["&"],
  ["<<", "<<<", ">>", ">>>"],
  ["+", "-"],
  ["*", "/", "//", "%", "%%"],
];
const precedence = new Map(
  LEVELS.flatMap((operators, level) => operators.map((operator) => [operator, level] as const)),
);
const UNARY: ReadonlySet<string> = new Set(["-", "+", "~", "!"]);
/** Operators and parentheses of one expression, and depth of symbols defined by symbols: what recursion can bear. */
const MAX_DEPTH = 500;

const addressRegisters = new Map<string, AddressRegister>(
  ([16, 32, 64] as const).flatMap((size) =>
    registerNames[size].map((name, number) => [name, { size, number }] as const),
  ),
);

const otherRegisters: ReadonlySet<string> = new Set([...registerNames[8], ...rexByteNames, ...segmentNames]);

/** Reads the longest expression. Registers are part of it inside of brackets only. */
export function parseExpression(cursor: Cursor, withRegisters = false): Expression {
  let budget = MAX_DEPTH;
  const spend = (): void => {
    if (--budget < 0) fail(placeOf(cursor), `this expression has more than ${MAX_DEPTH} parts`);
  };

  const binary = (level: number): Expression => {
    spend();
    let left = unary();
    for (;;) {
      const token = peek(cursor);
      const found = token?.kind === "operator" ? precedence.get(token.text) : undefined;
      if (token === undefined || found === undefined || found < level) return left;
      cursor.at++;
      left = { kind: "binary", operator: token.text, left, right: binary(found + 1), place: token.place };
    }
  };
  const unary = (): Expression => {
    spend();
    const token = peek(cursor);
    if (token?.kind === "operator" && UNARY.has(token.text)) {
      cursor.at++;
      return { kind: "unary", operator: token.text, operand: unary(), place: token.place };
    }
    if (!accept(cursor, "(")) return leaf(cursor, withRegisters);
    const inner = binary(0);
    expect(cursor, ")");
    return inner;
  };
  return binary(0);
}

function leaf(cursor: Cursor, withRegisters: boolean): Expression {
  const token = peek(cursor);
  if (token === undefined) return unexpected(cursor, "a value");
  const { place, text } = token;
  cursor.at++;
  if (token.kind === "number") return { kind: "number", value: token.value, place };
  if (token.kind === "string") return { kind: "number", value: characterConstant(token.bytes, place), place };
  if (text === "$") return { kind: "here", place };
  if (text === "$$") return { kind: "start", place };
  if (token.kind === "word") {
    const register = addressRegisters.get(text.toLowerCase());
    if (otherRegisters.has(text.toLowerCase()))
      return fail(place, `the register ${text} cannot be part of an expression`);
    if (register === undefined)
      return { kind: "symbol", name: text.startsWith(".") ? cursor.scope + text : text, place };
    if (withRegisters) return { kind: "register", register, place };
    return fail(place, `the register ${text} cannot be part of an expression here`);
  }
  cursor.at--;
  return unexpected(cursor, "a value");
}

/** Characters as a number: the first is the lowest byte. */
function characterConstant(bytes: Uint8Array, place: Place): bigint {
  if (bytes.length > 8) return fail(place, "more than 8 characters are no number");
  return bytes.reduceRight((value, byte) => (value << 8n) | BigInt(byte), 0n);
}

export const plain = (number: bigint): Value => ({ number, known: true, addresses: 0, registers: [] });
export const addressValue = (number: bigint): Value => ({ number, known: true, addresses: 1, registers: [] });
const UNKNOWN: Value = { number: 0n, known: false, addresses: 0, registers: [] };

export function evaluate(expression: Expression, around: Surroundings, depth = 0): Value {
  if (depth > 2 * MAX_DEPTH) return fail(expression.place, "symbols are defined by symbols too deeply");
  switch (expression.kind) {
    case "number":
      return plain(BigInt.asIntN(64, expression.value));
    case "symbol":
      return around.symbol(expression.name, expression.place, depth + 1) ?? UNKNOWN;
    case "here":
      return around.here === undefined ? UNKNOWN : addressValue(around.here);
    case "start":
      return addressValue(around.start);
    case "register":
      return { ...plain(0n), registers: [{ register: expression.register, factor: 1n, multiplied: false }] };
    case "unary":
      return unaryValue(expression, evaluate(expression.operand, around, depth + 1));
    case "binary":
      return binaryValue(
        expression,
        evaluate(expression.left, around, depth + 1),
        evaluate(expression.right, around, depth + 1),
        around.final,
      );
  }
}

/** The value of an expression without registers, as a plain number; undefined while it is not known. */
export function evaluateNumber(expression: Expression, around: Surroundings): bigint | undefined {
  const value = evaluate(expression, around);
  return value.known ? value.number : undefined;
}

export function hasRegister(expression: Expression): boolean {
  switch (expression.kind) {
    case "register":
      return true;
    case "unary":
      return hasRegister(expression.operand);
    case "binary":
      return hasRegister(expression.left) || hasRegister(expression.right);
    default:
      return false;
  }
}

function scaled(value: Value, factor: bigint): Value {
  return {
    number: BigInt.asIntN(64, value.number * factor),
    known: value.known,
    addresses: value.addresses * Number(factor),
    registers: value.registers.map((term) => ({
      register: term.register,
      factor: BigInt.asIntN(64, term.factor * factor),
      multiplied: true,
    })),
  };
}

function unaryValue({ operator, place }: Expression & { kind: "unary" }, value: Value): Value {
  if (operator === "+") return value;
  if (operator === "-") return scaled(value, -1n);
  requireNoRegister(value, operator, place);
  const number = operator === "~" ? ~value.number : truth(value.number === 0n);
  return { ...value, number, addresses: value.addresses === 0 ? 0 : 1 };
}

function binaryValue(expression: Expression & { kind: "binary" }, left: Value, right: Value, final: boolean): Value {
  const { operator, place } = expression;
  const known = left.known && right.known;
  if (operator === "+" || operator === "-") {
    const other = operator === "-" ? scaled(right, -1n) : right;
    return {
      number: BigInt.asIntN(64, left.number + other.number),
      known,
      addresses: left.addresses + other.addresses,
      registers: [...left.registers, ...other.registers],
    };
  }
  if (operator === "*" && left.registers.length + right.registers.length > 0) {
    // While a factor is not known, any will do.
    if (right.registers.length === 0) return { ...scaled(left, right.known ? right.number : 1n), known };
    if (left.registers.length === 0) return { ...scaled(right, left.known ? left.number : 1n), known };
  }
  requireNoRegister(left, operator, place);
  requireNoRegister(right, operator, place);
  if (!known) return UNKNOWN;
  if (right.number === 0n && "//%%".includes(operator)) {
    return final ? fail(place, "division by zero") : UNKNOWN;
  }
  return {
    number: BigInt.asIntN(64, operations[operator]!(left.number, right.number)),
    known: true,
    addresses: left.addresses === 0 && right.addresses === 0 ? 0 : 1,
    registers: [],
  };
}

function requireNoRegister({ registers }: Value, operator: string, place: Place): void {
  if (registers.length > 0)
    fail(place, `a register can be added, subtracted and multiplied, but not be in "${operator}"`);
}

const truth = (holds: boolean): bigint => (holds ? 1n : 0n);
const unsigned = (value: bigint): bigint => BigInt.asUintN(64, value);
/** Counts beyond the width shift everything out; BigInt would take them literally. */
const count = (value: bigint): bigint => (unsigned(value) > 64n ? 64n : value);

const operations: Readonly<Record<string, (a: bigint, b: bigint) => bigint>> = {
  "*": (a, b) => a * b,
  "/": (a, b) => unsigned(a) / unsigned(b),
  "%": (a, b) => unsigned(a) % unsigned(b),
  "//": (a, b) => a / b,
  "%%": (a, b) => a % b,
  "<<": (a, b) => a << count(b),
  "<<<": (a, b) => a << count(b),
  ">>": (a, b) => unsigned(a) >> count(b),
  ">>>": (a, b) => a >> count(b),
  "&": (a, b) => a & b,
  "^": (a, b) => a ^ b,
  "|": (a, b) => a | b,
  "=": (a, b) => truth(a === b),
  "==": (a, b) => truth(a === b),
  "!=": (a, b) => truth(a !== b),
  "<>": (a, b) => truth(a !== b),
  "<": (a, b) => truth(a < b),
  "<=": (a, b) => truth(a <= b),
  ">": (a, b) => truth(a > b),
  ">=": (a, b) => truth(a >= b),
  "<=>": (a, b) => (a < b ? -1n : truth(a > b)),
  "&&": (a, b) => truth(a !== 0n && b !== 0n),
  "||": (a, b) => truth(a !== 0n || b !== 0n),
  "^^": (a, b) => truth((a !== 0n) !== (b !== 0n)),
};
