/**
 * Guest programs of the value measurements, as bytes with their assembly, and the smallest multiboot header that makes
 * them a kernel. All run in 32-bit flat protected mode without paging, code just above 1 MiB, data from 2 MiB up, no
 * stack. They never end: the bench bounds every run.
 *
 * Manual: Multiboot Specification 0.6.96, "The address fields of Multiboot header".
 */

/** Little-endian bytes of a 32-bit number. */
function dword(value) {
  return [value & 0xff, (value >>> 8) & 0xff, (value >>> 16) & 0xff, value >>> 24];
}

const dataStart = 0x20_0000;

/** The image that loads `code` and enters it at its first byte. */
export function kernel(code) {
  const magic = 0x1bad_b002;
  const addressFieldsValid = 0x1_0000;
  const headerLength = 32;
  const loadAddress = 0x10_0000;
  const end = loadAddress + headerLength + code.length;
  const header = [magic, addressFieldsValid, -(magic + addressFieldsValid) >>> 0];
  header.push(loadAddress, loadAddress, end, end, loadAddress + headerLength);
  return Uint8Array.from([...header.flatMap(dword), ...code]);
}

/** Writes no memory. */
export const registerLoop = Uint8Array.from([
  0x40, // again: inc eax
  ...[0x01, 0xc3], // add ebx, eax
  ...[0x31, 0xd9], // xor ecx, ebx
  ...[0xeb, 0xf9], // jmp again
]);

/** Three of four instructions write memory. */
export const storeLoop = Uint8Array.from([
  ...[0xff, 0x05, ...dword(dataStart)], // again: inc dword [data]
  ...[0x01, 0x05, ...dword(dataStart + 4)], // add [data + 4], eax
  ...[0x83, 0x05, ...dword(dataStart + 8), 0x03], // add dword [data + 8], 3
  ...[0xeb, 0xeb], // jmp again
]);

/** Address of the dword that {@link storeLoop} counts in. */
export const storeCounter = dataStart;

/** Changes `pages` pages an iteration; an iteration is {@link pageLoopLength} instructions. */
export function pageLoop(pages) {
  return Uint8Array.from([
    ...[0xb9, ...dword(pages)], // again: mov ecx, pages
    ...[0xbf, ...dword(dataStart)], // mov edi, data
    ...[0xff, 0x07], // write: inc dword [edi]
    ...[0x81, 0xc7, ...dword(4096)], // add edi, 4096
    0x49, // dec ecx
    ...[0x75, 0xf5], // jnz write
    ...[0xeb, 0xe9], // jmp again
  ]);
}

export function pageLoopLength(pages) {
  return 2 + 4 * pages + 1;
}

const spins = 200_000;

/** Spins 400,000 instructions without writing, changes `pages` pages once, and spins for ever without writing. */
export function spinWriteSpin(pages) {
  return Uint8Array.from([
    ...[0xb9, ...dword(spins)], // mov ecx, spins
    0x49, // first: dec ecx
    ...[0x75, 0xfd], // jnz first
    ...[0xb9, ...dword(pages)], // mov ecx, pages
    ...[0xbf, ...dword(dataStart)], // mov edi, data
    ...[0xff, 0x07], // write: inc dword [edi]
    ...[0x81, 0xc7, ...dword(4096)], // add edi, 4096
    0x49, // dec ecx
    ...[0x75, 0xf5], // jnz write
    ...[0xeb, 0xfe], // second: jmp second
  ]);
}

/** Instructions of {@link spinWriteSpin} up to the second spin. */
export function spinWriteSpinLength(pages) {
  return 1 + 2 * spins + 2 + 4 * pages;
}

/** Fills `pages` pages with a different dword each, then writes on in the first one for ever. */
export function fillLoop(pages) {
  return Uint8Array.from([
    ...[0xb9, ...dword(pages)], // mov ecx, pages
    ...[0xbf, ...dword(dataStart)], // mov edi, data
    ...[0x89, 0x0f], // fill: mov [edi], ecx
    ...[0x81, 0xc7, ...dword(4096)], // add edi, 4096
    0x49, // dec ecx
    ...[0x75, 0xf5], // jnz fill
    ...[0xff, 0x05, ...dword(dataStart)], // again: inc dword [data]
    ...[0xeb, 0xf8], // jmp again
  ]);
}

/** Instructions of {@link fillLoop} up to the endless part. */
export function fillLoopLength(pages) {
  return 2 + 4 * pages;
}
