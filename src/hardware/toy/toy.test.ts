/** The toy machine: every instruction, random programs against a second interpreter, and what holds of every machine. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { firstDivergence } from "../../state/divergence.js";
import { PAGE_SIZE, Page } from "../../state/pages.js";
import { PersistentMap } from "../../state/persistent-map.js";
import { Timeline } from "../../state/timeline.js";
import { diff } from "../diff.js";
import { Machine } from "../machine.js";
import { assembleToy } from "./assembler.js";
import { disassembleToy } from "./disassembler.js";
import { ToyEngine } from "./engine.js";
import { ToyMachine } from "./machine.js";
import { runReference } from "./reference.test-helper.js";
import { type ToyState, type ToyStop, toyRegisterNames } from "./state.js";
import { toyRows } from "./table.js";

const seed = 20261121;
const boot = (program: string): ToyMachine => ToyMachine.boot({ program });
const minus = (value: number): number => -value >>> 0;

describe("the toy's table", () => {
  it("has sixteen instructions, each with one encoding, one meaning and a sentence", () => {
    expect(toyRows).toHaveLength(16);
    expect(new Set(toyRows.map(({ byte }) => byte)).size).toBe(16);
    for (const { semantics, system, summary } of toyRows) {
      expect((semantics === undefined) !== (system === undefined)).toBe(true);
      expect(summary).toMatch(/^[A-Z].*\.$/);
    }
  });
});

/** Instruction, registers before, and what it changes. */
const cases: readonly (readonly [program: string, before: Record<string, number>, after: Record<string, number>])[] = [
  ["set r7, -2", {}, { r7: minus(2) }],
  ["set r0, 32767", { r0: 5 }, { r0: 32767 }],
  ["add r1, r2, r3", { r2: 0xffffffff, r3: 3 }, { r1: 2 }],
  ["add r1, r1, r1", { r1: 0x40000001 }, { r1: 0x80000002 }],
  ["sub r1, r2, r3", { r2: 3, r3: 5 }, { r1: minus(2) }],
  ["mul r4, r5, r6", { r5: 0x10001, r6: 0x10003 }, { r4: 0x40003 }],
  ["and r1, r2, r3", { r2: 0xff00ff00, r3: 0x0ff00ff0 }, { r1: 0x0f000f00 }],
  ["or r1, r2, r3", { r2: 0xff00ff00, r3: 0x0ff00ff0 }, { r1: 0xfff0fff0 }],
  ["xor r1, r2, r3", { r2: 0xff00ff00, r3: 0x0ff00ff0 }, { r1: 0xf0f0f0f0 }],
  ["shift r1, r2, r3", { r2: 0x80000001, r3: 4 }, { r1: 0x10 }],
  ["shift r1, r2, r3", { r2: 0x80000001, r3: 0 }, { r1: 0x80000001 }],
  ["shift r1, r2, r3", { r2: 0x80000001, r3: minus(4) }, { r1: 0x08000000 }],
  ["shift r1, r2, r3", { r2: 0x80000001, r3: minus(31) }, { r1: 1 }],
  ["shift r1, r2, r3", { r1: 9, r2: 0x80000001, r3: 32 }, { r1: 0 }],
  ["shift r1, r2, r3", { r1: 9, r2: 0x80000001, r3: minus(32) }, { r1: 0 }],
  ["shift r1, r2, r3", { r1: 9, r2: 0x80000001, r3: 0x80000000 }, { r1: 0 }],
  ["load r1, [r2]", { r2: 0 }, { r1: 0x00020130 }],
  ["load r1, [r2 - 3]", { r2: 4 }, { r1: 0x00fd0201 }],
  ["jump 0x1234", {}, { pc: 0x1234 }],
  ["jz r1, 0xfffc", { r1: 0 }, { pc: 0xfffc }],
  ["jz r1, 0xfffc", { r1: 0x80000000 }, {}],
  ["jn r1, 16", { r1: 0x80000000 }, { pc: 16 }],
  ["jn r1, 16", { r1: 0x7fffffff }, {}],
  ["link r6", { r6: 0x2000 }, { r6: 4, pc: 0x2000 }],
];

