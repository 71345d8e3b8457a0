/** Mounts as busybox makes them, and that paths go over them. */
import { expect, it } from "vitest";
import type { Kernel } from "../src/kernel/kernel.js";
import { busyboxRoot, kernelWith, ranOn } from "./support/kernel-programs.js";

const after = (...lines: readonly string[]): Kernel =>
  lines.reduce((kernel, line) => ranOn(kernel, line.split(" ")).kernel, kernelWith(busyboxRoot("amd64")));

it("a tmpfs takes as much as it was made for, and gives it back", () => {
  const kernel = after("mount -t proc proc /proc", "mount -t tmpfs -o size=100k small /mnt");
  const full = ranOn(kernel, ["dd", "if=/dev/zero", "of=/mnt/x", "bs=40k", "count=4"]);
  expect(full.errors).toContain("dd: error writing '/mnt/x': No space left on device");
  const empty = ranOn(full.kernel, ["rm", "/mnt/x"]).kernel;
  expect(ranOn(empty, ["df", "/mnt"]).output).toContain(
    "small                      100         0       100   0% /mnt\n",
  );
});

it("what is mounted on a shared mount is there on its peer", () => {
  const kernel = after(
    "mount -t tmpfs base /mnt",
    "mkdir /mnt/a /tmp/peer",
    "mount --make-shared /mnt",
    "mount --bind /mnt /tmp/peer",
    "mount -t tmpfs new /tmp/peer/a",
    "touch /mnt/a/file",
  );
  expect(ranOn(kernel, ["ls", "/tmp/peer/a"]).output).toBe("file\n");
});

it("a type there is not is refused, and what is busy stays", () => {
  const kernel = after("mount -t tmpfs one /mnt", "mkdir /mnt/in", "mount -t tmpfs two /mnt/in");
  expect(ranOn(kernel, ["mount", "-t", "debugfs", "none", "/tmp"]).errors).toContain("No such device");
  expect(ranOn(kernel, ["umount", "/mnt"]).errors).toContain("busy");
});
