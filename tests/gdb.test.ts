/** Debian's gdb on machines: what it reads is what they are, where it stops is where they come by, and it can go back. */
import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { serveGdb } from "../src/gdb/server.js";
import { assemble } from "../src/hardware/isa/assembler/assembler.js";
import { Machine } from "../src/hardware/machine.js";
import { bootGuest } from "./support/apic-guest.js";
import { debug, runGdb } from "./support/gdb.js";
import { peer } from "./support/peers.js";
import { severalGuests } from "./support/several-cells.js";
import { packageRoot } from "./support/virtlab.js";

const file = (name: string): string => join(packageRoot, "guests", "images", `${name}.elf`);
const boot = (name: string): Machine => Machine.boot({ image: readFileSync(file(name)), memory: "16M" });
const rings = boot("rings");

/** Steps, step by step, until the machine is at one of the addresses. */
const walkTo = (machine: Machine, ...addresses: readonly number[]): Machine => {
  for (let step = 0; step < 100_000; step++) {
    machine = machine.step();
    if (addresses.includes(machine.registers.eip)) return machine;
  }
  throw new Error("the guest does not come by there");
};
const hex = (value: number): string => `0x${value.toString(16)}`;

describe("gdb", () => {
  it("reads the registers that the machine has", async (context) => {
    const machine = rings.run({ maxInstructions: 50_000 });
    const { answers } = await debug(context, machine, file("rings"), ["info registers", "p $xmm0", "p $st0", "detach"]);
    const shown = Object.fromEntries(answers[0]!.split("\n").map((line) => line.split(/\s+/, 2)));
    const { registers } = machine;
    for (const name of ["eax", "ecx", "edx", "ebx", "esp", "ebp", "esi", "edi", "eip", "eflags"] as const)
      expect([name, shown[name]]).toEqual([name, hex(registers[name])]);
    for (const name of ["cs", "ss", "ds", "es", "fs", "gs", "cr0", "cr2", "cr3", "cr4"] as const)
      expect([name, shown[name]]).toEqual([name, hex(registers[name])]);
    expect(answers[1]).toContain("uint128 = 0");
    expect(answers[2]).toBe("$2 = 0");
  });

  it("stops at a breakpoint where single steps arrive, and steps from there", async (context) => {
    const { answers } = await debug(context, rings, file("rings"), [
      "break guest_main",
      "continue",
      "p/x $esp",
      "x/2i $pc",
      "stepi",
      "stepi",
      "p/x $eip",
      "info breakpoints",
    ]);
    const at = walkTo(rings, 0x1010b8);
    expect(answers[1]).toContain("Breakpoint 1, 0x001010b8 in guest_main ()");
    expect(answers[2]).toBe(`$1 = ${hex(at.registers.esp)}`);
    expect(answers[3]).toMatch(
      /=> 0x1010b8 <guest_main>:\s+push\s+%ebx\n\s+0x1010b9 <guest_main\+1>:\s+sub\s+\$0x8,%esp/,
    );
    expect(answers[6]).toBe(`$2 = ${hex(at.step().step().registers.eip)}`);
    expect(answers[7]).toContain("breakpoint already hit 1 time");
  });

  it("reads and writes memory at linear addresses, in the mode the machine is in", async (context) => {
    const user = boot("faults").run({ until: ({ cpl }) => cpl === 3 });
    const stack = user.registers.esp - 64;
    const { answers, left } = await debug(context, user, file("faults"), [
      `x/4xb ${hex(user.registers.eip)}`,
      `set var {int}${hex(stack)} = 0x12345678`,
      `x/xw ${hex(stack)}`,
      "x/xw 0xf0000000",
      "set var $ecx = 0x55aa",
      "detach",
    ]);
    const code = Array.from(
      user.readLinear(user.registers.eip, 4),
      (byte) => `0x${byte.toString(16).padStart(2, "0")}`,
    );
    expect(answers[0]!.split(/:\s+/)[1]!.split(/\s+/)).toEqual(code);
    expect(answers[2]).toMatch(/0x12345678$/);
    expect(answers[3]).toBe("0xf0000000:\tCannot access memory at address 0xf0000000");
    expect(left.how).toBe("detached");
    expect(left.machine.registers.ecx).toBe(0x55aa);
    expect(left.machine.readLinear(stack, 4)).toEqual(Uint8Array.of(0x78, 0x56, 0x34, 0x12));
  });

  it("stops behind a write with the old and the new value, and back in front of it", async (context) => {
    // Where the main function of the guest leaves the return addresses of its calls.
    const { answers } = await debug(context, rings, file("rings"), [
      "watch *(int*)0x105fe4",
      "continue",
      "p/x $eip",
      "continue",
      "p *(int*)0x105fe4",
      "reverse-continue",
      "p/x $eip",
      "reverse-continue",
      "p/x $eip",
      "reverse-continue",
    ]);
    const writes: { readonly before: Machine; readonly after: Machine }[] = [];
    const word = (machine: Machine): number => new DataView(machine.readLinear(0x105fe4, 4).buffer).getInt32(0, true);
    for (let machine = rings; writes.length < 2 && machine.steps < 10_000; ) {
      const next = machine.step();
      if (word(next) !== word(machine)) writes.push({ before: machine, after: next });
      machine = next;
    }
    const [first, second] = writes;
    expect(answers[1]).toContain(`Old value = 0\nNew value = ${word(first!.after)}`);
    expect(answers[2]).toBe(`$1 = ${hex(first!.after.registers.eip)}`);
    expect(answers[4]).toBe(`$2 = ${word(second!.after)}`);
    expect(answers[5]).toContain(`Old value = ${word(second!.after)}\nNew value = ${word(second!.before)}`);
    expect(answers[6]).toBe(`$3 = ${hex(second!.before.registers.eip)}`);
    expect(answers[8]).toBe(`$4 = ${hex(first!.before.registers.eip)}`);
    expect(answers[9]).toContain("No more reverse-execution history.");
  });

  it("goes back step by step and breakpoint by breakpoint, and on again to the same machine", async (context) => {
    const { answers } = await debug(context, rings, file("rings"), [
      "break serial_start",
      "break guest_main",
      "continue",
      "continue",
      "monitor hash",
      "stepi 100",
      "reverse-stepi 10",
      "monitor ticks",
      "reverse-continue",
      "monitor hash",
      "reverse-continue",
      "p/x $eip",
      "reverse-continue",
      "continue",
      "continue",
      "monitor hash",
      "detach",
    ]);
    const main = walkTo(rings, 0x1010b8);
    const serial = walkTo(main, 0x1000ac);
    expect(answers[3]).toContain("in serial_start ()");
    expect(answers[4]).toBe(serial.hash);
    expect(answers[7]).toBe(String(serial.ticks + 90));
    expect(answers[9]).toBe(serial.hash);
    expect(answers[11]).toBe("$1 = 0x1010b8");
    expect(answers[12]).toContain("No more reverse-execution history.");
    expect(answers[15]).toBe(serial.hash);
  });

  it("keeps snapshots, and comes back to them", async (context) => {
    const { answers } = await debug(context, rings, file("rings"), [
      "monitor snapshot start",
      "stepi 1000",
      "monitor restore start",
      "maintenance flush register-cache",
      "monitor hash",
      "p/x $eip",
      "monitor restore nothing",
      "monitor info",
      "monitor dance",
    ]);
    expect(answers[0]).toBe('snapshot "start" at step 0');
    expect(answers[4]).toBe(rings.hash);
    expect(answers[5]).toBe(`$1 = ${hex(rings.registers.eip)}`);
    expect(answers[6]).toBe('there is no snapshot "nothing"');
    expect(answers[7]).toContain("can go back to step 0");
    expect(answers[8]).toContain('unknown command "dance"');
  });

  it("is told how the machine ended, can go back from there, and takes the end by going on", async (context) => {
    const ended = await debug(context, rings, file("rings"), ["continue", "reverse-stepi", "stepi", "continue"]);
    expect(ended.answers[0]).toContain("virtlab: the machine has ended: debug exit with 16");
    expect(ended.answers[0]).toContain("Program received signal SIGTERM");
    expect(ended.answers[3]).toContain("exited with code 041");
    expect(ended.left.how).toBe("exited");
    const fallen = await debug(context, boot("triple"), file("triple"), ["continue"]);
    expect(fallen.answers[0]).toContain("Program received signal SIGSEGV");
  });

  it("sees in a debugged run what an undisturbed one puts out", async (context) => {
    let serial = "";
    const onMachine = (machine: Machine): void => {
      if (machine.serial.length > serial.length) serial = machine.serial;
    };
    const { left } = await debug(
      context,
      rings,
      file("rings"),
      ["hbreak enter_ring3", "continue", "continue", "delete", "continue", "detach"],
      { onMachine },
    );
    const alone = rings.run();
    expect(serial).toBe(alone.serial);
    expect(left.machine.hash).toBe(alone.hash);
  });

  it("waits with a machine that waits for input, and what was typed comes again when it goes back and on", async (context) => {
    const echo = boot("echo");
    const { answers, left } = await debug(
      context,
      echo,
      file("echo"),
      ["continue", "reverse-continue", "continue", "detach"],
      { onServer: (server) => server.type(new TextEncoder().encode("hello\nquit\n")) },
    );
    expect(answers[0]).toContain("the machine has ended: debug exit");
    expect(answers[1]).toContain("No more reverse-execution history.");
    expect(answers[2]).toContain("the machine has ended: debug exit");
    expect(left.machine.serial).toBe("echo: ready\nHELLO\necho: 1 lines\n");
  });
});

