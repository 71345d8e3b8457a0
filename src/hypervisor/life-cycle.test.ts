import { readFileSync } from "node:fs";
import path from "node:path";
import { describe, expect, it } from "vitest";
import { Machine } from "../hardware/machine.js";
import { VirtlabError } from "../state/error.js";
import { Hypervisor } from "./hypervisor.js";

const image = (name: string): Uint8Array => readFileSync(path.join(__dirname, `../../guests/images/${name}`));
const guest = Machine.boot({ image: image("kernel.elf"), memory: "16M", model: "nehalem" });
const bare = guest.run();
const endless = Machine.boot({ image: Uint8Array.of(0x40, 0xeb, 0xfd), memory: "2M", model: "nehalem" });
const UNSEEN = ["counts.repeats", "counts.exceptions"];

const host = Hypervisor.create({ model: "nehalem", memory: "64M" });
const techniques = ["sim", "vmx-ept"] as const;

const endsAsBare = (machine: Machine): void => {
  const { state, memory } = Machine.diff(bare, machine);
  expect(state.filter(({ path: name }) => !UNSEEN.includes(name))).toEqual([]);
  expect(memory).toEqual([]);
};

describe.each(techniques)("a VM under %s", (technique) => {
  it("makes no step while it is paused, and ends as the bare machine does once it goes on", () => {
    const paused = host.addVm({ name: "a", guest, technique, paused: true });
    const idle = paused.run({ maxInstructions: 2_000 });
    expect(idle.vm("a").machine.steps).toBe(0);
    const begun = idle.resume("a").run({ maxInstructions: 150 });
    expect(begun.vm("a").machine.steps).toBeGreaterThan(0);
    const held = begun.pause("a").run({ maxInstructions: 2_000 });
    const later = held.run({ maxInstructions: 2_000 });
    expect(later.stop).toEqual({ reason: "halted", waitsForInput: true });
    expect(later.vm("a").machine.hash).toBe(held.vm("a").machine.hash);
    const done = later.resume("a").run({ until: { vm: "a" } });
    expect(done.vm("a").status).toEqual({ kind: "stopped", stop: bare.stop });
    endsAsBare(done.vm("a").machine);
  });

  it("gives all its frames and its disks back when it is removed, from whatever it does", () => {
    const disk = new Uint8Array(512 * 64).fill(7);
    const withDisk = Machine.boot({
      image: Uint8Array.of(0x40, 0xeb, 0xfd),
      memory: "2M",
      model: "nehalem",
      disks: [disk],
    });
    const other = host.addVm({ name: "other", guest: withDisk, technique });
    const two = other.addVm({ name: "a", guest: endless, technique }).run({ maxInstructions: 400 });
    expect(two.vm("a").ran).toBeGreaterThanOrEqual(0);
    const one = two.remove("a");
    expect(one.vms.map(({ name }) => name)).toEqual(["other"]);
    expect(one.run({ maxInstructions: 1000 }).vm("other").machine.disks[0]!.read(0, 512)).toEqual(disk.slice(0, 512));
    const none = one.remove("other");
    expect(none.free).toBe(host.free);
    expect(none.machine.disks.length).toBe(0);
    const again = none.addVm({ name: "a", guest, technique }).run({ until: { vm: "a" } });
    endsAsBare(again.vm("a").machine);
  });

  it("is switched off in the midst of its work, and boots again", () => {
    const off = host.addVm({ name: "a", guest: endless, technique }).run({ maxInstructions: 400 }).shutDown("a");
    expect(off.vm("a").status).toEqual({ kind: "stopped", stop: { reason: "power-off" } });
    expect(off.run({ maxInstructions: 2_000 }).vm("a").machine.steps).toBe(off.vm("a").machine.steps);
    const done = off.boot("a", guest).run({ until: { vm: "a" } });
    endsAsBare(done.vm("a").machine);
  });

  it("that waits for input goes on when something is typed, as the bare machine does", () => {
    const echo = Machine.boot({ image: image("echo.elf"), memory: "16M", model: "nehalem" });
    const said = (machine: Machine): string => machine.type("abc\r").run({ maxInstructions: 100_000 }).serial;
    const waits = host.addVm({ name: "a", guest: echo, technique }).run({ maxInstructions: 100_000 });
    expect(waits.vm("a").status).toMatchObject({ kind: "halted", wake: undefined });
    expect(waits.type("a", "abc\r").run({ maxInstructions: 100_000 }).vm("a").serial).toBe(
      said(echo.run({ maxInstructions: 100_000 })),
    );
  });
});

