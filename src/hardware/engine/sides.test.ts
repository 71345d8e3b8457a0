/** Translations of a host and of its guest, kept side by side: what one of them stores to the tables of the other is seen. */
import { describe, expect, it } from "vitest";
import { assemble } from "../isa/assembler/assembler.js";
import { Machine } from "../machine.js";

const CODE = 0x1_0000;
const GUEST = 0x1_8000;
const VMCB = 0x2_0000;
const SAVE = 0x2_1000;
/** Page directory of the host, by which nested paging maps as well; directory and page table of the guest. */
const HOST = 0x2_2000;
const DIRECTORY = 0x2_3000;
const TABLE = 0x2_4000;
/** A nested directory and table of small pages, and a second directory of the guest's. */
const NESTED = 0x2_6000;
const NESTED_TABLE = 0x2_7000;
const SECOND = 0x2_8000;
const PAGES = [0x3_0000, 0x3_1000] as const;
const LOG = 0x4_0000;
const LINEAR = 0x40_0000;
const ROUNDS = 40;

const dwords = (...values: readonly number[]): Uint8Array => new Uint8Array(Uint32Array.from(values).buffer);

/** Each exit writes down EAX of the guest; then the host executes `between`. */
const host = (between: string): string => `
  mov eax, 0x10
  mov cr4, eax
  mov eax, ${HOST}
  mov cr3, eax
  mov eax, 0x80000011
  mov cr0, eax
  mov ecx, 0xc0000080
  rdmsr
  or eax, 0x1000
  wrmsr
  mov ecx, 0xc0010117
  mov eax, ${SAVE}
  xor edx, edx
  wrmsr
  mov edi, ${LOG}
  mov ecx, ${ROUNDS}
again:
  mov eax, ${VMCB}
  vmrun
  mov eax, [${VMCB + 0x5f8}]
  mov [edi], eax
  add edi, 4
  add dword [${VMCB + 0x578}], 2
  ${between}
  dec ecx
  jnz again
  hlt`;

const control = (nested: boolean): readonly (readonly [number, number])[] => [
  [0x0c, 1 << 18],
  [0x10, 1],
  [0x58, 1],
  [0x90, nested ? 1 : 0],
  [0xb0, HOST],
  [0x400, 0x0c93_0010],
  [0x404, 0xffff_ffff],
  [0x410, 0x0c9b_0008],
  [0x414, 0xffff_ffff],
  [0x420, 0x0c93_0010],
  [0x424, 0xffff_ffff],
  [0x430, 0x0c93_0010],
  [0x434, 0xffff_ffff],
  [0x4d0, 0x1000],
  [0x548, 0x10],
  [0x550, DIRECTORY],
  [0x558, 0x8000_0011],
  [0x560, 0x400],
  [0x568, 0xffff_0ff0],
  [0x570, 2],
  [0x578, GUEST],
  [0x668, 0x0007_0406],
  [0x66c, 0x0007_0406],
];

function machine(guest: string, between: string, nested: boolean): Machine {
  const start = Machine.create({ memory: "1M", model: "phenom" })
    .write(CODE, assemble(host(between), { address: CODE }).bytes)
    .write(GUEST, assemble(guest, { address: GUEST }).bytes)
    .write(HOST, dwords(0xe7))
    .write(DIRECTORY, dwords(0x87, TABLE + 7))
    .write(TABLE, dwords(PAGES[0] + 0x67, PAGES[1] + 0x67))
    .write(PAGES[0], dwords(0xa, 0xaa))
    .write(PAGES[1], dwords(0xb, 0xbb));
  return control(nested)
    .reduce((made, [offset, value]) => made.write(VMCB + offset, dwords(value)), start)
    .edit((draft) => {
      draft.registers.eip = CODE;
    });
}

function logOf(end: Machine): number[] {
  expect(end.stop?.reason).toBe("halted");
  const bytes = end.memory.read(LOG, 4 * ROUNDS);
  return [...new Uint32Array(bytes.slice().buffer)];
}

const alternating = Array.from({ length: ROUNDS }, (_, index) => (index % 2 === 0 ? 0xa : 0xb));
const other = PAGES[0] ^ PAGES[1];

const cases: readonly (readonly [name: string, guest: string, between: string])[] = [
  [
    "an entry of the guest's page table that the host changes",
    `again: mov eax, [${LINEAR}]\n cpuid\n jmp again`,
    `xor dword [${TABLE}], ${other}`,
  ],
  [
    "one that the guest changes",
    `again: mov eax, [${LINEAR}]\n xor dword [${TABLE}], ${other}\n cpuid\n jmp again`,
    "",
  ],
  [
    "one that both of them change",
    `again: mov eax, [${LINEAR}]\n xor dword [${TABLE}], ${other}\n mov ebx, [${LINEAR}]\n xor dword [${TABLE}], ${other}\n cpuid\n jmp again`,
    `mov ebx, [${TABLE}]\n xor ebx, ${other}\n mov [${TABLE}], ebx`,
  ],
  [
    "a directory entry, by which the guest has another table",
    `again: mov eax, [${LINEAR}]\n cpuid\n jmp again`,
    // The second table is what follows the first entry of a table filled here.
    `mov dword [0x25000], ${PAGES[1] + 0x67}\n xor dword [${DIRECTORY + 4}], ${TABLE ^ 0x2_5000}`,
  ],
];

