/** What the two ways to load a Linux kernel (PVH and its own boot protocol) have in common. */
import { VirtlabError } from "../../state/error.js";
import { PAGE_SIZE } from "../../state/pages.js";
import { hex } from "./image-file.js";
import { AVAILABLE, type MapEntry } from "./memory-map.js";

/** What a Linux kernel is given. */
export interface LinuxOptions {
  /** Bytes. */
  readonly memorySize: number;
  readonly memoryMap: readonly MapEntry[];
  readonly commandLine: string;
  readonly initrd?: Uint8Array | undefined;
  /** Which of the entry points of a bzImage: the 32-bit one unless given. */
  readonly entry?: 32 | 64 | undefined;
}

/**
 * The highest address that an initrd may occupy unless the kernel tells: what a 32-bit one always has mapped.
 * Spec: Linux, "The Linux/x86 Boot Protocol", `initrd_addr_max`.
 */
export const LINUX_INITRD_LIMIT = 0x37ff_ffff;

export function kernelDoesNotFit(end: number, memorySize: number): string {
  return `kernel does not fit: it needs memory up to ${hex(end)}, the machine has ${hex(memorySize)}`;
}

export function checkText(what: string, text: string): void {
  if (text.includes("\0")) throw new VirtlabError(`${what}: a character of code 0 would end it early`);
}

/**
 * Where an initrd goes: as high as it may, as the boot protocol advises, so that a kernel that unpacks itself does not
 * meet it.
 *
 * @throws VirtlabError if there is no room between the kernel and the end of memory.
 */
export function placeInitrd(size: number, { memoryMap }: LinuxOptions, kernelEnd: number, limit: number): number {
  const highest = memoryMap.findLast(({ type, base }) => type === AVAILABLE && base <= limit);
  const top = Math.min(limit + 1, (highest?.base ?? 0) + (highest?.length ?? 0));
  const place = Math.floor((top - size) / PAGE_SIZE) * PAGE_SIZE;
  if (place >= kernelEnd) return place;
  const room = Math.max(0, top - kernelEnd);
  throw new VirtlabError(
    `initrd does not fit: it has ${hex(size)} bytes, between the kernel and the end of memory are ${hex(room)}`,
  );
}
