/**
 * Segment registers, far transfers, what a program may know of a selector, LDT and TSS registers.
 * Spec: SDM Vol. 1, "Segment Register Instructions"; Vol. 3A, "Protection".
 */

import { operandAddress, peek, push, readOperand, release, writeOperand } from "../../cpu/operands.js";
import { Fault, type ProcessorPort, VECTOR } from "../../cpu/processor.js";
import {
  dropInnerSegments,
  inspect,
  loadDataSegment,
  loadLdt,
  loadTask,
  readCodeSegment,
  readStackSegment,
  SYSTEM_TYPE,
  withSegment,
} from "../../cpu/segments.js";
import { ACCESS, type SegmentName, segmentNames } from "../../cpu/state.js";
import { type DecodedInstruction, type Definition, define, type SystemInstruction } from "../instruction.js";
import { privileged, setZero, stackSize } from "./common.js";

const system = { group: "system" } as const;

/** A data segment register as the ModRM reg field names it. */
function segmentOperand(instruction: DecodedInstruction, index: number): SegmentName {
  const operand = instruction.operands[index]!;
  const name = operand.kind === "segment" ? segmentNames[operand.number] : undefined;
  if (!name) throw new Fault(VECTOR.UD);
  return name;
}

function loadSegment(port: ProcessorPort, name: SegmentName, selector: number): void {
  if (name === "cs") throw new Fault(VECTOR.UD);
  loadDataSegment(port, name, selector);
  if (name === "ss") port.setShadow("mov-ss");
}

const moveToSegment: SystemInstruction = (port, instruction) => {
  const name = segmentOperand(instruction, 0);
  if (name === "cs") throw new Fault(VECTOR.UD);
  loadSegment(port, name, readOperand(port, instruction, instruction.operands[1]!, 16));
};

const moveFromSegment: SystemInstruction = (port, instruction) => {
  const { selector } = port.system.segments[segmentOperand(instruction, 1)];
  const [target] = instruction.operands;
  // A register gets the selector zero-extended to the operand size, memory always 16 bits.
  writeOperand(port, instruction, target!, selector, target!.kind === "memory" ? 16 : instruction.size);
};

const pushSegment: SystemInstruction = (port, instruction) =>
  push(port, port.system.segments[segmentOperand(instruction, 0)].selector, stackSize(instruction));

const popSegment: SystemInstruction = (port, instruction) => {
  const selector = peek(port, 0, stackSize(instruction)) & 0xffff;
  loadSegment(port, segmentOperand(instruction, 0), selector);
  release(port, stackSize(instruction));
};

/** LDS, LES, LFS, LGS, LSS. */
function loadFarPointer(name: SegmentName): SystemInstruction {
  return (port, instruction) => {
    const bytes = instruction.size === 16 ? 2 : 4;
    const user = port.cpl === 3;
    const offset = port.readLinear(operandAddress(port, instruction, bytes, false), bytes, user);
    const selector = port.readLinear(operandAddress(port, instruction, 2, false, bytes), 2, user);
    loadSegment(port, name, selector);
    writeOperand(port, instruction, instruction.operands[0]!, offset);
  };
}

function farTarget(port: ProcessorPort, instruction: DecodedInstruction): { selector: number; offset: number } {
  const [operand] = instruction.operands;
  if (operand!.kind === "far") return operand!;
  const bytes = instruction.size === 16 ? 2 : 4;
  const user = port.cpl === 3;
  return {
    offset: port.readLinear(operandAddress(port, instruction, bytes, false), bytes, user),
    selector: port.readLinear(operandAddress(port, instruction, 2, false, bytes), 2, user),
  };
}

const jumpFar: SystemInstruction = (port, instruction) => {
  const { selector, offset } = farTarget(port, instruction);
  const code = readCodeSegment(port, selector, "stay");
  if (offset > code.limit) throw new Fault(VECTOR.GP, 0);
  port.setSystem(withSegment(port.system, "cs", code));
  port.nextEip = offset;
};

const callFar: SystemInstruction = (port, instruction) => {
  const { selector, offset } = farTarget(port, instruction);
  const size = stackSize(instruction);
  const esp = port.getRegister(4);
  const code = readCodeSegment(port, selector, "stay");
  if (offset > code.limit) throw new Fault(VECTOR.GP, 0);
  const user = port.cpl === 3;
  // Both words are checked by the first address: the lower one is written first.
  const returnAddress = port.segmentAddress(2, (esp - 2 * size) >>> 0, 2 * size, true);
  port.writeLinear(returnAddress, size, port.nextEip, user);
  port.writeLinear((returnAddress + size) >>> 0, size, port.system.segments.cs.selector, user);
  port.setRegister(4, (esp - 2 * size) >>> 0);
  port.setSystem(withSegment(port.system, "cs", code));
  port.nextEip = offset;
};

