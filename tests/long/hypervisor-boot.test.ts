/** What `virtlab boot --hypervisor` promises: the guest's own run, what is said of it besides, and what is refused. */
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { bzImage } from "../../src/hardware/boot/linux-fixtures.test-helper.js";
import { packageRoot, virtlab } from "../support/virtlab.js";

const guest = (name: string): string => join(packageRoot, "guests", "images", name);

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "virtlab-hypervisor-"));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

interface Statistics {
  readonly technique: string;
  readonly exits: Readonly<
    Record<string, { readonly number: number; readonly count: number; readonly cycles: number }>
  >;
  readonly sum: { readonly count: number; readonly cycles: number };
}

const sumsOf = ({ exits }: Statistics) => ({
  count: Object.values(exits).reduce((sum, { count }) => sum + count, 0),
  cycles: Object.values(exits).reduce((sum, { cycles }) => sum + cycles, 0),
});

describe("virtlab boot --hypervisor", () => {
  it("runs an image as without one, with its output, its status and its counts", async () => {
    const bare = JSON.parse((await virtlab(["boot", guest("kernel.elf"), "--json", "--cpu", "nehalem"])).stdout);
    const { status, stdout } = await virtlab(["boot", guest("kernel.elf"), "--json", "--hypervisor", "vmx"]);
    const told = JSON.parse(stdout);
    expect(status).toBe(33);
    for (const name of ["end", "status", "serial", "steps", "ticks", "interrupts"] as const)
      expect([name, told[name]]).toEqual([name, bare[name]]);
    expect(told.technique).toBe("vmx-ept");
    expect(told.guestKernelCpls).toEqual([0]);
    expect(told.translatedBlocks).toBe(0);
    expect(told.shadow).toEqual({ builds: 0, faults: 0 });
    expect(told.exits["HLT"]).toMatchObject({ number: 12, count: 17 });
    expect(told.sum).toEqual(sumsOf(told));
  });

  it("gives --stats the exits by reason, with cycles of the part that is chosen, and sums that agree", async () => {
    const file = join(folder, "stats.json");
    const args = ["boot", guest("hello.elf"), "--hypervisor", "vmx", "--ept", "--stats", file];
    const { status, stdout } = await virtlab([...args, "--cost-table", "merom"]);
    expect([status, stdout.split("\n")[0]]).toEqual([33, "hello"]);
    const stats = JSON.parse(readFileSync(file, "utf8"));
    expect(stats.costTable).toBe("merom");
    expect(stats.sum).toEqual(sumsOf(stats));
    expect(stats.sum.count).toBeGreaterThan(100);
    await virtlab(args);
    const others = JSON.parse(readFileSync(file, "utf8"));
    expect(others.costTable).toBe("nehalem");
    expect(others.sum.count).toBe(stats.sum.count);
    expect(others.sum.cycles).toBeLessThan(stats.sum.cycles);
  });

  it("gives what comes on standard input to the VM's serial port", async () => {
    const args = ["boot", guest("echo.elf"), "--hypervisor", "vmx"];
    const { status, stdout } = await virtlab(args, { input: "ring three\nquit\n" });
    expect([status, stdout]).toEqual([33, "echo: ready\nRING THREE\necho: 1 lines\n"]);
  });

  it.each([
    ["triple.elf", "triple fault: an exception while delivering a double fault"],
    ["halt.elf", "halted, and nothing can end the halt"],
  ])("ends with 4 and a report where %s comes to a dead end", async (image, report) => {
    const { status, stderr } = await virtlab(["boot", guest(image), "--hypervisor", "vmx"]);
    expect(status).toBe(4);
    expect(stderr).toContain(`virtlab: ${report}, after 4`);
    expect(stderr).toMatch(/ (hlt|ud2)\n$/);
  });

  it("ends with 3 at --max-instructions, which are the guest's", async () => {
    const args = ["boot", guest("bench-loop.elf"), "--hypervisor", "vmx", "--max-instructions", "200000", "--json"];
    const { status, stdout } = await virtlab(args);
    expect(status).toBe(3);
    expect(JSON.parse(stdout)).toMatchObject({ end: "limit", steps: 200_000 });
  });

  const kernel64 = (): string => {
    const image = bzImage();
    image[0x236] = 1;
    const file = join(folder, "bzImage64");
    writeFileSync(file, image);
    return file;
  };
  const bad: readonly (readonly [what: string, args: () => readonly string[], error: RegExp])[] = [
    ["an unknown technique", () => ["--hypervisor", "xen"], /Allowed choices are vmx, svm, bt, sim, trap, pv/],
    [
      "more guest memory than the host has",
      () => ["--hypervisor", "vmx", "--host-memory", "16M"],
      /^virtlab: guest: memory of the VM: 67108864 bytes are more than the host has left together \(\d+ of 16777216 bytes are free\)\n$/,
    ],
    [
      "no size of memory",
      () => ["--hypervisor", "vmx", "--host-memory", "much"],
      /^virtlab: memory size "much": .*\n$/,
    ],
  ];
  it.each(bad)("refuses %s in one line, with status 2 and no file written", async (_what, args, error) => {
    const file = join(folder, "never.json");
    const ended = await virtlab(["boot", guest("hello.elf"), ...args(), "--stats", file]);
    expect([ended.status, ended.stdout]).toEqual([2, ""]);
    expect(ended.stderr).toMatch(error);
    expect(existsSync(file)).toBe(false);
  });

  it("refuses a 64-bit kernel under a technique of 32 bits, whatever the processor", async () => {
    for (const args of [[], ["--cpu", "nehalem"]]) {
      const { status, stderr } = await virtlab(["boot", kernel64(), "--hypervisor", "trap", ...args]);
      expect([status, stderr]).toEqual([
        2,
        `virtlab: ${join(folder, "bzImage64")}: has 64-bit code, which trap-and-emulate cannot run\n`,
      ]);
    }
  });
});
