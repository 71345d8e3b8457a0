/**
 * What a scrubber shows of one machine: texts and numbers under fixed names, the same for every kind of machine, so that
 * places can be compared with each other and stored by what differs.
 */
import { includes } from "../../hardware/cpu/model.js";
import { ACCESS, codeBitsOf, FLAG, isLong } from "../../hardware/cpu/state.js";
import { flagNames } from "../../hardware/inspect/flags.js";
import { littleEndianLong, readIfMapped } from "../../hardware/inspect/reading.js";
import { stackChange } from "../../hardware/inspect/stack-change.js";
import { Machine } from "../../hardware/machine.js";
import { longNames } from "../../hardware/registers.js";
import { disassembleToy } from "../../hardware/toy/disassembler.js";
import { ToyMachine } from "../../hardware/toy/machine.js";
import type { BytesDifference } from "../../state/diff.js";
import { VirtlabError } from "../../state/error.js";
import { type CodeLine, codeAround } from "../displays/code-window.js";
import { stopText } from "../displays/machine-display.js";
import { address, counted, hex, hexBytes } from "../text.js";

export type Named<T> = readonly [name: string, value: T];

export type ListingLine = Pick<CodeLine, "address" | "bytes" | "text" | "place">;

/** Lines of code, and which of them is executed next; -1 where nothing is mapped. */
export interface Listing {
  readonly lines: readonly ListingLine[];
  readonly here: number;
}

/** A line of a table: its cells, and whether it is new since the place before. */
export interface SnapshotRow {
  readonly isNew: boolean;
  readonly cells: readonly string[];
}

export interface Snapshot {
  readonly steps: number;
  /** First digits of the content hash. */
  readonly hash: string;
  /** "CPL 0 (supervisor)", "halted"; empty ones are not shown. */
  readonly chips: readonly string[];
  readonly registers: readonly (readonly Named<string>[])[];
  /** Single bits, 0 or 1. */
  readonly flags: readonly Named<number>[];
  /** Parts of the flags register that are no single bits, and the whole. */
  readonly flagTexts: readonly Named<string>[];
  readonly code: Listing;
  /** From the top of the stack. */
  readonly stack: readonly SnapshotRow[];
  /** Memory that differs from the place before. */
  readonly written: readonly SnapshotRow[];
  readonly output: string;
  readonly counters: readonly Named<number>[];
  /** The privilege level, where there is one. */
  readonly cpl: number;
}

/** How a kind of machine is taken apart. */
interface Anatomy<M> {
  readonly title: string;
  readonly outputTitle: string;
  /** Of a place where the machine before is another, or undefined at the first. */
  snapshot(machine: M, before: M | undefined, previous: Snapshot | undefined): Snapshot;
}

const GENERAL = ["eax", "ebx", "ecx", "edx", "esi", "edi", "ebp", "esp", "eip"] as const;
const SYSTEM = ["cs", "ss", "ds", "es", "fs", "gs", "cr0", "cr2", "cr3", "cr4"] as const;
/** Where a processor has long mode the wide names are shown throughout: a panel has the same names at each place. */
const hasLong = ({ cpu }: Machine): boolean => includes(cpu.system.model, "LM") || isLong(cpu.system);

function generalTexts(machine: Machine): Snapshot["registers"] {
  const { registers } = machine;
  if (!hasLong(machine)) return [GENERAL.map((name) => [name, hex(registers[name], 8)])];
  const texts = [...longNames, "rip" as const].map((name): Named<string> => [name, hex(registers[name], 16)]);
  return [texts.slice(0, 8), texts.slice(8)];
}

const digitsOf = (machine: Machine, name: string): number =>
  name.length === 2 ? 4 : hasLong(machine) && (name === "cr2" || name === "cr3") ? 16 : 8;

const COUNTERS: readonly Named<Exclude<keyof Machine["counters"], "repeats">>[] = [
  ["instructions", "instructions"],
  ["exceptions", "exceptions"],
  ["interrupts", "interrupts"],
  ["port reads", "portReads"],
  ["port writes", "portWrites"],
];

