/** Reads cpio archives as an initramfs is one. Spec: Linux, Documentation/driver-api/early-userspace/buffer-format.rst. */
import { VirtlabError } from "../../state/error.js";
import { S, typeOfMode } from "../fs/types.js";
import { textOf } from "../mm/user-memory.js";
import type { RootEntry } from "../root.js";

const HEADER = 110;
const TRAILER = "TRAILER!!!";

const isMagic = (bytes: Uint8Array, at: number): boolean => /^07070[12]$/.test(textOf(bytes.subarray(at, at + 6)));
export const isCpio = (bytes: Uint8Array): boolean => isMagic(bytes, 0);

/** Fields of 8 hexadecimal digits behind the magic number, by index. */
const FIELD = {
  ino: 0,
  mode: 1,
  uid: 2,
  gid: 3,
  links: 4,
  size: 6,
  rdevMajor: 9,
  rdevMinor: 10,
  nameSize: 11,
} as const;

const aligned = (at: number): number => Math.ceil(at / 4) * 4;

/** @throws VirtlabError naming the place where it is damaged. */
export function cpioEntries(bytes: Uint8Array, name: string): readonly RootEntry[] {
  const entries: RootEntry[] = [];
  /** Path of the first name of an inode that has several. */
  const linked = new Map<number, { path: string; index: number }>();
  const damaged = (at: number): VirtlabError =>
    new VirtlabError(`${name}: damaged at byte ${at}: no cpio header, or cut off`);
  let at = 0;
  while (at < bytes.length) {
    // Archives may stand behind one another, with zeros between.
    if (bytes[at] === 0) {
      at++;
      continue;
    }
    if (!isMagic(bytes, at) || at + HEADER > bytes.length) throw damaged(at);
    const start = at;
    const field = (key: keyof typeof FIELD): number => {
      const digits = textOf(bytes.subarray(start + 6 + FIELD[key] * 8, start + 14 + FIELD[key] * 8));
      if (!/^[0-9a-fA-F]{8}$/.test(digits)) throw damaged(start);
      return Number.parseInt(digits, 16);
    };
    const [nameSize, size, mode] = [field("nameSize"), field("size"), field("mode")];
    const dataAt = aligned(start + HEADER + nameSize);
    if (nameSize === 0 || dataAt + size > bytes.length) throw damaged(start);
    const path = textOf(bytes.subarray(start + HEADER, start + HEADER + nameSize - 1)).replace(/^\.?\/+/, "");
    at = aligned(dataAt + size);
    if (path === TRAILER) {
      linked.clear();
      continue;
    }
    const data = bytes.subarray(dataAt, dataAt + size);
    const owner = { path: path === "." ? "" : path, mode, uid: field("uid"), gid: field("gid") };
    const type = typeOfMode(mode);
    if (type === S.IFLNK) entries.push({ ...owner, target: textOf(data) });
    else if (type !== S.IFREG) entries.push({ ...owner, device: [field("rdevMajor"), field("rdevMinor")] });
    else addFile(owner, data, field("links") > 1 ? field("ino") : undefined);
  }
  return entries;

  /** Of files with several names the bytes stand with the last of them. */
  function addFile(owner: RootEntry, data: Uint8Array, ino: number | undefined): void {
    const first = ino === undefined ? undefined : linked.get(ino);
    if (first !== undefined) {
      if (data.length > 0) entries[first.index] = { ...entries[first.index]!, data };
      entries.push({ ...owner, target: first.path, hardLink: true });
      return;
    }
    if (ino !== undefined) linked.set(ino, { path: owner.path, index: entries.length });
    entries.push({ ...owner, data });
  }
}
