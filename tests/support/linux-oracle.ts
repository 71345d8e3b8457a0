/**
 * Linux as the judge of the kernel: small C programs of ours are run on Debian's kernel under QEMU, all in one start, and inside; what
 * they print has to be the same.
 */
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { debianPackages, debianSystem } from "../../src/cli/debian/debian-system.js";
import { fileOfPackage } from "../../src/cli/debian/packages.js";
import type { Kernel } from "../../src/kernel/kernel.js";
import type { RootEntry } from "../../src/kernel/root.js";
import { type CpioEntry, cpio } from "../../src/systems/debian/cpio.js";
import { busyboxRoot, compiled, kernelWith, type Ran, ranOn } from "./kernel-programs.js";
import { records } from "./syscall-coverage.js";

const FOLDER = path.join(__dirname, "../linux");
/** What each program may take, in seconds of the machine it runs on. */
const TIMEOUT = 60;

/** Names of the programs: files of tests/linux without ".c". */
export const linuxPrograms = (): readonly string[] =>
  readdirSync(FOLDER)
    .filter((name) => name.endsWith(".c"))
    .map((name) => path.basename(name, ".c"))
    .sort();

/** What is mounted before any of them runs, there and here. */
const MOUNTS = [
  "mount -t proc proc /proc",
  "mount -t sysfs sys /sys",
  "mount -t tmpfs tmp /tmp",
  "mount -t cgroup2 cgroup /sys/fs/cgroup",
];

const script = (names: readonly string[]): string => `#!/bin/sh
export PATH=/bin
mount -t devtmpfs dev /dev
insmod /overlay.ko
${MOUNTS.join("\n")}
for name in ${names.join(" ")}; do
  echo "=== begin $name"
  cd /tmp
  timeout ${TIMEOUT} /t/$name < /dev/null 2>&1 | cat
  echo "=== end $name"
done
poweroff -f
`;

/** What all programs run on: busybox, and themselves. */
const rootWith = (names: readonly string[], bits: 32 | 64): readonly RootEntry[] => [
  ...busyboxRoot("amd64"),
  { path: "t", mode: 0o040755 },
  ...names.map((name) => ({ path: `t/${name}`, mode: 0o100755, data: compiled(path.join(FOLDER, `${name}.c`), bits) })),
];

const asCpio = ({ path: name, mode, data, target, hardLink }: RootEntry): CpioEntry =>
  hardLink === true
    ? { name, mode: 0o120777, data: Buffer.from(`/${target}`) }
    : { name, mode, ...(data === undefined ? {} : { data }) };

/** What each program prints on Linux. A start is remembered by what was started. */
export function onLinux(qemu: string, names: readonly string[], bits: 32 | 64): ReadonlyMap<string, string> {
  const { bzImage, version } = debianSystem("cloud-amd64", { download: true });
  // What Debian's kernel has as a module, the other has in it.
  const { kernel } = debianPackages("cloud-amd64", { download: true });
  const overlay = fileOfPackage(kernel, `./lib/modules/${version}/kernel/fs/overlayfs/overlay.ko`);
  const init = { name: "init", mode: 0o100755, data: Buffer.from(script(names)) };
  const initrd = cpio([
    ...rootWith(names, bits).map(asCpio),
    init,
    { name: "overlay.ko", mode: 0o100644, data: overlay },
  ]);
  const digest = createHash("sha256").update(initrd).update(bzImage).digest("hex").slice(0, 16);
  const folder = path.join(tmpdir(), "virtlab-programs");
  mkdirSync(folder, { recursive: true });
  const known = path.join(folder, `linux-${digest}.txt`);
  if (!existsSync(known)) {
    writeFileSync(`${known}.new`, booted(qemu, bzImage, initrd, folder, digest));
    renameSync(`${known}.new`, known);
  }
  return partsOf(readFileSync(known, "latin1"));
}

function booted(qemu: string, bzImage: string, initrd: Uint8Array, folder: string, digest: string): Uint8Array {
  const file = path.join(folder, `initrd-${digest}`);
  writeFileSync(file, initrd);
  const { stdout, stderr, status } = spawnSync(
    qemu,
    [
      ...["-M", "pc", "-cpu", "max", "-m", "512", "-nographic", "-no-reboot", "-nodefaults", "-serial", "stdio"],
      ...["-kernel", bzImage, "-initrd", file, "-append", "console=ttyS0 quiet loglevel=0 panic=-1 rdinit=/init"],
    ],
    { input: "", maxBuffer: 2 ** 28, timeout: 600_000 },
  );
  if (status !== 0) throw new Error(`QEMU ended with ${status}: ${stderr}`);
  return stdout;
}

/** The text of each program between its two marks. */
function partsOf(text: string): ReadonlyMap<string, string> {
  const parts = new Map<string, string>();
  for (const [, name, body] of text.replaceAll("\r", "").matchAll(/=== begin (\S+)\n([\s\S]*?)=== end \1\n/g))
    parts.set(name!, body!);
  return parts;
}

/** A kernel with the same root, on which everything is mounted. */
export function preparedKernel(names: readonly string[], bits: 32 | 64): Kernel {
  const kernel = kernelWith(rootWith(names, bits), "256M");
  return ranOn(kernel, ["sh", "-c", MOUNTS.join(" && ")]).kernel;
}

/** What a program prints inside, and the system calls it has made, if somebody wants them. */
export function inside(kernel: Kernel, name: string): Ran {
  return ranOn(kernel, ["sh", "-c", `cd /tmp; timeout ${TIMEOUT} /t/${name} < /dev/null 2>&1 | cat`], {
    steps: 2_000_000_000,
    observe: records ? ["syscall"] : [],
  });
}
