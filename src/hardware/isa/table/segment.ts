/**
 * Segment registers, far transfers, what a program may know of a selector, LDT and TSS registers.
 * Spec: SDM Vol. 1, "Segment Register Instructions"; Vol. 3A, "Protection".
 */

import { isReadable, isWritableData, limitOf, SYSTEM_TYPE } from "../../cpu/descriptors.js";
import { callFar, jumpFar, returnFar } from "../../cpu/far-transfers.js";
import { models } from "../../cpu/model.js";
import { operandAddress, peek, push, readOperand, release, writeOperand } from "../../cpu/operands.js";
import { Fault, type ProcessorPort, VECTOR } from "../../cpu/processor.js";
import { readAddress, setRegisterAddress } from "../../cpu/quadwords.js";
import { inspect, loadDataSegment, loadLdt, loadTask } from "../../cpu/segments.js";
import { type SegmentName, segmentNames } from "../../cpu/state.js";
import { type DecodedInstruction, type Definition, define, type SystemInstruction } from "../instruction.js";
import { intercepted, privileged, protectedOnly, setZero, stackSize, supervisedWithUmip } from "./common.js";

const system = { group: "system" } as const;

/** A segment register as the ModRM reg field or the opcode names it. */
function segmentOperand(instruction: DecodedInstruction, index: number): SegmentName {
  const operand = instruction.operands[index]!;
  const name = operand.kind === "segment" ? segmentNames[operand.number] : undefined;
  if (!name) throw new Fault(VECTOR.UD, undefined, "no-such-segment-register");
  return name;
}

/** The same for one that is loaded, which CS is by no other way than a far transfer. */
function targetOperand(instruction: DecodedInstruction): Exclude<SegmentName, "cs"> {
  const name = segmentOperand(instruction, 0);
  if (name === "cs") throw new Fault(VECTOR.UD, undefined, "no-such-segment-register");
  return name;
}

/** Interrupts wait until a stack pointer has been loaded, too. Spec: SDM Vol. 2B, MOV—Move; POP—Pop a Value From the Stack. */
function loadSegment(port: ProcessorPort, name: Exclude<SegmentName, "cs">, selector: number): void {
  loadDataSegment(port, name, selector);
  if (name === "ss") port.setShadow("mov-ss");
}

const moveToSegment: SystemInstruction = (port, instruction) => {
  const name = targetOperand(instruction);
  loadSegment(port, name, readOperand(port, instruction, instruction.operands[1]!, 16));
};

const moveFromSegment: SystemInstruction = (port, instruction) => {
  const { selector } = port.system.segments[segmentOperand(instruction, 1)];
  writeSelector(port, instruction, selector);
};

/** A register gets 16 bits zero-extended to the operand size, memory always 16 bits. */
function writeSelector(port: ProcessorPort, instruction: DecodedInstruction, selector: number): void {
  const [target] = instruction.operands;
  writeOperand(port, instruction, target!, selector, target!.kind === "memory" ? 16 : instruction.size);
}

/**
 * Bytes a selector takes of its place on the stack: the Pentium moves all of the operand size, the others 16 bits.
 * Spec: SDM Vol. 3B, "Selector Pushes and Pops".
 */
const selectorBytes = (port: ProcessorPort, size: 2 | 4 | 8): 2 | 4 =>
  port.system.model === "pentium" && size !== 8 ? size : 2;

const pushSegment: SystemInstruction = (port, instruction) => {
  const size = stackSize(instruction);
  const { selector } = port.system.segments[segmentOperand(instruction, 0)];
  push(port, selector, size, size === 8 ? 8 : selectorBytes(port, size));
};

/** The stack pointer moves as the stack popped from has it, also when that stack is replaced. */
const popSegment: SystemInstruction = (port, instruction) => {
  const size = stackSize(instruction);
  const selector = peek(port, 0, selectorBytes(port, size)) & 0xffff;
  release(port, size);
  loadSegment(port, targetOperand(instruction), selector);
};

