/**
 * Where binary translation has what: the translation cache and the words that translated code uses for itself.
 *
 * Both lie in the hypervisor's area at the top of the linear space, which every shadow table maps for rings 0 to 2. Guests' data segments
 * end below it, so guest code neither reads nor writes it. Translated code is fetched through a code segment of its own that has no
 * such end: it can be executed but not read, and no instruction that reads through CS is copied. The words are reached through GS,
 * which is the hypervisor's while the guest's kernel runs: instructions that name GS are left to the hypervisor.
 */

/** Bytes of a VM's words and of its cache. */
export const WORDS_BYTES = 0x1000;
export const CACHE_BYTES = 0x3_e000;

/** Blocks do not cross these, so that the one an address lies in is found at once. */
export const CHUNK = 0x1000;

/** Offsets of the words. */
export const WORD = {
  /** EAX and ECX of the guest while a sequence works with these registers. */
  eax: 0,
  ecx: 4,
  /** Host instructions that translated code has executed beyond the guest's, since the guest was entered. */
  extra: 8,
  /** Where an indirect transfer goes: the guest's address and that of its translation. */
  target: 12,
  translation: 16,
  /** 256 pairs, by the low byte of a guest's address: minus that address, and its translation. */
  table: 0x800,
} as const;

export const TABLE_ENTRIES = 256;
