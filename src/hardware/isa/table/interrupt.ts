/**
 * Software interrupts, the return from any interrupt, the interrupt flag, HLT. POPF and CLI are where privilege shows:
 * POPF leaves IF alone in silence where CLI faults.
 * Spec: SDM Vol. 3A, "Interrupt and Exception Handling"; Vol. 1, "Interrupts and Exceptions".
 */

import { deliver, interruptReturn, mergeEflags } from "../../cpu/exceptions.js";
import { peek, readOperand, release } from "../../cpu/operands.js";
import { Fault, type ProcessorPort, Unsupported, VECTOR } from "../../cpu/processor.js";
import { FLAG } from "../../cpu/state.js";
import { type DecodedInstruction, type Definition, define, type SystemInstruction } from "../instruction.js";
import { privileged, stackSize } from "./common.js";

const system = { group: "system" } as const;

const iopl = (port: ProcessorPort): number => (port.getEflags() & FLAG.IOPL) >> 12;

function clearInterrupts(port: ProcessorPort): void {
  if (port.cpl > iopl(port)) throw new Fault(VECTOR.GP, 0);
  port.setEflags(port.getEflags() & ~FLAG.IF);
}

function setInterrupts(port: ProcessorPort): void {
  if (port.cpl > iopl(port)) throw new Fault(VECTOR.GP, 0);
  if ((port.getEflags() & FLAG.IF) === 0) port.setShadow("sti");
  port.setEflags(port.getEflags() | FLAG.IF);
}

function popFlags(port: ProcessorPort, instruction: DecodedInstruction): void {
  const size = stackSize(instruction);
  const old = port.getEflags();
  const value = peek(port, 0, size);
  port.setEflags(mergeEflags(old, size === 2 ? (old & 0xffff0000) | value : value, port.cpl, false) & ~FLAG.RF);
  release(port, size);
}

function softwareInterrupt(vector: number): SystemInstruction {
  return (port) => deliver(port, vector, undefined, "software", port.nextEip);
}

const definitions: readonly Definition[] = [
  {
    ...system,
    mnemonic: "CLI",
    group: "flag control",
    summary: "Clears IF.",
    spec: "SDM Vol. 2A, CLI—Clear Interrupt Flag",
    forms: [["FA"]],
    system: clearInterrupts,
  },
  {
    ...system,
    mnemonic: "STI",
    group: "flag control",
    summary: "Sets IF after the next instruction.",
    spec: "SDM Vol. 2B, STI—Set Interrupt Flag",
    forms: [["FB"]],
    system: setInterrupts,
  },
  {
    ...system,
    mnemonic: "POPF",
    group: "flag control",
    summary: "Pops EFLAGS; what the privilege does not allow stays, silently.",
    spec: "SDM Vol. 2B, POPF/POPFD/POPFQ—Pop Stack Into EFLAGS Register",
    forms: [["9D"]],
    sized: true,
    flags: { written: "OSZAPC" },
    system: popFlags,
  },
  {
    mnemonic: "INT3",
    group: "control transfer",
    summary: "Raises #BP.",
    spec: "SDM Vol. 2A, INT n/INTO/INT3/INT1—Call to Interrupt Procedure",
    forms: [["CC"]],
    system: softwareInterrupt(VECTOR.BP),
  },
  {
    mnemonic: "INT",
    group: "control transfer",
    summary: "Calls the interrupt handler of the given vector.",
    spec: "SDM Vol. 2A, INT n/INTO/INT3/INT1—Call to Interrupt Procedure",
    forms: [["CD", "Ib"]],
    system: (port, instruction) =>
      softwareInterrupt(readOperand(port, instruction, instruction.operands[0]!) & 0xff)(port, instruction),
  },
  {
    mnemonic: "INTO",
    group: "control transfer",
    summary: "Raises #OF if OF is set.",
    spec: "SDM Vol. 2A, INT n/INTO/INT3/INT1—Call to Interrupt Procedure",
    forms: [["CE"]],
    system: (port, instruction) => {
      if ((port.getEflags() & FLAG.OF) !== 0) softwareInterrupt(VECTOR.OF)(port, instruction);
    },
  },
  {
    mnemonic: "IRET",
    group: "control transfer",
    summary: "Returns from an interrupt, to the same or an outer privilege.",
    spec: "SDM Vol. 2A, IRET/IRETD/IRETQ—Interrupt Return",
    forms: [["CF"]],
    sized: true,
    system: (port, instruction) => {
      if (instruction.size === 16) throw new Unsupported("IRET with 16-bit operands");
      interruptReturn(port);
    },
  },
  {
    ...system,
    mnemonic: "HLT",
    summary: "Stops until an interrupt.",
    spec: "SDM Vol. 2A, HLT—Halt",
    forms: [["F4"]],
    system: privileged((port) => port.halt()),
  },
];

export const interruptRows = definitions.flatMap(define);
