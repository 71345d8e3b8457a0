/**
 * The content of machines of any architecture: memory and what is described by name. Reading, writing, hashing,
 * comparing, saving and loading it.
 */
import { type BytesDifference, diffBytes, diffState, type StateDifference } from "../state/diff.js";
import { VirtlabError } from "../state/error.js";
import { contentHash, hex, sha256 } from "../state/hash.js";
import { parseMemorySize } from "../state/memory-size.js";
import { type PageMap, readPages, writePages } from "../state/page-map.js";
import { PAGE_SIZE, Page, zeroPage } from "../state/pages.js";
import { type ABSENT, PersistentMap } from "../state/persistent-map.js";
import { isBytes } from "../state/plain-data.js";
import { decodeSave, encodeSave, SAVE_VERSION, type SaveKind } from "../state/save-format.js";
import { type Disk, isDisk, readDisk } from "./disk.js";

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
  readonly memory: PageMap;
  /** Absent for a machine without disks. */
  readonly disks?: readonly Disk[] | undefined;
}

export interface MachineDifference {
  /** What differs outside of memory, by dotted name. */
  readonly state: readonly StateDifference[];
  /** Runs of bytes that differ, by physical address. */
  readonly memory: readonly BytesDifference[];
  /** The same of disks, by number of the disk and offset on it; absent where no machine has a disk. */
  readonly disks?: readonly DiskDifference[];
}

export interface DiskDifference extends BytesDifference {
  readonly disk: number;
}

/** Bytes for people: how many, and copies of them. */
export interface BytesReader {
  readonly size: number;
  read(physical: number, length: number): Uint8Array;
}

/** Physical memory for people. */
export interface MemoryReader extends BytesReader {
  /** Bytes of the pages of 4 KiB that are not all zeros. */
  readonly used: number;
}

/** Freezes plain data in place, before it is handed out. What is frozen already is frozen all the way down. */
export function deepFreeze<T>(value: T): T {
  // Bytes cannot be frozen: who hands them out makes copies.
  if (typeof value !== "object" || value === null || Object.isFrozen(value) || isBytes(value)) return value;
  for (const part of Object.values(value)) deepFreeze(part);
  return Object.freeze(value);
}

interface MemoryDigest {
  readonly digest: Uint8Array;
}
const noPages: PageMap = PersistentMap.empty();
const digests = new WeakMap<object, MemoryDigest | typeof ABSENT>();
const zeroDigest = hex(zeroPage.hash());

