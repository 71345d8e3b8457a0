import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { guest, VirtlabError } from "../../index.js";
import { Machine } from "../machine.js";
import { decodeDescriptor } from "./descriptor.js";
import { descriptorTable } from "./descriptor-table.js";
import { explain } from "./explain.js";
import { decodeFlags, flagsOf } from "./flags.js";
import { interruptControllers } from "./interrupt-controllers.js";
import { registersOf } from "./registers.js";
import { selector } from "./selector.js";
import { taskState } from "./task-state.js";
import { vectorMeaning, vectors } from "./vectors.js";
import { why } from "./why.js";

const atHello = Machine.boot({ image: guest("rings"), memory: "16M" }).run({ until: { serial: "hello" } });
const atTask = atHello.run({ until: (machine) => machine.cpl === 3 });
const image = (name: string): Uint8Array =>
  new Uint8Array(readFileSync(join(__dirname, "../../../guests/images", name)));

/** 32-bit dwords as bytes. */
const dwords = (...values: readonly number[]): Uint8Array => new Uint8Array(Uint32Array.from(values).buffer);
const place = { table: "gdt", index: 1, selector: 8, address: 0x1008 } as const;

describe("a descriptor", () => {
  it.each([
    [0x0000ffff, 0x00cf9a00, { kind: "code", base: 0, limit: 0xffffffff, readable: true, big: true, dpl: 0 }],
    [0x0000ffff, 0x00cff600, { kind: "data", dpl: 3, expandDown: true, writable: true, present: true }],
    [0x56780067, 0x12008b34, { kind: "tss32-busy", base: 0x12345678, limit: 0x67, present: true }],
    [
      0x00081234,
      0xabcdec05,
      { kind: "call-gate32", target: { selector: 8, offset: 0xabcd1234 }, parameters: 5, dpl: 3 },
    ],
    [0x00081234, 0xabcd8605, { kind: "interrupt-gate16", target: { selector: 8, offset: 0x1234 } }],
    [0x00280000, 0x0000e500, { kind: "task-gate", target: { selector: 0x28 } }],
    [0x00000001, 0x00008800, { kind: "reserved" }],
    [0, 0, { kind: "empty", present: false }],
  ])("of the words %i and %i says what they say", (low, high, expected) => {
    expect(decodeDescriptor(place, low, high)).toMatchObject({ ...expected, low, high });
  });
});

describe("descriptorTable", () => {
  it("lists the GDT that the guest made", () => {
    const gdt = descriptorTable(atHello, "gdt");
    expect(gdt.map(({ kind, dpl, present }) => [kind, dpl, present])).toEqual([
      ["empty", 0, false],
      ["code", 0, true],
      ["data", 0, true],
      ["code", 3, true],
      ["data", 3, true],
      ["tss32-busy", 0, true],
      ["data", 0, false],
      ["code", 0, false],
    ]);
    expect(gdt.map((entry) => entry.selector)).toEqual([0, 8, 16, 24, 32, 40, 48, 56]);
    expect(Object.isFrozen(gdt) && Object.isFrozen(gdt[1])).toBe(true);
  });

  it("lists the IDT by vector, with the one gate that ring 3 may use", () => {
    const idt = descriptorTable(atHello, "idt");
    expect(idt).toHaveLength(129);
    expect(idt[14]).toMatchObject({ name: "#PF", kind: "interrupt-gate32", target: { selector: 8 } });
    expect(idt.filter(({ dpl }) => dpl === 3).map(({ index }) => index)).toEqual([0x80]);
  });

  it("reads the vector table in real mode", () => {
    const rom = new Uint8Array(0x10000).fill(0xf4);
    const machine = Machine.boot({ rom }).write(0x40, dwords(0xf0001234));
    const ivt = descriptorTable(machine, "idt");
    expect(ivt).toHaveLength(256);
    expect(ivt[16]).toMatchObject({ kind: "vector", target: { selector: 0xf000, offset: 0x1234 } });
  });

  it("refuses other tables, and an LDT that is not there", () => {
    expect(() => descriptorTable(atHello, "tss" as "gdt")).toThrow(VirtlabError);
    expect(() => descriptorTable(atHello, "ldt")).toThrow("LDTR holds no table");
  });
});

