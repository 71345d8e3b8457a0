import { describe, expect, it } from "vitest";
import { VirtlabError } from "../state/error.js";
import { guest } from "../systems/packaged-guest.js";
import { diff } from "./diff.js";
import { assemble } from "./isa/assembler/assembler.js";
import { Machine } from "./machine.js";

/** A machine with a flat program at 1 MiB. */
const program = (...bytes: number[]): Machine => Machine.boot({ image: Uint8Array.from(bytes), memory: "2M" });

describe("Machine.boot", () => {
  it("starts a flat binary at its first byte, in flat protected mode at CPL 0", () => {
    const machine = program(0x90);
    expect(machine.registers).toMatchObject({ eip: 0x100000, cs: 8, ds: 0x10, cr0: 0x11, eflags: 2 });
    expect([machine.cpl, machine.steps, machine.ticks, machine.stop]).toEqual([0, 0, 0, undefined]);
  });

  it("hands a multiboot kernel its magic number", () => {
    expect(Machine.boot({ image: guest("hello") }).registers.eax).toBe(0x2badb002);
  });

  it("holds registers as a run leaves them, also above 2 GiB", () => {
    const machine = Machine.boot({ image: guest("hello"), memory: "3G" });
    expect(machine.edit(() => {}).hash).toBe(machine.hash);
    expect(machine.registers.ebx).toBeGreaterThan(0);
  });

  it("copies the image: changing its bytes afterwards changes nothing", () => {
    const image = Uint8Array.from([0x90, 0x90]);
    const machine = Machine.boot({ image, memory: "2M" });
    const { hash } = machine;
    image.fill(0xff);
    expect([...machine.memory.read(0x100000, 2)]).toEqual([0x90, 0x90]);
    expect(Machine.load(machine.save()).hash).toBe(hash);
  });
});

describe("Machine.step", () => {
  it("leaves the machine it steps from as it was", () => {
    const before = program(0x40); // inc eax
    const after = before.step();
    expect([before.registers.eax, after.registers.eax]).toEqual([0, 1]);
    expect([before.steps, after.steps]).toEqual([0, 1]);
  });

  it("makes one REP iteration a step", () => {
    let machine = program(0xf3, 0xaa).edit(({ registers }) => {
      Object.assign(registers, { ecx: 3, edi: 0x1000, eax: 0x55 });
    });
    machine = machine.step();
    expect(machine.registers).toMatchObject({ ecx: 2, edi: 0x1001, eip: 0x100000 });
    machine = machine.step().step();
    expect(machine.registers).toMatchObject({ ecx: 0, eip: 0x100002 });
    expect(machine.counters).toMatchObject({ instructions: 1, repeats: 2 });
  });

  it("gives the same machine when nothing can happen any more", () => {
    const halted = program(0xfa, 0xf4).step().step(); // cli; hlt
    const again = halted.step();
    expect(again.stop).toEqual({ reason: "halted", waitsForInput: false });
    expect([again.hash, again.steps]).toEqual([halted.hash, halted.steps]);
  });
});

describe("Machine.run", () => {
  it("stops in front of the instruction at an EIP", () => {
    const machine = program(0x40, 0x40, 0x40).run({ until: 0x100002 });
    expect(machine.stop).toEqual({ reason: "until" });
    expect(machine.registers).toMatchObject({ eip: 0x100002, eax: 2 });
  });

  it("stops behind the step after which a predicate holds", () => {
    const machine = program(0x40, 0xeb, 0xfd).run({ until: ({ registers }) => registers.eax === 5 });
    expect(machine.registers.eax).toBe(5);
    expect(machine.steps).toBe(9);
  });

  it("stops when the serial port has put out a text", () => {
    const machine = Machine.boot({ image: guest("rings") }).run({ until: { serial: "hello" } });
    expect(machine.serial).toMatch(/hello$/);
  });

  it("waits for text that is new, in UTF-8, however the run is cut", () => {
    // mov dx, 0x3f8, then C3 A9 ("é") and "!" again and again.
    const letters = [0xc3, 0xa9, 0x21].flatMap((byte) => [0xb0, byte, 0xee]);
    const talker = program(0x66, 0xba, 0xf8, 0x03, ...letters, 0xeb, 0xf5);
    const first = talker.run({ until: { serial: "é!" } });
    expect(first.serial).toBe("é!");
    expect(first.run({ until: { serial: "é!" } }).serial).toBe("é!é!");
  });

  it("stops behind the character that ends the text in a long output, as in a short one", () => {
    // Quadratic work would take ten seconds and more here. Each turn of the loop has four steps.
    const count = 200_000;
    const source = `mov dx, 0x3f8\nmov ecx, ${count}\nagain: mov al, cl\nand al, 0x7f\nout dx, al\nloop again\nmov al, 10\nout dx, al\nhlt`;
    const start = Machine.boot({ image: assemble(source, { bits: 32 }).bytes, memory: "2M" });
    const end = start.run({ until: { serial: "\u0003\u0002\u0001\n" } });
    expect(end.stop).toEqual({ reason: "until" });
    expect([end.serialBytes.length, end.steps]).toEqual([count + 1, 2 + 4 * count + 2]);
    expect(end.hash).toBe(start.run({ maxInstructions: end.steps }).hash);
    const turn = start.run({ maxInstructions: 2_000 }).run({ until: { serial: "\u0001\u0000\u007f" } });
    expect(turn.serialBytes.slice(-3)).toEqual(Uint8Array.of(1, 0, 0x7f));
  });

  it("refuses kinds of events it does not know, and limits that are no numbers", () => {
    const machine = program(0x90);
    expect(() => machine.run({ observe: ["exeption" as "exception"] })).toThrow(/unknown kind of event "exeption"/);
    expect(() => machine.run({ maxInstructions: Number.NaN })).toThrow(VirtlabError);
  });

  it("reports what was observed in that run only, outside of hash and diff", () => {
    const start = Machine.boot({ image: guest("rings") });
    const seen = start.run({ observe: ["exception", "privilege"] });
    const blind = start.run();
    expect(seen.events.filter(({ kind }) => kind === "exception")).toHaveLength(seen.counters.exceptions);
    expect(seen.events.some((event) => event.kind === "privilege" && event.from === 3 && event.to === 0)).toBe(true);
    expect([blind.events.length, blind.hash]).toEqual([0, seen.hash]);
    expect(diff(seen, blind)).toEqual({ state: [], memory: [] });
  });

  it("counts instructions beside steps and ticks", () => {
    const { counters, steps, ticks } = Machine.boot({ image: guest("rings") }).run();
    expect(counters.instructions + counters.repeats + counters.exceptions + counters.interrupts).toBe(steps);
    expect(ticks).toBeGreaterThan(steps);
  });

  it("delivers an exception as a step of its own, before which the instruction had no effect", () => {
    const machine = program(0x0f, 0x0b).step(); // ud2 without an IDT: triple fault
    expect(machine.stop).toEqual({ reason: "triple-fault" });
    expect(machine.counters).toMatchObject({ instructions: 0, exceptions: 1 });
    expect(machine.step().stop).toEqual({ reason: "triple-fault" });
  });
});

