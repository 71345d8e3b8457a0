/** What differs between two machines, for readers: fields by name, then bytes of memory, each before and after. */
import type { MachineDifference } from "../hardware/machine.js";
import type { BytesDifference, StateDifference } from "../state/diff.js";
import { Display } from "./display.js";
import { frame } from "./style.js";
import { address, counted, escapeHtml, grouped, hex, hexBytes, quoted, visible } from "./text.js";

/** More than these are counted and not shown. */
const FIELDS_SHOWN = 40;
const RUNS_SHOWN = 16;
const BYTES_SHOWN = 16;

type Value = StateDifference["before"];

/** Registers of the processor and the devices are shown as bits, what counts or configures as numbers. */
function valueText(path: string, value: Value): string {
  if (value === undefined) return "(absent)";
  if (typeof value === "number") {
    if (path.startsWith("cpu.")) return `0x${hex(value, path.endsWith("selector") ? 4 : 8)}`;
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

function bytesText(bytes: Uint8Array): string {
  return hexBytes(bytes.subarray(0, BYTES_SHOWN)) + (bytes.length > BYTES_SHOWN ? " …" : "");
}

/** Only what was appended is shown of text that grew, such as the output of the serial port. */
const fieldTexts = ({ path, before, after, appended }: StateDifference): readonly [string, string] =>
  appended === undefined ? [valueText(path, before), valueText(path, after)] : ["", `+ ${quoted(appended, 60)}`];

interface Shown {
  readonly fields: readonly StateDifference[];
  readonly runs: readonly BytesDifference[];
  readonly leftFields: string | undefined;
  readonly leftRuns: string | undefined;
  readonly summary: string;
}

function select({ state, memory }: MachineDifference): Shown {
  const bytes = memory.reduce((sum, run) => sum + run.after.length, 0);
  const runs = memory.slice(0, RUNS_SHOWN);
  const shownBytes = runs.reduce((sum, run) => sum + Math.min(run.after.length, BYTES_SHOWN), 0);
  const left = [
    memory.length > runs.length ? counted(memory.length - runs.length, "more run") : "",
    bytes > shownBytes ? `${counted(bytes - shownBytes, "byte")} not shown` : "",
  ];
  return {
    fields: state.slice(0, FIELDS_SHOWN),
    runs,
    leftFields: state.length > FIELDS_SHOWN ? counted(state.length - FIELDS_SHOWN, "more field") : undefined,
    leftRuns: left.filter(Boolean).join(", ") || undefined,
    summary: `${state.length === 0 ? "registers and devices are equal" : counted(state.length, "field")}, ${memory.length === 0 ? "memory is equal" : `${counted(bytes, "byte")} of memory in ${counted(memory.length, "run")}`}`,
  };
}

/** A difference as HTML and as text. */
export function differenceDisplay(difference: MachineDifference): Display {
  if (difference.state.length === 0 && difference.memory.length === 0) {
    return new Display(
      frame('<div class="head"><b>No difference</b> <span class="dim">the two machines are equal</span></div>'),
      "no difference: the two machines are equal",
    );
  }
  const shown = select(difference);
  return new Display(html(shown), text(shown));
}

function html({ fields, runs, leftFields, leftRuns, summary }: Shown): string {
  const table = (first: string, rows: readonly string[], left: string | undefined): string =>
    `<table class="mono"><thead><tr><th>${first}</th><th>before</th><th>after</th></tr></thead><tbody>${rows.join("")}</tbody></table>${left === undefined ? "" : `<div class="dim">… and ${left}</div>`}`;
  const row = (name: string, before: string, after: string): string =>
    `<tr><th scope="row">${escapeHtml(name)}</th><td class="was wrap">${before}</td><td class="wrap">${after}</td></tr>`;
  const parts = [`<div class="head"><b>Difference</b> <span class="dim">${summary}</span></div>`];
  if (fields.length > 0) {
    const rows = fields.map((field) => row(field.path, ...(fieldTexts(field).map(escapeHtml) as [string, string])));
    parts.push(`<div class="first row">${table("field", rows, leftFields)}</div>`);
  }
  if (runs.length > 0) {
    const rows = runs.map((run) => row(address(run.address), bytesText(run.before), bytesHtml(run)));
    parts.push(`<div class="row">${table("memory (physical)", rows, leftRuns)}</div>`);
  }
  return frame(parts.join("\n"));
}

/** The bytes after, with those marked that differ: a run may hold a few equal ones. */
function bytesHtml({ before, after }: BytesDifference): string {
  const bytes = Array.from(after.subarray(0, BYTES_SHOWN), (byte, index) =>
    byte === before[index] ? `<span class="was">${hex(byte, 2)}</span>` : hex(byte, 2),
  );
  return bytes.join(" ") + (after.length > BYTES_SHOWN ? " …" : "");
}

function text({ fields, runs, leftFields, leftRuns, summary }: Shown): string {
  const width = Math.max(10, ...fields.map(({ path }) => path.length));
  const lines = [`difference: ${summary}`];
  for (const field of fields) {
    const [before, after] = fieldTexts(field);
    lines.push(`  ${field.path.padEnd(width)}  ${before === "" ? after : `${before} → ${after}`}`);
  }
  if (leftFields !== undefined) lines.push(`  … and ${leftFields}`);
  for (const { address: at, before, after } of runs)
    lines.push(`  ${address(at).padEnd(width)}  ${bytesText(before)} → ${bytesText(after)}`);
  if (leftRuns !== undefined) lines.push(`  … and ${leftRuns}`);
  return lines.join("\n");
}
