/**
 * INT 15h: how much memory there is and where, and address line 20. The rest is refused: waiting (86h) and moving blocks
 * (87h) too.
 * Manual: Ralf Brown's Interrupt List, INT 15; ACPI Specification, "INT 15H, E820H - Query System Address Map".
 */
import type { ProcessorPort } from "../../cpu/processor.js";
import { CMOS } from "../../devices/cmos-memory.js";
import { PORT } from "../../devices/layout.js";
import {
  addressIn,
  byFunction,
  byte,
  dword,
  input,
  output,
  read,
  refuse,
  setByte,
  setCarry,
  setDword,
  setWord,
  word,
  write,
} from "./access.js";
import { MEMORY_MAP } from "./rom-layout.js";

function cmosWord(port: ProcessorPort, address: number): number {
  const part = (at: number): number => {
    output(port, PORT.realTimeClock.base, at);
    return input(port, PORT.realTimeClock.base + 1);
  };
  return part(address) | (part(address + 1) << 8);
}

function extendedMemory(port: ProcessorPort): void {
  setWord(port, "ax", cmosWord(port, CMOS.extendedMemory));
  setCarry(port, false);
}

/** KiB from 1 to 16 MiB on. */
const BELOW_16M = 0x3c00;

function memorySizes(port: ProcessorPort): void {
  const below = Math.min(cmosWord(port, CMOS.extendedMemory), BELOW_16M);
  const above = cmosWord(port, CMOS.memoryAbove16M);
  for (const name of ["ax", "cx"] as const) setWord(port, name, below);
  for (const name of ["bx", "dx"] as const) setWord(port, name, above);
  setCarry(port, false);
}

const SMAP = 0x534d_4150;
const MAP_ENTRY = 20;

/** EBX counts the entries; behind the last one it is 0. */
function memoryMap(port: ProcessorPort): void {
  const entry = MEMORY_MAP + dword(port, "bx") * MAP_ENTRY;
  const lengthOf = (at: number): number => read(port, at + 8, 4) + read(port, at + 12, 4);
  const inTable = dword(port, "bx") < 32 && lengthOf(entry) > 0;
  if (dword(port, "dx") !== SMAP || dword(port, "cx") < MAP_ENTRY || !inTable) {
    refuse(port);
    return;
  }
  const target = addressIn(port, "es", word(port, "di"), MAP_ENTRY, true);
  for (let at = 0; at < MAP_ENTRY; at += 4) write(port, target + at, 4, read(port, entry + at, 4));
  setDword(port, "ax", SMAP);
  setDword(port, "cx", MAP_ENTRY);
  setDword(port, "bx", lengthOf(entry + MAP_ENTRY) > 0 ? dword(port, "bx") + 1 : 0);
  setCarry(port, false);
}

const WAYS: Readonly<Record<number, (port: ProcessorPort) => void>> = { 1: memorySizes, 32: memoryMap };

const LINE_20 = 0x02;
const WRITE_OUTPUT_PORT = 0xd1;
/** The keyboard controller's output port without line 20. */
const OUTPUT_PORT_CLOSED = 0xdd;
const BY_KEYBOARD_AND_PORT_92 = 3;

function setLine20(port: ProcessorPort, on: boolean): void {
  const { base: control } = PORT.systemControlA;
  const before = input(port, control);
  // Either would let it pass.
  if (!on) {
    output(port, PORT.keyboardCommand.base, WRITE_OUTPUT_PORT);
    output(port, PORT.keyboardData.base, OUTPUT_PORT_CLOSED);
  }
  output(port, control, (on ? before | LINE_20 : before & ~LINE_20) & ~1);
}

function line20(port: ProcessorPort): void {
  const which = byte(port, "al");
  if (which > 3) {
    refuse(port);
    return;
  }
  if (which < 2) setLine20(port, which === 1);
  if (which === 2) setByte(port, "al", (input(port, PORT.systemControlA.base) & LINE_20) >> 1);
  if (which === 3) setWord(port, "bx", BY_KEYBOARD_AND_PORT_92);
  setByte(port, "ah", 0);
  setCarry(port, false);
}

export const system = byFunction({
  36: line20,
  136: extendedMemory,
  232: (port) => (WAYS[byte(port, "al")] ?? refuse)(port),
});