function returnFar(port: ProcessorPort, instruction: DecodedInstruction): void {
  const size = stackSize(instruction);
  const extra = instruction.operands[0]?.kind === "immediate" ? instruction.operands[0].value & 0xffff : 0;
  const offset = peek(port, 0, size);
  const code = readCodeSegment(port, peek(port, size, size) & 0xffff, "return");
  if (offset > code.limit) throw new Fault(VECTOR.GP, 0);
  const target = code.selector & 3;
  if (target > port.cpl) {
    const esp = peek(port, 2 * size + extra, size);
    const stack = readStackSegment(port, peek(port, 3 * size + extra, size) & 0xffff, target, VECTOR.GP);
    const segments = { ...port.system.segments, cs: code, ss: stack };
    port.setSystem(dropInnerSegments({ ...port.system, segments }, target));
    port.setRegister(4, (esp + extra) >>> 0);
  } else {
    port.setSystem(withSegment(port.system, "cs", code));
    release(port, 2 * size + extra);
  }
  port.nextEip = offset;
}

const LAR_TYPES = [
  SYSTEM_TYPE.TSS16,
  SYSTEM_TYPE.LDT,
  SYSTEM_TYPE.BUSY_TSS16,
  SYSTEM_TYPE.CALL_GATE16,
  SYSTEM_TYPE.TASK_GATE,
  SYSTEM_TYPE.TSS32,
  SYSTEM_TYPE.BUSY_TSS32,
  SYSTEM_TYPE.CALL_GATE32,
];

const LSL_TYPES = [
  SYSTEM_TYPE.TSS16,
  SYSTEM_TYPE.LDT,
  SYSTEM_TYPE.BUSY_TSS16,
  SYSTEM_TYPE.TSS32,
  SYSTEM_TYPE.BUSY_TSS32,
];

const loadAccessRights: SystemInstruction = (port, instruction) => {
  const found = inspect(port, readOperand(port, instruction, instruction.operands[1]!, 16), LAR_TYPES);
  setZero(port, found !== undefined);
  if (found) writeOperand(port, instruction, instruction.operands[0]!, found.high & 0x00f0ff00);
};

const loadLimit: SystemInstruction = (port, instruction) => {
  const found = inspect(port, readOperand(port, instruction, instruction.operands[1]!, 16), LSL_TYPES);
  setZero(port, found !== undefined);
  if (found) writeOperand(port, instruction, instruction.operands[0]!, found.limit);
};

function verify(write: boolean): SystemInstruction {
  return (port, instruction) => {
    const found = inspect(port, readOperand(port, instruction, instruction.operands[0]!, 16), []);
    const code = found !== undefined && (found.access & ACCESS.CODE) !== 0;
    const may =
      found !== undefined &&
      (write ? !code && (found.access & ACCESS.WRITABLE) !== 0 : !code || (found.access & ACCESS.WRITABLE) !== 0);
    setZero(port, may);
  };
}

