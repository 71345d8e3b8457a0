/**
 * Reads Debian packages far enough to find the archive with their files.
 *
 * Manual: deb(5); ar(5), "common format".
 */
import { VirtlabError } from "../../state/error.js";

const MAGIC = "!<arch>\n";
const HEADER_SIZE = 60;
const NAME = { start: 0, end: 16 } as const;
const SIZE = { start: 48, end: 58 } as const;

const text = (bytes: Uint8Array, { start, end }: { readonly start: number; readonly end: number }): string =>
  String.fromCharCode(...bytes.subarray(start, end)).trimEnd();

/**
 * The member of a package that holds its files, such as "data.tar.xz", as it is.
 *
 * @throws VirtlabError for a file that is no package.
 */
export function dataOfPackage(bytes: Uint8Array, name: string): { readonly name: string; readonly bytes: Uint8Array } {
  if (text(bytes, { start: 0, end: MAGIC.length }) !== MAGIC.trimEnd())
    throw new VirtlabError(`${name}: no Debian package`);
  for (let at = MAGIC.length; at + HEADER_SIZE <= bytes.length; ) {
    const header = bytes.subarray(at, at + HEADER_SIZE);
    const member = text(header, NAME);
    const size = Number(text(header, SIZE));
    const start = at + HEADER_SIZE;
    if (!Number.isSafeInteger(size) || start + size > bytes.length) break;
    if (member.startsWith("data.tar")) return { name: member, bytes: bytes.subarray(start, start + size) };
    at = start + size + (size & 1);
  }
  throw new VirtlabError(`${name}: a Debian package that is cut off or has no files`);
}
