/**
 * A PC's two IDE channels with up to two hard disks each, on the ports of old, and their bus masters where there is PCI.
 *
 * Manual: ATA/ATAPI-6, "Interface register definitions and descriptions"; Intel 82371SB (PIIX3) datasheet, "IDE Interface".
 */
import {
  type AtaChannelState,
  CONTROL,
  DEVICE,
  dataWord,
  READY,
  resetChannel,
  STATUS,
  selectedDrive,
  TICKS,
  withSignature,
  wordRead,
  wordWritten,
} from "./ata-channel.js";
import { startCommand } from "./ata-commands.js";
import { attachDrive } from "./ata-drive.js";
import type { BusDevice } from "./bus-device.js";
import { BMIS, BUS_MASTER_OFFSET, readBusMaster, writeBusMaster } from "./bus-master.js";
import type { ReadResult } from "./device.js";
import { NO_REACH } from "./guest-memory.js";

/** Register offsets: command and control blocks of both channels, and the bus masters. */
export const IDE_OFFSET = { command1: 0, command2: 8, control1: 16, control2: 17, busMaster: 32 } as const;
/** Interrupt pins by channel. */
export const IDE_PIN = { first: 0, second: 1 } as const;

/** Offsets in the command block. */
const REGISTER = { data: 0, error: 1, sectorCount: 2, lbaLow: 3, lbaMid: 4, lbaHigh: 5, device: 6, status: 7 } as const;

/** DD7 is pulled down and the rest floats where there is no drive. Spec: ATA/ATAPI-6, "Host requirements". */
const NOBODY = 0x7f;

export interface IdeState {
  readonly channels: readonly [AtaChannelState, AtaChannelState];
  /** Whether the channels can be masters of the bus. */
  readonly dma: boolean;
}

/** A disk as the machine has it. */
export interface AttachedDisk {
  /** Its number. */
  readonly disk: number;
  readonly size: number;
  readonly readOnly: boolean;
}

/** The drives in the order first master, first slave, second master, second slave. */
export function resetIde(disks: readonly AttachedDisk[], dma: boolean): IdeState {
  const drive = (place: number) => {
    const disk = disks[place];
    return disk === undefined ? null : attachDrive(disk.disk, disk.size, disk.readOnly);
  };
  const channel = (first: number): AtaChannelState => {
    const drives = [drive(first), drive(first + 1)] as const;
    const capable = dma ? (drives[0] === null ? 0 : 0x20) | (drives[1] === null ? 0 : 0x40) : 0;
    return resetChannel(drives, capable);
  };
  return { channels: [channel(0), channel(2)], dma };
}

export const ide: BusDevice<IdeState> = {
  name: "IDE",
  spec: 'ATA/ATAPI-6, "Interface register definitions and descriptions"; 82371SB datasheet, "IDE Interface"',

  reset: () => resetIde([], false),

  peek(state, offset, size): number {
    const { channel, register, block } = placeOf(offset);
    const chosen = state.channels[channel];
    if (block === "control") return size === 1 ? statusOf(chosen) : -1;
    // Reading Status or data changes something, unless there is nothing to change.
    if (block === "command" && size === 1 && register === REGISTER.status && !chosen.INTRQ) return statusOf(chosen);
    return -1;
  },

  read(state, offset, size, tick, reach = NO_REACH): ReadResult<IdeState> {
    const { channel, register, block } = placeOf(offset);
    const chosen = state.channels[channel];
    if (block === "command" && register === REGISTER.data) {
      let next = chosen;
      let value = 0;
      for (let at = 0; at < size; at += 2) {
        value += dataWord(next) * 2 ** (8 * at);
        next = wordRead(next, tick, reach);
      }
      return { state: withChannel(state, channel, next), value: size === 1 ? value & 0xff : value };
    }
    let next = state;
    let value = 0;
    for (let at = 0; at < size; at++) {
      const byte = readByte(next, offset + at);
      next = byte.state;
      value += byte.value * 2 ** (8 * at);
    }
    return { state: next, value };
  },

  write(state, offset, size, value, tick, reach = NO_REACH): IdeState {
    const { channel, register, block } = placeOf(offset);
    if (block === "command" && register === REGISTER.data) {
      let next = state.channels[channel];
      for (let at = 0; at < size; at += 2) next = wordWritten(next, Math.floor(value / 2 ** (8 * at)), tick, reach);
      return withChannel(state, channel, next);
    }
    let next = state;
    for (let at = 0; at < size; at++) {
      const byte = Math.floor(value / 2 ** (8 * at)) & 0xff;
      const place = placeOf(offset + at);
      const before = next.channels[place.channel];
      const after =
        place.block === "busMaster"
          ? writeBusMaster(before, place.register, byte, tick, reach)
          : place.block === "control"
            ? writeControl(before, byte, tick)
            : place.register === REGISTER.status
              ? startCommandIfThere(before, byte, tick, reach, state.dma)
              : writeRegister(before, place.register, byte);
      next = withChannel(next, place.channel, after);
    }
    return next;
  },

  advance(state, tick): IdeState {
    const [first, second] = state.channels;
    return withChannel(withChannel(state, 0, settled(first, tick)), 1, settled(second, tick));
  },

  nextEvent(state, tick): number {
    const due = ide.due!(state);
    return due > tick ? due : Number.POSITIVE_INFINITY;
  },

  due: ({ channels: [first, second] }) => Math.min(first.busyUntil, second.busyUntil),

  interrupt(state, pin: number = IDE_PIN.first): boolean {
    const channel = state.channels[pin as 0 | 1];
    return channel.INTRQ && (channel.DeviceControl & CONTROL.nIEN) === 0;
  },
};

