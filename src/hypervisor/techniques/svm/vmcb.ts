/** The VMCB of a VM by the names of its fields: while the hypervisor has the processor, and of a machine at rest. */
import {
  fieldOf,
  indexOf,
  newImage,
  numberOf,
  readImage,
  setQuad,
  type VmcbImage,
  vmcbField,
  writeImage,
} from "../../../hardware/svm/vmcb.js";
import type { PageMap } from "../../../state/page-map.js";
import { readPages } from "../../../state/page-map.js";
import { PAGE } from "../../host.js";

export { fieldOf, indexOf, newImage, numberOf, readImage, type VmcbImage, writeImage };

/** Writes a field of at most 32 bits into an image. */
export function putNumber(image: VmcbImage, name: string, value: number): void {
  const { offset, bit, bits } = vmcbField(name);
  const shift = (offset & 3) * 8 + bit;
  const mask = bits >= 32 ? 0xffff_ffff : (2 ** bits - 1) << shift;
  const at = offset >> 2;
  image[at] = (image[at]! & ~mask) | ((value << shift) & mask);
}

/** Writes a field of 64 bits. */
export const putWords = (image: VmcbImage, name: string, low: number, high: number): void =>
  setQuad(image, indexOf(name), low, high);

export function putQuad(image: VmcbImage, name: string, value: bigint): void {
  const unsigned = BigInt.asUintN(64, value);
  putWords(image, name, Number(unsigned & 0xffff_ffffn), Number(unsigned >> 32n));
}

/** An address, or another number below 2^53: signed ones as those of long mode are. */
export const putAddress = (image: VmcbImage, name: string, value: number): void =>
  putWords(image, name, value | 0, Math.floor(value / 2 ** 32) | 0);

/** The low half of a field of 64 bits, unsigned. */
export const lowOf = (image: VmcbImage, name: string): number => image[indexOf(name)]!;

/** A field of 64 bits as an address: signed. */
export const addressAt = (image: VmcbImage, name: string): number => Number(BigInt.asIntN(64, fieldOf(image, name)));

/** A VMCB in the memory of a machine at rest. */
export function vmcbAtRest(memory: PageMap, vmcb: number): VmcbImage {
  const view = new DataView(readPages(memory, vmcb, PAGE).buffer);
  return newImage().map((_, index) => view.getUint32(4 * index, true));
}
