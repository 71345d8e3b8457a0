/** Reads tar archives: ustar with the extensions of pax and GNU tar that real archives have. Spec: pax(1), "ustar Interchange Format"; tar(5). */
import { VirtlabError } from "../../state/error.js";
import { S } from "../fs/types.js";
import { textOf } from "../mm/user-memory.js";
import type { RootEntry } from "../root.js";

const BLOCK = 512;

/** Offset and length of the fields of a header. */
const FIELDS = {
  ...{ name: [0, 100], mode: [100, 8], uid: [108, 8], gid: [116, 8], size: [124, 12], checksum: [148, 8] },
  ...{ type: [156, 1], target: [157, 100], magic: [257, 6], major: [329, 8], minor: [337, 8], prefix: [345, 155] },
} as const satisfies Readonly<Record<string, readonly [number, number]>>;
type Field = keyof typeof FIELDS;

const bytesOfField = (header: Uint8Array, field: Field): Uint8Array => {
  const [offset, length] = FIELDS[field];
  return header.subarray(offset, offset + length);
};

function text(header: Uint8Array, field: Field): string {
  const bytes = bytesOfField(header, field);
  const end = bytes.indexOf(0);
  return textOf(end < 0 ? bytes : bytes.subarray(0, end));
}

/** Octal digits, or in base 256 where the first bit is set. Undefined for neither. */
function number(header: Uint8Array, field: Field): number | undefined {
  const bytes = bytesOfField(header, field);
  if ((bytes[0]! & 0x80) !== 0) return bytes.subarray(1).reduce((value, byte) => value * 256 + byte, bytes[0]! & 0x7f);
  const digits = textOf(bytes).replaceAll("\0", " ").trim();
  return /^[0-7]*$/.test(digits) ? Number.parseInt(digits || "0", 8) : undefined;
}

/** The sum of all bytes, those of the sum itself counted as spaces. */
function isHeader(header: Uint8Array): boolean {
  if (header.length < BLOCK) return false;
  const [offset, length] = FIELDS.checksum;
  let sum = 0x20 * length;
  for (let at = 0; at < BLOCK; at++) if (at < offset || at >= offset + length) sum += header[at]!;
  return sum === number(header, "checksum");
}

const isZero = (header: Uint8Array): boolean => header.every((byte) => byte === 0);

/** An archive of nothing is zeros alone. */
export const isTar = (bytes: Uint8Array): boolean => {
  const first = bytes.subarray(0, BLOCK);
  return isHeader(first) || (first.length === BLOCK && isZero(first));
};

/** "LENGTH KEY=VALUE\n" each. */
function records(bytes: Uint8Array): Record<string, string> {
  const found: Record<string, string> = {};
  for (let at = 0; at < bytes.length; ) {
    const length = Number.parseInt(textOf(bytes.subarray(at, at + 12)), 10);
    if (!(length > 0 && at + length <= bytes.length)) break;
    const record = textOf(bytes.subarray(at, at + length - 1));
    const [key, value] = [record.slice(record.indexOf(" ") + 1, record.indexOf("=")), record.indexOf("=") + 1];
    found[key] = record.slice(value);
    at += length;
  }
  return found;
}

const TYPES: Readonly<Record<string, number>> = {
  ...{ "": S.IFREG, "0": S.IFREG, "7": S.IFREG, "1": S.IFREG, "2": S.IFLNK, "3": S.IFCHR, "4": S.IFBLK },
  ...{ "5": S.IFDIR, "6": S.IFIFO },
};
/** What stands in front of an entry and says more of it. */
const EXTENSION = { pax: "x", global: "g", longName: "L", longTarget: "K" } as const;

/** @throws VirtlabError naming the place where it is damaged. */
export function tarEntries(bytes: Uint8Array, name: string): readonly RootEntry[] {
  const entries: RootEntry[] = [];
  let common: Record<string, string> = {};
  let own: Record<string, string> = {};
  for (let at = 0; at < bytes.length; ) {
    const header = bytes.subarray(at, at + BLOCK);
    if (isZero(header)) break;
    if (!isHeader(header)) throw new VirtlabError(`${name}: damaged at byte ${at}: no tar header`);
    const said = { ...common, ...own };
    const numbers = (field: Field, key: string): number => Number(said[key] ?? number(header, field) ?? Number.NaN);
    const type = text(header, "type");
    const isExtension = Object.values(EXTENSION).some((one) => one === type);
    const size = isExtension ? (number(header, "size") ?? Number.NaN) : numbers("size", "size");
    const start = at + BLOCK;
    if (!(size >= 0 && (start + size <= bytes.length || type === "1")))
      throw new VirtlabError(`${name}: damaged at byte ${at}: cut off, or without a size`);
    const data = bytes.subarray(start, start + size);
    at = start + Math.ceil(size / BLOCK) * BLOCK;
    if (isExtension) {
      const longText = textOf(data).replace(/\0.*$/s, "");
      if (type === EXTENSION.global) common = { ...common, ...records(data) };
      else if (type === EXTENSION.pax) own = { ...own, ...records(data) };
      else own = { ...own, [type === EXTENSION.longName ? "path" : "linkpath"]: longText };
      continue;
    }
    own = {};
    const kind = TYPES[type];
    if (kind === undefined)
      throw new VirtlabError(`${name}: an entry of an unknown type "${type}" at byte ${start - BLOCK}`);
    const prefix =
      text(header, "magic").startsWith("ustar") && bytesOfField(header, "magic")[5] === 0 ? text(header, "prefix") : "";
    const path = said.path ?? (prefix === "" ? text(header, "name") : `${prefix}/${text(header, "name")}`);
    const target = said.linkpath ?? text(header, "target");
    // Old archives have folders as files whose names end with a slash.
    const entryType = kind === S.IFREG && type !== "1" && path.endsWith("/") ? S.IFDIR : kind;
    const base = {
      path: relative(path),
      mode: entryType | (numbers("mode", "mode") & 0o7777),
      uid: numbers("uid", "uid"),
      gid: numbers("gid", "gid"),
    };
    if (type === "1") entries.push({ ...base, target: relative(target), hardLink: true });
    else if (entryType === S.IFLNK) entries.push({ ...base, target });
    else if (entryType === S.IFREG) entries.push({ ...base, data });
    else entries.push({ ...base, device: [number(header, "major") ?? 0, number(header, "minor") ?? 0] });
  }
  return entries;
}

/** Names begin at the root, whatever stands in front of them. */
const relative = (path: string): string =>
  path
    .replace(/^(\.?\/)+/, "")
    .replace(/^\.$/, "")
    .replace(/\/+$/, "");
