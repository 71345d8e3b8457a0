/** Small Linux kernels for the loaders' tests: an ELF file with a PVH note, and a bzImage. */
import { dwords } from "./image-fixtures.test-helper.js";

const XEN = [0x58, 0x65, 0x6e, 0];
const ELF_HEADER = 0x34;
const PROGRAM_HEADER = 0x20;

export interface PvhElfOptions {
  readonly bits?: 32 | 64;
  readonly vaddr?: bigint;
  readonly paddr?: number;
  readonly code?: readonly number[];
  readonly memsz?: number;
  /** What the note says, and what type it has; none without `note`. */
  readonly note?:
    | {
        readonly entry: number;
        readonly type?: number;
        readonly size?: number;
        /** Another note of Xen's, with a text of three letters. */
        readonly more?: { readonly type: number; readonly text: string };
      }
    | undefined;
}

const quads = (...values: readonly (number | bigint)[]): number[] =>
  values.flatMap((value) => {
    const bits = BigInt.asUintN(64, BigInt(value));
    return dwords(Number(bits & 0xffffffffn), Number(bits >> 32n));
  });

/** An executable with one segment of code and one of notes. */
export function pvhElf(options: PvhElfOptions = {}): Uint8Array {
  const { bits = 32, paddr = 0x10_0000, code = [0x90, 0xf4], memsz = code.length } = options;
  const { vaddr = BigInt(paddr), note = { entry: paddr } } = options;
  const { more } = note ?? {};
  const another = more ? [...dwords(4, 4, more.type), ...XEN, ...new TextEncoder().encode(`${more.text}\0`)] : [];
  const notes =
    "note" in options && options.note === undefined
      ? []
      : [...dwords(4, note.size ?? 4, note.type ?? 18), ...XEN, ...dwords(note.entry), ...another];
  const wide = bits === 64;
  const headerSize = wide ? 0x40 : ELF_HEADER;
  const programSize = wide ? 0x38 : PROGRAM_HEADER;
  const codeAt = headerSize + 2 * programSize;
  const notesAt = codeAt + code.length;
  const program = (type: number, offset: number, linear: bigint, physical: number, size: number, memory: number) =>
    wide
      ? [...dwords(type, 7), ...quads(offset, linear, physical, size, memory, 4)]
      : dwords(type, offset, Number(linear & 0xffffffffn), physical, size, memory, 7, 4);
  const identity = [0x7f, 0x45, 0x4c, 0x46, wide ? 2 : 1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 0, wide ? 62 : 3, 0];
  const places = wide
    ? [...dwords(1), ...quads(vaddr, headerSize, 0), ...dwords(0)]
    : dwords(1, Number(vaddr & 0xffffffffn), headerSize, 0, 0);
  return Uint8Array.from([
    ...identity,
    ...places,
    ...[headerSize, 0, programSize, 0, 2, 0, wide ? 0x40 : 0x28, 0, 0, 0, 0, 0],
    ...program(1, codeAt, vaddr, paddr, code.length, memsz),
    ...program(4, notesAt, 0n, 0, notes.length, notes.length),
    ...code,
    ...notes,
  ]);
}

export interface BzImageOptions {
  readonly version?: number;
  readonly loadFlags?: number;
  readonly initrdLimit?: number;
  readonly preferredAddress?: number;
  readonly initSize?: number;
  readonly commandLineSize?: number;
  readonly payload?: readonly number[];
}

/** A kernel of one setup sector, whose protected-mode part is its payload. */
export function bzImage(options: BzImageOptions = {}): Uint8Array {
  const { payload = [0xf4, 0, 0, 0, 0] } = options;
  const image = new Uint8Array(1024 + payload.length);
  const view = new DataView(image.buffer);
  image[0x1f1] = 1;
  view.setUint16(0x1fe, 0xaa55, true);
  image.set([0xeb, 0x66, 0x48, 0x64, 0x72, 0x53], 0x200);
  view.setUint16(0x206, options.version ?? 0x20f, true);
  image[0x211] = options.loadFlags ?? 1;
  view.setUint32(0x22c, options.initrdLimit ?? 0x7fff_ffff, true);
  view.setUint32(0x238, options.commandLineSize ?? 2047, true);
  view.setUint32(0x24c, payload.length, true);
  view.setUint32(0x258, options.preferredAddress ?? 0x10_0000, true);
  view.setUint32(0x260, options.initSize ?? 0x1_0000, true);
  image.set(payload, 1024);
  return image;
}
