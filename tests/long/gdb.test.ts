/**
 * Debian's gdb on Debian's kernels as they boot: it finds functions of the kernel by the addresses that the kernel itself
 * tells at its prompt, and sees and reaches what single runs of the machine see and reach.
 */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it, type TestContext } from "vitest";
import type { Machine } from "../../src/hardware/machine.js";
import { longRegisters } from "../../src/hardware/registers.js";
import { bootToPrompt, type DebianCase, debianCases, debianMachine, enter } from "../support/debian.js";
import { debug } from "../support/gdb.js";
import { symbolFile } from "../support/symbol-file.js";

const folder = mkdtempSync(join(tmpdir(), "virtlab-gdb-"));
afterAll(() => rmSync(folder, { recursive: true }));

const functions = [
  "kernel_clone",
  "user_mode_thread",
  "do_timer",
  "tick_periodic",
  "ksys_write",
  "start_secondary",
] as const;
const LONG = { milliseconds: 300_000 };
/** Behind the way into long mode, which gdb cannot be told of on the way. */
const IN_LONG_MODE = 3_000_000;

const [isa32, isa64, pc64] = debianCases;
const cases = [
  { which: isa32!, bits: 32, begin: 0, counter: "eip", stack: "esp" },
  { which: isa64!, bits: 64, begin: IN_LONG_MODE, counter: "rip", stack: "rsp" },
] as const;

/** Where functions are. Without address-space randomization they are there at every boot. */
function addressesOf(context: TestContext, which: DebianCase): ReadonlyMap<string, bigint> {
  const prompt = bootToPrompt(context, which);
  const line = `grep -m ${functions.length} -E ' [tT] (${functions.join("|")})$' /proc/kallsyms`;
  const text = enter(prompt, line).serial.slice(prompt.serial.length);
  return new Map([...text.matchAll(/^([0-9a-f]+) [tT] (\w+)\r$/gm)].map(([, at, name]) => [name!, BigInt(`0x${at}`)]));
}

interface Functions {
  readonly addresses: ReadonlyMap<string, bigint>;
  /** What tells gdb of them. */
  readonly file: string;
}

const known = new Map<number, Functions>();
function functionsOf(context: TestContext, { which, bits }: (typeof cases)[number]): Functions {
  const found = known.get(bits);
  if (found !== undefined) return found;
  const addresses = addressesOf(context, which);
  expect([...addresses.keys()].sort()).toEqual([...functions].sort());
  const file = join(folder, `functions-${bits}`);
  writeFileSync(file, symbolFile({ bits, addresses }));
  known.set(bits, { addresses, file });
  return { addresses, file };
}

/** An address of the kernel, which is one of the upper half, as a machine has it. */
const linearOf = (address: bigint, bits: 32 | 64): number => Number(bits === 64 ? BigInt.asIntN(64, address) : address);

