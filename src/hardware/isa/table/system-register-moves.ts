/**
 * MOV of control and debug registers.
 * Spec: SDM Vol. 3A, "Control Registers"; Vol. 3B, "Debug Registers".
 */
import { writeCr0, writeCr3, writeCr4 } from "../../cpu/control-registers.js";
import { models } from "../../cpu/model.js";
import { Fault, type ProcessorPort, VECTOR } from "../../cpu/processor.js";
import { addressOf, highWord } from "../../cpu/quadwords.js";
import { CR4, isLong } from "../../cpu/state.js";
import { type Definition, define, type Operand, type SystemInstruction } from "../instruction.js";
import { requireRing0 } from "./common.js";

const system = { group: "system" } as const;
type ControlNumber = 0 | 2 | 3 | 4 | 8;

/** Number of a control register that exists; any other is no instruction, at whatever privilege. */
function controlNumber(port: ProcessorPort, operand: Operand | undefined): ControlNumber {
  if (operand?.kind !== "control" || !models[port.system.model].controlRegisters.includes(operand.number))
    throw new Fault(VECTOR.UD, undefined, "no-control-register");
  return operand.number as ControlNumber;
}

const registerNumber = (operand: Operand | undefined): number => (operand?.kind === "register" ? operand.number : 0);

/** The two halves of the register that a control or debug register is loaded from; the upper one is 0 but in 64-bit code. */
function readHalves(port: ProcessorPort, operand: Operand | undefined): readonly [low: number, high: number] {
  const number = registerNumber(operand);
  return [port.getRegister(number), port.codeBits === 64 ? port.getRegisterHigh(number) : 0];
}

/** Throws #GP(0) where a register has no upper half. */
function requireLow(high: number): void {
  if (high !== 0) throw new Fault(VECTOR.GP, 0, "high-bits-reserved");
}

const moveToControl: SystemInstruction = (port, instruction) => {
  const [control, source] = instruction.operands;
  const number = controlNumber(port, control);
  requireRing0(port);
  const [low, high] = readHalves(port, source);
  const { guest } = port;
  if (guest !== undefined) {
    const value = (BigInt(high) << 32n) | BigInt(low);
    const register = registerNumber(source);
    guest.check(port, { kind: "control-register", access: "write", number, register, value });
  }
  if (number === 2) port.setSystem({ cr2: port.long ? addressOf(low, high) : low | 0 });
  else if (number === 3) writeCr3(port, low, high);
  else if (number === 8) writeTaskPriority(port, low, high);
  else {
    requireLow(high);
    const value = guest?.loadedControl(port, number, low) ?? low;
    if (number === 0) writeCr0(port, value);
    else writeCr4(port, value);
  }
};

/** CR8. Spec: SDM Vol. 3A, "Task Priority in IA-32e Mode"; without a local APIC there is nothing to hold back. */
function writeTaskPriority(port: ProcessorPort, low: number, high: number): void {
  if (high !== 0 || low > 15) throw new Fault(VECTOR.GP, 0, "cr8-reserved");
  if (port.guest?.writeTaskPriority(port, low)) return;
  if (port.localApic !== undefined) port.localApic.taskPriority = low;
}

/** A control register as a number: CR2 is an address, CR3 one of memory. */
function controlValue(port: ProcessorPort, number: ControlNumber): number {
  const { system, localApic, guest } = port;
  if (number === 8) return guest?.readTaskPriority(port) ?? localApic?.taskPriority ?? 0;
  if (guest !== undefined && (number === 0 || number === 4)) return guest.seenControl(port, number) >>> 0;
  if (number === 3) return system.cr3 < 0 ? system.cr3 >>> 0 : system.cr3;
  return number === 2 && isLong(system) ? system.cr2 : system[`cr${number}`] >>> 0;
}

const moveFromControl: SystemInstruction = (port, instruction) => {
  const [target, control] = instruction.operands;
  const number = controlNumber(port, control);
  requireRing0(port);
  const register = registerNumber(target);
  port.guest?.check(port, { kind: "control-register", access: "read", number, register });
  storeAddress(port, target, controlValue(port, number));
};

