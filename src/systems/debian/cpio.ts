/**
 * Writes archives in cpio's "new ASCII" format, which is what a Linux kernel unpacks as its first root.
 *
 * Manual: Linux, Documentation/driver-api/early-userspace/buffer-format.rst "initramfs buffer format"; cpio(5).
 */

export interface CpioEntry {
  /** Path without a slash at the start. */
  readonly name: string;
  /** Type and permissions, as stat(2) has them. */
  readonly mode: number;
  /** Content of a file, target of a link. */
  readonly data?: Uint8Array;
  /** Of a device. */
  readonly device?: readonly [major: number, minor: number];
}

export const directory = (name: string, permissions = 0o755): CpioEntry => ({ name, mode: 0o040000 | permissions });
export const file = (name: string, data: Uint8Array, permissions = 0o644): CpioEntry => ({
  name,
  mode: 0o100000 | permissions,
  data,
});
export const link = (name: string, target: string): CpioEntry => ({
  name,
  mode: 0o120777,
  data: new TextEncoder().encode(target),
});
export const characterDevice = (name: string, major: number, minor: number): CpioEntry => ({
  name,
  mode: 0o020600,
  device: [major, minor],
});

const MAGIC = "070701";
const TRAILER = "TRAILER!!!";
const padding = (length: number): Uint8Array => new Uint8Array(-length & 3);

/** The archive: the same entries give the same bytes, for nothing in it has a time or an owner. */
export function cpio(entries: readonly CpioEntry[]): Uint8Array {
  const parts = [...entries, { name: TRAILER, mode: 0 }].flatMap((entry, index) => record(entry, index + 1));
  const bytes = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}

function record({ name, mode, data = new Uint8Array(), device = [0, 0] }: CpioEntry, inode: number): Uint8Array[] {
  const nameBytes = new TextEncoder().encode(`${name}\0`);
  const [major, minor] = device;
  // inode, mode, uid, gid, links, time, size, device of the file, device it is, length of the name, checksum
  const fields = [inode, mode, 0, 0, 1, 0, data.length, 0, 0, major, minor, nameBytes.length, 0];
  const text = MAGIC + fields.map((field) => field.toString(16).padStart(8, "0")).join("");
  const head = new TextEncoder().encode(text);
  return [head, nameBytes, padding(head.length + nameBytes.length), data, padding(data.length)];
}
