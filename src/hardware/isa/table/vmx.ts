/**
 * The instructions of VT-x.
 * Spec: SDM Vol. 3C, "VMX Instruction Reference".
 */
import { operandAddress } from "../../cpu/operands.js";
import type { ProcessorPort } from "../../cpu/processor.js";
import { writeQuad } from "../../cpu/quadwords.js";
import {
  beginInvept,
  beginInvvpid,
  beginVmxon,
  invept,
  invvpid,
  vmcall,
  vmclear,
  vmfunc,
  vmlaunch,
  vmptrld,
  vmptrst,
  vmread,
  vmresume,
  vmwrite,
  vmxoff,
  vmxon,
} from "../../vmx/instructions.js";
import { requireRoot } from "../../vmx/outcome.js";
import {
  type DecodedInstruction,
  type Definition,
  define,
  type Operand,
  type SystemInstruction,
} from "../instruction.js";

const common = { group: "system", needs: "VMX" } as const;

/** As many as the longest descriptor has. */
const words = new Int32Array(4);

/** Quadwords of the memory operand; all of these instructions are for CPL 0. */
function readQuads(port: ProcessorPort, instruction: DecodedInstruction, count: 1 | 2): readonly bigint[] {
  port.readWords(operandAddress(port, instruction, 8 * count, false), 2 * count, false, words);
  return Array.from({ length: count }, (_, index) => {
    const low = BigInt(words[2 * index]! >>> 0);
    return low | (BigInt(words[2 * index + 1]! >>> 0) << 32n);
  });
}

/** A pointer as a number: one beyond physical addresses stays so, perhaps rounded. */
const readPointer = (port: ProcessorPort, instruction: DecodedInstruction): number =>
  Number(readQuads(port, instruction, 1)[0]);

/** A general register, of 64 bits in 64-bit code. */
function registerValue(port: ProcessorPort, operand: Operand | undefined): bigint {
  const number = operand?.kind === "register" ? operand.number : 0;
  const high = port.codeBits === 64 ? BigInt(port.getRegisterHigh(number)) << 32n : 0n;
  return high | BigInt(port.getRegister(number));
}

const storePointer: SystemInstruction = (port, instruction) => {
  requireRoot(port, "VMPTRST", instruction);
  const pointer = vmptrst(port);
  const linear = operandAddress(port, instruction, 8, true);
  writeQuad(port, linear, Number(pointer & 0xffff_ffffn) | 0, Number(pointer >> 32n) | 0, false);
};

const readComponent: SystemInstruction = (port, instruction) => {
  requireRoot(port, "VMREAD", instruction);
  const [target, encoding] = instruction.operands;
  const value = vmread(port, registerValue(port, encoding));
  if (value === undefined) return;
  const low = Number(value & 0xffff_ffffn) | 0;
  const high = Number(value >> 32n) | 0;
  const wide = port.codeBits === 64;
  if (target?.kind === "register") port.setRegister(target.number, low, wide ? high : 0);
  else if (wide) writeQuad(port, operandAddress(port, instruction, 8, true), low, high, false);
  else port.writeLinear(operandAddress(port, instruction, 4, true), 4, low >>> 0, false);
};

function sourceValue(port: ProcessorPort, instruction: DecodedInstruction): bigint {
  const source = instruction.operands[1];
  if (source?.kind === "register") return registerValue(port, source);
  if (port.codeBits === 64) return readQuads(port, instruction, 1)[0]!;
  return BigInt(port.readLinear(operandAddress(port, instruction, 4, false), 4, false));
}

const writeComponent: SystemInstruction = (port, instruction) => {
  const { current } = requireRoot(port, "VMWRITE", instruction);
  // Without a VMCS it fails before it reads anything.
  const value = current === undefined ? 0n : sourceValue(port, instruction);
  vmwrite(port, registerValue(port, instruction.operands[0]), value);
};

