/** The general registers of a processor that is a record. */
import { type CpuState, noWide } from "../cpu/state.js";

/** Where the low half of a register from R8 on stands in `CpuState.wide`; its high half comes next. */
const placeOf = (number: number): number => 8 + 2 * (number - 8);

/** What `restore` brings back. */
export interface SavedRegisters {
  readonly low: number[];
  readonly wide: readonly number[];
}

export class GeneralRegisters {
  /** EAX to EDI, signed. */
  #low: number[];
  /** `save` gave them out: to be copied before they are changed. */
  #saved = false;
  /** As `CpuState.wide`; never changed in place. */
  #wide: readonly number[];

  constructor({ eax, ecx, edx, ebx, esp, ebp, esi, edi, wide }: CpuState) {
    this.#low = [eax, ecx, edx, ebx, esp, ebp, esi, edi];
    this.#wide = wide;
  }

  /** Unsigned. */
  get(number: number): number {
    return (number < 8 ? this.#low[number]! : this.#wide[placeOf(number)]!) >>> 0;
  }

  getHigh(number: number): number {
    return this.#wide[number < 8 ? number : placeOf(number) + 1]! >>> 0;
  }

  set(number: number, value: number, high: number): void {
    if (number < 8) {
      if (this.#saved) this.#low = this.#low.slice();
      this.#saved = false;
      this.#low[number] = value | 0;
      this.#setWide(number, high | 0);
    } else {
      this.#setWide(placeOf(number), value | 0);
      this.#setWide(placeOf(number) + 1, high | 0);
    }
  }

  #setWide(place: number, value: number): void {
    if (this.#wide[place] !== value) this.#wide = this.#wide.with(place, value);
  }

  save(): SavedRegisters {
    this.#saved = true;
    return { low: this.#low, wide: this.#wide };
  }

  restore({ low, wide }: SavedRegisters): void {
    this.#low = low;
    this.#saved = true;
    this.#wide = wide;
  }

  /** A processor's state with these registers: written out field by field, because each exit makes one. */
  toCpu({
    eip,
    eflags,
    system,
    floating,
    halted,
    shadow,
    pending,
  }: Pick<CpuState, "eip" | "eflags" | "system" | "floating" | "halted" | "shadow" | "pending">): CpuState {
    const low = this.#low;
    const wide = this.#wide;
    return {
      eax: low[0]!,
      ecx: low[1]!,
      edx: low[2]!,
      ebx: low[3]!,
      esp: low[4]!,
      ebp: low[5]!,
      esi: low[6]!,
      edi: low[7]!,
      wide: wide === noWide || wide.every((word) => word === 0) ? noWide : wide,
      eip,
      eflags,
      system,
      floating,
      halted,
      shadow,
      pending,
    };
  }
}
