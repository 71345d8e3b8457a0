// VM entries and VM exits as they are counted and observed, of the hypervisor in machine code of `guests/vmx-hypervisor`.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { guest, Machine, type MachineEvent } from "../src/index.js";
import { images } from "./support/guests.js";

const image = readFileSync(join(images, "vmx-hypervisor.elf"));
const boot = (): Machine => Machine.boot({ image, model: "max", memory: "16M" });
const LIMIT = { maxInstructions: 5_000_000 };

describe("VM entries and VM exits", () => {
  const seen = boot().run({ ...LIMIT, observe: ["vm-entry", "vm-exit"] });
  const events = (kind: MachineEvent["kind"]): number => seen.events.filter((event) => event.kind === kind).length;

  it("are counted, each of them an event for who asks, and the guest is left as often as it is entered", () => {
    const { vmEntries, vmExits } = seen.counters;
    expect(vmExits).toBeGreaterThan(20);
    expect([events("vm-entry"), events("vm-exit")]).toEqual([vmEntries, vmExits]);
    expect(vmEntries).toBe(vmExits);
    const kinds = seen.events.map(({ kind }) => kind);
    expect(kinds.every((kind, at) => kind === (at % 2 === 0 ? "vm-entry" : "vm-exit"))).toBe(true);
  });

  it("leave the machine the same whether they are observed or not", () => {
    const whole = boot().run(LIMIT);
    expect(seen.hash).toBe(whole.hash);
    expect(whole.counters).toEqual(seen.counters);
    const all = boot().run({ ...LIMIT, observe: ["vm-exit", "vm-entry", "exception", "privilege", "port"] });
    expect(all.hash).toBe(whole.hash);
  });

  it("carry the reason by number and name, and the place in the guest", () => {
    const exits = seen.events.filter((event) => event.kind === "vm-exit");
    const cpuid = exits.find((event) => event.name === "CPUID")!;
    expect(cpuid).toMatchObject({ technology: "vmx", reason: 10, qualification: 0n, entryFailed: false });
    expect(exits.some(({ name }) => name === "EPT violation")).toBe(true);
  });

  it("come with the tick at which their step begins", () => {
    for (const event of seen.events.slice(0, 8)) {
      const start = boot();
      const before = start.run({ maxInstructions: event.tick - start.ticks });
      expect(before.ticks).toBe(event.tick);
      const key = event.kind === "vm-exit" ? "vmExits" : "vmEntries";
      expect(before.step().counters[key]).toBe(before.counters[key] + 1);
    }
  });

  it("survive saving and loading", () => {
    expect(Machine.load(seen.save()).counters).toEqual(seen.counters);
  });

  it("are no part of a machine that has entered no guest", () => {
    const machine = Machine.boot({ image: guest("rings") }).run();
    expect(machine.counters).toMatchObject({ vmEntries: 0, vmExits: 0 });
    expect(new TextDecoder("latin1").decode(machine.save())).not.toContain("vmExits");
  });
});
