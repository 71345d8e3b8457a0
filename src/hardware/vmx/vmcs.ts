/**
 * A VMCS in memory: its fields read and written one by one, and as an image of the whole region, which VM entries read once.
 * Spec: SDM Vol. 3C, "Format of the VMCS Region", "Virtual Machine Control Structures".
 */
import type { ProcessorPort } from "../cpu/processor.js";
import { addressOf, highWord } from "../cpu/quadwords.js";
import { type Field, type FieldName, fieldNames, fields, LAYOUT, USED_BYTES } from "./fields.js";

/** The VMCS revision identifier: of bits 30:0 one that no part has. */
export const REVISION = 0x5652_4c42;

export type PhysicalReader = Pick<ProcessorPort, "readPhysical" | "readPhysicalWords">;
export type PhysicalMemory = Pick<ProcessorPort, "readPhysical" | "writePhysical">;

/** Words of `LAYOUT.LAUNCH_STATE`. */
const LAUNCHED = 1;

/** Two dwords. */
const isWide = ({ width }: Field): boolean => width === 64 || width === "natural";

/** A field of a VMCS at a physical address, unsigned. */
export function readField(memory: PhysicalReader, vmcs: number, name: FieldName): bigint {
  const field = fields[name];
  const at = vmcs + field.offset;
  const low = BigInt(memory.readPhysical(at));
  return isWide(field) ? low | (BigInt(memory.readPhysical(at + 4)) << 32n) : low;
}

/** The low half of a field, unsigned: all of one of 16 or 32 bits. */
export const readWord = (memory: PhysicalReader, vmcs: number, name: FieldName): number =>
  memory.readPhysical(vmcs + fields[name].offset);

/** A linear address in a field: signed, as those of long mode are. */
export const readAddress = (memory: PhysicalReader, vmcs: number, field: Field): number =>
  addressOf(memory.readPhysical(vmcs + field.offset), isWide(field) ? memory.readPhysical(vmcs + field.offset + 4) : 0);

/** Writes the two halves of a field; one of 16 or 32 bits has no upper half. */
export function writeHalves(memory: PhysicalMemory, vmcs: number, field: Field, low: number, high: number): void {
  const at = vmcs + field.offset;
  memory.writePhysical(at, (field.width === 16 ? low & 0xffff : low) >>> 0);
  if (isWide(field)) memory.writePhysical(at + 4, high >>> 0);
}

/** Writes a field: as many bits of the value as it has. */
export function writeField(memory: PhysicalMemory, vmcs: number, name: FieldName, value: bigint): void {
  writeHalves(memory, vmcs, fields[name], Number(value & 0xffff_ffffn), Number((value >> 32n) & 0xffff_ffffn));
}

/** Writes a word, zero-extended. */
export function writeWord(memory: PhysicalMemory, vmcs: number, name: FieldName, value: number): void {
  writeHalves(memory, vmcs, fields[name], value, 0);
}

export const isLaunched = (memory: PhysicalReader, vmcs: number): boolean =>
  memory.readPhysical(vmcs + LAYOUT.LAUNCH_STATE) === LAUNCHED;

export const setLaunched = (memory: PhysicalMemory, vmcs: number, launched: boolean): void =>
  memory.writePhysical(vmcs + LAYOUT.LAUNCH_STATE, launched ? LAUNCHED : 0);

/** The dwords of a region that are in use. */
export type VmcsImage = Uint32Array;

export const newImage = (): VmcsImage => new Uint32Array(USED_BYTES / 4);

/** Reads a whole region, into `image`. */
export function readImage(memory: PhysicalReader, vmcs: number, image = newImage()): VmcsImage {
  if (memory.readPhysicalWords !== undefined) memory.readPhysicalWords(vmcs, image);
  else for (let index = 0; index < image.length; index++) image[index] = memory.readPhysical(vmcs + 4 * index);
  return image;
}

