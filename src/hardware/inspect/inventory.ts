/**
 * What software finds when it looks for hardware: PCI functions through the configuration ports, CPUID leaf by leaf as the
 * instruction gives them, the memory map that loaders hand over and what answers in it; and what of that two machines have not in common.
 * Spec: PCI Local Bus Specification 2.2, "Configuration Space Organization"; SDM Vol. 2A, "CPUID—CPU Identification"; ACPI
 * Specification, "System Address Map Interfaces".
 */
import { AVAILABLE, memoryMap } from "../boot/memory-map.js";
import { type Feature, type FlagWord, features } from "../cpu/features.js";
import { models } from "../cpu/model.js";
import { ACCESS, type CpuState, EFER, flatProtectedMode } from "../cpu/state.js";
import { MEMORY, PORT } from "../devices/layout.js";
import { machineKind } from "../devices/machines.js";
import { baseOf, MEMORY_MAP } from "../devices/memory-map.js";
import { PCI_FUNCTIONS } from "../devices/pci-functions.js";
import { decode } from "../isa/decoder.js";
import { type Machine, stateOf } from "../machine.js";
import { deepFreeze } from "../machine-content.js";
import type { MachineState } from "../state.js";
import { VirtualBoard, VirtualProcessor } from "../virtual-processor/index.js";

/** Where a thing was found. */
export type InventoryKind = "PCI" | "CPUID" | "CPUID flag" | "memory";

/** One thing that was found. Two are the same thing if all of this is the same. */
export interface InventoryItem {
  readonly kind: InventoryKind;
  /** Bus, slot and function; the leaf, with its subleaf behind a point; the flag's place; the addresses. */
  readonly name: string;
  readonly value: string;
}

/** What two machines have not in common. */
export interface InventoryDifference {
  /** Things of the first alone, and of the second alone; what both have under one name with other values is in both. */
  readonly first: readonly InventoryItem[];
  readonly second: readonly InventoryItem[];
  /** How many things are the same in both. */
  readonly common: number;
}

const hex = (value: number, digits: number): string => (value >>> 0).toString(16).padStart(digits, "0");
/** Addresses go beyond 32 bits. */
const address = (value: number): string => value.toString(16).padStart(8, "0");

/** Software looks for hardware without changing any. */
const NO_MEMORY = { has: () => false, read: () => 0, write() {} };
const boardOf = ({ devices, ticks, turn }: MachineState): VirtualBoard =>
  new VirtualBoard({ devices, tick: ticks, processor: turn?.processor ?? 0 }, NO_MEMORY);

// ---- PCI ----------------------------------------------------------------------------------------------------------

const SLOTS = 32;
const FUNCTIONS = 8;
const BARS = 6;
const REGISTER = { id: 0x00, command: 0x04, classCode: 0x08, headerType: 0x0c, bar: 0x10, interrupt: 0x3c } as const;
const NOTHING = 0xffff_ffff;
const SEVERAL_FUNCTIONS = 0x80_0000;

type Config = (register: number, write?: number) => number;

/** The configuration space of a function of bus 0. */
const configOf =
  (board: VirtualBoard, slot: number, number: number): Config =>
  (register, write) => {
    board.portWrite(PORT.pciAddress.base, 4, (0x8000_0000 | (slot << 11) | (number << 8) | register) >>> 0);
    if (write !== undefined) board.portWrite(PORT.pciData.base, 4, write);
    return board.portRead(PORT.pciData.base, 4);
  };

/** The ranges of a function, their sizes found as systems find them: by writing ones. Spec: PCI 2.2, "Base Addresses". */
function ranges(config: Config): string[] {
  return Array.from({ length: BARS }, (_, bar) => REGISTER.bar + 4 * bar).flatMap((register, bar) => {
    const base = config(register);
    const mask = config(register, NOTHING);
    config(register, base);
    if (mask === 0) return [];
    const isPort = (base & 1) !== 0;
    const low = isPort ? 3 : 15;
    const size = -(mask & ~low) >>> 0;
    return [`BAR${bar} ${isPort ? "ports" : "memory"} ${hex(base & ~low, isPort ? 4 : 8)}, ${size} bytes`];
  });
}

