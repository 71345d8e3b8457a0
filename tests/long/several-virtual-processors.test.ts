/** VMs with several virtual processors are at every step the machine with as many, alone and side by side on one processor and on two. */
import { describe, expect, it } from "vitest";
import { Hypervisor, type Machine, type ModelName, type TechniqueName } from "../../src/index.js";
import { bootGuest } from "../support/apic-guest.js";
import { severalGuests } from "../support/several-cells.js";
import { adders, faults, listener, shadows, timers } from "../support/virtual-processor-guests.js";
import { NOTHING, visible } from "../support/visible.js";

const cases: readonly (readonly [TechniqueName, ModelName])[] = [
  ["sim", "nehalem"],
  // Without unrestricted guests, and with them.
  ["vmx-ept", "nehalem"],
  ["vmx-ept", "max"],
  ["svm-npt", "phenom"],
];

interface Guest {
  readonly name: string;
  readonly image: Uint8Array;
  readonly processors?: number;
}

const guests: readonly Guest[] = [
  ...severalGuests,
  { name: "three processors add under a lock", image: adders(3), processors: 3 },
  { name: "four processors add under a lock", image: adders(4), processors: 4 },
  ...[
    [251, 700],
    [255, 256],
    [256, 512],
    [257, 300],
    [1000, 254],
    [97, 2000],
  ].map(([first, second]) => ({
    name: `timers of ${first} and ${second} ticks interrupt both`,
    image: timers(first!, second!),
  })),
  { name: "both hold interrupts back", image: timers(700, 900, shadows) },
  { name: "both pause", image: timers(700, 900, "pause\n") },
  { name: "both fault and trace themselves", image: faults },
];

/** An exit for a fault, which the hypervisor has still to see, has saved RF. */
const withoutResume = (machine: Machine): Machine =>
  machine.edit((draft) => {
    draft.registers.eflags &= ~0x1_0000;
  });

const LAST = { maxInstructions: 400_000 } as const;
const SPACE = { memory: "64M" } as const;

describe.each(cases)("under %s on a %s", (technique, model) => {
  it.each(guests)("a VM ends as the machine: $name", ({ image, processors = 2 }) => {
    const guest = bootGuest(image, { processors, model });
    const bare = guest.run(LAST);
    const host = Hypervisor.create({ ...SPACE, model }).addVm({ name: "a", guest, technique });
    const { machine, status, vcpus, exits } = host.run({ until: { vm: "a" } }).vm("a");
    expect(bare.stop).toEqual({ reason: "debug-exit", value: 0, status: 1 });
    expect(status).toEqual({ kind: "stopped", stop: bare.stop });
    expect(visible(bare, machine)).toEqual(NOTHING);
    expect(vcpus.map(({ steps }) => steps)).toEqual(bare.turn!.steps);
    if (technique !== "sim") expect(vcpus.reduce((sum, vcpu) => sum + vcpu.exits, 0)).toBe(exits);
  });

  it.each([1, 2])("two VMs are at any step what the machine is, on a host with %i", (processors) => {
    for (const { name: what, image, processors: own = 2 } of guests) {
      const guest = bootGuest(image, { processors: own, model });
      let host = Hypervisor.create({ ...SPACE, model, processors, slice: 2000 });
      for (const name of ["a", "b"]) host = host.addVm({ name, guest, technique, quantum: 700 });
      host = host.run({ maxInstructions: 6100 });
      for (let piece = 0; piece < 10; piece++) {
        host = host.run({ maxInstructions: 301 + piece });
        for (const { name, machine, status } of host.vms) {
          // Time that a halted guest skips is the host's before it is the VM's.
          if (status.kind === "halted") continue;
          const there = withoutResume(guest.run({ maxInstructions: machine.steps }));
          expect([what, name, machine.steps, visible(there, withoutResume(machine))]).toEqual([
            what,
            name,
            machine.steps,
            NOTHING,
          ]);
        }
      }
      const bare = guest.run(LAST);
      for (const { name, machine } of host.run().vms)
        expect([what, name, visible(bare, machine)]).toEqual([what, name, NOTHING]);
    }
  });

  it("a host goes on from a saved state, and in pieces, as it would have", () => {
    const guest = bootGuest(adders(3), { processors: 3, model });
    const start = Hypervisor.create({ ...SPACE, model }).addVm({ name: "a", guest, technique, quantum: 500 });
    const half = start.run({ maxInstructions: 9000 });
    const whole = half.run({ maxInstructions: 5000 });
    expect(Hypervisor.load(half.save()).run({ maxInstructions: 5000 }).hash).toBe(whole.hash);
    const pieces = [1, 256, 743, 4000].reduce((host, steps) => host.run({ maxInstructions: steps }), half);
    expect(pieces.hash).toBe(whole.hash);
  });

  it("a VM is taken up from a machine in its course, typed at while all its processors are halted, paused and removed", () => {
    const guest = bootGuest(listener, { processors: 2, model }).run({ maxInstructions: 3300 });
    const waiting = guest.run();
    expect(waiting.stop).toEqual({ reason: "halted", waitsForInput: true });
    const bare = ["a", "b", "c"].reduce((machine, key) => machine.type(key).run(), waiting);
    for (const from of [guest, waiting]) {
      const empty = Hypervisor.create({ ...SPACE, model });
      const idle = empty.addVm({ name: "a", guest: from, technique }).run();
      expect(idle.vm("a").status).toMatchObject({ kind: "halted", until: undefined });
      expect(idle.vm("a").vcpus.map(({ status }) => status)).toEqual(["halted", "halted"]);
      expect(visible(waiting, idle.vm("a").machine)).toEqual(NOTHING);
      const typed = ["a", "b"].reduce((host, key) => host.type("a", key).run(), idle);
      const paused = typed.pause("a").type("a", "c").run();
      const { steps } = paused.vm("a").machine;
      expect(paused.run({ maxInstructions: 5000 }).vm("a").machine.steps).toBe(steps);
      const ended = paused.resume("a").run();
      expect(visible(bare, ended.vm("a").machine)).toEqual(NOTHING);
      expect(typed.remove("a").free).toBe(empty.free);
    }
  });
});
