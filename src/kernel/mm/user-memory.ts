/**
 * The memory of programs as the kernel reaches it: by their addresses, at their privilege, with their faults mended on the way.
 */
import { Fault, VECTOR } from "../../hardware/cpu/processor.js";
import { USER_END } from "../arch/layout.js";
import { E } from "../errno.js";
import type { Work } from "../work.js";
import { mend, type Touch } from "./faults.js";

const PAGE = 4096;

/** Does something at a program's memory, again whenever a page had to be brought first. Throws EFAULT. */
function reach(k: Work, address: number, length: number, touch: Touch, access: () => void): void {
  if (!Number.isInteger(address) || address < 0 || address + length > USER_END[64]) throw E.EFAULT;
  for (let tries = 0; ; tries++) {
    try {
      access();
      return;
    } catch (thrown) {
      if (!(thrown instanceof Fault) || thrown.vector !== VECTOR.PF) throw thrown;
      if (tries > length / PAGE + 2 || mend(k, k.task.space, k.port.system.cr2, touch) !== undefined) throw E.EFAULT;
    }
  }
}

/** Bytes of the program at work. Throws EFAULT. */
export function readUser(k: Work, address: number, length: number): Uint8Array {
  const bytes = new Uint8Array(length);
  if (length > 0) reach(k, address, length, "read", () => k.port.readBytes(address, bytes, true));
  return bytes;
}

/** Throws EFAULT, with what lies in front of the page written. */
export function writeUser(k: Work, address: number, bytes: Uint8Array): void {
  if (bytes.length > 0) reach(k, address, bytes.length, "write", () => k.port.writeBytes(address, bytes, true));
}

/** A word of 4 bytes, unsigned. */
export function readWord(k: Work, address: number): number {
  let value = 0;
  reach(k, address, 4, "read", () => {
    value = k.port.readLinear(address, 4, true);
  });
  return value;
}

export function writeWord(k: Work, address: number, value: number): void {
  reach(k, address, 4, "write", () => k.port.writeLinear(address, 4, value >>> 0, true));
}

/** Eight bytes as a number: exact below 2^53. */
export function readLong(k: Work, address: number): number {
  const view = new DataView(readUser(k, address, 8).buffer);
  return view.getInt32(4, true) * 2 ** 32 + view.getUint32(0, true);
}

export function writeLong(k: Work, address: number, value: number): void {
  const view = new DataView(new ArrayBuffer(8));
  view.setUint32(0, value >>> 0, true);
  view.setInt32(4, Math.floor(value / 2 ** 32), true);
  writeUser(k, address, new Uint8Array(view.buffer));
}

/** Bytes up to a zero, as text with a character for each byte. Throws EFAULT; undefined where there is none in `most` bytes. */
export function readBytesToZero(k: Work, address: number, most: number): Uint8Array | undefined {
  const parts: Uint8Array[] = [];
  for (let at = address, left = most; left > 0; ) {
    const part = readUser(k, at, Math.min(left, PAGE - (at % PAGE)));
    const end = part.indexOf(0);
    parts.push(end < 0 ? part : part.subarray(0, end));
    if (end >= 0) return joinBytes(parts);
    at += part.length;
    left -= part.length;
  }
  return undefined;
}

export function joinBytes(parts: readonly Uint8Array[]): Uint8Array {
  if (parts.length === 1) return parts[0]!;
  const bytes = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}

const PATH_MAX = 4096;

/** A path name: bytes as characters below 256, so that any name comes back as it was. Throws EFAULT, ENAMETOOLONG. */
export function readPath(k: Work, address: number): string {
  const bytes = readBytesToZero(k, address, PATH_MAX);
  if (bytes === undefined) throw E.ENAMETOOLONG;
  return textOf(bytes);
}

/** Bytes as characters below 256. */
export function textOf(bytes: Uint8Array): string {
  let text = "";
  for (let at = 0; at < bytes.length; at += 4096) text += String.fromCharCode(...bytes.subarray(at, at + 4096));
  return text;
}

/** Characters below 256 as bytes. */
export function bytesOf(text: string): Uint8Array {
  const bytes = new Uint8Array(text.length);
  for (let index = 0; index < text.length; index++) bytes[index] = text.charCodeAt(index);
  return bytes;
}