function functionAt(board: VirtualBoard, slot: number, number: number): InventoryItem | undefined {
  const config = configOf(board, slot, number);
  const id = config(REGISTER.id);
  if (id === NOTHING) return undefined;
  const known = PCI_FUNCTIONS.find((one) => one.slot === slot && one.number === number);
  const interrupt = config(REGISTER.interrupt);
  const parts = [
    `${hex(id & 0xffff, 4)}:${hex(id >>> 16, 4)}`,
    ...(known === undefined ? [] : [known.about]),
    `class ${hex(config(REGISTER.classCode) >>> 8, 6)}`,
    ...ranges(config),
    ...((interrupt & 0xff00) === 0 ? [] : [`interrupt line ${interrupt & 0xff}`]),
  ];
  return { kind: "PCI", name: `00:${hex(slot, 2)}.${number}`, value: parts.join("; ") };
}

function pciFunctions(state: MachineState): InventoryItem[] {
  const board = boardOf(state);
  return Array.from({ length: SLOTS }, (_, slot) => slot).flatMap((slot) => {
    const first = functionAt(board, slot, 0);
    if (first === undefined) return [];
    const several = (configOf(board, slot, 0)(REGISTER.headerType) & SEVERAL_FUNCTIONS) !== 0;
    const others = Array.from({ length: several ? FUNCTIONS - 1 : 0 }, (_, index) =>
      functionAt(board, slot, index + 1),
    );
    return [first, ...others].filter((one) => one !== undefined);
  });
}

// ---- CPUID --------------------------------------------------------------------------------------------------------

/** [EAX, EBX, ECX, EDX], unsigned. */
type Leaf = readonly [eax: number, ebx: number, ecx: number, edx: number];

const EXTENDED = 0x8000_0000;
const CPUID = [0x0f, 0xa2] as const;
/** Leaves that have subleaves. Spec: SDM Vol. 2A, "CPUID—CPU Identification", leaves 04H, 07H and 0BH. */
const SUBLEAVES: readonly number[] = [4, 7, 11];
const MOST_SUBLEAVES = 8;

/** In 64-bit code where the model has any: what it announces only there is announced. */
function askingProcessor({ cpu }: MachineState): CpuState {
  const { model } = cpu.system;
  const { system } = flatProtectedMode;
  if (!models[model].features.has("LM")) return { ...flatProtectedMode, system: { ...system, model } };
  const { cs } = system.segments;
  const long = { ...cs, access: (cs.access & ~ACCESS.BIG) | ACCESS.LONG };
  const efer = EFER.LME | EFER.LMA;
  return { ...flatProtectedMode, system: { ...system, model, efer, segments: { ...system.segments, cs: long } } };
}

/** CPUID of a machine's processor. */
function asking(state: MachineState): (leaf: number, subleaf: number) => Leaf {
  const cpu = askingProcessor(state);
  const board = boardOf(state);
  const instruction = decode((index) => CPUID[index] ?? 0, 0, 32);
  return (leaf, subleaf) => {
    const processor = new VirtualProcessor({ ...cpu, eax: leaf | 0, ecx: subleaf | 0 }, board);
    processor.execute(instruction);
    const { eax, ebx, ecx, edx } = processor.cpu;
    return [eax >>> 0, ebx >>> 0, ecx >>> 0, edx >>> 0];
  };
}

const isEmpty = (leaf: Leaf): boolean => leaf.every((register) => register === 0);

function subleavesOf(ask: (subleaf: number) => Leaf, leaf: number): readonly (readonly [string, Leaf])[] {
  const name = hex(leaf, 8);
  if (!SUBLEAVES.includes(leaf)) return [[name, ask(0)]];
  const found: [string, Leaf][] = [];
  for (let subleaf = 0; subleaf < MOST_SUBLEAVES; subleaf++) {
    const answer = ask(subleaf);
    // Of the topology a level of type 0 is no level.
    if (isEmpty(answer) || (leaf === 11 && (answer[2] & 0xff00) === 0)) break;
    found.push([`${name}.${subleaf}`, answer]);
  }
  return found;
}