/**
 * Goes into long mode with the first 2 MiB mapped at 0 and in the upper half, writes there, and loops there.
 * Spec: SDM Vol. 3A, "Initializing IA-32e Mode".
 */
const longMode = `
  org 0x100000
  mov dword [0x2000], 0x3003
  mov dword [0x2ff8], 0x3003
  mov dword [0x3000], 0x4003
  mov dword [0x3ff8], 0x4003
  mov dword [0x4000], 0x83
  mov eax, 0x20
  mov cr4, eax
  mov eax, 0x2000
  mov cr3, eax
  mov ecx, 0xc0000080
  mov eax, 0x100
  xor edx, edx
  wrmsr
  mov eax, 0x80000011
  mov cr0, eax
  lgdt [pointer]
  jmp 8:wide
pointer: dw 15
  dd table
table: dd 0, 0, 0, 0x00209a00
wide:
  db 0x48, 0xb8, 0x88, 0x77, 0x66, 0x55, 0x44, 0x33, 0x22, 0x11 ; mov rax, 0x1122334455667788
  db 0x49, 0x89, 0xc7 ; mov r15, rax
  db 0x48, 0xbb, 0, 0, 0x18, 0xc0, 0xff, 0xff, 0xff, 0xff ; mov rbx, 0xffffffffc0180000
  db 0x48, 0x89, 0x03 ; mov [rbx], rax
  db 0x48, 0xc7, 0xc2 ; mov rdx, upper + 0xffffffffc0000000
  dd upper + 0xc0000000
  db 0xff, 0xe2 ; jmp rdx
upper:
  db 0x48, 0xff, 0x03 ; inc qword [rbx]
  db 0xeb, 0xfb ; jmp upper
`;

