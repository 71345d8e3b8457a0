/** What a machine is before its first instruction: after reset, with a program, or with a ROM. */
import { VirtlabError } from "../../state/error.js";
import { parseMemorySize } from "../../state/memory-size.js";
import { type PageMap, writePages as writeBytes } from "../../state/page-map.js";
import { PAGE_SIZE } from "../../state/pages.js";
import { PersistentMap } from "../../state/persistent-map.js";
import { isBytes } from "../../state/plain-data.js";
import { checkedModel, type ModelName } from "../cpu/model.js";
import { checkedSeed, seedOf } from "../cpu/random.js";
import { afterReset } from "../cpu/reset.js";
import {
  ACCESS,
  CR0,
  CR4,
  EFER,
  flatProtectedMode,
  generalNames,
  realSegment,
  type SystemState,
} from "../cpu/state.js";
import { createDevices, type DeviceSetup } from "../devices/bus.js";
import { checkedProcessors, type ExtraDevice, type MachineName, machineKind } from "../devices/machines.js";
import type { DeviceConfig } from "../devices/port-map.js";
import type { DiskImage } from "../disk.js";
import { withBios } from "../firmware/bios/bios.js";
import { withMemoryTypes } from "../firmware/memory-types.js";
import { firmwareTables } from "../firmware/tables.js";
import { type MachineState, type RomRange, TURN_STEPS, type Turn } from "../state.js";
import { connectDisks, type DiskChoice } from "./disks.js";
import { loadImage } from "./image.js";
import type { LoadPlan } from "./load-plan.js";
import type { BootModule } from "./multiboot-info.js";

export interface CreateOptions {
  /** Kind of machine: which devices it has. Default "isapc". */
  readonly machine?: MachineName;
  /** Number of processors, each with a local APIC. Default 1; an "isapc" has no more. */
  readonly processors?: number;
  /** RAM: bytes, or text such as "64M". Default 64 MiB. */
  readonly memory?: number | string;
  /** Processor model. Default: "pentium2" for an isapc, "max" for the others. */
  readonly model?: ModelName;
  /** Time of day at the start, for the real-time clock: seconds since 1970-01-01 00:00:00 UTC. Default 2000-01-01. */
  readonly time?: number;
  /** First port of the debug-exit device, or null for none. Default 0xF4. */
  readonly debugExitPort?: number | null;
  /** Raw images of disks, which the machine copies: what it writes is part of its state alone. */
  readonly disks?: readonly (DiskImage | DiskChoice)[];
  /** Devices beside those that every machine of the kind has: "virtioRng" and "virtioConsole" for a pc. */
  readonly devices?: readonly ExtraDevice[];
  /**
   * What all random numbers of the machine follow from (RDRAND and RDSEED of each processor, the virtio entropy device): a
   * whole number from 0 to 2^64 - 1. The same seed makes the same machine. Default 0.
   */
  readonly seed?: number | bigint;
  /** Port of the debug console, or null for none. Default 0xE9. */
  readonly debugConsolePort?: number | null;
}

export interface BootOptions extends CreateOptions {
  /**
   * A multiboot 1 kernel (ELF or address fields), a Linux kernel (bzImage, or vmlinux with a PVH note), or a flat binary.
   * Without an image and a ROM the machine starts from the first sector of its first IDE disk, as a BIOS starts it.
   */
  readonly image?: Uint8Array;
  /** Name of the image or ROM for messages, and for the start of a kernel's command line. */
  readonly imageName?: string;
  /** The kernel's command line. */
  readonly append?: string;
  readonly modules?: readonly BootModule[];
  /** The file a Linux kernel finds as its first root. */
  readonly initrd?: Uint8Array;
  /** Where a bzImage is entered: in protected mode (32, the default) or in 64-bit mode. */
  readonly entry?: 32 | 64;
  /** "real": the image is a flat binary that starts in real mode at 0000:7C00, as a boot sector does. */
  readonly mode?: "real";
  /**
   * Instead of an image: a ROM, in whole pages. It ends at 4 GiB, its last 128 KiB also at 1 MiB, and the processor
   * starts in it as after reset, in real mode at F000:FFF0.
   */
  readonly rom?: Uint8Array;
}

/** The first processor begins; the others wait to be started. */
function firstTurn(processors: number, model: ModelName, seed: bigint): Turn {
  const others = Array.from({ length: processors - 1 }, (_, index) => afterReset(model, seedOf(seed, index + 1)));
  return { processor: 0, left: TURN_STEPS, others, steps: Array.from({ length: processors }, () => 0) };
}

