/** `virtlab boot --hypervisor` with recordings and saved states. */
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { packageRoot, virtlab } from "../support/virtlab.js";

const guest = (name: string): string => join(packageRoot, "guests", "images", name);
const folder = mkdtempSync(join(tmpdir(), "virtlab-hypervisor-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe("virtlab boot --hypervisor", () => {
  it("follows a recording of a VM, and goes on with a host that was saved", async () => {
    const [record, state] = [join(folder, "recording.json"), join(folder, "host.state")];
    const args = ["boot", guest("hello.elf"), "--hypervisor", "vmx"];
    const limited = ["--max-instructions", "1500", "--record", record, "--save-state", state];
    const first = await virtlab([...args, ...limited]);
    expect(first.status).toBe(3);
    expect((await virtlab([...args, "--replay", record])).status).toBe(0);
    const rest = await virtlab(["boot", "--load-state", state]);
    expect(rest.status).toBe(33);
    const whole = await virtlab(args);
    expect(first.stdout + rest.stdout).toBe(whole.stdout);
    const other = await virtlab(["boot", "--load-state", state, "--hypervisor", "svm"]);
    expect([other.status, other.stderr]).toEqual([
      2,
      `virtlab: ${state}: its VM runs under vmx-ept, and cannot go on under svm-npt\n`,
    ]);
  });

  it("runs a machine that was saved in a VM", async () => {
    const state = join(folder, "machine.state");
    const args = ["boot", guest("hello.elf"), "--cpu", "nehalem"];
    const first = await virtlab([...args, "--max-instructions", "1500", "--save-state", state]);
    const rest = await virtlab(["boot", "--load-state", state, "--hypervisor", "vmx"]);
    expect(rest.status).toBe(33);
    expect(first.stdout + rest.stdout).toBe((await virtlab(args)).stdout);
  });

  const boots = [
    ["kernel.elf", ["vmx", "--ept"], "vmx-ept", [0]],
    ["kernel.elf", ["vmx", "--shadow", "--cpu", "core2"], "vmx-shadow", [0]],
    ["kernel.elf", ["svm"], "svm-npt", [0]],
    ["kernel.elf", ["bt"], "bt", [1]],
    ["kernel.elf", ["trap"], "trap", [1]],
    // None of its instructions is executed by the processor.
    ["kernel.elf", ["sim"], "sim", []],
    ["kernel-xen.elf", ["pv"], "pv", [1]],
    // Less than a turn.
    ["hello.elf", ["vmx"], "vmx-ept", [0]],
  ] as const;
  it.each(boots)("gives --stats of %s under %j every field", async (image, args, technique, guestKernelCpls) => {
    const file = join(folder, "stats.json");
    const { status } = await virtlab(["boot", guest(image), "--hypervisor", ...args, "--stats", file]);
    expect(status).toBe(33);
    const stats = JSON.parse(readFileSync(file, "utf8"));
    expect(stats).toMatchObject({ technique, guestKernelCpls });
    expect(stats.translatedBlocks > 0).toBe(technique === "bt");
    expect(stats.shadow.builds > 0 && stats.shadow.faults > 0).toBe(["bt", "trap", "vmx-shadow"].includes(technique));
    const exits: { number: number; count: number; cycles: number }[] = Object.values(stats.exits);
    for (const exit of exits)
      expect(exit).toEqual({ number: expect.any(Number), count: expect.any(Number), cycles: expect.any(Number) });
    const sumOf = (name: "count" | "cycles"): number => exits.reduce((sum, exit) => sum + exit[name], 0);
    expect(stats.sum).toEqual({ count: sumOf("count"), cycles: sumOf("cycles") });
    expect(stats.sum.count).toBeGreaterThan(0);
  });

  const hello = guest("hello.elf");
  const needless = "goes with --hypervisor";
  const refused: readonly (readonly [args: readonly string[], error: string])[] = [
    [[hello, "--hypervisor"], "argument missing"],
    [[hello, "--hypervisor", "VMX"], "Allowed choices are vmx, svm, bt, sim, trap, pv"],
    [
      [hello, "--hypervisor", "vmx", "--ept", "--shadow"],
      "behind EPT or behind shadow tables (--ept, --shadow), not both",
    ],
    [[hello, "--hypervisor", "svm", "--shadow"], "AMD-V with nested paging has no such choice"],
    [[hello, "--ept"], needless],
    [[hello, "--host-memory", "1G"], needless],
    [[hello, "--cost-table", "merom"], needless],
    [[hello, "--hypervisor", "vmx", "--cost-table", "xeon"], "Allowed choices are"],
    [[hello, "--hypervisor", "vmx", "--cpu", "pentium3"], "VT-x with EPT needs VT-x, which a pentium3 has not"],
    [[hello, "--hypervisor", "vmx", "--cpu", "core2"], "VT-x with EPT needs EPT, which a core2 has not"],
    [[hello, "--hypervisor", "vmx", "--shadow", "--cpu", "phenom"], "needs VT-x, which a phenom has not"],
    [[hello, "--hypervisor", "svm", "--cpu", "max"], "AMD-V with nested paging needs AMD-V, which a max has not"],
    [
      [hello, "--hypervisor", "trap", "--cpu", "486"],
      "a 486 has no pages of 4 MiB (PSE), which a host in 32-bit mode needs",
    ],
    [[hello, "--hypervisor", "pv"], "has no note of Xen's, so it is no kernel for paravirtualization"],
    [[guest("flat.bin"), "--hypervisor", "pv"], "flat.bin: "],
    [[guest("kernel-xen.elf"), "--hypervisor", "vmx"], "no multiboot header"],
    [
      [guest("boot-sector.bin"), "--real", "--hypervisor", "bt"],
      "begins in real mode, which binary translation cannot",
    ],
    [[guest("boot-sector.bin"), "--real", "--hypervisor", "vmx", "--cpu", "nehalem"], "needs unrestricted guests for"],
    [["--disk", hello, "--hypervisor", "trap"], "begins in real mode, which trap-and-emulate cannot run"],
    [[hello, "--hypervisor", "trap", "--smp", "2"], "a VM of trap-and-emulate has one processor, not 2"],
    [[hello, "--hypervisor", "vmx", "--smp", "2"], 'machine "isapc" has 1 processor, not 2'],
    [[hello, "--hypervisor", "vmx", "--memory", "3G"], "more than the host has left together"],
    [[hello, "--hypervisor", "vmx", "--host-memory", "64M"], "more than the host has left together"],
    [[hello, "--hypervisor", "vmx", "--host-memory", "1M"], "no room for its hypervisor"],
    [[hello, "--hypervisor", "vmx", "--host-memory", "8G"], "at most 3G"],
    [[hello, "--hypervisor", "vmx", "--gdb", "0"], "cannot be debugged from outside"],
    [[hello, "--hypervisor", "vmx", "--port-log", "0x80"], "ports are not logged"],
    [["--hypervisor", "vmx"], "give either an image"],
    [[join(folder, "nothing.elf"), "--hypervisor", "vmx"], "no such file"],
    [["--load-state", hello, "--hypervisor", "vmx"], "not a virtlab save"],
    [[hello, "--hypervisor", "vmx", "--stats", join(folder, "none", "x.json")], "cannot be written"],
  ];
  it.each(refused)("refuses %j in one line, with status 2", async (args, error) => {
    const { status, stdout, stderr } = await virtlab(["boot", ...args]);
    expect([status, stdout]).toEqual([2, ""]);
    expect(stderr).toContain(error);
    expect(stderr).toMatch(/^[^\n]+\n$/);
  });
});
