/** A system call as a line, as strace(1) writes it. */
import type { MachineEvent } from "../../hardware/state.js";
import { errnoName } from "../errno.js";
import { errnoText } from "../errno-texts.js";
import type { ArgumentKind } from "../syscalls/call.js";
import { served } from "../syscalls/table.js";
import { flagText, signalText } from "./flag-names.js";

export type CallEvent = Extract<MachineEvent, { kind: "syscall" }>;

/** Characters of a text that are shown. */
const SHOWN = 32;
/** strace puts the result in this column where the call is short enough. */
const COLUMN = 39;
const AT_FDCWD = -100;

const rows = new Map(served.map((row) => [row.name as string, row]));

const ESCAPES: Readonly<Record<string, string>> = {
  "\n": "\\n",
  "\t": "\\t",
  "\r": "\\r",
  "\v": "\\v",
  "\f": "\\f",
  '"': '\\"',
  "\\": "\\\\",
};

/** A text in quotes, unprintable bytes in octal, which has three digits where a digit follows. */
export function quotedText(text: string, isCut: boolean): string {
  const shown = text.slice(0, SHOWN);
  let out = "";
  for (let at = 0; at < shown.length; at++) {
    const character = shown[at]!;
    const code = character.charCodeAt(0);
    if (ESCAPES[character] !== undefined) out += ESCAPES[character];
    else if (code >= 0x20 && code < 0x7f) out += character;
    else out += `\\${code.toString(8).padStart(/[0-7]/.test(shown[at + 1] ?? "") ? 3 : 1, "0")}`;
  }
  return `"${out}"${isCut || text.length > SHOWN ? "..." : ""}`;
}

const hex = (value: number): string => {
  if (value >= 0) return `0x${value.toString(16)}`;
  return `0x${BigInt.asUintN(64, BigInt(value)).toString(16)}`;
};
const pointer = (value: number): string => (value === 0 ? "NULL" : hex(value));

type Show = (value: number) => string;
const shows: Readonly<Record<ArgumentKind, Show>> = {
  int: String,
  fd: String,
  dirfd: (value) => (value === AT_FDCWD ? "AT_FDCWD" : String(value)),
  uint: String,
  mode: (value) => `0${value.toString(8)}`,
  octal: (value) => `0${value.toString(8)}`,
  flags: (value) => (value === 0 ? "0" : hex(value)),
  long: String,
  size: String,
  pointer,
  path: pointer,
  text: pointer,
  texts: pointer,
  buffer: pointer,
  signal: signalText,
};

function argumentText(event: CallEvent, index: number): string {
  const value = event.arguments[index]!;
  const described = rows.get(event.name)?.arguments[index];
  if (described === undefined) return value === 0 ? "0" : hex(value);
  const [name, kind] = described;
  const text = event.texts?.[index];
  if (text !== undefined) return typeof text === "string" ? quotedText(text, isCut(event, kind, text)) : listText(text);
  return flagText(event.name, name, value) ?? shows[kind](value);
}

/** Of buffers only the beginning was kept. */
function isCut({ result, arguments: values }: CallEvent, kind: ArgumentKind, text: string): boolean {
  if (kind !== "buffer") return false;
  return text.length < (result >= 0 ? result : (values[2] ?? 0));
}

const listText = (texts: readonly string[]): string => `[${texts.map((text) => quotedText(text, false)).join(", ")}]`;

/** Results that are addresses. */
const ADDRESSES: ReadonlySet<string> = new Set(["mmap", "mmap2", "brk", "mremap", "shmat"]);

function resultText({ name, result }: CallEvent): string {
  if (name === "exit" || name === "exit_group") return "?";
  if (result < 0 && result > -4096) {
    const error = errnoName(-result) ?? `E${-result}`;
    return `-1 ${error} (${errnoText(error)})`;
  }
  return ADDRESSES.has(name) ? hex(result) : String(result);
}

/** With the number of the thread in front, where that is not the first. */
export function callLine(event: CallEvent): string {
  const values = event.arguments.map((_, index) => argumentText(event, index));
  const call = `${event.name}(${values.join(", ")})`;
  const front = event.task === 1 ? "" : `[pid ${String(event.task).padStart(5)}] `;
  return `${front}${call.padEnd(COLUMN)} = ${resultText(event)}\n`;
}
