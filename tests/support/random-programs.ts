/**
 * Random programs in ring 0 with paging on, made from all rows of the instruction table: they store to their own code,
 * to page tables, over page borders, and fault. Handlers go on with the next snippet, so a program gets somewhere.
 */
import { operandSizes } from "../../src/hardware/isa/instruction.js";
import { rows } from "../../src/hardware/isa/table/index.js";
import type { MachineState } from "../../src/hardware/state.js";
import { encode, has } from "./encode.js";
import { stateWith } from "./engine-states.js";
import type { Random } from "./random.js";

const MEMORY = 2 * 2 ** 20;
const GDT = 0x1000;
const IDT = 0x2000;
const HANDLERS = 0x3000;
const DIRECTORY = 0x4000;
const TABLE = 0x5000;
const TSS = 0x6000;
/** Snippets lie across the border of two pages, right in front of data. */
const CODE = 0x8f80;
const DATA = 0xa000;
const STACK_TOP = 0xd000;
/** Number of the next snippet, and the addresses of all. */
const NEXT = 0xe000;
const SNIPPETS = 0xe010;
const NX_HOLE = 0x10000;

const word = (value: number): number[] => [0, 8, 16, 24].map((shift) => (value >>> shift) & 0xff);
const descriptor = (low: number, high: number): number[] => [...word(low), ...word(high)];
/** MOV ESP, top; MOV EAX, [NEXT]; INC [NEXT]; AND EAX, 15; JMP [SNIPPETS + EAX * 4] */
const goOn = [
  ...[0xbc, ...word(STACK_TOP)],
  ...[0xa1, ...word(NEXT)],
  ...[0xff, 0x05, ...word(NEXT)],
  ...[0x83, 0xe0, 0x0f],
  ...[0xff, 0x24, 0x85, ...word(SNIPPETS)],
];

/** Addresses at which something can go wrong. */
const places = [
  ...[CODE, CODE + 0x40, CODE + 0x7e, CODE + 0x7f, CODE + 0x80, CODE + 0x90, DATA, DATA + 0xffd, DATA + 0xffe, DATA + 0xfff],
  ...[DATA + 0x1ffe, STACK_TOP - 8, DIRECTORY, TABLE + 4 * 8, TABLE + 4 * 9, TABLE + 4 * 10, TABLE + 4 * 11, TABLE + 4 * 13],
  ...[HANDLERS, NEXT, NX_HOLE, NX_HOLE - 2, IDT + 8 * 13, GDT + 16, MEMORY - 2, MEMORY, 0xfffffffe, 0],
];

/** Halting or resetting at once would make short programs; these come rarely. */
const rare = ["HLT", "LIDT", "LGDT", "MOV", "LMSW", "OUT", "OUTS", "IRET", "RETF"];

function instruction(random: Random): number[] {
  if (random.once(40)) return [...random.bytes(1 + random.below(4))];
  for (;;) {
    const row = random.pick(rows);
    if (row.system !== undefined && rare.includes(row.mnemonic) && !random.once(4)) continue;
    if (row.group === "control transfer" && random.once(2)) continue;
    const size = random.pick(operandSizes(row));
    const place = random.pick(places) + random.below(5) - 2;
    const memory = has(row, "M") || (has(row, "E") && random.once(2));
    const byRegister = random.once(2);
    const target = memory
      ? { base: byRegister ? random.below(8) : -1, index: random.once(4) ? random.pick([0, 1, 2, 3, 5, 6, 7]) : -1, scale: random.below(4), displacement: byRegister ? random.below(16) - 8 : place | 0, short: byRegister }
      : random.below(8);
    const prefixes: number[] = [];
    if (row.repeat !== undefined && random.once(2)) prefixes.push(random.pick([0xf2, 0xf3]));
    if (random.once(24)) prefixes.push(random.pick([0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65]));
    if (random.once(row.lock ? 6 : 60)) prefixes.push(0xf0);
    const immediates = [random.once(2) ? random.below(64) : random.interesting(), random.pick([8, 0x10, 0x13, 0x18, 3])];
    const distance = random.once(3) ? random.below(40) - 24 : random.below(12);
    // Loading a register with a place is what makes the others meet something.
    const load = random.once(3) ? [0xb8 + random.pick([0, 1, 2, 3, 5, 6, 7]), ...word(place)] : [];
    if (row.repeat !== undefined && random.once(2)) load.push(0xb9, ...word(random.below(20)));
    return [...load, ...encode({ row, size, register: random.below(8), target, immediates, distance, address: place >>> 0, prefixes })];
  }
}

export interface RandomProgram {
  readonly state: MachineState;
  /** The snippets' bytes, for a report. */
  readonly snippets: readonly (readonly number[])[];
}

/** A program of up to 16 snippets, one instruction in each per seed. */
export function randomProgram(makeRandom: (seed: number) => Random, seeds: readonly number[]): RandomProgram {
  const count = Math.min(16, Math.max(1, Math.ceil(seeds.length / 4)));
  const snippets: number[][] = Array.from({ length: count }, () => []);
  seeds.forEach((seed, index) => snippets[index % count]!.push(...instruction(makeRandom(seed))));
  const code: number[] = [];
  const starts: number[] = [];
  for (const snippet of snippets) {
    starts.push(CODE + code.length);
    code.push(...snippet, ...goOn);
  }
  const tables = Array.from({ length: 1024 }, (_, page) => (page === NX_HOLE >> 12 ? 0 : (page << 12) | 7)).flatMap(word);
  const gates = Array.from({ length: 64 }, () => descriptor((0x08 << 16) | HANDLERS, 0x8e00)).flat();
  const tss = [0, STACK_TOP, 0x10, ...Array.from({ length: 23 }, () => 0)].flatMap(word);
  const gdt = [
    ...descriptor(0, 0),
    ...descriptor(0xffff, 0xcf9b00),
    ...descriptor(0xffff, 0xcf9300),
    ...descriptor(0x0fff, 0x40930a << 0),
    ...descriptor((TSS << 16) | 0x67, 0x8900),
  ];
  const bytes = (address: number, content: readonly number[]) => ({ address, bytes: Uint8Array.from(content) });
  const state = stateWith(
    [
      bytes(GDT, gdt),
      bytes(IDT, gates),
      bytes(HANDLERS, goOn),
      bytes(DIRECTORY, word(TABLE | 7)),
      bytes(TABLE, tables),
      bytes(TSS, tss),
      bytes(CODE, code),
      bytes(SNIPPETS, Array.from({ length: 16 }, (_, index) => starts[index % count]!).flatMap(word)),
    ],
    MEMORY,
  );
  const PG = 1 << 31;
  const system = {
    ...state.cpu.system,
    cr0: state.cpu.system.cr0 | PG,
    cr3: DIRECTORY,
    gdtr: { base: GDT, limit: gdt.length - 1 },
    idtr: { base: IDT, limit: gates.length - 1 },
    tr: { selector: 0x20, base: TSS, limit: 0x67, access: 0x8b },
  };
  const cpu = { ...state.cpu, esp: STACK_TOP, eip: starts[0]!, ebx: DATA, esi: DATA + 0xff0, edi: CODE + 0x70, ebp: STACK_TOP - 64, ecx: 5, system };
  return { state: { ...state, cpu }, snippets };
}
