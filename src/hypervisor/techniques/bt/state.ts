/** What binary translation remembers of a VM: which blocks there are. The translations themselves are in the host's memory. */
import type { ShadowState } from "../../shadow/state.js";
import type { OutputPlace } from "./translator.js";

/** A translated unit. */
export interface Block {
  /** EIP of its first instruction. */
  readonly guest: number;
  /** What was translated, in hexadecimal. */
  readonly input: string;
  /** Where the translation is, from the start of the cache, and its length in bytes. */
  readonly at: number;
  readonly length: number;
  readonly places: readonly OutputPlace[];
}

/** A page of the guest's linear space that has translations. */
export interface TranslatedPage {
  /** The guest's frame it was mapped to. */
  readonly frame: number;
  readonly blocks: readonly Block[];
}

export interface Translation {
  /** Where the next block goes, from the start of the cache. */
  readonly next: number;
  /** By number of page. */
  readonly pages: Readonly<Record<number, TranslatedPage>>;
  /** By number of chunk. */
  readonly chunks: Readonly<Record<number, readonly Block[]>>;
  /** How often everything was translated anew, and how many blocks were made in all. */
  readonly flushes: number;
  readonly made: number;
  /** What the mapping of the pages was last checked for. */
  readonly checked: string;
}

export const noTranslation: Translation = Object.freeze({
  next: 0,
  pages: Object.freeze({}),
  chunks: Object.freeze({}),
  flushes: 0,
  made: 0,
  checked: "",
});

export interface BtOwn {
  readonly shadow: ShadowState;
  readonly translation: Translation;
  /** Offsets of the descriptors that the shadow GDT has for a program; undefined: it may have others. */
  readonly shown: readonly number[] | undefined;
  /** Real privilege levels at which translations of the guest's ring 0 were seen. */
  readonly guestKernelCpls: readonly number[];
  /** Host-physical addresses of words and cache. */
  readonly words: number;
  readonly cache: number;
}
