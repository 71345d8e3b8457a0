// VM entries and exits as values: every field and register that differs between the two machines is one that the table has.
import { describe, expect, it } from "vitest";
import { assemble } from "../isa/assembler/assembler.js";
import { Machine } from "../machine.js";
import { whyEntryFails } from "./entry-failures.js";
import { AT, hostOf, type VmcbValues, type VmcsValues } from "./virtual-machine.test-helper.js";
import { exitReasons, explainExit } from "./vm-exits.js";
import { findVmTransition, type VmMove, type VmTransition, vmTransition } from "./vm-transition.js";
import { vmcb } from "./vmcb.js";
import { vmcs } from "./vmcs.js";

const GUEST = `
  mov ecx, 5
  cpuid
  mov rax, 0x1122334455667788
  mov [0x9000], rax
  hlt`;

const technologies = ["vmx", "svm"] as const;

function transitionsOf(start: Machine, count: number) {
  const found: { before: Machine; after: Machine; transition: VmTransition }[] = [];
  for (let machine = start; found.length < count; ) {
    const next = findVmTransition(machine, { maxInstructions: 1000 });
    if (next === undefined)
      throw new Error(
        `there are ${found.length} transitions: ${JSON.stringify(machine.stop)} ${machine.registers.rip}`,
      );
    found.push(next);
    machine = next.after;
  }
  return found;
}

const target = ({ way, field, register }: VmMove): string =>
  way === "loaded" || way === "set" ? `register ${register}` : `field ${field}`;

/** Names of registers as the difference of two machines has them. */
const aliases: readonly (readonly [RegExp, string])[] = [
  [/^cpu\.system\.(segments\.)?(\w+)\.(selector|base|limit|access)$/, "$2.$3"],
  [/^cpu\.system\.(cr\d)$/, "$1"],
  [/^cpu\.system\.efer$/, "IA32_EFER"],
  [/^cpu\.system\.debug\[4\]$/, "dr6"],
  [/^cpu\.system\.debug\[5\]$/, "dr7"],
  [/^cpu\.system\.msrs\.(\w+)$/, "$1"],
  [/^cpu\.eip$/, "rip"],
  [/^cpu\.eflags$/, "rflags"],
  [/^cpu\.e(sp|ax)$/, "r$1"],
  [/^cpu\.wide\[0\]$/, "rax"],
  [/^cpu\.wide\[4\]$/, "rsp"],
  [/^cpu\.halted$/, "activity"],
  [/^cpu\.shadow$/, "blocking"],
];
const nameOf = (path: string): string => aliases.reduce((name, [from, to]) => name.replace(from, to), path);
const OTHERS = /^(steps|ticks|counts|devices|cpu\.system\.virtualization|turn)/;

