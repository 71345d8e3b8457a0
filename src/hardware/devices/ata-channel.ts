/**
 * One ATA channel: the registers its two drives share, the protocol of a command and its data.
 *
 * The command block is kept once and not once a drive, since only the selected drive answers and a command's results are
 * read from the drive it was for. A register that LBA48 writes twice holds both bytes, the older one above.
 *
 * What takes a drive time takes ticks: BSY stays set until `busyUntil`, then Status becomes `nextStatus`.
 *
 * Manual: ATA/ATAPI-6, "Interface register definitions and descriptions" and "Command protocol".
 */
import type { AtaDriveState } from "./ata-drive.js";
import type { Reach } from "./guest-memory.js";

/** Bits of Status. */
export const STATUS = { BSY: 0x80, DRDY: 0x40, DF: 0x20, DSC: 0x10, DRQ: 0x08, ERR: 0x01 } as const;
/** Bits of Error. */
export const ERROR = { IDNF: 0x10, ABRT: 0x04, diagnosed: 0x01 } as const;
/** Bits of Device Control. */
export const CONTROL = { HOB: 0x80, SRST: 0x04, nIEN: 0x02 } as const;
/** Bits of Device: addressing by LBA, and which drive. */
export const DEVICE = { LBA: 0x40, DEV: 0x10, head: 0x0f, obsolete: 0xa0 } as const;

/** Ready, and the seek complete that software of old looks for. */
export const READY = STATUS.DRDY | STATUS.DSC;

export const SECTOR = 512;
/** Ticks, of about 10 ns: of a command without data or a DRQ block, of each sector of DMA (66 MB/s), of a reset. */
export const TICKS = { command: 2_000, block: 1_000, sector: 777, reset: 200_000 } as const;

/** Data on their way between the host and a drive. */
export interface AtaTransfer {
  /** To the drive. */
  readonly write: boolean;
  /** By PIO, or by DMA that waits for the bus master. */
  readonly dma: boolean;
  /** First sector of the present block; -1 for data that are no sectors. */
  readonly lba: number;
  /** Sectors of the present block, and those behind it. */
  readonly block: number;
  readonly left: number;
  /** Most sectors of a block. */
  readonly multiple: number;
  /** PIO: the bytes of the present block, a character each: all that are to be read, or those written so far. */
  readonly data: string;
  /** Bytes of them the host has read. */
  readonly at: number;
}

export interface AtaChannelState {
  readonly drives: readonly [AtaDriveState | null, AtaDriveState | null];
  readonly Features: number;
  readonly SectorCount: number;
  readonly LBALow: number;
  readonly LBAMid: number;
  readonly LBAHigh: number;
  readonly Device: number;
  readonly DeviceControl: number;
  readonly Error: number;
  readonly Status: number;
  /** The pin, whatever nIEN says. */
  readonly INTRQ: boolean;
  /** The tick at which BSY falls; Infinity if nothing is under way. */
  readonly busyUntil: number;
  /** Status from then on, and whether INTRQ rises. */
  readonly nextStatus: number;
  readonly nextINTRQ: boolean;
  readonly transfer: AtaTransfer | null;
  /** Bus master: command (BMICX), status (BMISX), address of the descriptor table (BMIDTPX). */
  readonly BMIC: number;
  readonly BMIS: number;
  readonly BMIDTP: number;
}

/** A channel after reset. */
export function resetChannel(drives: AtaChannelState["drives"], BMIS: number): AtaChannelState {
  return withSignature({
    drives,
    Features: 0,
    SectorCount: 0,
    LBALow: 0,
    LBAMid: 0,
    LBAHigh: 0,
    Device: DEVICE.obsolete,
    DeviceControl: 0,
    Error: 0,
    Status: READY,
    INTRQ: false,
    busyUntil: Number.POSITIVE_INFINITY,
    nextStatus: READY,
    nextINTRQ: false,
    transfer: null,
    BMIC: 0,
    BMIS,
    BMIDTP: 0,
  });
}

/** What the registers say after a reset or a diagnosis: an ATA drive that passed. */
export const withSignature = (channel: AtaChannelState): AtaChannelState => ({
  ...channel,
  Error: ERROR.diagnosed,
  SectorCount: 1,
  LBALow: 1,
  LBAMid: 0,
  LBAHigh: 0,
  Device: channel.Device & ~(DEVICE.DEV | DEVICE.LBA | DEVICE.head),
});

export const selectedDrive = ({ drives, Device }: AtaChannelState): AtaDriveState | null =>
  drives[(Device & DEVICE.DEV) === 0 ? 0 : 1];

/** The channel busy for some ticks, then with this status and INTRQ. */
export function busy(
  channel: AtaChannelState,
  tick: number,
  ticks: number,
  nextStatus: number = READY,
  nextINTRQ = true,
): AtaChannelState {
  return { ...channel, Status: STATUS.BSY, INTRQ: false, busyUntil: tick + ticks, nextStatus, nextINTRQ };
}

