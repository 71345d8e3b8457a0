/**
 * The general registers and EFLAGS as they lie in the engine's memory: EFLAGS is kept as four words and the rest (see
 * `layout.ts`), and put together here.
 */
import { type CpuState, FLAG, type generalNames, noWide, WIDE_WORDS } from "../cpu/state.js";
import { EFLAGS_REST, FLAG_CARRIES, FLAG_CARRY, FLAG_RESULT, FLAG_SIGN, REGISTERS } from "./layout.js";

/** What is not kept as EFLAGS_REST. */
export const ARITHMETIC_FLAGS: number = FLAG.CF | FLAG.PF | FLAG.AF | FLAG.ZF | FLAG.SF | FLAG.OF | FLAG.RESERVED;
const FIRST = REGISTERS >> 2;
/** Bit n is the parity of n: 1 for an even number of ones. */
const EVEN_PARITY = 0x9669;

/** Where the words of `CpuState.wide` lie: the upper halves of the first eight registers, then all of the others. */
const WIDE_PLACES: readonly number[] = Array.from({ length: WIDE_WORDS }, (_, index) =>
  index < 8 ? FIRST + 2 * index + 1 : FIRST + 8 + index,
);

/** Words that `saveTo` writes: eight registers, five of EFLAGS, and in long mode what it adds. */
export const SAVED_WORDS = 13 + WIDE_WORDS;

export class RegisterFile {
  readonly #words: Int32Array;
  /** What the 64-bit parts were when they were last loaded or looked at. */
  #lastWide: readonly number[] = noWide;
  /** They may be others by now, as they are in long mode at any time: to be looked at for each value. */
  wideChanges = false;

  constructor(buffer: ArrayBuffer) {
    this.#words = new Int32Array(buffer);
  }

  /** By encoding number, unsigned. */
  get(number: number): number {
    return this.#words[FIRST + 2 * number]! >>> 0;
  }