/** Lines of a listing; a new one begins this far before the instruction at hand. */
const LISTING = 13;
const LEAD = 3;
/** With fewer lines to come the listing moves on. */
const LEAST_AHEAD = 2;
const STACK_ROWS = 6;
const WRITTEN_ROWS = 5;
const BYTES_SHOWN = 8;
const DIGITS = 12;

const x86: Anatomy<Machine> = {
  title: "Timeline",
  outputTitle: "Serial output",
  snapshot(machine, before, previous) {
    const { registers, cpl, stop, counters } = machine;
    const { eflags } = registers;
    const code = codeAround(machine, { before: LEAD, after: LISTING - 1 });
    const stack = stackRows(machine, before);
    return {
      steps: machine.steps,
      hash: machine.hash.slice(0, DIGITS),
      chips: [
        `CPL ${cpl} (${cpl === 3 ? "user" : "supervisor"})`,
        stop === undefined || stop.reason === "limit" ? (machine.halted ? "halted" : "") : stopText(stop),
      ],
      registers: [
        ...generalTexts(machine),
        SYSTEM.map((name) => [name, hex(registers[name], digitsOf(machine, name))]),
      ],
      flags: flagNames.map((name) => [name, (eflags & FLAG[name]) === 0 ? 0 : 1]),
      flagTexts: [
        ["eflags", hex(eflags, 8)],
        ["IOPL", String((eflags & FLAG.IOPL) >> 12)],
      ],
      code: listing(code, previous?.code),
      stack: stack.rows,
      written: before === undefined ? [] : writtenRows(Machine.diff(before, machine).memory, stack.physical),
      output: machine.serial,
      counters: COUNTERS.map(([label, name]) => [label, counters[name]]),
      cpl,
    };
  },
};

const toy: Anatomy<ToyMachine> = {
  title: "Timeline of a toy machine",
  outputTitle: "Output",
  snapshot(machine, before, previous) {
    const { registers, stop } = machine;
    const { pc, ...others } = registers;
    const from = Math.max(pc % 4, pc - LEAD * 4);
    const bytes = machine.memory.read(from, Math.max(0, Math.min(pc + LISTING * 4, machine.memory.size) - from));
    const lines = disassembleToy(bytes, { address: from }).map(
      (line): ListingLine => ({ ...line, place: placeOf(line, pc) }),
    );
    const ended = stop?.reason === "exception" ? `exception: ${stop.detail}` : machine.halted ? "halted" : "";
    return {
      steps: machine.steps,
      hash: machine.hash.slice(0, DIGITS),
      chips: [ended],
      registers: [[...Object.entries({ ...others, pc })].map(([name, value]) => [name, hex(value, 8)])],
      flags: [],
      flagTexts: [],
      code: listing(lines.some(({ place }) => place === "here") ? lines : [], previous?.code),
      stack: [],
      written: before === undefined ? [] : writtenRows(ToyMachine.diff(before, machine).memory, undefined),
      output: machine.output,
      counters: [["instructions", machine.steps]],
      cpl: 0,
    };
  },
};

const placeOf = ({ address: at }: { readonly address: number }, pc: number): ListingLine["place"] =>
  at === pc ? "here" : at < pc ? "before" : "after";

/** Whether a scrubber can show the machine. */
export const isKnown = (machine: unknown): boolean => machine instanceof Machine || machine instanceof ToyMachine;

/** How this machine is taken apart. Throws a VirtlabError for one that no scrubber knows. */
export function anatomyOf<M>(machine: M): Anatomy<M> {
  if (machine instanceof Machine) return x86 as unknown as Anatomy<M>;
  if (machine instanceof ToyMachine) return toy as unknown as Anatomy<M>;
  throw new VirtlabError("scrubber: the timeline is of a machine that it cannot show");
}

/**
 * The listing of the place before while the instruction at hand is inside of it and what is to come is still the same
 * code: then the arrow moves and the lines stand still. Else a new one.
 */
