/**
 * INT 13h on IDE disks, by PIO. A call that has to wait for the drive says in the extended data area how far it is, and the
 * machine code behind its entry waits until the drive is no longer busy: each step here is a command or one sector.
 * Manual: Ralf Brown's Interrupt List, INT 13; Phoenix, "BIOS Enhanced Disk Drive Specification 3.0"; ATA/ATAPI-6, "PIO data-in
 * command protocol", "PIO data-out command protocol".
 */
import type { ProcessorPort } from "../../cpu/processor.js";
import { PORT } from "../../devices/layout.js";
import {
  addressIn,
  byte,
  input,
  output,
  read,
  realAddress,
  type Service,
  selector,
  setByte,
  setCarry,
  setWord,
  wait,
  word,
  write,
} from "./access.js";
import { BDA, DRIVE_ENTRY, EBDA, SECTORS_PER_TRACK } from "./data-area.js";

/** What AH says behind a call. */
const STATUS = { ok: 0, badCommand: 0x01, notFound: 0x04, writeProtected: 0x03, controllerFailed: 0x20 } as const;
const FIRST_DISK = 0x80;

const ATA = { busy: 0x80, fault: 0x20, request: 0x08, error: 0x01 } as const;
/** Offsets in the command block. */
const REGISTER = { data: 0, error: 1, count: 2, low: 3, mid: 4, high: 5, device: 6, status: 7 } as const;
/** READ SECTORS, WRITE SECTORS, and the same with 48 bits of address. */
const COMMAND = { read: 0x20, readExtended: 0x24, write: 0x30, writeExtended: 0x34 } as const;
const NO_INTERRUPT = 0x0a;
const LBA28_SECTORS = 2 ** 28;
/** Sectors of a command. */
const MOST = 128;
const ABORTED = 0x04;

const CHANNELS = [
  { command: PORT.ide1.base, control: PORT.ide1Control.base },
  { command: PORT.ide2.base, control: PORT.ide2Control.base },
] as const;

interface Drive {
  readonly channel: number;
  readonly device: number;
  readonly heads: number;
  readonly cylinders: number;
  readonly sectors: number;
}

const readLong = (port: ProcessorPort, at: number): number => read(port, at, 4) + read(port, at + 4, 4) * 2 ** 32;

function writeLong(port: ProcessorPort, at: number, value: number): void {
  write(port, at, 4, value % 2 ** 32);
  write(port, at + 4, 4, Math.floor(value / 2 ** 32));
}

/** The disk DL names. */
function driveOf(port: ProcessorPort): Drive | undefined {
  const number = byte(port, "dl") - FIRST_DISK;
  if (number < 0 || number >= read(port, BDA.diskCount, 1)) return undefined;
  const at = EBDA.drives + number * DRIVE_ENTRY;
  return {
    channel: read(port, at, 1),
    device: read(port, at + 1, 1),
    heads: read(port, at + 2, 2),
    cylinders: read(port, at + 4, 2),
    sectors: readLong(port, at + 8),
  };
}

function finish(port: ProcessorPort, status: number): void {
  setByte(port, "ah", status);
  write(port, BDA.diskStatus, 1, status);
  setCarry(port, status !== STATUS.ok);
}

interface Transfer {
  readonly writing: boolean;
  readonly sector: number;
  readonly count: number;
  /** Linear address. */
  readonly buffer: number;
  /** Of the caller's packet, where there is one. */
  readonly packet: number;
}

function start(port: ProcessorPort, drive: Drive, { writing, sector, count, buffer, packet }: Transfer): void {
  const { command, control } = CHANNELS[drive.channel]!;
  write(port, EBDA.statusPort, 2, control);
  write(port, EBDA.commandPort, 2, command);
  write(port, EBDA.device, 1, drive.device);
  write(port, EBDA.writing, 1, writing ? 1 : 0);
  write(port, EBDA.left, 4, count);
  write(port, EBDA.inCommand, 4, 0);
  write(port, EBDA.done, 4, 0);
  writeLong(port, EBDA.sector, sector);
  write(port, EBDA.buffer, 4, buffer);
  write(port, EBDA.packet, 4, packet);
  // What the caller did to the drive before comes to its end first.
  wait(port);
}

