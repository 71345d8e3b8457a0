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
const KERNEL_STACK = 0x7000;
/** Number of the next snippet, and the addresses of all. */
const NEXT = 0xe000;
const SNIPPETS = 0xe010;
const NX_HOLE = 0x10000;

/** Further linear pages, mapped onto pages that are mapped elsewhere, too. */
const ALIASES = 0x20000;
const TIMER_VECTOR = 0x20;

const word = (value: number): number[] => [0, 8, 16, 24].map((shift) => (value >>> shift) & 0xff);
const descriptor = (low: number, high: number): number[] => [...word(low), ...word(high)];
/** MOV EAX, [NEXT]; INC [NEXT]; AND EAX, 15 */
const nextNumber = [...[0xa1, ...word(NEXT)], ...[0xff, 0x05, ...word(NEXT)], ...[0x83, 0xe0, 0x0f]];
/** MOV ESP, top; and JMP [SNIPPETS + EAX * 4] */
const goOn = [...[0xbc, ...word(STACK_TOP)], ...nextNumber, ...[0xff, 0x24, 0x85, ...word(SNIPPETS)]];
/** MOV AL, 20H; OUT 20H, AL: the end of an interrupt. */
const endOfInterrupt = [0xb0, 0x20, 0xe6, 0x20];
/** In ring 0: EOI, STI, on with the next. */
const handler = [...endOfInterrupt, 0xfb, ...goOn];
/** The next snippet in ring 3: pushes SS, ESP, EFLAGS with IF and IOPL 3, CS, [SNIPPETS + EAX * 4]; IRET. */
const userHandler = [
  ...endOfInterrupt,
  ...nextNumber,
  ...[0x6a, 0x23, 0x68, ...word(STACK_TOP), 0x68, ...word(0x3202), 0x6a, 0x1b],
  ...[0xff, 0x34, 0x85, ...word(SNIPPETS), 0xcf],
];

/** Addresses at which something can go wrong. */
const places = [
  ...[CODE, CODE + 0x40, CODE + 0x7e, CODE + 0x7f, CODE + 0x80, CODE + 0x90, DATA, DATA + 0xffd, DATA + 0xffe],
  ...[DATA + 0xfff, DATA + 0x1ffe, STACK_TOP - 8, DIRECTORY, TABLE, TABLE + 4 * 8, TABLE + 4 * 9, TABLE + 4 * 10],
  ...[TABLE + 4 * 11, TABLE + 4 * 13, TABLE + 4 * 32, TABLE + 4 * 33, HANDLERS, NEXT, NX_HOLE, NX_HOLE - 2, 0],
  ...[IDT + 8 * 13, GDT + 16, MEMORY - 2, MEMORY, 0xfffffffe, ALIASES, ALIASES + 0x80, ALIASES + 0xffe],
  ...[ALIASES + 0x1000, ALIASES + 0x1ffe, ALIASES + 0x2ffe, ALIASES + 0x3020, ALIASES + 0x4ffc],
];

/** Halting or resetting at once would make short programs; these come rarely. */
const rare = ["HLT", "LIDT", "LGDT", "MOV", "LMSW", "OUT", "OUTS", "IRET", "RETF"];

const known = rows.filter(({ where }) => where !== "only64");
/** Rows of x87, MMX and SSE are many, and meet less of what a program can meet than those on general registers. */
const floating = known.filter(({ group, unit }) => group === "x87" || unit !== undefined);
const general = known.filter((row) => !floating.includes(row));

function instruction(random: Random): number[] {
  if (random.once(40)) return [...random.bytes(1 + random.below(4))];
  for (;;) {
    const row = random.pick(random.once(8) ? floating : general);
    if (row.system !== undefined && rare.includes(row.mnemonic) && !random.once(4)) continue;
    if (row.group === "control transfer" && random.once(2)) continue;
    const size = random.pick(operandSizes(row));
    const place = random.pick(places) + random.below(5) - 2;
    const memory = has(row, "M") || (has(row, "E") && random.once(2));
    const byRegister = random.once(2);
    const target = memory
      ? {
          base: byRegister ? random.below(8) : -1,
          index: random.once(4) ? random.pick([0, 1, 2, 3, 5, 6, 7]) : -1,
          scale: random.below(4),
          displacement: byRegister ? random.below(16) - 8 : place | 0,
          short: byRegister,
        }
      : random.below(8);
    const prefixes: number[] = [];
    if (row.repeat !== undefined && random.once(2)) prefixes.push(random.pick([0xf2, 0xf3]));
    if (random.once(24)) prefixes.push(random.pick([0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65]));
    if (random.once(row.lock ? 6 : 60)) prefixes.push(0xf0);
    const immediates = [
      random.once(2) ? random.below(64) : random.interesting(),
      random.pick([8, 0x10, 0x1b, 0x23, 0x33, 3]),
    ];
    const distance = random.once(3) ? random.below(40) - 24 : random.below(12);
    // Loading a register with a place is what makes the others meet something.
    const load = random.once(3) ? [0xb8 + random.pick([0, 1, 2, 3, 5, 6, 7]), ...word(place)] : [];
    if (row.repeat !== undefined && random.once(2)) load.push(0xb9, ...word(random.below(20)));
    return [
      ...load,
      ...encode({ row, size, register: random.below(8), target, immediates, distance, address: place >>> 0, prefixes }),
    ];
  }
}

