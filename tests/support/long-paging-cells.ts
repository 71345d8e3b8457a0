/**
 * Cells of 4-level paging: pages of 4 KiB, 2 MiB and 1 GiB in the upper half, their rights at every level, XD, SMEP, SMAP,
 * reserved bits, canonical addresses, and the flags that are set on the way.
 * Spec: SDM Vol. 3A, "4-Level Paging", "Access Rights", "Page-Fault Exceptions", "Accessed and Dirty Flags".
 */
import type { LongCell } from "./long-cell-image.js";

const [P, W, U, LARGE] = [1n, 2n, 4n, 0x80n];
const XD = 1n << 63n;
const CR4 = { PAE: 0x20, SMEP: 0x100000, SMAP: 0x200000 } as const;
const AC = 0x40000;

const PML4 = 0x300000;
const LOW_POINTERS = 0x301000;
const LOW_DIRECTORY = 0x302000;
const POINTERS = 0x303000;
const DIRECTORY = 0x304000;
const TABLE = 0x305000;
const SECOND_TABLE = 0x306000;
/** Special pages: physical, and in the upper half; each begins with RET. */
const FRAMES = 0x500000;
const BASE = -0x40000000n;
const page = (index: number): bigint => BASE + 0x1000n * BigInt(index);
/** Ranges of 2 MiB behind that of the pages: a large page with XD, reserved bits, and tables with fewer rights. */
const range = (index: number): bigint => BASE + 0x200000n * BigInt(index);
/** Pages of 1 GiB: the first, and one with reserved bits. */
const GIGABYTE = -0x80000000n;
const BAD_GIGABYTE = -0xc0000000n;

const entries: readonly (readonly [address: number, entry: bigint])[] = [
  [PML4 + 8 * 511, BigInt(POINTERS) | P | W | U],
  // PS is reserved here.
  [PML4 + 8 * 510, BigInt(POINTERS) | P | W | U | LARGE],
  [POINTERS + 8 * 511, BigInt(DIRECTORY) | P | W | U],
  [POINTERS + 8 * 510, P | W | U | LARGE],
  [POINTERS + 8 * 509, P | W | U | LARGE | 0x2000n],
  [DIRECTORY, BigInt(TABLE) | P | W | U],
  [DIRECTORY + 8, 0x600000n | P | W | U | LARGE | XD],
  [DIRECTORY + 16, 0x600000n | P | W | U | LARGE | 0x2000n],
  [DIRECTORY + 24, BigInt(SECOND_TABLE) | P | W],
  [DIRECTORY + 32, BigInt(SECOND_TABLE) | P | U],
  [DIRECTORY + 40, BigInt(SECOND_TABLE) | P | W | U | XD],
  [DIRECTORY + 48, BigInt(SECOND_TABLE) | P | W | U | (1n << 46n)],
  [SECOND_TABLE, BigInt(FRAMES) | P | W | U],
  [TABLE, 0n],
  [TABLE + 8, BigInt(FRAMES + 0x1000) | P | W],
  [TABLE + 16, BigInt(FRAMES + 0x2000) | P | U],
  [TABLE + 24, BigInt(FRAMES + 0x3000) | P | W | U],
  [TABLE + 32, BigInt(FRAMES + 0x4000) | P | W | U | XD],
  [TABLE + 40, BigInt(FRAMES + 0x5000) | P | W | XD],
  // Bits 52 to 62 are the software's.
  [TABLE + 48, BigInt(FRAMES + 0x6000) | P | W | U | (0x7ffn << 52n)],
];

const store = ([address, value]: readonly [number, bigint]): string =>
  `  mov rax, 0x${value.toString(16)}\n  mov [0x${address.toString(16)}], rax`;

/** Tables of this kind, the first 16 MiB where they are; `all` is what these allow. */
const tables = (all: bigint, { nxe = true, cr4 = 0, wp = true } = {}): string => `
  ; The monitor's own, while these are written.
  mov eax, 0x210000
  mov cr3, rax
  mov edi, 0x${FRAMES.toString(16)}
%rep 8
  mov byte [rdi], 0xc3
  add edi, 0x1000
%endrep
  mov byte [0x600000], 0xc3
  mov edi, 0x${PML4.toString(16)}
  xor eax, eax
  mov ecx, 0x${((7 * 4096) / 8).toString(16)}
  rep stosq
${[
  store([PML4, BigInt(LOW_POINTERS) | P | W | U]),
  store([LOW_POINTERS, BigInt(LOW_DIRECTORY) | P | W | U]),
  ...Array.from({ length: 8 }, (_, index) =>
    store([LOW_DIRECTORY + 8 * index, BigInt(index * 0x200000) | all | LARGE]),
  ),
  ...entries.map(([address, entry]) => store([address, nxe ? entry : entry & ~XD])),
].join("\n")}
  mov ecx, 0xc0000080
  rdmsr
  ${nxe ? "or eax, 0x800" : "and eax, 0xfffff7ff"}
  wrmsr
  mov eax, 0x${PML4.toString(16)}
  mov cr3, rax
  mov eax, 0x${(CR4.PAE | cr4).toString(16)}
  mov cr4, rax
  mov eax, ${wp ? "0x80010031" : "0x80000031"}
  mov cr0, rax`;

