/** The texts that a call's pointers lead to, for who observes calls: looked at where they lie, with nothing brought or marked for it. */
import { linearOf, PAGE } from "../mm/frames.js";
import { entryOf } from "../mm/page-tables.js";
import { textOf } from "../mm/user-memory.js";
import type { PendingCall } from "../state.js";
import type { SystemCall } from "../syscalls/call.js";
import type { Work } from "../work.js";

/** By the number of the argument. */
export type Texts = Readonly<Record<number, string | readonly string[]>>;

/** Bytes of a buffer that are kept, and of a name. */
const BUFFER = 40;
const NAME = 4096;
/** Texts of a list that are kept. */
const LIST = 32;
/** Calls whose buffers have something only when they are done. */
const FILLS: ReadonlySet<string> = new Set(["read", "pread64", "readlink", "readlinkat", "getcwd", "getrandom"]);

/** As many bytes of the program at work as are in memory. */
function peek(k: Work, address: number, length: number): Uint8Array {
  const bytes = new Uint8Array(length);
  let done = 0;
  while (done < length) {
    const at = address + done;
    const entry = at < 0 ? undefined : entryOf(k, k.space.root, at);
    if (entry === undefined) break;
    const count = Math.min(length - done, PAGE - (at % PAGE));
    k.port.readBytes(linearOf(entry.frame) + (at % PAGE), bytes.subarray(done, done + count), false);
    done += count;
  }
  return bytes.subarray(0, done);
}

function peekText(k: Work, address: number): string | undefined {
  for (let length = 64; ; length *= 4) {
    const bytes = peek(k, address, Math.min(length, NAME));
    const end = bytes.indexOf(0);
    if (end >= 0) return textOf(bytes.subarray(0, end));
    if (bytes.length < length) return undefined;
  }
}

function peekList(k: Work, address: number, wide: boolean): readonly string[] | undefined {
  const size = wide ? 8 : 4;
  const found: string[] = [];
  for (let index = 0; index < LIST; index++) {
    const bytes = peek(k, address + index * size, size);
    if (bytes.length < size) return undefined;
    const view = new DataView(bytes.buffer, bytes.byteOffset);
    const pointer = wide ? Number(view.getBigUint64(0, true)) : view.getUint32(0, true);
    if (pointer === 0) break;
    const text = peekText(k, pointer);
    if (text === undefined) return undefined;
    found.push(text);
  }
  return found;
}

/** What one argument leads to. */
function textAt(k: Work, row: SystemCall, { abi, arguments: values }: PendingCall, index: number) {
  const kind = row.arguments[index]![1];
  const value = values[index]!;
  if (value === 0) return undefined;
  if (kind === "path" || kind === "text") return peekText(k, value);
  if (kind === "texts") return peekList(k, value, abi === "x86_64");
  return kind === "buffer" && !FILLS.has(row.name) ? buffer(k, value, values[index + 1] ?? 0) : undefined;
}

/** What can be seen in front of a call. */
export function textsBefore(k: Work, row: SystemCall | undefined, call: PendingCall): Texts {
  const found: Record<number, string | readonly string[]> = {};
  for (let index = 0; row !== undefined && index < row.arguments.length; index++) {
    const text = textAt(k, row, call, index);
    if (text !== undefined) found[index] = text;
  }
  return found;
}

function buffer(k: Work, address: number, length: number): string | undefined {
  const wanted = Math.max(0, Math.min(length, BUFFER));
  const bytes = peek(k, address, wanted);
  return bytes.length < wanted ? undefined : textOf(bytes);
}

/** What a call has put into its buffers, and what it had to bring into memory first, too. */
export function textsBehind(
  k: Work,
  row: SystemCall | undefined,
  call: PendingCall,
  result: number,
  before: Texts,
): Texts {
  if (row === undefined) return before;
  const found = { ...textsBefore(k, row, call), ...before };
  const index = FILLS.has(row.name) ? row.arguments.findIndex(([, kind]) => kind === "buffer") : -1;
  const text = index < 0 || result < 0 ? undefined : buffer(k, call.arguments[index]!, result);
  return text === undefined ? found : { ...found, [index]: text };
}