const definitions: readonly Definition[] = [
  {
    mnemonic: "JMP",
    group: "control transfer",
    summary: "Jumps to another code segment.",
    spec: "SDM Vol. 2A, JMP—Jump",
    forms: [
      ["EA", "Ap"],
      ["FF /5", "Mp"],
    ],
    system: jumpFar,
  },
  {
    mnemonic: "CALL",
    group: "control transfer",
    summary: "Calls a procedure in another code segment.",
    spec: "SDM Vol. 2A, CALL—Call Procedure",
    forms: [
      ["9A", "Ap"],
      ["FF /3", "Mp"],
    ],
    system: callFar,
  },
  {
    mnemonic: "RETF",
    group: "control transfer",
    summary: "Returns to another code segment.",
    spec: "SDM Vol. 2B, RET—Return From Procedure",
    forms: [["CB"], ["CA", "Iw"]],
    sized: true,
    system: returnFar,
  },
  {
    mnemonic: "MOV",
    group: "data transfer",
    summary: "Loads a segment register.",
    spec: "SDM Vol. 2B, MOV—Move",
    forms: [["8E /r", "Sw Ew"]],
    system: moveToSegment,
  },
  {
    mnemonic: "MOV",
    group: "data transfer",
    summary: "Stores a segment register.",
    spec: "SDM Vol. 2B, MOV—Move",
    forms: [["8C /r", "Ev Sw"]],
    system: moveFromSegment,
  },
  {
    mnemonic: "PUSH",
    group: "data transfer",
    summary: "Pushes a segment register.",
    spec: "SDM Vol. 2B, PUSH—Push Word, Doubleword, or Quadword Onto the Stack",
    forms: [
      ["06", "S0"],
      ["0E", "S1"],
      ["16", "S2"],
      ["1E", "S3"],
      ["0F A0", "S4"],
      ["0F A8", "S5"],
    ],
    sized: true,
    system: pushSegment,
  },
  {
    mnemonic: "POP",
    group: "data transfer",
    summary: "Pops a segment register.",
    spec: "SDM Vol. 2B, POP—Pop a Value From the Stack",
    forms: [
      ["07", "S0"],
      ["17", "S2"],
      ["1F", "S3"],
      ["0F A1", "S4"],
      ["0F A9", "S5"],
    ],
    sized: true,
    system: popSegment,
  },
  ...(["es", "ds", "ss", "fs", "gs"] as const).map(
    (name): Definition => ({
      mnemonic: `L${name.toUpperCase()}`,
      group: "data transfer",
      summary: `Loads ${name.toUpperCase()} and a register from a far pointer.`,
      spec: "SDM Vol. 2A, LDS/LES/LFS/LGS/LSS—Load Far Pointer",
      forms: [[{ es: "C4 /r", ds: "C5 /r", ss: "0F B2 /r", fs: "0F B4 /r", gs: "0F B5 /r" }[name], "Gv Mp"]],
      system: loadFarPointer(name),
    }),
  ),
  {
    ...system,
    mnemonic: "SLDT",
    summary: "Stores the selector of the LDT.",
    spec: "SDM Vol. 2B, SLDT—Store Local Descriptor Table Register",
    forms: [["0F 00 /0", "Ev"]],
    system: (port, instruction) => {
      const [target] = instruction.operands;
      writeOperand(port, instruction, target!, port.system.ldtr.selector, target!.kind === "memory" ? 16 : undefined);
    },
  },
  {
    ...system,
    mnemonic: "STR",
    summary: "Stores the selector of the TSS.",
    spec: "SDM Vol. 2B, STR—Store Task Register",
    forms: [["0F 00 /1", "Ev"]],
    system: (port, instruction) => {
      const [target] = instruction.operands;
      writeOperand(port, instruction, target!, port.system.tr.selector, target!.kind === "memory" ? 16 : undefined);
    },
  },
  {
    ...system,
    mnemonic: "LLDT",
    summary: "Loads LDTR.",
    spec: "SDM Vol. 2A, LLDT—Load Local Descriptor Table Register",
    forms: [["0F 00 /2", "Ew"]],
    system: privileged((port, instruction) =>
      loadLdt(port, readOperand(port, instruction, instruction.operands[0]!, 16)),
    ),
  },
  {
    ...system,
    mnemonic: "LTR",
    summary: "Loads TR and marks the TSS busy.",
    spec: "SDM Vol. 2A, LTR—Load Task Register",
    forms: [["0F 00 /3", "Ew"]],
    system: privileged((port, instruction) =>
      loadTask(port, readOperand(port, instruction, instruction.operands[0]!, 16)),
    ),
  },
  {
    ...system,
    mnemonic: "VERR",
    summary: "Sets ZF if the segment may be read.",
    spec: "SDM Vol. 2B, VERR/VERW—Verify a Segment for Reading or Writing",
    forms: [["0F 00 /4", "Ew"]],
    flags: { written: "Z" },
    system: verify(false),
  },
  {
    ...system,
    mnemonic: "VERW",
    summary: "Sets ZF if the segment may be written.",
    spec: "SDM Vol. 2B, VERR/VERW—Verify a Segment for Reading or Writing",
    forms: [["0F 00 /5", "Ew"]],
    flags: { written: "Z" },
    system: verify(true),
  },
  {
    ...system,
    mnemonic: "LAR",
    summary: "Loads the access rights of a segment.",
    spec: "SDM Vol. 2A, LAR—Load Access Rights Byte",
    forms: [["0F 02 /r", "Gv Ew"]],
    flags: { written: "Z" },
    system: loadAccessRights,
  },
  {
    ...system,
    mnemonic: "LSL",
    summary: "Loads the limit of a segment.",
    spec: "SDM Vol. 2A, LSL—Load Segment Limit",
    forms: [["0F 03 /r", "Gv Ew"]],
    flags: { written: "Z" },
    system: loadLimit,
  },
  {
    ...system,
    mnemonic: "ARPL",
    summary: "Raises the RPL of a selector to that of another.",
    spec: "SDM Vol. 2A, ARPL—Adjust RPL Field of Segment Selector",
    forms: [["63 /r", "Ew Gw"]],
    flags: { written: "Z" },
    system: (port, instruction) => {
      const [target, source] = instruction.operands;
      const value = readOperand(port, instruction, target!, 16);
      const rpl = readOperand(port, instruction, source!, 16) & 3;
      if ((value & 3) < rpl) writeOperand(port, instruction, target!, (value & ~3) | rpl, 16);
      setZero(port, (value & 3) < rpl);
    },
  },
];

export const segmentRows = definitions.flatMap(define);