const hex = (value: bigint): string => `0x${BigInt.asUintN(64, value).toString(16)}`;
/** As an outcome tells of places in the upper half: from its highest 2 GiB on. */
const place = (address: bigint): string => `${hex(address + 0x80000000n)} above`;
const at = (text: string, address: bigint): string => `  mov rbx, ${hex(address)}\n.at:\n  ${text}`;
const read = (address: bigint): string => at("mov r11, [rbx]", address);
const write = (address: bigint): string => at("mov [rbx + 8], r11", address);
const call = (address: bigint): string => `  mov rbx, ${hex(address)}\n  call rbx`;

const user = { cpl: 3, prepare: tables(P | W | U) } as const;
const userWithoutNx = { cpl: 3, prepare: tables(P | W | U, { nxe: false }) } as const;
const system = { prepare: tables(P | W) } as const;
const careless = { prepare: tables(P | W, { wp: false }) } as const;
const smep = { prepare: tables(P | W, { cr4: CR4.SMEP }) } as const;
const smepWithoutNx = { prepare: tables(P | W, { cr4: CR4.SMEP, nxe: false }) } as const;
const smap = { prepare: tables(P | W, { cr4: CR4.SMAP }) } as const;
/** QEMU 7.2 leaves P clear beside RSVD. */
const reserved = (code: number): Pick<LongCell, "gives" | "qemu"> => ({
  ...{ gives: `#PF(0x${code.toString(16)})`, qemu: `#PF(0x${(code & ~1).toString(16)})` },
});

const reading: readonly LongCell[] = [
  { name: "a page for the user is read in ring 3", ...user, code: read(page(3)), gives: "runs" },
  { name: "bits 52 to 62 mean nothing", ...user, code: read(page(6)), gives: "runs" },
  { name: "the supervisor's page is #PF(5) in ring 3", ...user, code: read(page(1)), gives: "#PF(0x5)" },
  { name: "an absent page is #PF(4) in ring 3", ...user, code: read(page(0)), gives: "#PF(0x4)" },
  { name: "an absent directory is #PF(0) in ring 0", ...system, code: read(-0x100000000n), gives: "#PF(0)" },
  { name: "an absent pointer table is #PF(0) in ring 0", ...system, code: read(1n << 45n), gives: "#PF(0)" },
  { name: "a directory entry without U counts in ring 3", ...user, code: read(range(3)), gives: "#PF(0x5)" },
  { name: "a page of 2 MiB is read", ...user, code: read(range(1) + 0x1ff8n), gives: "runs" },
  { name: "a page of 1 GiB is read", ...user, code: read(GIGABYTE + 0x500000n), gives: "runs" },
];

const writing: readonly LongCell[] = [
  { name: "a read-only page is #PF(7) in ring 3", ...user, code: write(page(2)), gives: "#PF(0x7)" },
  { name: "a directory entry without W is #PF(7) in ring 3", ...user, code: write(range(4)), gives: "#PF(0x7)" },
  { name: "a read-only page is #PF(3) in ring 0 with CR0.WP", ...system, code: write(page(2)), gives: "#PF(0x3)" },
  { name: "a read-only page is written in ring 0 without CR0.WP", ...careless, code: write(page(2)), gives: "runs" },
  { name: "an absent page is #PF(2) in ring 0", ...system, code: write(page(0)), gives: "#PF(0x2)" },
  { name: "a page with XD is written", ...user, code: write(page(4)), gives: "runs" },
  {
    ...{ name: "a write that reaches into the next page faults there", ...user, gives: "#PF(0x7)" },
    code: at("mov [rbx - 4], r11", page(2)),
  },
];

