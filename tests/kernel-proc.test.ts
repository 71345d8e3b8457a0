/** What busybox reads of /proc, and says. */
import { describe, expect, it } from "vitest";
import { busyboxRoot, kernelWith, ranOn } from "./support/kernel-programs.js";

describe("busybox on a mounted /proc", () => {
  let kernel = kernelWith(busyboxRoot("amd64"));
  kernel = ranOn(kernel, ["mount", "-t", "proc", "proc", "/proc"]).kernel;
  const output = (...argv: readonly string[]): string => ranOn(kernel, argv).output;

  it("ps shows itself by its command line, with its owner", () => {
    expect(output("ps")).toMatch(/^PID {3}USER {5}COMMAND\n[\s\S]* {4}2 root {5}ps\n$/);
  });

  it("top counts the machine's memory and shows itself running", () => {
    const text = output("top", "-b", "-n1");
    expect(text).toMatch(/^Mem: \d+K used, \d+K free/);
    expect(text).toMatch(/ +2 +1 root +R +\d+ +\d+% +\d+% top -b -n1/);
  });

  it("free shows as much memory as the machine has, and parts that add up", () => {
    const [, total, used, free, , cached] = /Mem: +(\d+) +(\d+) +(\d+) +(\d+) +(\d+)/.exec(output("free"))!.map(Number);
    expect(total).toBe(65_536);
    expect(used! + free! + cached!).toBe(total);
  });

  it("mount, uptime and nproc say what there is", () => {
    expect(output("mount")).toContain("proc on /proc type proc (rw,relatime)\n");
    expect(output("uptime")).toBe(" 00:00:00 up 0 min,  0 users,  load average: 0.00, 0.00, 0.00\n");
    expect(output("nproc")).toBe("1\n");
  });

  it("the map of a static program has its file's parts, its heap and its stack", () => {
    const lines = output("cat", "/proc/self/maps").split("\n");
    expect(lines[0]).toMatch(/^00400000-00401000 r--p 00000000 00:01 \d+ +\/bin\/cat$/);
    expect(lines.filter((line) => line.endsWith("[heap]"))).toHaveLength(1);
    expect(lines.at(-2)).toMatch(/^7ffffffdd000-7fffffffe000 rw-p 00000000 00:00 0 +\[stack\]$/);
  });
});
