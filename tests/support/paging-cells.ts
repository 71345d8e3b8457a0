/**
 * Cells of PAE paging: XD, SMEP, SMAP and what the error code says of them.
 * Spec: SDM Vol. 3A, "Access Rights", "Page-Fault Exceptions".
 */
import { type ExceptionCell, fault, ring0, trap } from "./exception-cells.js";

const POINTERS = 0x510000;
const DIRECTORY = 0x511000;
const TABLE = 0x512000;
const SECOND_TABLE = 0x513000;
const [P, W, U, LARGE] = [1, 2, 4, 0x80];
const XD = 0x80000000;
const CR4 = { PAE: 0x20, SMEP: 0x100000, SMAP: 0x200000 } as const;
const AC = 0x40000;

/** Pages from 8 MiB on: flags of their entries, low and high word. Each begins with RET. */
const pages: readonly (readonly [low: number, high: number])[] = [
  [0, 0],
  [P | W, 0],
  [P | U, 0],
  [P | W | U, 0],
  [P | W | U, XD],
  [P | W, XD],
];
const PAGE = 0x800000;
const page = (index: number): number => PAGE + 0x1000 * index;
/** Its own entry lets everything through, but its directory entry has XD. */
const BEHIND_XD = 0xa00000;

const store = (address: number, value: number): string =>
  `mov dword [0x${address.toString(16)}], 0x${value.toString(16)}`;
const hex = (value: number): string => `0x${value.toString(16)}`;

/** The identity with pages of 2 MiB, and the pages above. `all` is what every other page allows. */
const tables = (all: number, { nxe = true, cr4 = 0, wp = false } = {}): string => `
${[...pages.keys()].map((index) => `mov byte [${page(index)}], 0xc3`).join("\n")}
mov byte [${BEHIND_XD}], 0xc3
${store(POINTERS, DIRECTORY | P)}
${[4, 8, 12, 16, 20, 24, 28].map((offset) => store(POINTERS + offset, 0)).join("\n")}
${[0, 1, 2, 3, 4, 5, 6, 7].flatMap((index) => [store(DIRECTORY + 8 * index, index * 0x200000 + (all | LARGE)), store(DIRECTORY + 8 * index + 4, 0)]).join("\n")}
${store(DIRECTORY + 8 * (PAGE >> 21), TABLE | P | W | U)}
${store(DIRECTORY + 8 * (BEHIND_XD >> 21), SECOND_TABLE | P | W | U)}
${nxe ? store(DIRECTORY + 8 * (BEHIND_XD >> 21) + 4, XD) : ""}
${pages.flatMap(([low, high], index) => [store(TABLE + 8 * index, low === 0 ? 0 : page(index) | low), store(TABLE + 8 * index + 4, high)]).join("\n")}
${store(SECOND_TABLE, BEHIND_XD | P | W | U)}
${store(SECOND_TABLE + 4, 0)}
mov ecx, 0xc0000080
rdmsr
${nxe ? "or" : "and"} eax, ${nxe ? "0x800" : "0xfffff7ff"}
wrmsr
mov eax, ${hex(POINTERS)}
mov cr3, eax
mov eax, ${hex(CR4.PAE | cr4)}
mov cr4, eax
mov eax, ${wp ? "0x80010011" : "0x80000011"}
mov cr0, eax`;

const forAll = P | W | U;
const forSupervisor = P | W;
const prepareUser = tables(forAll);

/** A call of the RET at an address. */
const call = (address: number): string => `mov eax, ${hex(address)}\ncall eax`;
const read = (address: number): string => `.at: mov edx, [${hex(address)}]`;
const write = (address: number): string => `.at: mov [${hex(address)}], edx`;

/** Calls and gets there. */
const runs = (name: string, address: number, more: Partial<ExceptionCell>): ExceptionCell =>
  trap(name, [], call(address), more);
/** Calls, and the fetch there faults. */
const refused = (name: string, code: number, address: number, more: Partial<ExceptionCell>): ExceptionCell => ({
  ...trap(name, [], call(address), more),
  ...{ resume: false, expected: [[`#PF(${hex(code)}) at ${hex(address)}`, { cr2: address, rf: 1 }]] },
});
const faults = (
  name: string,
  code: number,
  text: string,
  address: number,
  more: Partial<ExceptionCell>,
): ExceptionCell => fault(name, `#PF(${hex(code)})`, text, { also: { cr2: address }, ...more });

