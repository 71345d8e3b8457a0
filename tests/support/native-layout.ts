/**
 * Where everything lies that the judged instructions can reach: the same on the host's processor (native-runner.c), in
 * Unicorn (unicorn-runner.c) and in the machine. Code pages may be read and executed; two data pages may be written, a
 * third only read; nothing is mapped around either. A palette of segments puts other bases, limits and sizes on them.
 */

export const CODE = 0x00800000;
export const CODE_PAGES = 2;
export const CODE_BYTES = 64;
/** Where the bytes of a case may lie in the code pages: alone, across their border, and right in front of the end. */
export const codePlaces = [0x40, 0x1000 - 24, 0x2000 - CODE_BYTES] as const;
/** What the code pages are filled with: HLT, which ends a case wherever it goes. */
export const FILLER = 0xf4;

export const DATA = 0x00810000;
export const DATA_PAGES = 3;
export const DATA_BYTES = DATA_PAGES * 4096;
/** The third data page, which may not be written. */
export const READ_ONLY = DATA + 0x2000;
/** The bytes that differ from case to case. They lie across the border of the first two pages. */
export const WINDOW = DATA + 0x0fc0;
export const WINDOW_BYTES = 128;

/** What the data pages hold in front of every case, outside of the window. */
export const background = Uint8Array.from({ length: DATA_BYTES }, (_, index) => (index * 167 + (index >>> 8)) & 0xff);

/** A segment as Linux's modify_ldt takes it (which takes no conforming code). */
export interface PaletteSegment {
  readonly name: string;
  readonly base: number;
  /** In bytes, or in pages if it is `granular`. */
  readonly limit: number;
  readonly granular: boolean;
  /** D or B: 32 bits. */
  readonly big: boolean;
  readonly kind: "data" | "expand-down" | "code";
  /** Data: not to be written. Code: not to be read. */
  readonly restricted: boolean;
}

const segment = (
  name: string,
  kind: PaletteSegment["kind"],
  bits: 16 | 32,
  base: number,
  limit: number,
  more: { granular?: boolean; restricted?: boolean } = {},
): PaletteSegment => ({ name, kind, big: bits === 32, base, limit, granular: false, restricted: false, ...more });

/** The top of 64 KiB lies in the middle of the window. */
const BELOW_TOP = DATA + 0x1000 - 0x10000;

export const palette: readonly PaletteSegment[] = [
  segment("code, 32 bits", "code", 32, CODE, 0x1fff),
  segment("code, 32 bits, short", "code", 32, CODE, 0x40 + 14),
  segment("code, 32 bits, not to be read", "code", 32, CODE - 0x1000, 0xfffff, { granular: true, restricted: true }),
  segment("code, 16 bits", "code", 16, CODE, 0xffff),
  segment("code, 16 bits, short", "code", 16, CODE, 0x40 + 10),
  segment("code, 16 bits, not to be read", "code", 16, CODE - 0xe000, 0xffff, { restricted: true }),
  segment("data, 64 KiB", "data", 32, DATA, 0xffff),
  segment("data, 16 bits", "data", 16, DATA, 0xffff),
  segment("data, one page", "data", 32, DATA, 0, { granular: true }),
  segment("data, to an odd limit", "data", 16, DATA + 3, 0x1000),
  segment("data, across 64 KiB", "data", 32, BELOW_TOP, 0x1ffff),
  segment("data, up to 64 KiB", "data", 16, BELOW_TOP, 0xffff),
  segment("data from 0, pages", "data", 32, 0, 0x900, { granular: true }),
  segment("data, read-only", "data", 32, DATA, 0xffff, { restricted: true }),
  segment("expand-down, 32 bits", "expand-down", 32, DATA, 0xfff),
  segment("expand-down, 16 bits", "expand-down", 16, DATA, 0xfef),
  segment("expand-down, pages", "expand-down", 32, DATA - 0x1000, 1, { granular: true }),
];

/** Selectors: what Linux gives a 32-bit program, and entries of the palette. */
export const USER_CODE = 0x23;
export const USER_DATA = 0x2b;
export const NULL_SELECTOR = 0;
export const selectorOf = (index: number): number => (index << 3) | 7;

export const isCode = ({ kind }: PaletteSegment): boolean => kind === "code";
const flat: PaletteSegment = segment("flat", "data", 32, 0, 0xfffff, { granular: true });
const flatCode: PaletteSegment = segment("flat code", "code", 32, 0, 0xfffff, { granular: true });

/**
 * Real mode reaches the first megabyte only, so there everything lies `REAL_SHIFT` lower: a case counts in the addresses
 * above, and who runs it takes the shift off. A selector of real mode is marked by `REAL`.
 */
export const REAL = 0x10000;
export const REAL_SHIFT = CODE - 0x10000;
export const isReal = ({ selectors }: { readonly selectors: readonly number[] }): boolean => selectors[1]! >= REAL;

/** What a selector of a case stands for; undefined: nothing. */
export function segmentOf(selector: number): PaletteSegment | undefined {
  if (selector >= REAL) return segment("real", "data", 16, (selector - REAL) * 16 + REAL_SHIFT, 0xffff);
  if (selector === USER_CODE) return flatCode;
  if (selector === USER_DATA) return flat;
  return (selector & 4) === 0 ? undefined : palette[selector >> 3];
}