describe("an instruction of the toy", () => {
  it.each(cases)("does what the table says: %s with %o", (program, before, after) => {
    const machine = boot(program).edit((draft) => void Object.assign(draft.registers, before));
    const next = machine.step();
    expect(next.registers).toEqual({ ...machine.registers, pc: 4, ...after });
    expect([next.steps, next.stop]).toEqual([1, undefined]);
    expect(machine.run({ maxInstructions: 1 }).hash).toBe(next.hash);
  });

  it("store: writes a word, lowest byte first, over the end of a page too", () => {
    const machine = boot("store [r1 + 2], r2").edit(({ registers }) => {
      registers.r1 = PAGE_SIZE - 4;
      registers.r2 = 0x04030201;
    });
    expect([...machine.step().memory.read(PAGE_SIZE - 2, 4)]).toEqual([1, 2, 3, 4]);
    expect([...machine.run({ maxInstructions: 1 }).memory.read(PAGE_SIZE - 2, 4)]).toEqual([1, 2, 3, 4]);
  });

  it("out: prints bytes, which are UTF-8", () => {
    const machine = boot("set r1, 0xc3\nout r1\nset r1, 0x1a4\nout r1\nset r1, -1\nhalt").run();
    expect(machine.output).toBe("ä");
  });

  it("halt: is a step, after which there is none", () => {
    const machine = boot("halt").run();
    expect([machine.steps, machine.stop, machine.halted]).toEqual([1, { reason: "halted" }, true]);
    expect(machine.step().hash).toBe(machine.hash);
  });

  it.each([
    ["of zeros", Uint8Array.of(0, 0, 0, 0), "the bytes at 0x0 are no instruction"],
    ["with a ninth register", Uint8Array.of(0x20, 1, 8, 0), "the bytes at 0x0 are no instruction"],
    ["with a number it has no use for", Uint8Array.of(0x51, 0, 0, 1), "the bytes at 0x0 are no instruction"],
    ["beyond memory", assembleToy("jump 0xfffe").bytes, "there is no memory at 0x10000 (instruction at 0xfffe)"],
    [
      "loading over the end of all addresses",
      assembleToy("load r1, [r1 - 1]").bytes,
      "there is no memory at 0x100000000 (instruction at 0x0)",
    ],
    [
      "storing beyond memory",
      assembleToy("set r1, 1\nset r2, 17\nshift r1, r1, r2\nstore [r1], r1").bytes,
      "there is no memory at 0x20000 (instruction at 0xc)",
    ],
  ])("%s stops the machine and does nothing", (_what, image, detail) => {
    const machine = ToyMachine.boot({ image }).run();
    expect(machine.stop).toEqual({ reason: "exception", detail });
    expect([machine.step().stop, machine.step().hash]).toEqual([machine.stop, machine.hash]);
  });

  it("does not store in part where memory ends", () => {
    const machine = boot("store [r1 - 2], r2").edit(({ registers }) => {
      registers.r1 = 0x10000;
      registers.r2 = -1;
    });
    expect(machine.run().stop).toMatchObject({ detail: "there is no memory at 0x10000 (instruction at 0x0)" });
    expect(machine.run().hash).toBe(machine.hash);
  });
});

/** Counts down with a function that prints. LINK swaps, so the return leaves r7 ready for the next call. */
const countdown = `
        set   r1, 9
        set   r2, -1
        set   r5, '0'
        set   r7, print
again:  link  r7                ; calls, and r7 is the way back
        add   r1, r1, r2
        jn    r1, done
        jump  again
print:  add   r3, r1, r5
        out   r3
        link  r7
        jump  print
done:   halt
`;

