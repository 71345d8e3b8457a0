/**
 * Statements to bytes, in passes until no address changes any more.
 *
 * An instruction sees the addresses of the pass before, all of them: mixed with those of the present pass, a jump would
 * look longer than it is while code before it grows, and grown code does not shrink. What fills up to an address (`times`,
 * `align`) sees those of the present pass, so that it is right at once.
 */
import { encodeInstruction, type Grown } from "./encoder.js";
import {
  addressValue,
  type Expression,
  evaluate,
  evaluateNumber,
  type Surroundings,
  type Value,
} from "./expression.js";
import { fits, littleEndian, rangeProblem } from "./memory.js";
import { fail, numberText, type Place } from "./place.js";
import type { Body, DataItem, Statement } from "./statement.js";

export interface Layout {
  readonly start: number;
  readonly bytes: Uint8Array;
  readonly symbols: Record<string, number>;
  /** By statement: where it is in the bytes. */
  readonly places: readonly { readonly at: number; readonly length: number }[];
}

const MAX_PASSES = 500;
const MAX_BYTES = 1 << 24;

/** What the passes have in common. */
interface Job {
  readonly statements: readonly Statement[];
  /** Index of the statement that defines a name. */
  readonly defined: ReadonlyMap<string, number>;
  /** By statement and repetition. */
  readonly grown: readonly Grown[][];
  readonly org: Expression | undefined;
  readonly address: bigint;
}

/** Offsets of statements from the first byte, and of the end. */
type Offsets = readonly number[];

export function layOut(statements: readonly Statement[], address: number): Layout {
  const orgs = statements.filter(({ body }) => body.kind === "org");
  if (orgs[1]) fail(orgs[1].place, "there can be one org: the bytes have one address");
  const body = orgs[0]?.body;
  const job: Job = {
    statements,
    defined: definitionsOf(statements),
    grown: statements.map(() => []),
    org: body?.kind === "org" ? body.expression : undefined,
    address: BigInt(address),
  };
  let before = pass(job, undefined, false);
  for (let passes = 1; passes < MAX_PASSES; passes++) {
    const now = pass(job, before, false);
    if (same(before, now)) return finish(job, now);
    before = now;
  }
  return fail(
    statements[0]!.place,
    `the addresses do not settle in ${MAX_PASSES} passes: some length depends on itself`,
  );
}

function same(a: Pass, b: Pass): boolean {
  return a.start === b.start && a.offsets.every((offset, index) => offset === b.offsets[index]);
}

function definitionsOf(statements: readonly Statement[]): ReadonlyMap<string, number> {
  const defined = new Map<string, number>();
  statements.forEach(({ label }, index) => {
    if (!label) return;
    const other = defined.get(label.name);
    if (other !== undefined)
      fail(label.place, `${label.name} is already defined in line ${statements[other]!.place.line}`);
    defined.set(label.name, index);
  });
  return defined;
}

interface Pass {
  readonly start: bigint;
  readonly offsets: Offsets;
  readonly chunks: readonly Uint8Array[];
}

function finish(job: Job, settled: Pass): Layout {
  const { start, offsets, chunks } = pass(job, settled, true);
  const bytes = new Uint8Array(offsets.at(-1) ?? 0);
  chunks.forEach((chunk, index) => {
    bytes.set(chunk, offsets[index]);
  });
  const long = job.statements.some(({ body }) => body.kind === "instruction" && body.instruction.bits === 64);
  if (BigInt.asIntN(48, start) !== start || (!long && (start < 0n || start > 0xffffffffn)))
    fail(job.statements[0]!.place, `the address ${numberText(start)} is not a ${long ? "canonical" : "32-bit"} one`);
  const around = surroundings(job, { start, final: true, offsetOf: (index) => offsets[index] });
  const symbols = [...job.defined.keys()].map((name): [string, number] => {
    const { place } = job.statements[job.defined.get(name)!]!;
    return [name, Number(around(undefined, 0).symbol(name, place, 0)?.number ?? 0n)];
  });
  return {
    start: Number(start),
    bytes,
    symbols: Object.fromEntries(symbols),
    places: chunks.map((chunk, index) => ({ at: offsets[index]!, length: chunk.length })),
  };
}

function pass(job: Job, before: Pass | undefined, final: boolean): Pass {
  const offsets: number[] = [];
  const chunks: Uint8Array[] = [];
  const start = before === undefined ? job.address : startOf(job, before, final);
  const previous = surroundings(job, { start, final, offsetOf: (index) => before?.offsets[index] });
  // Statements that are placed already are where this pass has them.
  const present = surroundings(job, { start, final, offsetOf: (index) => offsets[index] ?? before?.offsets[index] });
  let at = 0;
  job.statements.forEach((statement, index) => {
    offsets.push(at);
    const old = before?.offsets[index];
    const chunk = bytesOf(statement, {
      present: present(at, 0),
      previous: (more) => previous(old, more),
      grown: job.grown[index]!,
      at,
    });
    at += chunk.length;
    if (at > MAX_BYTES) fail(statement.place, `more than ${MAX_BYTES} bytes`);
    chunks.push(chunk);
  });
  offsets.push(at);
  return { start, offsets, chunks };
}

function startOf(job: Job, before: Pass, final: boolean): bigint {
  if (!job.org) return job.address;
  const around = surroundings(job, { start: before.start, final, offsetOf: (index) => before.offsets[index] });
  return evaluateNumber(job.org, around(undefined, 0)) ?? job.address;
}

interface View {
  readonly start: bigint;
  readonly final: boolean;
  readonly offsetOf: (statement: number) => number | undefined;
}

