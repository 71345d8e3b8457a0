/**
 * The cost tables there are. A figure with a source is of the part named; one that is assumed says why it is as large as it
 * is. No figure is one of the rows of Adams & Agesen's table, nor computed from them.
 */
import { type CostEntry, type CostMark, type CostTable, costTable } from "./cost-table.js";
import type { CostPrimitive } from "./primitives.js";

type Entries = Partial<Record<CostPrimitive, CostEntry>>;

const entry =
  (mark: CostMark) =>
  (cycles: number, source: string): CostEntry => ({ cycles, mark, source });
const found = entry("found");
const secondHand = entry("second hand");
const notLookedUp = entry("not looked up");
const assumed = entry("assumed");

const OPTIMIZATION = "IA-32 Intel Architecture Optimization, Table 1-1 (Pentium 4 cache parameters)";
const TABLE_4_3 = "Bugnion, Nieh, Tsafrir: Hardware and Software Support for Virtualization, Table 4.3, #PF exit";
const PAPER_PARTS = "Adams & Agesen 2006, micro-architectural improvements";
const AGESEN_2012 = "Agesen et al. 2012, Software Techniques for Avoiding Hardware Virtualization Exits, round trip";

const ONE = "one a cycle, as a simple operation whose operands are there";

/** Instructions, the same for all parts: these have little weight beside what crosses a boundary. */
const instructions: Entries = {
  instruction: assumed(1, "one a cycle on the average"),
  "data transfer": assumed(1, ONE),
  arithmetic: assumed(1, ONE),
  logic: assumed(1, ONE),
  "shift and rotate": assumed(1, ONE),
  "bit and byte": assumed(1, ONE),
  "control transfer": assumed(1, ONE),
  string: assumed(2, "a load and a store"),
  "flag control": assumed(5, "a few micro-operations"),
  miscellaneous: assumed(1, ONE),
  system: assumed(100, "micro-coded and serializing"),
  x87: assumed(4, "the latency of an addition"),
  MMX: assumed(2, "the latency of an addition"),
  SSE: assumed(4, "the latency of an addition"),
  division: assumed(60, "two bits of quotient a cycle, and what is around it"),
};

/** What a handler in TypeScript would take as machine code. */
const handlers = (load: CostEntry): Entries => ({
  "handler entry": assumed(100, "some 30 registers and fields stored and loaded, a jump by the case"),
  "handler memory access": load,
  "instruction decoded": assumed(100, "some 10 bytes looked up in tables, one after the other"),
  "translation look-up": assumed(12, "a hash, two loads that hit the first level, a comparison"),
});

/** Ways in and out of ring 0. `deep` is how much a flush of the pipeline and its micro-code weigh against a Core's. */
const crossings = (deep: number): Entries => {
  const as = (cycles: number, reason: string): CostEntry => assumed(cycles * deep, reason);
  return {
    CPUID: as(100, "serializing, micro-coded"),
    "control register access": as(100, "serializing, micro-coded"),
    "MSR access": as(100, "serializing, micro-coded"),
    INVLPG: as(150, "serializing, micro-coded"),
    "device register access": as(
      50,
      "the local APIC is on the chip, but the access is not cached and waits for those before",
    ),
    "software interrupt": as(200, "a gate and three descriptors read, five words stored, the pipeline flushed"),
    "interrupt return": as(150, "three to five words and two descriptors read, the pipeline flushed"),
    "exception delivery": as(250, "as a software interrupt, from the retirement of the fault on"),
    "interrupt delivery": as(250, "as an exception, and its vector from the APIC"),
  };
};

/** A microsecond on the bus of the oldest devices: coreboot waits for one by one IN from port 80h. */
const port = (mhz: number): CostEntry =>
  found(mhz, `coreboot, src/pc80/udelay_io.c: a read of port 80h is taken for 1 us; at ${mhz / 1000} GHz`);

const pentium4Exits: Entries = {
  "VM entry": secondHand(2409, PAPER_PARTS),
  "VM exit by exception": secondHand(1931, PAPER_PARTS),
  "VM exit by instruction": assumed(1931, "as the exit by an exception"),
  "VM exit by interrupt": assumed(1931, "as the exit by an exception"),
  VMREAD: notLookedUp(178, PAPER_PARTS),
  VMWRITE: notLookedUp(171, PAPER_PARTS),
};

