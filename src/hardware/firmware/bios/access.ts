/**
 * What BIOS services do to the processor: everything through the port, with the checks an instruction would meet, so that a
 * service called in virtual-8086 mode is stopped where machine code would be.
 */
import { checkPortPermission } from "../../cpu/io-permission.js";
import type { AccessSize, ProcessorPort } from "../../cpu/processor.js";
import { FLAG, segmentNumbered } from "../../cpu/state.js";

/** Numbers of registers in encodings. */
export const REGISTER = { ax: 0, cx: 1, dx: 2, bx: 3, sp: 4, bp: 5, si: 6, di: 7 } as const;
export const SEGMENT = { es: 0, cs: 1, ss: 2, ds: 3 } as const;
type WordRegister = keyof typeof REGISTER;
type ByteRegister = "al" | "ah" | "bl" | "bh" | "cl" | "ch" | "dl" | "dh";

export const word = (port: ProcessorPort, name: WordRegister): number => port.getRegister(REGISTER[name]) & 0xffff;
export const dword = (port: ProcessorPort, name: WordRegister): number => port.getRegister(REGISTER[name]);

export function setDword(port: ProcessorPort, name: WordRegister, value: number): void {
  const number = REGISTER[name];
  port.setRegister(number, value >>> 0, port.getRegisterHigh(number));
}

export const setWord = (port: ProcessorPort, name: WordRegister, value: number): void =>
  setDword(port, name, (dword(port, name) & 0xffff_0000) | (value & 0xffff));

const wholeOf = (name: ByteRegister): WordRegister => `${name[0] as "a" | "b" | "c" | "d"}x`;
const shiftOf = (name: ByteRegister): number => (name[1] === "h" ? 8 : 0);

export const byte = (port: ProcessorPort, name: ByteRegister): number =>
  (word(port, wholeOf(name)) >> shiftOf(name)) & 0xff;

export function setByte(port: ProcessorPort, name: ByteRegister, value: number): void {
  const shift = shiftOf(name);
  const whole = wholeOf(name);
  setWord(port, whole, (word(port, whole) & ~(0xff << shift)) | ((value & 0xff) << shift));
}

/** Where SEG:offset is, without asking for what the segment register has: as software that loads it finds it. */
export const realAddress = (segment: number, offset: number): number => segment * 16 + (offset & 0xffff);

/** Linear address of `size` bytes at an offset of a segment register. */
export const addressIn = (
  port: ProcessorPort,
  segment: keyof typeof SEGMENT,
  offset: number,
  size: number,
  write: boolean,
): number => port.segmentAddress(SEGMENT[segment], offset & 0xffff, size, write);

export const selector = (port: ProcessorPort, segment: keyof typeof SEGMENT): number =>
  segmentNumbered(port.system.segments, SEGMENT[segment]).selector;

export const read = (port: ProcessorPort, linear: number, size: AccessSize): number =>
  port.readLinear(linear, size, port.cpl === 3);

export const write = (port: ProcessorPort, linear: number, size: AccessSize, value: number): void =>
  port.writeLinear(linear, size, value, port.cpl === 3);

export function input(port: ProcessorPort, number: number, size: AccessSize = 1): number {
  checkPortPermission(port, number, size);
  return port.portRead(number, size);
}

export function output(port: ProcessorPort, number: number, value: number, size: AccessSize = 1): void {
  checkPortPermission(port, number, size);
  port.portWrite(number, size, value);
}

/** The flags IRET is going to load: behind IP and CS on the stack. */
const FLAGS_IMAGE = 4;

/** Sets or clears a flag that the caller finds behind the service. */
export function setFlag(port: ProcessorPort, flag: number, on: boolean): void {
  const image = addressIn(port, "ss", word(port, "sp") + FLAGS_IMAGE, 2, true);
  const flags = read(port, image, 2);
  write(port, image, 2, on ? flags | flag : flags & ~flag);
}

export const setCarry = (port: ProcessorPort, on: boolean): void => setFlag(port, FLAG.CF, on);

/** Machine code behind an entry's host call and IRET: what the processor does until the service can go on. */
const WAITING = 3;

/** The service is entered again when what it waits for may have come. */
export function wait(port: ProcessorPort): void {
  port.nextEip = port.eip + WAITING;
}

const UNSUPPORTED = 0x86;

/** A function that this BIOS does not have. */
export function refuse(port: ProcessorPort): void {
  setByte(port, "ah", UNSUPPORTED);
  setCarry(port, true);
}

export type Service = (port: ProcessorPort) => void;

/** A service's functions by AH. */
export const byFunction =
  (functions: Readonly<Record<number, Service>>): Service =>
  (port) =>
    (functions[byte(port, "ah")] ?? refuse)(port);
