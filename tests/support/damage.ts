/** Makes broken images from good ones, one fault at a time. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { images } from "./guests.js";

const MULTIBOOT_MAGIC = 0x1badb002;

/** Offsets in an ELF file's header, and in its program headers, which follow directly. Manual: System V ABI. */
export const ELF = { class: 0x04, data: 0x05, type: 0x10, machine: 0x12, entry: 0x18, programHeaders: 0x34 } as const;
export const PROGRAM_HEADER = { offset: 4, physical: 12, fileSize: 16, memorySize: 20 } as const;

/** Offsets from the multiboot header. */
export const MULTIBOOT = { flags: 4, checksum: 8, load: 16, loadEnd: 20, bssEnd: 24, entry: 28 } as const;

/** A copy of an image that can be changed. */
export class Draft {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;

  constructor(file: string) {
    this.#bytes = new Uint8Array(readFileSync(join(images, file)));
    this.#view = new DataView(this.#bytes.buffer);
  }

  get bytes(): Uint8Array {
    return this.#bytes;
  }

  /** Where the multiboot header is. */
  get header(): number {
    for (let offset = 0; ; offset += 4) if (this.u32(offset) === MULTIBOOT_MAGIC) return offset;
  }

  u32(offset: number): number {
    return this.#view.getUint32(offset, true);
  }

  set8(offset: number, value: number): this {
    this.#view.setUint8(offset, value);
    return this;
  }

  set32(offset: number, value: number): this {
    this.#view.setUint32(offset, value, true);
    return this;
  }

  /** Changes the multiboot flags and makes the checksum right again. */
  setFlags(flags: number): this {
    const at = this.header;
    return this.set32(at + MULTIBOOT.flags, flags).set32(at + MULTIBOOT.checksum, -(MULTIBOOT_MAGIC + flags));
  }

  cut(length: number): Uint8Array {
    return this.#bytes.slice(0, length);
  }
}