const pentium4: Entries = {
  ...instructions,
  ...crossings(2),
  ...handlers(found(4, `${OPTIMIZATION}: first level of model 3, 4 clocks`)),
  ...pentium4Exits,
  "port access": port(3800),
  "fast ring crossing": secondHand(
    210,
    "Maeda 2003, Kernel Mode Linux (Linux Journal), Table 2: getpid 432 by SYSENTER, 12 without; half of the difference each way, with the kernel's own entry in it",
  ),
  "branch not foreseen": found(
    31,
    "S. Moore, slides on Intel microarchitectures: 31 stages of pipeline at the most in NetBurst",
  ),
  "page-walk reference": found(20, `${OPTIMIZATION}: second level of 2 MB, 20 clocks, where entries are assumed to be`),
  "TLB fill": assumed(10, "the walker's own work"),
};

const core = (mhz: number, load: number, secondLevel: number, stages: number): Entries => ({
  ...instructions,
  ...crossings(1),
  ...handlers(notLookedUp(load, "Intel 64 and IA-32 Architectures Optimization: latency of the first level")),
  "port access": port(mhz),
  "fast ring crossing": assumed(75, "the pipeline flushed, no table read"),
  "branch not foreseen": notLookedUp(stages, "Intel 64 and IA-32 Architectures Optimization: stages of the pipeline"),
  "page-walk reference": notLookedUp(
    secondLevel,
    "Intel 64 and IA-32 Architectures Optimization: latency of the second level, where entries are assumed to be",
  ),
  "TLB fill": assumed(5, "the walker's own work"),
  VMREAD: notLookedUp(52, `${PAPER_PARTS}, Core 2`),
  VMWRITE: notLookedUp(44, `${PAPER_PARTS}, Core 2`),
});

/** Exits of a generation: the cost of one, and what is left of the round trip for the entry. */
function exits(exit: CostEntry, entryCost: CostEntry, ept: boolean): Entries {
  const same = assumed(exit.cycles, "as the exit by an exception");
  return {
    "VM entry": entryCost,
    "VM exit by exception": exit,
    "VM exit by instruction": same,
    "VM exit by interrupt": same,
    ...(ept ? { "VM exit by EPT": same } : {}),
  };
}

/** The entry is what the round trip has beyond the exit. */
const rest = (roundTrip: number, exit: number): CostEntry =>
  notLookedUp(roundTrip - exit, `${AGESEN_2012} ${roundTrip}, less the exit`);

const all = [
  { name: "pentium4-672", part: "Pentium 4 672 (Prescott, 2 MB), 3.8 GHz", entries: pentium4 },
  {
    name: "prescott",
    part: "Pentium 4 (Prescott, 2 MB), 3.8 GHz, exits as measured by others",
    entries: { ...pentium4, ...exits(secondHand(1926, TABLE_4_3), rest(3963, 1926), false) },
  },
  {
    name: "merom",
    part: "Core 2 Duo T7700 (Merom), 2.4 GHz",
    entries: {
      ...core(2400, 3, 14, 14),
      ...exits(secondHand(1156, TABLE_4_3), secondHand(937, `${PAPER_PARTS}, Core 2`), false),
    },
  },
  {
    name: "penryn",
    part: "Core 2 (Penryn), 3 GHz",
    entries: { ...core(3000, 3, 15, 14), ...exits(secondHand(858, TABLE_4_3), rest(1266, 858), false) },
  },
  {
    name: "nehalem",
    part: "Core i7 (Nehalem), 2.93 GHz",
    entries: {
      ...core(2930, 4, 10, 16),
      ...exits(assumed(505, `half of the round trip: ${AGESEN_2012} 1009`), rest(1009, 505), true),
    },
  },
  {
    name: "westmere",
    part: "Core i7 (Westmere), 3.33 GHz",
    entries: { ...core(3330, 4, 10, 16), ...exits(secondHand(569, TABLE_4_3), rest(761, 569), true) },
  },
  {
    name: "sandy-bridge",
    part: "Core i7 (Sandy Bridge), 3.4 GHz",
    entries: { ...core(3400, 4, 12, 16), ...exits(secondHand(507, TABLE_4_3), rest(784, 507), true) },
  },
] as const satisfies readonly Pick<CostTable, "name" | "part" | "entries">[];

/** Names of the tables there are. */
export type CostTableName = (typeof all)[number]["name"];

/**
 * The cost tables there are, by name: the Pentium 4 of Adams & Agesen 2006, and generations after it. All cycles; each figure has its
 * mark and source.
 *
 * @example
 * Object.keys(costTables).join(" ") // => 'pentium4-672 prescott merom penryn nehalem westmere sandy-bridge'
 * costTables.merom.entries["VM exit by exception"]?.mark // => 'second hand'
 */
export const costTables: Readonly<Record<CostTableName, CostTable>> = Object.freeze(
  Object.fromEntries(all.map((table) => [table.name, costTable(table)])) as Record<CostTableName, CostTable>,
);
