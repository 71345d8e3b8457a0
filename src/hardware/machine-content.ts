/**
 * The content of machines of any architecture: memory and what is described by name. Reading, writing, hashing,
 * comparing, saving and loading it.
 */
import { type BytesDifference, diffBytes, diffState, type StateDifference } from "../state/diff.js";
import { VirtlabError } from "../state/error.js";
import { contentHash, hex, sha256 } from "../state/hash.js";
import { parseMemorySize } from "../state/memory-size.js";
import { PAGE_SIZE, Page, zeroPage } from "../state/pages.js";
import { type ABSENT, PersistentMap } from "../state/persistent-map.js";
import { decodeSave, encodeSave, SAVE_VERSION, type SaveKind } from "../state/save-format.js";

/** A range of physical addresses that cannot be written, in whole pages. */
export interface RomRange {
  readonly base: number;
  readonly size: number;
}

/** What the state of any machine has. Everything else in it is plain data. */
export interface MemoryState {
  /** Size of RAM in bytes, from physical address 0. */
  readonly memorySize: number;
  /** Read-only memory, in RAM's place or beyond it. Its bytes are page frames like those of RAM. */
  readonly rom?: readonly RomRange[];
  /** Page frames by number; an absent frame is all zeros. */
  readonly memory: PersistentMap<Page>;
}

export interface MachineDifference {
  /** What differs outside of memory, by dotted name. */
  readonly state: readonly StateDifference[];
  /** Runs of bytes that differ, by physical address. */
  readonly memory: readonly BytesDifference[];
}

/** Physical memory for people: its size in bytes, and copies of its content. */
export interface MemoryReader {
  readonly size: number;
  read(physical: number, length: number): Uint8Array;
}

/** Freezes plain data in place, before it is handed out. What is frozen already is frozen all the way down. */
export function deepFreeze<T>(value: T): T {
  if (typeof value !== "object" || value === null || Object.isFrozen(value)) return value;
  for (const part of Object.values(value)) deepFreeze(part);
  return Object.freeze(value);
}

interface MemoryDigest {
  readonly digest: Uint8Array;
}
const digests = new WeakMap<object, MemoryDigest | typeof ABSENT>();
const zeroDigest = hex(zeroPage.hash());

/** A digest of memory content: pages that are all zeros count as absent, so that it does not matter whether they were written. */
function memoryDigest(memory: PersistentMap<Page>): string {
  const root = memory.fold<MemoryDigest>(
    (page) => (hex(page.hash()) === zeroDigest ? undefined : { digest: page.hash() }),
    (children, height) => {
      const parts = new Uint8Array(1 + children.length * 33);
      parts[0] = height;
      children.forEach((child, index) => {
        if (!child) return;
        parts[1 + index * 33] = 1;
        parts.set(child.digest, 2 + index * 33);
      });
      return { digest: sha256(parts) };
    },
    digests,
  );
  return root ? hex(root.digest) : "";
}

/** Everything but memory and observations, by name: what is hashed, saved and compared. */
export function describe(state: MemoryState): Record<string, unknown> {
  const {
    memory: _memory,
    lastException: _lastException,
    ...rest
  } = state as MemoryState & { lastException?: unknown };
  return rest;
}

/** Path of the first field of `model` that `value` lacks or has with another type. */
export function firstMisfit(model: unknown, value: unknown, path = "state"): string | undefined {
  if (typeof model !== typeof value || (model === null) !== (value === null)) return path;
  if (typeof model !== "object" || model === null) return undefined;
  if (Array.isArray(model) !== Array.isArray(value)) return path;
  for (const [name, part] of Object.entries(model)) {
    // Which debug ports there are is the machine's own choice.
    if (part === undefined || name === "debugConsole" || name === "debugExit" || path === "state.devices.config")
      continue;
    const misfit = firstMisfit(part, (value as Record<string, unknown>)[name], `${path}.${name}`);
    if (misfit !== undefined) return misfit;
  }
  return undefined;
}

function* nonZeroPages(memory: PersistentMap<Page>): IterableIterator<[number, Uint8Array]> {
  for (const [frame, page] of memory.entries()) {
    if (hex(page.hash()) !== zeroDigest) yield [frame, page.bytes()];
  }
}

export function writeBytes(memory: PersistentMap<Page>, address: number, bytes: Uint8Array): PersistentMap<Page> {
  const scratch = new Uint8Array(PAGE_SIZE);
  for (let at = 0; at < bytes.length; ) {
    const frame = Math.floor((address + at) / PAGE_SIZE);
    const offset = (address + at) % PAGE_SIZE;
    const count = Math.min(bytes.length - at, PAGE_SIZE - offset);
    (memory.get(frame) ?? zeroPage).copyTo(scratch);
    scratch.set(bytes.subarray(at, at + count), offset);
    memory = memory.set(frame, Page.copyFrom(scratch));
    at += count;
  }
  return memory;
}

