/** What VM entries load and VM exits write, field by field. */
import { describe, expect, it } from "vitest";
import { TripleFault } from "../cpu/exceptions.js";
import { type DeliveredEvent, type ExitCause, type NestedFault, VmExit } from "../cpu/guest-operation.js";
import { CR0, CR4, EFER, FLAG } from "../cpu/state.js";
import type { DecodedInstruction } from "../isa/instruction.js";
import { rows } from "../isa/table/index.js";
import { ENTRY_FAILURE, REASON } from "./exit-reasons.js";
import { type FieldName, LAYOUT } from "./fields.js";
import { vmlaunch, vmresume } from "./instructions.js";
import { isLaunched } from "./vmcs.js";
import { AT, get, host32, outcome, rootPort, set, type TestPort, turnOn } from "./vmx.test-helper.js";

function enter(prepare: (port: TestPort) => void = () => {}): TestPort {
  const port = rootPort();
  prepare(port);
  vmlaunch(port);
  return port;
}

const cpuid: ExitCause = { kind: "instruction", name: "CPUID" };
const absent: NestedFault = {
  guestPhysical: 0x5000,
  linear: 0x5000,
  access: { write: false, fetch: false },
  ofWalk: false,
  rights: { read: false, write: false, execute: false },
  misconfigured: false,
};

function leave(port: TestPort, cause: ExitCause, vectoring?: DeliveredEvent, length = 0): void {
  if (port.guest === undefined) throw new Error(`no guest: ${outcome(port)}`);
  port.guest.leave(port, new VmExit(cause), vectoring, length);
}

const read = (port: TestPort, ...names: readonly FieldName[]): number[] => names.map((name) => Number(get(port, name)));
const told = (port: TestPort): number[] =>
  read(port, "Exit reason", "Exit qualification", "VM-exit interruption information", "VM-exit instruction length");

