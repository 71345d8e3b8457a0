/**
 * What differs between two machines, for readers: registers, other fields, what was pushed on the stack, and the rest of
 * memory, each before and after.
 */
import { FLAG } from "../../hardware/cpu/state.js";
import type { StackChange, StackEntry } from "../../hardware/inspect/stack-change.js";
import type { MachineDifference } from "../../hardware/machine.js";
import { longNames } from "../../hardware/registers.js";
import type { BytesDifference, StateDifference } from "../../state/diff.js";
import { Display } from "../display.js";
import { frame } from "../style.js";
import { address, counted, escapeHtml, grouped, hex, hexBytes, quoted, visible } from "../text.js";

/** More than these are counted and not shown. */
const FIELDS_SHOWN = 40;
const RUNS_SHOWN = 16;
const BYTES_SHOWN = 16;

type Value = StateDifference["before"];

/** Registers as the manual calls them; a segment register is its selector, and its hidden part stands beside it. */
const registerOf = (path: string): string | undefined =>
  /^cpu\.(e[a-z]{2}|eflags)$/.exec(path)?.[1] ??
  wideName(/^cpu\.wide\[(\d+)\]$/.exec(path)?.[1]) ??
  /^cpu\.system\.(efer)$/.exec(path)?.[1] ??
  /^cpu\.system\.(cr\d)$/.exec(path)?.[1] ??
  /^cpu\.system\.segments\.([c-gs]s)\.selector$/.exec(path)?.[1] ??
  /^cpu\.system\.segments\.([c-gs]s\.(?:base|limit|access))$/.exec(path)?.[1] ??
  /^cpu\.system\.(ldtr|tr)\.selector$/.exec(path)?.[1];

/** The 64-bit registers are kept in halves, and compared so. */
function wideName(index: string | undefined): string | undefined {
  if (index === undefined) return undefined;
  const at = Number(index);
  if (at < 8) return `${longNames[at]} (63:32)`;
  return `${longNames[8 + ((at - 8) >> 1)]} (${at % 2 === 0 ? "31:0" : "63:32"})`;
}

/** What a register of 32 bits is called in long mode: the low half of a wider one, but EIP and EFLAGS have all there is. */
function longName(register: string): string {
  if (register === "eip" || register === "eflags") return `r${register.slice(1)}`;
  return /^e[a-z]{2}$/.test(register) ? `r${register.slice(1)} (31:0)` : register;
}

const ONE_BIT_FLAGS = Object.entries(FLAG).filter(([name]) => name !== "RESERVED" && name !== "IOPL");

/** "IF 1 → 0". */
function flagsText(before: number, after: number): string {
  const bits = ONE_BIT_FLAGS.filter(([, mask]) => ((before ^ after) & mask) !== 0).map(
    ([name, mask]) => `${name} ${before & mask ? 1 : 0} → ${after & mask ? 1 : 0}`,
  );
  const levels = [before, after].map((value) => (value & FLAG.IOPL) >> 12);
  if (levels[0] !== levels[1]) bits.push(`IOPL ${levels[0]} → ${levels[1]}`);
  return bits.join(", ");
}

/** What a change of a register means, where its number alone does not say it. */
function noteOf(register: string, before: Value, after: Value): string {
  if (typeof before !== "number" || typeof after !== "number") return "";
  if (register === "eflags" || register === "rflags") return flagsText(before, after);
  return register === "cs" && ((before ^ after) & 3) !== 0 ? `RPL ${before & 3} → ${after & 3}` : "";
}

/** Registers of the processor and the devices are shown as bits, what counts or configures as numbers. */
function valueText(path: string, value: Value, long: boolean): string {
  if (value === undefined) return "(absent)";
  if (typeof value === "number") {
    if (path.startsWith("cpu.")) return `0x${hex(value, digitsOf(path, value, long))}`;
    return /\.[A-Z][A-Z0-9]*$/.test(path) ? `0x${hex(value, 2)}` : grouped(value);
  }
  if (typeof value === "string") return quoted(value, 60);
  if (value instanceof Uint8Array) return bytesText(value);
  if (typeof value === "object" && value !== null) {
    const json = visible(JSON.stringify(value, (_key, item: unknown) => (typeof item === "bigint" ? `${item}` : item)));
    return json.length > 60 ? `${json.slice(0, 60)} …` : json;
  }
  return String(value);
}