const definitions: readonly Definition[] = [
  {
    ...common,
    mnemonic: "VMXON",
    summary: "Enters VMX root operation.",
    spec: "SDM Vol. 3C, VMXON—Enter VMX Operation",
    forms: [["F3 0F C7 /6", "Mq"]],
    flags: { written: "OSZAPC" },
    system: (port, instruction) => {
      beginVmxon(port, instruction);
      vmxon(port, readPointer(port, instruction));
    },
  },
  {
    ...common,
    mnemonic: "VMXOFF",
    summary: "Leaves VMX operation.",
    spec: "SDM Vol. 3C, VMXOFF—Leave VMX Operation",
    forms: [["NP 0F 01 C4"]],
    flags: { written: "OSZAPC" },
    system: vmxoff,
  },
  {
    ...common,
    mnemonic: "VMCALL",
    summary: "Leaves the guest, to call the host.",
    spec: "SDM Vol. 3C, VMCALL—Call to VM Monitor",
    forms: [["NP 0F 01 C1"]],
    flags: { written: "OSZAPC" },
    system: vmcall,
  },
  {
    ...common,
    mnemonic: "VMCLEAR",
    summary: "Makes the launch state of a VMCS clear.",
    spec: "SDM Vol. 3C, VMCLEAR—Clear Virtual-Machine Control Structure",
    forms: [["66 0F C7 /6", "Mq"]],
    flags: { written: "OSZAPC" },
    system: (port, instruction) => {
      requireRoot(port, "VMCLEAR", instruction);
      vmclear(port, readPointer(port, instruction));
    },
  },
  {
    ...common,
    mnemonic: "VMPTRLD",
    summary: "Makes a VMCS the current one.",
    spec: "SDM Vol. 3C, VMPTRLD—Load Pointer to Virtual-Machine Control Structure",
    forms: [["NP 0F C7 /6", "Mq"]],
    flags: { written: "OSZAPC" },
    system: (port, instruction) => {
      requireRoot(port, "VMPTRLD", instruction);
      vmptrld(port, readPointer(port, instruction));
    },
  },
  {
    ...common,
    mnemonic: "VMPTRST",
    summary: "Stores the pointer to the current VMCS.",
    spec: "SDM Vol. 3C, VMPTRST—Store Pointer to Virtual-Machine Control Structure",
    forms: [["NP 0F C7 /7", "Mq"]],
    flags: { written: "OSZAPC" },
    system: storePointer,
  },
  {
    ...common,
    mnemonic: "VMREAD",
    summary: "Reads a field of the current VMCS.",
    spec: "SDM Vol. 3C, VMREAD—Read Field from Virtual-Machine Control Structure",
    forms: [
      ["NP 0F 78 /r", "Ed Gd", "not64"],
      ["NP 0F 78 /r", "Eq Gq", "only64"],
    ],
    flags: { written: "OSZAPC" },
    system: readComponent,
  },
  {
    ...common,
    mnemonic: "VMWRITE",
    summary: "Writes a field of the current VMCS.",
    spec: "SDM Vol. 3C, VMWRITE—Write Field to Virtual-Machine Control Structure",
    forms: [
      ["NP 0F 79 /r", "Gd Ed", "not64"],
      ["NP 0F 79 /r", "Gq Eq", "only64"],
    ],
    flags: { written: "OSZAPC" },
    system: writeComponent,
  },
  {
    ...common,
    mnemonic: "VMLAUNCH",
    summary: "Enters the guest of a VMCS that is clear.",
    spec: "SDM Vol. 3C, VMLAUNCH/VMRESUME—Launch/Resume Virtual Machine",
    forms: [["NP 0F 01 C2"]],
    flags: { written: "OSZAPC" },
    system: vmlaunch,
  },
  {
    ...common,
    mnemonic: "VMRESUME",
    summary: "Enters the guest of a VMCS that was launched.",
    spec: "SDM Vol. 3C, VMLAUNCH/VMRESUME—Launch/Resume Virtual Machine",
    forms: [["NP 0F 01 C3"]],
    flags: { written: "OSZAPC" },
    system: vmresume,
  },
  {
    ...common,
    mnemonic: "INVEPT",
    summary: "Drops translations that come from EPT.",
    spec: "SDM Vol. 3C, INVEPT—Invalidate Translations Derived from EPT",
    forms: [
      ["66 0F 38 80 /r", "Gd Mdq", "not64"],
      ["66 0F 38 80 /r", "Gq Mdq", "only64"],
    ],
    flags: { written: "OSZAPC" },
    system: (port, instruction) => {
      beginInvept(port, instruction);
      const [eptp] = readQuads(port, instruction, 2);
      invept(port, registerValue(port, instruction.operands[0]), eptp!);
    },
  },
  {
    ...common,
    mnemonic: "INVVPID",
    summary: "Drops translations of virtual processors by their identifiers.",
    spec: "SDM Vol. 3C, INVVPID—Invalidate Translations Based on VPID",
    forms: [
      ["66 0F 38 81 /r", "Gd Mdq", "not64"],
      ["66 0F 38 81 /r", "Gq Mdq", "only64"],
    ],
    flags: { written: "OSZAPC" },
    system: (port, instruction) => {
      beginInvvpid(port, instruction);
      const [vpid, linear] = readQuads(port, instruction, 2);
      invvpid(port, registerValue(port, instruction.operands[0]), vpid!, linear!);
    },
  },
  {
    ...common,
    mnemonic: "VMFUNC",
    summary: "Calls a function that the host enabled for the guest: function 0 takes another EPT pointer.",
    spec: "SDM Vol. 3C, VMFUNC—Invoke VM function",
    forms: [["NP 0F 01 D4"]],
    system: vmfunc,
  },
];

export const vmxRows = definitions.flatMap(define);