/** A program somewhere in three pages, over their borders and at odd addresses, that likes to change itself. */
const MEMORY = 3 * PAGE_SIZE;
const start = fc.constantFrom(0, 3, 200, PAGE_SIZE - 40, PAGE_SIZE - 38, 2 * PAGE_SIZE - 6, MEMORY - 60);
const near = fc.oneof(
  { weight: 12, arbitrary: fc.integer({ min: 0, max: 15 }).map((number) => 4 * number) },
  { weight: 1, arbitrary: fc.integer({ min: -12, max: 80 }) },
);
const register = fc.integer({ min: 0, max: 7 });
const byte = fc.integer({ min: 0, max: 255 });
const offset = fc.oneof(fc.constantFrom(0, 1, 4, 8, 0xfc), byte);
const low = (value: number): readonly number[] => [value & 0xff, (value >> 8) & 0xff];
const pick = (...opcodes: number[]): fc.Arbitrary<number> => fc.constantFrom(...opcodes);

const instruction = (from: number): fc.Arbitrary<readonly number[]> =>
  fc.oneof(
    { weight: 20, arbitrary: fc.tuple(register, near).map(([r, at]) => [0x10, r, ...low(from + at)]) },
    { weight: 5, arbitrary: fc.tuple(register, byte, byte).map(([r, a, b]) => [0x10, r, a, b]) },
    { weight: 60, arbitrary: fc.tuple(pick(32, 33, 34, 35, 36, 37, 38), register, register, register) },
    { weight: 20, arbitrary: fc.tuple(pick(0x30, 0x31), register, register, offset) },
    { weight: 30, arbitrary: fc.tuple(pick(65, 66), register, near).map(([op, r, at]) => [op, r, ...low(from + at)]) },
    { weight: 8, arbitrary: near.map((at) => [0x40, 0, ...low(from + at)]) },
    { weight: 8, arbitrary: fc.tuple(pick(0x43, 0x50), register).map(([op, r]) => [op, r, 0, 0]) },
    { weight: 4, arbitrary: fc.constantFrom([0x51, 0, 0, 0], [0x51, 0, 0, 0], [0, 0, 0, 0], [0x20, 9, 0, 0]) },
  );

interface Random {
  readonly from: number;
  readonly machine: ToyMachine;
}
const random: fc.Arbitrary<Random> = start.chain((from) => {
  const value = fc.oneof(
    { weight: 6, arbitrary: near.map((at) => from + at) },
    { weight: 3, arbitrary: fc.integer({ min: -3, max: 40 }) },
    { weight: 1, arbitrary: fc.integer() },
  );
  return fc
    .tuple(
      fc.array(instruction(from), { minLength: 4, maxLength: 16 }),
      fc.array(value, { minLength: 8, maxLength: 8 }),
    )
    .map(([code, values]) => {
      const back = [0x40, 0, ...low(from)];
      const bytes = Uint8Array.from([...code.flat(), ...back]).subarray(0, MEMORY - from);
      const machine = ToyMachine.create({ memory: MEMORY })
        .write(from, bytes)
        .edit(({ registers }) => {
          toyRegisterNames.forEach((name, number) => {
            registers[name] = values[number]!;
          });
          registers.pc = from;
        });
      return { from, machine };
    });
});

const signed = ({ registers }: ToyMachine): number[] => toyRegisterNames.map((name) => registers[name] | 0);

function stepBy(machine: ToyMachine, count: number): ToyMachine {
  let current = machine;
  for (let index = 0; index < count; index++) current = current.step();
  return current;
}

/** Everything that can be seen of a machine, apart from why its run ended. */
const seen = ({ hash, registers, output, steps, halted }: ToyMachine): unknown => ({
  hash,
  registers,
  output,
  steps,
  halted,
});

