/**
 * An ATA hard disk as its IDENTIFY DEVICE data say it is, and where its sectors are.
 *
 * Manual: ATA/ATAPI-6, "IDENTIFY DEVICE" and "General operational requirements: LBA and CHS".
 */

/** A drive on a channel; its content is the machine's disk of that number. */
export interface AtaDriveState {
  /** Number of the disk. */
  readonly disk: number;
  readonly readOnly: boolean;
  readonly sectors: number;
  /** Logical sectors per track and heads that INITIALIZE DEVICE PARAMETERS set. */
  readonly sectorsPerTrack: number;
  readonly heads: number;
  /** Sectors of a DRQ block of READ MULTIPLE and WRITE MULTIPLE; 0: they are off. */
  readonly multiple: number;
  /** What SET FEATURES chose: the value of "set transfer mode". */
  readonly transferMode: number;
  readonly writeCache: boolean;
}

/** The default translation, of which every disk's first 8 GiB can be reached. */
const HEADS = 16;
const SECTORS_PER_TRACK = 63;
const MOST_CYLINDERS = 16_383;
/** Sectors that 28 bits address. */
export const LBA28_SECTORS = 2 ** 28 - 1;
/** The longest DRQ block of READ MULTIPLE. */
export const MOST_MULTIPLE = 16;
/** Set transfer mode: 0x20 is multiword DMA, 0x40 Ultra DMA, the rest PIO; with the mode's number. */
const MULTIWORD = 0x20;
const ULTRA = 0x40;

export function attachDrive(disk: number, size: number, readOnly: boolean): AtaDriveState {
  return {
    disk,
    readOnly,
    sectors: size / 512,
    sectorsPerTrack: SECTORS_PER_TRACK,
    heads: HEADS,
    multiple: 0,
    transferMode: 0,
    writeCache: true,
  };
}

const cylindersOf = ({ sectors, heads, sectorsPerTrack }: AtaDriveState): number =>
  Math.max(1, Math.min(Math.floor(sectors / (heads * sectorsPerTrack)), MOST_CYLINDERS));

/** The LBA of a cylinder, head and sector of the present translation; -1 for one that is not there. */
export function lbaOf(drive: AtaDriveState, cylinder: number, head: number, sector: number): number {
  if (sector < 1 || sector > drive.sectorsPerTrack || head >= drive.heads) return -1;
  return (cylinder * drive.heads + head) * drive.sectorsPerTrack + sector - 1;
}

/** Text as IDENTIFY data have it: two characters a word, the first in the high byte, padded with spaces. */
function putText(words: Uint16Array, first: number, count: number, text: string): void {
  const padded = text.padEnd(2 * count);
  for (let index = 0; index < count; index++)
    words[first + index] = (padded.charCodeAt(2 * index) << 8) | padded.charCodeAt(2 * index + 1);
}

function putLong(words: Uint16Array, first: number, value: number): void {
  words[first] = value % 0x1_0000;
  words[first + 1] = Math.floor(value / 0x1_0000) % 0x1_0000;
}

/** The 512 bytes of IDENTIFY DEVICE, a character each. `dma` says whether its channel can be a master of the bus. */
export function identifyData(drive: AtaDriveState, dma: boolean): string {
  const words = new Uint16Array(256);
  const { sectors, heads, sectorsPerTrack, multiple, transferMode, writeCache } = drive;
  const fixed = { ...drive, heads: HEADS, sectorsPerTrack: SECTORS_PER_TRACK };
  const cylinders = cylindersOf(drive);
  words[0] = 0x0040; // not removable
  words[1] = cylindersOf(fixed);
  words[3] = HEADS;
  words[6] = SECTORS_PER_TRACK;
  putText(words, 10, 10, `VL${String(drive.disk).padStart(5, "0")}`);
  putText(words, 23, 4, "1");
  putText(words, 27, 20, "VIRTLAB HARDDISK");
  words[47] = 0x8000 | MOST_MULTIPLE;
  words[48] = 1; // 32-bit PIO
  words[49] = 0x0a00 | (dma ? 0x0100 : 0); // IORDY, LBA, DMA
  words[50] = 0x4000;
  words[51] = 0x0200;
  words[53] = 0x0007; // words 54 to 58, 64 to 70 and 88 are valid
  words[54] = cylinders;
  words[55] = heads;
  words[56] = sectorsPerTrack;
  putLong(words, 57, Math.min(cylinders * heads * sectorsPerTrack, sectors));
  words[59] = multiple === 0 ? 0 : 0x0100 | multiple;
  putLong(words, 60, Math.min(sectors, LBA28_SECTORS));
  const selected = (kind: number): number => ((transferMode & 0xe0) === kind ? 0x0100 << (transferMode & 7) : 0);
  if (dma) words[63] = 0x0007 | selected(MULTIWORD);
  words[64] = 0x0003; // PIO modes 3 and 4
  for (const cycleTime of [65, 66, 67, 68]) words[cycleTime] = 120;
  words[80] = 0x0070; // ATA-4 to ATA-6
  words[82] = 0x4020; // NOP, write cache
  words[83] = 0x7400; // FLUSH CACHE (EXT), LBA48
  words[84] = 0x4000;
  words[85] = 0x4000 | (writeCache ? 0x0020 : 0);
  words[86] = 0x3400;
  words[87] = 0x4000;
  if (dma) words[88] = 0x001f | selected(ULTRA); // up to UDMA 4
  words[93] = 0x6001 | 0x2000; // 80-conductor cable
  putLong(words, 100, sectors);
  putLong(words, 102, Math.floor(sectors / 2 ** 32));
  let text = "";
  for (const word of words) text += String.fromCharCode(word & 0xff, word >> 8);
  return text;
}
