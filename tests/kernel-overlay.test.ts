/** An overlay as containers use it: a root below, changes above. */
import { expect, it } from "vitest";
import { busyboxRoot, kernelWith, ranOn } from "./support/kernel-programs.js";

it("a change in an overlay is in the upper layer alone", () => {
  const lines = [
    "mount -t tmpfs t /mnt",
    "mkdir /mnt/upper /mnt/work /mnt/root",
    "mount -t overlay over -o lowerdir=/,upperdir=/mnt/upper,workdir=/mnt/work /mnt/root",
    "rm /mnt/root/etc/group",
    "cp /etc/passwd /mnt/root/etc/copy",
    "chroot /mnt/root /bin/chmod 600 /etc/passwd",
  ];
  const kernel = lines.reduce(
    (before, line) => ranOn(before, line.split(" ")).kernel,
    kernelWith(busyboxRoot("amd64")),
  );
  const output = (line: string): string => ranOn(kernel, line.split(" ")).output;
  expect(output("ls /mnt/root/etc")).toBe("copy\npasswd\n");
  expect(output("ls /etc")).toBe("group\npasswd\n");
  expect(output("stat -c %A /mnt/upper/etc/group /mnt/upper/etc/passwd /etc/passwd")).toBe(
    "c---------\n-rw-------\n-rw-r--r--\n",
  );
});
