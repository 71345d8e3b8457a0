/**
 * SHA-256, and the hash that names a state by its content.
 *
 * The same data have the same hash in Node and in a browser. It is synchronous, because everything about a machine is,
 * which leaves out the host's own asynchronous digest. Manual: FIPS 180-4.
 */
import { sha256 as digest } from "@noble/hashes/sha2.js";
import { bytesToHex } from "@noble/hashes/utils.js";
import { encodeCanonical } from "./canonical.js";

/** The SHA-256 digest (32 bytes) of `bytes`; about 30 us for a 4 KiB page. Spec: FIPS 180-4, "SHA-256". */
export function sha256(bytes: Uint8Array): Uint8Array {
  return digest(bytes);
}

/** Bytes as lower-case hexadecimal digits, two for each byte. */
export function hex(bytes: Uint8Array): string {
  return bytesToHex(bytes);
}

/**
 * The hash of plain data: SHA-256 of its canonical form, 64 hexadecimal digits. The order of fields does not matter and
 * a field that is undefined counts as absent. Throws a VirtlabError naming the path of anything that is not plain data.
 */
export function contentHash(value: unknown): string {
  return hex(digest(encodeCanonical(value)));
}
