/** Near jumps, calls, returns, loops, SETcc. Spec: SDM Vol. 1, "Control Transfer Instructions". Far ones are in system.ts. */

import { readOperand, stackAddress, writeRegister } from "../../cpu/operands.js";
import type { ProcessorPort } from "../../cpu/processor.js";
import { highWord, registerAddress, setRegisterAddress, writeQuad } from "../../cpu/quadwords.js";
import { ACCESS } from "../../cpu/state.js";
import { add, and, type Code, conditionNames, type Expr, i32, isZero, less, ne, or, sub } from "../code.js";
import { type DecodedInstruction, type Definition, define, type SystemInstruction } from "../instruction.js";
import { stackSize } from "./common.js";
import { readToModify } from "./data-transfer.js";

const ECX = 1;
const ESP = 4;
const EBP = 5;
const SS = 2;
const control = { group: "control transfer" } as const;
const hex = (value: number): string => value.toString(16).toUpperCase().padStart(2, "0");

function returnNear(c: Code, release?: Expr): void {
  const target = c.let(c.zeroExtend(c.cell("ss", c.stackTop(), c.size).value));
  c.checkTarget(target);
  const raised = c.stackTop(c.size / 8);
  c.setStackTop(release ? add(raised, c.asOffset(release)) : raised);
  c.jump(target);
}

/** LOOP and its kin count ECX down without touching a flag. */
function loop(extra?: (c: Code) => Expr): (c: Code) => void {
  return (c) => {
    const count = c.let(c.wrapAddress(sub(c.pointer(ECX), i32(1))));
    const counts = ne(count, i32(0));
    const more = c.let(extra ? and(counts, ne(extra(c), i32(0))) : counts);
    c.if(more, () => c.checkTarget());
    c.setPointer(ECX, count);
    c.branch(more);
  };
}

/**
 * ENTER: a frame, with the enclosing frames' pointers at nesting levels above 0. Offsets are 16 bits on a 16-bit stack.
 * Spec: SDM Vol. 2A, "ENTER—Make Stack Frame for Procedure Parameters".
 */
const enter: SystemInstruction = (port, instruction) => {
  const size = stackSize(instruction);
  if (port.codeBits === 64 || size === 8) {
    enterLong(port, instruction, size);
    return;
  }
  const [first, second] = instruction.operands;
  const bytes = readOperand(port, instruction, first!) & 0xffff;
  const level = readOperand(port, instruction, second!) & 31;
  const user = port.cpl === 3;
  const mask = (port.system.segments.ss.access & ACCESS.BIG) !== 0 ? -1 : 0xffff;
  const stackAddress = (offset: number, write: boolean): number =>
    port.segmentAddress(SS, (offset & mask) >>> 0, size, write);
  const esp = port.getRegister(ESP);
  let top = esp;
  const store = (value: number): void => {
    top = (top & ~mask) | ((top - size) & mask);
    port.writeLinear(stackAddress(top, true), size, value, user);
  };
  const ebp = port.getRegister(EBP);
  store(ebp);
  const frame = top;
  for (let depth = 1; depth < level; depth++)
    store(port.readLinear(stackAddress(ebp - depth * size, false), size, user));
  if (level > 0) store(frame);
  const bottom = top - bytes;
  // The manual has ENTER fault if the new top of the stack could not be written.
  const probe = stackAddress(bottom, true);
  port.writeLinear(probe, size, readToModify(port, probe, size, user), user);
  const frameMask = size === 2 ? 0xffff : -1;
  port.setRegister(EBP, ((ebp & ~frameMask) | (frame & frameMask)) >>> 0);
  port.setRegister(ESP, ((esp & ~mask) | (bottom & mask)) >>> 0);
};

/** The same in 64-bit code, where the stack has no segment. */
function enterLong(port: ProcessorPort, instruction: DecodedInstruction, size: 2 | 4 | 8): void {
  const [first, second] = instruction.operands;
  const bytes = readOperand(port, instruction, first!) & 0xffff;
  const level = readOperand(port, instruction, second!) & 31;
  const user = port.cpl === 3;
  const rsp = registerAddress(port, ESP);
  const rbp = registerAddress(port, EBP);
  let pushed = 0;
  const store = (low: number, high: number): void => {
    pushed += size;
    const linear = stackAddress(port, -pushed, size, true);
    if (size === 8) writeQuad(port, linear, low, high, user);
    else port.writeLinear(linear, 2, low & 0xffff, user);
  };
  store(port.getRegister(EBP), port.getRegisterHigh(EBP));
  const frame = rsp - size;
  const outer = new Int32Array(2);
  for (let depth = 1; depth < level; depth++) {
    const linear = port.segmentAddress(SS, rbp - depth * size, size, false);
    if (size === 8) port.readWords(linear, 2, user, outer);
    else outer[0] = port.readLinear(linear, 2, user);
    store(outer[0]!, outer[1]!);
  }
  if (level > 0) store(frame | 0, highWord(frame));
  port.checkWrite(stackAddress(port, -pushed - bytes, size, true), size, user);
  if (size === 8) setRegisterAddress(port, EBP, frame);
  else writeRegister(port, EBP, 16, frame);
  setRegisterAddress(port, ESP, rsp - pushed - bytes);
}

