// Inspection of a machine in 64-bit mode. It is put together by hand, so that each table says something else.
import { describe, expect, it } from "vitest";
import { guest, VirtlabError } from "../../index.js";
import { noWide } from "../cpu/state.js";
import { Machine } from "../machine.js";
import { descriptorTable } from "./descriptor-table.js";
import { explain } from "./explain.js";
import {
  ABSENT,
  CODE,
  DATA,
  HANDLER,
  IDT,
  KERNEL_STACK,
  longMachine,
  TSS,
  USER_PAGE,
} from "./long-machine.test-helper.js";
import { registersOf } from "./registers.js";
import { selector } from "./selector.js";
import { taskState } from "./task-state.js";

const machine = longMachine();
/** RAX to RDI in halves, then R8 to R15. */
const wide = [-1, 0, 0, 0, -1, 0, 0, 0x7fff, 1, -2, ...new Array<number>(14).fill(0)];
const withRegisters = longMachine({ cpu: { eax: -16, edi: 5, wide, esp: KERNEL_STACK | 0 } });

describe("registers of a machine in 64-bit mode", () => {
  it("are there by their wide names, unsigned, beside the names of 32 bits", () => {
    const { rax, rdi, rsp, r8, r15, rip, rflags, eax, eip, cr3 } = withRegisters.registers;
    expect({ rax, rdi, rsp, r8, r15, rip, rflags, eax, eip, cr3 }).toEqual({
      ...{ rax: 0xffff_ffff_ffff_fff0n, rdi: 0x7fff_0000_0005n, rsp: BigInt.asUintN(64, BigInt(KERNEL_STACK)) },
      ...{ r8: 0xffff_fffe_0000_0001n, r15: 0n, rip: 0xffff_ffff_8100_0000n, rflags: 0x202n },
      ...{ eax: 0xffff_fff0, eip: 0x8100_0000, cr3: 0x1000 },
    });
    expect(Object.keys(withRegisters.registers)).toEqual(expect.arrayContaining(["eax", "rax", "r15", "rip"]));
  });

  it("make a list of the wide ones, with the bases of FS and GS", () => {
    const list = registersOf(withRegisters, { since: machine });
    const [rax] = list;
    expect(rax).toEqual({
      ...{ name: "rax", bits: 64, value: 0xffff_ffff_ffff_fff0n, signed: -16n, before: 0n, changed: true },
    });
    expect(list.map(({ name }) => name).slice(-3)).toEqual(["efer", "fs base", "gs base"]);
    expect(list.find(({ name }) => name === "fs base")?.value).toBe(0x123456n);
    expect(list.filter(({ changed }) => changed).map(({ name }) => name)).toEqual(["rax", "rdi", "rsp", "r8"]);
  });
});

describe("registers of a machine of 32 bits", () => {
  const narrow = Machine.boot({ image: guest("rings") });

  it("look as if there were no others, and answer by the wide names all the same", () => {
    expect(Object.keys(narrow.registers)).toHaveLength(20);
    expect(registersOf(narrow).map(({ bits }) => bits)).not.toContain(64);
    const { eax, eip, rax, rip, r9, rflags } = narrow.registers;
    expect([rax, rip, r9, rflags]).toEqual([BigInt(eax), BigInt(eip), 0n, BigInt(narrow.registers.eflags)]);
  });

  it("stay narrow when the machine was saved and loaded", () => {
    expect(Object.keys(Machine.load(narrow.save()).registers)).toHaveLength(20);
  });
});