/** Gives the drive the command for the next sectors. */
function command(port: ProcessorPort): void {
  const base = read(port, EBDA.commandPort, 2);
  const sector = readLong(port, EBDA.sector);
  const count = Math.min(read(port, EBDA.left, 4), MOST);
  const extended = sector + count > LBA28_SECTORS;
  const part = (shift: number): number => Math.floor(sector / 2 ** shift) & 0xff;
  const top = extended ? 0 : part(24) & 0x0f;
  output(port, read(port, EBDA.statusPort, 2), NO_INTERRUPT);
  output(port, base + REGISTER.device, (read(port, EBDA.device, 1) & 0xf0) | top);
  const words: readonly (readonly [register: number, low: number, high: number])[] = [
    [REGISTER.count, count, 0],
    [REGISTER.low, part(0), part(24)],
    [REGISTER.mid, part(8), part(32)],
    [REGISTER.high, part(16), part(40)],
  ];
  for (const [register, low, high] of words) {
    if (extended) output(port, base + register, high);
    output(port, base + register, low);
  }
  const writing = read(port, EBDA.writing, 1) !== 0;
  const code = extended
    ? writing
      ? COMMAND.writeExtended
      : COMMAND.readExtended
    : writing
      ? COMMAND.write
      : COMMAND.read;
  output(port, base + REGISTER.status, code);
  write(port, EBDA.inCommand, 4, count);
  wait(port);
}

const WORDS = 128;

/** One sector between the drive and memory. */
function moveSector(port: ProcessorPort): void {
  const data = read(port, EBDA.commandPort, 2) + REGISTER.data;
  const buffer = read(port, EBDA.buffer, 4);
  const writing = read(port, EBDA.writing, 1) !== 0;
  for (let index = 0; index < WORDS; index++) {
    if (writing) output(port, data, read(port, buffer + 4 * index, 4), 4);
    else write(port, buffer + 4 * index, 4, input(port, data, 4));
  }
  write(port, EBDA.buffer, 4, buffer + 4 * WORDS);
  write(port, EBDA.left, 4, read(port, EBDA.left, 4) - 1);
  write(port, EBDA.inCommand, 4, read(port, EBDA.inCommand, 4) - 1);
  write(port, EBDA.done, 4, read(port, EBDA.done, 4) + 1);
  writeLong(port, EBDA.sector, readLong(port, EBDA.sector) + 1);
}

/** How many sectors were moved, where the caller looks for it. */
function finishTransfer(port: ProcessorPort, status: number): void {
  output(port, read(port, EBDA.statusPort, 2), NO_INTERRUPT & ~0x02);
  const packet = read(port, EBDA.packet, 4);
  const done = read(port, EBDA.done, 4);
  if (packet === 0) setByte(port, "al", done);
  else write(port, packet + PACKET.count, 2, done);
  finish(port, status);
}

/** The drive is no longer busy. */
export function diskGoesOn(port: ProcessorPort): void {
  const base = read(port, EBDA.commandPort, 2);
  const moved = read(port, EBDA.done, 4) > 0;
  const inCommand = read(port, EBDA.inCommand, 4);
  const status = input(port, base + REGISTER.status);
  if ((status & ATA.busy) !== 0) {
    wait(port);
    return;
  }
  if ((moved || inCommand > 0) && (status & (ATA.error | ATA.fault)) !== 0) {
    const protects = read(port, EBDA.writing, 1) !== 0 && (input(port, base + REGISTER.error) & ABORTED) !== 0;
    finishTransfer(port, protects ? STATUS.writeProtected : STATUS.controllerFailed);
    return;
  }
  if (inCommand > 0) {
    if ((status & ATA.request) === 0) {
      finishTransfer(port, STATUS.controllerFailed);
      return;
    }
    moveSector(port);
    // A drive that takes sectors is busy behind the last one, too.
    if (inCommand > 1 || read(port, EBDA.writing, 1) !== 0) {
      wait(port);
      return;
    }
  }
  if (read(port, EBDA.left, 4) > 0) command(port);
  else finishTransfer(port, STATUS.ok);
}

/** A function that is told the disk. */
const onDrive =
  (run: (port: ProcessorPort, drive: Drive) => void): Service =>
  (port) => {
    const drive = driveOf(port);
    if (drive === undefined) finish(port, STATUS.badCommand);
    else run(port, drive);
  };

/** The sector CX and DH name; undefined for one that is not there. */
function sectorOf(port: ProcessorPort, { heads, cylinders }: Drive): number | undefined {
  const cx = word(port, "cx");
  const cylinder = (cx >> 8) | ((cx & 0xc0) << 2);
  const sector = cx & 0x3f;
  const head = byte(port, "dh");
  if (sector === 0 || head >= heads || cylinder >= cylinders) return undefined;
  return (cylinder * heads + head) * SECTORS_PER_TRACK + sector - 1;
}

const transfer = (writing: boolean): Service =>
  onDrive((port, drive) => {
    const sector = sectorOf(port, drive);
    const count = byte(port, "al");
    if (count === 0 || count > MOST) {
      finish(port, STATUS.badCommand);
      return;
    }
    if (sector === undefined || sector + count > drive.sectors) {
      finish(port, STATUS.notFound);
      return;
    }
    const buffer = realAddress(selector(port, "es"), word(port, "bx"));
    start(port, drive, { writing, sector, count, buffer, packet: 0 });
  });