describe("Machine.edit", () => {
  it("gives a machine with the edited register, and leaves this one", () => {
    const before = program(0x90);
    const after = before.edit(({ registers }) => {
      registers.eax = 0xffffffff;
    });
    expect([before.registers.eax, after.registers.eax]).toEqual([0, 0xffffffff]);
  });

  it("edits the processor it is told of, and refuses one that is not there", () => {
    const before = Machine.create({ machine: "pc", processors: 3, memory: "2M" });
    const after = before.edit(({ registers }) => {
      registers.ecx = 7;
    }, 2);
    expect(after.registers.ecx).toBe(before.registers.ecx);
    expect(after.turn?.others.map(({ ecx }) => ecx)).toEqual([0, 7]);
    expect(before.turn?.others.map(({ ecx }) => ecx)).toEqual([0, 0]);
    expect(before.edit(() => {}, 0).hash).toBe(before.hash);
    for (const number of [3, -1, 0.5]) expect(() => before.edit(() => {}, number)).toThrow("there is no processor");
    expect(() => program(0x90).edit(() => {}, 1)).toThrow("edit: there is no processor 1");
  });

  it("refuses what no machine could be", () => {
    const machine = program(0x90);
    const set = (name: string, value: unknown) => () =>
      machine.edit(({ registers }) => Object.assign(registers, { [name]: value }));
    expect(set("foo", 1)).toThrow('there is no register "foo"');
    expect(set("eax", "1")).toThrow("eax is not a whole number (1)");
    expect(set("eax", 0.5)).toThrow("eax is not a whole number (0.5)");
    expect(set("eflags", 0x20002)).toThrow("VM");
    expect(() => machine.edit(({ devices }) => Object.assign(devices, { floppy: {} }))).toThrow(
      "edit.devices.floppy is unknown",
    );
    expect(() => machine.edit(({ devices }) => Object.assign(devices, { pic: 3 }))).toThrow("edit.devices.pic");
  });
});

describe("Machine.diff", () => {
  it("names what differs, and gives the bytes", () => {
    const before = program(0xc7, 0x05, 0, 0x20, 0, 0, 0x78, 0x56, 0x34, 0x12); // mov dword [0x2000], 0x12345678
    const { state, memory } = diff(before, before.step());
    expect(state.map(({ path }) => path)).toEqual(["cpu.eip", "steps", "ticks"]);
    expect(memory).toHaveLength(1);
    expect(memory[0]).toMatchObject({ address: 0x2000 });
    expect([...memory[0]!.after]).toEqual([0x78, 0x56, 0x34, 0x12]);
  });
});

describe("Machine.hash", () => {
  it("does not depend on how the content came about", () => {
    const plain = program(0x90);
    const there = plain.write(0x5000, Uint8Array.of(1)).write(0x5000, Uint8Array.of(0));
    expect(there.hash).toBe(plain.hash);
    expect(plain.write(0x5000, Uint8Array.of(1)).hash).not.toBe(plain.hash);
  });
});

describe("Machine.readLinear and walk", () => {
  it("say clearly where nothing is mapped", () => {
    const machine = Machine.boot({ image: guest("rings") }).run({ until: { serial: "hello" } });
    const walk = machine.walk(0x300000, { user: true });
    expect(walk.fault).toMatchObject({ vector: 14, errorCode: 4 });
    expect(walk.entries.map(({ level, present }) => [level, present])).toEqual([
      [2, true],
      [1, false],
    ]);
    expect(() => machine.readLinear(0x300000, 1)).toThrow("nothing is mapped at linear 0x300000");
  });

  it("refuse addresses outside of RAM", () => {
    expect(() => program(0x90).memory.read(2 * 1024 * 1024 - 1, 2)).toThrow(/not all inside of RAM/);
  });
});

describe("Machine.load", () => {
  it("refuses a save whose fields are not a machine's", async () => {
    const { encodeSave } = await import("../state/save-format.js");
    const bytes = encodeSave({
      kind: "virtlab machine",
      version: 1,
      state: { cpu: {} },
      pages: [],
      hash: "0".repeat(64),
    });
    expect(() => Machine.load(bytes, "odd.save")).toThrow(/^odd\.save: state\.cpu\.eax is missing/);
  });
});
