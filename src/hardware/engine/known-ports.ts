/**
 * What ports read as until a device changes, for generated code: IN of a register that reading does not change, of a
 * device that time does not touch. A cache, as the TLB is.
 */
import { PORT_COUNT, PORT_LIMIT, PORT_SIZE, PORTS } from "./layout.js";

export class KnownPorts {
  readonly #i32: Int32Array;
  #count = 0;

  constructor(buffer: ArrayBuffer) {
    this.#i32 = new Int32Array(buffer);
  }

  /** Whether none is known. */
  get none(): boolean {
    return this.#count === 0;
  }

  /** Any device may have changed. */
  forget(): void {
    if (this.#count === 0) return;
    this.#count = 0;
    this.#i32.fill(0, PORTS >> 2, (PORTS + PORT_COUNT * PORT_SIZE) >> 2);
  }

  /** `port` reads as `value` until then. */
  add(port: number, size: number, value: number): void {
    const entry = (PORTS + (port & (PORT_COUNT - 1)) * PORT_SIZE) >> 2;
    this.#i32[entry] = port | ((size * 8) << 16);
    this.#i32[entry + 1] = value;
    this.#count++;
  }

  /** They hold while more steps than this are left. */
  set limit(left: number) {
    this.#i32[PORT_LIMIT >> 2] = Math.max(-1, Math.min(left, 0x7fffffff));
  }
}
