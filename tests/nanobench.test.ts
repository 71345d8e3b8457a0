/** The guest `nanobench`: what one repetition of each operation is, counted exactly; and that nothing in it tells the ring. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { type BootOptions, Machine } from "../src/index.js";
import { images } from "./support/guests.js";
import { peer } from "./support/peers.js";
import { runProcessToFile } from "./support/processes.js";
import { tellingInstructions } from "./support/telling-instructions.js";

const image = readFileSync(join(images, "nanobench.elf"));
const LIMIT = 1_000_000;
/** Odd, so that `ptemod` ends on its second frame. */
const ROUNDS = 101;

/** What the loop of a benchmark adds to the counters and observes, beside what is there without any repetition. */
function measured(name: string, rounds: number, options: Partial<BootOptions> = {}) {
  const events = (n: number) => {
    const machine = Machine.boot({ image, machine: "pc", memory: "16M", append: `${name} rounds=${n}`, ...options });
    const begun = machine.run({ until: { serial: `${name} ${n}\n` }, maxInstructions: LIMIT });
    const end = begun.run({
      until: { serial: "done\n" },
      maxInstructions: LIMIT,
      observe: ["instruction", "exception", "interrupt", "port"],
    });
    expect(end.stop).toMatchObject({ reason: "until" });
    const found = new Map<string, number>();
    for (const event of end.events) {
      const text = event.kind === "instruction" ? event.mnemonic : event.kind === "exception" ? event.name : event.kind;
      found.set(text, (found.get(text) ?? 0) + 1);
    }
    return { found, instructions: end.counters.instructions - begun.counters.instructions };
  };
  const without = events(0);
  const done = events(rounds);
  const kinds = [...new Set([...without.found.keys(), ...done.found.keys()])];
  const added = kinds.map((kind) => [kind, (done.found.get(kind) ?? 0) - (without.found.get(kind) ?? 0)] as const);
  return {
    instructions: done.instructions - without.instructions,
    ...Object.fromEntries(added.filter(([, count]) => count !== 0)),
  };
}

/** A repetition of each, beside DEC and JNE. What faults is met as an instruction and does not retire. */
const repetitions = {
  empty: {},
  syscall: { SYSENTER: 1, SYSEXIT: 1 },
  in: { IN: 1, port: 1 },
  cr8wr: { MOV: 1 },
  callret: { CALL: 1, RET: 1 },
  pgfault: { MOV: 1, "#PF": 1, ADD: 2, IRET: 1 },
  divzero: { DIV: 1, "#DE": 1, ADD: 1, IRET: 1 },
  ptemod: { XOR: 1 },
} as const;

/** What an event is beyond the instruction it belongs to: a fault takes the place of one. */
const retired = { "#PF": -1, "#DE": -1, port: 0 } as Readonly<Record<string, number>>;

function expected(repetition: Readonly<Record<string, number>>, rounds: number) {
  const kinds = Object.entries({ DEC: 1, JNE: 1, ...repetition });
  const instructions = kinds.reduce((sum, [kind, count]) => sum + (retired[kind] ?? 1) * count, 0);
  return {
    instructions: instructions * rounds,
    ...Object.fromEntries(kinds.map(([kind, count]) => [kind, count * rounds])),
  };
}

describe("N repetitions", () => {
  for (const [name, repetition] of Object.entries(repetitions)) {
    it(`of ${name} are N times ${JSON.stringify(repetition)} and an empty loop`, () => {
      expect(measured(name, ROUNDS)).toEqual(expected(repetition, ROUNDS));
    });
  }

  it("of syscall are INT 80h and IRET on a processor without SYSENTER", () => {
    expect(measured("syscall", ROUNDS, { model: "pentium" })).toEqual(expected({ INT: 1, IRET: 1 }, ROUNDS));
  });

  it("take no interrupt in any of the eight", () => {
    const end = Machine.boot({ image, machine: "pc", memory: "16M" }).run({ maxInstructions: LIMIT });
    expect(end.stop).toMatchObject({ reason: "debug-exit", value: 0x10 });
    expect(end.counters).toMatchObject({ exceptions: 2000, interrupts: 0 });
  });
});

it("a machine without a local APIC fails in cr8wr, and only there", () => {
  const end = Machine.boot({ image, memory: "16M", append: "rounds=1" }).run({ maxInstructions: LIMIT });
  expect(end.serial.match(/failed/g)).toHaveLength(1);
  expect(end.serial).toContain("cr8wr 1\nfailed\n");
  expect(end.stop).toMatchObject({ reason: "debug-exit", value: 0x11 });
});

it("QEMU prints the same where a name and a number are given", async (context) => {
  const ended = await runProcessToFile(peer(context, "qemu-system-i386"), [
    ...["-kernel", join(images, "nanobench.elf"), "-append", `ptemod rounds=${ROUNDS}`, "-m", "16", "-accel", "tcg"],
    ...["-display", "none", "-serial", "stdio", "-monitor", "none", "-no-reboot"],
    ...["-device", "isa-debug-exit,iobase=0xf4,iosize=4"],
  ]);
  expect([ended.stdout, ended.status], ended.stderr).toEqual([`ptemod ${ROUNDS}\ndone\n`, 33]);
});

it("has no instruction that tells the ring or the processor's model", () => {
  const { found, count } = tellingInstructions(image);
  expect(found).toEqual([]);
  expect(count).toBeGreaterThan(300);
});