describe("VM entries and exits", () => {
  it.each(technologies)("of %s are an entry, an exit and so on, found by running", (technology) => {
    const found = transitionsOf(hostOf(technology, GUEST), 4);
    expect(found.map(({ transition }) => transition.kind)).toEqual(["entry", "exit", "entry", "exit"]);
    expect(found.map(({ transition }) => transition.technology)).toEqual(Array(4).fill(technology));
    expect(found[1]!.transition.exit?.name).toMatch(/CPUID/);
    expect(found[3]!.transition.exit?.name).toMatch(/HLT/);
    for (const { before, after, transition } of found) {
      expect(after.steps).toBe(before.steps + 1);
      expect(vmTransition(before, after)).toEqual(transition);
    }
  });

  it.each(technologies)("of %s tell every register that is another behind the step", (technology) => {
    for (const { before, after, transition } of transitionsOf(hostOf(technology, GUEST), 4)) {
      const told = new Set(transition.moves.map(target));
      const differing = Machine.diff(before, after).state.map(({ path }) => path);
      const missing = differing
        .filter((path) => !OTHERS.test(path))
        .map(nameOf)
        .filter((name) => !told.has(`register ${name}`));
      expect(missing, `${transition.kind} at ${transition.step}`).toEqual([]);
    }
  });

  it.each(technologies)("of %s tell every field in memory that is another behind the step", (technology) => {
    const read = (machine: Machine, at: number): Readonly<Record<string, bigint>> =>
      technology === "vmx" ? vmcs(machine, at).fields : vmcb(machine, at).fields;
    for (const { before, after, transition } of transitionsOf(hostOf(technology, GUEST), 4)) {
      const told = new Set(transition.moves.map(target));
      for (const at of technology === "vmx" ? [AT.control] : [AT.control, AT.saveArea]) {
        const [old, now] = [read(before, at), read(after, at)];
        const changed = Object.keys(old).filter((name) => old[name] !== now[name]);
        expect(
          changed.filter((name) => !told.has(`field ${name}`)),
          `${transition.kind}`,
        ).toEqual([]);
      }
    }
  });

  it.each(technologies)("of %s load what the fields have, and save what the registers had", (technology) => {
    const [entry, exit] = transitionsOf(hostOf(technology, GUEST), 2) as [
      ReturnType<typeof transitionsOf>[0],
      ReturnType<typeof transitionsOf>[0],
    ];
    const of = ({ transition }: typeof entry, way: string, register: string) =>
      transition.moves.find((move) => move.way === way && move.register === register && move.area !== "host save area");
    expect(of(entry, "loaded", "rip")).toMatchObject({ after: BigInt(AT.guest) });
    expect(of(entry, "loaded", "cr3")).toMatchObject({ before: BigInt(AT.tables), after: BigInt(AT.guestTables) });
    expect(of(exit, "saved", "rip")).toMatchObject({ before: BigInt(AT.guest), after: BigInt(AT.guest + 5) });
    const back = exit.transition.moves.find(({ way, register }) => way === "loaded" && register === "cr3");
    expect(back).toMatchObject({ before: BigInt(AT.guestTables), after: BigInt(AT.tables) });
  });

  it("say what an entry injects; where its delivery leaves the guest again, both are one step", () => {
    const start = hostOf("vmx", GUEST, { "VM-entry interruption-information field": 0x8000_0306 });
    // The guest has no IDT: the delivery ends in a triple fault.
    const { transition } = findVmTransition(start)!;
    expect(transition).toMatchObject({
      kind: "entry and exit",
      injected: { vector: 6, type: "exception" },
      exit: { name: "Triple fault", entryFailed: false },
    });
  });

  it("are asked for between machines one step apart", () => {
    const start = hostOf("vmx", GUEST);
    expect(() => vmTransition(start, start.run({ maxInstructions: 2 }))).toThrow(/2 steps apart/);
    expect(() => vmTransition(start.step(), start.step().step())).toThrow(/neither enters nor leaves/);
    expect(findVmTransition(Machine.create({ memory: "1M" }), { maxInstructions: 10 })).toBeUndefined();
  });
});

