/** Random operations on files, done inside and on the computer's own file system by one program; see `file-operations.c`. */
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import * as fc from "fast-check";
import type { Kernel } from "../../src/kernel/kernel.js";
import { compiled, kernelWith, ranOn } from "./kernel-programs.js";

const part = fc.constantFrom("a", "b", "c", "d", ".", "..");
const name = fc.array(part, { minLength: 1, maxLength: 3 }).map((parts) => parts.join("/"));
/** Targets of links lead to names below: with links to what is above, a name could lead anywhere on this computer. */
const target = fc
  .array(fc.constantFrom("a", "b", "c", "d", "."), { minLength: 1, maxLength: 3 })
  .map((parts) => parts.join("/"));
const slashed = fc.tuple(name, fc.constantFrom("", "", "", "/")).map(([one, end]) => one + end);
const slot = fc.nat(3);
const size = fc.oneof(fc.nat(20), fc.nat(10_000), fc.constantFrom(4095, 4096, 4097, 100_000));
/** 0, O_CREAT, O_CREAT | O_EXCL, O_CREAT | O_TRUNC, O_CREAT | O_APPEND, O_DIRECTORY, O_NOFOLLOW */
const openFlags = fc.constantFrom(0, 0o100, 0o100, 0o100, 0o300, 0o1100, 0o2100, 0o200000, 0o400000);

const line = (
  what: string,
  a: fc.Arbitrary<string> = fc.constant("-"),
  b: fc.Arbitrary<string> = fc.constant("-"),
  x: fc.Arbitrary<number> = fc.constant(0),
  y: fc.Arbitrary<number> = fc.constant(0),
): fc.Arbitrary<string> => fc.tuple(a, b, x, y).map((values) => [what, ...values].join(" "));
const none = fc.constant("-");

const operation = fc.oneof(
  { weight: 6, arbitrary: line("open", slashed, none, slot, openFlags) },
  { weight: 4, arbitrary: line("write", none, none, slot, size) },
  line("pwrite", none, none, slot, size),
  line("read", none, none, slot, size),
  line("seek", none, none, slot, size),
  line("end", none, none, slot, size),
  line("close", none, none, slot),
  line("ftruncate", none, none, slot, size),
  line("truncate", name, none, fc.constant(0), size),
  { weight: 6, arbitrary: line("mkdir", slashed) },
  line("rmdir", slashed),
  { weight: 3, arbitrary: line("unlink", slashed) },
  { weight: 6, arbitrary: line("rename", slashed, slashed, fc.constant(0), fc.constantFrom(0, 0, 0, 1, 2)) },
  { weight: 3, arbitrary: line("link", name, name) },
  { weight: 2, arbitrary: line("symlink", target, name) },
  line("chmod", name, none, fc.constant(0), fc.nat(0o77)),
);

/** Lines for the program. */
export const fileOperations = fc.array(operation, { minLength: 1, maxLength: 60 });

const program = (): Uint8Array => compiled(path.join(__dirname, "file-operations.c"));

/** A kernel that has the program, and a folder for it. */
export const kernelForOperations = (): Kernel =>
  kernelWith(
    [
      { path: "program", mode: 0o100755, data: program() },
      { path: "work", mode: 0o040755 },
    ],
    "32M",
  );

/** What the program says inside. */
export function operatedInside(kernel: Kernel, lines: readonly string[]): string {
  const { output, status } = ranOn(kernel, ["/program"], { directory: "/work", input: `${lines.join("\n")}\n` });
  return `${output}status ${status}`;
}

/** What it says on this computer. */
export function operatedOutside(lines: readonly string[]): string {
  const folder = mkdtempSync(path.join(tmpdir(), "virtlab-files-"));
  try {
    const file = path.join(folder, "program");
    writeFileSync(file, program(), { mode: 0o755 });
    const output = execFileSync(file, { cwd: folder, input: `${lines.join("\n")}\n`, encoding: "latin1" });
    return `${output}status 0`;
  } finally {
    rmSync(folder, { recursive: true });
  }
}