/** Selectors are short; addresses are long where they are not of 32 bits. Else the numbers are signed words. */
function digitsOf(path: string, value: number, long: boolean): number {
  if (/selector$|access$/.test(path)) return 4;
  const isAddress = /\.(eip|cr2|base)$/.test(path);
  return value >= 2 ** 32 || (isAddress && long && value < 0) ? 16 : 8;
}

function bytesText(bytes: Uint8Array): string {
  return hexBytes(bytes.subarray(0, BYTES_SHOWN)) + (bytes.length > BYTES_SHOWN ? " …" : "");
}

/** Only what was appended is shown of text that grew, such as the output of the serial port. */
const fieldTexts = ({ path, before, after, appended }: StateDifference, long: boolean): readonly [string, string] =>
  appended === undefined
    ? [valueText(path, before, long), valueText(path, after, long)]
    : ["", `+ ${quoted(appended, 60)}`];

interface Shown {
  /** Addresses are those of long mode, where the upper half is negative. */
  readonly long: boolean;
  readonly registers: readonly (StateDifference & { readonly register: string })[];
  readonly fields: readonly StateDifference[];
  readonly stack: StackChange | undefined;
  readonly runs: readonly BytesDifference[];
  readonly leftFields: string | undefined;
  readonly leftRuns: string | undefined;
  readonly summary: string;
}

/** A run that is shown with the stack is not shown again. */
const isOutside = ({ entries, bytes }: StackChange, { address: at, after }: BytesDifference): boolean =>
  at < entries[0]!.address || at + after.length > entries.at(-1)!.address + bytes;

function select({ state, memory }: MachineDifference, stack: StackChange | undefined, long: boolean): Shown {
  const bytes = memory.reduce((sum, run) => sum + run.after.length, 0);
  const others = stack === undefined ? memory : memory.filter((run) => isOutside(stack, run));
  const runs = others.slice(0, RUNS_SHOWN);
  const otherBytes = others.reduce((sum, run) => sum + run.after.length, 0);
  const shownBytes = runs.reduce((sum, run) => sum + Math.min(run.after.length, BYTES_SHOWN), 0);
  const left = [
    others.length > runs.length ? counted(others.length - runs.length, "more run") : "",
    otherBytes > shownBytes ? `${counted(otherBytes - shownBytes, "byte")} not shown` : "",
  ];
  const registers = state.flatMap((field) => {
    const register = registerOf(field.path);
    return register === undefined ? [] : [{ ...field, register: long ? longName(register) : register }];
  });
  const fields = state.filter(({ path }) => registerOf(path) === undefined);
  return {
    long,
    registers,
    fields: fields.slice(0, FIELDS_SHOWN),
    stack,
    runs,
    leftFields: fields.length > FIELDS_SHOWN ? counted(fields.length - FIELDS_SHOWN, "more field") : undefined,
    leftRuns: left.filter(Boolean).join(", ") || undefined,
    summary: `${state.length === 0 ? "registers and devices are equal" : counted(state.length, "field")}, ${memory.length === 0 ? "memory is equal" : `${counted(bytes, "byte")} of memory in ${counted(memory.length, "run")}`}`,
  };
}

/** A difference as HTML and as text; with what was pushed, where that is known, and whether it is one in long mode. */
export function differenceDisplay(difference: MachineDifference, stack?: StackChange, long = false): Display {
  if (difference.state.length === 0 && difference.memory.length === 0) {
    return new Display(
      frame('<div class="head"><b>No difference</b> <span class="dim">the two machines are equal</span></div>'),
      "no difference: the two machines are equal",
    );
  }
  const shown = select(difference, stack, long);
  return new Display(html(shown), text(shown));
}

const stackTitle = ({ switched }: StackChange): string => (switched ? "new stack" : "pushed on the stack");
const placeText = ({ bytes }: StackChange, { offset }: StackEntry): string => {
  const pointer = bytes === 8 ? "rsp" : "esp";
  return offset === 0 ? `[${pointer}]` : `[${pointer}+${offset}]`;
};
/** A word of the stack. */
const word = (value: number | bigint): string => `0x${hex(value, typeof value === "bigint" ? 16 : 8)}`;