describe.each([
  ["sim", "nehalem"],
  ["vmx-ept", "nehalem"],
  ["svm-npt", "phenom"],
  ["bt", "pentium3"],
] as const)("a machine that becomes a VM under %s", (technique, model) => {
  const vmOf = (machine: Machine): Hypervisor =>
    Hypervisor.create({ model, memory: "32M" }).addVm({ name: "a", guest: machine, technique });

  it("goes on from the HLT it is in", () => {
    const limit = { maxInstructions: 100_000 } as const;
    const waits = Machine.boot({ image: image("echo.elf"), memory: "4M", model }).run(limit);
    expect(waits.stop).toEqual({ reason: "halted", waitsForInput: true });
    const vm = vmOf(waits).run(limit);
    expect(vm.vm("a").status).toMatchObject({ kind: "halted", wake: undefined });
    expect(vm.vm("a").machine.hash).toBe(waits.hash);
    const answer = vm.type("a", "abc\r").run(limit).vm("a").machine;
    const bare = waits.type("abc\r").run(limit);
    expect([answer.serial, answer.steps, answer.ticks]).toEqual([bare.serial, bare.steps, bare.ticks]);
  });

  it("makes no step behind a triple fault", () => {
    const dead = Machine.boot({ image: image("triple.elf"), memory: "4M", model }).run();
    const { status, machine } = vmOf(dead).run({ maxInstructions: 1000 }).vm("a");
    expect(status).toEqual({ kind: "stopped", stop: { reason: "triple-fault" } });
    expect(machine.hash).toBe(dead.hash);
  });
});

