/** VMs with several virtual processors are at every step the machine with as many, alone and side by side on one processor and on two. */
import { describe, expect, it } from "vitest";
import { Hypervisor } from "../../src/index.js";
import { bootGuest } from "../support/apic-guest.js";
import { cases, guests, LAST, SPACE, sideBySide } from "../support/several-virtual-processors.js";
import { adders, listener } from "../support/virtual-processor-guests.js";
import { NOTHING, visible } from "../support/visible.js";

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
    // All guests are compared so in the longer tests.
    const some = guests.filter((_, index) => index % 7 === 0);
    sideBySide(technique, model, processors, some);
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
