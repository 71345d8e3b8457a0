import fc from "fast-check";
import { expect, it } from "vitest";
import { assemble } from "../hardware/isa/assembler/assembler.js";
import { Machine } from "../hardware/machine.js";
import { Kernel, type SpawnOptions } from "./kernel.js";

/** A static ELF file of one segment with this 64-bit code. */
function program(text: string): Uint8Array {
  const base = 0x40_0000;
  const { bytes } = assemble(`org ${base + 0x78}\n${text}`, { bits: 64, name: "program" });
  const file = new Uint8Array(0x78 + bytes.length);
  const view = new DataView(file.buffer);
  file.set([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1]);
  view.setUint16(16, 2, true);
  view.setUint16(18, 62, true);
  view.setUint32(20, 1, true);
  view.setUint32(24, base + 0x78, true);
  view.setUint32(32, 64, true);
  view.setUint16(52, 64, true);
  view.setUint16(54, 56, true);
  view.setUint16(56, 1, true);
  view.setUint32(64, 1, true);
  view.setUint32(68, 7, true);
  view.setUint32(80, base, true);
  view.setUint32(88, base, true);
  view.setUint32(96, file.length, true);
  view.setUint32(104, file.length, true);
  view.setUint32(112, 0x1000, true);
  file.set(bytes, 0x78);
  return file;
}

const run = (text: string) => {
  const machine = Machine.create({ machine: "pc", model: "max", memory: "16M" });
  const root = [{ path: "program", mode: 0o100755, data: program(text) }];
  return Kernel.boot(machine, { root }).spawn(["/program"]).run();
};

it("a program writes to its standard output and ends with its status", () => {
  const kernel = run(`
        mov eax, 1
        mov edi, 1
        lea rsi, [rel text]
        mov edx, 6
        syscall
        mov eax, 231
        mov edi, 42
        syscall
text:   db "hello", 10`);
  const [process] = kernel.spawned;
  expect(new TextDecoder().decode(process!.output)).toBe("hello\n");
  expect(process!.status).toBe(42 << 8);
});

it("a system call there is not gives ENOSYS, and is told as not served", () => {
  const machine = Machine.create({ machine: "pc", model: "max", memory: "16M" });
  const data = program("mov eax, 441\nsyscall\nneg eax\nmov edi, eax\nmov eax, 231\nsyscall");
  const kernel = Kernel.boot(machine, { root: [{ path: "program", mode: 0o100755, data }] }).spawn(["/program"]);
  const done = kernel.run({ observe: ["syscall"] });
  expect(done.spawned[0]!.status).toBe(38 << 8);
  expect(done.events[0]).toMatchObject({ name: "epoll_pwait2", result: -38, served: false });
});

/** Reads what there is, writes it, and begins again; ends with 0 at the end of what it reads. */
const echo = program(`again:
        xor eax, eax
        xor edi, edi
        lea rsi, [rel buffer]
        mov edx, 64
        syscall
        test eax, eax
        jz done
        mov edx, eax
        mov eax, 1
        mov edi, 1
        lea rsi, [rel buffer]
        syscall
        jmp again
done:   mov eax, 231
        xor edi, edi
        syscall
buffer: times 64 db 0`);
const echoing = (options: SpawnOptions): Kernel => {
  const machine = Machine.create({ machine: "pc", model: "max", memory: "16M" });
  return Kernel.boot(machine, {
    root: [
      { path: "dev", mode: 0o40755 },
      { path: "echo", mode: 0o100755, data: echo },
    ],
  }).spawn(["/echo"], options);
};
const outputOf = (kernel: Kernel): string => new TextDecoder().decode(kernel.spawned[0]!.output);

it("a program reads what it is fed, whenever that comes, up to its end", () => {
  const started = echoing({ inputOpen: true, input: "one " }).run();
  const { id } = started.spawned[0]!;
  expect(outputOf(started)).toBe("one ");
  const more = started.feed(id, "two ").run().feed(id, "three");
  expect(outputOf(more)).toBe("one two ");
  expect(more.run().spawned[0]!.status).toBeUndefined();
  const done = more.closeInput(id).run();
  expect([outputOf(done), done.spawned[0]!.status]).toEqual(["one two three", 0]);
  expect(() => done.feed(id, "four")).not.toThrow();
  expect(() => more.feed(1, "x")).toThrow("1 is no process that was started from outside");
});

it("output that was collected is there once", () => {
  const done = echoing({ input: "text" }).run();
  const { kernel, output } = done.collect(done.spawned[0]!.id);
  expect([new TextDecoder().decode(output), outputOf(kernel), outputOf(done)]).toEqual(["text", "", "text"]);
});

it("a step to a system call ends just behind it, and single steps lead to the same place", () => {
  const first = echoing({ input: "x" }).step("syscall");
  expect(first.events).toMatchObject([{ kind: "syscall", name: "read", result: 1 }]);
  const second = first.step("syscall");
  expect(second.events).toMatchObject([{ name: "write", result: 1 }]);
  let by = first;
  while (by.machine.steps < second.machine.steps) by = by.step();
  expect(by.hash).toBe(second.hash);
});

it("a run goes on until a process has ended, or what is asked behind every call is true", () => {
  const kernel = echoing({ input: "x" });
  const { id } = kernel.spawned[0]!;
  expect(kernel.run({ until: { ended: id } }).spawned[0]!.status).toBe(0);
  const wrote = kernel.run({ until: ({ spawned }) => spawned[0]!.output.length > 0 });
  expect([wrote.stop, outputOf(wrote), wrote.spawned[0]!.status]).toEqual([{ reason: "until" }, "x", undefined]);
});

it("a kernel that was saved and loaded at any step goes on as one that was not", () => {
  const kernel = echoing({ inputOpen: true, input: "some" }).run({ observe: ["syscall"] });
  const end = kernel.closeInput(kernel.spawned[0]!.id).run();
  fc.assert(
    fc.property(fc.integer({ min: 0, max: end.machine.steps - 1 }), (steps) => {
      const there = echoing({ inputOpen: true, input: "some" }).run({ maxInstructions: steps });
      const loaded = Kernel.load(there.save());
      expect(loaded.hash).toBe(there.hash);
      expect(Kernel.diff(loaded, there)).toEqual(Kernel.diff(there, there));
      const { id } = loaded.spawned[0]!;
      expect(loaded.closeInput(id).run().hash).toBe(there.closeInput(id).run().hash);
    }),
    { numRuns: 20 },
  );
});

it("lines typed at the console are read by a program there, and shown", () => {
  const waiting = echoing({ streams: "console" }).run();
  expect(waiting.stop).toMatchObject({ reason: "halted", waitsForInput: true });
  expect(waiting.processes).toMatchObject([{ pid: 1, state: "S", terminal: "ttyS0", name: "echo" }]);
  expect(waiting.files.map(({ name }) => name)).toEqual(["/dev/console", "/dev/console", "/dev/console"]);
  const typed = waiting.type("one\x7f\x7fff\r").run();
  expect(typed.console).toBe("one\b \b\b \bff\r\noff\r\n");
  expect(typed.type("\x04").run().spawned[0]!.status).toBe(0);
});

it("an interrupt typed at the console ends the program in its foreground", () => {
  const ended = echoing({ streams: "console" }).run().type("ab\x03").run();
  expect([ended.console, ended.spawned[0]!.status]).toEqual(["ab^C", 2]);
});