describe("editing 64-bit registers", () => {
  it("changes both halves, and RIP to a canonical address alone", () => {
    const edited = machine.edit(({ registers }) => {
      registers.rax = -1n;
      registers.r12 = 0x1_0000_0002n;
      registers.rip = 0xffff_ffff_8100_0010n;
    });
    expect(edited.registers).toMatchObject({ rax: 2n ** 64n - 1n, r12: 0x1_0000_0002n, rip: 0xffff_ffff_8100_0010n });
    expect(edited.cpu.eip).toBe(CODE + 0x10);
    expect(machine.registers.rax).toBe(0n);
    const back = edited.edit(({ registers }) => {
      registers.rax = 0n;
      registers.r12 = 0n;
      registers.rip = machine.registers.rip;
    });
    expect([back.hash, back.cpu.wide === noWide]).toEqual([machine.hash, true]);
    expect(() =>
      machine.edit(({ registers }) => {
        registers.rip = 1n << 47n;
      }),
    ).toThrow("canonical");
  });

  it("changes the low half by the name of 32 bits, and refuses both names at once", () => {
    const edited = withRegisters.edit(({ registers }) => {
      registers.eax = 7;
    });
    expect(edited.registers.rax).toBe(0xffff_ffff_0000_0007n);
    expect(() =>
      machine.edit(({ registers }) => {
        registers.ebx = 1;
        registers.rbx = 2n;
      }),
    ).toThrow("ebx and rbx are one register");
  });

  it("refuses numbers that are no bigints, and the names on a processor without long mode", () => {
    expect(() => machine.edit(({ registers }) => Object.assign(registers, { rcx: 5 }))).toThrow("rcx is not a bigint");
    const old = Machine.create({ memory: "1M" });
    expect(() => old.edit(({ registers }) => Object.assign(registers, { rcx: 5n }))).toThrow('no register "rcx"');
  });
});

describe("Machine.walk with 4-level paging", () => {
  it("takes an address of the upper half as a negative number or as a bigint", () => {
    const walk = machine.walk(0xffff_ffff_8100_0abcn);
    expect(walk).toEqual(machine.walk(CODE + 0xabc));
    expect(walk).toMatchObject({ linear: CODE + 0xabc, mode: "4-level", physical: 0x10abc, pageBytes: 4096 });
    expect(walk.entries.map(({ index }) => index)).toEqual([511, 510, 8, 0]);
    expect(machine.walk(0x123456)).toMatchObject({ physical: 0x123456, pageBytes: 2 ** 21 });
  });

  it("refuses a number that stands for several addresses", () => {
    expect(() => machine.walk(Number(0xffff_ffff_8100_0abcn))).toThrow(VirtlabError);
    expect(() => machine.walk(0.5)).toThrow("no exact address");
  });

  it("says what each kind of access may not do", () => {
    const rule = (address: number, access = {}): string | undefined => machine.walk(address, access).fault?.rule;
    expect(rule(CODE, { write: true })).toBe("page-rights");
    expect(rule(DATA, { fetch: true })).toBe("page-execute-disable");
    expect(rule(USER_PAGE)).toBe("page-user-data");
    expect(rule(USER_PAGE, { fetch: true })).toBe("page-user-code");
    expect(rule(USER_PAGE, { user: true })).toBeUndefined();
    expect(rule(ABSENT)).toBe("page-not-present");
    expect(machine.walk(1n << 50n).fault).toEqual({ vector: 13, errorCode: 0, rule: "address-not-canonical" });
  });

  it("reads memory there, of the user too", () => {
    expect([...machine.readLinear(CODE, 1)]).toEqual([0x90]);
    expect(machine.readLinear(USER_PAGE, 4)).toHaveLength(4);
    expect(machine.readLinear(CODE + 0xffe, 4)).toHaveLength(4);
    expect(() => machine.readLinear(ABSENT, 1)).toThrow("nothing is mapped at linear 0xffffffff81003000");
    expect(() => machine.readLinear(1n << 50n, 1)).toThrow("non-canonical");
  });
});

