/**
 * The bytes a PC's firmware leaves in the memory of the real-time clock: what there is of memory and drives.
 *
 * Manual: IBM PC/AT Technical Reference, "Real-Time Clock/CMOS RAM Information"; Ralf Brown's CMOS Memory Map for 0x30 on.
 */

export const CMOS_SIZE = 128;

/** Addresses of the bytes; of words, of the low byte. */
export const CMOS = {
  diagnosticStatus: 0x0e,
  shutdownStatus: 0x0f,
  floppyTypes: 0x10,
  equipment: 0x14,
  baseMemory: 0x15,
  extendedMemory: 0x17,
  checksumHigh: 0x2e,
  checksumLow: 0x2f,
  extendedMemoryFound: 0x30,
  century: 0x32,
  memoryAbove16M: 0x34,
} as const;

const KIB = 1024;
const MIB = 1024 * KIB;
const BASE_MEMORY_KIB = 640;
/** The word of extended memory tells of 63 MiB at the most, which was all a 286's firmware could count. */
const EXTENDED_MEMORY_LIMIT_KIB = 63 * KIB;
/** The checksum is the sum of these bytes. */
const CHECKED = { first: 0x10, last: 0x2d } as const;

/**
 * The 128 bytes by address. The first 14 are the clock's own registers and stay 0 here.
 *
 * @param memorySize RAM from address 0 on, in bytes.
 * @param century the first two digits of the year: 20.
 */
export function cmosMemory(memorySize: number, century: number): readonly number[] {
  const bytes = new Array<number>(CMOS_SIZE).fill(0);
  const putWord = (address: number, value: number): void => {
    bytes[address] = value & 0xff;
    bytes[address + 1] = value >> 8;
  };
  const extended = Math.min(Math.max(0, Math.floor((memorySize - MIB) / KIB)), EXTENDED_MEMORY_LIMIT_KIB);
  putWord(CMOS.baseMemory, Math.min(BASE_MEMORY_KIB, Math.floor(memorySize / KIB)));
  putWord(CMOS.extendedMemory, extended);
  putWord(CMOS.extendedMemoryFound, extended);
  putWord(CMOS.memoryAbove16M, Math.min(Math.max(0, Math.floor((memorySize - 16 * MIB) / (64 * KIB))), 0xffff));
  bytes[CMOS.century] = (Math.floor(century / 10) << 4) | (century % 10);
  let sum = 0;
  for (let address: number = CHECKED.first; address <= CHECKED.last; address++) sum += bytes[address]!;
  bytes[CMOS.checksumHigh] = (sum >> 8) & 0xff;
  bytes[CMOS.checksumLow] = sum & 0xff;
  return bytes;
}