describe("a host", () => {
  it("refuses what cannot be, in one line, and is as it was", () => {
    const full = host.addVm({ name: "a", guest, technique: "sim" });
    const before = full.hash;
    const two = Machine.create({ machine: "pc", processors: 2, memory: "2M" });
    const large = Machine.create({ memory: "64M" });
    const options = { name: "b", guest: endless, technique: "sim" } as const;
    const old = Hypervisor.create({ model: "pentium3", memory: "64M" });
    const plain = Machine.create({ model: "pentium3", memory: "2M" });
    const real = Machine.boot({ image: Uint8Array.of(0xf4), mode: "real", memory: "2M" });
    const long = host.machine.run({ maxInstructions: 1 });
    const bad: readonly (readonly [() => unknown, RegExp])[] = [
      [() => full.addVm({ ...options, guest: large }), /more than the host has left/],
      [
        () => old.addVm({ ...options, guest: two, technique: "trap" }),
        /a VM of trap-and-emulate has one processor, and this machine has 2/,
      ],
      [() => full.addVm(undefined as never), /a VM needs a name/],
      [() => full.addVm({ ...options, guest: image("hello.elf") as never }), /b: the guest of a VM is a Machine/],
      [() => full.addVm({ ...options, technique: undefined as never }), /technique "undefined" is unknown/],
      [() => full.addVm({ ...options, technique: "toString" as never }), /technique "toString" is unknown/],
      [() => full.addVm({ ...options, technique: "bt" }), /binary translation needs a host in 32-bit mode/],
      [() => full.addVm({ ...options, guest: real, technique: "vmx-ept" }), /real mode.*unrestricted guests/],
      [() => old.addVm({ ...options, guest: real, technique: "trap" }), /real mode, which trap-and-emulate cannot run/],
      [() => old.addVm({ ...options, guest: long, technique: "bt" }), /64-bit code, which binary translation cannot/],
      [
        () => old.addVm({ ...options, guest: endless, technique: "trap" }),
        /a nehalem, has .*SSE3.*which a pentium3 has/,
      ],
      [() => old.addVm({ ...options, guest: plain, technique: "pv" }), /start information/],
      [() => old.addVm({ ...options, guest: plain, technique: "vmx-shadow" }), /needs VT-x, which a pentium3 has not/],
      [() => full.addVm({ ...options, name: "a" }), /there is a VM of that name/],
      [() => full.addVm({ ...options, name: "" }), /needs a name/],
      [() => full.addVm({ ...options, technique: "magic" as never }), /unknown \(known: sim/],
      [() => full.addVm({ ...options, technique: "svm-npt" }), /needs AMD-V/],
      ...[0, -1, 1.5, 65536, Number.NaN].map((weight) => [() => full.addVm({ ...options, weight }), /weight/] as const),
      ...[-1, 101, 0.5, Number.NaN].map((cap) => [() => full.addVm({ ...options, cap }), /cap/] as const),
      ...[0, 1.5, Number.NaN].map((quantum) => [() => full.addVm({ ...options, quantum }), /quantum/] as const),
      ...(["pause", "resume", "shutDown", "remove", "vm"] as const).map(
        (what) => [() => full[what]("nobody"), /there is no VM "nobody" \(there are: a\)/] as const,
      ),
      [() => full.boot("nobody", endless), /there is no VM "nobody"/],
      [() => full.type("nobody", "x"), /there is no VM "nobody"/],
      [() => full.resume("a"), /is not paused/],
      [() => full.pause("a").pause("a"), /is paused already/],
      [() => full.type("a", 5 as never), /a: what is typed is text or bytes/],
      [() => full.boot("a", large), /more than the host has left/],
      [() => full.boot("a", undefined as never), /a: the guest of a VM is a Machine/],
      [() => full.eventsOf("nobody"), /there is no VM "nobody"/],
      [() => full.run({ until: { vm: "nobody" } }), /there is no VM "nobody"/],
      [() => full.run({ until: { vm: "a", serial: 5 as never } }), /is a text/],
      [() => full.run({ observe: ["all" as never] }), /unknown kind of event "all"/],
      ...[0.5, -1, Number.NaN].map(
        (maxInstructions) => [() => full.run({ maxInstructions }), /maxInstructions/] as const,
      ),
      [() => Hypervisor.create({ memory: "1M" }), /no room for its hypervisor, which takes 2097152/],
      [() => Hypervisor.create({ model: "486" }), /no pages of 4 MiB/],
      [() => Hypervisor.create({ bits: 16 as never }), /32- or 64-bit mode, not in 16/],
      [() => Hypervisor.create({ model: "z80" as never }), /model "z80" is unknown/],
      [() => Hypervisor.load(new Uint8Array(5), "x.state"), /x.state: .*not a virtlab save/],
      [() => Hypervisor.load(endless.save(), "x.state"), /runs no hypervisor/],
      [() => Hypervisor.create({ slice: 10 }), /turn of 10 ticks/],
      [() => Hypervisor.create({ model: "pentium2", bits: 64 }), /no 64-bit mode/],
      [() => Hypervisor.of(endless), /runs no hypervisor/],
    ];
    for (const [action, message] of bad) {
      let thrown: unknown;
      try {
        action();
      } catch (error) {
        thrown = error;
      }
      expect(thrown, String(message)).toBeInstanceOf(VirtlabError);
      expect((thrown as Error).message).toMatch(message);
      expect((thrown as Error).message).not.toContain("\n");
    }
    expect(full.hash).toBe(before);
  });

  it("is saved and loaded with its VMs, and goes on as it would have", () => {
    const begun = host.addVm({ name: "a", guest, technique: "vmx-ept" }).addVm({ name: "b", guest, technique: "sim" });
    const half = begun.run({ maxInstructions: 200_000 });
    const loaded = Hypervisor.load(half.save());
    expect(loaded.hash).toBe(half.hash);
    expect(loaded.run({ maxInstructions: 200_000 }).hash).toBe(half.run({ maxInstructions: 200_000 }).hash);
  });
});