describe("selector", () => {
  const refusals = (machine: Machine, value: number): unknown =>
    Object.values(selector(machine, value).loadable).map((check) =>
      check.ok ? "ok" : `${check.exception} ${check.errorCode}`,
    );

  it("takes a value apart", () => {
    expect(selector(atTask, 0x1f)).toMatchObject({ index: 3, table: "ldt", rpl: 3, null: false });
    expect(selector(atTask, 3)).toMatchObject({ index: 0, null: true });
    expect(selector(atTask, 0x23).descriptor).toMatchObject({ kind: "data", dpl: 3 });
    expect(() => selector(atTask, 0x10000)).toThrow(VirtlabError);
  });

  // DS, SS, CS; the faults guest makes the same attempts, and QEMU raised the same exceptions.
  it.each([
    [0x00, ["ok", "#GP 0", "#GP 0"]],
    [0x08, ["ok", "#GP 8", "ok"]],
    [0x10, ["ok", "ok", "#GP 16"]],
    [0x1b, ["ok", "#GP 24", "#GP 24"]],
    [0x23, ["ok", "#GP 32", "#GP 32"]],
    [0x28, ["#GP 40", "#GP 40", "#GP 40"]],
    [0x30, ["#NP 48", "#SS 48", "#GP 48"]],
    [0x38, ["#NP 56", "#GP 56", "#NP 56"]],
    [0x0c, ["#GP 12", "#GP 12", "#GP 12"]],
    [0x1000, ["#GP 4096", "#GP 4096", "#GP 4096"]],
  ])("tells for 0x%s at CPL 0 what loading it would raise", (value, expected) => {
    expect(refusals(atHello, value)).toEqual(expected);
  });

  it("tells it for CPL 3", () => {
    expect(atTask.cpl).toBe(3);
    expect(refusals(atTask, 0x10)).toEqual(["#GP 16", "#GP 16", "#GP 16"]);
    expect(refusals(atTask, 0x23)).toEqual(["ok", "ok", "#GP 32"]);
    expect(refusals(atTask, 0x1b)).toEqual(["ok", "#GP 24", "ok"]);
  });
});

describe("taskState", () => {
  it("gives the fields that the guest filled in", () => {
    const task = taskState(atHello);
    expect(task).toMatchObject({ kind: "tss32", busy: true, selector: 0x28, limit: 0x67, debugTrap: false });
    expect(task.fields).toMatchObject({ ss0: 0x10, cr3: 0 });
    expect(task.io).toEqual({ base: 104, present: false, allowed: [] });
    expect(taskState(atHello, 0x28)).toEqual(task);
  });

  it("gives the ports of the bitmap, of which the last byte only stands behind the others", () => {
    const { base } = taskState(atHello);
    const descriptor = descriptorTable(atHello, "gdt")[5]!;
    // A limit of 104 + 3: ports 0 to 23, with the byte behind them.
    const { low, high, address } = descriptor;
    const longer = atHello
      .write(address, dwords((low & 0xffff0000) | 107, high))
      .write(base + 104, Uint8Array.of(0b11111001, 0xff, 0x7f, 0xff));
    expect(taskState(longer, 0x28).io).toEqual({
      base: 104,
      present: true,
      allowed: [
        { from: 1, to: 2 },
        { from: 23, to: 23 },
      ],
    });
  });

  it("reads a 16-bit TSS by its own names", () => {
    const { address } = descriptorTable(atHello, "gdt")[7]!;
    const words = Uint16Array.from({ length: 22 }, (_, index) => index + 1);
    const machine = atHello
      .write(address, dwords(0x4000002b, 0x00008120))
      .write(0x204000, new Uint8Array(words.buffer));
    expect(taskState(machine, 0x38)).toMatchObject({ kind: "tss16", busy: false, base: 0x204000 });
    expect(taskState(machine, 0x38).fields).toMatchObject({ link: 1, sp0: 2, ip: 8, ax: 10, es: 18, ldt: 22 });
    expect(taskState(machine, 0x38).io).toBeUndefined();
  });

  it("refuses what is no task", () => {
    expect(() => taskState(Machine.create({ memory: "1M" }))).toThrow("TR holds no task");
    expect(() => taskState(atHello, 0x10)).toThrow("data segment");
  });
});

describe("interruptControllers", () => {
  it("tells the timer's line from request to service", () => {
    const start = interruptControllers(atHello);
    expect(start.lines).toHaveLength(16);
    expect(start.lines[0]).toMatchObject({ device: "pit", masked: false, vector: 32, priority: 0 });
    expect(start.lines[2]).toMatchObject({ device: "slave", masked: true });
    expect(start.lines[8]).toMatchObject({ chip: "slave", vector: 40, masked: true });
    const serving = atHello.run({ until: (machine) => interruptControllers(machine).lines[0]!.inService });
    expect(interruptControllers(serving).next).toBeUndefined();
  });

  it("names the interrupt that comes next, as vector and line, while IF is clear", () => {
    const waiting = atHello.edit((draft) => {
      draft.devices.pic = {
        master: { ...draft.devices.pic.master, IRR: 1 << 2, inputs: 1 << 2, IMR: 0 },
        slave: { ...draft.devices.pic.slave, IRR: 1 << 4, inputs: 1 << 4, IMR: 0 },
      };
    });
    expect(interruptControllers(waiting)).toMatchObject({ next: { line: 12, vector: 44 }, enabled: false });
    expect(interruptControllers(waiting).lines[12]).toMatchObject({ requested: true, masked: false, input: true });
  });

  it("says that they are not initialized", () => {
    const { chips } = interruptControllers(Machine.create({ memory: "1M" }));
    expect(chips.map(({ awaitsIcw }) => awaitsIcw)).toEqual([1, 1]);
  });
});