function html({ long, registers, fields, stack, runs, leftFields, leftRuns, summary }: Shown): string {
  const table = (first: string, rows: readonly string[], left?: string): string =>
    `<table class="mono"><thead><tr><th>${first}</th><th>before</th><th>after</th><th></th></tr></thead><tbody>${rows.join("")}</tbody></table>${left === undefined ? "" : `<div class="dim">… and ${left}</div>`}`;
  const row = (name: string, before: string, after: string, note = ""): string =>
    `<tr><th scope="row">${escapeHtml(name)}</th><td class="was wrap">${before}</td><td class="wrap">${after}</td><td class="dim">${escapeHtml(note)}</td></tr>`;
  const parts = [`<div class="head"><b>Difference</b> <span class="dim">${summary}</span></div>`];
  const beside: string[] = [];
  if (registers.length > 0) {
    const rows = registers.map(({ register, path, before, after }) =>
      row(register, valueText(path, before, long), valueText(path, after, long), noteOf(register, before, after)),
    );
    beside.push(`<div>${table("register", rows)}</div>`);
  }
  if (stack !== undefined) {
    const rows = stack.entries.map((entry) => row(placeText(stack, entry), ...stackHtml(entry), entry.holds ?? ""));
    beside.push(`<div>${table(stackTitle(stack), rows)}</div>`);
  }
  if (beside.length > 0) parts.push(`<div class="cols">${beside.join("")}</div>`);
  if (fields.length > 0) {
    const rows = fields.map((field) =>
      row(field.path, ...(fieldTexts(field, long).map(escapeHtml) as [string, string])),
    );
    parts.push(`<div class="${beside.length === 0 ? "first " : ""}row">${table("field", rows, leftFields)}</div>`);
  }
  if (runs.length > 0) {
    const rows = runs.map((run) => row(address(run.address), bytesText(run.before), bytesHtml(run)));
    parts.push(`<div class="row">${table("memory (physical)", rows, leftRuns)}</div>`);
  }
  return frame(parts.join("\n"));
}

/** What happened to be in memory already is as much pushed as the rest, but it is no difference. */
const stackHtml = ({ before, after }: StackEntry): readonly [string, string] =>
  before === after ? ["same", `<span class="was">${word(after)}</span>`] : [word(before), word(after)];

/** The bytes after, with those marked that differ: a run may hold a few equal ones. */
function bytesHtml({ before, after }: BytesDifference): string {
  const bytes = Array.from(after.subarray(0, BYTES_SHOWN), (byte, index) =>
    byte === before[index] ? `<span class="was">${hex(byte, 2)}</span>` : hex(byte, 2),
  );
  return bytes.join(" ") + (after.length > BYTES_SHOWN ? " …" : "");
}

function text({ long, registers, fields, stack, runs, leftFields, leftRuns, summary }: Shown): string {
  const width = Math.max(10, ...[...registers, ...fields].map(({ path }) => path.length));
  const lines = [`difference: ${summary}`];
  for (const { register, path, before, after } of registers) {
    const note = noteOf(register, before, after);
    const values = `${valueText(path, before, long)} → ${valueText(path, after, long)}`;
    lines.push(`  ${register.padEnd(width)}  ${values}${note === "" ? "" : `  (${note})`}`);
  }
  for (const field of fields) {
    const [before, after] = fieldTexts(field, long);
    lines.push(`  ${field.path.padEnd(width)}  ${before === "" ? after : `${before} → ${after}`}`);
  }
  if (leftFields !== undefined) lines.push(`  … and ${leftFields}`);
  if (stack !== undefined) lines.push(`  ${stackTitle(stack)}:`);
  for (const entry of stack?.entries ?? [])
    lines.push(
      `    ${placeText(stack!, entry).padEnd(width - 2)}  ${word(entry.after)}  ${entry.holds ?? ""}`.trimEnd(),
    );
  for (const { address: at, before, after } of runs)
    lines.push(`  ${address(at).padEnd(width)}  ${bytesText(before)} → ${bytesText(after)}`);
  if (leftRuns !== undefined) lines.push(`  … and ${leftRuns}`);
  return lines.join("\n");
}
