/**
 * Debian's 686-pae kernel on an ISA machine, by PVH and as bzImage: to a shell that answers, and to a reset. What its init
 * script reports is what it reports in QEMU, and what its log warns of is what QEMU's warns of, but for lists with reasons.
 */
import { describe, expect, it, type TestContext } from "vitest";
import type { Machine } from "../../src/hardware/machine.js";
import {
  bootToPrompt,
  debianFiles,
  enter,
  ISA_OPTIONS,
  qemuOutput,
  reportOf,
  WARNINGS,
  warningsIn,
} from "../support/debian.js";
import { peer } from "../support/peers.js";

const ANSWERED = "uname -a; cat /proc/cpuinfo; ls /; ps";

/** Words that stand in one list only, and why. */
const ONLY_HERE: Readonly<Record<string, readonly string[]>> = {
  // QEMU's TCG has no virtual interrupt flag.
  flags: ["vme"],
  bugs: [],
  // The serial number's leaf, which counts in QEMU's level, is none of this model's.
  "cpuid level": ["2"],
  "/sys/class": [],
};
const ONLY_IN_QEMU: Readonly<Record<string, readonly string[]>> = {
  // The model here has neither MMX nor SSE.
  flags: ["mmx", "sse"],
  bugs: [],
  "cpuid level": ["3"],
  // QEMU's firmware has SMBIOS tables.
  "/sys/class": ["dmi"],
};

/** What only this machine's kernel warns of. */
const WARNED_ONLY_HERE = [
  // There is no MP table on an ISA machine here, as there was none on real ones.
  "smpboot: weird, boot CPU (#0) not listed by the BIOS",
  // Neither has performance counters; QEMU reads them as zero where here they are not there.
  "Failed to access perfctr msr (MSR 186 is ffffffffffffffff)",
];

const words = (text: string): string[] => text.split(/\s+/).filter((word) => word !== "");
const without = (list: readonly string[], others: readonly string[]): string[] =>
  list.filter((word) => !others.includes(word)).sort();

/** Lines of /proc/cpuinfo whose words are compared one by one, and the text without them. */
function takeOut(processor: string): { readonly rest: string; readonly lists: ReadonlyMap<string, string[]> } {
  const lists = new Map<string, string[]>();
  const rest = processor
    .split("\n")
    .filter((line) => {
      const [name = "", value = ""] = line.split(/\s*:\s*/);
      if (!(name in ONLY_HERE)) return true;
      lists.set(name, words(value));
      return false;
    })
    .join("\n");
  return { rest, lists };
}

describe("Debian's 686-pae kernel on isapc", () => {
  const qemuReport: { output?: Promise<string> } = {};
  const inQemu = (context: TestContext): Promise<string> => {
    const program = peer(context, "qemu-system-i386");
    const files = debianFiles(context, "686-pae");
    qemuReport.output ??= qemuOutput(
      program,
      [
        ...["-M", "isapc", "-cpu", "pentium3,-hypervisor", "-m", "64M", "-kernel", files.vmlinux],
        ...["-initrd", files.initrd, "-append", ISA_OPTIONS],
      ],
      [WARNINGS, ANSWERED, "reboot -f"],
    );
    return qemuReport.output;
  };
  let booted: Machine | undefined;
  const atPrompt = (context: TestContext): Machine => (booted ??= bootToPrompt(debianFiles(context, "686-pae")));

  it("boots by PVH to a shell that answers, and resets", (context) => {
    const answered = enter(atPrompt(context), ANSWERED);
    const text = answered.serial.slice(atPrompt(context).serial.length);
    expect(text).toMatch(/^Linux \(none\) 6\.1\.0-\d+-686-pae #1 SMP PREEMPT_DYNAMIC Debian .* i686 GNU\/Linux\r$/m);
    expect(text).toContain("model name\t: Pentium III (Katmai)\r\n");
    expect(text).toMatch(/^bin +dev +etc +init +proc +root +sys +tmp\r$/m);
    expect(text).toMatch(/^ +1 0 +sh\r$/m);
    const end = enter(answered, "reboot -f");
    expect(end.serial).toContain("reboot: Restarting system");
    expect(end.stop).toEqual({ reason: "reset" });
  });

  it("reports the same there as in QEMU", async (context) => {
    const here = reportOf(atPrompt(context).serial);
    const there = reportOf(await inQemu(context));
    expect([...here.keys()]).toEqual([...there.keys()]);
    const mine = takeOut(here.get("processor")!);
    const theirs = takeOut(there.get("processor")!);
    expect(mine.rest).toBe(theirs.rest);
    const lists = (report: typeof here, processor: typeof mine) =>
      new Map([...processor.lists, ["/sys/class", words(report.get("/sys/class")!)]]);
    for (const [name, list] of lists(here, mine)) {
      const other = lists(there, theirs).get(name)!;
      expect([name, without(list, other)]).toEqual([name, [...ONLY_HERE[name]!].sort()]);
      expect([name, without(other, list)]).toEqual([name, [...ONLY_IN_QEMU[name]!].sort()]);
    }
    for (const [title, text] of here)
      if (title !== "processor" && title !== "/sys/class") expect([title, text]).toEqual([title, there.get(title)]);
  });

  it("warns of nothing that it does not warn of in QEMU, but for a list with reasons", async (context) => {
    const here = warningsIn(enter(atPrompt(context), WARNINGS).serial);
    expect(here.length).toBeGreaterThan(0);
    const there = warningsIn(await inQemu(context));
    expect(without(here, there)).toEqual([...WARNED_ONLY_HERE].sort());
  });

  it("unpacks itself where it is booted as bzImage, to the same report", (context) => {
    const byItself = bootToPrompt(debianFiles(context, "686-pae"), { image: "bzImage" });
    expect(reportOf(byItself.serial)).toEqual(reportOf(atPrompt(context).serial));
    expect(enter(byItself, "reboot -f").stop).toEqual({ reason: "reset" });
  });
});