describe("VM entry", () => {
  it("loads the guest and notes what holds it", () => {
    const port = enter((to) => {
      set(to, "Guest FS base", 0xffff_8000_0000_0000n);
      set(to, "Guest IA32_SYSENTER_EIP", 0xffff_ffff_8123_0000n);
      set(to, "Guest RSP", 0xffff_8880_0000_1000n);
      turnOn(to, "secondary", "enable VPID");
      turnOn(to, "primary", "use TSC offsetting");
      set(to, "TSC offset", -5n);
    });
    const { system } = port;
    expect(system.segments.fs.base).toBe(-0x8000_0000_0000);
    expect(system.segments.cs).toEqual({ selector: 8, base: 0, limit: 0xffffffff, access: 0xa09b });
    expect(system.ldtr.access).toBe(0);
    expect(system.msrs["IA32_SYSENTER_EIP"]).toBe(0xffff_ffff_8123_0000n);
    expect(port.nextEip).toBe(0x1234);
    expect([port.getRegister(4), port.getRegisterHigh(4)]).toEqual([0x1000, 0xffff8880]);
    expect(system.virtualization?.kind === "vmx" && system.virtualization.guest?.vpid).toBe(1);
    expect(port.guest!.timestampOffset(port)).toBe(-5n);
    expect(isLaunched(port, AT.vmcs)).toBe(true);
    expect(port.flushes).toBeGreaterThan(0);
  });

  it("leaves CD, NW and ET of CR0 as they are", () => {
    const port = rootPort("max", { cr0: CR0.PE | CR0.NE | CR0.PG | CR0.CD | CR0.ET });
    set(port, "Guest CR0", (CR0.PE | CR0.NE | CR0.PG | CR0.NW) >>> 0);
    vmlaunch(port);
    expect(port.system.cr0 >>> 0).toBe((CR0.PE | CR0.NE | CR0.PG | CR0.CD | CR0.ET) >>> 0);
  });

  it("loads an unusable segment with no rights, its base too", () => {
    const port = enter((to) => {
      set(to, "Guest GS access rights", 0x10000);
      set(to, "Guest GS base", 0x1_0000_0000n);
    });
    expect(port.system.segments.gs).toMatchObject({ access: 0, base: 0x1_0000_0000 });
  });

  it.each([
    [0x80000020, 0, 0, { vector: 0x20, type: "interrupt" }],
    [0x80000202, 0, 0, { vector: 2, type: "nmi" }],
    [0x80000b0e, 7, 0, { vector: 14, type: "exception", errorCode: 7 }],
    [0x80000480, 0, 2, { vector: 0x80, type: "software", length: 2 }],
    [0x80000501, 0, 1, { vector: 1, type: "privileged", length: 1 }],
    [0x80000603, 0, 1, { vector: 3, type: "software exception", length: 1 }],
  ])("injects the event %i", (information, code, length, event) => {
    const port = enter((to) => {
      set(to, "Guest RFLAGS", 0x202);
      set(to, "VM-entry interruption-information field", information);
      set(to, "VM-entry exception error code", code);
      set(to, "VM-entry instruction length", length);
    });
    expect(port.injected).toEqual(event);
    expect(port.between.pending.nmiBlocked).toBe(event.type === "nmi");
  });

  it("loads halting, blocking and pending debug traps", () => {
    const port = enter((to) => {
      set(to, "Guest activity state", 1);
      set(to, "Guest pending debug exceptions", (1 << 12) | 1);
      set(to, "Guest interruptibility state", 8);
    });
    expect(port.between).toEqual({
      halted: true,
      shadow: "none",
      pending: { debug: 1, nmi: false, nmiBlocked: true },
    });
    const sti = enter((to) => {
      set(to, "Guest RFLAGS", 0x202);
      set(to, "Guest interruptibility state", 1);
    });
    expect(sti.between.shadow).toBe("sti");
  });

  it("loads PDPTEs from memory, and from the VMCS with EPT", () => {
    const legacy = (to: TestPort): void => {
      set(to, "VM-entry controls", 0x11ff);
      set(to, "Guest CR4", CR4.PAE | CR4.VMXE);
      set(to, "Guest CS access rights", 0xc09b);
      set(to, "Guest CR3", AT.pdpt);
      to.writePhysical(AT.pdpt, 0x8001);
    };
    expect(enter(legacy).system.pdptes).toEqual([0x8001, 0, 0, 0, 0, 0, 0, 0]);
    const nested = enter((to) => {
      legacy(to);
      turnOn(to, "secondary", "enable EPT");
      set(to, "Guest PDPTE3", 0x2_0000_3001n);
    });
    expect(nested.system.pdptes).toEqual([0, 0, 0, 0, 0, 0, 0x3001, 2]);
    leave(nested, cpuid);
    expect(get(nested, "Guest PDPTE3")).toBe(0x2_0000_3001n);
  });

  it("derives IA32_EFER from its mode where it is not loaded", () => {
    const port = rootPort("max", { efer: EFER.LME | EFER.LMA | EFER.NXE });
    set(port, "VM-entry controls", 0x11ff);
    set(port, "Guest CR4", CR4.VMXE);
    set(port, "Guest CS access rights", 0xc09b);
    vmlaunch(port);
    expect(port.system.efer).toBe(EFER.NXE);
    leave(port, cpuid);
    expect(port.system.efer).toBe(EFER.NXE | EFER.LME | EFER.LMA);
  });

  it("loads its area of registers, and fails with the number of the one that cannot be loaded", () => {
    const entry = (port: TestPort, number: number, index: number, value: number, reserved = 0): void => {
      const at = AT.msrs + 16 * number;
      for (const [offset, word] of [index, reserved, value, 0].entries()) port.writePhysical(at + 4 * offset, word);
    };
    const area = (to: TestPort, count: number): void => {
      set(to, "VM-entry MSR-load count", count);
      set(to, "VM-entry MSR-load address", AT.msrs);
      entry(to, 0, 0xc000_0102, 0x1000);
      entry(to, 1, 0xc000_0081, 0x2000);
    };
    const port = enter((to) => area(to, 2));
    expect(port.system.msrs).toMatchObject({ IA32_KERNEL_GS_BASE: 0x1000n, IA32_STAR: 0x2000n });
    for (const [index, reserved] of [
      [0xc000_0100, 0],
      [0xc000_0101, 0],
      [0x808, 0],
      [0x9b, 0],
      [0xc000_0081, 1],
      [0x1234, 0],
    ] as const) {
      const failed = enter((to) => {
        area(to, 3);
        entry(to, 2, index, 0, reserved);
      });
      expect(failed.guest).toBeUndefined();
      expect(read(failed, "Exit reason", "Exit qualification")).toEqual([
        (REASON.MSR_LOADING | ENTRY_FAILURE) >>> 0,
        3,
      ]);
      expect(isLaunched(failed, AT.vmcs)).toBe(false);
      expect(failed.nextEip).toBe(-0x7f00_0000);
    }
  });

  it("that fails on guest state goes to the host and leaves the guest's fields and events as they were", () => {
    const port = enter((to) => {
      set(to, "Guest RFLAGS", 0);
      set(to, "VM-entry interruption-information field", 0x80000202);
      set(to, "IDT-vectoring information field", 5);
    });
    expect(port.guest).toBeUndefined();
    expect(read(port, "Exit reason")).toEqual([(REASON.INVALID_GUEST_STATE | ENTRY_FAILURE) >>> 0]);
    expect(read(port, "VM-entry interruption-information field", "IDT-vectoring information field")).toEqual([
      ...[0x80000202, 5],
    ]);
    expect([port.nextEip, isLaunched(port, AT.vmcs), port.injected]).toEqual([-0x7f00_0000, false, undefined]);
    expect(port.system.virtualization).toMatchObject({ current: AT.vmcs, guest: undefined });
  });

  it("with a pending monitor trap leaves again before the first instruction", () => {
    const port = enter((to) => set(to, "VM-entry interruption-information field", 0x80000700));
    expect(port.injected).toBeUndefined();
    expect(port.guest!.boundary(port, "traps")).toEqual({ kind: "monitor-trap" });
    const other = enter();
    expect(other.guest!.boundary(other, "traps")).toBeUndefined();
    other.guest!.stepped(other);
    expect(other.guest!.boundary(other, "traps")).toEqual({ kind: "monitor-trap" });
  });
});