const definitions: readonly Definition[] = [
  ...conditionNames.map(
    (name, code): Definition => ({
      ...control,
      mnemonic: `J${name}`,
      summary: `Jumps if condition ${name} holds.`,
      spec: "SDM Vol. 2A, Jcc—Jump if Condition Is Met",
      forms: [
        [hex(0x70 + code), "Jb"],
        [`0F ${hex(0x80 + code)}`, "Jz"],
      ],
      semantics: (c) => c.branch(c.condition(code)),
    }),
  ),
  ...conditionNames.map(
    (name, code): Definition => ({
      mnemonic: `SET${name}`,
      group: "bit and byte",
      summary: `Stores 1 if condition ${name} holds, else 0.`,
      spec: "SDM Vol. 2B, SETcc—Set Byte on Condition",
      forms: [[`0F ${hex(0x90 + code)} /r`, "Eb"]],
      semantics: (c) => c.write(0, c.let(ne(c.condition(code), i32(0)))),
    }),
  ),
  {
    ...control,
    mnemonic: "JMP",
    summary: "Jumps to a relative address.",
    spec: "SDM Vol. 2A, JMP—Jump",
    endsBlock: true,
    forms: [
      ["EB", "Jb"],
      ["E9", "Jz"],
    ],
    semantics: (c) => c.branch(),
  },
  {
    ...control,
    mnemonic: "JMP",
    summary: "Jumps to the address in a register or memory.",
    spec: "SDM Vol. 2A, JMP—Jump",
    endsBlock: true,
    forms: [["FF /4", "Ev"]],
    in64: "forced",
    semantics: (c) => c.jump(c.let(c.zeroExtend(c.read(0)))),
  },
  {
    ...control,
    mnemonic: "CALL",
    summary: "Pushes the address of the next instruction and jumps to a relative address.",
    spec: "SDM Vol. 2A, CALL—Call Procedure",
    endsBlock: true,
    forms: [["E8", "Jz"]],
    semantics: (c) => {
      c.checkTarget();
      c.push(c.nextEip());
      c.branch();
    },
  },
  {
    ...control,
    mnemonic: "CALL",
    summary: "Pushes the address of the next instruction and jumps to the address in a register or memory.",
    spec: "SDM Vol. 2A, CALL—Call Procedure",
    endsBlock: true,
    forms: [["FF /2", "Ev"]],
    in64: "forced",
    semantics: (c) => {
      const target = c.let(c.zeroExtend(c.read(0)));
      c.checkTarget(target);
      c.push(c.nextEip());
      c.jump(target);
    },
  },
  {
    ...control,
    mnemonic: "RET",
    summary: "Pops EIP.",
    spec: "SDM Vol. 2B, RET—Return From Procedure",
    endsBlock: true,
    forms: [["C3"]],
    in64: "forced",
    sized: true,
    semantics: (c) => returnNear(c),
  },
  {
    ...control,
    mnemonic: "RET",
    summary: "Pops EIP and releases the callee's arguments.",
    spec: "SDM Vol. 2B, RET—Return From Procedure",
    endsBlock: true,
    forms: [["C2", "Iw"]],
    in64: "forced",
    sized: true,
    semantics: (c) => returnNear(c, c.zeroExtend(c.read(0), 16)),
  },
  {
    ...control,
    mnemonic: "LOOPNE",
    summary: "Counts ECX down and jumps if it is not zero and ZF is clear.",
    spec: "SDM Vol. 2A, LOOP/LOOPcc—Loop According to ECX Counter",
    forms: [["E0", "Jb"]],
    addressSized: true,
    semantics: loop((c) => c.condition(5)),
  },
  {
    ...control,
    mnemonic: "LOOPE",
    summary: "Counts ECX down and jumps if it is not zero and ZF is set.",
    spec: "SDM Vol. 2A, LOOP/LOOPcc—Loop According to ECX Counter",
    forms: [["E1", "Jb"]],
    addressSized: true,
    semantics: loop((c) => c.condition(4)),
  },
  {
    ...control,
    mnemonic: "LOOP",
    summary: "Counts ECX down and jumps if it is not zero.",
    spec: "SDM Vol. 2A, LOOP/LOOPcc—Loop According to ECX Counter",
    forms: [["E2", "Jb"]],
    addressSized: true,
    semantics: loop(),
  },
  {
    ...control,
    mnemonic: "JECXZ",
    summary: "Jumps if ECX is zero.",
    spec: "SDM Vol. 2A, Jcc—Jump if Condition Is Met",
    forms: [["E3", "Jb"]],
    addressSized: true,
    semantics: (c) => c.branch(isZero(c.pointer(ECX))),
  },
  {
    ...control,
    mnemonic: "BOUND",
    summary: "Raises #BR if an index is outside of the pair of bounds in memory.",
    spec: "SDM Vol. 2A, BOUND—Check Array Index Against Bounds",
    forms: [["62 /r", "Gv Ma", "not64"]],
    semantics: (c) => {
      const index = c.read(0);
      const pair = c.address();
      const lower = c.cell("operand", pair, c.size).value;
      const upper = c.cell("operand", c.let(c.wrapAddress(add(pair, i32(c.size / 8)))), c.size).value;
      c.if(or(less(index, lower), less(upper, index)), () => c.fault(5));
    },
  },
  {
    mnemonic: "ENTER",
    group: "control transfer",
    summary: "Makes a stack frame.",
    spec: "SDM Vol. 2A, ENTER—Make Stack Frame for Procedure Parameters",
    forms: [["C8", "Iw Ib"]],
    in64: "defaults",
    sized: true,
    system: enter,
  },
];

export const controlTransferRows = definitions.flatMap(define);
