/**
 * The setup header of a Linux kernel (bzImage): where it is and what it says.
 *
 * Manual: Linux, Documentation/arch/x86/boot.rst "The Linux/x86 Boot Protocol", "The Real-Mode Kernel Header".
 */
import { hex, type ImageFile } from "./image-file.js";

/** Offsets in the file, and in the zero page as well. */
export const SETUP = {
  setupSectors: 0x1f1,
  bootFlag: 0x1fe,
  /** Of the jump over the header: how long it is. */
  headerLength: 0x201,
  magic: 0x202,
  version: 0x206,
  kernelVersion: 0x20e,
  loaderType: 0x210,
  loadFlags: 0x211,
  ramdiskImage: 0x218,
  ramdiskSize: 0x21c,
  commandLine: 0x228,
  initrdLimit: 0x22c,
  kernelAlignment: 0x230,
  relocatable: 0x234,
  extendedFlags: 0x236,
  commandLineSize: 0x238,
  payloadOffset: 0x248,
  payloadLength: 0x24c,
  preferredAddress: 0x258,
  initSize: 0x260,
} as const;

const MAGIC = 0x5372_6448; // "HdrS"
const BOOT_FLAG = 0xaa55;
const SECTOR = 512;
/** What is used here is in every header from this version on: Linux 2.6.31 and newer. */
const OLDEST_VERSION = 0x20a;
const LOADED_HIGH = 1;
const LONGEST_RELEASE = 64;
/** XLF_KERNEL_64: there is a 64-bit entry point. */
const HAS_64_BIT_ENTRY = 1;

/** What a loader takes from the header. */
export interface LinuxHeader {
  /** First byte behind the header. */
  readonly end: number;
  /** Place of the protected-mode kernel in the file. */
  readonly kernel: number;
  readonly commandLineSize: number;
  /** Highest address an initrd may occupy. */
  readonly initrdLimit: number;
  readonly preferredAddress: number;
  /** Bytes the kernel needs from where it runs until it knows its memory. */
  readonly initSize: number;
  /** It is a 64-bit kernel. */
  readonly is64: boolean;
  /** Its release, as `uname -r` has it; empty if the file does not tell. */
  readonly release: string;
  /** The compressed kernel within the file. */
  readonly payload: { readonly offset: number; readonly length: number };
}

/**
 * The header of a bzImage; undefined if the file has none.
 *
 * @throws VirtlabError for a kernel too old for what this loader needs, or one that is cut off.
 */
export function findLinuxHeader(file: ImageFile): LinuxHeader | undefined {
  if (file.length < SETUP.version) return undefined;
  if (file.u16(SETUP.bootFlag) !== BOOT_FLAG || file.u32(SETUP.magic) !== MAGIC) return undefined;
  file.require(0, SETUP.initSize + 4, SETUP.magic, "the setup header of a Linux kernel");
  const version = file.u16(SETUP.version);
  if (version < OLDEST_VERSION) {
    const name = `${version >> 8}.${String(version & 0xff).padStart(2, "0")}`;
    file.fail(SETUP.version, `a Linux kernel of boot protocol ${name}, where 2.10 or newer is needed`);
  }
  if ((file.bytes[SETUP.loadFlags]! & LOADED_HIGH) === 0)
    file.fail(SETUP.loadFlags, "a Linux kernel that is loaded below 1 MiB (zImage) is not supported");
  const kernel = (file.bytes[SETUP.setupSectors]! + 1) * SECTOR;
  const payload = {
    offset: kernel + file.u32(SETUP.payloadOffset),
    length: file.u32(SETUP.payloadLength),
  };
  file.require(payload.offset, payload.length, SETUP.payloadLength, "the compressed kernel");
  if (file.u32(SETUP.preferredAddress + 4) !== 0)
    file.fail(SETUP.preferredAddress, `preferred load address beyond ${hex(2 ** 32)}`);
  return {
    end: SETUP.magic + file.bytes[SETUP.headerLength]!,
    kernel,
    commandLineSize: file.u32(SETUP.commandLineSize),
    initrdLimit: file.u32(SETUP.initrdLimit),
    preferredAddress: file.u32(SETUP.preferredAddress),
    initSize: file.u32(SETUP.initSize),
    is64: (file.u16(SETUP.extendedFlags) & HAS_64_BIT_ENTRY) !== 0,
    release: releaseOf(file, kernel),
    payload,
  };
}

/** The first word of the text the header points to, which stands in front of the kernel. */
function releaseOf(file: ImageFile, kernel: number): string {
  const pointer = file.u16(SETUP.kernelVersion);
  if (pointer === 0) return "";
  const start = SECTOR + pointer;
  const text = file.bytes.subarray(start, Math.max(start, Math.min(start + LONGEST_RELEASE, kernel)));
  return /^[!-~]*/.exec(String.fromCharCode(...text))![0];
}