describe("tables of long mode", () => {
  it("have system segments of 16 bytes in the GDT", () => {
    const gdt = descriptorTable(machine, "gdt");
    expect(gdt.map(({ index, kind, long }) => [index, kind, long])).toEqual([
      [0, "empty", undefined],
      [1, "code", true],
      [2, "data", undefined],
      [3, "code", false],
      [4, "data", undefined],
      [5, "code", true],
      [6, "tss64-busy", undefined],
    ]);
    expect(gdt.at(-1)).toMatchObject({ selector: 0x30, base: TSS, limit: 0x67, upper: 0xffffffff });
  });

  it("have gates of 16 bytes in the IDT, with a stack of the TSS", () => {
    const gates = descriptorTable(machine, "idt").filter(({ kind }) => kind !== "empty");
    expect(gates.map(({ name, kind, ist, address, target }) => [name, kind, ist, address, target?.offset])).toEqual([
      ["#GP", "interrupt-gate64", 0, IDT + 13 * 16, HANDLER],
      ["#PF", "interrupt-gate64", 2, IDT + 14 * 16, HANDLER],
    ]);
  });

  it("make a task-state segment of stacks alone", () => {
    const { kind, base, fields, io, debugTrap } = taskState(machine);
    expect({ kind, base, io, debugTrap }).toEqual({
      ...{ kind: "tss64", base: TSS, io: { base: 0x68, present: false, allowed: [] }, debugTrap: false },
    });
    expect(fields).toMatchObject({ rsp0: KERNEL_STACK, rsp1: 0, ist1: 0, ist2: DATA + 0xd00, ist3: 0 });
    expect(taskState(machine, 0x30)).toMatchObject({ kind: "tss64", busy: true, base: TSS });
  });

  it("have selectors that can be loaded by the rules of 64-bit code", () => {
    const { loadable } = selector(machine, 0);
    expect([loadable.ss.ok, loadable.ds.ok, loadable.cs.ok]).toEqual([true, true, false]);
    expect(selector(machine, 0x2b)).toMatchObject({ descriptor: { long: true, dpl: 3 }, rpl: 3 });
    expect(selector(machine, 0x30).descriptor?.kind).toBe("tss64-busy");
  });
});

describe("explain in 64-bit code", () => {
  const operandsOf = (...code: readonly number[]) =>
    explain(longMachine({ code, cpu: { eax: -16, edi: 5, wide, esp: KERNEL_STACK | 0 } })).operands;

  it("gives registers of 64 bits as bigints, and R8 to R15", () => {
    // mov r8, rax
    expect(operandsOf(0x49, 0x89, 0xc0).map(({ name, bits, value }) => [name, bits, value])).toEqual([
      ["r8", 64, 0xffff_fffe_0000_0001n],
      ["rax", 64, 0xffff_ffff_ffff_fff0n],
    ]);
    // mov spl, dil
    expect(operandsOf(0x40, 0x88, 0xfc).map(({ name, value }) => [name, value])).toEqual([
      ["spl", 0xf0],
      ["dil", 5],
    ]);
  });

  it("finds operands relative to RIP, in the upper half, and through FS", () => {
    // mov rax, [rip + 0xff9]: the first entry of the GDT, which is null
    const [, relative] = operandsOf(0x48, 0x8b, 0x05, 0xf9, 0x0f, 0, 0);
    expect(relative).toMatchObject({ linear: DATA, physical: 0x11000, bits: 64, value: 0n });
    // mov rax, [rip + 0x1001]
    const [, code] = operandsOf(0x48, 0x8b, 0x05, 0x01, 0x10, 0, 0);
    expect(code).toMatchObject({ name: "ds:rip+0x1001", effective: DATA + 8, value: 0x00af9b000000ffffn });
    // mov eax, fs:[rdi]
    expect(operandsOf(0x64, 0x8b, 0x07)[1]).toMatchObject({
      ...{ segment: "fs", effective: 0x7fff_0000_0005, linear: 0x7fff_0012_345b },
    });
  });

  it("takes an address of the upper half", () => {
    expect(explain(machine, CODE).mnemonic).toBe(explain(machine, 0xffff_ffff_8100_0000n).mnemonic);
    expect(() => explain(machine, ABSENT)).toThrow("nothing is mapped");
  });
});

describe("the value of a machine in 64-bit mode", () => {
  it("is saved and loaded, and differs by name", () => {
    const loaded = Machine.load(withRegisters.save());
    expect(loaded.hash).toBe(withRegisters.hash);
    expect(loaded.registers).toEqual(withRegisters.registers);
    const paths = Machine.diff(machine, withRegisters).state.map(({ path }) => path);
    expect(paths).toEqual(expect.arrayContaining(["cpu.eax", "cpu.wide[0]", "cpu.wide[9]"]));
  });
});