/** Surroundings of what is `more` bytes into the statement at an offset. */
type At = (offset: number | undefined, more: number) => Surroundings;

/** Names with `equ` are evaluated once. */
function surroundings(job: Job, { start, final, offsetOf }: View): At {
  const known = new Map<string, Value>();
  const open = new Set<string>();
  const addressOf = (offset: number | undefined): bigint | undefined =>
    offset === undefined ? undefined : start + BigInt(offset);
  const at: At = (offset, more) => {
    const here = addressOf(offset);
    return { here, position: here === undefined ? undefined : here + BigInt(more), start, final, symbol };
  };
  function symbol(name: string, place: Place, depth: number): Value | undefined {
    const index = job.defined.get(name);
    if (index === undefined) return fail(place, `the symbol ${name} is not defined`);
    const offset = offsetOf(index);
    const address = addressOf(offset);
    const { body } = job.statements[index]!;
    if (body.kind !== "equ") return address === undefined ? undefined : addressValue(address);
    const value = known.get(name);
    if (value) return value;
    if (open.has(name)) return fail(place, `the symbol ${name} is defined by itself`);
    open.add(name);
    const found = evaluate(body.expression, at(offset, 0), depth);
    open.delete(name);
    if (found.known) known.set(name, found);
    return found;
  }
  return at;
}

interface Site {
  readonly present: Surroundings;
  readonly previous: (more: number) => Surroundings;
  readonly grown: Grown[];
  /** Offset from the first byte. */
  readonly at: number;
}

/** All repetitions of a statement. */
function bytesOf(statement: Statement, site: Site): Uint8Array {
  if (!statement.times) return once(statement, site, 0, 0);
  const around = site.present;
  const count = countOf(statement.times, around, "times");
  const first = count === 0 ? new Uint8Array() : once(statement, site, 0, 0);
  if (first.length * count > MAX_BYTES) return fail(statement.place, `more than ${MAX_BYTES} bytes`);
  if (first.length === 0) return first;
  if (repeats(statement)) {
    const all = new Uint8Array(first.length * count);
    for (let index = 0; index < count; index++) all.set(first, index * first.length);
    return all;
  }
  const all = [first];
  let length = first.length;
  for (let index = 1; index < count; index++) {
    const next = once(statement, site, length, index);
    all.push(next);
    length += next.length;
    if (length > MAX_BYTES) return fail(statement.place, `more than ${MAX_BYTES} bytes`);
  }
  return joined(all, length);
}

function joined(chunks: readonly Uint8Array[], length: number): Uint8Array {
  const all = new Uint8Array(length);
  let at = 0;
  for (const chunk of chunks) {
    all.set(chunk, at);
    at += chunk.length;
  }
  return all;
}

/** Whether each repetition has the same bytes: only distances differ. */
function repeats({ body }: Statement): boolean {
  if (body.kind !== "instruction") return true;
  return !body.instruction.forms.some(({ row }) => row.operands.some(({ method }) => method === "J"));
}

/** A number of times or bytes; 0 while it is not known or makes no sense yet. */
function countOf(expression: Expression, around: Surroundings, what: string): number {
  const value = evaluateNumber(expression, around) ?? 0n;
  if (value >= 0n && value <= BigInt(MAX_BYTES)) return Number(value);
  return around.final
    ? fail(expression.place, `${what}: ${numberText(value)} is not a number from 0 to ${MAX_BYTES}`)
    : 0;
}

/** @param more offset in the statement; @param index repetition. */
function once({ body, place }: Statement, site: Site, more: number, index: number): Uint8Array {
  switch (body.kind) {
    case "instruction": {
      site.grown[index] ??= { length: 0, displacement: 0 };
      return Uint8Array.from(encodeInstruction(body.instruction, site.previous(more), site.grown[index]));
    }
    case "data":
      return dataBytes(body.items, body.unit, site.present);
    case "reserve":
      return reserved(countOf(body.count, site.present, "the count") * body.unit, place);
    case "align":
      return padding(body, place, site.present, site.at);
    default:
      return new Uint8Array();
  }
}

function reserved(length: number, place: Place): Uint8Array {
  return length > MAX_BYTES ? fail(place, `more than ${MAX_BYTES} bytes`) : new Uint8Array(length);
}

function dataBytes(items: readonly DataItem[], unit: number, around: Surroundings): Uint8Array {
  const chunks = items.map((item) => {
    if ("expression" in item) return Uint8Array.from(numberBytes(item.expression, unit, around));
    const padded = new Uint8Array(Math.ceil(item.bytes.length / unit) * unit);
    padded.set(item.bytes);
    return padded;
  });
  return joined(
    chunks,
    chunks.reduce((sum, chunk) => sum + chunk.length, 0),
  );
}

function numberBytes(expression: Expression, unit: number, around: Surroundings): readonly number[] {
  const value = evaluateNumber(expression, around) ?? 0n;
  if (around.final && !fits(value, 8 * unit)) fail(expression.place, rangeProblem(value, 8 * unit));
  return littleEndian(value, unit);
}

function padding(
  { boundary, fill }: Body & { kind: "align" },
  place: Place,
  around: Surroundings,
  at: number,
): Uint8Array {
  const step = countOf(boundary, around, "align");
  if (around.final && (step === 0 || (step & (step - 1)) !== 0)) fail(place, "align: the boundary is a power of two");
  if (step === 0) return new Uint8Array();
  const length = (step - (at % step)) % step;
  const byte = typeof fill === "number" ? fill : numberBytes(fill, 1, around)[0]!;
  return new Uint8Array(length).fill(byte);
}