describe("gdb in long mode", () => {
  const booted = Machine.boot({ image: assemble(longMode, { bits: 32 }).bytes, memory: "4M", model: "core2" });
  const machine = booted.run({
    until: ({ cpu }) => (cpu.system.segments.cs.access & 0x2000) !== 0,
    maxInstructions: 100,
  });

  it("reads and writes 64-bit registers, and memory of the upper half", async (context) => {
    const { answers, left } = await debug(context, machine, "", [
      "stepi 4",
      "info registers",
      "x/2xg 0xffffffffc0180000",
      "x/2i $pc",
      "set var $r15 = 0x8877665544332211",
      "set var $st0 = 1.5",
      "set var $xmm9.uint128 = 0x123456789abcdef0",
      "set var {long}0xffffffffc0180008 = -2",
      "p/x $r15",
      "p $st0",
      "stepi 3",
      "p $pc",
      "set var $pc = 0xffffffffc0100000",
      "p/x $rip",
      "x/i 0x8000000000000000",
      "detach",
    ]);
    const shown = Object.fromEntries(answers[1]!.split("\n").map((line) => line.split(/\s+/, 2)));
    const { registers } = machine.run({ maxInstructions: 4 });
    for (const name of ["rax", "rbx", "rsp", "r8", "r15", "rip", "cr0", "cr3", "cr4"] as const)
      expect([name, shown[name]]).toEqual([name, `0x${registers[name].toString(16)}`]);
    expect(shown["rax"]).toBe("0x1122334455667788");
    expect(answers[2]).toMatch(/^0xffffffffc0180000:\s+0x1122334455667788\s+0x0{16}$/);
    expect(answers[3]).toMatch(/mov\s+\$0xffffffffc01000[0-9a-f]{2},%rdx\n.*jmp\s+\*%rdx/);
    expect([answers[8], answers[9]]).toEqual(["$1 = 0x8877665544332211", "$2 = 1.5"]);
    expect(answers[11]).toMatch(/^\$3 = \(void \(\*\)\(\)\) 0xffffffffc01000[0-9a-f]{2}$/);
    expect(answers[13]).toBe("$4 = 0xffffffffc0100000");
    expect(answers[14]).toContain("Cannot access memory");
    expect(left.machine.registers.r15).toBe(0x8877665544332211n);
    expect(left.machine.cpu.floating.xmm[9]).toBe(0x123456789abcdef0n);
    expect(left.machine.cpu.floating.registers[0]).toBe(0x3fffc000000000000000n);
    expect(left.machine.readLinear(0xffffffffc0180008n, 8)).toEqual(Uint8Array.of(0xfe, ...Array(7).fill(0xff)));
  });

  it("stops at breakpoints and watchpoints of the upper half, both ways", async (context) => {
    const { answers } = await debug(context, machine, "", [
      "watch *(long*)0xffffffffc0180000",
      "continue",
      "continue",
      "p/x $rip",
      'eval "hbreak *%lu", $rip',
      "delete 1",
      "continue",
      "p/x *(long*)0xffffffffc0180000",
      "reverse-continue",
      "reverse-stepi",
      "p/x $rip",
      "watch *(long*)0xffffffffc0180000",
      "reverse-continue",
      "monitor info",
      "detach",
    ]);
    expect(answers[1]).toMatch(/Old value = 0\nNew value = 1234605616436508552/);
    expect(answers[2]).toMatch(/New value = 1234605616436508553/);
    expect(answers[3]).toMatch(/^\$1 = 0xffffffffc01000[0-9a-f]{2}$/);
    expect(answers[6]).toContain("Breakpoint 2, 0xffffffffc01000");
    expect(answers[7]).toBe("$2 = 0x112233445566778a");
    expect(answers[10]).not.toBe(answers[3]);
    expect(answers[12]).toMatch(
      /Old value = 1234605616436508553\nNew value = 1234605616436508552|Old value = 1234605616436508552\nNew value = 0/,
    );
    expect(answers[13]).toMatch(/^steps \d+/);
  });

  it("finds its places in code that was run before, too", () => {
    const loop = machine.run({ maxInstructions: 1000 });
    const { rip } = loop.registers;
    const address = Number(BigInt.asIntN(64, rip));
    const again = loop.run({ breakpoints: [address] });
    expect(again.stop).toEqual({ reason: "breakpoint", address });
    expect(again.steps).toBe(1000 + machine.steps + 2);
    expect(loop.run({ until: address }).steps).toBe(again.steps);
  });

  it("leaves nothing behind that hides places of 32-bit code", () => {
    const source = "org 0x100000\nmov eax, there\njmp eax\nthere: nop\njmp there";
    const other = Machine.boot({ image: assemble(source, { bits: 32 }).bytes, memory: "2M" });
    for (const name of ["before", "behind"]) {
      const { stop, steps } = other.run({ breakpoints: [0x100007], maxInstructions: 10 });
      expect([name, stop, steps]).toEqual([name, { reason: "breakpoint", address: 0x100007 }, 2]);
      machine.run({ maxInstructions: 1000 });
      // Other code in the place of that one, so that its block is looked for anew.
      other.write(0x100007, Uint8Array.of(0x40)).run({ maxInstructions: 10 });
      machine.run({ maxInstructions: 1001 });
    }
  });

  it("is told to connect again when the processor has come into long mode", async (context) => {
    const { answers } = await debug(context, booted, "", ["stepi 20", "p/x $cr0", "detach"]);
    expect(answers[0]).toContain("virtlab: the processor is in long mode now: disconnect and connect again to see it");
    expect(answers[1]).toBe("$1 = 0x80000011");
  });
});

