/** A processor of a few variables for tests of AMD-V, with physical memory and without paging; and a VMCB that VMRUN takes. */

import type { DeliveredEvent, ExitCause, GuestOperation } from "../cpu/guest-operation.js";
import { VmExit } from "../cpu/guest-operation.js";
import { type Between, Fault, type ProcessorPort } from "../cpu/processor.js";
import {
  CR0,
  codeBitsOf,
  cplOf,
  EFER,
  flatProtectedMode,
  isLong,
  modeOf,
  noEvents,
  type SystemState,
} from "../cpu/state.js";
import { svmGuest } from "./guest.js";
import { interceptNamed, runningGuest } from "./intercepts.js";
import { writeField } from "./vmcb.js";

export const VMCB = 0x20000;
export const HOST_SAVE = 0x30000;
export const PORTS = 0x40000;
export const REGISTERS = 0x44000;
export const GUEST_RIP = 0x5000;
export const HOST_EIP = 0x1000;
/** Bytes of VMRUN. */
const LENGTH = 3;

export interface TestPort extends ProcessorPort {
  readonly memory: Map<number, number>;
  eip: number;
  readonly injected: DeliveredEvent[];
  /** How many bytes of general state have been set; high halves of the registers. */
  readonly registers: Uint32Array;
}

/** A `phenom` in flat protected mode with AMD-V on; `guest` is that of AMD-V as soon as one runs. */
export function testPort(change: Partial<SystemState> = {}, eflags = 2): TestPort {
  const memory = new Map<number, number>();
  const registers = new Uint32Array(32);
  const injected: DeliveredEvent[] = [];
  let system: SystemState = {
    ...flatProtectedMode.system,
    model: "phenom",
    efer: EFER.SVME,
    msrs: { VM_HSAVE_PA: BigInt(HOST_SAVE) },
    ...change,
  };
  let flags = eflags;
  let between: Between = { halted: false, shadow: "none", pending: noEvents };
  const absent = (): never => {
    throw new Error("not in this test");
  };
  const readPhysical = (physical: number): number => {
    if (physical % 4 !== 0) throw new Error(`a dword at ${physical}`);
    return memory.get(physical) ?? 0;
  };
  const port: TestPort = {
    memory,
    injected,
    registers,
    getRegister: (number) => registers[number]!,
    setRegister: (number, value, high = 0) => {
      registers[number] = value;
      registers[16 + number] = high;
    },
    getRegisterHigh: (number) => registers[16 + number]!,
    getEflags: () => flags,
    setEflags: (value) => {
      flags = value;
    },
    eip: HOST_EIP,
    nextEip: HOST_EIP + LENGTH,
    get mode() {
      return modeOf(system, flags);
    },
    get cpl() {
      return cplOf(system, flags);
    },
    get codeBits() {
      return codeBitsOf(system);
    },
    get long() {
      return isLong(system);
    },
    get system() {
      return system;
    },
    setSystem: (part) => {
      system = { ...system, ...part };
    },
    setSegment: (name, segment) => {
      system = { ...system, segments: { ...system.segments, [name]: segment } };
    },
    get guest(): GuestOperation | undefined {
      return runningGuest(port) === undefined ? undefined : svmGuest;
    },
    readPhysical,
    writePhysical: (physical, value) => void memory.set(physical, value >>> 0),
    readLinear: (linear) => readPhysical(linear),
    get between() {
      return between;
    },
    setBetween: (part) => {
      between = { ...between, ...part };
    },
    leave: absent,
    inject: (event) => void (event && injected.push(event)),
    invalidate: () => {},
    payloadOf: () => 0,
    apicId: 0,
    processors: 1,
    now: 0,
    localApic: undefined,
    low: 0,
    high: 0,
    get floating() {
      return absent();
    },
    writeLinear: absent,
    readPair: absent,
    readWords: absent,
    writeWords: absent,
    readBytes: absent,
    writeBytes: absent,
    checkWrite: absent,
    segmentAddress: absent,
    portRead: absent,
    portWrite: absent,
    halt: absent,
    pause: absent,
    setShadow: absent,
    trap: absent,
    faulted: absent,
    wentThroughGate: absent,
    wentBack: absent,
    unblockNmi: absent,
    repeat: absent,
  };
  return port;
}

/** Fields of a guest in flat protected mode that VMRUN takes. */
const VALID: Readonly<Record<string, bigint | number>> = {
  ...Object.fromEntries(
    ["ES", "SS", "DS"].flatMap((name) => [
      [`${name}.selector`, 0x20],
      [`${name}.attrib`, 0xc93],
      [`${name}.limit`, 0xffffffff],
    ]),
  ),
  "CS.selector": 0x18,
  "CS.attrib": 0xc9b,
  "CS.limit": 0xffffffff,
  "GDTR.limit": 0x3f,
  "GDTR.base": 0x7000,
  "IDTR.limit": 0x7ff,
  "IDTR.base": 0x7800,
  EFER: EFER.SVME,
  CR0: CR0.PE | CR0.ET,
  DR6: 0xffff0ff0,
  DR7: 0x400,
  RFLAGS: 0x2,
  RIP: GUEST_RIP,
  RSP: 0x9000,
  RAX: 0x1111,
  GUEST_ASID: 1,
  IOPM_BASE_PA: PORTS,
  MSRPM_BASE_PA: REGISTERS,
  INTERCEPT_MISC2: 1,
  G_PAT: 0x0007_0406_0007_0406n,
};

/** Writes that guest to VMCB, with other fields. */
export function writeGuest(port: TestPort, fields: Readonly<Record<string, bigint | number>> = {}): void {
  for (const [name, value] of Object.entries({ ...VALID, ...fields })) writeField(port, VMCB, name, value);
}

/** Sets an intercept in the VMCB. */
export function setIntercept(port: TestPort, name: string): void {
  const { word, bit } = interceptNamed(name);
  const at = VMCB + 4 * word;
  port.writePhysical(at, (port.readPhysical(at) | (1 << bit)) >>> 0);
}

/** What an action throws: "#UD", "#GP(0)", the cause of an exit; undefined for nothing. */
export function thrownBy(action: () => void): string | ExitCause | undefined {
  try {
    action();
  } catch (thrown) {
    if (thrown instanceof VmExit) return thrown.cause;
    if (thrown instanceof Fault)
      return thrown.vector === 6 ? "#UD" : thrown.vector === 13 ? "#GP(0)" : `${thrown.vector}`;
    throw thrown;
  }
  return undefined;
}