/** A machine without a program: 32-bit protected mode with flat segments, EIP 0, memory all zeros. */
export function createState(options: CreateOptions): MachineState {
  const { machine, processors = 1, memory, model, time, debugExitPort, debugConsolePort } = options;
  const { disks = [], devices = [] } = options;
  const seed = checkedSeed(options.seed);
  const kind = machineKind(machine);
  const connected = connectDisks(kind, disks);
  const config: DeviceConfig = {
    machine: kind.name,
    processors: checkedProcessors(processors, kind),
    extra: [...new Set([...devices, ...connected.extra])],
    ...(debugConsolePort === null ? {} : { debugConsolePort: debugConsolePort ?? 0xe9 }),
    ...(debugExitPort === null ? {} : { debugExitPort: debugExitPort ?? 0xf4 }),
  };
  const system = { ...flatProtectedMode.system, model: checkedModel(model ?? kind.model), random: seedOf(seed, 0) };
  const memorySize = parseMemorySize(memory ?? "64M");
  const setup: DeviceSetup = {
    memorySize,
    disks: connected.ide,
    virtioDisk: connected.virtio,
    seed,
    ...(time === undefined ? {} : { time }),
  };
  return {
    cpu: { ...flatProtectedMode, system },
    ...(processors === 1 ? {} : { turn: firstTurn(processors, system.model, seed) }),
    memorySize,
    rom: [],
    memory: withTables(config, system.model),
    devices: createDevices(config, setup),
    steps: 0,
    ticks: 0,
    counts: { repeats: 0, exceptions: 0, interrupts: 0, portReads: 0, portWrites: 0 },
    shutdown: false,
    ...(connected.disks.length === 0 ? {} : { disks: connected.disks }),
  };
}

/** Memory with nothing in it but what firmware leaves for systems to find. */
function withTables(config: DeviceConfig, model: ModelName): PageMap {
  const tables = firmwareTables(config, model);
  return tables.reduce((memory, { address, bytes }) => writeBytes(memory, address, bytes), NOTHING);
}

const NOTHING: PageMap = PersistentMap.empty();

/** @throws VirtlabError naming the image, ROM or disk, the offset and the reason when it cannot be loaded. */
export function bootState(options: BootOptions): MachineState {
  const { image, rom, mode, disks = [] } = options;
  if (image === undefined && rom === undefined && disks.length > 0) return fromDisk(options);
  if ((image === undefined) === (rom === undefined))
    throw new VirtlabError("boot: give either an image or a ROM (image, rom), or disks to start from");
  if (rom !== undefined) refuseForKernels(options, "a ROM");
  if (mode === "real") refuseForKernels(options, "a boot sector");
  const state = createState(options);
  if (rom !== undefined) return withRom(state, rom, options.imageName ?? "rom");
  if (mode === undefined) return withImage(state, options, image!);
  if (mode !== "real") throw new VirtlabError(`boot: mode "${String(mode)}" is unknown (there is "real", or none)`);
  return withBootSector(state, image!, options.imageName ?? "image");
}

/** What only a kernel is given. */
function refuseForKernels({ append, modules = [], initrd, entry }: BootOptions, who: string): void {
  const given: readonly (readonly [what: string, is: boolean])[] = [
    ["a command line", append !== undefined && append !== ""],
    ["modules", modules.length > 0],
    ["an initrd", initrd !== undefined],
    ["an entry point", entry !== undefined],
  ];
  const what = given.find(([, is]) => is)?.[0];
  if (what !== undefined) throw new VirtlabError(`boot: ${who} cannot be given ${what}`);
}

/** A machine that starts from its first disk has a screen, because its BIOS writes there. */
function fromDisk(options: BootOptions): MachineState {
  const { devices = [], disks = [], mode } = options;
  refuseForKernels(options, "a machine that starts from its disk");
  if (mode !== undefined) throw new VirtlabError("boot: a machine that starts from its disk cannot be given a mode");
  const { extras } = machineKind(options.machine);
  const state = createState({ ...options, devices: extras.includes("vga") ? [...devices, "vga"] : devices });
  const [first] = disks;
  const name = first !== undefined && "image" in first ? first.name : undefined;
  return withBios(state, name ?? "disk 0");
}