/** Whether a range of physical addresses lies inside of a ROM. */
const inRom = (roms: readonly RomRange[], physical: number, length: number): boolean =>
  roms.some(({ base, size }) => physical >= base && physical + length <= base + size);

/** @throws VirtlabError unless all of the range is memory. */
export function checkRange({ memorySize, rom = [] }: MemoryState, physical: number, length: number): void {
  const numbers = Number.isInteger(physical) && Number.isInteger(length) && physical >= 0 && length >= 0;
  if (!numbers || (physical + length > memorySize && !inRom(rom, physical, length))) {
    throw new VirtlabError(
      `memory: ${length} bytes at physical 0x${physical.toString(16)} are not all inside of RAM (0x${memorySize.toString(16)} bytes)`,
    );
  }
}

/** A copy of bytes of memory. Throws a VirtlabError unless all of them are there. */
export function readBytes(state: MemoryState, physical: number, length: number): Uint8Array {
  checkRange(state, physical, length);
  const out = new Uint8Array(length);
  const scratch = new Uint8Array(PAGE_SIZE);
  for (let at = 0; at < length; ) {
    const address = physical + at;
    const offset = address % PAGE_SIZE;
    const count = Math.min(length - at, PAGE_SIZE - offset);
    const page = state.memory.get(Math.floor(address / PAGE_SIZE));
    if (page) {
      page.copyTo(scratch);
      out.set(scratch.subarray(offset, offset + count), at);
    }
    at += count;
  }
  return out;
}

export const memoryReader = (state: MemoryState): MemoryReader =>
  Object.freeze({
    size: state.memorySize,
    read: (physical: number, length: number) => readBytes(state, physical, length),
  });

/** The state with bytes written at a physical address. Throws a VirtlabError unless all of it is memory. */
export function withBytes<S extends MemoryState>(state: S, physical: number, bytes: Uint8Array): S {
  checkRange(state, physical, bytes.length);
  return { ...state, memory: writeBytes(state.memory, physical, bytes) };
}

/** SHA-256 of the whole content, in hexadecimal. */
export const hashOf = (state: MemoryState): string =>
  contentHash({ ...describe(state), memory: memoryDigest(state.memory) });

/** What differs between two states, by name and by physical address. Equal parts are skipped by identity. */
export function differenceOf(a: MemoryState, b: MemoryState): MachineDifference {
  const memory: BytesDifference[] = [];
  PersistentMap.compare(a.memory, b.memory, (frame, before, after) => {
    memory.push(...diffBytes((before ?? zeroPage).bytes(), (after ?? zeroPage).bytes(), frame * PAGE_SIZE));
  });
  return Object.freeze({ state: diffState(describe(a), describe(b)), memory: Object.freeze(memory) });
}

/** The state as bytes, for `loadState`. */
export const saveState = (kind: SaveKind, state: MemoryState, hash: string): Uint8Array =>
  encodeSave({ kind, version: SAVE_VERSION, state: describe(state), pages: nonZeroPages(state.memory), hash });

/** What a save is expected to hold. */
export interface LoadOptions<S> {
  readonly kind: SaveKind;
  /** What the bytes are called in messages. */
  readonly name: string | undefined;
  /** A state with every field that there has to be. */
  readonly model: S;
  /** Why a state that has all fields is still none; throws. */
  readonly check: (state: S, fail: (reason: string) => never) => void;
}

/**
 * The state that `saveState` wrote.
 *
 * @throws VirtlabError for bytes that are no save, or a damaged or newer one, or hold no such state.
 */
export function loadState<S extends MemoryState>(bytes: Uint8Array, { kind, name, model, check }: LoadOptions<S>): S {
  const saved = decodeSave(bytes, name, kind);
  const fail = (reason: string): never => {
    throw new VirtlabError(`${name ?? "save"}: ${reason}`);
  };
  const misfit = firstMisfit(describe(model), saved.state);
  if (misfit !== undefined) fail(`${misfit} is missing or of the wrong type: this is no machine`);
  const described = saved.state as unknown as S;
  const { memorySize, rom = [] } = described;
  parseMemorySize(memorySize);
  check(described, fail);
  for (const range of rom) {
    const whole = [range.base, range.size].every((part) => Number.isInteger(part) && part % PAGE_SIZE === 0);
    if (!whole || range.base < 0 || range.base + range.size > 2 ** 32) fail("a ROM lies nowhere in physical memory");
  }
  let memory = PersistentMap.empty<Page>();
  for (const [frame, page] of saved.pages) {
    if (frame * PAGE_SIZE >= memorySize && !inRom(rom, frame * PAGE_SIZE, PAGE_SIZE))
      fail(`page frame ${frame} lies outside of memory (${memorySize} bytes)`);
    memory = memory.set(frame, Page.copyFrom(page));
  }
  const state = { ...deepFreeze(described), memory };
  if (hashOf(state) !== saved.hash)
    fail(`the content does not have the hash it was saved with (${saved.hash.slice(0, 12)}…)`);
  return state;
}
