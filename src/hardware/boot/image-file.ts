/**
 * An image file as the loaders read it: little-endian fields, every access checked, and errors that name file and offset.
 */
import { VirtlabError } from "../../state/error.js";

/** `0x` and the hexadecimal digits. */
export function hex(value: number): string {
  return `0x${value.toString(16)}`;
}

export class ImageFile {
  readonly #view: DataView;

  /** @param name how errors call the file. */
  constructor(
    readonly bytes: Uint8Array,
    readonly name: string = "image",
  ) {
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  get length(): number {
    return this.bytes.length;
  }

  /** The 16-bit field at `offset`, which lies in a range that was required. */
  u16(offset: number): number {
    return this.#view.getUint16(offset, true);
  }

  /** The 32-bit field at `offset`, unsigned, which lies in a range that was required. */
  u32(offset: number): number {
    return this.#view.getUint32(offset, true);
  }

  /** Refuses the file unless it has `size` bytes from `start`; `offset` is the field that asks for `what`. */
  require(start: number, size: number, offset: number, what: string): void {
    if (start + size > this.length) {
      this.fail(
        offset,
        `${what} reaches past the end of the file (needs ${hex(start + size)}, has ${hex(this.length)})`,
      );
    }
  }

  /** Refuses the file for what stands at `offset`. */
  fail(offset: number, reason: string): never {
    throw new VirtlabError(`${this.name}: offset ${hex(offset)}: ${reason}`);
  }
}
