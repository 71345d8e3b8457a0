import { expect, it } from "vitest";
import { assemble } from "../hardware/isa/assembler/assembler.js";
import { Machine } from "../hardware/machine.js";
import { Kernel } from "./kernel.js";

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
  const data = program("mov eax, 447\nsyscall\nneg eax\nmov edi, eax\nmov eax, 231\nsyscall");
  const kernel = Kernel.boot(machine, { root: [{ path: "program", mode: 0o100755, data }] }).spawn(["/program"]);
  const done = kernel.run({ observe: ["syscall"] });
  expect(done.spawned[0]!.status).toBe(38 << 8);
  expect(done.events[0]).toMatchObject({ name: "memfd_secret", result: -38, served: false });
});
