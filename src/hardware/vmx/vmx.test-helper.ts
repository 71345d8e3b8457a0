/** A processor that is a few variables and a map of memory, with a VMCS that VM entry accepts. */
import type { DeliveredEvent } from "../cpu/guest-operation.js";
import type { ModelName } from "../cpu/model.js";
import type { Between, ProcessorPort } from "../cpu/processor.js";
import {
  CR0,
  CR4,
  codeBitsOf,
  cplOf,
  EFER,
  FLAG,
  flatProtectedMode,
  isLong,
  modeOf,
  noEvents,
  type Segment,
  type SystemState,
} from "../cpu/state.js";
import { FEATURE_CONTROL } from "./capabilities.js";
import { type ControlWord, controlWords } from "./controls.js";
import { type FieldName, fieldNames, fields } from "./fields.js";
import { vmxGuest } from "./guest.js";
import { vmptrld, vmxon } from "./instructions.js";
import { REVISION, readField, writeField } from "./vmcs.js";

export const AT = {
  region: 0x1000,
  vmcs: 0x2000,
  other: 0x3000,
  pdpt: 0x4000,
  bitmaps: 0x10000,
  msrs: 0x20000,
} as const;

export interface TestPort extends ProcessorPort {
  readonly memory: Map<number, number>;
  injected: DeliveredEvent | undefined;
  flushes: number;
  time: bigint;
  eip: number;
  /** The numbers of the general registers that were set, and their halves. */
  readonly registers: Map<number, readonly [low: number, high: number]>;
}

const flat = (selector: number, access: number): Segment => ({ selector, base: 0, limit: 0xffffffff, access });

/** In 64-bit mode at CPL 0, with paging on and VMX switched on and locked. */
export function hostSystem(model: ModelName): SystemState {
  const data = flat(0x10, 0xc093);
  return {
    ...flatProtectedMode.system,
    model,
    cr0: CR0.PE | CR0.NE | CR0.PG | CR0.WP | CR0.ET,
    cr3: 0x5000,
    cr4: CR4.PAE | CR4.VMXE,
    efer: EFER.LME | EFER.LMA,
    segments: { es: data, cs: flat(0x08, 0xa09b), ss: data, ds: data, fs: data, gs: data },
    tr: { selector: 0x18, base: 0x6000, limit: 0x67, access: 0x8b },
    msrs: { [FEATURE_CONTROL.name]: FEATURE_CONTROL.LOCKED | FEATURE_CONTROL.VMX_OUTSIDE_SMX },
  };
}

/** The same without long mode. */
export const host32 = (model: ModelName): SystemState => {
  const { segments, ...system } = hostSystem(model);
  return { ...system, efer: 0, cr4: CR4.VMXE, segments: { ...segments, cs: flat(0x08, 0xc09b) } };
};

export function testPort(model: ModelName = "max", change: Partial<SystemState> = {}): TestPort {
  const memory = new Map<number, number>();
  const registers = new Map<number, readonly [number, number]>();
  let system: SystemState = { ...hostSystem(model), ...change };
  let eflags: number = FLAG.RESERVED;
  let between: Between = { halted: false, shadow: "none", pending: noEvents };
  const absent = (): never => {
    throw new Error("not in this test");
  };
  const read = (at: number): number => memory.get(at) ?? 0;
  const port = {
    memory,
    registers,
    injected: undefined as DeliveredEvent | undefined,
    flushes: 0,
    time: 1000n,
    eip: 0x40_0000,
    nextEip: 0x40_0003,
    getRegister: (number: number) => (registers.get(number)?.[0] ?? 0) >>> 0,
    getRegisterHigh: (number: number) => (registers.get(number)?.[1] ?? 0) >>> 0,
    setRegister: (number: number, low: number, high = 0) => void registers.set(number, [low, high]),
    getEflags: () => eflags,
    setEflags: (value: number) => {
      eflags = value;
    },
    get mode() {
      return modeOf(system, eflags);
    },
    get codeBits() {
      return codeBitsOf(system);
    },
    get long() {
      return isLong(system);
    },
    get cpl() {
      return cplOf(system, eflags);
    },
    get system() {
      return system;
    },
    setSystem: (values: Partial<SystemState>) => {
      system = { ...system, ...values };
    },
    setSegment: absent,
    invalidate: () => {
      port.flushes++;
    },
    get now() {
      return Number(port.time);
    },
    localApic: undefined,
    get guest() {
      return system.virtualization?.kind === "vmx" && system.virtualization.guest !== undefined ? vmxGuest : undefined;
    },
    readPhysical: (at: number) => {
      if (at % 4 !== 0) throw new Error(`a dword at ${at} is not aligned`);
      return read(at);
    },
    writePhysical: (at: number, value: number) => {
      if (at % 4 !== 0 || value < 0 || value > 0xffffffff || !Number.isInteger(value))
        throw new Error(`${value} at ${at} is no dword`);
      memory.set(at, value);
    },
    get between() {
      return between;
    },
    setBetween: (values: Partial<Between>) => {
      between = { ...between, ...values };
    },
    leave: absent,
    inject: (event: DeliveredEvent | undefined) => {
      port.injected = event;
    },
  };
  return port as unknown as TestPort;
}