describe("VM exit", () => {
  it("saves what the guest has become", () => {
    const port = enter((to) => turnOn(to, "exit", "save IA32_EFER", "save IA32_PAT", "save debug controls"));
    port.setSystem({
      cr0: CR0.PE | CR0.NE | CR0.PG | CR0.TS,
      cr3: 0x12_3456_7000,
      segments: { ...port.system.segments, gs: { selector: 0, base: -0x1000, limit: 0, access: 0 } },
      gdtr: { base: -0x2000, limit: 0x7f },
      debug: [0, 0, 0, 0, 0, 0x401],
      msrs: { ...port.system.msrs, IA32_SYSENTER_CS: 0x10n },
    });
    port.setRegister(4, 0x2000, 0xffff8880);
    port.setEflags(0x246);
    port.eip = -0x7fff_f000;
    port.setBetween({ halted: true, shadow: "none", pending: { debug: 0x4002, nmi: false, nmiBlocked: true } });
    leave(port, { kind: "monitor-trap" }, undefined, 2);
    expect(read(port, "Guest CR0", "Guest CR3", "Guest RFLAGS", "Guest DR7")).toEqual([
      ...[0x80000029, 0x12_3456_7000, 0x246, 0x401],
    ]);
    expect(get(port, "Guest RIP")).toBe(0xffff_ffff_8000_1000n);
    expect(get(port, "Guest RSP")).toBe(0xffff_8880_0000_2000n);
    expect(get(port, "Guest GS base")).toBe(0xffff_ffff_ffff_f000n);
    expect(get(port, "Guest GDTR base")).toBe(0xffff_ffff_ffff_e000n);
    expect(read(port, "Guest GS access rights", "Guest CS access rights", "Guest IA32_SYSENTER_CS")).toEqual([
      ...[0x10000, 0xa09b, 0x10],
    ]);
    expect(read(port, "Guest activity state", "Guest interruptibility state")).toEqual([1, 8]);
    expect(read(port, "Guest pending debug exceptions", "Guest IA32_EFER")).toEqual([0x5002, 0x500]);
    expect(get(port, "Guest IA32_PAT")).toBe(0x0007_0406_0007_0406n);
  });

  it.each<[name: string, cause: ExitCause, shadow: "none" | "mov-ss", saved: number]>([
    ["INIT", { kind: "init" }, "none", 0x4000],
    ["the monitor trap flag", { kind: "monitor-trap" }, "none", 0x4000],
    ["an instruction", cpuid, "none", 0],
    ["an instruction behind MOV to SS", cpuid, "mov-ss", 0x4000],
    ["#DB", { kind: "exception", event: { vector: 1, type: "exception" }, payload: 0x4000 }, "none", 0],
  ])("by %s saves the debug exceptions that wait, or lets them go", (_name, cause, shadow, saved) => {
    const port = enter();
    port.setBetween({ shadow, pending: { debug: 0x4000, nmi: false, nmiBlocked: false } });
    leave(port, cause, undefined, 2);
    expect(read(port, "Guest pending debug exceptions")).toEqual([saved]);
  });

  it.each<[name: string, cause: ExitCause, vectoring: DeliveredEvent | undefined, rf: number, saved: number]>([
    ["an instruction", cpuid, undefined, FLAG.RF, 0],
    ["a fault", { kind: "exception", event: { vector: 6, type: "exception" }, payload: 0 }, undefined, 0, FLAG.RF],
    ["a trap", { kind: "exception", event: { vector: 1, type: "exception" }, payload: 0 }, undefined, 0, 0],
    [
      "INT3",
      { kind: "exception", event: { vector: 3, type: "software exception" }, payload: 0 },
      undefined,
      FLAG.RF,
      0,
    ],
    ["a triple fault", { kind: "triple-fault" }, undefined, 0, FLAG.RF],
    ["an EPT violation", { kind: "nested-fault", fault: absent }, undefined, 0, FLAG.RF],
    [
      "one while an interrupt is delivered",
      { kind: "nested-fault", fault: absent },
      { vector: 32, type: "interrupt" },
      0,
      0,
    ],
    ["the host's interrupt", { kind: "interrupt", acknowledge: () => 0 }, undefined, FLAG.RF, FLAG.RF],
  ])("by %s saves RF as the manual says", (_name, cause, vectoring, rf, saved) => {
    const port = enter();
    port.setEflags(2 | rf);
    leave(port, cause, vectoring, 2);
    expect(read(port, "Guest RFLAGS")).toEqual([2 | saved]);
  });

  it("by a double fault tells no event that was on its way", () => {
    const port = enter();
    const event = { vector: 8, type: "exception", errorCode: 0 } as const;
    leave(port, { kind: "exception", event, payload: 0 }, { vector: 13, type: "exception", errorCode: 8 });
    expect(read(port, "IDT-vectoring information field", "VM-exit interruption information")).toEqual([0, 0x80000b08]);
  });

  it("loads the host", () => {
    const port = enter((to) => {
      turnOn(to, "exit", "load IA32_EFER", "load IA32_PAT");
      set(to, "Host IA32_EFER", 0xd01);
      set(to, "Host IA32_PAT", 0x0606n);
      set(to, "Host FS base", 0x7000_0000_0000n);
      set(to, "Host GDTR base", 0xffff_fe00_0000_1000n);
      set(to, "Host IA32_SYSENTER_CS", 0x10);
    });
    port.setEflags(0x246);
    leave(port, cpuid);
    const { system } = port;
    expect(port.guest).toBeUndefined();
    expect([port.nextEip, port.getEflags()]).toEqual([-0x7f00_0000, FLAG.RESERVED]);
    expect([port.getRegister(4), port.getRegisterHigh(4)]).toEqual([0x1000, 0xffff8880]);
    expect([system.efer, system.msrs["IA32_PAT"], system.msrs["IA32_SYSENTER_CS"]]).toEqual([0xd01, 0x606n, 0x10n]);
    expect(system.segments.cs).toEqual({ selector: 8, base: 0, limit: 0xffffffff, access: 0xa09b });
    expect(system.segments.ss).toEqual({ selector: 0x10, base: 0, limit: 0xffffffff, access: 0xc093 });
    expect(system.segments.fs).toEqual({ selector: 0, base: 0x7000_0000_0000, limit: 0, access: 0 });
    expect(system.tr).toEqual({ selector: 0x18, base: 0, limit: 0x67, access: 0x8b });
    expect(system.gdtr).toEqual({ base: -0x1ff_ffff_f000, limit: 0xffff });
    expect([system.ldtr.access, system.debug[5]]).toEqual([0, 0x400]);
    expect(port.between).toEqual({
      halted: false,
      shadow: "none",
      pending: { debug: 0, nmi: false, nmiBlocked: false },
    });
  });

  it("clears the valid bit of the injected event, and is resumed", () => {
    const port = enter((to) => set(to, "VM-entry interruption-information field", 0x80000202));
    leave(port, cpuid);
    expect(read(port, "VM-entry interruption-information field")).toEqual([0x202]);
    vmresume(port);
    expect(port.guest).toBeDefined();
  });

  it("tells whether the guest was in IA-32e mode in the VM-entry controls", () => {
    const port = enter();
    port.setSystem({
      efer: 0,
      segments: { ...port.system.segments, cs: { ...port.system.segments.cs, access: 0xc09b } },
    });
    leave(port, cpuid);
    expect(Number(get(port, "VM-entry controls")) & 0x200).toBe(0);
  });

  it("keeps NMIs blocked behind one that left the guest, and lets virtual ones of the guest not block", () => {
    const nmi = enter((to) => turnOn(to, "pin", "NMI exiting", "virtual NMIs"));
    nmi.setBetween({ pending: { debug: 0, nmi: true, nmiBlocked: false } });
    leave(nmi, { kind: "nmi" });
    expect(told(nmi)).toEqual([0, 0, 0x80000202, 0]);
    expect(nmi.between.pending).toEqual({ debug: 0, nmi: false, nmiBlocked: true });
    const virtual = enter((to) => turnOn(to, "pin", "NMI exiting", "virtual NMIs"));
    virtual.setBetween({ pending: { debug: 0, nmi: false, nmiBlocked: true } });
    leave(virtual, cpuid);
    expect(virtual.between.pending.nmiBlocked).toBe(false);
    expect(read(virtual, "Guest interruptibility state")).toEqual([8]);
  });

  it("saves what is left of the preemption timer where it is told to", () => {
    const port = rootPort();
    turnOn(port, "pin", "activate VMX-preemption timer");
    turnOn(port, "exit", "save VMX-preemption timer value");
    set(port, "VMX-preemption timer value", 10);
    vmlaunch(port);
    port.time += 96n;
    leave(port, cpuid);
    expect(read(port, "VMX-preemption timer value")).toEqual([7]);
  });

  it("stores and loads its areas of registers", () => {
    const entry = (port: TestPort, number: number, index: number, value: number): void => {
      for (const [offset, word] of [index, 0, value, 0].entries())
        port.writePhysical(AT.msrs + 16 * number + 4 * offset, word);
    };
    const port = enter((to) => {
      entry(to, 0, 0xc000_0081, 0);
      entry(to, 1, 0xc000_0081, 0x77);
      set(to, "VM-exit MSR-store count", 1);
      set(to, "VM-exit MSR-store address", AT.msrs);
      set(to, "VM-exit MSR-load count", 1);
      set(to, "VM-exit MSR-load address", AT.msrs + 16);
    });
    port.setSystem({ msrs: { ...port.system.msrs, IA32_STAR: 0x33n } });
    leave(port, cpuid);
    expect(port.readPhysical(AT.msrs + 8)).toBe(0x33);
    expect(port.system.msrs["IA32_STAR"]).toBe(0x77n);
  });

  it.each([
    [1, "a register that cannot be stored", "VM-exit MSR-store"],
    [4, "a register that cannot be loaded", "VM-exit MSR-load"],
  ] as const)("shuts down with abort indicator %i: %s", (indicator, _why, area) => {
    const port = enter((to) => {
      to.writePhysical(AT.msrs, 0x1234);
      set(to, `${area} count`, 1);
      set(to, `${area} address`, AT.msrs);
    });
    expect(() => leave(port, cpuid)).toThrow(TripleFault as never);
    expect(port.readPhysical(AT.vmcs + LAYOUT.ABORT)).toBe(indicator);
    expect(port.guest).toBeUndefined();
  });

  it("shuts down where PDPTEs of a 32-bit host are wrong", () => {
    const port = rootPort("max", { ...host32("max"), cr4: CR4.VMXE | CR4.PAE });
    set(port, "VM-exit controls", 0x36dff);
    set(port, "VM-entry controls", 0x11ff);
    set(port, "Guest CS access rights", 0xc09b);
    set(port, "Guest CR4", CR4.VMXE);
    set(port, "Host CR3", AT.pdpt);
    set(port, "Host RIP", 0x1000);
    set(port, "Host GS base", 0);
    port.writePhysical(AT.pdpt, 3);
    vmlaunch(port);
    expect(() => leave(port, cpuid)).toThrow(TripleFault as never);
    expect(port.readPhysical(AT.vmcs + LAYOUT.ABORT)).toBe(2);
  });
});

