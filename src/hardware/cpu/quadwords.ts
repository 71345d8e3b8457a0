/**
 * 64-bit values in halves, and addresses made of them. An address is a signed number; one that is not canonical is a number
 * beyond 48 bits, perhaps rounded, which no access lets through.
 */
import type { ProcessorPort } from "./processor.js";

const WORD = 2 ** 32;

/** The address that two words are. */
export const addressOf = (low: number, high: number): number => (high | 0) * WORD + (low >>> 0);

/** The upper word of an address, signed. The lower one is `address | 0`. */
export const highWord = (address: number): number => Math.floor(address / WORD) | 0;

export const registerAddress = (port: ProcessorPort, number: number): number =>
  addressOf(port.getRegister(number), port.getRegisterHigh(number));

export const setRegisterAddress = (port: ProcessorPort, number: number, address: number): void =>
  port.setRegister(number, address | 0, highWord(address));

const pair = new Int32Array(2);

/** Eight bytes in memory as an address. Throws #PF. */
export function readAddress(port: ProcessorPort, linear: number, user: boolean): number {
  port.readWords(linear, 2, user, pair);
  return addressOf(pair[0]!, pair[1]!);
}

/** Writes eight bytes. Throws #PF. */
export function writeQuad(port: ProcessorPort, linear: number, low: number, high: number, user: boolean): void {
  pair[0] = low;
  pair[1] = high;
  writeQuads(port, linear, 1, user, pair);
}

/**
 * Writes `count` quadwords as pushes do, the last one first: a page fault is that of the first one that cannot be written.
 * Throws #PF with nothing written.
 */
export function writeQuads(port: ProcessorPort, linear: number, count: number, user: boolean, words: Int32Array): void {
  const last = linear + 8 * (count - 1);
  port.checkWrite(last, 8, user);
  const onOnePage = (last & 0xfff) >= last - linear;
  if (!onOnePage) for (let at = last - 8; at >= linear; at -= 8) port.checkWrite(at, 8, user);
  port.writeWords(linear, 2 * count, user, words);
}
