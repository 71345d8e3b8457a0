import fc from "fast-check";
import { expect, it } from "vitest";
import { Machine } from "../../src/hardware/machine.js";
import { Kernel } from "../../src/kernel/kernel.js";
import { bytesOfProgram } from "../support/small-programs.js";

/** A program that ends with 42. */
const good = bytesOfProgram(`
        mov eax, 231
        mov edi, 42
        syscall`);

/** Executes a file, and a good one behind it. */
function executed(data: Uint8Array) {
  const machine = Machine.create({ machine: "pc", model: "max", memory: "16M" });
  const root = [
    { path: "file", mode: 0o100755, data },
    { path: "good", mode: 0o100755, data: good },
  ];
  const after = Kernel.boot(machine, { root }).spawn(["/file"]).run({ maxInstructions: 20_000 });
  return after.spawn(["/good"]).run({ maxInstructions: 200_000 }).spawned;
}

it("a file that is a good program but for some bytes ends somehow, and the kernel goes on", () => {
  const changes = fc.array(fc.tuple(fc.nat(0x77), fc.oneof(fc.constantFrom(0, 1, 0x7f, 0x80, 0xff), fc.nat(255))), {
    minLength: 1,
    maxLength: 12,
  });
  fc.assert(
    fc.property(changes, fc.nat(good.length), (bytes, cut) => {
      const data = good.slice(0, bytes.length % 3 === 0 ? cut : good.length);
      for (const [at, byte] of bytes) if (at < data.length) data[at] = byte;
      const [first, second] = executed(data);
      expect(first!.failed ?? "begun").toMatch(/^(begun|E[A-Z0-9]+)$/);
      expect(second!.status).toBe(42 << 8);
    }),
    { numRuns: 60, seed: 7 },
  );
});

it("program headers with sizes and addresses at the edges give an errno, or a program that is ended by a signal", () => {
  const edge = fc.constantFrom(
    0n,
    1n,
    0xfffn,
    0x1000n,
    0x40_0000n,
    2n ** 31n,
    2n ** 32n - 1n,
    2n ** 47n - 4096n,
    2n ** 63n,
    2n ** 64n - 1n,
  );
  fc.assert(
    fc.property(
      fc.array(fc.tuple(fc.constantFrom(24, 32, 72, 80, 88, 96, 104, 112), edge), { minLength: 1, maxLength: 4 }),
      (fields) => {
        const data = good.slice();
        const view = new DataView(data.buffer);
        for (const [at, value] of fields) view.setBigUint64(at, value, true);
        const [first, second] = executed(data);
        expect(first!.failed ?? "begun").toMatch(/^(begun|E[A-Z0-9]+)$/);
        expect(second!.status).toBe(42 << 8);
      },
    ),
    { numRuns: 60, seed: 11 },
  );
});

it("a script whose interpreter is itself gives ELOOP, one without an interpreter ENOEXEC", () => {
  const text = (line: string): Uint8Array => new TextEncoder().encode(line);
  expect(executed(text("#!/file\n"))[0]!.failed).toBe("ELOOP");
  expect(executed(text("#!  \n"))[0]!.failed).toBe("ENOEXEC");
  expect(executed(text("MZ\x90 no program"))[0]!.failed).toBe("ENOEXEC");
  expect(executed(new Uint8Array(0))[0]!.failed).toBe("ENOEXEC");
});