describe("an entry that fails", () => {
  it("of VT-x is told by the checks it does not pass, and is a VMfailValid or an exit", () => {
    const start = hostOf("vmx", GUEST, { "Guest RFLAGS": 0, "Guest CR4": 0 } satisfies VmcsValues);
    const { failed, sentence } = whyEntryFails(start);
    expect(failed.length).toBeGreaterThan(1);
    expect(failed.every(({ group }) => group === "guest")).toBe(true);
    expect(sentence).toMatch(/^This does not hold: .*exit reason 33/);
    const { transition } = findVmTransition(start)!;
    expect(transition).toMatchObject({ kind: "refused", exit: { number: 33, entryFailed: true } });
    expect(transition.moves.some(({ way }) => way === "saved")).toBe(false);
  });

  it("of AMD-V is VMEXIT_INVALID", () => {
    const start = hostOf("svm", GUEST, { GUEST_ASID: 0 } satisfies VmcbValues);
    expect(whyEntryFails(start, AT.control).failed.map(({ sentence }) => sentence)).toEqual(["The ASID is 0."]);
    const { transition, before, after } = findVmTransition(start)!;
    expect(transition).toMatchObject({
      kind: "refused",
      exit: { number: -1, name: "VMEXIT_INVALID", entryFailed: true },
    });
    expect(after.counters.vmExits).toBe(before.counters.vmExits + 1);
  });

  it("behind MOV to SS is refused with error 26, in one run as in single steps", () => {
    const start = hostOf("vmx", GUEST);
    const { bytes } = assemble("mov ecx, 0x10\nmov ss, ecx\nvmlaunch\nnop", { bits: 64 });
    const ready = start.write(Number(start.registers.rip), bytes);
    for (const end of [ready.run({ maxInstructions: 3 }), ready.step().step().step()]) {
      expect(vmcs(end).fields["VM-instruction error"]).toBe(26n);
      expect(end.counters.vmEntries).toBe(0);
    }
    expect(ready.run({ maxInstructions: 3 }).hash).toBe(ready.step().step().step().hash);
  });

  it("that would not fail says so", () => {
    expect(whyEntryFails(hostOf("vmx", GUEST)).sentence).toMatch(/passes every check/);
    expect(whyEntryFails(hostOf("svm", GUEST), AT.control).failed).toEqual([]);
  });
});

describe("a VMCS and a VMCB", () => {
  it("are read by the names of their fields, with the state the VMCS is in", () => {
    const start = hostOf("vmx", GUEST);
    const fresh = vmcs(start);
    expect(fresh).toMatchObject({
      address: AT.control,
      state: { current: true, launch: "clear", active: true, running: false },
    });
    expect(fresh.fields["Guest RIP"]).toBe(BigInt(AT.guest));
    expect(vmcs(start.step()).state).toEqual({ current: true, launch: "launched", active: true, running: true });
    expect(vmcs(start, 0x9_0000).state).toMatchObject({ current: false, active: undefined });
    expect(vmcb(hostOf("svm", GUEST).step())).toMatchObject({
      address: AT.control,
      running: true,
      fields: { GUEST_ASID: 1n },
    });
    expect(() => vmcb(hostOf("svm", GUEST))).toThrow(/address is needed/);
    expect(() => vmcs(Machine.create({ memory: "1M" }))).toThrow(/no VMCS is current/);
    expect(() => vmcs(start, 0x123)).toThrow(/page of memory/);
  });
});

describe("exits in words", () => {
  it("are the same from an event, from the VMCS or the VMCB, and from numbers", () => {
    for (const technology of technologies) {
      const ports =
        technology === "vmx"
          ? { "Primary processor-based VM-execution controls": 0x8500_6172 }
          : { INTERCEPT_MISC1: 2 ** 27 };
      const start = hostOf(technology, "in al, 0x60", ports);
      const [event] = start
        .write(AT.permissions + 12, Uint8Array.of(1))
        .run({ maxInstructions: 2, observe: ["vm-exit"] }).events;
      if (event?.kind !== "vm-exit") throw new Error("there is no exit");
      const told = explainExit(event);
      expect(told).toMatchObject({ technology, entryFailed: false, told: { port: "0x60" } });
      const { after, transition } = findVmTransition(start.write(AT.permissions + 12, Uint8Array.of(1)), {
        kind: "exit",
      })!;
      expect(transition.exit).toEqual(told);
      expect(explainExit(technology === "vmx" ? vmcs(after) : vmcb(after, AT.control))).toEqual(told);
    }
  });

  it("have every reason once in each table", () => {
    for (const technology of technologies) {
      const numbers = exitReasons(technology).map(({ number }) => number);
      expect(new Set(numbers).size).toBe(numbers.length);
    }
    expect(exitReasons("vmx").find(({ name }) => name === "I/O instruction")?.tells).toContain("port");
    expect(explainExit({ technology: "svm", reason: 0x400, info1: 2n ** 32n + 2n, info2: 0x5000n })).toMatchObject({
      name: "VMEXIT_NPF",
      told: { write: true, present: false, "guest-physical address": "0x5000" },
    });
  });
});
