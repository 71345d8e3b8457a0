/**
 * A disk's sectors by what became of them: what was never written, the boot sector, the kernel behind it, what changed
 * since; with the order of the writes and where their content is from. Everything is told from contents, but the order,
 * which takes the transfers of the run.
 */
import { VirtlabError } from "../../state/error.js";
import { SECTOR_SIZE } from "../disk.js";
import { type DiskReader, deepFreeze } from "../machine-content.js";
import type { DiskTransfer } from "./disk-transfers.js";

/**
 * Of a sector: not written; written as the boot sector, as one of the image the boot sector loads, or as something else;
 * or changed after all that.
 */
export type SectorState = "never written" | "boot sector" | "kernel" | "data" | "changed since";

/** Sectors in a row with one state, whose order and origin go on by one each. */
export interface DiskRange {
  readonly first: number;
  readonly count: number;
  readonly state: SectorState;
  /** The place of the first one among all sectors that were written, from 1; absent where it is not known. */
  readonly order?: number;
  /** The sector of the source whose content the first one has; absent where there is none. */
  readonly from?: number;
}

export interface DiskMap {
  /** Of 512 bytes. */
  readonly sectors: number;
  /** All of the disk, from its first sector to its last. */
  readonly ranges: readonly DiskRange[];
}

export interface DiskMapOptions {
  /** The disk at a later time: what differs from `after` is "changed since". */
  readonly now?: DiskReader;
  /** What was moved between `before` and `after`, from `diskTransfers`: gives the order, and finds sectors that were written as they were. */
  readonly transfers?: readonly DiskTransfer[];
  /** Which drive of these transfers the disk is. Default 0. */
  readonly drive?: number;
  /** A disk that sectors may have been copied from. */
  readonly source?: DiskReader;
}

/** Bytes that are compared at a time. */
const PIECE = 128 * SECTOR_SIZE;
/** In a boot sector of `bootDisk`: how many sectors behind it are the image. */
const COUNT_OFFSET = 508;
const SIGNATURE = [0x55, 0xaa] as const;
const ELF = [0x7f, 0x45, 0x4c, 0x46] as const;

const startsWith = (bytes: Uint8Array, start: readonly number[]): boolean =>
  start.every((byte, index) => bytes[index] === byte);

/** Numbers of the sectors in which two disks of one size differ. */
function differing(a: DiskReader, b: DiskReader): ReadonlySet<number> {
  const found = new Set<number>();
  for (let at = 0; at < a.size; at += PIECE) {
    const length = Math.min(PIECE, a.size - at);
    const [one, other] = [a.read(at, length), b.read(at, length)];
    for (let index = 0; index < length; index++) {
      if (one[index] === other[index]) continue;
      const sector = Math.floor(index / SECTOR_SIZE);
      found.add(at / SECTOR_SIZE + sector);
      index = (sector + 1) * SECTOR_SIZE - 1;
    }
  }
  return found;
}

/** How many sectors behind the first one are an image that the boot sector loads. */
function imageSectors(disk: DiskReader): number {
  if (disk.size < 2 * SECTOR_SIZE) return 0;
  const start = disk.read(0, SECTOR_SIZE + ELF.length);
  if (!startsWith(start.subarray(510), SIGNATURE) || !startsWith(start.subarray(SECTOR_SIZE), ELF)) return 0;
  return start[COUNT_OFFSET]! | (start[COUNT_OFFSET + 1]! << 8);
}

function namesOf(disk: DiskReader): (sector: number) => SectorState {
  const image = imageSectors(disk);
  const isBoot = startsWith(disk.read(0, SECTOR_SIZE).subarray(510), SIGNATURE);
  return (sector) => (sector === 0 ? (isBoot ? "boot sector" : "data") : sector <= image ? "kernel" : "data");
}

/** The place of each sector among those that were written, by its number. */
function ordersOf(transfers: readonly DiskTransfer[], drive: number, sectors: number): ReadonlyMap<number, number> {
  const orders = new Map<number, number>();
  for (const { write, sector, count, drive: to } of transfers) {
    if (!write || to !== drive || sector < 0 || sector + count > sectors) continue;
    for (let at = sector; at < sector + count; at++) if (!orders.has(at)) orders.set(at, orders.size + 1);
  }
  return orders;
}