export interface RandomProgram {
  readonly state: MachineState;
  /** The snippets' bytes, for a report. */
  readonly snippets: readonly (readonly number[])[];
}

/** A page table: most pages where they are, some missing, read-only, for the supervisor only, or seen twice. */
function pageTable(random: Random): number[] {
  const flags = (): number => (random.once(12) ? random.below(8) : 7) | (random.once(4) ? 0x60 : 0);
  const entries = Array.from({ length: 1024 }, (_, page) => (page << 12) | (page >= 8 && page < 15 ? flags() : 7));
  entries[NX_HOLE >> 12] = 0;
  const targets = [CODE, CODE + 0x1000, DATA, TABLE, DIRECTORY, STACK_TOP - 1, MEMORY];
  for (let page = 0; page < 8; page++) {
    entries[(ALIASES >> 12) + page] = (random.pick(targets) & 0xfffff000) | 7;
  }
  return entries.flatMap(word);
}

/** Programs the interrupt controllers and the timer: an interrupt every 168 ticks or so. */
function timerOn(): number[] {
  const out = (port: number, value: number): number[] => [0xb0, value, 0xe6, port];
  return [
    ...[...out(0x20, 0x11), ...out(0x21, TIMER_VECTOR), ...out(0x21, 4), ...out(0x21, 1), ...out(0x21, 0xfe)],
    ...[...out(0x43, 0x34), ...out(0x40, 2), ...out(0x40, 0), 0xfb],
  ];
}

/** A program of up to 16 snippets, one instruction in each per seed. */
export function randomProgram(makeRandom: (seed: number) => Random, seeds: readonly number[]): RandomProgram {
  const random = makeRandom(seeds[0] ?? 0);
  const count = Math.min(16, Math.max(1, Math.ceil(seeds.length / 4)));
  const snippets: number[][] = Array.from({ length: count }, () => []);
  seeds.forEach((seed, index) => {
    snippets[index % count]!.push(...instruction(makeRandom(seed)));
  });
  const user = random.once(3);
  const code: number[] = random.once(2) ? timerOn() : [];
  const starts: number[] = [];
  for (const snippet of snippets) {
    starts.push(CODE + code.length);
    code.push(...snippet, ...goOn);
  }
  const gates = Array.from({ length: 64 }, () => descriptor((0x08 << 16) | HANDLERS, 0xee00)).flat();
  const tss = [0, KERNEL_STACK, 0x10, ...Array.from({ length: 23 }, () => 0)].flatMap(word);
  const gdt = [
    ...descriptor(0, 0),
    ...[...descriptor(0xffff, 0xcf9b00), ...descriptor(0xffff, 0xcf9300)],
    ...[...descriptor(0xffff, 0xcffb00), ...descriptor(0xffff, 0xcff300)],
    ...descriptor((TSS << 16) | 0x67, 0x8900),
    // A data segment that is not flat.
    ...descriptor((0x0200 << 16) | 0xdfff, 0x40f300),
  ];
  const bytes = (address: number, content: readonly number[]) => ({ address, bytes: Uint8Array.from(content) });
  const state = stateWith(
    [
      bytes(GDT, gdt),
      bytes(IDT, gates),
      bytes(HANDLERS, user ? userHandler : handler),
      bytes(DIRECTORY, word(TABLE | 7)),
      bytes(TABLE, pageTable(random)),
      bytes(TSS, tss),
      bytes(CODE, code),
      bytes(SNIPPETS, Array.from({ length: 16 }, (_, index) => starts[index % count]!).flatMap(word)),
    ],
    MEMORY,
  );
  const PG = 1 << 31;
  const WP = random.once(2) ? 1 << 16 : 0;
  const system = {
    ...state.cpu.system,
    cr0: state.cpu.system.cr0 | PG | WP,
    cr3: DIRECTORY,
    gdtr: { base: GDT, limit: gdt.length - 1 },
    idtr: { base: IDT, limit: gates.length - 1 },
    tr: { selector: 0x28, base: TSS, limit: 0x67, access: 0x8b },
  };
  const registers = { ebx: DATA, esi: DATA + 0xff0, edi: CODE + 0x70, ebp: STACK_TOP - 64, ecx: 5 };
  return { state: { ...state, cpu: { ...state.cpu, ...registers, esp: STACK_TOP, eip: CODE, system } }, snippets };
}