const row = (mnemonic: string): DecodedInstruction["row"] => rows.find((one) => one.mnemonic === mnemonic)!;
const decoded = (mnemonic: string, more: Partial<DecodedInstruction>): DecodedInstruction => ({
  row: row(mnemonic),
  eip: 0x40_0000,
  length: 5,
  modrm: 0,
  size: 64,
  addressSize: 64,
  operands: [],
  memory: undefined,
  segment: 3,
  lock: false,
  repeat: undefined,
  ...more,
});
const memory = { base: 3, index: 9, scale: 2, displacement: -16, segment: 3 } as const;
const fault = (more: Partial<NestedFault>): ExitCause => ({
  kind: "nested-fault",
  fault: {
    guestPhysical: 0x12_3456_7008,
    linear: -0x1000,
    access: { write: false, fetch: false },
    ofWalk: false,
    rights: { read: false, write: false, execute: false },
    misconfigured: false,
    ...more,
  },
});

describe("the information of a VM exit", () => {
  it.each<readonly [ExitCause, number[]]>([
    [cpuid, [10, 0, 0, 2]],
    [{ kind: "instruction", name: "INVLPG", operand: 0x7000 }, [14, 0x7000, 0, 2]],
    [{ kind: "control-register", access: "write", number: 3, register: 12, value: 0n }, [28, 0xc03, 0, 2]],
    [{ kind: "control-register", access: "read", number: 8, register: 1 }, [28, 0x118, 0, 2]],
    [{ kind: "control-register", access: "clts", number: 0 }, [28, 0x20, 0, 2]],
    [{ kind: "control-register", access: "lmsw", number: 0, value: 0xfff1n }, [28, 0xfff10030, 0, 2]],
    [{ kind: "control-register", access: "lmsw", number: 0, value: 1n, linear: 0x55 }, [28, 0x10070, 0, 2]],
    [{ kind: "debug-register", access: "read", number: 7, register: 2 }, [29, 0x217, 0, 2]],
    [
      { kind: "port", port: 0x3f8, size: 1, direction: "out", immediate: false, repeated: false },
      [30, 0x3f80000, 0, 2],
    ],
    [{ kind: "port", port: 0x60, size: 4, direction: "in", immediate: true, repeated: false }, [30, 0x60004b, 0, 2]],
    [{ kind: "msr", access: "read", address: 0x10 }, [31, 0, 0, 2]],
    [{ kind: "msr", access: "write", address: 0x10 }, [32, 0, 0, 2]],
    [{ kind: "triple-fault" }, [2, 0, 0, 2]],
    [{ kind: "task-switch", selector: 0x28, source: "interrupt" }, [9, 0xc0000028, 0, 2]],
    [{ kind: "task-switch", selector: 0x28, source: "return" }, [9, 0x40000028, 0, 2]],
    [{ kind: "sipi", vector: 0x9a }, [4, 0x9a, 0, 2]],
    [{ kind: "interrupt", acknowledge: () => 0x31 }, [1, 0, 0, 2]],
    [
      { kind: "exception", event: { vector: 14, type: "exception", errorCode: 2 }, payload: 0x7123 },
      [0, 0x7123, 0x80000b0e, 2],
    ],
    [
      { kind: "exception", event: { vector: 3, type: "software exception", length: 1 }, payload: 0 },
      [0, 0, 0x80000603, 1],
    ],
  ])("of %o has reason, qualification, event and length", (cause, expected) => {
    const port = enter();
    leave(port, cause, undefined, 2);
    expect(told(port)).toEqual(expected);
  });

  it("has the error code of an exception, and the vector of an interrupt that is acknowledged", () => {
    const port = enter((to) => turnOn(to, "exit", "acknowledge interrupt on exit"));
    leave(port, { kind: "interrupt", acknowledge: () => 0x31 });
    expect(told(port)).toEqual([1, 0, 0x80000031, 0]);
    const other = enter();
    leave(other, { kind: "exception", event: { vector: 13, type: "exception", errorCode: 0x18 }, payload: 0 });
    expect(read(other, "VM-exit interruption error code")).toEqual([0x18]);
  });

  it("has the event that was being delivered, but for a triple fault", () => {
    const vectoring: DeliveredEvent = { vector: 13, type: "exception", errorCode: 8 };
    const port = enter();
    leave(port, fault({}), vectoring);
    expect(read(port, "IDT-vectoring information field", "IDT-vectoring error code")).toEqual([0x80000b0d, 8]);
    const software = enter();
    leave(software, fault({}), { vector: 0x80, type: "software", length: 2 });
    expect(read(software, "IDT-vectoring information field", "VM-exit instruction length")).toEqual([0x80000480, 2]);
    const shut = enter();
    leave(shut, { kind: "triple-fault" }, vectoring);
    expect(read(shut, "IDT-vectoring information field")).toEqual([0]);
  });

  it("of INS and OUTS has the address, its size and the segment", () => {
    const string = { linear: 0x8000, segment: 3, addressSize: 32 } as const;
    const port = enter();
    leave(port, { kind: "port", port: 0x1f0, size: 2, direction: "out", immediate: false, repeated: true, string });
    expect(read(port, "Exit qualification", "Guest-linear address", "VM-exit instruction information")).toEqual([
      ...[0x1f00031, 0x8000, (1 << 7) | (3 << 15)],
    ]);
  });

  it("of a nested fault has the access, the rights and both addresses", () => {
    const port = enter();
    const rights = { read: true, write: false, execute: true };
    leave(port, fault({ access: { write: true, fetch: false }, rights }));
    expect(read(port, "Exit reason", "Exit qualification", "Guest-physical address")).toEqual([
      ...[48, 2 | 8 | 32 | 128 | 256, 0x12_3456_7008],
    ]);
    expect(get(port, "Guest-linear address")).toBe(0xffff_ffff_ffff_f000n);
    const walk = enter((to) => {
      turnOn(to, "secondary", "enable EPT");
      set(to, "EPT pointer", 0x9000 | 6 | 24 | 64);
    });
    leave(walk, fault({ ofWalk: true }));
    expect(read(walk, "Exit qualification")).toEqual([3 | 128]);
    const pdpte = enter();
    leave(pdpte, fault({ linear: undefined }));
    expect(read(pdpte, "Exit qualification")).toEqual([1]);
    const wrong = enter();
    leave(wrong, fault({ misconfigured: true }));
    expect(told(wrong)).toEqual([49, 0, 0, 0]);
  });

  it("of a write below the TPR threshold goes on behind the instruction", () => {
    const port = enter();
    leave(port, { kind: "tpr-below-threshold" }, undefined, 3);
    expect(read(port, "Exit reason", "Guest RIP")).toEqual([43, 0x40_0003]);
  });

  const base = 3 << 23;
  const index = (9 << 18) | 2;
  const place = base | index | (3 << 15) | (2 << 7);
  it.each<readonly [string, Partial<DecodedInstruction>, bigint, number]>([
    ["VMPTRLD", { memory }, -16n, place],
    [
      "LGDT",
      { memory: { ...memory, index: -1 } },
      -16n,
      base | (1 << 22) | (3 << 15) | (2 << 7) | (1 << 11) | (2 << 28),
    ],
    ["SIDT", { memory, size: 32 }, -16n, place | (1 << 11) | (1 << 28)],
    ["LTR", { operands: [{ kind: "register", number: 5, size: 16 }] }, 0n, (1 << 10) | (5 << 3) | (2 << 7) | (3 << 28)],
    ["INVEPT", { memory, operands: [{ kind: "register", number: 8, size: 64 }] }, -16n, place | (8 << 28)],
    [
      "VMREAD",
      { operands: [6, 2].map((number) => ({ kind: "register", number, size: 64 }) as const) },
      0n,
      (1 << 10) | (6 << 3) | (2 << 7) | (2 << 28),
    ],
    [
      "VMWRITE",
      {
        memory,
        operands: [
          { kind: "register", number: 7, size: 64 },
          { kind: "memory", size: 64 },
        ],
      },
      -16n,
      place | (7 << 28),
    ],
    ["RDRAND", { operands: [{ kind: "register", number: 10, size: 64 }] }, 0n, (10 << 3) | (2 << 11)],
    [
      "VMCLEAR",
      { memory: { base: -1, index: -1, scale: 0, displacement: 0x100, segment: 3, relative: true } },
      0x40_0105n,
      (1 << 27) | (1 << 22) | (3 << 15) | (2 << 7),
    ],
  ])("of %s has its operands", (name, more, qualification, information) => {
    const port = enter();
    const instruction = decoded(name, more);
    leave(port, { kind: "instruction", name: name as "VMPTRLD", instruction });
    expect(get(port, "Exit qualification")).toBe(BigInt.asUintN(64, qualification));
    expect(read(port, "VM-exit instruction information")).toEqual([information >>> 0]);
  });
});
