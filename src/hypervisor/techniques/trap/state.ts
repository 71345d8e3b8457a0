/** What trap-and-emulate keeps of a VM, and the selectors that are the hypervisor's in every GDT of a guest. */
import type { SegmentName } from "../../../hardware/cpu/state.js";
import type { ShadowState } from "../../shadow/state.js";

export interface TrapOwn {
  readonly shadow: ShadowState;
  /** The guest's GDT and LDT that the shadow tables were made from: where they are, and the frames they lie in. */
  readonly tables: string;
  readonly frames: readonly number[];
  /** Offsets in the shadow GDT and LDT of code for ring 3, and the words that make it loadable. */
  readonly userCode: readonly { readonly at: number; readonly high: number }[];
  /** It can be loaded at present. */
  readonly userShown: boolean;
  /** Real privilege levels at which code of the guest's ring 0 was seen. */
  readonly guestKernelCpls: readonly number[];
}

/** The hypervisor's own descriptors are the last of the GDT; `words` and `translated` are those of binary translation, in ring 1. */
export const OWN = { words: 0xff91, translated: 0xff99, code: 0xffe0, data: 0xffe8, tss: 0xfff0, ldt: 0xffd8 } as const;

/** Segment registers whose descriptors are no longer, or were never, those of the guest's tables have one here. */
export const CACHED: Readonly<Record<SegmentName, number>> = Object.freeze({
  es: 0xffa0,
  cs: 0xffa8,
  ss: 0xffb0,
  ds: 0xffb8,
  fs: 0xffc0,
  gs: 0xffc8,
});
/** From here on selectors are not the guest's. */
export const RESERVED = 0xff90;
