/**
 * Bus master IDE: the registers by which a channel moves a command's sectors to and from memory, in pieces that a table
 * in memory lists.
 *
 * A transfer is made at once when both the command and the START bit have come; its end, with the interrupt, takes the
 * ticks that the sectors take.
 *
 * Manual: Intel 82371SB (PIIX3) datasheet, "Bus Master IDE Interface"; Programming Interface for Bus Master IDE Controller.
 */
import { type AtaChannelState, type AtaTransfer, busy, SECTOR, STATUS, selectedDrive, TICKS } from "./ata-channel.js";
import type { Reach } from "./guest-memory.js";

/** Offsets of a channel's registers. */
export const BUS_MASTER_OFFSET = { BMIC: 0, BMIS: 2, BMIDTP: 4, length: 8 } as const;

/** Bits of BMIC: start; direction, 1 to memory. */
const BMIC = { START: 0x01, toMemory: 0x08 } as const;
/** Bits of BMIS: a transfer is under way; error; interrupt; drives are capable of DMA (kept for software). */
export const BMIS = { active: 0x01, error: 0x02, interrupt: 0x04, capable: 0x60 } as const;

/** Physical region descriptors. */
const DESCRIPTOR = 8;
const END_OF_TABLE = 0x80;
/** A table that does not end is left after this many: it can have 64 KiB. */
const MOST_DESCRIPTORS = 8192;

interface Region {
  readonly address: number;
  readonly length: number;
}

/** A DMA command: it goes on when the bus master is started. */
export function startDma(
  channel: AtaChannelState,
  { write, lba, block }: Pick<AtaTransfer, "write" | "lba" | "block">,
  tick: number,
  reach: Reach,
): AtaChannelState {
  const transfer: AtaTransfer = { write, dma: true, lba, block, left: 0, multiple: block, data: "", at: 0 };
  const waiting: AtaChannelState = {
    ...channel,
    transfer,
    Status: STATUS.DRDY | STATUS.DSC | STATUS.DRQ,
    busyUntil: Number.POSITIVE_INFINITY,
  };
  return (channel.BMIC & BMIC.START) === 0 ? waiting : runDma(waiting, tick, reach);
}

function runDma(channel: AtaChannelState, tick: number, reach: Reach): AtaChannelState {
  const { write, lba, block } = channel.transfer!;
  const drive = selectedDrive(channel)!;
  const regions = regionsOf(reach, channel.BMIDTP);
  const length = block * SECTOR;
  const room = regions.reduce((sum, region) => sum + region.length, 0);
  const wrongWay = write === ((channel.BMIC & BMIC.toMemory) !== 0);
  if (room < length || wrongWay) {
    // The drive waits for data that never come; software's timeout ends it.
    return { ...channel, BMIS: (channel.BMIS & ~BMIS.active) | BMIS.error };
  }
  let at = 0;
  const data = write ? new Uint8Array(length) : reach.disks.read(drive.disk, lba * SECTOR, length);
  for (const { address, length: size } of regions) {
    const count = Math.min(size, length - at);
    if (write) data.set(reach.memory.read(address, count), at);
    else reach.memory.write(address, data.subarray(at, at + count));
    at += count;
  }
  if (write) reach.disks.write(drive.disk, lba * SECTOR, data);
  // A table with more room than data leaves the master active.
  const active = room > length ? BMIS.active : 0;
  return busy(
    { ...channel, transfer: null, BMIS: (channel.BMIS & ~BMIS.active) | active },
    tick,
    TICKS.command + block * TICKS.sector,
  );
}

function regionsOf({ memory }: Reach, table: number): Region[] {
  const regions: Region[] = [];
  for (let index = 0; index < MOST_DESCRIPTORS; index++) {
    const entry = memory.read(table + index * DESCRIPTOR, DESCRIPTOR);
    const words = new DataView(entry.buffer);
    const count = words.getUint16(4, true) & 0xfffe;
    regions.push({ address: (words.getUint32(0, true) & ~1) >>> 0, length: count === 0 ? 0x1_0000 : count });
    if ((entry[7]! & END_OF_TABLE) !== 0) break;
  }
  return regions;
}

export function readBusMaster({ BMIC, BMIS, BMIDTP }: AtaChannelState, offset: number): number {
  if (offset === BUS_MASTER_OFFSET.BMIC) return BMIC;
  if (offset === BUS_MASTER_OFFSET.BMIS) return BMIS;
  return offset >= BUS_MASTER_OFFSET.BMIDTP ? (BMIDTP >>> (8 * (offset - BUS_MASTER_OFFSET.BMIDTP))) & 0xff : 0;
}

/** A write of a byte. */
export function writeBusMaster(
  channel: AtaChannelState,
  offset: number,
  value: number,
  tick: number,
  reach: Reach,
): AtaChannelState {
  if (offset === BUS_MASTER_OFFSET.BMIC) return writeCommand(channel, value, tick, reach);
  if (offset === BUS_MASTER_OFFSET.BMIS) {
    const cleared = channel.BMIS & ~(value & (BMIS.error | BMIS.interrupt));
    return { ...channel, BMIS: (cleared & ~BMIS.capable) | (value & BMIS.capable) };
  }
  if (offset < BUS_MASTER_OFFSET.BMIDTP) return channel;
  const shift = 8 * (offset - BUS_MASTER_OFFSET.BMIDTP);
  const BMIDTP = (((channel.BMIDTP & ~(0xff << shift)) | (value << shift)) & ~3) >>> 0;
  return { ...channel, BMIDTP };
}

function writeCommand(channel: AtaChannelState, value: number, tick: number, reach: Reach): AtaChannelState {
  const written = value & (BMIC.START | BMIC.toMemory);
  const starts = (written & ~channel.BMIC & BMIC.START) !== 0;
  const stops = (written & BMIC.START) === 0;
  const next: AtaChannelState = {
    ...channel,
    BMIC: written,
    BMIS: starts ? channel.BMIS | BMIS.active : stops ? channel.BMIS & ~BMIS.active : channel.BMIS,
  };
  return starts && channel.transfer?.dma === true ? runDma(next, tick, reach) : next;
}