const REGISTERS = ["eax", "ebx", "ecx", "edx"] as const;
const leafOf: Readonly<Record<string, number>> = {
  "1": 1,
  "7": 7,
  extended1: EXTENDED + 1,
  extended7: EXTENDED + 7,
  extended10: EXTENDED + 10,
};

/** Leaf and register that have a word of flags. */
function placeOf(word: FlagWord): { readonly leaf: number; readonly register: number } {
  const [leaf, register] = word.split(".") as [string, (typeof REGISTERS)[number]];
  return { leaf: leafOf[leaf]!, register: REGISTERS.indexOf(register) };
}

function cpuid(state: MachineState): InventoryItem[] {
  const ask = asking(state);
  const lasts = [0, EXTENDED].map((first) => [first, ask(first, 0)[0]] as const);
  const numbers = lasts.flatMap(([first, last]) =>
    last < first || last > first + 0xff ? [] : Array.from({ length: last - first + 1 }, (_, index) => first + index),
  );
  const leaves = numbers.flatMap((leaf) => subleavesOf((subleaf) => ask(leaf, subleaf), leaf));
  const flags = (Object.keys(features) as Feature[]).flatMap((name): InventoryItem[] => {
    const { flag } = features[name];
    if (flag === undefined) return [];
    const [word, bit] = flag;
    const { leaf, register } = placeOf(word);
    if (!numbers.includes(leaf) || ((ask(leaf, 0)[register]! >>> bit) & 1) === 0) return [];
    return [{ kind: "CPUID flag", name: `${hex(leaf, 8)} ${REGISTERS[register]} ${bit}`, value: name }];
  });
  return [
    ...leaves.map(([name, leaf]): InventoryItem => {
      return { kind: "CPUID", name, value: leaf.map((register) => hex(register, 8)).join(" ") };
    }),
    ...flags,
  ];
}

// ---- memory -------------------------------------------------------------------------------------------------------

const range = (base: number, length: number, value: string): InventoryItem => ({
  kind: "memory",
  name: `${address(base)}-${address(base + length - 1)}`,
  value,
});

/** What the map of loaders and BIOS says, ROM, and registers of devices. */
function memory({ memorySize, rom, devices }: MachineState): InventoryItem[] {
  const hasTables = machineKind(devices.config.machine).tables.length > 0;
  const map = memoryMap(memorySize, hasTables).map(({ base, length, type }) =>
    range(base, length, type === AVAILABLE ? "E820 available" : "E820 reserved"),
  );
  const roms = rom.map(({ base, size }) => range(base, size, "ROM"));
  const registers = MEMORY_MAP.flatMap((one) => {
    const base = baseOf(one, devices);
    return base < 0 ? [] : [range(base, one.length, `registers of ${one.device}`)];
  });
  const { base, length } = MEMORY.localApic;
  const local = devices.apic === undefined ? [] : [range(base, length, "registers of the local APIC")];
  return [...map, ...roms, ...registers, ...local];
}

/** What software finds on a machine, which stays as it is. */
export function inventory(machine: Machine): readonly InventoryItem[] {
  const state = stateOf(machine);
  const pci = state.devices.pci === undefined ? [] : pciFunctions(state);
  return deepFreeze([...pci, ...cpuid(state), ...memory(state)]);
}

const keyOf = ({ kind, name, value }: InventoryItem): string => `${kind}|${name}|${value}`;

/** What software finds on one of two machines and not on the other. */
export function inventoryDifference(a: Machine, b: Machine): InventoryDifference {
  const [first, second] = [inventory(a), inventory(b)];
  const [inFirst, inSecond] = [new Set(first.map(keyOf)), new Set(second.map(keyOf))];
  return deepFreeze({
    first: first.filter((item) => !inSecond.has(keyOf(item))),
    second: second.filter((item) => !inFirst.has(keyOf(item))),
    common: first.filter((item) => inSecond.has(keyOf(item))).length,
  });
}
