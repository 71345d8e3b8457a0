/** Memory by linear addresses: page walks and copies of bytes, of a machine's state as it stands. */
import { VirtlabError } from "../state/error.js";
import { PAGE_SIZE } from "../state/pages.js";
import { nestedPagingOf } from "./cpu/nested-paging.js";
import { pageWalkOf, walkNested } from "./cpu/nested-walk.js";
import { type PageWalk, walk } from "./cpu/page-walk.js";
import type { PhysicalMemory } from "./cpu/paging.js";
import { EFER, FLAG, isCanonical } from "./cpu/state.js";
import { readBytes } from "./machine-content.js";
import type { MachineState } from "./state.js";

/** A linear address: a number below 2^32; with 4-level paging a signed one of 48 bits too, or any as a bigint. */
export type LinearAddress = number | bigint;

/** Who makes an access that a page walk is asked for; a read by the supervisor unless said otherwise. */
export interface WalkAccess {
  readonly write?: boolean;
  readonly user?: boolean;
  /** Of an instruction: XD and SMEP matter. */
  readonly fetch?: boolean;
  /** The processor's own, of a descriptor or a TSS: SMAP holds although EFLAGS.AC is set. */
  readonly implicit?: boolean;
}

/**
 * An address as the processor's parts have it: as a number, signed where it is one of 64 bits.
 *
 * @throws VirtlabError for what is no address: a fraction, and a number that is not exact.
 */
export function linearNumber({ cpu }: Pick<MachineState, "cpu">, address: LinearAddress, what: string): number {
  const exact = typeof address === "bigint" || Number.isSafeInteger(address);
  if (!exact)
    throw new VirtlabError(
      `${what}: ${String(address)} is no exact address; one above 2^53 is written as a bigint (0x…n)`,
    );
  if ((cpu.system.efer & EFER.LMA) === 0) return Number(BigInt.asUintN(32, BigInt(address)));
  return Number(BigInt.asIntN(64, BigInt(address)));
}

/** The page walk of a linear address, every entry as it stands; of a guest with nested paging, in both dimensions. */
export function walkOf(state: MachineState, address: LinearAddress, access: WalkAccess = {}): PageWalk {
  const { system, eflags } = state.cpu;
  const physicalMemory: PhysicalMemory = {
    read32: (physical) => {
      if (physical + 4 > state.memorySize) return -1;
      const bytes = readBytes(state, physical, 4);
      return new DataView(bytes.buffer).getInt32(0, true);
    },
    write32: () => {},
  };
  const linear = linearNumber(state, address, "walk");
  const wanted = {
    write: access.write ?? false,
    user: access.user ?? false,
    fetch: access.fetch ?? false,
    ac: (eflags & FLAG.AC) !== 0 && access.implicit !== true,
  };
  const nested = nestedPagingOf(system);
  return nested === undefined
    ? walk(physicalMemory, system, linear, wanted)
    : pageWalkOf(walkNested(physicalMemory, system, nested, linear, wanted));
}

const unsigned = (linear: number): string => BigInt.asUintN(64, BigInt(linear)).toString(16);
/** An address in hexadecimal: of 8 digits, or of 16 where it is above 4 GiB or, in the upper half, negative. */
export const addressText = (address: number): string =>
  `0x${unsigned(address).padStart(address >= 0 && address < 2 ** 32 ? 8 : 16, "0")}`;

/**
 * Bytes at a linear address, as supervisor software sees them whatever SMAP forbids; the accessed flags stay as they are.
 *
 * @throws VirtlabError where nothing is mapped.
 */
export function readLinear(state: MachineState, address: LinearAddress, length: number): Uint8Array {
  const out = new Uint8Array(length);
  const { system } = state.cpu;
  const from = linearNumber(state, address, "readLinear");
  const long = (system.efer & EFER.LMA) !== 0;
  for (let at = 0; at < length; ) {
    const linear = long ? from + at : (from + at) >>> 0;
    const offset = ((linear % PAGE_SIZE) + PAGE_SIZE) % PAGE_SIZE;
    const count = Math.min(length - at, PAGE_SIZE - offset);
    const { physical, nested } = readingWalk(state, linear);
    if (physical === undefined) throw new VirtlabError(`readLinear: ${whyNot(linear, long, nested)}`);
    out.set(readBytes(state, physical, count), at);
    at += count;
  }
  return out;
}

function whyNot(linear: number, long: boolean, nested: PageWalk["nested"]): string {
  const where = `linear 0x${unsigned(linear)}`;
  if (long && !isCanonical(linear)) return `no memory has the non-canonical ${where}`;
  if (nested?.exit === undefined) return `nothing is mapped at ${where}`;
  return `nested paging maps nothing at guest-physical 0x${unsigned(nested.exit.guestPhysical)}, which ${where} leads to`;
}

/** A walk for those who look on: SMAP, which guards the supervisor from accidents, does not guard from them. */
function readingWalk(state: MachineState, linear: number): PageWalk {
  const eflags = state.cpu.eflags | FLAG.AC;
  return walkOf({ ...state, cpu: { ...state.cpu, eflags } }, linear);
}
