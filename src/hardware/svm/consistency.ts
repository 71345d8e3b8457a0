/**
 * What VMRUN refuses, in the manual's order: each check as an entry.
 * Spec: AMD64 Architecture Programmer's Manual Vol. 2, "Canonicalization and Consistency Checks", "Enabling Nested Paging",
 * "Event Injection".
 */
import { type Model, models } from "../cpu/model.js";
import type { ProcessorPort } from "../cpu/processor.js";
import { CR0, CR4, EFER } from "../cpu/state.js";
import { isEvent, refusedEvent } from "./event.js";
import { exitCodeOf, interceptNamed } from "./intercepts.js";
import { IOPM_BYTES, MSRPM_BYTES } from "./permission-maps.js";
import { fieldOf, indexOf, newImage, readImage, type VmcbImage, vmcbField } from "./vmcb.js";

/** What the checks look at. */
interface Looked {
  readonly field: (name: string) => bigint;
  readonly model: Model;
  /** CR0 of the host. */
  readonly hostCr0: number;
}

export interface ConsistencyCheck {
  /** The check that failed, as a sentence. */
  readonly check: string;
  readonly fails: (looked: Looked) => boolean;
}

const LONG_CODE = 1n << 9n;
const BIG_CODE = 1n << 10n;
const has = (value: bigint, bit: number): boolean => (value & BigInt(bit >>> 0)) !== 0n;
const isWide = (value: bigint): boolean => value >> 32n !== 0n;
const isBeyond = (address: bigint, { physicalBits }: Model): boolean => address >> BigInt(physicalBits) !== 0n;
const pageOf = (address: bigint): bigint => address & ~0xfffn;
const vmrunIntercept = interceptNamed("VMRUN");

/** LME and PG together: long mode is to be. */
const isLong = ({ field }: Looked): boolean => has(field("EFER"), EFER.LME) && has(field("CR0"), CR0.PG);

const PAT_TYPES: readonly bigint[] = [0n, 1n, 4n, 5n, 6n, 7n];
const hasPatTypes = (pat: bigint): boolean =>
  Array.from({ length: 8 }, (_, index) => (pat >> BigInt(8 * index)) & 0xffn).every((type) => PAT_TYPES.includes(type));

const isNested = ({ field }: Looked): boolean => field("NP_ENABLE") !== 0n;

