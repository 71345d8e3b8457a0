/**
 * Software interrupts, the return from any interrupt, the interrupt flag, HLT. POPF and CLI are where privilege shows:
 * POPF leaves IF alone in silence where CLI faults.
 * Spec: SDM Vol. 3A, "Interrupt and Exception Handling"; Vol. 1, "Interrupts and Exceptions".
 */

import { deliver } from "../../cpu/exceptions.js";
import { clearInterruptFlag, popFlags, setInterruptFlag } from "../../cpu/flags.js";
import { interruptReturn } from "../../cpu/interrupt-return.js";
import { type ProcessorPort, VECTOR } from "../../cpu/processor.js";
import { FLAG } from "../../cpu/state.js";
import { redirectInterrupt } from "../../cpu/virtual-8086.js";
import { and, i32 } from "../code.js";
import { type DecodedInstruction, type Definition, define } from "../instruction.js";
import { intercept, intercepted, privileged, stackSize } from "./common.js";

const system = { group: "system" } as const;

/** INT3 and INTO. */
const softwareException = (port: ProcessorPort, vector: number): void =>
  deliver(port, vector, undefined, "software exception", port.nextEip);

function interrupt(port: ProcessorPort, instruction: DecodedInstruction): void {
  const [operand] = instruction.operands;
  const vector = operand?.kind === "immediate" ? operand.value & 0xff : 0;
  if (port.mode === "virtual-8086" && redirectInterrupt(port, vector)) return;
  intercept(port, instruction);
  deliver(port, vector, undefined, "software", port.nextEip);
}

const definitions: readonly Definition[] = [
  {
    ...system,
    mnemonic: "CLI",
    group: "flag control",
    summary: "Clears IF, or its virtual image.",
    spec: "SDM Vol. 2A, CLI—Clear Interrupt Flag",
    forms: [["FA"]],
    system: clearInterruptFlag,
  },
  {
    ...system,
    mnemonic: "STI",
    group: "flag control",
    summary: "Sets IF after the next instruction, or its virtual image.",
    spec: "SDM Vol. 2B, STI—Set Interrupt Flag",
    forms: [["FB"]],
    system: setInterruptFlag,
  },
  {
    ...system,
    mnemonic: "POPF",
    group: "flag control",
    summary: "Pops EFLAGS; what the privilege does not allow stays, silently.",
    spec: "SDM Vol. 2B, POPF/POPFD/POPFQ—Pop Stack Into EFLAGS Register",
    forms: [["9D"]],
    sized: true,
    in64: "defaults",
    flags: { written: "OSZAPC" },
    system: intercepted((port, instruction) => popFlags(port, stackSize(instruction))),
  },
  {
    mnemonic: "INT3",
    group: "control transfer",
    summary: "Raises #BP.",
    spec: "SDM Vol. 2A, INT n/INTO/INT3/INT1—Call to Interrupt Procedure",
    forms: [["CC"]],
    system: (port) => softwareException(port, VECTOR.BP),
    replay: (code) => code.interrupt(i32(VECTOR.BP), "INT3"),
  },
  {
    mnemonic: "INT1",
    group: "control transfer",
    summary: "Raises #DB as hardware would: no gate is too privileged for it.",
    spec: "SDM Vol. 2A, INT n/INTO/INT3/INT1—Call to Interrupt Procedure",
    forms: [["F1"]],
    system: (port) => deliver(port, VECTOR.DB, undefined, "privileged", port.nextEip),
  },
  {
    mnemonic: "INT",
    group: "control transfer",
    summary: "Calls the interrupt handler of the given vector.",
    spec: "SDM Vol. 2A, INT n/INTO/INT3/INT1—Call to Interrupt Procedure",
    forms: [["CD", "Ib"]],
    system: interrupt,
    replay: (code) => code.interrupt(and(code.read(0), i32(0xff)), "INT"),
  },
  {
    mnemonic: "INTO",
    group: "control transfer",
    summary: "Raises #OF if OF is set.",
    spec: "SDM Vol. 2A, INT n/INTO/INT3/INT1—Call to Interrupt Procedure",
    forms: [["CE"]],
    where: "not64",
    system: (port) => {
      if ((port.getEflags() & FLAG.OF) !== 0) softwareException(port, VECTOR.OF);
    },
  },
  {
    mnemonic: "IRET",
    group: "control transfer",
    summary: "Returns from an interrupt: to the same or an outer privilege, to virtual-8086 mode or the task before.",
    spec: "SDM Vol. 2A, IRET/IRETD/IRETQ—Interrupt Return",
    forms: [["CF"]],
    sized: true,
    system: intercepted((port, instruction) => interruptReturn(port, stackSize(instruction))),
    replay: (code) => {
      if (code.size === 32) code.interruptReturn();
    },
  },
  {
    ...system,
    mnemonic: "HLT",
    endsBlock: true,
    summary: "Stops until an interrupt.",
    spec: "SDM Vol. 2A, HLT—Halt",
    forms: [["F4"]],
    system: privileged(intercepted((port) => port.halt())),
  },
];

export const interruptRows = definitions.flatMap(define);
