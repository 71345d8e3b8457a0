/**
 * The saved form of a state: one container of bytes, versioned, its contents known by name.
 *
 *     0   8 bytes   magic 89 "VLAB" 0D 0A 1A (a transfer as text damages it visibly)
 *     8   u32       version of the format
 *     12  u32       length of the header
 *     16  u64       length of everything, the checksum included
 *     24            header: JSON in UTF-8 with the kind, the hash and the table of sections
 *                   sections: the deflated pieces the header lists
 *     -32           SHA-256 of everything before it
 *
 * Integers are little-endian. Pages are stored once for each content, in pieces of 64 pages, deflated (RFC 1951). The
 * same content gives the same bytes. Left out on purpose: what the state means, and comparing `hash` with the content,
 * which is for whoever rebuilds the state.
 */
import { deflateSync, inflateSync } from "fflate";
import { VirtlabError } from "./error.js";
import { sha256 } from "./hash.js";
import { PAGE_SIZE } from "./pages.js";
import { isPlainRecord, type PlainData } from "./plain-data.js";
import { gatherPages, joinPages, type NumberedPages, type Run } from "./save-pages.js";
import { fromTaggedJson, toTaggedJson } from "./tagged-json.js";

/** What was saved. */
export type SaveKind = "virtlab machine" | "virtlab toy machine";

/** What a save holds. */
export interface SavedState {
  readonly kind: SaveKind;
  /** Version of the format; see `SAVE_VERSION`. */
  readonly version: number;
  /** Everything except the pages, as plain data. */
  readonly state: unknown;
  /** Pages by frame number (physical address / 4096), ascending; pages of equal content may be one array. */
  readonly pages: NumberedPages;
  /** The content hash of the saved state. */
  readonly hash: string;
}

/** A save that was read. */
export interface LoadedState extends SavedState {
  readonly state: PlainData;
  readonly pages: readonly (readonly [frame: number, bytes: Uint8Array])[];
}

/** The version this code writes, and the newest it reads. */
export const SAVE_VERSION = 1;

const MAGIC = Uint8Array.of(0x89, 0x56, 0x4c, 0x41, 0x42, 0x0d, 0x0a, 0x1a);
const PREFIX_LENGTH = 24;
const CHECKSUM_LENGTH = 32;
const PAGES_PER_PIECE = 64;
// The fastest level: pages of code and zeros gain next to nothing from a longer search.
const DEFLATE_LEVEL = 1;

/** A deflated piece: its length in the file, and its length when inflated. */
interface Piece {
  readonly stored: number;
  readonly length: number;
}

interface Header {
  readonly kind: string;
  readonly hash: string;
  readonly contents: number;
  readonly state: Piece;
  readonly runs: Piece;
  readonly pages: readonly Piece[];
}

/**
 * Writes a save. Throws a VirtlabError if the version is not the one this code writes, if the state is not plain
 * data, or if the pages are not 4096 bytes each with ascending frame numbers.
 */
export function encodeSave(saved: SavedState): Uint8Array {
  if (saved.version !== SAVE_VERSION) {
    throw new VirtlabError(`cannot save in version ${saved.version} of the format, only in ${SAVE_VERSION}`);
  }
  const { contents, runs } = gatherPages(saved.pages);
  const sections: Uint8Array[] = [];
  const store = (bytes: Uint8Array): Piece => {
    const deflated = deflateSync(bytes, { level: DEFLATE_LEVEL });
    sections.push(deflated);
    return { stored: deflated.length, length: bytes.length };
  };
  const header: Header = {
    kind: saved.kind,
    hash: saved.hash,
    contents: contents.length,
    state: store(jsonBytes(toTaggedJson(saved.state))),
    runs: store(jsonBytes(runs)),
    pages: joinPages(contents, PAGES_PER_PIECE).map(store),
  };
  const headerBytes = jsonBytes(header);
  const length = sum([headerBytes, ...sections].map((part) => part.length)) + PREFIX_LENGTH + CHECKSUM_LENGTH;
  const bytes = new Uint8Array(length);
  const view = new DataView(bytes.buffer);
  bytes.set(MAGIC);
  view.setUint32(8, SAVE_VERSION, true);
  view.setUint32(12, headerBytes.length, true);
  view.setBigUint64(16, BigInt(length), true);
  let at = PREFIX_LENGTH;
  for (const part of [headerBytes, ...sections]) {
    bytes.set(part, at);
    at += part.length;
  }
  bytes.set(sha256(bytes.subarray(0, at)), at);
  return bytes;
}

/**
 * Reads a save of a kind. `name` says in errors what was read (a file name). Throws a VirtlabError of one line with offset and
 * reason for anything that is not a whole, undamaged save of a known version; nothing is given for half of one.
 */
