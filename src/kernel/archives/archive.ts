/** The files of an archive as entries of a root: tar or newc cpio, compressed with gzip or not. */
import { gunzipSync } from "fflate";
import { VirtlabError } from "../../state/error.js";
import type { RootEntry } from "../root.js";
import { cpioEntries, isCpio } from "./cpio.js";
import { isTar, tarEntries } from "./tar.js";

const isGzip = (bytes: Uint8Array): boolean => bytes[0] === 0x1f && bytes[1] === 0x8b;

function unpacked(bytes: Uint8Array, name: string): Uint8Array {
  if (!isGzip(bytes)) return bytes;
  try {
    return gunzipSync(bytes);
  } catch {
    throw new VirtlabError(`${name}: damaged: what gzip has compressed cannot be unpacked`);
  }
}

/** @throws VirtlabError for what is neither, and for what is damaged. */
export function entriesOf(bytes: Uint8Array, name = "root"): readonly RootEntry[] {
  const archive = unpacked(bytes, name);
  if (isCpio(archive)) return cpioEntries(archive, name);
  if (isTar(archive)) return tarEntries(archive, name);
  throw new VirtlabError(`${name}: neither a tar nor a newc cpio archive, nor one of them compressed with gzip`);
}