const inRing3 = { prepare: prepareUser };
const inRing0 = { mode: ring0, prepare: tables(forSupervisor) };
const smep = { mode: ring0, prepare: tables(forSupervisor, { cr4: CR4.SMEP }) };
const smepWithoutNx = { mode: ring0, prepare: tables(forSupervisor, { cr4: CR4.SMEP, nxe: false }) };
const smap = { mode: ring0, prepare: tables(forSupervisor, { cr4: CR4.SMAP, wp: true }) };
const withoutNx = { prepare: tables(forAll, { nxe: false }) };

export const pagingCells: readonly ExceptionCell[] = [
  runs("code on a page without XD runs in ring 3", page(3), inRing3),
  runs("code on a read-only page runs in ring 3", page(2), inRing3),
  refused("a fetch from a page with XD in ring 3 is #PF(0x15)", 0x15, page(4), inRing3),
  refused("a fetch from the supervisor's page in ring 3 is #PF(0x15)", 0x15, page(1), inRing3),
  refused("a fetch from an absent page in ring 3 is #PF(0x14) with EFER.NXE", 0x14, page(0), inRing3),
  refused("a fetch from an absent page in ring 3 is #PF(4) without EFER.NXE", 4, page(0), withoutNx),
  refused("XD of a directory entry counts for its pages: #PF(0x15)", 0x15, BEHIND_XD, inRing3),
  trap("a page with XD is read and written in ring 3", [], `${write(page(4))}\nmov edx, [${page(4)}]`, inRing3),
  faults("a read of the supervisor's page has no bit for fetches: #PF(5)", 5, read(page(1)), page(1), inRing3),
  runs("the supervisor's code runs on its own pages", page(1), inRing0),
  runs("the supervisor's code runs on pages for the user", page(3), inRing0),
  refused("a fetch from a page with XD in ring 0 is #PF(0x11)", 0x11, page(5), inRing0),
  refused("a fetch from the user's page with XD in ring 0 is #PF(0x11)", 0x11, page(4), inRing0),
  refused("with SMEP a fetch from a page for the user in ring 0 is #PF(0x11)", 0x11, page(3), smep),
  refused("with SMEP that is #PF(0x11) without EFER.NXE, too", 0x11, page(3), smepWithoutNx),
  refused("with SMEP a fetch from an absent page is #PF(0x10) without EFER.NXE", 0x10, page(0), smepWithoutNx),
  runs("with SMEP the supervisor's own code runs", page(1), smep),
  trap(
    "with SMEP the supervisor reads and writes pages for the user",
    [],
    `${write(page(3))}\nmov edx, [${page(3)}]`,
    smep,
  ),
  faults("with SMAP a read of a page for the user in ring 0 is #PF(1)", 1, read(page(3)), page(3), smap),
  faults("with SMAP a write to a page for the user in ring 0 is #PF(3)", 3, write(page(3)), page(3), smap),
  trap(
    "with SMAP and EFLAGS.AC the supervisor reaches pages for the user",
    [],
    `${write(page(3))}\nmov edx, [${page(3)}]`,
    {
      ...{ ...smap, eflags: AC },
    },
  ),
  faults(
    "with SMAP and EFLAGS.AC a write to the user's read-only page is #PF(3) with CR0.WP",
    ...([3, write(page(2)), page(2), { ...smap, eflags: AC }] as const),
  ),
  trap("with SMAP the supervisor's own pages are open to it", [], `${write(page(1))}\nmov edx, [${page(1)}]`, smap),
  {
    ...faults("with SMAP EFLAGS.AC that is cleared counts at once", 1, read(page(3)), page(3), { ...smap, eflags: AC }),
    code: `mov [${page(3)}], edx\nmov edx, [${page(3)}]\npushfd\nand dword [esp], 0xfffbffff\npopfd\n${read(page(3))}`,
  },
];
