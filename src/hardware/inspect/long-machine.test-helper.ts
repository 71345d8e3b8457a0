/**
 * A machine in 64-bit mode, put together by hand: the code and the tables of its kernel are in the upper half, and the
 * pages there show what 4-level paging can say of a page. It need not run.
 */
import { createState } from "../boot/start.js";
import { type CpuState, CR0, CR4, EFER, FLAG, type Segment, type SystemState } from "../cpu/state.js";
import { Machine } from "../machine.js";
import { hashOf, saveState, withBytes } from "../machine-content.js";

/** Linear addresses of the kernel's pages: code, data with XD, a page of the user, a page that is absent. */
export const CODE = -0x7f000000;
export const DATA = CODE + 0x1000;
/** HLT, with interrupts off: the machine ends there. */
export const HANDLER = CODE + 0x80;
export const USER_PAGE = CODE + 0x2000;
export const ABSENT = CODE + 0x3000;
/** Tables lie in the data page. */
export const GDT = DATA;
export const IDT = DATA + 0x100;
export const TSS = DATA + 0xd00;
export const KERNEL_STACK = DATA + 0xff0;

const [P, W, U, LARGE] = [1n, 2n, 4n, 0x80n];
const XD = 1n << 63n;
const unsigned = (address: number): bigint => BigInt.asUintN(64, BigInt(address));

/** Words of 64 bits as bytes. */
export const quadwords = (...values: readonly bigint[]): Uint8Array =>
  new Uint8Array(BigUint64Array.from(values.map((value) => BigInt.asUintN(64, value))).buffer);

const pages: readonly (readonly [physical: number, index: number, entry: bigint])[] = [
  // The first 2 MiB lie at 0, too.
  [0x1000, 0, 0x5000n | P | W | U],
  [0x1000, 511, 0x2000n | P | W | U],
  [0x2000, 510, 0x3000n | P | W | U],
  [0x3000, 8, 0x4000n | P | W | U],
  [0x4000, 0, 0x10000n | P],
  [0x4000, 1, 0x11000n | P | W | XD],
  [0x4000, 2, 0x12000n | P | W | U],
  [0x5000, 0, 0x6000n | P | W | U],
  [0x6000, 0, LARGE | P | W],
];

/** The entries of a gate. */
const gate = (offset: number, attributes: bigint): readonly bigint[] => {
  const target = unsigned(offset);
  return [(target & 0xffffn) | (8n << 16n) | (attributes << 32n) | (((target >> 16n) & 0xffffn) << 48n), target >> 32n];
};
const base = unsigned(TSS);
const gdt = quadwords(
  ...[0n, 0x00af9b000000ffffn, 0x00cf93000000ffffn, 0x00cffb000000ffffn, 0x00cff3000000ffffn, 0x00affb000000ffffn],
  0x67n | ((base & 0xffffffn) << 16n) | (0x8bn << 40n) | (((base >> 24n) & 0xffn) << 56n),
  base >> 32n,
);
const idt = quadwords(
  ...Array.from({ length: 13 }, () => [0n, 0n]).flat(),
  ...gate(HANDLER, 0x8e00n),
  ...gate(HANDLER, 0x8e02n),
);

function taskState(): Uint8Array {
  const bytes = new Uint8Array(0x68);
  const view = new DataView(bytes.buffer);
  view.setBigInt64(4, BigInt(KERNEL_STACK), true);
  view.setBigInt64(28 + 16, BigInt(DATA + 0xd00), true);
  view.setUint16(102, 0x68, true);
  return bytes;
}

const segment = (selector: number, access: number): Segment => ({ selector, base: 0, limit: 0xffffffff, access });

export interface LongOptions {
  /** At `CODE`. */
  readonly code?: readonly number[];
  readonly cpu?: Partial<CpuState>;
  readonly system?: Partial<SystemState>;
}

export function longMachine({ code = [0x90], cpu = {}, system = {} }: LongOptions = {}): Machine {
  const start = createState({ memory: "1M", model: "max" });
  const data = segment(0x10, 0xc093);
  let state = {
    ...start,
    cpu: {
      ...start.cpu,
      eip: CODE,
      eflags: FLAG.RESERVED | FLAG.IF,
      ...cpu,
      system: {
        ...start.cpu.system,
        cr0: CR0.PG | CR0.PE | CR0.ET | CR0.WP,
        cr3: 0x1000,
        cr4: CR4.PAE | CR4.SMEP | CR4.SMAP,
        efer: EFER.SCE | EFER.LME | EFER.LMA | EFER.NXE,
        gdtr: { base: GDT, limit: gdt.length - 1 },
        idtr: { base: IDT, limit: idt.length - 1 },
        tr: { selector: 0x30, base: TSS, limit: 0x67, access: 0x8b },
        segments: { es: data, cs: segment(8, 0xa09b), ss: data, ds: data, fs: { ...data, base: 0x123456 }, gs: data },
        ...system,
      },
    },
  };
  for (const [physical, index, entry] of pages) state = withBytes(state, physical + 8 * index, quadwords(entry));
  state = withBytes(state, 0x10000, Uint8Array.from(code));
  state = withBytes(state, 0x10080, Uint8Array.of(0xf4));
  state = withBytes(state, 0x11000, gdt);
  state = withBytes(state, 0x11100, idt);
  state = withBytes(state, 0x11d00, taskState());
  return Machine.load(saveState("virtlab machine", state, hashOf(state)));
}