const fetching: readonly LongCell[] = [
  { name: "code runs on a page for the user", ...user, code: call(page(3)), gives: "runs" },
  { name: "a page with XD is #PF(0x15)", ...user, code: call(page(4)), gives: `#PF(0x15) at ${place(page(4))}` },
  {
    name: "a page of 2 MiB with XD is #PF(0x15)",
    ...user,
    code: call(range(1)),
    gives: `#PF(0x15) at ${place(range(1))}`,
  },
  {
    name: "a directory entry with XD is #PF(0x15)",
    ...user,
    code: call(range(5)),
    gives: `#PF(0x15) at ${place(range(5))}`,
  },
  { name: "the supervisor's page is #PF(0x15)", ...user, code: call(page(1)), gives: `#PF(0x15) at ${place(page(1))}` },
  { name: "an absent page is #PF(0x14)", ...user, code: call(page(0)), gives: `#PF(0x14) at ${place(page(0))}` },
  {
    ...{ name: "an absent page is #PF(4) without EFER.NXE", ...userWithoutNx },
    ...{ code: call(page(0)), gives: `#PF(0x4) at ${place(page(0))}` },
  },
  { name: "the supervisor runs its own page", ...system, code: call(page(1)), gives: "runs" },
  {
    name: "the supervisor's page with XD is #PF(0x11)",
    ...system,
    code: call(page(5)),
    gives: `#PF(0x11) at ${place(page(5))}`,
  },
  { name: "the supervisor runs a page for the user without SMEP", ...system, code: call(page(3)), gives: "runs" },
  { name: "with SMEP that is #PF(0x11)", ...smep, code: call(page(3)), gives: `#PF(0x11) at ${place(page(3))}` },
  {
    ...{ name: "with SMEP it is so without EFER.NXE, too", ...smepWithoutNx },
    ...{ code: call(page(3)), gives: `#PF(0x11) at ${place(page(3))}` },
  },
  {
    ...{ name: "with SMEP and without U in the directory the page is the supervisor's", ...smep },
    ...{ code: call(range(3)), gives: "runs" },
  },
];

const guarded: readonly LongCell[] = [
  { name: "with SMAP a read of a page for the user is #PF(1)", ...smap, code: read(page(3)), gives: "#PF(0x1)" },
  { name: "with SMAP a write is #PF(3)", ...smap, code: write(page(3)), gives: "#PF(0x3)" },
  { name: "with SMAP and RFLAGS.AC it is read", ...smap, rflags: AC, code: read(page(3)), gives: "runs" },
  {
    name: "with SMAP and RFLAGS.AC a read-only one is not written",
    ...smap,
    rflags: AC,
    code: write(page(2)),
    gives: "#PF(0x3)",
  },
  {
    name: "with SMAP CLAC counts at once",
    ...smap,
    rflags: AC,
    code: `  mov rbx, ${hex(page(3))}\n  mov r11, [rbx]\n  clac\n.at:\n  mov r11, [rbx]`,
    gives: "#PF(0x1)",
  },
  { name: "with SMAP STAC counts at once", ...smap, code: `  stac\n${read(page(3))}`, gives: "runs" },
  { name: "with SMAP the supervisor's pages are open", ...smap, code: write(page(1)), gives: "runs" },
];

const refusing: readonly LongCell[] = [
  { name: "PS in the PML4 table is reserved", ...user, code: read(-(1n << 40n)), ...reserved(0xd) },
  { name: "bit 13 of an entry for 2 MiB is reserved", ...user, code: read(range(2)), ...reserved(0xd) },
  { name: "bit 13 of an entry for 1 GiB is reserved", ...system, code: write(BAD_GIGABYTE), ...reserved(0xb) },
  { name: "an address beyond the processor's is reserved", ...system, code: read(range(6)), ...reserved(0x9) },
  { name: "an address that is not canonical is #GP(0)", ...user, code: read(1n << 47n), gives: "#GP(0)" },
  { name: "the same just below the upper half", ...system, code: read(-(1n << 47n) - 8n), gives: "#GP(0)" },
  {
    ...{ name: "a stack that is not canonical is #SS(0)", ...user, gives: "#SS(0)", qemu: "#GP(0)" },
    code: `  mov rsp, ${hex(1n << 47n)}\n.at:\n  pop rax`,
  },
];

/** What the entries on the way to a page are after an access, in R8 to R11. */
const marks = (address: bigint, table: number, access: string): string => `${at(access, address)}
  mov r8, [0x${(PML4 + 8 * 511).toString(16)}]
  mov r9, [0x${(POINTERS + 8 * 511).toString(16)}]
  mov r10, [0x${DIRECTORY.toString(16)}]
  mov r11, [0x${table.toString(16)}]`;
const marking: readonly LongCell[] = [
  {
    name: "a read marks each table and the page as accessed",
    ...system,
    code: marks(page(3), TABLE + 24, "mov rax, [rbx]"),
    gives: "runs",
  },
  {
    name: "a write marks the page as dirty",
    ...system,
    code: marks(page(3), TABLE + 24, "mov [rbx + 8], rax"),
    gives: "runs",
  },
  {
    name: "a page of 2 MiB is marked, too",
    ...system,
    code: marks(range(1), DIRECTORY + 8, "mov [rbx + 8], rax"),
    gives: "runs",
  },
  {
    name: "a page of 1 GiB is marked, too",
    ...system,
    code: marks(GIGABYTE + 0x500008n, POINTERS + 8 * 510, "mov [rbx], rax"),
    gives: "runs",
  },
];

export const longPagingCells: readonly LongCell[] = [
  ...[...reading, ...writing, ...fetching, ...guarded, ...refusing, ...marking],
];
