/** Where in the BIOS's ROM services find their data. */
import { MEMORY } from "../../devices/layout.js";

export const ROM_SEGMENT = 0xf000;
/** The memory map, from the ROM's first byte. */
export const MAP_OFFSET = 0x2000;
export const MEMORY_MAP = MEMORY.biosRom.base + MAP_OFFSET;