/** A far pointer in memory. An offset of 64 bits is read as an address. */
interface FarPointer {
  readonly selector: number;
  readonly offset: number;
}

function farPointer(port: ProcessorPort, instruction: DecodedInstruction, bytes: 2 | 4 | 8): FarPointer {
  const user = port.cpl === 3;
  const linear = operandAddress(port, instruction, bytes, false);
  return {
    offset: bytes === 8 ? readAddress(port, linear, user) : port.readLinear(linear, bytes, user),
    selector: port.readLinear(operandAddress(port, instruction, 2, false, bytes), 2, user),
  };
}

/** LDS, LES, LFS, LGS, LSS. The last one holds no interrupts back: it loads the stack pointer itself. */
function loadFarPointer(name: Exclude<SegmentName, "cs">): SystemInstruction {
  return (port, instruction) => {
    const { offset, selector } = farPointer(port, instruction, stackSize(instruction));
    loadDataSegment(port, name, selector);
    const [target] = instruction.operands;
    if (target?.kind === "register" && instruction.size === 64) setRegisterAddress(port, target.number, offset);
    else writeOperand(port, instruction, target!, offset);
  };
}

/** Where a far jump or call leads. Parts of AMD have no offsets of 64 bits in memory. */
function farTarget(port: ProcessorPort, instruction: DecodedInstruction): FarPointer {
  const [operand] = instruction.operands;
  if (operand!.kind === "far") return operand!;
  const bytes = stackSize(instruction);
  return farPointer(port, instruction, bytes === 8 && models[port.system.model].vendor === "amd" ? 4 : bytes);
}

const jump: SystemInstruction = (port, instruction) => {
  const { selector, offset } = farTarget(port, instruction);
  jumpFar(port, selector, offset);
};

const call: SystemInstruction = (port, instruction) => {
  const { selector, offset } = farTarget(port, instruction);
  callFar(port, selector, offset, stackSize(instruction));
};

const returnWithParameters: SystemInstruction = (port, instruction) => {
  const [operand] = instruction.operands;
  returnFar(port, stackSize(instruction), operand?.kind === "immediate" ? operand.value & 0xffff : 0);
};

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

const loadAccessRights = protectedOnly((port, instruction) => {
  const found = inspect(port, readOperand(port, instruction, instruction.operands[1]!, 16), LAR_TYPES);
  if (found) writeOperand(port, instruction, instruction.operands[0]!, found.high & 0x00ffff00);
  setZero(port, found !== undefined);
});

const loadLimit = protectedOnly((port, instruction) => {
  const found = inspect(port, readOperand(port, instruction, instruction.operands[1]!, 16), LSL_TYPES);
  if (found) writeOperand(port, instruction, instruction.operands[0]!, limitOf(found.low, found.high));
  setZero(port, found !== undefined);
});

const verify = (may: (access: number) => boolean): SystemInstruction =>
  protectedOnly((port, instruction) => {
    const found = inspect(port, readOperand(port, instruction, instruction.operands[0]!, 16), []);
    setZero(port, found !== undefined && may(found.access));
  });

