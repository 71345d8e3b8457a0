/**
 * The commands of an ATA hard disk, by code. A code that is not here ends with ABRT, as the standard wants it.
 *
 * Left out on purpose: what no hard disk needs to boot: security, SMART, queued commands, host protected area, power
 * states that are told apart, ATAPI.
 *
 * Manual: ATA/ATAPI-6, "Command descriptions".
 */
import {
  type AtaChannelState,
  busy,
  DEVICE,
  ERROR,
  failed,
  selectedDrive,
  startBlock,
  startData,
  TICKS,
  withSignature,
} from "./ata-channel.js";
import { type AtaDriveState, identifyData, LBA28_SECTORS, lbaOf, MOST_MULTIPLE } from "./ata-drive.js";
import { startDma } from "./bus-master.js";
import type { Reach } from "./guest-memory.js";

/** What a command works on. */
interface Call {
  readonly channel: AtaChannelState;
  readonly drive: AtaDriveState;
  readonly tick: number;
  readonly reach: Reach;
  /** Whether the channel can be a master of the bus. */
  readonly dma: boolean;
}

interface AtaCommand {
  readonly name: string;
  /** Of a command that moves sectors: how. */
  readonly moves?: SectorCommand;
  readonly run: (call: Call) => AtaChannelState;
}

const done = ({ channel, tick }: Call): AtaChannelState => busy(channel, tick, TICKS.command);
const abort = ({ channel, tick }: Call): AtaChannelState => failed(channel, tick, ERROR.ABRT);

/** The channel with the selected drive replaced. */
function withDrive(channel: AtaChannelState, drive: AtaDriveState): AtaChannelState {
  const [first, second] = channel.drives;
  return { ...channel, drives: (channel.Device & DEVICE.DEV) === 0 ? [drive, second] : [first, drive] };
}

/** First sector and number of sectors a command names. */
function addressed({ channel, drive }: Call, extended: boolean): { readonly lba: number; readonly count: number } {
  const { SectorCount, LBALow, LBAMid, LBAHigh, Device } = channel;
  const low = (LBALow & 0xff) | ((LBAMid & 0xff) << 8) | ((LBAHigh & 0xff) << 16);
  if (extended) {
    const high = (LBALow >> 8) | (LBAMid & 0xff00) | ((LBAHigh & 0xff00) << 8);
    return { lba: high * 2 ** 24 + low, count: SectorCount === 0 ? 0x1_0000 : SectorCount };
  }
  const count = (SectorCount & 0xff) === 0 ? 0x100 : SectorCount & 0xff;
  const head = Device & DEVICE.head;
  if ((Device & DEVICE.LBA) !== 0) return { lba: head * 2 ** 24 + low, count };
  return { lba: lbaOf(drive, (LBAMid & 0xff) | ((LBAHigh & 0xff) << 8), head, LBALow & 0xff), count };
}

/** How a command moves sectors: to the disk, with addresses of 48 bits, in blocks, by the bus master. */
export interface SectorCommand {
  readonly write?: boolean;
  readonly extended?: boolean;
  readonly multiple?: boolean;
  readonly dma?: boolean;
}

/** A command that moves sectors. */
function sectors(name: string, how: SectorCommand): AtaCommand {
  const { write = false, extended = false, multiple = false, dma = false } = how;
  const run = (call: Call): AtaChannelState => {
    const { channel, drive, tick, reach } = call;
    if ((write && drive.readOnly) || (multiple && drive.multiple === 0) || (dma && !call.dma)) return abort(call);
    const { lba, count } = addressed(call, extended);
    if (lba < 0 || lba + count > drive.sectors) return failed(channel, tick, ERROR.IDNF);
    if (dma) return startDma(channel, { write, lba, block: count }, tick, reach);
    const block = multiple ? drive.multiple : 1;
    return startBlock(channel, drive, { lba, left: count, multiple: block, write }, tick, reach, true);
  };
  return { name, moves: how, run };
}

/** A command that looks whether sectors are there. */
const verify = (name: string, extended: boolean): AtaCommand => ({
  name,
  run: (call) => {
    const { lba, count } = addressed(call, extended);
    return lba < 0 || lba + count > call.drive.sectors ? failed(call.channel, call.tick, ERROR.IDNF) : done(call);
  },
});

/** Puts the last address of the drive into the registers. */
const nativeMax = (name: string, extended: boolean): AtaCommand => ({
  name,
  run: (call) => {
    const last = Math.min(call.drive.sectors, extended ? Number.POSITIVE_INFINITY : LBA28_SECTORS) - 1;
    const byte = (number: number): number => Math.floor(last / 256 ** number) % 256;
    const both = (low: number): number => (extended ? byte(low + 3) << 8 : 0) | byte(low);
    const Device = extended ? call.channel.Device : (call.channel.Device & ~DEVICE.head) | byte(3);
    return done({ ...call, channel: { ...call.channel, LBALow: both(0), LBAMid: both(1), LBAHigh: both(2), Device } });
  },
});