/** Stores all of an address in 64-bit code, its low half else. */
export function storeAddress(port: ProcessorPort, target: Operand | undefined, address: number): void {
  if (target?.kind !== "register") throw new TypeError("a control or debug register goes to a register");
  port.setRegister(target.number, address | 0, port.codeBits === 64 ? highWord(address) : 0);
}

const DR6 = 4;
const DR7 = 5;
/** DR7.GD: the next access to a debug register is #DB. */
const GENERAL_DETECT = 1 << 13;

/** Where a debug register stands in `system.debug`: DR4 and DR5 are DR6 and DR7 while CR4.DE is clear. */
function debugIndex(
  port: ProcessorPort,
  access: "read" | "write",
  operand: Operand | undefined,
  general: Operand | undefined,
): number {
  const number = operand?.kind === "debug" ? operand.number : 0;
  if (number > 7) throw new Fault(VECTOR.UD, undefined, "no-debug-register");
  const cause = { kind: "debug-register", access, number, register: registerNumber(general) } as const;
  // Spec: SDM Vol. 3C, "Instructions That Cause VM Exits Conditionally": of VT-x alone it comes before privilege and #UD.
  if (port.system.virtualization?.kind === "vmx") port.guest?.check(port, cause);
  requireRing0(port);
  if (port.system.virtualization?.kind === "svm") port.guest?.check(port, cause);
  const { cr4, debug } = port.system;
  if ((number === 4 || number === 5) && (cr4 & CR4.DE) !== 0)
    throw new Fault(VECTOR.UD, undefined, "no-debug-register");
  if ((debug[DR7] & GENERAL_DETECT) !== 0) throw new Fault(VECTOR.DB, undefined, "debug-registers-guarded");
  return number < 6 ? number : number - 2;
}

/** What a debug register becomes. Spec: SDM Vol. 3B, "Debug Status Register (DR6)", "Debug Control Register (DR7)". */
function debugValue(index: number, low: number, high: number): number {
  if (index < DR6) return addressOf(low, high);
  requireLow(high);
  return index === DR6 ? (low & 0xe00f) | 0xffff0ff0 : (low & 0xffff23ff) | 0x400;
}

const moveToDebug: SystemInstruction = (port, instruction) => {
  const [debug, source] = instruction.operands;
  const index = debugIndex(port, "write", debug, source);
  const next = [...port.system.debug] as [number, number, number, number, number, number];
  next[index] = debugValue(index, ...readHalves(port, source));
  port.setSystem({ debug: Object.freeze(next) });
};

const moveFromDebug: SystemInstruction = (port, instruction) => {
  const [target, debug] = instruction.operands;
  const index = debugIndex(port, "read", debug, target);
  const value = port.system.debug[index]!;
  storeAddress(port, target, index < DR6 ? value : value >>> 0);
};

const definitions: readonly Definition[] = [
  {
    ...system,
    mnemonic: "MOV",
    summary: "Loads a control register.",
    spec: "SDM Vol. 2B, MOV—Move to/from Control Registers",
    forms: [
      ["0F 22 /r", "Cd Rd", "not64"],
      ["0F 22 /r", "Cq Rq", "only64"],
    ],
    system: moveToControl,
  },
  {
    ...system,
    mnemonic: "MOV",
    summary: "Stores a control register.",
    spec: "SDM Vol. 2B, MOV—Move to/from Control Registers",
    forms: [
      ["0F 20 /r", "Rd Cd", "not64"],
      ["0F 20 /r", "Rq Cq", "only64"],
    ],
    system: moveFromControl,
  },
  {
    ...system,
    mnemonic: "MOV",
    summary: "Loads a debug register.",
    spec: "SDM Vol. 2B, MOV—Move to/from Debug Registers",
    forms: [
      ["0F 23 /r", "Dd Rd", "not64"],
      ["0F 23 /r", "Dq Rq", "only64"],
    ],
    system: moveToDebug,
  },
  {
    ...system,
    mnemonic: "MOV",
    summary: "Stores a debug register.",
    spec: "SDM Vol. 2B, MOV—Move to/from Debug Registers",
    forms: [
      ["0F 21 /r", "Rd Dd", "not64"],
      ["0F 21 /r", "Rq Dq", "only64"],
    ],
    system: moveFromDebug,
  },
];

export const systemRegisterMoveRows = definitions.flatMap(define);
