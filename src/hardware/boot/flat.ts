/**
 * Loads a flat binary: a file without any header, put at 1 MiB and started at its first byte.
 *
 * ESP is set below the video memory, so that a first program can push without setting up a stack.
 */
import { hex, type ImageFile } from "./image-file.js";
import { type LoadPlan, ZERO_REGISTERS } from "./load-plan.js";

/** Where a flat binary is loaded and starts. */
export const FLAT_ADDRESS = 0x10_0000;
/** The first push is to the dword below. */
export const FLAT_STACK_TOP = 0x9_0000;

/** @throws VirtlabError if the file is empty or does not fit in memory. */
export function loadFlat(file: ImageFile, memorySize: number): LoadPlan {
  if (file.length === 0) file.fail(0, "the file is empty");
  const end = FLAT_ADDRESS + file.length;
  if (end > memorySize) {
    file.fail(0, `flat binary does not fit: it needs memory up to ${hex(end)}, the machine has ${hex(memorySize)}`);
  }
  return {
    kind: "flat",
    segments: [{ address: FLAT_ADDRESS, bytes: file.bytes }],
    entry: FLAT_ADDRESS,
    registers: { ...ZERO_REGISTERS, esp: FLAT_STACK_TOP },
    symbols: [],
  };
}