/** The command ends with an error. */
export function failed(channel: AtaChannelState, tick: number, error: number): AtaChannelState {
  const ended: AtaChannelState = { ...channel, Error: error, transfer: null };
  return busy(ended, tick, TICKS.command, READY | STATUS.ERR);
}

/** Bytes as text, a character each, and back. */
export function textOf(bytes: Uint8Array): string {
  let text = "";
  for (const byte of bytes) text += String.fromCharCode(byte);
  return text;
}

export function bytesOf(text: string): Uint8Array {
  const bytes = new Uint8Array(text.length);
  for (let index = 0; index < text.length; index++) bytes[index] = text.charCodeAt(index);
  return bytes;
}

/** Starts the next DRQ block of a PIO command: read from the disk, or to come from the host. */
export function startBlock(
  channel: AtaChannelState,
  drive: AtaDriveState,
  { lba, left, multiple, write }: Pick<AtaTransfer, "lba" | "left" | "multiple" | "write">,
  tick: number,
  reach: Reach,
  first: boolean,
): AtaChannelState {
  const block = Math.min(left, multiple);
  const data = write ? "" : textOf(reach.disks.read(drive.disk, lba * SECTOR, block * SECTOR));
  const transfer: AtaTransfer = { write, dma: false, lba, block, left: left - block, multiple, data, at: 0 };
  // The first block to be written is asked for without an interrupt.
  return busy({ ...channel, transfer }, tick, TICKS.block, READY | STATUS.DRQ, !(write && first));
}

/** Data a command gives that are no sectors. */
export function startData(channel: AtaChannelState, data: string, tick: number): AtaChannelState {
  const transfer: AtaTransfer = { write: false, dma: false, lba: -1, block: 1, left: 0, multiple: 1, data, at: 0 };
  return busy({ ...channel, transfer }, tick, TICKS.block, READY | STATUS.DRQ);
}

/** Whether the data register has or takes data now. */
export const dataRequested = ({ Status }: AtaChannelState): boolean =>
  (Status & (STATUS.BSY | STATUS.DRQ)) === STATUS.DRQ;

/** The next word of the data register, 0 where there is none. */
export function dataWord({ transfer, Status }: AtaChannelState): number {
  if (transfer === null || transfer.write || (Status & STATUS.DRQ) === 0) return 0;
  const { data, at } = transfer;
  return data.charCodeAt(at) | (data.charCodeAt(at + 1) << 8);
}

/** The channel a word further; field by field, because it is done for every word and spreads cost most of it. */
function withTransfer(channel: AtaChannelState, transfer: AtaTransfer, data: string, at: number): AtaChannelState {
  const { write, dma, lba, block, left, multiple } = transfer;
  return {
    drives: channel.drives,
    Features: channel.Features,
    SectorCount: channel.SectorCount,
    LBALow: channel.LBALow,
    LBAMid: channel.LBAMid,
    LBAHigh: channel.LBAHigh,
    Device: channel.Device,
    DeviceControl: channel.DeviceControl,
    Error: channel.Error,
    Status: channel.Status,
    INTRQ: channel.INTRQ,
    busyUntil: channel.busyUntil,
    nextStatus: channel.nextStatus,
    nextINTRQ: channel.nextINTRQ,
    transfer: { write, dma, lba, block, left, multiple, data, at },
    BMIC: channel.BMIC,
    BMIS: channel.BMIS,
    BMIDTP: channel.BMIDTP,
  };
}

/** The channel behind a read of that word. */
export function wordRead(channel: AtaChannelState, tick: number, reach: Reach): AtaChannelState {
  const { transfer } = channel;
  if (transfer === null || transfer.write || !dataRequested(channel)) return channel;
  const { lba, block, left, data } = transfer;
  const at = transfer.at + 2;
  if (at < data.length) return withTransfer(channel, transfer, data, at);
  // The last block's data need no further interrupt.
  if (left === 0) return { ...channel, Status: READY, transfer: null };
  return startBlock(channel, selectedDrive(channel)!, { ...transfer, lba: lba + block }, tick, reach, false);
}

/** The channel behind a write of a word to the data register. */
export function wordWritten(channel: AtaChannelState, word: number, tick: number, reach: Reach): AtaChannelState {
  const { transfer } = channel;
  if (transfer === null || !transfer.write || !dataRequested(channel)) return channel;
  const { lba, block, left } = transfer;
  const data = transfer.data + String.fromCharCode(word & 0xff, (word >> 8) & 0xff);
  if (data.length < block * SECTOR) return withTransfer(channel, transfer, data, transfer.at);
  const drive = selectedDrive(channel)!;
  reach.disks.write(drive.disk, lba * SECTOR, bytesOf(data));
  if (left === 0) return busy({ ...channel, transfer: null }, tick, TICKS.block);
  return startBlock(channel, drive, { ...transfer, lba: lba + block }, tick, reach, false);
}