describe("translations of a host and its guest", () => {
  for (const nested of [false, true]) {
    for (const [name, guest, between] of cases) {
      it(`follow ${name}, ${nested ? "with" : "without"} nested paging`, () => {
        const end = machine(guest, between, nested).run({ maxInstructions: 5000 });
        expect(logOf(end)).toEqual(alternating);
      });
    }

    it(`come out the same in pieces that remember nothing, ${nested ? "with" : "without"} nested paging`, () => {
      const [, guest, between] = cases[2]!;
      const end = machine(guest, between, nested).run({ maxInstructions: 5000 });
      let piece = machine(guest, between, nested);
      for (let size = 1; piece.stop?.reason !== "halted"; size = (size * 5 + 3) % 61)
        piece = Machine.load(piece.save()).run({ maxInstructions: size + 1 });
      expect(piece.hash).toBe(end.hash);
    });
  }
});

/** Of a guest with PAE paging: its pointer table, directories and page tables, of which it has two by turns. */
const POINTERS = 0x2_9000;
const DIRECTORIES = [0x2_a000, 0x2_c000] as const;
const TABLES = [0x2_b000, 0x2_d000] as const;

function withPointers(guest: string, between: string, nested: boolean): Machine {
  const start = machine(guest, between, nested)
    .write(VMCB + 0x548, dwords(0x20))
    .write(VMCB + 0x550, dwords(POINTERS))
    .write(POINTERS, dwords(DIRECTORIES[0] + 1, 0));
  return ([0, 1] as const).reduce(
    (made, index) =>
      made
        .write(DIRECTORIES[index], dwords(0x87, 0, 0, 0, TABLES[index] + 7, 0))
        .write(TABLES[index], dwords(PAGES[index] + 0x67, 0)),
    start,
  );
}

describe("pointer-table entries", () => {
  const between = `xor dword [${POINTERS}], ${DIRECTORIES[0] ^ DIRECTORIES[1]}`;
  const loads = `again: mov eax, [${LINEAR}]\n cpuid\n jmp again`;
  for (const nested of [false, true]) {
    it(`are those in memory whenever the guest is entered, ${nested ? "with" : "without"} nested paging`, () => {
      expect(logOf(withPointers(loads, between, nested).run({ maxInstructions: 5000 }))).toEqual(alternating);
    });
  }

  it("that the guest changes are those in memory once it loads CR3, with nested paging at once", () => {
    const change = `xor dword [${POINTERS}], ${DIRECTORIES[0] ^ DIRECTORIES[1]}`;
    const reload = `again: mov eax, [${LINEAR}]\n ${change}\n mov ebx, cr3\n mov cr3, ebx\n cpuid\n jmp again`;
    for (const nested of [false, true])
      expect(logOf(withPointers(reload, "", nested).run({ maxInstructions: 5000 }))).toEqual(alternating);
    const atOnce = `again: mov eax, [${LINEAR}]\n ${change}\n mov eax, [${LINEAR}]\n ${change}\n cpuid\n jmp again`;
    const other = Array.from({ length: ROUNDS }, () => 0xb);
    expect(logOf(withPointers(atOnce, "", true).run({ maxInstructions: 5000 }))).toEqual(other);
    expect(logOf(withPointers(atOnce, "", false).run({ maxInstructions: 5000 }))).toEqual(other.map(() => 0xa));
  });
});

/** Where the first of the pages is for the guest: one or the other, by turns. */
const moves = `xor dword [${NESTED_TABLE + (PAGES[0] >> 10)}], ${other}`;

/** The same with nested tables of small pages, which map every address to itself. */
const behindTables = (guest: string, between: string): Machine =>
  machine(guest, between, true)
    .write(VMCB + 0xb0, dwords(NESTED))
    .write(NESTED, dwords(NESTED_TABLE + 0x67))
    .write(NESTED_TABLE, dwords(...Array.from({ length: 256 }, (_, frame) => frame * 4096 + 0x67)))
    .write(SECOND, dwords(0x87, TABLE + 7));

const nestedCases: readonly (readonly [name: string, guest: string, between: string])[] = [
  ["that the host changes", `again: mov eax, [${LINEAR}]\n cpuid\n jmp again`, moves],
  ["that the guest changes", `again: mov eax, [${LINEAR}]\n ${moves}\n cpuid\n jmp again`, ""],
  [
    "of a guest that changes directories, too",
    `again: mov eax, [${LINEAR}]\n mov ebx, cr3\n xor ebx, ${DIRECTORY ^ SECOND}\n mov cr3, ebx\n mov edx, [${LINEAR}]\n cpuid\n jmp again`,
    moves,
  ],
  [
    "of a guest that changes its own tables, too",
    `again: mov eax, [${LINEAR}]\n xor dword [${DIRECTORY + 12}], ${TABLE + 7}\n mov edx, [${LINEAR}]\n cpuid\n jmp again`,
    moves,
  ],
  [
    "for the guest's page table, of which there are two",
    `again: mov eax, [${LINEAR}]\n cpuid\n jmp again`,
    `mov dword [0x25000], ${PAGES[1] + 0x67}\n xor dword [${NESTED_TABLE + (TABLE >> 10)}], ${TABLE ^ 0x2_5000}`,
  ],
];

describe("nested translations", () => {
  for (const [name, guest, between] of nestedCases) {
    it(`follow an entry ${name}`, () => {
      expect(logOf(behindTables(guest, between).run({ maxInstructions: 5000 }))).toEqual(alternating);
    });

    it(`leave the same flags and registers in pieces that remember nothing: an entry ${name}`, () => {
      const end = behindTables(guest, between).run({ maxInstructions: 5000 });
      let piece = behindTables(guest, between);
      for (let size = 1; piece.stop?.reason !== "halted"; size = (size * 5 + 3) % 61)
        piece = Machine.load(piece.save()).run({ maxInstructions: size + 1 });
      expect(piece.hash).toBe(end.hash);
    });
  }
});
