/**
 * The BIOS data area, the extended one and the vectors, as a BIOS leaves them before it starts the first sector.
 * Manual: IBM PC/AT Technical Reference, "ROM BIOS Data Area"; Ralf Brown's Interrupt List, MEMORY.LST.
 */
import { MEMORY, PORT } from "../../devices/layout.js";

const { base: DATA } = MEMORY.biosData;
/** Linear addresses of fields. */
export const BDA = {
  serialPorts: DATA,
  extendedSegment: DATA + 0x0e,
  equipment: DATA + 0x10,
  memoryKib: DATA + 0x13,
  shiftFlags: DATA + 0x17,
  shiftFlags2: DATA + 0x18,
  keyHead: DATA + 0x1a,
  keyTail: DATA + 0x1c,
  keyBuffer: DATA + 0x1e,
  videoMode: DATA + 0x49,
  columns: DATA + 0x4a,
  pageSize: DATA + 0x4c,
  pageStart: DATA + 0x4e,
  cursors: DATA + 0x50,
  cursorShape: DATA + 0x60,
  page: DATA + 0x62,
  crtcPort: DATA + 0x63,
  ticks: DATA + 0x6c,
  midnight: DATA + 0x70,
  diskStatus: DATA + 0x74,
  diskCount: DATA + 0x75,
  keyBufferStart: DATA + 0x80,
  keyBufferEnd: DATA + 0x82,
  lastRow: DATA + 0x84,
  characterHeight: DATA + 0x85,
  keyboardFlags3: DATA + 0x96,
} as const;

/** The keyboard's ring, as offsets in the segment 40. */
export const KEY_RING = { start: 0x1e, end: 0x3e } as const;

const { base: EXTENDED } = MEMORY.extendedBiosData;
/** What a disk service is at between two of its steps, and the disks there are. */
export const EBDA = {
  sizeKib: EXTENDED,
  /** Port of the status that the machine code waits on. */
  statusPort: EXTENDED + 0x10,
  /** First port of the channel's command block. */
  commandPort: EXTENDED + 0x12,
  writing: EXTENDED + 0x14,
  /** Device register's bits for master or slave. */
  device: EXTENDED + 0x15,
  /** Sectors left, of them of the present command, and done. */
  left: EXTENDED + 0x18,
  inCommand: EXTENDED + 0x1c,
  done: EXTENDED + 0x20,
  /** The next sector, in two dwords. */
  sector: EXTENDED + 0x24,
  /** Linear address of the next byte. */
  buffer: EXTENDED + 0x2c,
  /** Linear address of the caller's packet, or 0. */
  packet: EXTENDED + 0x30,
  /** Entries of 16 bytes: channel, device register's bits, heads, cylinders, and sectors in two dwords. */
  drives: EXTENDED + 0x40,
} as const;
export const DRIVE_ENTRY = 16;

/** A disk as services know it. */
export interface BiosDrive {
  readonly channel: 0 | 1;
  readonly slave: boolean;
  readonly sectors: number;
}

export const SECTORS_PER_TRACK = 63;
const MOST_CYLINDERS = 1024;

/**
 * Heads and cylinders by which services count sectors: so many heads that 1024 cylinders reach as far as they can. Spec:
 * Phoenix, "BIOS Enhanced Disk Drive Specification", "LBA-assisted translation".
 */
export function geometryOf(sectors: number): { readonly heads: number; readonly cylinders: number } {
  const heads = [16, 32, 64, 128].find((count) => sectors <= count * SECTORS_PER_TRACK * MOST_CYLINDERS) ?? 255;
  const cylinders = Math.floor(sectors / (heads * SECTORS_PER_TRACK));
  return { heads, cylinders: Math.max(1, Math.min(cylinders, MOST_CYLINDERS)) };
}

const TEXT = { mode: 3, columns: 80, lastRow: 24, pageSize: 0x1000, cursor: 0x0d0e, height: 16 } as const;
/** Two serial ports, a colour screen of 80 columns, a coprocessor, no floppies. */
const EQUIPMENT = 0x0422;
/** An MF2 keyboard. */
const MF2 = 0x10;

/** Both areas, from the BIOS data area's first byte and the extended one's. */
export function dataAreas(drives: readonly BiosDrive[]): { readonly data: Uint8Array; readonly extended: Uint8Array } {
  const data = new Uint8Array(MEMORY.biosData.length);
  const extended = new Uint8Array(MEMORY.extendedBiosData.length);
  const put = (bytes: Uint8Array, base: number) => {
    const view = new DataView(bytes.buffer);
    return (address: number, size: 1 | 2 | 4, value: number): void => {
      if (size === 1) view.setUint8(address - base, value);
      else if (size === 2) view.setUint16(address - base, value, true);
      else view.setUint32(address - base, value, true);
    };
  };
  const low = put(data, DATA);
  low(BDA.serialPorts, 2, PORT.com1.base);
  low(BDA.serialPorts + 2, 2, PORT.com2.base);
  low(BDA.extendedSegment, 2, EXTENDED >> 4);
  low(BDA.equipment, 2, EQUIPMENT);
  low(BDA.memoryKib, 2, EXTENDED >> 10);
  for (const pointer of [BDA.keyHead, BDA.keyTail, BDA.keyBufferStart]) low(pointer, 2, KEY_RING.start);
  low(BDA.keyBufferEnd, 2, KEY_RING.end);
  low(BDA.videoMode, 1, TEXT.mode);
  low(BDA.columns, 2, TEXT.columns);
  low(BDA.pageSize, 2, TEXT.pageSize);
  low(BDA.cursorShape, 2, TEXT.cursor);
  low(BDA.crtcPort, 2, PORT.vga.base + 0x20);
  low(BDA.diskCount, 1, drives.length);
  low(BDA.lastRow, 1, TEXT.lastRow);
  low(BDA.characterHeight, 2, TEXT.height);
  low(BDA.keyboardFlags3, 1, MF2);
  const high = put(extended, EXTENDED);
  high(EBDA.sizeKib, 1, MEMORY.extendedBiosData.length >> 10);
  drives.forEach(({ channel, slave, sectors }, index) => {
    const entry = EBDA.drives + index * DRIVE_ENTRY;
    const { heads, cylinders } = geometryOf(sectors);
    high(entry, 1, channel);
    high(entry + 1, 1, slave ? 0xf0 : 0xe0);
    high(entry + 2, 2, heads);
    high(entry + 4, 2, cylinders);
    high(entry + 8, 4, sectors % 2 ** 32);
    high(entry + 12, 4, Math.floor(sectors / 2 ** 32));
  });
  return { data, extended };
}
