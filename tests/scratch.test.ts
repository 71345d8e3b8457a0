import { it } from "vitest";
import { busyboxRoot, kernelWith, ranOn } from "./support/kernel-programs.js";
it("x", () => {
  let kernel = kernelWith(busyboxRoot("amd64"));
  const lines = (process.env.S ?? "mount -t proc proc /proc;mount -t sysfs sys /sys;ls -l /proc /proc/self/;cat /proc/self/stat /proc/self/status;cat /proc/self/maps /proc/mounts /proc/self/mountinfo /proc/cpuinfo /proc/meminfo;ps;free;mount;uptime;nproc;df;top -b -n1;find /proc/sys /sys;cat /proc/self/limits;cat /proc/self/cmdline;cat /proc/1/environ;ls -l /proc/self/fd/ /proc/self/exe").split(";");
  for (const line of lines) {
    const argv = line.split(" ");
    try {
    const { output, errors, status, kernel: after } = ranOn(kernel, argv);
    kernel = after;
    console.log(`$ ${line}\n${output}${errors ? `ERR ${errors}` : ""}${status}`);
    const un = new Set((process.env.T ? kernel.events : []).map(e => JSON.stringify(e)));
    } catch (e) { console.log("THROWN", line, e); }
  }
});
