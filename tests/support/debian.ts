/** Debian's kernels in tests: their files, a run of them here and in QEMU, and what of their output is compared. */
import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import type { TestContext } from "vitest";
import { type DebianFlavour, type DebianSystem, debianSystem } from "../../src/cli/debian/debian-system.js";
import type { ModelName } from "../../src/hardware/cpu/model.js";
import { Machine } from "../../src/hardware/machine.js";
import { VirtlabError } from "../../src/state/error.js";
import { missing, peer } from "./peers.js";

/** What a kernel is told so that it boots on an ISA machine without spending its time on self-tests. */
export const ISA_OPTIONS = [
  ...["nolapic", "acpi=off", "lpj=1000000", "mitigations=off", "cryptomgr.notests", "random.trust_cpu=off"],
  ...["tsc=unstable", "nokaslr", "quiet", "reboot=k", "console=ttyS0"],
].join(" ");

export const PROMPT = "\n# ";
const QEMU_MILLISECONDS = 240_000;
const BOOT_STEPS = 6e9;

/** The files of a kernel; a test on a machine without the packages ends here, as with a missing peer. */
export function debianFiles(context: TestContext, flavour: DebianFlavour): DebianSystem {
  try {
    return debianSystem(flavour);
  } catch (error) {
    if (!(error instanceof VirtlabError)) throw error;
    return missing(context, error.message);
  }
}

/** A kernel and the machines it is booted on, here and in QEMU. */
export interface DebianCase {
  readonly flavour: DebianFlavour;
  readonly model: ModelName;
  readonly memory: string;
  /** QEMU's program, and its name for a processor of the same model that does not say that it is a hypervisor. */
  readonly qemu: string;
  readonly cpu: string;
}

export const debianCases = {
  "686-pae": {
    flavour: "686-pae",
    model: "pentium3",
    memory: "64M",
    qemu: "qemu-system-i386",
    cpu: "pentium3,-hypervisor",
  },
  "cloud-amd64": {
    flavour: "cloud-amd64",
    model: "core2",
    memory: "128M",
    qemu: "qemu-system-x86_64",
    cpu: "core2duo,-hypervisor",
  },
} as const satisfies Readonly<Record<DebianFlavour, DebianCase>>;

/** A machine that has come to the shell's prompt. */
export function bootToPrompt(context: TestContext, which: DebianCase, image?: "bzImage" | "vmlinux"): Machine {
  const start = debianMachine(context, which, image);
  const machine = start.run({ until: { serial: PROMPT }, maxInstructions: BOOT_STEPS });
  if (machine.stop?.reason !== "until")
    throw new Error(`no prompt (${JSON.stringify(machine.stop)} after ${machine.steps} steps):\n${machine.serial}`);
  return machine;
}

/** The machine in front of its first instruction. */
export function debianMachine(
  context: TestContext,
  { flavour, model, memory }: DebianCase,
  image: "bzImage" | "vmlinux" = "vmlinux",
): Machine {
  const files = debianFiles(context, flavour);
  return Machine.boot({
    image: readFileSync(files[image]),
    imageName: image,
    initrd: readFileSync(files.initrd),
    append: ISA_OPTIONS,
    model,
    memory,
  });
}

/** The machine after a line was typed at its prompt, at the next prompt or at its end. */
export function enter(machine: Machine, line: string): Machine {
  return machine.type(`${line}\n`).run({ until: { serial: PROMPT }, maxInstructions: BOOT_STEPS });
}

/** What the same kernel's serial port puts out in QEMU while lines are typed, until it ends. */
export function inQemu(context: TestContext, which: DebianCase, lines: readonly string[]): Promise<string> {
  const program = peer(context, which.qemu);
  const files = debianFiles(context, which.flavour);
  return qemuOutput(
    program,
    [
      ...["-M", "isapc", "-cpu", which.cpu, "-m", which.memory, "-kernel", files.vmlinux],
      ...["-initrd", files.initrd, "-append", ISA_OPTIONS],
    ],
    lines,
  );
}

/** What QEMU's serial port puts out while these lines are typed, each at a prompt, until QEMU ends. */
export function qemuOutput(program: string, args: readonly string[], lines: readonly string[]): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, [...args, "-display", "none", "-no-reboot", "-monitor", "none", "-serial", "stdio"]);
    const timer = setTimeout(() => child.kill("SIGKILL"), QEMU_MILLISECONDS);
    let output = "";
    let said = "";
    let seen = 0;
    const left = [...lines];
    child.stdout.on("data", (chunk: Buffer) => {
      output += chunk.toString("latin1");
      const prompt = output.indexOf(PROMPT, seen);
      if (prompt < 0 || left.length === 0) return;
      seen = prompt + PROMPT.length;
      child.stdin.write(`${left.shift()}\n`);
    });
    child.stderr.on("data", (chunk: Buffer) => {
      said += chunk.toString();
    });
    child.stdin.on("error", () => undefined);
    child.on("error", reject);
    child.on("close", (code) => {
      clearTimeout(timer);
      if (code === 0) resolve(output);
      else reject(new Error(`QEMU ended with ${code}: ${said}\n${output}`));
    });
  });
}

/** What the init script reports, title by title. */
export function reportOf(output: string): ReadonlyMap<string, string> {
  const text = output.replaceAll("\r", "");
  const report = text.slice(text.indexOf("virtlab: init"), text.indexOf("virtlab: ready"));
  return new Map(
    report
      .split("\n== ")
      .slice(1)
      .map((section) => {
        const end = section.indexOf("\n");
        return [section.slice(0, end), section.slice(end).trim()] as const;
      }),
  );
}

/** Types this, and the kernel's messages of warnings and worse are printed between two marks. */
export const WARNINGS = `echo "<<<"; dmesg -r | grep '^<[0-4]>'; echo ">>>"`;

/** Those messages, without their times. */
export function warningsIn(output: string): string[] {
  const text = output.replaceAll("\r", "");
  const start = text.lastIndexOf("\n<<<\n");
  const lines = text.slice(start + 5, text.indexOf("\n>>>", start)).split("\n");
  return lines.filter((line) => /^<\d>/.test(line)).map((line) => line.replace(/^<\d>\[[^\]]*\] /, ""));
}
