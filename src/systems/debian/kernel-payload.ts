/**
 * The kernel within a bzImage: the vmlinux that it unpacks when it is booted, and that PVH boots.
 *
 * Manual: Linux, boot.rst "The Linux/x86 Boot Protocol", `payload_offset`; "LZ4 Frame Format", section "Legacy frame";
 * "LZ4 Block Format".
 */

import { ImageFile } from "../../hardware/boot/image-file.js";
import { findLinuxHeader } from "../../hardware/boot/linux-header.js";
import { VirtlabError } from "../../state/error.js";

/** How kernels are compressed, by what a compressed one begins with, and the program that unpacks it. */
const COMPRESSIONS = [
  { program: "gzip", magic: [0x1f, 0x8b] },
  { program: "xz", magic: [0xfd, 0x37, 0x7a, 0x58, 0x5a] },
  { program: "zstd", magic: [0x28, 0xb5, 0x2f, 0xfd] },
  { program: "bzip2", magic: [0x42, 0x5a, 0x68] },
] as const;
const LZ4_LEGACY = [0x02, 0x21, 0x4c, 0x18];

export type KernelCompression = (typeof COMPRESSIONS)[number]["program"];

/** Bytes of a compressed payload; the length of what was compressed, which follows in the file, is cut off. */
export type Unpack = (program: KernelCompression, bytes: Uint8Array) => Uint8Array;

const LENGTH_SIZE = 4;

/**
 * The vmlinux within a bzImage.
 *
 * @param unpack what unpacks all but LZ4, which is unpacked here.
 * @throws VirtlabError for a file that is no bzImage, or an unknown or damaged payload.
 */
export function kernelPayload(bzImage: Uint8Array, name: string, unpack: Unpack): Uint8Array {
  const header = findLinuxHeader(new ImageFile(bzImage, name));
  if (header === undefined) throw new VirtlabError(`${name}: no Linux kernel (no setup header)`);
  const { offset, length } = header.payload;
  const payload = bzImage.subarray(offset, offset + length - LENGTH_SIZE);
  const size = new DataView(bzImage.buffer, bzImage.byteOffset).getUint32(offset + length - LENGTH_SIZE, true);
  const kernel = unpackAny(payload, name, size, unpack);
  if (kernel.length !== size)
    throw new VirtlabError(`${name}: the kernel within has ${kernel.length} bytes, where it says ${size}`);
  return kernel;
}

const begins = (bytes: Uint8Array, magic: readonly number[]): boolean =>
  magic.every((byte, index) => bytes[index] === byte);

function unpackAny(payload: Uint8Array, name: string, size: number, unpack: Unpack): Uint8Array {
  if (begins(payload, LZ4_LEGACY)) return unpackLz4(payload.subarray(LZ4_LEGACY.length), name, size);
  const found = COMPRESSIONS.find(({ magic }) => begins(payload, magic));
  if (found === undefined) throw new VirtlabError(`${name}: the kernel within is compressed in an unknown way`);
  return unpack(found.program, payload);
}

/** Blocks of 8 MiB, each behind its compressed size; a match reaches back within its block only. */
function unpackLz4(input: Uint8Array, name: string, size: number): Uint8Array {
  const output = new Uint8Array(size);
  const view = new DataView(input.buffer, input.byteOffset, input.byteLength);
  let to = 0;
  for (let from = 0; from + 4 <= input.length; ) {
    const end = from + 4 + view.getUint32(from, true);
    if (end > input.length) throw new VirtlabError(`${name}: the kernel within is cut off`);
    to = unpackLz4Block(input.subarray(from + 4, end), output, to);
    if (to < 0) throw new VirtlabError(`${name}: the kernel within is damaged`);
    from = end;
  }
  return output.subarray(0, to);
}

const SHORTEST_MATCH = 4;
/** A length of 15 goes on in bytes behind, up to the first that is not 255. */
const LONG = 15;

/** Where output goes on behind the block; -1 if the block makes no sense. */
function unpackLz4Block(block: Uint8Array, output: Uint8Array, start: number): number {
  let at = 0;
  let to = start;
  const lengthFrom = (nibble: number): number => {
    let length = nibble;
    if (nibble !== LONG) return length;
    for (;;) {
      const more = block[at++] ?? 0;
      length += more;
      if (more !== 255) return length;
    }
  };
  while (at < block.length) {
    const token = block[at++]!;
    const literals = lengthFrom(token >> 4);
    if (at + literals > block.length || to + literals > output.length) return -1;
    output.set(block.subarray(at, at + literals), to);
    at += literals;
    to += literals;
    if (at === block.length) return to;
    const distance = block[at]! | (block[at + 1]! << 8);
    at += 2;
    const length = lengthFrom(token & 15) + SHORTEST_MATCH;
    if (distance === 0 || to - distance < start || to + length > output.length) return -1;
    // Byte by byte: a match may reach into what it makes.
    for (const end = to + length; to < end; to++) output[to] = output[to - distance]!;
  }
  return to;
}