/** Spec: ATA/ATAPI-6, "SET FEATURES"; the value of subcommand 0x03 is in Sector Count. */
const FEATURES: { readonly [subcommand: number]: (drive: AtaDriveState, value: number) => AtaDriveState } = {
  2: (drive) => ({ ...drive, writeCache: true }),
  3: (drive, transferMode) => ({ ...drive, transferMode }),
  85: (drive) => drive, // read look-ahead off
  102: (drive) => drive, // keep settings over a reset
  130: (drive) => ({ ...drive, writeCache: false }),
  170: (drive) => drive, // read look-ahead on
  204: (drive) => drive, // power-on settings after a reset
};

const simple = (name: string): AtaCommand => ({ name, run: done });

const COMMANDS: { readonly [code: number]: AtaCommand } = {
  32: sectors("READ SECTOR(S)", {}),
  33: sectors("READ SECTOR(S) without retries", {}),
  36: sectors("READ SECTOR(S) EXT", { extended: true }),
  37: sectors("READ DMA EXT", { extended: true, dma: true }),
  39: nativeMax("READ NATIVE MAX ADDRESS EXT", true),
  41: sectors("READ MULTIPLE EXT", { extended: true, multiple: true }),
  48: sectors("WRITE SECTOR(S)", { write: true }),
  49: sectors("WRITE SECTOR(S) without retries", { write: true }),
  52: sectors("WRITE SECTOR(S) EXT", { write: true, extended: true }),
  53: sectors("WRITE DMA EXT", { write: true, extended: true, dma: true }),
  57: sectors("WRITE MULTIPLE EXT", { write: true, extended: true, multiple: true }),
  64: verify("READ VERIFY SECTOR(S)", false),
  65: verify("READ VERIFY SECTOR(S) without retries", false),
  66: verify("READ VERIFY SECTOR(S) EXT", true),
  112: verify("SEEK", false),
  145: {
    name: "INITIALIZE DEVICE PARAMETERS",
    run: (call) => {
      const { channel, drive } = call;
      const heads = (channel.Device & DEVICE.head) + 1;
      return done({
        ...call,
        channel: withDrive(channel, { ...drive, heads, sectorsPerTrack: channel.SectorCount & 0xff }),
      });
    },
  },
  196: sectors("READ MULTIPLE", { multiple: true }),
  197: sectors("WRITE MULTIPLE", { write: true, multiple: true }),
  198: {
    name: "SET MULTIPLE MODE",
    run: (call) => {
      const multiple = call.channel.SectorCount & 0xff;
      if (multiple > MOST_MULTIPLE || (multiple & (multiple - 1)) !== 0) return abort(call);
      return done({ ...call, channel: withDrive(call.channel, { ...call.drive, multiple }) });
    },
  },
  200: sectors("READ DMA", { dma: true }),
  201: sectors("READ DMA without retries", { dma: true }),
  202: sectors("WRITE DMA", { write: true, dma: true }),
  203: sectors("WRITE DMA without retries", { write: true, dma: true }),
  224: simple("STANDBY IMMEDIATE"),
  225: simple("IDLE IMMEDIATE"),
  226: simple("STANDBY"),
  227: simple("IDLE"),
  229: {
    name: "CHECK POWER MODE",
    // 0xFF: active or idle.
    run: (call) => done({ ...call, channel: { ...call.channel, SectorCount: 0xff } }),
  },
  231: simple("FLUSH CACHE"),
  234: simple("FLUSH CACHE EXT"),
  236: {
    name: "IDENTIFY DEVICE",
    run: ({ channel, drive, tick, dma }) => startData(channel, identifyData(drive, dma), tick),
  },
  239: {
    name: "SET FEATURES",
    run: (call) => {
      const { channel, drive } = call;
      const change = FEATURES[channel.Features & 0xff];
      if (change === undefined) return abort(call);
      return done({ ...call, channel: withDrive(channel, change(drive, channel.SectorCount & 0xff)) });
    },
  },
  248: nativeMax("READ NATIVE MAX ADDRESS", false),
};

/** Both drives diagnose themselves, whichever is selected. */
const EXECUTE_DEVICE_DIAGNOSTIC = 0x90;
/** RECALIBRATE has sixteen codes, all of them of long ago. */
const RECALIBRATE = 0x10;

/** Name of a command by its code, for people. */
export const commandName = (code: number): string | undefined => COMMANDS[code]?.name;

/** How a command moves sectors, by its code; undefined where it moves none. */
export const sectorCommand = (code: number): SectorCommand | undefined => COMMANDS[code]?.moves;

/** A write to the Command register of a channel that has the selected drive. */
export function startCommand(
  channel: AtaChannelState,
  code: number,
  tick: number,
  reach: Reach,
  dma: boolean,
): AtaChannelState {
  const started: AtaChannelState = { ...channel, Error: 0, transfer: null, INTRQ: false };
  if (code === EXECUTE_DEVICE_DIAGNOSTIC) return busy(withSignature(started), tick, TICKS.command);
  const drive = selectedDrive(channel);
  if (drive === null) return channel;
  const call: Call = { channel: started, drive, tick, reach, dma };
  if ((code & 0xf0) === RECALIBRATE) return done(call);
  return (COMMANDS[code]?.run ?? abort)(call);
}