/** Writes what of an image is not as it was when it was read. */
export function writeImage(memory: PhysicalMemory, vmcs: number, image: VmcsImage, read: VmcsImage): void {
  for (let index = 0; index < image.length; index++)
    if (image[index] !== read[index]) memory.writePhysical(vmcs + 4 * index, image[index]!);
}

/** Where a field is in an image: the index of its low half. */
export const indexOf = (name: FieldName): number => fields[name].offset >> 2;

/** Sets both halves of a field of 64 bits or natural width. */
export function setHalves(image: VmcsImage, at: number, low: number, high: number): void {
  image[at] = low;
  image[at + 1] = high;
}

/** Sets an address: in 64 bits a linear one is sign-extended. */
export const setAddress = (image: VmcsImage, at: number, address: number): void =>
  setHalves(image, at, address | 0, highWord(address));

export function setQuad(image: VmcsImage, at: number, value: bigint): void {
  if (value !== quadAt(image, at)) setHalves(image, at, Number(value & WORD), Number((value >> 32n) & WORD));
}
const WORD = 0xffff_ffffn;

/** Values of 64 bits by their words, because making one costs more than comparing. */
const QUADS = 64;
const quadLows = new Uint32Array(QUADS);
const quadHighs = new Uint32Array(QUADS);
const quads: bigint[] = Array.from({ length: QUADS }, () => 0n);

/** A field of 64 bits or natural width, unsigned. */
export function quadAt(image: VmcsImage, at: number): bigint {
  const low = image[at]!;
  const high = image[at + 1]!;
  const slot = (low ^ (low >>> 6) ^ (low >>> 12) ^ high) & (QUADS - 1);
  if (quadLows[slot] !== low || quadHighs[slot] !== high) {
    quadLows[slot] = low;
    quadHighs[slot] = high;
    quads[slot] = (BigInt(high) << 32n) | BigInt(low);
  }
  return quads[slot]!;
}

/** A linear address, signed as those of long mode are. */
export const addressAt = (image: VmcsImage, at: number): number => addressOf(image[at]!, image[at + 1]!);

/** The low half of a field in an image, unsigned. */
export const wordOf = (image: VmcsImage, name: FieldName): number => image[fields[name].offset >> 2]!;
/** The upper half of a field of 64 bits or natural width. */
export const upperOf = (image: VmcsImage, name: FieldName): number => image[(fields[name].offset >> 2) + 1]!;
/** A physical address. */
export const physicalOf = (image: VmcsImage, name: FieldName): number =>
  upperOf(image, name) * 2 ** 32 + wordOf(image, name);
/** A linear address, signed as those of long mode are. */
export const linearOf = (image: VmcsImage, name: FieldName): number =>
  addressOf(wordOf(image, name), upperOf(image, name));
export const quadOf = (image: VmcsImage, name: FieldName): bigint => quadAt(image, indexOf(name));

/** A VMCS as people read it. */
export interface VmcsRecord {
  readonly revision: number;
  readonly abort: number;
  readonly launchState: "clear" | "launched";
  /** Values by the manual's names, unsigned. */
  readonly fields: Readonly<Record<FieldName, bigint>>;
}

/**
 * The VMCS at a physical address as a plain record. What a processor keeps of it inside while it is active is nothing here, so
 * memory has all of it. Spec: SDM Vol. 3C, "Format of the VMCS Region".
 */
export function readVmcs(memory: PhysicalReader, address: number): VmcsRecord {
  const values = Object.fromEntries(fieldNames.map((name) => [name, readField(memory, address, name)]));
  return Object.freeze({
    revision: memory.readPhysical(address + LAYOUT.REVISION),
    abort: memory.readPhysical(address + LAYOUT.ABORT),
    launchState: isLaunched(memory, address) ? "launched" : "clear",
    fields: Object.freeze(values as Record<FieldName, bigint>),
  });
}
