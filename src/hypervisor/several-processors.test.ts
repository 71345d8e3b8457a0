/** Hosts with several processors; kernels on them are in tests/long. */
import { readFileSync } from "node:fs";
import path from "node:path";
import { describe, expect, it } from "vitest";
import type { ModelName } from "../hardware/cpu/model.js";
import { Machine } from "../hardware/machine.js";
import { Hypervisor } from "./hypervisor.js";
import type { TechniqueName } from "./techniques/names.js";
import { turnsOf } from "./turns.js";

const image = (name: string): Uint8Array => readFileSync(path.join(__dirname, `../../guests/images/${name}`));
const UNSEEN = ["counts.repeats", "counts.exceptions"];
const NAMES = ["a", "b", "c"] as const;

const endsAs = (bare: Machine, machine: Machine): void => {
  const { state, memory } = Machine.diff(bare, machine);
  expect(state.filter(({ path: name }) => !UNSEEN.includes(name))).toEqual([]);
  expect(memory).toEqual([]);
};

const cases: readonly (readonly [TechniqueName, ModelName])[] = [
  ["sim", "nehalem"],
  ["vmx-ept", "nehalem"],
  ["vmx-shadow", "core2"],
  ["svm-npt", "phenom"],
];

describe.each(cases)("a host with two processors under %s", (technique, model) => {
  const options = { memory: "4M", model } as const;
  const create = (slice?: number): Hypervisor =>
    Hypervisor.create({ model, memory: "32M", processors: 2, ...(slice === undefined ? {} : { slice }) });
  const hello = Machine.boot({ ...options, image: image("hello.elf") });
  const endless = Machine.boot({ ...options, image: Uint8Array.of(0x40, 0xeb, 0xfd) });
  const three = (host: Hypervisor, guest: Machine, quantum: number): Hypervisor =>
    NAMES.reduce((all, name) => all.addVm({ name, guest, technique, quantum }), host);
  const few = { maxInstructions: 4000 } as const;

  it("lets three VMs take turns on both, and each ends as on the bare machine", () => {
    const ended = three(create(1000), hello, 100).run({ observe: ["schedule"] });
    for (const name of NAMES) endsAs(hello.run(), ended.vm(name).machine);
    expect(ended.machine.turn!.steps.reduce((sum, count) => sum + count)).toBe(ended.steps);
    const turns = turnsOf(ended.events, ended.ticks).filter(({ vm }) => vm !== undefined);
    for (const name of NAMES) {
      const own = turns.filter(({ vm }) => vm === name);
      expect([...new Set(own.map(({ processor }) => processor))].sort()).toEqual([0, 1]);
      // One VM is on one processor at a time.
      own.sort((x, y) => x.from - y.from);
      for (const [index, turn] of own.slice(1).entries()) expect(turn.from).toBeGreaterThanOrEqual(own[index]!.to);
    }
    expect(ended.stop).toEqual({ reason: "halted", waitsForInput: true });
  });

  it("shows each guest as the bare machine after as many steps, wherever the host stands", () => {
    let host = three(create(1000), hello, 100);
    for (let piece = 0; piece < 12; piece++) {
      host = host.run({ maxInstructions: 101 + piece });
      for (const { machine } of host.vms) {
        // An exit for a fault, which the hypervisor has still to see, has saved RF.
        const withoutRf = machine.edit((draft) => {
          draft.registers.eflags &= ~0x1_0000;
        });
        endsAs(hello.run({ maxInstructions: machine.steps }), withoutRf);
      }
    }
  });

  it("goes on from a saved state, and in pieces, as it would have", () => {
    const half = three(create(1000), hello, 100).run({ maxInstructions: 1500 });
    const whole = half.run({ maxInstructions: 1000 });
    expect(Hypervisor.load(half.save()).run({ maxInstructions: 1000 }).hash).toBe(whole.hash);
    const pieces = [1, 256, 43, 700].reduce((host, steps) => host.run({ maxInstructions: steps }), half);
    expect(pieces.hash).toBe(whole.hash);
  });

  it.each(NAMES)("obeys orders about VM %s, whichever processor has it", (name) => {
    const busy = three(create(), endless, 100).run({ maxInstructions: 3000 });
    const others = NAMES.filter((other) => other !== name);
    expect(busy.shutDown(name).vm(name).status).toEqual({ kind: "stopped", stop: { reason: "power-off" } });
    const two = busy.remove(name);
    const on = two.run(few);
    for (const other of others) expect(on.vm(other).ran).toBeGreaterThan(two.vm(other).ran);
    const paused = busy.pause(name).run(few);
    expect(paused.run(few).vm(name).machine.steps).toBe(paused.vm(name).machine.steps);
    expect(others.reduce((host, other) => host.remove(other), two).free).toBe(create().free);
  });

  it("takes a VM up while it idles", () => {
    const idle = create().run();
    expect(idle.stop).toEqual({ reason: "halted", waitsForInput: true });
    endsAs(
      hello.run(),
      idle
        .addVm({ name: "a", guest: hello, technique })
        .run({ until: { vm: "a" } })
        .vm("a").machine,
    );
  });
});

describe("several processors", () => {
  it("are refused where the host has a mode, a machine or a technique that cannot have them", () => {
    const create = (options: object) => () => Hypervisor.create({ processors: 2, ...options });
    expect(create({ model: "pentium3" })).toThrow("a host with several processors runs in 64-bit mode alone");
    expect(create({ bits: 32 })).toThrow("a host with several processors runs in 64-bit mode alone");
    expect(create({ machine: "isapc" })).toThrow('machine "isapc" has 1 processor, not 2');
    expect(create({ processors: 9 })).toThrow('machine "pc" has 1 to 8 processors, not 9');
    expect(create({ processors: 0 })).toThrow('machine "pc" has 1 to 8 processors, not 0');
    const guest = Machine.create({ memory: "2M" });
    expect(() => Hypervisor.create({ processors: 2 }).addVm({ name: "a", guest, technique: "bt" })).toThrow(
      "a: binary translation needs a host in 32-bit mode, not in 64-bit mode",
    );
  });
});