/** BIOSes keep the last cylinder for diagnostics and do not tell of it. */
const toldCylinders = ({ cylinders }: Drive): number => Math.max(1, cylinders - 1);

const parameters = onDrive((port, drive) => {
  const { heads } = drive;
  const last = toldCylinders(drive) - 1;
  setWord(port, "cx", ((last & 0xff) << 8) | ((last >> 2) & 0xc0) | SECTORS_PER_TRACK);
  setByte(port, "dh", heads - 1);
  setByte(port, "dl", read(port, BDA.diskCount, 1));
  setByte(port, "al", 0);
  finish(port, STATUS.ok);
});

/** AH: 3, a hard disk; CX:DX its sectors. */
const kindOfDisk = onDrive((port, drive) => {
  const sectors = drive.heads * toldCylinders(drive) * SECTORS_PER_TRACK;
  finish(port, STATUS.ok);
  setByte(port, "ah", 3);
  setWord(port, "cx", Math.floor(sectors / 0x1_0000));
  setWord(port, "dx", sectors);
});

// Extensions.

const SIGNATURE = 0x55aa;
/** Version 3.0 with access by packet, and without what is removable. */
const EXTENSIONS = { version: 0x30, access: 0x01 } as const;
/** Offsets in a packet. */
const PACKET = { size: 0, count: 2, offset: 4, segment: 6, sector: 8, length: 16 } as const;

const extensions = onDrive((port) => {
  if (word(port, "bx") !== SIGNATURE) {
    finish(port, STATUS.badCommand);
    return;
  }
  setWord(port, "bx", ((SIGNATURE & 0xff) << 8) | (SIGNATURE >> 8));
  setWord(port, "cx", EXTENSIONS.access);
  finish(port, STATUS.ok);
  setByte(port, "ah", EXTENSIONS.version);
});

const extendedTransfer = (writing: boolean): Service =>
  onDrive((port, drive) => {
    const packet = addressIn(port, "ds", word(port, "si"), PACKET.length, true);
    const count = read(port, packet + PACKET.count, 2);
    const sector = readLong(port, packet + PACKET.sector);
    if (read(port, packet + PACKET.size, 1) < PACKET.length || count === 0) {
      finish(port, STATUS.badCommand);
      return;
    }
    if (sector + count > drive.sectors) {
      finish(port, STATUS.notFound);
      return;
    }
    const buffer = realAddress(read(port, packet + PACKET.segment, 2), read(port, packet + PACKET.offset, 2));
    start(port, drive, { writing, sector, count, buffer, packet });
  });

const RESULT = { length: 26, flags: 2, cylinders: 4, heads: 8, track: 12, sectors: 16, bytes: 24 } as const;
/** The geometry is valid. */
const GEOMETRY_VALID = 0x02;
const PHYSICAL = { heads: 16, mostCylinders: 16_383 } as const;

const extendedParameters = onDrive((port, { sectors }) => {
  const result = addressIn(port, "ds", word(port, "si"), RESULT.length, true);
  if (read(port, result, 2) < RESULT.length) {
    finish(port, STATUS.badCommand);
    return;
  }
  const cylinders = Math.floor(sectors / (PHYSICAL.heads * SECTORS_PER_TRACK));
  write(port, result, 2, RESULT.length);
  write(port, result + RESULT.flags, 2, GEOMETRY_VALID);
  write(port, result + RESULT.cylinders, 4, Math.min(cylinders, PHYSICAL.mostCylinders));
  write(port, result + RESULT.heads, 4, PHYSICAL.heads);
  write(port, result + RESULT.track, 4, SECTORS_PER_TRACK);
  writeLong(port, result + RESULT.sectors, sectors);
  write(port, result + RESULT.bytes, 2, 512);
  finish(port, STATUS.ok);
});

const FUNCTIONS: Readonly<Record<number, Service>> = {
  0: onDrive((port) => finish(port, STATUS.ok)),
  1: (port) => finish(port, read(port, BDA.diskStatus, 1)),
  2: transfer(false),
  3: transfer(true),
  8: parameters,
  16: onDrive((port) => finish(port, STATUS.ok)),
  21: kindOfDisk,
  65: extensions,
  66: extendedTransfer(false),
  67: extendedTransfer(true),
  72: extendedParameters,
};

/** Functions that are not there have a status of their own here. */
export const disk: Service = (port) =>
  (FUNCTIONS[byte(port, "ah")] ?? ((other) => finish(other, STATUS.badCommand)))(port);