export function decodeSave(bytes: Uint8Array, name = "save", kind: SaveKind = "virtlab machine"): LoadedState {
  const refuse: Refuse = (offset, reason) => {
    throw new VirtlabError(`${name}: offset ${offset}: ${reason}`);
  };
  const headerLength = checkContainer(bytes, refuse);
  let at = PREFIX_LENGTH + headerLength;
  const header = checkHeader(parseJson(bytes.subarray(PREFIX_LENGTH, at), PREFIX_LENGTH, refuse), kind, refuse);
  const end = bytes.length - CHECKSUM_LENGTH;
  const inflate = (piece: Piece, what: string): Uint8Array => {
    if (at + piece.stored > end) refuse(at, `${what} is longer than the file`);
    const stored = bytes.subarray(at, at + piece.stored);
    const inflated = inflateExactly(stored, piece.length) ?? refuse(at, `compressed data of ${what} is damaged`);
    at += piece.stored;
    return inflated;
  };

  const stateOffset = at;
  const stateJson = parseJson(inflate(header.state, "the state"), stateOffset, refuse);
  const state = attempt(() => fromTaggedJson(stateJson), stateOffset, refuse);
  const runsOffset = at;
  const runs = checkRuns(parseJson(inflate(header.runs, "the table of frames"), runsOffset, refuse), header.contents);
  if (runs === undefined) refuse(runsOffset, "the table of frames is damaged");
  const contents = header.pages.flatMap((piece) => {
    const inflated = inflate(piece, "the pages");
    return Array.from({ length: inflated.length / PAGE_SIZE }, (_, index) =>
      inflated.subarray(index * PAGE_SIZE, (index + 1) * PAGE_SIZE),
    );
  });
  if (at !== end) refuse(at, "trailing bytes after the last section");
  if (contents.length !== header.contents) refuse(PREFIX_LENGTH, "the number of pages is not what the header says");
  const pages = runs.flatMap((run) =>
    Array.from({ length: run.count }, (_, index) => [run.frame + index, contents[run.content + index]!] as const),
  );
  return { kind, version: SAVE_VERSION, state, pages, hash: header.hash };
}

type Refuse = (offset: number, reason: string) => never;

/** Checks all that can be checked without reading the contents, from the outside in; returns the header's length. */
function checkContainer(bytes: Uint8Array, refuse: Refuse): number {
  if (bytes.length === 0) refuse(0, "not a virtlab save: it is empty");
  for (let index = 0; index < Math.min(MAGIC.length, bytes.length); index++) {
    if (bytes[index] !== MAGIC[index]) refuse(index, "not a virtlab save: wrong magic number");
  }
  if (bytes.length < PREFIX_LENGTH) refuse(bytes.length, "truncated: it ends within the first 24 bytes");
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const version = view.getUint32(8, true);
  if (version > SAVE_VERSION) {
    refuse(8, `written in version ${version} of the format, newer than the ${SAVE_VERSION} known here`);
  }
  if (version === 0) refuse(8, "there is no version 0 of the format");
  const length = view.getBigUint64(16, true);
  if (length > bytes.length) refuse(bytes.length, `truncated: ${bytes.length} of ${length} bytes are there`);
  if (length < bytes.length) refuse(Number(length), `trailing bytes: a save of ${length} bytes ends here`);
  const headerLength = view.getUint32(12, true);
  const end = bytes.length - CHECKSUM_LENGTH;
  if (PREFIX_LENGTH + headerLength > end) refuse(12, `a header of ${headerLength} bytes is longer than the file`);
  const checksum = sha256(bytes.subarray(0, end));
  if (checksum.some((byte, index) => byte !== bytes[end + index])) {
    refuse(end, "checksum mismatch: the contents are damaged");
  }
  return headerLength;
}

// What follows is behind the checksum and so only meets a file that was made wrong, by hand or by another program.

function checkHeader(json: unknown, kind: SaveKind, refuse: Refuse): Header {
  const header = json as Header;
  if (!isPlainRecord(json)) refuse(PREFIX_LENGTH, "the header is not a JSON object");
  if (header.kind !== kind) refuse(PREFIX_LENGTH, `the header's "kind" is not "${kind}"`);
  if (typeof header.hash !== "string") refuse(PREFIX_LENGTH, `the header's "hash" is not text`);
  if (!isCount(header.contents)) refuse(PREFIX_LENGTH, `the header's "contents" is not a number of pages`);
  for (const name of ["state", "runs"] as const) {
    if (!isPiece(header[name])) refuse(PREFIX_LENGTH, `the header's "${name}" is not a stored and an inflated length`);
  }
  const wholePages = (piece: unknown) =>
    isPiece(piece) && piece.length % PAGE_SIZE === 0 && piece.length <= PAGES_PER_PIECE * PAGE_SIZE;
  if (!Array.isArray(header.pages) || !header.pages.every(wholePages)) {
    refuse(PREFIX_LENGTH, `the header's "pages" is not a list of pieces of at most ${PAGES_PER_PIECE} pages`);
  }
  return header;
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

// Deflate cannot shrink by more than about 1032 to 1, so a greater length is a lie that would only cost memory.
function isPiece(value: unknown): value is Piece {
  const piece = value as Piece;
  return isPlainRecord(value) && isCount(piece.stored) && isCount(piece.length) && piece.length <= 1040 * piece.stored;
}

function checkRuns(json: unknown, contents: number): readonly Run[] | undefined {
  if (!Array.isArray(json)) return undefined;
  let nextFrame = 0;
  for (const run of json as readonly unknown[]) {
    if (!isPlainRecord(run)) return undefined;
    const { frame, content, count } = run;
    if (!isCount(frame) || !isCount(content) || !isCount(count)) return undefined;
    if (frame < nextFrame || content + count > contents) return undefined;
    nextFrame = frame + count;
  }
  return json as readonly Run[];
}

/** Inflates to exactly `length` bytes, or undefined. */
function inflateExactly(stored: Uint8Array, length: number): Uint8Array | undefined {
  try {
    // A byte more than wanted, as a buffer that is too small is filled and its overflow dropped without a word.
    const inflated = inflateSync(stored, { out: new Uint8Array(length + 1) });
    return inflated.length === length ? inflated : undefined;
  } catch {
    return undefined;
  }
}

function parseJson(bytes: Uint8Array, offset: number, refuse: Refuse): unknown {
  return attempt(() => JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes)), offset, refuse);
}

function attempt<T>(read: () => T, offset: number, refuse: Refuse): T {
  try {
    return read();
  } catch (error) {
    return refuse(offset, (error as Error).message.replace(/\s+/g, " "));
  }
}

function jsonBytes(value: unknown): Uint8Array {
  return new TextEncoder().encode(JSON.stringify(value));
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}