const definitions: readonly Definition[] = [
  {
    mnemonic: "JMP",
    group: "control transfer",
    summary: "Jumps to another code segment.",
    spec: "SDM Vol. 2A, JMP—Jump",
    forms: [
      ["EA", "Ap", "not64"],
      ["FF /5", "Mp"],
    ],
    system: jump,
  },
  {
    mnemonic: "CALL",
    group: "control transfer",
    summary: "Calls a procedure in another code segment.",
    spec: "SDM Vol. 2A, CALL—Call Procedure",
    forms: [
      ["9A", "Ap", "not64"],
      ["FF /3", "Mp"],
    ],
    system: call,
  },
  {
    mnemonic: "RETF",
    group: "control transfer",
    summary: "Returns to another code segment.",
    spec: "SDM Vol. 2B, RET—Return From Procedure",
    forms: [["CB"], ["CA", "Iw"]],
    sized: true,
    system: returnWithParameters,
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
      ["06", "S0", "not64"],
      ["0E", "S1", "not64"],
      ["16", "S2", "not64"],
      ["1E", "S3", "not64"],
      ["0F A0", "S4"],
      ["0F A8", "S5"],
    ],
    in64: "defaults",
    sized: true,
    system: pushSegment,
  },
  {
    mnemonic: "POP",
    group: "data transfer",
    summary: "Pops a segment register.",
    spec: "SDM Vol. 2B, POP—Pop a Value From the Stack",
    forms: [
      ["07", "S0", "not64"],
      ["17", "S2", "not64"],
      ["1F", "S3", "not64"],
      ["0F A1", "S4"],
      ["0F A9", "S5"],
    ],
    in64: "defaults",
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
      ...(name === "es" || name === "ds" ? { where: "not64" } : {}),
      system: loadFarPointer(name),
    }),
  ),
  {
    ...system,
    mnemonic: "SLDT",
    summary: "Stores the selector of the LDT.",
    spec: "SDM Vol. 2B, SLDT—Store Local Descriptor Table Register",
    forms: [["0F 00 /0", "Ev"]],
    system: protectedOnly(
      supervisedWithUmip(
        intercepted((port, instruction) => writeSelector(port, instruction, port.system.ldtr.selector)),
      ),
    ),
  },
  {
    ...system,
    mnemonic: "STR",
    summary: "Stores the selector of the TSS.",
    spec: "SDM Vol. 2B, STR—Store Task Register",
    forms: [["0F 00 /1", "Ev"]],
    system: protectedOnly(
      supervisedWithUmip(intercepted((port, instruction) => writeSelector(port, instruction, port.system.tr.selector))),
    ),
  },
  {
    ...system,
    mnemonic: "LLDT",
    summary: "Loads LDTR.",
    spec: "SDM Vol. 2A, LLDT—Load Local Descriptor Table Register",
    forms: [["0F 00 /2", "Ew"]],
    system: protectedOnly(
      privileged(
        intercepted((port, instruction) => loadLdt(port, readOperand(port, instruction, instruction.operands[0]!, 16))),
      ),
    ),
  },
  {
    ...system,
    mnemonic: "LTR",
    summary: "Loads TR and marks the TSS busy.",
    spec: "SDM Vol. 2A, LTR—Load Task Register",
    forms: [["0F 00 /3", "Ew"]],
    system: protectedOnly(
      privileged(
        intercepted((port, instruction) =>
          loadTask(port, readOperand(port, instruction, instruction.operands[0]!, 16)),
        ),
      ),
    ),
  },
  {
    ...system,
    mnemonic: "VERR",
    summary: "Sets ZF if the segment may be read.",
    spec: "SDM Vol. 2B, VERR/VERW—Verify a Segment for Reading or Writing",
    forms: [["0F 00 /4", "Ew"]],
    flags: { written: "Z" },
    system: verify(isReadable),
  },
  {
    ...system,
    mnemonic: "VERW",
    summary: "Sets ZF if the segment may be written.",
    spec: "SDM Vol. 2B, VERR/VERW—Verify a Segment for Reading or Writing",
    forms: [["0F 00 /5", "Ew"]],
    flags: { written: "Z" },
    system: verify(isWritableData),
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
    forms: [["63 /r", "Ew Gw", "not64"]],
    flags: { written: "Z" },
    system: protectedOnly((port, instruction) => {
      const [target, source] = instruction.operands;
      const value = readOperand(port, instruction, target!, 16);
      const rpl = readOperand(port, instruction, source!, 16) & 3;
      if ((value & 3) < rpl) writeOperand(port, instruction, target!, (value & ~3) | rpl, 16);
      setZero(port, (value & 3) < rpl);
    }),
  },
];

export const segmentRows = definitions.flatMap(define);