function listing(code: readonly ListingLine[], previous: Listing | undefined): Listing {
  const here = code.findIndex(({ place }) => place === "here");
  if (here < 0) return { lines: [], here: -1 };
  if (previous !== undefined) {
    const index = previous.lines.findIndex(({ address: at }) => at === code[here]!.address);
    const rest = previous.lines.slice(index);
    const fits = index >= 1 && rest.length > LEAST_AHEAD && rest.every((line, at) => isSame(line, code[here + at]));
    if (fits) return { lines: previous.lines, here: index };
  }
  return { lines: code.slice(0, LISTING), here };
}

const isSame = (one: ListingLine, other: ListingLine | undefined): boolean =>
  other !== undefined && one.address === other.address && one.text === other.text && sameBytes(one.bytes, other.bytes);

const sameBytes = (one: Uint8Array, other: Uint8Array): boolean =>
  one.length === other.length && one.every((byte, index) => byte === other[index]);

interface StackRows {
  readonly rows: readonly SnapshotRow[];
  /** Physical addresses that are shown: from the first, up to the second. */
  readonly physical: readonly [number, number] | undefined;
}

/** The top of the stack, in elements of its width. After a delivery the elements have names. */
function stackRows(machine: Machine, before: Machine | undefined): StackRows {
  const { size, linear } = stackOf(machine);
  const pointer = size === 8 ? "rsp" : "esp";
  const pushed = before !== undefined && machine.steps === before.steps + 1 ? stackChange(before, machine) : undefined;
  const rows: SnapshotRow[] = [];
  for (let offset = 0; offset < STACK_ROWS * size; offset += size) {
    const bytes = readIfMapped(machine, linear(offset), size);
    if (bytes === undefined) break;
    const old = before === undefined ? bytes : readIfMapped(before, linear(offset), size);
    const entry = pushed?.entries.find((one) => one.offset === offset);
    rows.push({
      isNew: entry !== undefined || old === undefined || !sameBytes(bytes, old),
      cells: [
        offset === 0 ? `[${pointer}]` : `[${pointer}+${offset}]`,
        hex(littleEndianLong(bytes, 0, size), size * 2),
        entry?.holds ?? "",
      ],
    });
  }
  const { physical } = machine.walk(linear(0));
  return { rows, physical: physical === undefined ? undefined : [physical, physical + rows.length * size] };
}

/** Bytes of an element, and the linear address of those above the top. */
function stackOf(machine: Machine): { readonly size: number; readonly linear: (offset: number) => number } {
  const { system } = machine.cpu;
  const { ss } = system.segments;
  const { esp, rsp } = machine.registers;
  if (codeBitsOf(system) === 64) return { size: 8, linear: (offset) => Number(BigInt.asIntN(64, rsp)) + offset };
  const big = (ss.access & ACCESS.BIG) !== 0;
  const top = big ? esp : esp & 0xffff;
  return { size: big ? 4 : 2, linear: (offset) => (ss.base + top + offset) >>> 0 };
}

/** Runs of memory before and after, but for what is shown as stack. */
function writtenRows(
  memory: readonly BytesDifference[],
  shown: readonly [number, number] | undefined,
): readonly SnapshotRow[] {
  const others = memory.filter(
    ({ address: at, after }) => shown === undefined || at < shown[0] || at + after.length > shown[1],
  );
  const fits = others.length <= WRITTEN_ROWS;
  const rows = others.slice(0, fits ? WRITTEN_ROWS : WRITTEN_ROWS - 1).map(({ address: at, before, after }) => ({
    isNew: false,
    cells: [address(at), bytesText(before), bytesText(after)],
  }));
  const left = others.length - rows.length;
  const bytes = others.slice(rows.length).reduce((sum, { after }) => sum + after.length, 0);
  return fits
    ? rows
    : [...rows, { isNew: false, cells: [`and ${counted(left, "more run")}`, "", counted(bytes, "byte")] }];
}

const bytesText = (bytes: Uint8Array): string =>
  hexBytes(bytes.subarray(0, BYTES_SHOWN)) + (bytes.length > BYTES_SHOWN ? " …" : "");