describe("flags and registers", () => {
  it("are named as their bits are", () => {
    expect(decodeFlags(0x3293)).toMatchObject({
      CF: true,
      ZF: false,
      SF: true,
      IF: true,
      AF: true,
      IOPL: 3,
      eflags: 0x3293,
    });
    expect(flagsOf(atTask).IF).toBe(true);
  });

  it("tell what changed from another machine, with signed values", () => {
    const machine = Machine.boot({ image: Uint8Array.of(0x48) }); // dec eax
    const list = registersOf(machine.step(), { since: machine });
    expect(list.find(({ name }) => name === "eax")).toMatchObject({
      value: 0xffffffff,
      signed: -1,
      before: 0,
      changed: true,
    });
    expect(list.filter(({ changed }) => changed).map(({ name }) => name)).toEqual(["eax", "eip", "eflags"]);
    expect(registersOf(machine).some(({ changed }) => changed)).toBe(false);
  });
});

describe("explain", () => {
  /** A machine that is to execute these bytes. */
  const about = (...bytes: number[]): Machine => Machine.boot({ image: Uint8Array.from(bytes), memory: "2M" });

  it("gives a memory operand with its effective and its physical address, and what is there", () => {
    // add dword [ebx+ecx*4+0x10], 7
    const machine = about(0x83, 0x44, 0x8b, 0x10, 7)
      .edit((draft) => {
        draft.registers.ebx = 0x8000;
        draft.registers.ecx = 2;
      })
      .write(0x8018, dwords(0x12345678));
    const { operands, mnemonic, flags, opcode } = explain(machine);
    expect([mnemonic, opcode]).toEqual(["ADD", "83 /0"]);
    expect(operands[0]).toEqual({
      kind: "memory",
      code: "Ev",
      name: "ds:ebx+ecx*4+0x10",
      bits: 32,
      value: 0x12345678,
      segment: "ds",
      effective: 0x8018,
      linear: 0x8018,
      physical: 0x8018,
    });
    expect(operands[1]).toMatchObject({ kind: "immediate", value: 7 });
    expect(flags).toEqual({ written: ["OF", "SF", "ZF", "AF", "PF", "CF"], undefined: [] });
  });

  it("goes through the page tables, and says where nothing is mapped", () => {
    const read = why(atTask, "#PF").machine!;
    expect(explain(read).operands[1]).toMatchObject({ linear: 0x100000, physical: 0x100000 });
    const lost = read.edit((draft) => {
      draft.registers.ecx = 0x300000;
    });
    expect(explain(lost).operands[1]).toMatchObject({ linear: 0x300000 });
    expect(explain(lost).operands[1]).not.toHaveProperty("physical");
    expect(explain(lost).operands[1]).not.toHaveProperty("value");
  });

  it("tells the privilege an instruction needs, and whether the machine has it", () => {
    const machine = about(0xf4);
    expect(explain(machine).privilege).toMatchObject({ needs: "CPL 0", allowed: true });
    const cli = why(atTask, "#GP").machine!;
    expect(cli.cpl).toBe(3);
    expect(explain(cli).privilege).toMatchObject({ needs: "CPL at most IOPL (0)", allowed: false });
    expect(explain(about(0x90)).privilege).toBeUndefined();
  });

  it("says of bytes that are no instruction that they are #UD, and refuses an address without memory", () => {
    expect(explain(about(0xff, 0xf8))).toMatchObject({ text: "(bad)", summary: expect.stringContaining("#UD") });
    expect(() => explain(about(0x90), 0x7fff0000)).toThrow("nothing is mapped at 0x7fff0000");
    expect(() => explain(about(0x90), -1)).toThrow(VirtlabError);
  });

  it("is a method of the machine, too", () => {
    expect({ ...about(0x90).explain() }).toEqual(explain(about(0x90)));
  });

  it("has an answer at every instruction of a guest", () => {
    let machine = Machine.boot({ image: image("memory.elf"), memory: "16M" });
    for (let at = 0; at < 300; at++) {
      expect(explain(machine).spec).toMatch(/^SDM Vol/);
      machine = machine.run({ maxInstructions: 997 });
      if (machine.stop?.reason !== "limit") break;
    }
  });
});

describe("vectors", () => {
  it("are 32, with the error codes of the manual's table", () => {
    expect(vectors).toHaveLength(32);
    expect(vectors.filter(({ errorCode }) => errorCode).map(({ vector }) => vector)).toEqual([
      8, 10, 11, 12, 13, 14, 17,
    ]);
    expect(vectorMeaning(13)).toMatchObject({ name: "#GP", class: "fault" });
    expect(vectorMeaning(32)).toMatchObject({ name: "vector 32", class: "interrupt" });
    expect(() => vectorMeaning(256)).toThrow(VirtlabError);
  });
});
