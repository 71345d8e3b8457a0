/** Debian's kernels, as they are, in virtual machines under VT-x with EPT and AMD-V with nested paging: to a shell that answers. */
import { describe, expect, it, type TestContext } from "vitest";
import type { ModelName } from "../../src/hardware/cpu/model.js";
import { Machine } from "../../src/hardware/machine.js";
import { Hypervisor } from "../../src/hypervisor/hypervisor.js";
import type { TechniqueName } from "../../src/hypervisor/techniques/names.js";
import { type DebianCase, debianCases, debianMachine, PROMPT } from "../support/debian.js";
import { NOTHING, visible } from "../support/visible.js";

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
  it.for(cases)(
    "$name comes under $technique to the very machine that it comes to alone, with a shell that answers",
    (entry, context: TestContext) => {
      const { technique, model, which, answer } = entry;
      const guest = debianMachine(context, { ...which, model });
      const host = toPrompt(Hypervisor.create({ model, memory: "256M" }).addVm({ name: "debian", guest, technique }));
      const { machine, serial: before } = host.vm("debian");
      expect(visible(guest.run({ until: { serial: PROMPT } }), machine)).toEqual(NOTHING);
      const { serial } = toPrompt(host.type("debian", `${COMMAND}\n`)).vm("debian");
      expect(serial.slice(before.length)).toBe(`${WHERE}${COMMAND}\r\n${answer}# `);
    },
  );
});

/** 30 ms. */
const PERIOD = 3_006_818;

describe("two of Debian's kernels side by side", () => {
  it.for([
    { technique: "vmx-ept", model: "nehalem", processors: 1 },
    { technique: "vmx-ept", model: "nehalem", processors: 2 },
    { technique: "svm-npt", model: "phenom", processors: 1 },
  ] as const)(
    "share $processors processor(s) by weight under $technique; with one they come to their shells",
    ({ technique, model, processors }, context: TestContext) => {
      const [older, newer] = kernels.map(({ which }) => debianMachine(context, { ...which, model })) as [
        Machine,
        Machine,
      ];
      const endless = Machine.boot({ image: Uint8Array.of(0x40, 0xeb, 0xfd), memory: "2M", model });
      let host = Hypervisor.create({ model, memory: "512M", processors })
        .addVm({ name: "686-pae", guest: older, technique, weight: 512 })
        .addVm({ name: "cloud-amd64", guest: newer, technique, weight: 256 });
      // With as many processors as VMs each would have one of its own. There code and translations change hands every 256 steps.
      if (processors > 1) host = host.addVm({ name: "busy", guest: endless, technique, weight: 256 });
      const weights = host.vms.reduce((sum, { weight }) => sum + weight, 0);
      const begun = host.run({ maxInstructions: 3 * PERIOD });
      const busy = begun.run({ maxInstructions: processors > 1 ? 60_000_000 : 200_000_000 });
      const time = processors * (busy.ticks - begun.ticks);
      for (const { name, weight, charged } of busy.vms) {
        const share = (charged - begun.vm(name).charged) / time;
        expect(Math.abs(share - weight / weights), `${name} has ${share}`).toBeLessThan(0.02);
      }
      if (processors > 1) return;
      let there = busy;
      for (const name of ["686-pae", "cloud-amd64"])
        if (!there.vm(name).serial.includes(PROMPT))
          there = there.run({ until: { vm: name, serial: PROMPT }, maxInstructions: 4 * BOOT_STEPS });
      for (const { name, serial } of there.vms) expect([name, serial.includes(PROMPT)]).toEqual([name, true]);
    },
  );
});