describe("a random toy program", () => {
  it("does what a second interpreter says", () => {
    const stops = new Map<string, number>();
    let steps = 0;
    fc.assert(
      fc.property(random, fc.integer({ min: 1, max: 400 }), ({ machine, from }, limit) => {
        const memory = machine.memory.read(0, MEMORY);
        const expected = runReference(memory, signed(machine), from, limit);
        const run = machine.run({ maxInstructions: limit });
        expect([signed(run), run.registers.pc, run.steps]).toEqual([expected.registers, expected.pc, expected.steps]);
        // A run that ends at its limit does not look at what follows.
        expect(run.stop?.reason).toBe(expected.steps === limit ? "limit" : expected.stop);
        expect(Buffer.compare(run.memory.read(0, MEMORY), memory)).toBe(0);
        expect(run.output).toBe(new TextDecoder().decode(Buffer.from(expected.output, "latin1")));
        stops.set(expected.stop, (stops.get(expected.stop) ?? 0) + 1);
        steps += run.steps;
      }),
      { seed, numRuns: 1500 },
    );
    // All kinds of ends are met, and programs get somewhere.
    expect(Math.min(stops.get("limit")!, stops.get("halted")!, stops.get("exception")!)).toBeGreaterThan(50);
    expect(steps).toBeGreaterThan(20_000);
  });

  it("runs as single steps do, and undone is as it was", () => {
    fc.assert(
      fc.property(random, fc.integer({ min: 1, max: 60 }), ({ machine }, limit) => {
        const before = Buffer.from(machine.save()).toString("base64");
        const run = machine.run({ maxInstructions: limit });
        expect(seen(stepBy(machine, run.steps))).toEqual(seen(run));
        const timeline = new Timeline(machine);
        timeline.forward(limit);
        expect(seen(timeline.current)).toEqual(seen(run));
        timeline.goto(0);
        expect(Buffer.from(timeline.current.save()).toString("base64")).toBe(before);
        expect(diff(machine, timeline.current)).toEqual({ state: [], memory: [] });
      }),
      { seed, numRuns: 150 },
    );
  });

  it("runs in pieces, sealed anywhere and opened in any engine, as in one", () => {
    const first = new ToyEngine();
    const evicting = new ToyEngine(66);
    const fresh = new ToyEngine();
    const run = (engine: ToyEngine, state: ToyState, limit: number): { state: ToyState; stop: ToyStop } => {
      engine.open(state);
      const stop = engine.run({ limit });
      return { state: engine.seal(), stop };
    };
    const content = ({ memory, ...rest }: ToyState): unknown => [
      rest,
      [...memory.entries()].map(([frame, page]) => [frame, Buffer.from(page.bytes()).toString("base64")]),
    ];
    fc.assert(
      fc.property(
        random,
        fc.array(fc.integer({ min: 1, max: 30 }), { minLength: 2, maxLength: 12 }),
        ({ machine }, lengths) => {
          let state = stateOf(machine);
          const whole = run(
            first,
            state,
            lengths.reduce((sum, length) => sum + length),
          );
          for (const [index, length] of lengths.entries()) {
            const piece = run([evicting, first, fresh][index % 3]!, state, length);
            state = piece.state;
            if (piece.stop.reason !== "limit") break;
          }
          expect(content(state)).toEqual(content(whole.state));
        },
      ),
      { seed, numRuns: 200 },
    );
  });
});

/** The state of a machine, by way of its save. */
function stateOf(machine: ToyMachine): ToyState {
  const { pc, ...registers } = machine.registers;
  let memory = PersistentMap.empty<Page>();
  for (let frame = 0; frame < machine.memory.size / PAGE_SIZE; frame++)
    memory = memory.set(frame, Page.copyFrom(machine.memory.read(frame * PAGE_SIZE, PAGE_SIZE)));
  const { r0, r1, r2, r3, r4, r5, r6, r7 } = registers;
  const [a, b, c, d, e, f, g, h] = [r0, r1, r2, r3, r4, r5, r6, r7].map((value) => value | 0) as number[];
  const cpu = { r0: a!, r1: b!, r2: c!, r3: d!, r4: e!, r5: f!, r6: g!, r7: h!, pc: pc | 0, halted: machine.halted };
  return { cpu, memorySize: machine.memory.size, memory, output: "", steps: machine.steps };
}

