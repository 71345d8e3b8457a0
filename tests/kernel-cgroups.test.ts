import { describe, expect, it } from "vitest";
import type { Kernel } from "../src/kernel/kernel.js";
import { busyboxRoot, kernelWith, ranOn } from "./support/kernel-programs.js";

const GROUP = "/sys/fs/cgroup";
const PREPARE = `mount -t cgroup2 cgroup ${GROUP}; cd ${GROUP}; `;
const root = [...busyboxRoot("amd64"), { path: "sys/fs/cgroup", mode: 0o040755 }];
const kernel = kernelWith(root);

/** What a script prints with cgroup2 mounted, in its root. */
const printed = (script: string, on: Kernel = kernel): string => {
  const { output, errors } = ranOn(on, ["sh", "-c", PREPARE + script]);
  return output + errors;
};

describe("cgroups", () => {
  it("let no sixth process begin where five are allowed, and count it", () => {
    const output = printed(`
      echo +pids > cgroup.subtree_control; mkdir five; echo 5 > five/pids.max
      (echo 0 > five/cgroup.procs; for n in 1 2 3 4 5; do sleep 1 & done) 2>&1
      cat five/pids.events`);
    expect(output).toContain("can't fork: Resource temporarily unavailable");
    expect(output).toContain("max 1\n");
  });

  it("charge memory that a process takes, and give it back at its end", () => {
    const output = printed(`
      echo +memory > cgroup.subtree_control; mkdir m
      (echo 0 > m/cgroup.procs; dd if=/dev/zero of=/dev/null bs=1M count=1 2>/dev/null; cat m/memory.current)
      cat m/memory.current`);
    const [during, after] = output.trim().split("\n").map(Number);
    expect(during).toBeGreaterThan(0);
    expect(after).toBeLessThan(during!);
    expect(during! % 4096).toBe(0);
  });

  it("kill the one that takes more than memory.max, and nobody else", () => {
    const output = printed(`
      echo +memory > cgroup.subtree_control; mkdir m; echo 2M > m/memory.max
      sh -c 'echo 0 > m/cgroup.procs; exec dd if=/dev/zero of=/dev/null bs=3M count=1 2>/dev/null'; echo status $?
      grep oom_kill m/memory.events; echo still here`);
    expect(output).toContain("status 137\n");
    expect(output).toContain("oom_kill 1\n");
    expect(output).toContain("still here\n");
  });

  it("have their threads stand still while they are frozen", () => {
    const output = printed(`
      mkdir f; sh -c 'echo 0 > f/cgroup.procs; while :; do :; done' & sleep 0.02
      echo 1 > f/cgroup.freeze; cat f/cgroup.events; a=$(head -n 1 f/cpu.stat); sleep 0.05
      b=$(head -n 1 f/cpu.stat); [ "$a" = "$b" ] && echo stands; echo 0 > f/cgroup.freeze; sleep 0.02
      c=$(head -n 1 f/cpu.stat); [ "$b" != "$c" ] && echo goes on; echo 1 > f/cgroup.kill`);
    expect(output).toBe("populated 1\nfrozen 1\nstands\ngoes on\n");
  });
});

/** Ticks that threads of two groups had between the first and the last time that either got the processor. */
function shares(script: string): { readonly [group: string]: number } {
  const output = printed(script);
  return Object.fromEntries(
    Array.from(output.matchAll(/^(\w+) usage_usec (\d+)$/gm), ([, group, used]) => [group, Number(used)]),
  );
}

describe("the cpu controller", () => {
  const spin = (group: string): string => `sh -c 'echo 0 > ${group}/cgroup.procs; while :; do :; done' &`;

  it("shares time by weight: 1 to 3 is a quarter and three quarters", () => {
    const { a, b } = shares(`
      echo +cpu > cgroup.subtree_control; mkdir a b; echo 100 > a/cpu.weight; echo 300 > b/cpu.weight
      ${spin("a")} ${spin("b")} sleep 0.6
      for g in a b; do echo 1 > $g/cgroup.freeze; done
      for g in a b; do echo $g $(head -n 1 $g/cpu.stat); done; for g in a b; do echo 1 > $g/cgroup.kill; done`);
    expect(Math.abs(a! / (a! + b!) - 0.25)).toBeLessThan(0.01);
  });

  it("lets a group with a quota run that long in each period", () => {
    const output = printed(`
      echo +cpu > cgroup.subtree_control; mkdir q; echo 2000 10000 > q/cpu.max
      ${spin("q")} sleep 0.2; echo 1 > q/cgroup.freeze; cat q/cpu.stat; echo 1 > q/cgroup.kill`);
    const figure = (name: string): number => Number(new RegExp(`^${name} (\\d+)$`, "m").exec(output)?.[1]);
    const periods = figure("nr_periods");
    expect(periods).toBeGreaterThanOrEqual(18);
    expect(Math.abs(figure("usage_usec") - 2000 * (periods + 1))).toBeLessThan(2200);
    expect(figure("nr_throttled")).toBeGreaterThanOrEqual(periods - 2);
  });
});