  set(number: number, value: number, high = 0): void {
    const at = FIRST + 2 * number;
    if (this.#words[at + 1] !== high) this.wideChanges = true;
    this.#words[at] = value;
    this.#words[at + 1] = high;
  }

  /** Bits 32 to 63 of it, unsigned. */
  getHigh(number: number): number {
    return this.#words[FIRST + 2 * number + 1]! >>> 0;
  }

  get eflags(): number {
    const words = this.#words;
    const sign = words[FLAG_SIGN >> 2]!;
    const carry = words[FLAG_CARRY >> 2]!;
    const carries = words[FLAG_CARRIES >> 2]!;
    const parity = (EVEN_PARITY >> ((sign ^ (sign >> 4)) & 15)) & 1;
    const zero = words[FLAG_RESULT >> 2] === 0 ? FLAG.ZF : 0;
    const overflow = ((carries >>> 31) ^ carry) << 11;
    const status = carry | (parity << 2) | (carries & FLAG.AF) | zero | ((sign >>> 31) << 7) | overflow;
    return words[EFLAGS_REST >> 2]! | FLAG.RESERVED | status;
  }

  set eflags(value: number) {
    const words = this.#words;
    const carry = value & 1;
    words[FLAG_RESULT >> 2] = (value & FLAG.ZF) !== 0 ? 0 : 1;
    words[FLAG_SIGN >> 2] = ((value & FLAG.SF) << 24) | ((value & FLAG.PF) !== 0 ? 0 : 1);
    words[FLAG_CARRY >> 2] = carry;
    words[FLAG_CARRIES >> 2] = (value & FLAG.AF) | ((((value >> 11) & 1) ^ carry) << 31);
    words[EFLAGS_REST >> 2] = value & ~ARITHMETIC_FLAGS;
  }

  /** EFLAGS without the arithmetic flags: cheap to read. */
  get rest(): number {
    return this.#words[EFLAGS_REST >> 2]!;
  }

  set rest(value: number) {
    this.#words[EFLAGS_REST >> 2] = value;
  }

  get interruptFlag(): boolean {
    return (this.#words[EFLAGS_REST >> 2]! & FLAG.IF) !== 0;
  }

  load(registers: Pick<CpuState, (typeof generalNames)[number] | "wide">): void {
    const { wide } = registers;
    const words = this.#words;
    words[FIRST] = registers.eax;
    words[FIRST + 2] = registers.ecx;
    words[FIRST + 4] = registers.edx;
    words[FIRST + 6] = registers.ebx;
    words[FIRST + 8] = registers.esp;
    words[FIRST + 10] = registers.ebp;
    words[FIRST + 12] = registers.esi;
    words[FIRST + 14] = registers.edi;
    this.#lastWide = wide;
    this.wideChanges = false;
    for (let index = 0; index < WIDE_WORDS; index++) words[WIDE_PLACES[index]!] = wide[index]!;
  }

  /** The 64-bit parts: the same list as before if they are what they were. */
  #wide(): readonly number[] {
    const last = this.#lastWide;
    if (!this.wideChanges) return last;
    const words = this.#words;
    let same = true;
    for (let index = 0; index < WIDE_WORDS; index++) {
      if (words[WIDE_PLACES[index]!] === last[index]) continue;
      same = false;
      break;
    }
    if (same) return last;
    const wide = WIDE_PLACES.map((place) => words[place]!);
    this.#lastWide = wide.every((word) => word === 0) ? noWide : Object.freeze(wide);
    return this.#lastWide;
  }

  /** The processor's state with these registers: written out field by field, because a step makes one. */
  toCpu({
    system,
    floating,
    eip,
    halted,
    shadow,
    pending,
  }: Pick<CpuState, "system" | "floating" | "eip" | "halted" | "shadow" | "pending">): CpuState {
    const words = this.#words;
    return {
      eax: words[FIRST]!,
      ecx: words[FIRST + 2]!,
      edx: words[FIRST + 4]!,
      ebx: words[FIRST + 6]!,
      esp: words[FIRST + 8]!,
      ebp: words[FIRST + 10]!,
      esi: words[FIRST + 12]!,
      edi: words[FIRST + 14]!,
      wide: this.#wide(),
      eip,
      eflags: this.eflags,
      system,
      floating,
      halted,
      shadow,
      pending,
    };
  }

  /** Copies the general registers and EFLAGS out of the file; written out because it is done at every turn. */
  saveTo(target: Int32Array, long: boolean): void {
    const words = this.#words;
    if (long) for (let index = 0; index < WIDE_WORDS; index++) target[13 + index] = words[WIDE_PLACES[index]!]!;
    target[0] = words[FIRST]!;
    target[1] = words[FIRST + 2]!;
    target[2] = words[FIRST + 4]!;
    target[3] = words[FIRST + 6]!;
    target[4] = words[FIRST + 8]!;
    target[5] = words[FIRST + 10]!;
    target[6] = words[FIRST + 12]!;
    target[7] = words[FIRST + 14]!;
    target[8] = words[FLAG_RESULT >> 2]!;
    target[9] = words[FLAG_SIGN >> 2]!;
    target[10] = words[FLAG_CARRY >> 2]!;
    target[11] = words[FLAG_CARRIES >> 2]!;
    target[12] = words[EFLAGS_REST >> 2]!;
  }

  restoreFrom(source: Int32Array, long: boolean): void {
    if (long) for (let index = 0; index < WIDE_WORDS; index++) this.#words[WIDE_PLACES[index]!] = source[13 + index]!;
    for (let number = 0; number < 8; number++) this.#words[FIRST + 2 * number] = source[number]!;
    this.#words[FLAG_RESULT >> 2] = source[8]!;
    this.#words[FLAG_SIGN >> 2] = source[9]!;
    this.#words[FLAG_CARRY >> 2] = source[10]!;
    this.#words[FLAG_CARRIES >> 2] = source[11]!;
    this.#words[EFLAGS_REST >> 2] = source[12]!;
  }
}