describe("a toy machine", () => {
  const machine = boot(countdown);
  const end = machine.run();

  it("counts down", () => {
    expect([end.output, end.stop]).toEqual(["9876543210", { reason: "halted" }]);
  });

  it("stops where it is asked to", () => {
    const print = assembleToy(countdown).symbols["print"]!;
    const called = machine.run({ until: print });
    expect([called.stop?.reason, called.registers.pc, called.steps]).toEqual(["until", print, 5]);
    expect(machine.run({ until: { output: "987" } }).output).toBe("987");
    expect(machine.run({ until: ({ registers }) => registers.r1 === 7 }).output).toBe("98");
    expect(machine.run({ maxInstructions: 0 }).stop?.reason).toBe("limit");
    expect(() => machine.run({ maxInstructions: 0.5 })).toThrow("is not a number of steps");
  });

  it("goes forward, back and to changes in a timeline", () => {
    const timeline = new Timeline(machine);
    timeline.forward(1_000_000);
    expect([timeline.position, timeline.current.hash]).toEqual([end.steps, end.hash]);
    expect(timeline.back(3).steps).toBe(end.steps - 3);
    expect(timeline.lastChange(({ output }) => output)?.after.output).toBe("9876543210");
    timeline.edit((current) => current.write(0x100, Uint8Array.of(1)));
    expect(diff(machine, timeline.goto(0)).memory).toEqual([]);
  });

  it("is compared by name and address, and with its own kind only", () => {
    const stored = boot("set r1, 0x200\nstore [r1], r1").run({ maxInstructions: 2 });
    const difference = diff(boot("set r1, 0x200\nstore [r1], r1"), stored);
    expect(difference.state.map(({ path, after }) => [path, after])).toEqual([
      ["cpu.r1", 0x200],
      ["cpu.pc", 8],
      ["steps", 2],
    ]);
    expect(difference.memory).toMatchObject([{ address: 0x201, after: Uint8Array.of(2) }]);
    expect(() => diff(machine as never, Machine.create({ memory: "1M" }))).toThrow("two machines of one kind");
  });

  it("parts from another where firstDivergence says", () => {
    const other = machine.edit(({ registers }) => {
      registers.r0 = 1;
    });
    expect(firstDivergence(machine, other)?.step).toBe(0);
    const same = (a: ToyMachine, b: ToyMachine): boolean => a.output === b.output;
    const louder = machine.write(8, assembleToy("set r5, 'A'").bytes);
    expect(firstDivergence(machine, louder, { same })?.after.map(({ output }) => output)).toEqual(["9", "J"]);
  });

  it("is saved and loaded, and damaged or foreign bytes are refused", () => {
    const middle = machine.run({ maxInstructions: 20 });
    const loaded = ToyMachine.load(middle.save());
    expect(seen(loaded)).toEqual(seen(middle));
    expect(seen(loaded.run())).toEqual(seen(end));
    expect(() => ToyMachine.load(middle.save().fill(0, 100, 101))).toThrow("checksum");
    expect(() => ToyMachine.load(Machine.create({ memory: "1M" }).save(), "x86")).toThrow(
      'x86: offset 24: the header\'s "kind" is not "virtlab toy machine"',
    );
    expect(() => Machine.load(middle.save())).toThrow('is not "virtlab machine"');
  });

  it("cannot be made or changed into what it cannot be", () => {
    expect(() => ToyMachine.boot({})).toThrow("give either an image or a program");
    expect(() => ToyMachine.boot({ image: new Uint8Array(5000), memory: 4096 })).toThrow("5000 bytes do not fit");
    expect(() => machine.edit((draft) => void Object.assign(draft.registers, { r8: 1 }))).toThrow('no register "r8"');
    expect(() => machine.write(0xffff, Uint8Array.of(1, 2))).toThrow("not all inside of RAM");
  });

  it("gives out nothing through which it could be changed", () => {
    const { hash } = end;
    for (const part of [end.registers, end.stop, end.memory]) expect(Object.isFrozen(part)).toBe(true);
    end.memory.read(0, 64).fill(0xa5);
    end.save().fill(0xa5);
    for (const { before, after } of diff(machine, end.write(0, Uint8Array.of(1))).memory) {
      before.fill(0xa5);
      after.fill(0xa5);
    }
    expect(ToyMachine.load(end.save()).hash).toBe(hash);
    expect(seen(machine.run())).toEqual(seen(end));
  });

  it("and an x86 machine run in turns, each as it would alone", () => {
    const x86 = Machine.boot({ image: Uint8Array.of(0x40, 0xeb, 0xfd), memory: "2M" }); // again: inc eax; jmp again
    let [mine, its] = [machine, x86];
    for (let turn = 0; turn < 20; turn++) {
      mine = mine.run({ maxInstructions: 3 });
      its = its.run({ maxInstructions: 5 });
    }
    expect([mine.hash, its.hash]).toEqual([stepBy(machine, 60).hash, stepBy86(x86, 100).hash]);
  });
});