export const consistencyChecks: readonly ConsistencyCheck[] = Object.freeze([
  { check: "EFER.SVME is clear.", fails: ({ field }) => !has(field("EFER"), EFER.SVME) },
  {
    check: "CR0.CD is clear and CR0.NW set.",
    fails: ({ field }) => !has(field("CR0"), CR0.CD) && has(field("CR0"), CR0.NW),
  },
  { check: "A bit of CR0 above 31 is set.", fails: ({ field }) => isWide(field("CR0")) },
  { check: "A reserved bit of CR3 is set.", fails: ({ field, model }) => isBeyond(field("CR3"), model) },
  {
    check: "A bit of CR4 is set that the model does not have.",
    fails: ({ field, model }) => (field("CR4") & ~BigInt(model.cr4 >>> 0)) !== 0n,
  },
  { check: "A bit of DR6 above 31 is set.", fails: ({ field }) => isWide(field("DR6")) },
  { check: "A bit of DR7 above 31 is set.", fails: ({ field }) => isWide(field("DR7")) },
  {
    check: "A bit of EFER is set that the model does not have.",
    fails: ({ field, model }) => (field("EFER") & ~BigInt(model.efer | EFER.LMA)) !== 0n,
  },
  {
    check: "EFER.LMA or EFER.LME is set and the model has no long mode.",
    fails: ({ field, model }) => has(field("EFER"), EFER.LMA | EFER.LME) && !model.features.has("LM"),
  },
  {
    check: "EFER.LME and CR0.PG are set and CR4.PAE is clear.",
    fails: (looked) => isLong(looked) && !has(looked.field("CR4"), CR4.PAE),
  },
  {
    check: "EFER.LME and CR0.PG are set and CR0.PE is clear.",
    fails: (looked) => isLong(looked) && !has(looked.field("CR0"), CR0.PE),
  },
  {
    check: "EFER.LME, CR0.PG, CR4.PAE, CS.L and CS.D are all set.",
    fails: (looked) => {
      const both = LONG_CODE | BIG_CODE;
      return isLong(looked) && has(looked.field("CR4"), CR4.PAE) && (looked.field("CS.attrib") & both) === both;
    },
  },
  {
    check: "VMRUN is not intercepted.",
    fails: ({ field }) => ((field("INTERCEPT_MISC2") >> BigInt(exitCodeOf(vmrunIntercept) & 31)) & 1n) === 0n,
  },
  {
    check: "The MSR permission map extends beyond the physical addresses of the model.",
    fails: ({ field, model }) => isBeyond(pageOf(field("MSRPM_BASE_PA")) + BigInt(MSRPM_BYTES - 1), model),
  },
  {
    check: "The I/O permission map extends beyond the physical addresses of the model.",
    fails: ({ field, model }) => isBeyond(pageOf(field("IOPM_BASE_PA")) + BigInt(IOPM_BYTES - 1), model),
  },
  {
    check: "EVENTINJ is no event.",
    fails: ({ field }) => isEvent(field("EVENTINJ")) && refusedEvent(field("EVENTINJ")) !== undefined,
  },
  { check: "The ASID is 0.", fails: ({ field }) => field("GUEST_ASID") === 0n },
  {
    check: "Nested paging is wanted by a host without paging.",
    fails: (looked) => isNested(looked) && (looked.hostCr0 & CR0.PG) === 0,
  },
  {
    check: "A reserved bit of N_CR3 is set.",
    fails: (looked) => isNested(looked) && isBeyond(looked.field("N_CR3"), looked.model),
  },
  {
    check: "G_PAT names a memory type that does not exist.",
    fails: (looked) => isNested(looked) && !hasPatTypes(looked.field("G_PAT")),
  },
]);

/** What the checks of a VMCB that passed looked at: they pass again where it is the same. */
interface Passed {
  readonly model: string;
  readonly hostCr0: number;
  /** Dwords of the image, and what they were. */
  readonly indices: readonly number[];
  readonly words: readonly number[];
}
const LIMIT = 64;
const passed = new Map<number, Passed>();

function passedBefore(before: Passed | undefined, image: VmcbImage, model: string, cr0: number): boolean {
  if (before?.model !== model || before.hostCr0 !== cr0) return false;
  const { indices, words } = before;
  for (let index = 0; index < words.length; index++) if (image[indices[index]!] !== words[index]) return false;
  return true;
}

function remember(vmcb: number, image: VmcbImage, names: Iterable<string>, model: string, hostCr0: number): void {
  const indices = [...names].flatMap((name) => {
    const at = indexOf(name);
    return vmcbField(name).bits === 64 ? [at, at + 1] : [at];
  });
  if (passed.size >= LIMIT) passed.clear();
  passed.set(vmcb, { model, hostCr0, indices, words: indices.map((at) => image[at]!) });
}

/** The first check that the VMCB at a physical address fails, as a sentence; undefined where it passes all. */
export function refusedState(
  port: ProcessorPort,
  vmcb: number,
  image: VmcbImage = readImage(port, vmcb, newImage()),
): string | undefined {
  const { cr0, model } = port.system;
  if (passedBefore(passed.get(vmcb), image, model, cr0)) return undefined;
  const known = new Map<string, bigint>();
  const field = (name: string): bigint => {
    const value = known.get(name) ?? fieldOf(image, name);
    known.set(name, value);
    return value;
  };
  const looked: Looked = { field, model: models[model], hostCr0: cr0 };
  const failed = consistencyChecks.find(({ fails }) => fails(looked))?.check;
  if (failed === undefined) remember(vmcb, image, known.keys(), model, cr0);
  return failed;
}
