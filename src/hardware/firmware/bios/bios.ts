/**
 * A machine with a BIOS, as it is when the first sector of its first disk begins: vectors, data areas and ROM in memory, timer
 * and interrupt controllers set up, the processor in real mode at 0000:7C00 with DL naming the disk.
 * Manual: IBM PC/AT Technical Reference, "ROM BIOS"; "BIOS Boot Specification 1.01", "INT 19h".
 */
import { VirtlabError } from "../../../state/error.js";
import { writePages } from "../../../state/page-map.js";
import { MEBIBYTE, memoryMap } from "../../boot/memory-map.js";
import { afterReset } from "../../cpu/reset.js";
import { FLAG, realSegment } from "../../cpu/state.js";
import { portWrite } from "../../devices/bus.js";
import { MEMORY, PORT } from "../../devices/layout.js";
import { type FirmwareWrite, machineKind } from "../../devices/machines.js";
import { readDisk, SECTOR_SIZE } from "../../disk.js";
import type { MachineState } from "../../state.js";
import { withMemoryTypes } from "../memory-types.js";
import { type BiosDrive, dataAreas } from "./data-area.js";
import { biosEntries, biosRom, vectorTable } from "./rom.js";

const BOOT_SECTOR = 0x7c00;
const FIRST_DISK = 0x80;
const SIGNATURE = { offset: 510, bytes: [0x55, 0xaa] } as const;

const { interruptController1: pic1, interruptController2: pic2, timer } = PORT;
const WRITES: readonly FirmwareWrite[] = [
  ...[
    [pic1.base, 0x11],
    [pic1.base + 1, 0x08],
    [pic1.base + 1, 0x04],
    [pic1.base + 1, 0x01],
    [pic2.base, 0x11],
    [pic2.base + 1, 0x70],
    [pic2.base + 1, 0x02],
    [pic2.base + 1, 0x01],
  ].map(([port, value]) => ({ port: port!, value: value!, reason: "vectors 8 and 70 on, one behind the other" })),
  { port: pic1.base + 1, value: 0xf8, reason: "timer, keyboard and the second controller are let through" },
  { port: pic2.base + 1, value: 0xff, reason: "nothing of the second controller is" },
  { port: timer.base + 3, value: 0x36, reason: "counter 0: a square wave" },
  { port: timer.base, value: 0, reason: "of 65,536 clocks, 18.2 a second" },
  { port: timer.base, value: 0, reason: "and its high byte" },
];

/** @throws VirtlabError for a machine without a disk to start from, and for a disk that is not made to be started from. */
export function withBios(state: MachineState, name: string): MachineState {
  const { devices, disks = [] } = state;
  const { name: kind, tables } = machineKind(devices.config.machine);
  if (devices.vga === undefined || devices.ide === undefined)
    throw new VirtlabError(`${name}: a machine "${kind}" has no BIOS to start a disk with: it needs IDE and a VGA`);
  if (state.memorySize < MEBIBYTE) throw new VirtlabError(`${name}: a machine with a BIOS needs at least 1M of memory`);
  const drives = devices.ide.channels.flatMap((channel, number) =>
    channel.drives.flatMap((drive, slave) =>
      drive === null
        ? []
        : [{ channel: number as 0 | 1, slave: slave === 1, sectors: drive.sectors, disk: drive.disk }],
    ),
  );
  const first = drives[0];
  if (first === undefined) throw new VirtlabError(`${name}: there is no IDE disk to start from`);
  const sector = readDisk(disks[first.disk]!, 0, SECTOR_SIZE);
  if (!SIGNATURE.bytes.every((value, index) => sector[SIGNATURE.offset + index] === value))
    throw new VirtlabError(`${name}: offset 0x1fe: no 55 AA, so its first sector is no boot sector`);

  const { rom, memory } = contents(state, drives, tables.length > 0, sector);
  const { model, random } = state.cpu.system;
  const reset = afterReset(model, random);
  const segments = { ...reset.system.segments, cs: realSegment(0, 0x93) };
  return withMemoryTypes({
    ...state,
    cpu: {
      ...reset,
      edx: FIRST_DISK,
      esp: BOOT_SECTOR,
      eip: BOOT_SECTOR,
      eflags: reset.eflags | FLAG.IF,
      system: { ...reset.system, segments },
    },
    rom,
    memory,
    devices: WRITES.reduce((set, { port, value }) => portWrite(set, port, 1, value, 0), devices),
    supervisors: { bios: { kind: "bios", version: 1, entries: biosEntries() } },
  });
}

function contents(
  { memory, memorySize }: MachineState,
  drives: readonly BiosDrive[],
  hasTables: boolean,
  sector: Uint8Array,
): Pick<MachineState, "rom" | "memory"> {
  const { data, extended } = dataAreas(drives);
  const { biosRom: place } = MEMORY;
  const parts: readonly (readonly [address: number, bytes: Uint8Array])[] = [
    [MEMORY.realModeVectors.base, vectorTable()],
    [MEMORY.biosData.base, data],
    [BOOT_SECTOR, sector],
    [MEMORY.extendedBiosData.base, extended],
    [place.base, biosRom(memoryMap(memorySize, hasTables))],
  ];
  return {
    rom: [{ base: place.base, size: place.length }],
    memory: parts.reduce((pages, [address, bytes]) => writePages(pages, address, bytes), memory),
  };
}