interface Place {
  readonly channel: 0 | 1;
  readonly block: "command" | "control" | "busMaster";
  readonly register: number;
}

function placeOf(offset: number): Place {
  if (offset >= IDE_OFFSET.busMaster) {
    const second = offset >= IDE_OFFSET.busMaster + BUS_MASTER_OFFSET.length;
    return { channel: second ? 1 : 0, block: "busMaster", register: offset % BUS_MASTER_OFFSET.length };
  }
  if (offset >= IDE_OFFSET.control1)
    return { channel: offset === IDE_OFFSET.control1 ? 0 : 1, block: "control", register: 0 };
  return { channel: offset >= IDE_OFFSET.command2 ? 1 : 0, block: "command", register: offset % 8 };
}

function withChannel(state: IdeState, channel: 0 | 1, next: AtaChannelState): IdeState {
  const { channels, dma } = state;
  if (next === channels[channel]) return state;
  return { channels: channel === 0 ? [next, channels[1]] : [channels[0], next], dma };
}

/** The channel at a tick: what it was busy with is done. */
function settled(channel: AtaChannelState, tick: number): AtaChannelState {
  if (tick < channel.busyUntil) return channel;
  const { nextStatus: Status, nextINTRQ: INTRQ } = channel;
  const seen = INTRQ ? channel.BMIS | BMIS.interrupt : channel.BMIS;
  return { ...channel, Status, INTRQ, BMIS: seen, busyUntil: Number.POSITIVE_INFINITY };
}

/** Nobody drives the bus where no drive is; the first answers for a second that is not there. */
function statusOf(channel: AtaChannelState): number {
  if (selectedDrive(channel) !== null) return channel.Status;
  return channel.drives[0] === null && channel.drives[1] === null ? NOBODY : 0;
}

function readByte(state: IdeState, offset: number): ReadResult<IdeState> {
  const { channel, register, block } = placeOf(offset);
  const chosen = state.channels[channel];
  if (block === "busMaster") return { state, value: state.dma ? readBusMaster(chosen, register) : 0xff };
  if (block === "control") return { state, value: statusOf(chosen) };
  if (register === REGISTER.status) {
    const read = chosen.INTRQ ? { ...chosen, INTRQ: false } : chosen;
    return { state: withChannel(state, channel, read), value: statusOf(chosen) };
  }
  return { state, value: selectedDrive(chosen) === null ? statusOf(chosen) : registerValue(chosen, register) };
}

function registerValue(channel: AtaChannelState, register: number): number {
  const { Status, Device, DeviceControl } = channel;
  if ((Status & STATUS.BSY) !== 0) return Status;
  if (register === REGISTER.error) return channel.Error;
  if (register === REGISTER.device) return Device;
  const { SectorCount, LBALow, LBAMid, LBAHigh } = channel;
  const both = [0, 0, SectorCount, LBALow, LBAMid, LBAHigh][register] ?? 0;
  return ((DeviceControl & CONTROL.HOB) === 0 ? both : both >> 8) & 0xff;
}

/** What each register that LBA48 writes twice is called. */
const TWICE = [undefined, "Features", "SectorCount", "LBALow", "LBAMid", "LBAHigh"] as const;

function writeRegister(before: AtaChannelState, register: number, value: number): AtaChannelState {
  // While a command is under way writes are lost; a write makes the newest bytes readable again.
  if ((before.Status & (STATUS.BSY | STATUS.DRQ)) !== 0) return before;
  const channel = { ...before, DeviceControl: before.DeviceControl & ~CONTROL.HOB };
  if (register === REGISTER.device) return { ...channel, Device: value | DEVICE.obsolete };
  const name = TWICE[register];
  return name === undefined ? before : { ...channel, [name]: ((channel[name] << 8) | value) & 0xffff };
}

function startCommandIfThere(
  channel: AtaChannelState,
  code: number,
  tick: number,
  reach: Parameters<typeof startCommand>[3],
  dma: boolean,
): AtaChannelState {
  if ((channel.Status & (STATUS.BSY | STATUS.DRQ)) !== 0) return channel;
  const ready = { ...channel, DeviceControl: channel.DeviceControl & ~CONTROL.HOB };
  return channel.drives.every((drive) => drive === null) ? channel : startCommand(ready, code, tick, reach, dma);
}

/** Device Control: SRST resets both drives while it is set. */
function writeControl(channel: AtaChannelState, value: number, tick: number): AtaChannelState {
  const next: AtaChannelState = { ...channel, DeviceControl: value & (CONTROL.HOB | CONTROL.SRST | CONTROL.nIEN) };
  const was = (channel.DeviceControl & CONTROL.SRST) !== 0;
  const is = (value & CONTROL.SRST) !== 0;
  if (channel.drives.every((drive) => drive === null) || was === is) return next;
  const reset: AtaChannelState = {
    ...withSignature(next),
    transfer: null,
    INTRQ: false,
    Status: STATUS.BSY,
    nextStatus: READY,
    nextINTRQ: false,
  };
  return { ...reset, busyUntil: is ? Number.POSITIVE_INFINITY : tick + TICKS.reset };
}