describe("a debugger's break", () => {
  it("stops a run that has no end", async () => {
    const endless = Machine.boot({ image: Uint8Array.of(0x40, 0xeb, 0xfd), memory: "2M" });
    const server = await serveGdb(endless);
    const socket = connect(server.port, "127.0.0.1");
    let received = "";
    const heard = (text: string): Promise<void> =>
      new Promise((resolve) => {
        const look = (): void => {
          if (!received.includes(text)) return;
          socket.removeListener("data", look);
          resolve();
        };
        socket.on("data", look);
        look();
      });
    socket.on("data", (bytes) => {
      received += bytes.toString();
    });
    socket.write("$vCont;c#a8");
    await heard("+");
    socket.write(Uint8Array.of(3));
    await heard("$T02thread:1;#d4");
    socket.write("$vCont;c#a8");
    socket.write(Uint8Array.of(3));
    await heard("$T02thread:1;#d4+$T02thread:1;#d4");
    socket.write("$D#44");
    expect((await server.left).how).toBe("detached");
  });
});

describe("gdb with two processors", () => {
  const machine = bootGuest(severalGuests[1]!.image, { processors: 2 }).run({ maxInstructions: 12_345 });

  it("has a thread for each, reads the registers of both, and steps the one it means", async (context) => {
    const { answers } = await debug(context, machine, "", [
      "info threads",
      "thread 1",
      "p/x $esp",
      "thread 2",
      "p/x $esp",
      "p/x $eip",
      "stepi",
      "p/x $eip",
      "set var $eax = 77",
      "detach",
    ]);
    const { turn, cpu } = machine;
    const [first, second] = turn!.processor === 0 ? [cpu, turn!.others[0]!] : [turn!.others[0]!, cpu];
    expect(answers[0]).toMatch(/Thread 1 \(processor 0.*\n.*Thread 2 \(processor 1/);
    expect(answers[2]).toBe(`$1 = ${hex(first.esp >>> 0)}`);
    expect(answers[4]).toBe(`$2 = ${hex(second.esp >>> 0)}`);
    expect(answers[5]).toBe(`$3 = ${hex(second.eip >>> 0)}`);
    let stepped = machine;
    while (stepped.turn!.processor !== 1) stepped = stepped.step();
    stepped = stepped.step();
    expect(answers[7]).toBe(`$4 = ${hex(stepped.registers.eip)}`);
  });

  it("writes the registers of both, and of no other than it means", async (context) => {
    const { turn, cpu } = machine;
    const other = 1 - turn!.processor;
    const { answers, left } = await debug(context, machine, "", [
      `thread ${turn!.processor + 1}`,
      "set var $ecx = 55",
      `thread ${other + 1}`,
      "set var $ebx = 77",
      "set var $xmm1.uint128 = 88",
      "p $ebx",
      "set var $cs = 8",
      "detach",
    ]);
    expect(answers[5]).toBe("$1 = 77");
    expect(left.machine.cpu).toEqual({ ...cpu, ecx: 55 });
    const [before, after] = [turn!.others[0]!, left.machine.turn!.others[0]!];
    const xmm = before.floating.xmm.map((value, number) => (number === 1 ? 88n : value));
    expect(after).toEqual({ ...before, ebx: 77, floating: { ...before.floating, xmm } });
    // What was written is what that processor goes on with.
    let gone = left.machine;
    while (gone.turn!.processor !== other) gone = gone.step();
    expect(gone.registers.ebx).toBe(77);
  });

  it("steps back over the last step of the one it means, however many the other has made since", async (context) => {
    const [present, other] = [machine.turn!.processor, 1 - machine.turn!.processor];
    /** Up to a machine at which it is a processor's turn, and over its step. */
    const stepped = (from: Machine, processor: number): Machine => {
      while (from.turn!.processor !== processor) from = from.step();
      return from.step();
    };
    const second = stepped(stepped(machine, present), other);
    const third = stepped(stepped(second, other), other);
    let before = machine;
    for (let at = machine; at.turn!.processor === present; at = at.step()) before = at;
    const { answers } = await debug(context, machine, "", [
      "stepi",
      `thread ${other + 1}`,
      "stepi",
      "monitor hash",
      "stepi 2",
      "monitor hash",
      "reverse-stepi 2",
      "monitor hash",
      `thread ${present + 1}`,
      "reverse-stepi",
      "monitor hash",
      `thread ${other + 1}`,
      "reverse-stepi",
    ]);
    expect([answers[3], answers[5]]).toEqual([second.hash, third.hash]);
    expect([answers[7], answers[10]]).toEqual([second.hash, before.hash]);
    expect(answers[12]).toContain("No more reverse-execution history.");
  });

  it("goes back to stops of both in the order in which they came, and says whose they are", async (context) => {
    // What each comes by several times, and the word that both write to: mov [ADDRESS], eax.
    const visits: Map<number, number>[] = [new Map(), new Map()];
    let at = machine;
    for (; at.steps < machine.steps + 4000; at = at.step()) {
      const own = visits[at.turn!.processor]!;
      own.set(at.registers.eip, (own.get(at.registers.eip) ?? 0) + 1);
    }
    const breakpoints = visits.map((own) => [...own].sort((a, b) => a[1] - b[1]).find(([, count]) => count > 2)![0]);
    const written = visits.map((own) => {
      const [place] = [...own.keys()].filter((address) => machine.readLinear(address, 1)[0] === 0xa3);
      return new DataView(machine.readLinear(place! + 1, 4).buffer).getUint32(0, true);
    });
    expect(written[0]).toBe(written[1]);
    const address = written[0]!;
    const thread = (of: Machine): number => of.turn!.processor + 1;
    const there: { readonly hash: string; readonly thread: number }[] = [];
    const back: typeof there = [];
    for (at = machine; there.length < 24 || at.stop!.reason !== "breakpoint"; ) {
      const from = at;
      at = from.run({ breakpoints, watchpoints: [{ address, length: 4, on: "write" }] });
      const before = from.run({ maxInstructions: at.steps - from.steps - 1 });
      const accessed = at.stop!.reason === "watchpoint";
      there.push({ hash: at.hash, thread: thread(accessed ? before : at) });
      // The way back comes by twice where a breakpoint is right behind an access.
      if (accessed) back.push({ hash: before.hash, thread: thread(before) });
      if (breakpoints.includes(at.registers.eip)) back.push({ hash: at.hash, thread: thread(at) });
    }
    expect(new Set(there.map((stop) => stop.thread))).toEqual(new Set([1, 2]));
    const { answers } = await debug(context, machine, "", [
      ...[`hbreak *${hex(breakpoints[0]!)}`, `hbreak *${hex(breakpoints[1]!)}`, `watch *(int*)${hex(address)}`],
      ...there.flatMap(() => ["continue", "monitor hash", "thread"]),
      ...back.slice(1).flatMap(() => ["reverse-continue", "monitor hash", "thread"]),
      "reverse-continue",
    ]);
    const shown = Array.from({ length: there.length + back.length - 1 }, (_, index) => ({
      hash: answers[3 * index + 4],
      thread: Number(/Current thread is (\d)/.exec(answers[3 * index + 5]!)?.[1]),
    }));
    expect(shown).toEqual([...there, ...back.slice(0, -1).reverse()]);
    expect(answers.at(-1)).toContain("No more reverse-execution history.");
  });

  it("finds breakpoints on both, and disturbs nothing", () => {
    const places = new Set<number>();
    for (let at = machine, step = 0; step < 3000; step++) {
      at = at.step();
      if (step % 250 === 0) places.add(at.registers.eip);
    }
    const end = machine.run({ maxInstructions: 6000 });
    const processors = new Set<number>();
    let at = machine;
    let hits = 0;
    while (at.steps < end.steps) {
      at = at.run({ maxInstructions: end.steps - at.steps, breakpoints: [...places] });
      if (at.stop?.reason !== "breakpoint") continue;
      hits++;
      processors.add(at.turn!.processor);
    }
    expect(hits).toBeGreaterThan(10);
    expect(processors.size).toBe(2);
    expect(at.hash).toBe(end.hash);
  });
});

describe("virtlab boot --gdb", () => {
  const command = join(packageRoot, "dist", "cli", "main.js");
  /** The command, started, with its port once it is there. */
  async function started(...args: readonly string[]) {
    const child = spawn(process.execPath, [command, "boot", file("rings"), "--memory", "16M", "--gdb", "0", ...args]);
    const ended = new Promise<number | null>((resolve) => child.on("close", resolve));
    let output = "";
    child.stdout.on("data", (bytes: Buffer) => {
      output += bytes.toString();
    });
    const port = await new Promise<number>((resolve, reject) => {
      child.stderr.on("data", (bytes: Buffer) => {
        const match = /waiting for gdb: target remote 127\.0\.0\.1:(\d+)/.exec(bytes.toString());
        if (match) resolve(Number(match[1]));
      });
      child.on("close", () => reject(new Error("the command has ended")));
    });
    return { child, port, ended, output: () => output };
  }

  it("waits, obeys one debugger, and runs on by itself when that detaches", async (context) => {
    const program = peer(context, "gdb");
    const { port, ended, output } = await started();
    const printed = await runGdb(program, port, file("rings"), ["break guest_main", "continue", "detach"]);
    expect(printed).toContain("Breakpoint 1, 0x001010b8 in guest_main ()");
    expect(await ended).toBe(33);
    expect(output()).toBe(rings.run().serial);
  });

  it("turns a second debugger away, lets the next in when the first is gone, and ends when it is killed", async () => {
    const { port, ended } = await started();
    const first = connect(port, "127.0.0.1");
    await new Promise((resolve) => first.on("connect", resolve));
    /** What comes back for some bytes on a line of its own; "closed" where that is cut off at once. */
    const send = (bytes: string): Promise<string> =>
      new Promise((resolve) => {
        const socket = connect(port, "127.0.0.1", () => socket.write(bytes));
        socket.on("data", (answer) => {
          socket.destroy();
          resolve(answer.toString());
        });
        socket.on("close", () => resolve("closed"));
        socket.on("error", () => resolve("closed"));
      });
    const answered = new Promise((resolve) => first.once("data", resolve));
    first.write("$qC#b4");
    await answered;
    expect(await send("$qC#b4")).toBe("closed");
    first.destroy();
    let answer = "closed";
    while (answer === "closed") answer = await send("$qC#b4");
    expect(answer).toBe("+$QC1#c5");
    while (answer !== "+") answer = await send("$k#6b");
    expect(await ended).toBe(3);
  });
});