const contentOf = (bytes: Uint8Array): string => String.fromCharCode(...bytes);
const sectorOf = (disk: DiskReader, sector: number): Uint8Array => disk.read(sector * SECTOR_SIZE, SECTOR_SIZE);

/** Where on the source the content of each written sector is, the next one of it where several are alike. */
function originsOf(
  source: DiskReader | undefined,
  disk: DiskReader,
  written: readonly number[],
): ReadonlyMap<number, number> {
  const origins = new Map<number, number>();
  if (source === undefined) return origins;
  const places = new Map<string, number>();
  for (let sector = 0; sector < source.size / SECTOR_SIZE; sector++) {
    const bytes = sectorOf(source, sector);
    if (bytes.every((byte) => byte === 0)) continue;
    const content = contentOf(bytes);
    if (!places.has(content)) places.set(content, sector);
  }
  const sectors = source.size / SECTOR_SIZE;
  for (const sector of written) {
    const content = contentOf(sectorOf(disk, sector));
    // Zeros are everywhere, so they come from somewhere only in the middle of what was copied.
    const next = (origins.get(sector - 1) ?? sectors) + 1;
    const isNext = next < sectors && contentOf(sectorOf(source, next)) === content;
    const from = isNext ? next : places.get(content);
    if (from !== undefined) origins.set(sector, from);
  }
  return origins;
}

const goesOn = (last: number | undefined, count: number, next: number | undefined): boolean =>
  last === undefined ? next === undefined : next === last + count;

function inRanges(sectors: number, of: (sector: number) => Omit<DiskRange, "first" | "count">): readonly DiskRange[] {
  const ranges: DiskRange[] = [];
  for (let sector = 0; sector < sectors; sector++) {
    const one = of(sector);
    const last = ranges.at(-1);
    const isSame =
      last !== undefined &&
      last.state === one.state &&
      goesOn(last.order, last.count, one.order) &&
      goesOn(last.from, last.count, one.from);
    if (isSame) ranges[ranges.length - 1] = { ...last, count: last.count + 1 };
    else ranges.push({ first: sector, count: 1, ...one });
  }
  return ranges;
}

function checkSize(disk: DiskReader, size: number, what: string): void {
  if (disk.size === size) return;
  throw new VirtlabError(`diskMap: the disk has ${size} bytes before, and ${disk.size} ${what}: not the same disk`);
}

/**
 * What became of a disk's sectors of 512 bytes between two machines. A sector was written if its content differs or if one
 * of `transfers` wrote it. "boot sector" is sector 0 with the signature 55 AA; "kernel" is the ELF image behind it, as
 * many sectors as the word at 508 says (see `bootDisk`).
 *
 * @throws VirtlabError for disks that differ in size.
 * @example
 * const start = Machine.boot({ image: guest("kernel"), disks: [new Uint8Array(2048 * 512)] });
 * const end = start.run({ until: { serial: "changed and written" }, observe: ["port"] });
 * const map = diskMap(start.disks[0], end.disks[0], { transfers: diskTransfers(end.events) });
 * map.ranges[1] // => { first: 1024, count: 4, state: 'data', order: 1 }
 */
export function diskMap(before: DiskReader, after: DiskReader, options: DiskMapOptions = {}): DiskMap {
  const { now = after, transfers = [], drive = 0, source } = options;
  checkSize(after, before.size, "after");
  checkSize(now, before.size, "now");
  const sectors = before.size / SECTOR_SIZE;
  const orders = ordersOf(transfers, drive, sectors);
  const written = new Set([...differing(before, after), ...orders.keys()]);
  const since = differing(after, now);
  const origins = originsOf(
    source,
    after,
    [...written].sort((a, b) => a - b),
  );
  const name = namesOf(after);
  const stateOf = (sector: number): SectorState => {
    if (since.has(sector)) return "changed since";
    return written.has(sector) ? name(sector) : "never written";
  };
  const ranges = inRanges(sectors, (sector) => {
    const [order, from] = [orders.get(sector), origins.get(sector)];
    return {
      state: stateOf(sector),
      ...(order === undefined ? {} : { order }),
      ...(from === undefined ? {} : { from }),
    };
  });
  return deepFreeze({ sectors, ranges });
}
