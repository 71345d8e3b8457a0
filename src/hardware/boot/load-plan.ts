/**
 * What a loader finds out: which bytes go where in physical memory, and where the processor starts.
 *
 * A plan is made completely or not at all; nothing is half-loaded. Memory that no segment covers stays zero.
 */

import { PAGE_SIZE } from "../../state/pages.js";
import type { GeneralRegisters, TableRegister } from "../cpu/state.js";

/** Bytes for physical memory. `bytes` may be a view of the file: who keeps it longer than the file copies it. */
export interface LoadSegment {
  /** Physical address of the first byte. */
  readonly address: number;
  readonly bytes: Uint8Array;
}

/** A name an image gives to an address. */
export interface ImageSymbol {
  readonly name: string;
  /** Linear address: unsigned 32 bits, or signed if the image is a 64-bit one. */
  readonly address: number;
  /** Size in bytes; 0 if the image does not tell. */
  readonly size: number;
  readonly type: "function" | "object" | "none";
}

/**
 * How to start an image. The processor is in protected mode at CPL 0 with flat 4 GiB code and data segments, paging and
 * interrupts off; or in 64-bit mode, with the first 4 GiB mapped to themselves.
 */
export interface LoadPlan {
  readonly kind: "multiboot" | "flat" | "pvh" | "linux";
  /** They do not overlap. */
  readonly segments: readonly LoadSegment[];
  /** Address of the first instruction. */
  readonly entry: number;
  /** At the first instruction, unsigned 32-bit numbers. */
  readonly registers: GeneralRegisters;
  /** A descriptor table the image may count on, and which of its flat segments are loaded; none unless given. */
  readonly descriptors?: { readonly table: TableRegister; readonly code: number; readonly data: number };
  /** Physical address of the PML4 table it is entered with in 64-bit mode; absent for an entry in protected mode. */
  readonly pageMap?: number;
  /** By rising address; empty if the image has none. */
  readonly symbols: readonly ImageSymbol[];
}

/** All registers 0. */
export const ZERO_REGISTERS: GeneralRegisters = { eax: 0, ecx: 0, edx: 0, ebx: 0, esp: 0, ebp: 0, esi: 0, edi: 0 };

/** `address` rounded up to a page: modules and what is put behind a kernel start on one. */
export function pageAlign(address: number): number {
  return Math.ceil(address / PAGE_SIZE) * PAGE_SIZE;
}
