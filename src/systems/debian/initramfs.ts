/** The first root of a Debian kernel here: busybox, and a script of ours that reports and hands over to a shell. */
import { type CpioEntry, characterDevice, cpio, directory, file, link } from "./cpio.js";

/** What the script prints before the shell's prompt; nothing of it depends on time. */
export const READY = "virtlab: ready";

/**
 * What runs as process 1. The report is what a test compares with another machine's, so it has no times and no
 * frequencies in it.
 */
const INIT = `#!/bin/busybox sh
busybox=/bin/busybox
$busybox mount -t proc proc /proc
$busybox mount -t sysfs sys /sys
$busybox mount -t devtmpfs dev /dev
$busybox --install -s /bin
export PATH=/bin HOME=/root TERM=linux PS1='# '
cd /root
title() { echo; echo "== $*"; }
list() { title "$1"; ls "$1" | tr '\\n' ' '; echo; }
echo 'virtlab: init'
title kernel; uname -srvmo
title processor
grep -vE '^(cpu MHz|bogomips|microcode|cache size|clflush size|cache_alignment|TLB size)' /proc/cpuinfo
list /
list /dev
list /sys/bus
list /sys/class
list /sys/devices/platform
title mounts; sed 's/size=[^ ,]*,nr_inodes=[^ ,]*//' /proc/mounts
title filesystems; cat /proc/filesystems
title memory; awk '/MemTotal/ { print $1, int($2 / 1024), "MiB" }' /proc/meminfo
title arithmetic
echo $((123456789 * 987654321)) $((-7 / 2)) $((1 << 40))
awk 'BEGIN { printf "%.15f %.6e %d\\n", 355 / 113, 2 / 3 * 1e100, 1e9 * 0.7 }'
title digest; head -c 65536 /bin/busybox | sha256sum
echo '${READY}'
exec setsid cttyhack sh
`;

const folders = ["bin", "dev", "etc", "proc", "root", "sys", "tmp"];

/** An initramfs around a statically linked busybox. */
export function debianInitramfs(busybox: Uint8Array): Uint8Array {
  const entries: readonly CpioEntry[] = [
    ...folders.map((name) => directory(name)),
    // The kernel opens it for process 1, before anything is mounted.
    characterDevice("dev/console", 5, 1),
    file("bin/busybox", busybox, 0o755),
    link("bin/sh", "busybox"),
    file("init", new TextEncoder().encode(INIT), 0o755),
  ];
  return cpio(entries);
}
