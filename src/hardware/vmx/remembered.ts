/**
 * What follows from some fields of a VMCS is remembered by their words, of each VMCS the last: a hypervisor enters the same one
 * again and again with a few fields changed. The same words give the same, so nobody sees it.
 */
import { type FieldName, fields } from "./fields.js";
import type { VmcsImage } from "./vmcs.js";

interface Entry<T> {
  readonly words: Int32Array;
  readonly value: T;
}

/** As many VMCSs are known. */
const LIMIT = 64;

export interface Remembered<T> {
  /** Undefined: the words are others. */
  get(vmcs: number, image: VmcsImage): T | undefined;
  set(vmcs: number, image: VmcsImage, value: T): void;
}

/** By the words of these fields; of low words only the bits in a mask count, where there is one. */
export function rememberedBy<T>(
  names: readonly FieldName[],
  masksOf: Partial<Record<FieldName, number>> = {},
): Remembered<T> {
  const words = names.flatMap((name) => {
    const { offset, width } = fields[name];
    const low = [offset >> 2, masksOf[name] ?? -1] as const;
    return width === 64 || width === "natural" ? [low, [(offset >> 2) + 1, -1] as const] : [low];
  });
  const indices = Int32Array.from(words.map(([index]) => index));
  const masks = Int32Array.from(words.map(([, mask]) => mask));
  const entries = new Map<number, Entry<T>>();
  return {
    get(vmcs, image) {
      const entry = entries.get(vmcs);
      if (entry === undefined) return undefined;
      const known = entry.words;
      for (let index = 0; index < known.length; index++)
        if ((image[indices[index]!]! & masks[index]!) !== known[index]) return undefined;
      return entry.value;
    },
    set(vmcs, image, value) {
      if (entries.size >= LIMIT) entries.clear();
      entries.set(vmcs, { words: indices.map((at, index) => image[at]! & masks[index]!), value });
    },
  };
}
