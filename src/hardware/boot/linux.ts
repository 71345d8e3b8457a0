/**
 * Loads a Linux kernel by its own boot protocol and enters it in 32-bit protected mode, or in 64-bit mode: it unpacks
 * itself. The zero page, which is what the kernel's real-mode part would have made of the BIOS, is made here.
 *
 * Manual: Linux, Documentation/arch/x86/boot.rst "The Linux/x86 Boot Protocol", "32-bit Boot Protocol", "64-bit Boot
 * Protocol"; zero-page.rst "Zero Page".
 */
import { VirtlabError } from "../../state/error.js";
import { identityMap } from "./identity-map.js";
import type { ImageFile } from "./image-file.js";
import { type LinuxHeader, SETUP } from "./linux-header.js";
import { checkText, kernelDoesNotFit, type LinuxOptions, placeInitrd } from "./linux-parts.js";
import { type LoadPlan, ZERO_REGISTERS } from "./load-plan.js";
import type { MapEntry } from "./memory-map.js";

/** Below what the extended BIOS data area begins at; the addresses are those QEMU's loader chooses. */
const ZERO_PAGE = { address: 0x1_0000, size: 0x1000 } as const;
const COMMAND_LINE = 0x2_0000;
const DESCRIPTORS = 0x1_1000;
const PAGE_TABLES = 0x1_2000;
const KERNEL = 0x10_0000;
/** Behind the 32-bit entry point. */
const ENTRY_64 = 0x200;

/** Zero page: fields before the setup header. */
const FIELD = { videoMode: 0x06, videoColumns: 0x07, videoLines: 0x0e, isVga: 0x0f, points: 0x10, mapCount: 0x1e8 };
const MEMORY_MAP = 0x2d0;
const MAP_ENTRY_SIZE = 20;

/** Text mode 3 of a VGA: 80 columns, 25 lines, characters of 16 lines. */
const SCREEN = { mode: 3, columns: 80, lines: 25, points: 16 } as const;
/** "undefined": no number was ever given out to this loader. */
const LOADER_TYPE = 0xff;

/** __BOOT_CS and __BOOT_DS: flat, 4 GiB. */
const CODE_SELECTOR = 0x10;
const DATA_SELECTOR = 0x18;
const FLAT_LIMIT_LOW = 0xffff;
const FLAT_CODE_HIGH = 0x00cf_9b00;
const LONG_CODE_HIGH = 0x00af_9b00;
const FLAT_DATA_HIGH = 0x00cf_9300;

/**
 * The plan for a kernel with this header.
 *
 * @throws VirtlabError if kernel, initrd or command line do not fit.
 */
export function loadLinux(file: ImageFile, header: LinuxHeader, options: LinuxOptions): LoadPlan {
  const { memorySize, commandLine, initrd, entry } = options;
  const long = entry === 64;
  if (long && !header.is64) file.fail(SETUP.extendedFlags, "a kernel without a 64-bit entry point");
  const kernel = file.bytes.subarray(header.kernel);
  // It unpacks itself from where it is to where it wants to run, which may be above.
  const kernelEnd = Math.max(KERNEL + kernel.length, header.preferredAddress + header.initSize);
  if (kernelEnd > memorySize) file.fail(SETUP.initSize, kernelDoesNotFit(kernelEnd, memorySize));
  checkText("command line", commandLine);
  const text = new TextEncoder().encode(`${commandLine}\0`);
  if (text.length - 1 > header.commandLineSize) {
    const sizes = `${text.length - 1} bytes, where the kernel takes ${header.commandLineSize}`;
    throw new VirtlabError(`command line: ${sizes}`);
  }
  const place = initrd && placeInitrd(initrd.length, options, kernelEnd, header.initrdLimit);
  return {
    kind: "linux",
    segments: [
      { address: KERNEL, bytes: kernel },
      { address: ZERO_PAGE.address, bytes: zeroPage(file, header, options.memoryMap, place, initrd?.length) },
      { address: DESCRIPTORS, bytes: descriptors(long) },
      ...(long ? [{ address: PAGE_TABLES, bytes: identityMap(PAGE_TABLES) }] : []),
      { address: COMMAND_LINE, bytes: text },
      ...(initrd && initrd.length > 0 ? [{ address: place!, bytes: initrd }] : []),
    ],
    entry: long ? KERNEL + ENTRY_64 : KERNEL,
    registers: { ...ZERO_REGISTERS, esi: ZERO_PAGE.address },
    descriptors: {
      table: { base: DESCRIPTORS, limit: DATA_SELECTOR + 7 },
      code: CODE_SELECTOR,
      data: DATA_SELECTOR,
    },
    ...(long ? { pageMap: PAGE_TABLES } : {}),
    symbols: [],
  };
}

function zeroPage(
  file: ImageFile,
  header: LinuxHeader,
  map: readonly MapEntry[],
  initrd: number | undefined,
  initrdSize = 0,
): Uint8Array {
  const page = new Uint8Array(ZERO_PAGE.size);
  const view = new DataView(page.buffer);
  page.set(file.bytes.subarray(SETUP.setupSectors, header.end), SETUP.setupSectors);
  page[FIELD.videoMode] = SCREEN.mode;
  page[FIELD.videoColumns] = SCREEN.columns;
  page[FIELD.videoLines] = SCREEN.lines;
  page[FIELD.isVga] = 1;
  view.setUint16(FIELD.points, SCREEN.points, true);
  page[SETUP.loaderType] = LOADER_TYPE;
  view.setUint32(SETUP.commandLine, COMMAND_LINE, true);
  view.setUint32(SETUP.ramdiskImage, initrd ?? 0, true);
  view.setUint32(SETUP.ramdiskSize, initrdSize, true);
  page[FIELD.mapCount] = map.length;
  map.forEach(({ base, length, type }, index) => {
    const entry = MEMORY_MAP + index * MAP_ENTRY_SIZE;
    view.setBigUint64(entry, BigInt(base), true);
    view.setBigUint64(entry + 8, BigInt(length), true);
    view.setUint32(entry + 16, type, true);
  });
  return page;
}

function descriptors(long: boolean): Uint8Array {
  const table = new DataView(new ArrayBuffer(DATA_SELECTOR + 8));
  table.setUint32(CODE_SELECTOR, FLAT_LIMIT_LOW, true);
  table.setUint32(CODE_SELECTOR + 4, long ? LONG_CODE_HIGH : FLAT_CODE_HIGH, true);
  table.setUint32(DATA_SELECTOR, FLAT_LIMIT_LOW, true);
  table.setUint32(DATA_SELECTOR + 4, FLAT_DATA_HIGH, true);
  return new Uint8Array(table.buffer);
}
