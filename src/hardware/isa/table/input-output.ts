/**
 * Port input and output.
 * Spec: SDM Vol. 1, "I/O Instructions" and "Protected-Mode I/O".
 */

import { checkPortPermission } from "../../cpu/io-permission.js";
import { readOperand, readRegister, writeRegister } from "../../cpu/operands.js";
import type { AccessSize, ProcessorPort } from "../../cpu/processor.js";
import { registerAddress, setRegisterAddress } from "../../cpu/quadwords.js";
import { FLAG, segmentNumbered } from "../../cpu/state.js";
import { and, i32, type Replay } from "../code.js";
import { type CodeBits, type DecodedInstruction, type Definition, define } from "../instruction.js";
import { leaves } from "./common.js";

const EDX = 2;
const ECX = 1;
const ESI = 6;
const EDI = 7;
const ES = 0;

const portOf = (port: ProcessorPort, instruction: DecodedInstruction, index: number): number =>
  readOperand(port, instruction, instruction.operands[index]!) &
  (instruction.operands[index]!.kind === "immediate" ? 0xff : 0xffff);

/** A port is never wider than 32 bits. */
const portSize = ({ size }: DecodedInstruction): AccessSize => Math.min(size / 8, 4) as AccessSize;

/** An index or count register, as wide as addresses are. */
const readPointer = (port: ProcessorPort, number: number, bits: CodeBits): number =>
  bits === 64 ? registerAddress(port, number) : readRegister(port, number, bits);

function movePointer(port: ProcessorPort, number: number, bits: CodeBits, by: number): void {
  if (bits === 64) setRegisterAddress(port, number, registerAddress(port, number) + by);
  else writeRegister(port, number, bits, readRegister(port, number, bits) + by);
}

/** Whether the instruction is what a guest is left for, as it may not use this port. */
function portLeaves(
  port: ProcessorPort,
  instruction: DecodedInstruction,
  io: number,
  direction: "in" | "out",
  string?: { readonly segment: number; readonly offset: number },
): boolean {
  if (port.guest === undefined) return false;
  const size = portSize(instruction);
  const immediate = instruction.operands[direction === "in" ? 1 : 0]?.kind === "immediate";
  if (string === undefined)
    return leaves(port, { kind: "port", port: io, size, direction, immediate, repeated: false });
  // INS and OUTS tell their address, of which nothing is checked yet.
  const { addressSize, repeat } = instruction;
  const told = { linear: unchecked(port, string), segment: string.segment, addressSize };
  const repeated = repeat !== undefined;
  return leaves(port, { kind: "port", port: io, size, direction, immediate, repeated, string: told });
}

function unchecked(port: ProcessorPort, { segment, offset }: { segment: number; offset: number }): number {
  const { base } = segmentNumbered(port.system.segments, segment);
  if (port.codeBits === 64) return segment < 4 ? offset : base + offset;
  return (base + offset) >>> 0;
}

function input(port: ProcessorPort, instruction: DecodedInstruction): void {
  const io = portOf(port, instruction, 1);
  const size = portSize(instruction);
  checkPortPermission(port, io, size);
  if (portLeaves(port, instruction, io, "in")) return;
  writeRegister(port, 0, size * 8, port.portRead(io, size));
}

function output(port: ProcessorPort, instruction: DecodedInstruction): void {
  const io = portOf(port, instruction, 0);
  const size = portSize(instruction);
  checkPortPermission(port, io, size);
  if (portLeaves(port, instruction, io, "out")) return;
  const value = port.getRegister(0);
  port.portWrite(io, size, size === 4 ? value : value & ((1 << (8 * size)) - 1));
}

/** INS and OUTS: one iteration, with REP counting ECX down; 16-bit addresses take SI, DI and CX. */
function stringTransfer(
  direction: "in" | "out",
  transfer: (port: ProcessorPort, instruction: DecodedInstruction, io: number, size: AccessSize) => number,
) {
  return (port: ProcessorPort, instruction: DecodedInstruction): void => {
    const bits = instruction.addressSize;
    const count = readPointer(port, ECX, bits);
    if (instruction.repeat && count === 0) return;
    const io = port.getRegister(EDX) & 0xffff;
    const size = portSize(instruction);
    checkPortPermission(port, io, size);
    if (port.guest !== undefined) {
      const [segment, register] = direction === "in" ? [ES, EDI] : [instruction.segment, ESI];
      const offset = readPointer(port, register, bits);
      if (portLeaves(port, instruction, io, direction, { segment, offset })) return;
    }
    const pointer = transfer(port, instruction, io, size);
    const step = (port.getEflags() & FLAG.DF) !== 0 ? -size : size;
    movePointer(port, pointer, bits, step);
    if (!instruction.repeat) return;
    movePointer(port, ECX, bits, -1);
    if (count !== 1) port.repeat();
  };
}

const ins = stringTransfer("in", (port, { addressSize }, io, size) => {
  const address = port.segmentAddress(ES, readPointer(port, EDI, addressSize), size, true);
  const user = port.cpl === 3;
  // The destination is checked before the device is read, because reading a device may change it.
  port.writeLinear(address, size, port.readLinear(address, size, user), user);
  port.writeLinear(address, size, port.portRead(io, size), user);
  return EDI;
});

const outs = stringTransfer("out", (port, { segment, addressSize }, io, size) => {
  const address = port.segmentAddress(segment, readPointer(port, ESI, addressSize), size, false);
  port.portWrite(io, size, port.readLinear(address, size, port.cpl === 3));
  return ESI;
});

const io = { group: "input and output" } as const;
const inputOf = {
  ...io,
  mnemonic: "IN",
  summary: "Reads a port into the accumulator.",
  spec: "SDM Vol. 2A, IN—Input From Port",
  system: input,
} as const;

/** At CPL 0 every port is allowed. */
const replayInput =
  (bits: number) =>
  (code: Replay): void => {
    code.asSupervisor();
    code.write(0, code.portRead(and(code.read(1), i32(bits)), code.size));
    code.done();
  };

const definitions: readonly Definition[] = [
  {
    ...inputOf,
    forms: [
      ["E4", "AL Ib"],
      ["E5", "eAX Ib"],
    ],
    replay: replayInput(0xff),
  },
  {
    ...inputOf,
    forms: [
      ["EC", "AL DX"],
      ["ED", "eAX DX"],
    ],
    replay: replayInput(0xffff),
  },
  {
    ...io,
    mnemonic: "OUT",
    summary: "Writes the accumulator to a port.",
    spec: "SDM Vol. 2B, OUT—Output to Port",
    forms: [
      ["E6", "Ib AL"],
      ["E7", "Ib eAX"],
      ["EE", "DX AL"],
      ["EF", "DX eAX"],
    ],
    system: output,
  },
  {
    ...io,
    mnemonic: "INS",
    summary: "Reads port DX to ES:EDI.",
    spec: "SDM Vol. 2A, INS/INSB/INSW/INSD—Input From Port to String",
    forms: [
      ["6C", "Yb DX"],
      ["6D", "Yz DX"],
    ],
    repeat: "rep",
    system: ins,
  },
  {
    ...io,
    mnemonic: "OUTS",
    summary: "Writes from ESI to port DX.",
    spec: "SDM Vol. 2B, OUTS/OUTSB/OUTSW/OUTSD—Output String to Port",
    forms: [
      ["6E", "DX Xb"],
      ["6F", "DX Xz"],
    ],
    repeat: "rep",
    system: outs,
  },
];

export const inputOutputRows = definitions.flatMap(define);