export const get = (port: ProcessorPort, name: FieldName, vmcs: number = AT.vmcs): bigint =>
  readField(port, vmcs, name);
export const set = (port: ProcessorPort, name: FieldName, value: bigint | number, vmcs: number = AT.vmcs): void =>
  writeField(port, vmcs, name, BigInt.asUintN(64, BigInt(value)));

export type ControlsOf<Word extends ControlWord> = keyof (typeof controlWords)[Word]["masks"] & string;

/** Turns controls of a word on in the VMCS. */
export function turnOn<Word extends ControlWord>(port: ProcessorPort, word: Word, ...names: ControlsOf<Word>[]): void {
  const masks: Readonly<Record<string, number>> = controlWords[word].masks;
  const value = names.reduce((sum, name) => sum | masks[name]!, Number(get(port, wordFields[word])));
  set(port, wordFields[word], value >>> 0);
  if (word === "secondary") turnOn(port, "primary", "activate secondary controls");
}

export const wordFields: Readonly<Record<ControlWord, FieldName>> = {
  pin: "Pin-based VM-execution controls",
  primary: "Primary processor-based VM-execution controls",
  secondary: "Secondary processor-based VM-execution controls",
  exit: "VM-exit controls",
  entry: "VM-entry controls",
};

const words = ["pin", "primary", "exit", "entry"] as const;
const hostSelectors = { ES: 0x10, CS: 0x08, SS: 0x10, DS: 0x10, FS: 0, GS: 0, TR: 0x18 } as const;

/** A VMCS of a 64-bit host; its guest is 64-bit code at CPL 0. */
export function fillVmcs(port: ProcessorPort, vmcs: number = AT.vmcs): void {
  const put = (name: FieldName, value: bigint | number): void => set(port, name, value, vmcs);
  for (const name of fieldNames) put(name, 0);
  for (const word of words) put(wordFields[word], controlWords[word].default1);
  put("VM-exit controls", controlWords.exit.default1 | controlWords.exit.masks["host address-space size"]);
  put("VM-entry controls", controlWords.entry.default1 | controlWords.entry.masks["IA-32e mode guest"]);
  for (const [name, value] of Object.entries(hostSelectors))
    put(`Host ${name as keyof typeof hostSelectors} selector`, value);
  const { cr0, cr3, cr4 } = port.system;
  for (const whose of ["Host", "Guest"] as const) {
    put(`${whose} CR0`, cr0 >>> 0);
    put(`${whose} CR3`, cr3);
    put(`${whose} CR4`, cr4);
    put(`${whose} RIP`, whose === "Host" ? 0xffff_ffff_8100_0000n : 0x1234);
    put(`${whose} RSP`, whose === "Host" ? 0xffff_8880_0000_1000n : 0x7000);
  }
  put("Host GS base", 0xffff_8880_0000_0000n);
  put("VMCS link pointer", 0xffff_ffff_ffff_ffffn);
  put("Guest RFLAGS", 2);
  put("Guest DR7", 0x400);
  put("Guest CS access rights", 0xa09b);
  for (const name of ["ES", "SS", "DS", "FS", "GS"] as const) {
    put(`Guest ${name} selector`, 0x10);
    put(`Guest ${name} limit`, 0xffffffff);
    put(`Guest ${name} access rights`, 0xc093);
  }
  put("Guest CS selector", 0x08);
  put("Guest CS limit", 0xffffffff);
  put("Guest TR access rights", 0x8b);
  put("Guest TR limit", 0x67);
  put("Guest LDTR access rights", 0x10000);
  put("Virtual-processor identifier (VPID)", 1);
  put("EPT pointer", 0x9000 | 6 | (3 << 3));
  port.writePhysical(vmcs, REVISION);
}

/** In VMX root operation, with a current VMCS that can be launched. */
export function rootPort(model: ModelName = "max", change: Partial<SystemState> = {}): TestPort {
  const port = testPort(model, change);
  port.writePhysical(AT.region, REVISION);
  fillVmcs(port);
  vmxon(port, AT.region);
  vmptrld(port, AT.vmcs);
  return port;
}

const STATUS = FLAG.CF | FLAG.ZF | FLAG.SF | FLAG.OF | FLAG.PF | FLAG.AF;

/** How the last VMX instruction ended: "succeed", "invalid", or the number of the error. */
export function outcome(port: ProcessorPort): "succeed" | "invalid" | number {
  const flags = port.getEflags() & STATUS;
  if (flags === 0) return "succeed";
  if (flags === FLAG.CF) return "invalid";
  return flags === FLAG.ZF ? Number(get(port, "VM-instruction error")) : Number.NaN;
}

export const width = (name: FieldName): number => {
  const own = fields[name].width;
  return own === "natural" ? 64 : own;
};
