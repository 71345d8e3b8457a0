/**
 * Debian's kernels on an ISA machine and on a PC, by PVH and as bzImage: to a shell that answers, and to a reset or to
 * power-off. What their init script reports is what it reports in QEMU, and what their log warns of is what it warns of there, but for lists with
 * reasons.
 */
import { describe, expect, it, type TestContext } from "vitest";
import type { Machine } from "../../src/hardware/machine.js";
import {
  bootToPrompt,
  type DebianCase,
  debianCases,
  enter,
  inQemu,
  reportOf,
  WARNINGS,
  warningsIn,
} from "../support/debian.js";

const ANSWERED = "uname -a; cat /proc/cpuinfo; ls /; ps";

/** Lists of words, and lines that are the model's, are compared word by word: what stands in one only, and why. */
interface Differences {
  readonly here: Readonly<Record<string, readonly string[]>>;
  readonly qemu: Readonly<Record<string, readonly string[]>>;
}

interface Expectations {
  readonly uname: RegExp;
  readonly modelName: string;
  readonly differences: Differences;
  /** What only this machine's kernel warns of. */
  readonly warnings: readonly string[];
}

const CLOUD = /^Linux \(none\) 6\.1\.0-\d+-cloud-amd64 #1 SMP PREEMPT_DYNAMIC Debian .* x86_64 GNU\/Linux\r$/m;
/** QEMU's TCG has no VT-x. Linux takes the bit of virtual NMIs for that of VPID, too. */
const VMX = {
  flags: ["tpr_shadow", "vme", "vmx", "vnmi", "vpid"],
  "vmx flags": ["tsc_offset", "vnmi", "vtpr"],
};
const CORE2 = "Intel(R) Core(TM)2 Duo CPU     T7700  @ 2.40GHz";

const expectations: Readonly<Record<string, Expectations>> = {
  "686-pae on isapc": {
    uname: /^Linux \(none\) 6\.1\.0-\d+-686-pae #1 SMP PREEMPT_DYNAMIC Debian .* i686 GNU\/Linux\r$/m,
    modelName: "Pentium III (Katmai)",
    differences: {
      // QEMU's TCG has no virtual interrupt flag. The leaf of the serial number counts in its level; this model has none.
      here: { flags: ["vme"], "cpuid level": ["2"] },
      // QEMU's firmware has SMBIOS tables.
      qemu: { "cpuid level": ["3"], "/sys/class": ["dmi"] },
    },
    warnings: [
      // There is no MP table on an ISA machine here, as there was none on real ones; QEMU's firmware has one.
      "smpboot: weird, boot CPU (#0) not listed by the BIOS",
      // Neither has performance counters; QEMU reads them as zero where here they are not there.
      "Failed to access perfctr msr (MSR 186 is ffffffffffffffff)",
    ],
  },
  "cloud-amd64 on isapc": {
    uname: CLOUD,
    modelName: CORE2,
    differences: {
      // The part's physical addresses; QEMU gives all of its processors 40 bits.
      here: { ...VMX, "address sizes": ["36"] },
      // The thermal part of ACPI, and MONITOR.
      qemu: { flags: ["acpi", "monitor"], "address sizes": ["40"], "/sys/class": ["dmi"] },
    },
    warnings: [],
  },
  "cloud-amd64 on pc with two processors": {
    uname: CLOUD,
    modelName: CORE2,
    differences: {
      here: { ...VMX, "address sizes": ["36"] },
      qemu: { flags: ["acpi", "monitor"], "address sizes": ["40"], "/sys/class": ["dmi"] },
    },
    warnings: [
      // There is no mouse.
      "i8042: PNP: PS/2 appears to have AUX port disabled, if this is incorrect please boot with i8042.nopnp",
    ],
  },
};

const words = (text: string): string[] => text.split(/\s+/).filter((word) => word !== "");
const without = (list: readonly string[], others: readonly string[]): string[] =>
  list.filter((word) => !others.includes(word)).sort();

/** The report without what is compared word by word, and that. */
function takeApart(report: ReadonlyMap<string, string>, { here, qemu }: Differences) {
  const names = new Set([...Object.keys(here), ...Object.keys(qemu)]);
  const lists = new Map<string, string[]>();
  const rest = new Map<string, string>();
  for (const [title, text] of report) {
    if (names.has(title)) lists.set(title, words(text));
    const lines = text.split("\n").filter((line) => {
      const [name = "", value = ""] = line.split(/\s*:\s*/);
      if (!names.has(name)) return true;
      lists.set(name, words(value));
      return false;
    });
    rest.set(title, names.has(title) ? "" : lines.join("\n"));
  }
  return { lists, rest };
}

const qemuOutputs = new Map<string, Promise<string>>();
function qemuOutput(context: TestContext, which: DebianCase): Promise<string> {
  const known = qemuOutputs.get(which.name);
  if (known !== undefined) return known;
  const output = inQemu(context, which, [WARNINGS, ANSWERED, which.last]);
  qemuOutputs.set(which.name, output);
  return output;
}

const booted = new Map<string, Machine>();
function atPrompt(context: TestContext, which: DebianCase): Machine {
  const machine = booted.get(which.name) ?? bootToPrompt(context, which);
  booted.set(which.name, machine);
  return machine;
}

describe.each(debianCases)("Debian's kernel $name", (which) => {
  const { uname, modelName, differences, warnings } = expectations[which.name]!;

  it(`boots by PVH to a shell that answers, and ends by ${which.last}`, (context) => {
    const answered = enter(atPrompt(context, which), ANSWERED);
    const text = answered.serial.slice(atPrompt(context, which).serial.length);
    expect(text).toMatch(uname);
    expect(text).toContain(`model name\t: ${modelName}\r\n`);
    expect(text).toMatch(/^bin +dev +etc +init +proc +root +sys +tmp\r$/m);
    expect(text).toMatch(/^ +1 0 +sh\r$/m);
    const end = enter(answered, which.last);
    expect(end.serial).toContain(which.end === "reset" ? "reboot: Restarting system" : "reboot: Power down");
    expect(end.stop).toEqual({ reason: which.end });
  });

  it("reports what it reports in QEMU", async (context) => {
    const here = takeApart(reportOf(atPrompt(context, which).serial), differences);
    const there = takeApart(reportOf(await qemuOutput(context, which)), differences);
    expect(here.rest).toEqual(there.rest);
    for (const [name, list] of here.lists) {
      const other = there.lists.get(name) ?? [];
      expect([name, without(list, other)]).toEqual([name, [...(differences.here[name] ?? [])]]);
      expect([name, without(other, list)]).toEqual([name, [...(differences.qemu[name] ?? [])]]);
    }
  });

  it("warns of nothing that it does not warn of in QEMU, but for a list with reasons", async (context) => {
    const here = warningsIn(enter(atPrompt(context, which), WARNINGS).serial);
    expect(here.length).toBeGreaterThan(0);
    const there = warningsIn(await qemuOutput(context, which));
    expect(without(here, there)).toEqual([...warnings].sort());
  });

  it("unpacks itself where it is booted as bzImage, to the same report", (context) => {
    // On the PC by the 64-bit entry point.
    const byItself = bootToPrompt(context, which, "bzImage", which.machine === "pc" ? 64 : undefined);
    expect(reportOf(byItself.serial)).toEqual(reportOf(atPrompt(context, which).serial));
    expect(enter(byItself, which.last).stop).toEqual({ reason: which.end });
  });
});