function stepBy86(machine: Machine, count: number): Machine {
  let current = machine;
  for (let index = 0; index < count; index++) current = current.step();
  return current;
}

describe("the toy's assembler", () => {
  it("knows labels, sums, characters and data", () => {
    const { bytes, symbols } = assembleToy("a: set r1, b - a + 'A'\nb: db 1, \"hi\"\ndd b, -1", { address: 16 });
    expect([...bytes]).toEqual([0x10, 1, 69, 0, 1, 104, 105, 20, 0, 0, 0, 255, 255, 255, 255]);
    expect(symbols).toEqual({ a: 16, b: 20 });
  });

  it("makes the bytes that the disassembler makes the text of", () => {
    const value = (least: number, greatest: number) => fc.integer({ min: least, max: greatest });
    const register = value(0, 7).map((number) => `r${number}`);
    const operand = { G: register, R: register, Z: register, I: value(-32768, 32767).map(String) } as const;
    const address = value(0, 0xffff).map((number) => `0x${number.toString(16)}`);
    const memory = fc.tuple(register, value(-128, 127)).map(([base, number]) => {
      return number === 0 ? `[${base}]` : `[${base} ${number < 0 ? "-" : "+"} ${Math.abs(number)}]`;
    });
    const line = fc
      .constantFrom(...toyRows)
      .chain(({ mnemonic, operands }) =>
        fc
          .tuple(
            ...operands.map(({ method }) =>
              method === "J" ? address : method === "M" ? memory : operand[method as "G"],
            ),
          )
          .map((texts) => `${mnemonic.toLowerCase()} ${texts.join(", ")}`.trim()),
      );
    fc.assert(
      fc.property(fc.array(line, { maxLength: 20 }), (lines) => {
        const { bytes } = assembleToy(lines.join("\n"));
        expect(disassembleToy(bytes).map(({ text }) => text)).toEqual(lines);
      }),
      { seed, numRuns: 100 },
    );
  });

  it.each([
    ["sett r1, 2", '1:1: no instruction is called "sett" (there are set, add'],
    ["set r8, 2", '1:5: a register (r0 to r7) expected, not "r8"'],
    ["set r1", '1:7: "," expected, not the end of the line'],
    ["set r1, 40000", "1:9: 40000 does not fit here: -32768 to 32767 do"],
    ["\n load r1, [r2 + 128]", "2:15: 128 does not fit here: -128 to 127 do"],
    ["jump there", '1:6: there is no label "there"'],
    ["a: halt\na: halt", '2:1: the label "a" is there already'],
    ["r1: halt", '1:1: "r1" has a meaning already and cannot be a label'],
    ["halt r1", '1:6: the end of the line expected, not "r1"'],
    ["set r1, 'ab'", "1:9: only one character is a number"],
  ])("says where %j has its mistake", (text, message) => {
    expect(() => assembleToy(text)).toThrow(message);
    expect(() => assembleToy(text, { name: "a.toy" })).toThrow(`a.toy:${message}`);
  });
});
