/**
 * Executable files in the ELF format as execve(2) looks at them. What is wrong with one is ENOEXEC, as Linux has it.
 * Spec: System V ABI, chapter 5 "Program Loading and Dynamic Linking"; elf(5).
 */
import { E } from "../errno.js";

export interface ProgramHeader {
  readonly type: number;
  readonly flags: number;
  readonly offset: number;
  readonly address: number;
  readonly fileSize: number;
  readonly memorySize: number;
}

export interface ElfHeader {
  readonly bits: 32 | 64;
  /** It may be loaded anywhere. */
  readonly movable: boolean;
  readonly entry: number;
  readonly headersAt: number;
  readonly headerSize: number;
  readonly headers: readonly ProgramHeader[];
}

export const PT = { LOAD: 1, DYNAMIC: 2, INTERP: 3, NOTE: 4, PHDR: 6, TLS: 7, GNU_STACK: 0x6474_e551 } as const;
export const PF = { X: 1, W: 2, R: 4 } as const;
const TYPE = { EXEC: 2, DYN: 3 } as const;
const MACHINE = { 32: 3, 64: 62 } as const;
/** Most bytes of program headers. */
const MOST_HEADERS = 65_536;

export const isElf = (head: Uint8Array): boolean =>
  head.length >= 4 && head[0] === 0x7f && head[1] === 0x45 && head[2] === 0x4c && head[3] === 0x46;

/** Reads the headers; `read` gives bytes of the file, fewer at its end. Throws ENOEXEC, or EIO where headers are cut off. */
export function readElf(head: Uint8Array, read: (offset: number, length: number) => Uint8Array): ElfHeader {
  if (!isElf(head) || head.length < 52) throw E.ENOEXEC;
  const bits = head[4] === 1 ? 32 : head[4] === 2 ? 64 : undefined;
  if (bits === undefined || head[5] !== 1 || (bits === 64 && head.length < 64)) throw E.ENOEXEC;
  const view = new DataView(head.buffer, head.byteOffset, head.length);
  const type = view.getUint16(16, true);
  if ((type !== TYPE.EXEC && type !== TYPE.DYN) || view.getUint16(18, true) !== MACHINE[bits]) throw E.ENOEXEC;
  const wide = bits === 64;
  const entry = wide ? quad(view, 24) : view.getUint32(24, true);
  const headersAt = wide ? quad(view, 32) : view.getUint32(28, true);
  const headerSize = view.getUint16(wide ? 54 : 42, true);
  const count = view.getUint16(wide ? 56 : 44, true);
  if (headerSize !== (wide ? 56 : 32) || count < 1 || count * headerSize > MOST_HEADERS) throw E.ENOEXEC;
  const table = read(headersAt, count * headerSize);
  if (table.length < count * headerSize) throw E.ENOEXEC;
  const fields = new DataView(table.buffer, table.byteOffset, table.length);
  const headers = Array.from({ length: count }, (_, index) => programHeader(fields, index * headerSize, wide));
  return { bits, movable: type === TYPE.DYN, entry, headersAt, headerSize, headers };
}

const quad = (view: DataView, at: number): number => view.getUint32(at + 4, true) * 2 ** 32 + view.getUint32(at, true);

function programHeader(view: DataView, at: number, wide: boolean): ProgramHeader {
  const word = (offset: number): number => view.getUint32(at + offset, true);
  if (wide)
    return {
      type: word(0),
      flags: word(4),
      offset: quad(view, at + 8),
      address: quad(view, at + 16),
      fileSize: quad(view, at + 32),
      memorySize: quad(view, at + 40),
    };
  return {
    type: word(0),
    offset: word(4),
    address: word(8),
    fileSize: word(16),
    memorySize: word(20),
    flags: word(24),
  };
}
