/** Debian's kernels, as they are, in virtual machines under VT-x with EPT and AMD-V with nested paging: to a shell that answers. */
import { describe, expect, it, type TestContext } from "vitest";
import type { ModelName } from "../../src/hardware/cpu/model.js";
import { Hypervisor } from "../../src/hypervisor/hypervisor.js";
import type { TechniqueName } from "../../src/hypervisor/techniques/names.js";
import { type DebianCase, debianCases, debianMachine, PROMPT } from "../support/debian.js";

const BOOT_STEPS = 6e9;
/** Typed at the prompt, and what the kernel answers. */
const COMMAND = "uname -sm; echo $((6 * 7))";
/** The shell asks the terminal behind its prompt where the cursor is. */
const WHERE = "\x1b[6n";

const caseNamed = (name: string): DebianCase => debianCases.find((entry) => entry.name === name)!;
const kernels: readonly { which: DebianCase; answer: string }[] = [
  { which: caseNamed("686-pae on isapc"), answer: "Linux i686\r\n42\r\n" },
  {
    which: { ...caseNamed("cloud-amd64 on pc with two processors"), name: "cloud-amd64 on pc", processors: 1 },
    answer: "Linux x86_64\r\n42\r\n",
  },
];
const techniques: readonly { technique: TechniqueName; model: ModelName }[] = [
  { technique: "vmx-ept", model: "nehalem" },
  { technique: "svm-npt", model: "phenom" },
];
const cases = techniques.flatMap((how) => kernels.map((kernel) => ({ ...how, ...kernel, name: kernel.which.name })));

function toPrompt(host: Hypervisor): Hypervisor {
  const there = host.run({ until: { vm: "debian", serial: PROMPT }, maxInstructions: BOOT_STEPS });
  const { status, serial } = there.vm("debian");
  if (there.stop?.reason !== "until" || status.kind === "stopped")
    throw new Error(`no prompt (${JSON.stringify({ stop: there.stop, status })}):\n${serial}`);
  return there;
}

describe("Debian in a VM", () => {
  it.for(cases)("$name comes to a shell that answers under $technique", (entry, context: TestContext) => {
    const { technique, model, which, answer } = entry;
    const guest = debianMachine(context, { ...which, model });
    const host = toPrompt(Hypervisor.create({ model, memory: "256M" }).addVm({ name: "debian", guest, technique }));
    const before = host.vm("debian").serial;
    const { serial } = toPrompt(host.type("debian", `${COMMAND}\n`)).vm("debian");
    expect(serial.slice(before.length)).toBe(`${WHERE}${COMMAND}\r\n${answer}# `);
  });
});
