/** How much of the source of the guest `kernel` knows what is below it, counted when the guests were built. Works in Node alone. */
import { readImage } from "./packaged-guest.js";

/** A file of the kernel's source. */
export interface KernelLines {
  readonly file: string;
  /** What it is for: a bare machine alone, a hypervisor with Xen's calls alone, or both. */
  readonly kind: "both" | "bare" | "xen";
  /** Lines that are neither empty nor a comment alone. */
  readonly lines: number;
}

/**
 * The files that `kernel.elf` and `kernel-xen.elf` are built from, and how long each is: what differs between a kernel for a bare
 * machine and one for paravirtualization.
 *
 * @throws VirtlabError outside of Node.
 * @example
 * const sum = (kind) => kernelLines().filter((row) => row.kind === kind).reduce((total, { lines }) => total + lines, 0);
 * [sum("both"), sum("bare"), sum("xen")] // => [ 713, 205, 277 ]
 */
export const kernelLines = (): readonly KernelLines[] =>
  Object.freeze(JSON.parse(new TextDecoder().decode(readImage("kernel-lines.json"))) as KernelLines[]);