/** A digest of the content of memory or a disk: pages that are all zeros count as absent, so that it does not matter whether they were written. */
function memoryDigest(memory: PageMap): string {
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

/** Everything but pages and observations, by name: what is hashed, saved and compared. */
export function describe(state: MemoryState): Record<string, unknown> {
  const {
    memory: _memory,
    lastException: _lastException,
    disks,
    ...rest
  } = state as MemoryState & { lastException?: unknown };
  return disks === undefined ? rest : { ...rest, disks: disks.map(({ pages: _pages, ...disk }) => disk) };
}

/** Path of the first field of `model` that `value` lacks or has with another type. */
export function firstMisfit(model: unknown, value: unknown, path = "state"): string | undefined {
  if (typeof model !== typeof value) return path;
  // Null stands for a part that may be there or not: a drive of a channel.
  if (typeof model !== "object" || model === null || value === null) return undefined;
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

/** In a save the pages of disk n are frames from (n + 1) times this on: far beyond physical memory, which has 2^40. */
const DISK_FRAMES = 2 ** 41;

/** What a save has of a state: every page that is not all zeros, so that it can be loaded without any image. */
function* nonZeroPages({ memory, disks = [] }: MemoryState): IterableIterator<[number, Uint8Array]> {
  const maps = [memory, ...disks.map(({ pages }) => pages)];
  for (const [index, pages] of maps.entries()) {
    for (const [number, page] of pages.entries())
      if (hex(page.hash()) !== zeroDigest) yield [index * DISK_FRAMES + number, page.bytes()];
  }
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
  return readPages(state.memory, physical, length);
}

export const memoryReader = (state: MemoryState): MemoryReader =>
  Object.freeze({
    size: state.memorySize,
    get used(): number {
      return usedBytes(state.memory);
    },
    read: (physical: number, length: number) => readBytes(state, physical, length),
  });

interface UsedMemory {
  readonly bytes: number;
}
const uses = new WeakMap<object, UsedMemory | typeof ABSENT>();

/** Versions share nodes, so that counting again takes only what has changed. */
function usedBytes(memory: PageMap): number {
  const root = memory.fold<UsedMemory>(
    (page) => (page.bytes().some((byte) => byte !== 0) ? { bytes: PAGE_SIZE } : undefined),
    (children) => ({ bytes: children.reduce((sum, child) => sum + (child?.bytes ?? 0), 0) }),
    uses,
  );
  return root?.bytes ?? 0;
}

/** A disk for people: its size in bytes, and copies of its content. */
export interface DiskReader extends BytesReader {
  readonly readOnly: boolean;
}

export const diskReaders = ({ disks = [] }: MemoryState): readonly DiskReader[] =>
  Object.freeze(
    disks.map((disk, index) =>
      Object.freeze({
        size: disk.size,
        readOnly: disk.readOnly,
        read: (offset: number, length: number): Uint8Array => {
          const numbers = Number.isInteger(offset) && Number.isInteger(length) && offset >= 0 && length >= 0;
          if (numbers && offset + length <= disk.size) return readDisk(disk, offset, length);
          throw new VirtlabError(`disk ${index}: ${length} bytes at ${offset} are not all on it (${disk.size} bytes)`);
        },
      }),
    ),
  );

/** The state with bytes written at a physical address. Throws a VirtlabError unless all of it is memory. */
export function withBytes<S extends MemoryState>(state: S, physical: number, bytes: Uint8Array): S {
  checkRange(state, physical, bytes.length);
  return { ...state, memory: writePages(state.memory, physical, bytes) };
}

/** SHA-256 of the whole content, in hexadecimal. */
export const hashOf = (state: MemoryState): string =>
  contentHash({
    ...describe(state),
    memory: memoryDigest(state.memory),
    diskContents: state.disks?.map(({ pages }) => memoryDigest(pages)),
  });

/** What differs between two states, by name and by physical address. Equal parts are skipped by identity. */
export function differenceOf(a: MemoryState, b: MemoryState): MachineDifference {
  const memory = differentBytes(a.memory, b.memory);
  const state = diffState(describe(a), describe(b));
  if (a.disks === undefined && b.disks === undefined) return Object.freeze({ state, memory });
  const count = Math.max(a.disks?.length ?? 0, b.disks?.length ?? 0);
  const disks = Array.from({ length: count }, (_, disk) =>
    differentBytes(a.disks?.[disk]?.pages, b.disks?.[disk]?.pages).map((run) => Object.freeze({ disk, ...run })),
  ).flat();
  return Object.freeze({ state, memory, disks: Object.freeze(disks) });
}

function differentBytes(a: PageMap = noPages, b: PageMap = noPages): readonly BytesDifference[] {
  const runs: BytesDifference[] = [];
  PersistentMap.compare(a, b, (number, before, after) => {
    for (const run of diffBytes((before ?? zeroPage).bytes(), (after ?? zeroPage).bytes(), number * PAGE_SIZE))
      runs.push(run);
  });
  return Object.freeze(runs);
}

/** The state as bytes, for `loadState`. */
export const saveState = (kind: SaveKind, state: MemoryState, hash: string): Uint8Array =>
  encodeSave({ kind, version: SAVE_VERSION, state: describe(state), pages: nonZeroPages(state), hash });

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
  const { memorySize, rom = [], disks = [] } = described;
  parseMemorySize(memorySize);
  check(described, fail);
  for (const range of rom) {
    const whole = [range.base, range.size].every((part) => Number.isInteger(part) && part % PAGE_SIZE === 0);
    if (!whole || range.base < 0 || range.base + range.size > 2 ** 32) fail("a ROM lies nowhere in physical memory");
  }
  if (!Array.isArray(disks) || !disks.every(isDisk)) fail("its disks are none");
  const maps: PageMap[] = [noPages, ...disks.map(() => noPages)];
  for (const [frame, page] of saved.pages) {
    const index = Math.floor(frame / DISK_FRAMES);
    const number = frame % DISK_FRAMES;
    const end = index === 0 ? memorySize : (disks[index - 1]?.size ?? 0);
    if (number * PAGE_SIZE >= end && !(index === 0 && inRom(rom, number * PAGE_SIZE, PAGE_SIZE)))
      fail(`page frame ${frame} lies outside of memory (${memorySize} bytes) and disks`);
    maps[index] = maps[index]!.set(number, Page.copyFrom(page));
  }
  const [memory, ...contents] = maps;
  const withDisks = described.disks && { disks: disks.map((disk, index) => ({ ...disk, pages: contents[index]! })) };
  const state = { ...deepFreeze(described), ...withDisks, memory: memory! };
  if (hashOf(state) !== saved.hash)
    fail(`the content does not have the hash it was saved with (${saved.hash.slice(0, 12)}…)`);
  return state;
}