function withImage(state: MachineState, options: BootOptions, image: Uint8Array): MachineState {
  const { imageName, append, modules, initrd, entry } = options;
  const plan = loadImage({
    image,
    memorySize: state.memorySize,
    model: state.cpu.system.model,
    firmwareTables: machineKind(options.machine).tables.length > 0,
    ...(imageName === undefined ? {} : { imageName }),
    ...(append === undefined ? {} : { append }),
    ...(modules === undefined ? {} : { modules }),
    ...(initrd === undefined ? {} : { initrd }),
    ...(entry === undefined ? {} : { entry }),
  });
  return withPlan(state, plan);
}

/** The machine with what a plan loads, in front of its first instruction. */
export function withPlan(state: MachineState, plan: LoadPlan): MachineState {
  let { memory } = state;
  for (const { address, bytes } of plan.segments) memory = writeBytes(memory, address, bytes);
  const registers = Object.fromEntries(generalNames.map((name) => [name, plan.registers[name] | 0]));
  const { system } = state.cpu;
  const described = withDescriptors(system, plan.descriptors);
  const entered = plan.pageMap === undefined ? described : inLongMode(described, plan.pageMap);
  const cpu = { ...state.cpu, ...registers, eip: plan.entry | 0, system: entered };
  const loaded = { ...state, memory, cpu };
  return plan.kind === "linux" || plan.kind === "pvh" ? withMemoryTypes(loaded) : loaded;
}

/** In 64-bit mode with these page tables. Spec: SDM Vol. 3A, "Initializing IA-32e Mode". */
function inLongMode(system: SystemState, pageMap: number): SystemState {
  const { cs } = system.segments;
  const access = (cs.access & ~ACCESS.BIG) | ACCESS.LONG;
  return {
    ...system,
    cr0: system.cr0 | CR0.PG,
    cr3: pageMap,
    cr4: system.cr4 | CR4.PAE,
    efer: system.efer | EFER.LME | EFER.LMA,
    segments: { ...system.segments, cs: { ...cs, access } },
  };
}

/** The same flat segments, from the table an image may count on. */
function withDescriptors(system: SystemState, descriptors: LoadPlan["descriptors"]): SystemState {
  if (descriptors === undefined) return system;
  const { table, code, data } = descriptors;
  const { cs, ds } = system.segments;
  const flat = { ...ds, selector: data };
  const segments = { es: flat, cs: { ...cs, selector: code }, ss: flat, ds: flat, fs: flat, gs: flat };
  return { ...system, gdtr: table, segments };
}

const BOOT_SECTOR = 0x7c00;
/** What of a ROM lies below 1 MiB. */
const LOW_ROM = 128 * 1024;
const MIB = 2 ** 20;
const GIB4 = 2 ** 32;

function withBootSector(state: MachineState, image: Uint8Array, name: string): MachineState {
  if (!isBytes(image) || image.length === 0) throw new VirtlabError(`${name}: expected a Uint8Array with a program`);
  const end = BOOT_SECTOR + image.length;
  if (end > Math.min(state.memorySize, MIB))
    throw new VirtlabError(`${name}: ${image.length} bytes from 0x7c00 reach beyond memory below 1 MiB`);
  const { model, random } = state.cpu.system;
  const reset = afterReset(model, random);
  const segments = { ...reset.system.segments, cs: realSegment(0, 0x93) };
  const cpu = { ...reset, edx: 0, esp: BOOT_SECTOR, eip: BOOT_SECTOR, system: { ...reset.system, segments } };
  return { ...state, cpu, memory: writeBytes(state.memory, BOOT_SECTOR, image) };
}

function withRom(state: MachineState, rom: Uint8Array, name: string): MachineState {
  if (!isBytes(rom)) throw new VirtlabError(`${name}: expected a ROM as a Uint8Array`);
  if (rom.length === 0 || rom.length % PAGE_SIZE !== 0 || rom.length > 16 * MIB)
    throw new VirtlabError(
      `${name}: ${rom.length} bytes are no ROM: it has to be whole pages of 4 KiB, 16 MiB at the most`,
    );
  if (state.memorySize < MIB) throw new VirtlabError(`${name}: a machine with a ROM needs at least 1M of memory`);
  const low = rom.subarray(Math.max(0, rom.length - LOW_ROM));
  const ranges: readonly RomRange[] = [
    { base: MIB - low.length, size: low.length },
    { base: GIB4 - rom.length, size: rom.length },
  ];
  const memory = writeBytes(writeBytes(state.memory, ranges[0]!.base, low), ranges[1]!.base, rom);
  const { model, random } = state.cpu.system;
  return { ...state, cpu: afterReset(model, random), rom: ranges, memory };
}
