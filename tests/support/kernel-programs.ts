/** Real programs for the kernel: roots made of Debian's packages, and C files that are compiled at run time. */
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, renameSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { debianPackages } from "../../src/cli/debian/debian-system.js";
import { fileOfPackage } from "../../src/cli/debian/packages.js";
import { Machine } from "../../src/hardware/machine.js";
import type { EventKind } from "../../src/hardware/state.js";
import { Kernel, type SpawnOptions } from "../../src/kernel/kernel.js";
import type { RootEntry } from "../../src/kernel/root.js";

/** What is on every root. */
const folders: readonly RootEntry[] = [
  ...["bin", "sbin", "dev", "proc", "sys", "etc", "root", "usr/bin", "usr/sbin", "var", "mnt"].map((name) => ({
    path: name,
    mode: 0o040755,
  })),
  { path: "tmp", mode: 0o041777 },
  { path: "etc/passwd", mode: 0o100644, data: new TextEncoder().encode("root:x:0:0:root:/root:/bin/sh\n") },
  { path: "etc/group", mode: 0o100644, data: new TextEncoder().encode("root:x:0:\n") },
];

/** Debian's static busybox, with a link for each of its applets. */
export function busyboxRoot(architecture: "i386" | "amd64"): readonly RootEntry[] {
  const { busybox } = debianPackages(architecture === "i386" ? "686-pae" : "cloud-amd64", { download: true });
  const data = fileOfPackage(busybox, "./bin/busybox");
  const applets = fileOfPackageList(data);
  return [
    ...folders,
    { path: "bin/busybox", mode: 0o100755, data },
    ...applets.map((applet) => ({ path: `bin/${applet}`, mode: 0o100755, target: "bin/busybox", hardLink: true })),
  ];
}

/** The applets that a busybox says it has: names between zeros, in one run. */
function fileOfPackageList(busybox: Uint8Array): readonly string[] {
  const text = Buffer.from(busybox).toString("latin1");
  const start = text.indexOf("[\0[[\0");
  const names: string[] = [];
  for (let at = start; ; ) {
    const end = text.indexOf("\0", at);
    if (end <= at) return names.filter((name) => name !== "busybox");
    names.push(text.slice(at, end));
    at = end + 1;
  }
}

/** A static program from C; the compiler is the host's. */
export function compiled(source: string, bits: 32 | 64 = 64): Uint8Array {
  const folder = path.join(tmpdir(), "virtlab-programs");
  mkdirSync(folder, { recursive: true });
  const digest = createHash("sha256").update(`${bits}\n`).update(readFileSync(source)).digest("hex").slice(0, 16);
  const file = path.join(folder, `${path.basename(source, ".c")}-${digest}`);
  if (!existsSync(file)) {
    const fresh = `${file}.${process.pid}`;
    execFileSync("gcc", [`-m${bits}`, "-static", "-O1", "-w", "-o", fresh, source]);
    renameSync(fresh, file);
  }
  return readFileSync(file);
}

/** A kernel with such a root, in front of its first instruction. */
export const kernelWith = (root: readonly RootEntry[] | Uint8Array, memory = "64M"): Kernel =>
  Kernel.boot(Machine.create({ machine: "pc", model: "max", memory }), { root });

export interface Ran {
  readonly output: string;
  readonly errors: string;
  /** Wait status; undefined if it has not ended. */
  readonly status: number | undefined;
  readonly kernel: Kernel;
}

/** Runs a program to its end, or so many steps. */
export function ranOn(
  kernel: Kernel,
  parameters: readonly string[],
  options: SpawnOptions & { steps?: number; observe?: readonly EventKind[] } = {},
): Ran {
  const { steps = 200_000_000, observe = [], ...spawn } = options;
  const done = kernel.spawn(parameters, spawn).run({ maxInstructions: steps, observe });
  const { output, errors, status } = done.spawned.at(-1)!;
  const decoder = new TextDecoder();
  return { output: decoder.decode(output), errors: decoder.decode(errors), status, kernel: done };
}
