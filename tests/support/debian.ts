/** Debian's kernels in tests: their files, a run of them here and in QEMU, and what of their output is compared. */
import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import type { TestContext } from "vitest";
import { type DebianFlavour, type DebianSystem, debianSystem } from "../../src/cli/debian/debian-system.js";
import type { BootOptions } from "../../src/hardware/boot/start.js";
import type { ModelName } from "../../src/hardware/cpu/model.js";
import { Machine } from "../../src/hardware/machine.js";
import { VirtlabError } from "../../src/state/error.js";
import { missing, peer } from "./peers.js";

/** What a kernel is told so that it boots on an ISA machine without spending its time on self-tests. */
const ISA_OPTIONS = [
  ...["nolapic", "acpi=off", "lpj=1000000", "mitigations=off", "cryptomgr.notests", "random.trust_cpu=off"],
  ...["tsc=unstable", "nokaslr", "quiet", "reboot=k", "console=ttyS0"],
].join(" ");

/** With ACPI and APICs; what else is left out is what takes long or is drawn by chance. */
const PC_OPTIONS = "cryptomgr.notests random.trust_cpu=off nokaslr quiet console=ttyS0";

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
  readonly name: string;
  readonly flavour: DebianFlavour;
  readonly machine: "isapc" | "pc";
  readonly processors?: number;
  readonly model: ModelName;
  readonly memory: string;
  readonly append: string;
  /** What ends it, and as what. */
  readonly last: string;
  readonly end: "reset" | "power-off";
  /** QEMU's program, and what makes its machine like this one. Its processors do not say that they are a hypervisor. */
  readonly qemu: readonly string[];
}

export const debianCases: readonly DebianCase[] = [
  {
    name: "686-pae on isapc",
    flavour: "686-pae",
    machine: "isapc",
    model: "pentium3",
    memory: "64M",
    append: ISA_OPTIONS,
    last: "reboot -f",
    end: "reset",
    qemu: ["qemu-system-i386", "-M", "isapc", "-cpu", "pentium3,-hypervisor"],
  },
  {
    name: "cloud-amd64 on isapc",
    flavour: "cloud-amd64",
    machine: "isapc",
    model: "core2",
    memory: "128M",
    append: ISA_OPTIONS,
    last: "reboot -f",
    end: "reset",
    qemu: ["qemu-system-x86_64", "-M", "isapc", "-cpu", "core2duo,-hypervisor"],
  },
  {
    name: "cloud-amd64 on pc with two processors",
    flavour: "cloud-amd64",
    machine: "pc",
    processors: 2,
    model: "core2",
    memory: "128M",
    append: PC_OPTIONS,
    last: "poweroff -f",
    end: "power-off",
    qemu: [
      ...["qemu-system-x86_64", "-M", "pc,hpet=off", "-cpu", "core2duo,-hypervisor"],
      ...["-smp", "2", "-nic", "none"],
    ],
  },
];

/** A machine that has come to the shell's prompt. */
export function bootToPrompt(
  context: TestContext,
  which: DebianCase,
  image?: "bzImage" | "vmlinux",
  entry?: 64,
): Machine {
  const start = debianMachine(context, which, image, entry);
  const machine = start.run({ until: { serial: PROMPT }, maxInstructions: BOOT_STEPS });
  if (machine.stop?.reason !== "until")
    throw new Error(`no prompt (${JSON.stringify(machine.stop)} after ${machine.steps} steps):\n${machine.serial}`);
  return machine;
}

/** The machine in front of its first instruction. */
export const debianMachine = (...words: Parameters<typeof debianBootOptions>): Machine =>
  Machine.boot(debianBootOptions(...words));

/** What that is booted with. */
export function debianBootOptions(
  context: TestContext,
  { flavour, machine, processors = 1, model, memory, append }: DebianCase,
  image: "bzImage" | "vmlinux" = "vmlinux",
  entry?: 64,
): BootOptions {
  const files = debianFiles(context, flavour);
  return {
    image: readFileSync(files[image]),
    imageName: image,
    initrd: readFileSync(files.initrd),
    append,
    machine,
    processors,
    model,
    memory,
    ...(entry === undefined ? {} : { entry }),
  };
}

/** The machine after a line was typed at its prompt, at the next prompt or at its end. */
export function enter(machine: Machine, line: string): Machine {
  return machine.type(`${line}\n`).run({ until: { serial: PROMPT }, maxInstructions: BOOT_STEPS });
}

/** What the same kernel's serial port puts out in QEMU while lines are typed, until it ends. */
export function inQemu(context: TestContext, which: DebianCase, lines: readonly string[]): Promise<string> {
  const [name, ...machine] = which.qemu;
  const program = peer(context, name!);
  const files = debianFiles(context, which.flavour);
  const kernel = ["-m", which.memory, "-kernel", files.vmlinux, "-initrd", files.initrd, "-append", which.append];
  return qemuOutput(program, [...machine, ...kernel], lines);
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