describe.each(cases)("gdb on Debian's kernel $which.name", (kernel) => {
  const { which, bits, begin, counter, stack } = kernel;
  const symbols = (context: TestContext): Functions => functionsOf(context, kernel);
  const linear = (address: bigint): number => linearOf(address, bits);
  const hex = (value: number | bigint): string => `0x${BigInt.asUintN(bits, BigInt(value)).toString(16)}`;
  const read = (machine: Machine, address: number): bigint => {
    const view = new DataView(machine.readLinear(address, bits / 8).buffer);
    return bits === 64 ? view.getBigUint64(0, true) : BigInt(view.getUint32(0, true));
  };

  let atClone: Machine | undefined;
  const start = (context: TestContext): Machine => debianMachine(context, which).run({ maxInstructions: begin });
  const firstClone = (context: TestContext): Machine => {
    atClone ??= start(context).run({ breakpoints: [linear(symbols(context).addresses.get("kernel_clone")!)] });
    return atClone;
  };

  it("stops where the kernel makes its first process, with the caller and the registers it has there", async (context) => {
    const { addresses, file } = symbols(context);
    const place = addresses.get("kernel_clone")!;
    const commands = [
      ...["hbreak kernel_clone", "continue", "monitor hash", "bt 2"],
      ...[`p/x $${counter}`, `p/x $${stack}`, "p/x $cr3", "x/5i $pc", "reverse-stepi", "monitor hash"],
      ...["reverse-continue", "monitor hash", "detach"],
    ];
    const { answers } = await debug(context, start(context), file, commands, LONG);
    const there = firstClone(context);
    expect(there.stop).toEqual({ reason: "breakpoint", address: linear(place) });
    expect(answers[1]).toContain(`Breakpoint 1, ${hex(place)} in kernel_clone ()`);
    expect(answers[2]).toBe(there.hash);
    const pointer = linear(BigInt(there.registers[stack]));
    const caller = read(there, pointer);
    expect(caller - addresses.get("user_mode_thread")!).toBeLessThan(0x100n);
    expect(answers[3]).toContain(`#0  ${hex(place)} in kernel_clone ()\n#1  ${hex(caller)} in user_mode_thread ()`);
    expect([answers[4], answers[5]]).toEqual([`$1 = ${hex(place)}`, `$2 = ${hex(there.registers[stack])}`]);
    expect(answers[6]).toBe(`$3 = ${hex(there.registers.cr3)}`);
    expect(answers[7]!.split("\n")).toHaveLength(5);
    expect(answers[7]).toContain(`=> ${hex(place)} <kernel_clone>:\t`);
    const before = start(context);
    expect(answers[9]).toBe(before.run({ maxInstructions: there.steps - begin - 1 }).hash);
    expect(answers[10]).toContain("No more reverse-execution history.");
    expect(answers[11]).toBe(before.hash);
  });

  it("stops at the writes to the kernel's clock, both ways, and goes back to the calls that lead there", async (context) => {
    const { addresses, file } = symbols(context);
    const machine = firstClone(context);
    const code = await debug(context, machine, file, ["x/8i do_timer"]);
    // jiffies_64, to which do_timer adds: add %eax,ADDRESS, or add %rdi,OFFSET(%rip) with the address as a comment.
    const jiffies = /add +%\w+,.*?(0x[0-9a-f]+)$/m.exec(code.answers[0]!)?.[1] ?? "";
    const clock = linear(BigInt(jiffies));
    const timer = linear(addresses.get("do_timer")!);
    const { answers } = await debug(
      context,
      machine,
      file,
      [
        ...[`watch *(int*)${jiffies}`, "continue", "monitor hash", "continue", "monitor hash"],
        ...["reverse-continue", "monitor hash", "reverse-stepi", "monitor hash"],
        ...["delete", "hbreak ksys_write", "hbreak do_timer", "continue", "monitor hash", "bt 2"],
        ...[
          "continue",
          "monitor hash",
          "reverse-continue",
          "monitor hash",
          "reverse-continue",
          "monitor hash",
          "detach",
        ],
      ],
      LONG,
    );
    const watchpoints = [{ address: clock, length: 4, on: "write" as const }];
    const first = machine.run({ watchpoints });
    const second = first.run({ watchpoints });
    const value = (of: Machine): number => new DataView(of.readLinear(clock, 4).buffer).getInt32(0, true);
    expect(value(second)).toBe(value(machine) + 2);
    expect(answers[1]).toContain(`Old value = ${value(machine)}\nNew value = ${value(first)}`);
    expect(answers[1]).toContain(" in do_timer ()");
    expect([answers[2], answers[4]]).toEqual([first.hash, second.hash]);
    const ranTo = (steps: number): Machine => machine.run({ maxInstructions: steps - machine.steps });
    expect(answers[5]).toContain(`Old value = ${value(second)}\nNew value = ${value(first)}`);
    expect([answers[6], answers[8]]).toEqual([ranTo(second.steps - 1).hash, ranTo(second.steps - 2).hash]);

    const breakpoints = [timer, linear(addresses.get("ksys_write")!)];
    const calls = [ranTo(second.steps - 2).run({ breakpoints })];
    calls.push(calls[0]!.run({ breakpoints }));
    expect([answers[13], answers[16]]).toEqual(calls.map(({ hash }) => hash));
    expect(answers[14]).toMatch(/^#0 .* in do_timer \(\)\n#1 .* in tick_periodic \(\)/);
    expect(answers[18]).toBe(calls[0]!.hash);
    // The call before that one, which led to the second write, or is the place where the search began.
    let call = machine;
    for (let next = machine; next.steps < calls[0]!.steps; next = next.run({ breakpoints })) call = next;
    expect(answers[20]).toBe(call.hash);
  });
});

describe("gdb on Debian's kernel with two processors", () => {
  it("stops where the second one comes to the kernel, and goes back over its last step alone", async (context) => {
    const { addresses, file } = functionsOf(context, cases[1]);
    const begun = debianMachine(context, pc64!).run({ maxInstructions: IN_LONG_MODE });
    const there = begun.run({ breakpoints: [linearOf(addresses.get("start_secondary")!, 64)] });
    expect([there.stop?.reason, there.turn?.processor]).toEqual(["breakpoint", 1]);
    const commands = [
      ...["hbreak start_secondary", "continue", "monitor hash", "thread", "p/x $rip", "p/x $cr3"],
      ...["reverse-stepi", "monitor hash", "thread 1", "p/x $rsp", "reverse-continue", "monitor hash", "detach"],
    ];
    const { answers } = await debug(context, begun, file, commands, LONG);
    expect(answers[1]).toContain("hit Breakpoint 1, 0x");
    expect(answers[2]).toBe(there.hash);
    expect(answers[3]).toContain("Current thread is 2");
    expect([answers[4], answers[5]]).toEqual([
      `$1 = 0x${there.registers.rip.toString(16)}`,
      `$2 = 0x${there.registers.cr3.toString(16)}`,
    ]);
    let before = begun.run({ maxInstructions: there.steps - begun.steps - 600 });
    for (let at = before; at.steps < there.steps; at = at.step()) if (at.turn?.processor === 1) before = at;
    expect(before.turn?.processor).toBe(1);
    expect(answers[7]).toBe(before.hash);
    expect(answers[9]).toBe(`$3 = 0x${longRegisters(before.turn!.others[0]!).rsp.toString(16)}`);
    expect(answers[11]).toBe(begun.hash);
  });
});
