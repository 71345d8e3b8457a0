/** VMRUN and #VMEXIT: what is loaded, refused, saved and told. */
import { describe, expect, it } from "vitest";
import { type ExitCause, VmExit } from "../cpu/guest-operation.js";
import { models } from "../cpu/model.js";
import { Unsupported } from "../cpu/processor.js";
import { CR0, CR4, EFER, FLAG, modeOf, noEvents } from "../cpu/state.js";
import { consistencyChecks, refusedState } from "./consistency.js";
import { leave } from "./exit.js";
import { svmGuest } from "./guest.js";
import { vmrun } from "./instructions.js";
import { INVALID, runningGuest } from "./intercepts.js";
import { acknowledgeVirtualInterrupt, gif, letsInterruptsIn, virtualInterrupt } from "./interrupts.js";
import { GUEST_RIP, HOST_EIP, setIntercept, type TestPort, testPort, VMCB, writeGuest } from "./port.test-helper.js";
import { readField, viewVmcb, writeField } from "./vmcb.js";

type Fields = Readonly<Record<string, bigint | number>>;

function entered(fields: Fields = {}, port = testPort()): TestPort {
  writeGuest(port, fields);
  vmrun(port, VMCB);
  port.eip = port.nextEip;
  return port;
}

const CPUID: ExitCause = { kind: "instruction", name: "CPUID" };
const left = (port: TestPort, cause: ExitCause, length = 2): void => leave(port, new VmExit(cause), undefined, length);
const field = (port: TestPort, name: string): bigint => readField(port, VMCB, name);

describe("VMRUN", () => {
  it("loads the guest, sets GIF, and goes on at its RIP", () => {
    const port = entered({ CR2: 0x1234, "SS.selector": 0x28, RAX: 0x1_0000_0002n });
    const { segments, gdtr, idtr, cr2 } = port.system;
    expect([port.nextEip, gif(port.system), cr2]).toEqual([GUEST_RIP, true, 0x1234]);
    expect(segments.cs).toEqual({ selector: 0x18, base: 0, limit: 0xffffffff, access: 0xc09b });
    expect(segments.ss.selector).toBe(0x28);
    expect([gdtr, idtr]).toEqual([
      { base: 0x7000, limit: 0x3f },
      { base: 0x7800, limit: 0x7ff },
    ]);
    expect([port.getRegister(0), port.getRegisterHigh(0), port.getRegister(4)]).toEqual([2, 1, 0x9000]);
    expect(runningGuest(port)).toMatchObject({ vmcb: VMCB, asid: 1, nested: undefined, hostInterrupts: undefined });
  });

  it("leaves FS, GS, LDTR, TR and debug addresses alone", () => {
    const before = testPort({ debug: [1, 2, 3, 4, 0xffff0ff0 | 0, 0x400] });
    const { segments, ldtr, tr } = before.system;
    const { system } = entered({ DR7: 0x402, "FS.base": 0x1000 }, before);
    expect([system.segments.fs, system.segments.gs, system.ldtr, system.tr]).toEqual([
      segments.fs,
      segments.gs,
      ldtr,
      tr,
    ]);
    expect(system.debug).toEqual([1, 2, 3, 4, 0xffff0ff0 | 0, 0x402]);
  });

  it("derives LMA from LME and paging, and reads 64-bit addresses as signed numbers", () => {
    const long = {
      EFER: EFER.SVME | EFER.LME,
      CR0: 0x8000_0011n,
      CR4: CR4.PAE,
      "CS.attrib": 0x29b,
      RIP: 0xffff_ffff_8000_1000n,
      CR3: 0x1_2345_6000n,
      "IDTR.base": 0xffff_8000_0000_0000n,
    };
    const port = entered(long);
    expect(port.system.efer).toBe(EFER.SVME | EFER.LME | EFER.LMA);
    expect([port.codeBits, port.nextEip, port.system.cr3]).toEqual([64, -0x7fff_f000, 0x1_2345_6000]);
    expect(port.system.idtr.base).toBe(-(2 ** 47));
    expect(entered({ EFER: EFER.SVME | EFER.LME | EFER.LMA, CR4: CR4.PAE }).system.efer).toBe(EFER.SVME | EFER.LME);
  });

  it("runs guests of real and virtual-8086 mode at their privileges", () => {
    const real = entered({ CR0: 0x10, "CS.selector": 0x1234, "CS.base": 0x12340, "CS.attrib": 0x9b });
    expect([real.mode, real.cpl, real.system.segments.cs]).toEqual([
      "real",
      0,
      { selector: 0x1234, base: 0x12340, limit: 0xffffffff, access: 0x93 },
    ]);
    const virtual = entered({ RFLAGS: 0x20002, CPL: 3, "CS.selector": 0x1234, "CS.attrib": 0xfb });
    expect([modeOf(virtual.system, virtual.getEflags()), virtual.cpl]).toEqual(["virtual-8086", 3]);
    expect(virtual.system.segments.cs.access).toBe(0xf3);
  });

  it("takes a null segment and one that is not present alike", () => {
    const port = entered({ "DS.attrib": 0xc13, "ES.attrib": 0 });
    expect([port.system.segments.ds.access, port.system.segments.es.access]).toEqual([0, 0]);
  });

  it("stops visibly where CPL is not the RPL of CS", () => {
    const port = testPort();
    writeGuest(port, { CPL: 3 });
    expect(() => vmrun(port, VMCB)).toThrow(Unsupported);
  });

  it("loads the interrupt shadow", () => {
    expect(entered({ INTERRUPT_SHADOW: 1 }).between.shadow).toBe("sti");
    expect(entered().between.shadow).toBe("none");
  });

  it("loads the PDPTEs of a guest with PAE paging, and refuses one with reserved bits", () => {
    const pae = { CR0: 0x8000_0011n, CR4: CR4.PAE, CR3: 0x6020 };
    const good = testPort();
    good.writePhysical(0x6020, 0x8001);
    expect(entered(pae, good).system.pdptes).toEqual([0x8001, 0, 0, 0, 0, 0, 0, 0]);
    const bad = testPort();
    bad.writePhysical(0x6020, 0x8003);
    entered(pae, bad);
    expect([field(bad, "EXITCODE"), runningGuest(bad), bad.system.cr3]).toEqual([INVALID, undefined, 0]);
  });

  it("takes its nested tables, the host's paging and the guest's PAT with nested paging", () => {
    const host = testPort({ cr0: CR0.PE | CR0.ET | CR0.PG, cr4: CR4.PSE });
    const port = entered({ NP_ENABLE: 1, N_CR3: 0x5008n, G_PAT: 6n }, host);
    expect(runningGuest(port)!.nested).toEqual({
      cr3: 0x5000,
      cr0: CR0.PE | CR0.ET | CR0.PG,
      cr4: CR4.PSE,
      efer: EFER.SVME,
    });
    expect(port.system.msrs["IA32_PAT"]).toBe(6n);
    port.setSystem({ msrs: { ...port.system.msrs, IA32_PAT: 7n } });
    left(port, CPUID);
    expect([field(port, "G_PAT"), port.system.msrs["IA32_PAT"]]).toEqual([7n, 0x0007_0406_0007_0406n]);
  });
});

/** A VMCB that fails each check, in their order. */
const failing: readonly Fields[] = [
  { EFER: 0 },
  { CR0: BigInt(CR0.PE | CR0.NW) },
  { CR0: 0x1_0000_0011n },
  { CR3: 1n << 48n },
  { CR4: CR4.SMEP },
  { DR6: 0x1_ffff_0ff0n },
  { DR7: 0x1_0000_0400n },
  { EFER: EFER.SVME | (1 << 2) },
  {},
  { EFER: EFER.SVME | EFER.LME, CR0: 0x8000_0011n },
  { EFER: EFER.SVME | EFER.LME, CR0: 0x8000_0010n, CR4: CR4.PAE },
  { EFER: EFER.SVME | EFER.LME, CR0: 0x8000_0011n, CR4: CR4.PAE, "CS.attrib": 0x69b },
  { INTERCEPT_MISC2: 0xfffe },
  { MSRPM_BASE_PA: 0xffff_ffff_f000n },
  { IOPM_BASE_PA: 0xffff_ffff_e000n },
  { EVENTINJ: 0x8000_0100n },
  { GUEST_ASID: 0 },
  { NP_ENABLE: 1 },
  { NP_ENABLE: 1, N_CR3: 1n << 48n },
  { NP_ENABLE: 1, G_PAT: 2n },
];
/** Checks that need a host with paging to be reached. */
const withPaging = (check: string): boolean => /N_CR3|G_PAT/.test(check);

describe("a VMCB", () => {
  it("that fails nothing is run", () => {
    const port = testPort();
    writeGuest(port);
    expect(refusedState(port, VMCB)).toBeUndefined();
  });

  it.each(consistencyChecks.map(({ check }, index) => [check, index] as const))("is refused: %s", (check, index) => {
    if (check.includes("no long mode")) {
      // Behind the check on reserved bits, which such a model fails first.
      const field = (name: string): bigint => (name === "EFER" ? BigInt(EFER.LME) : 0n);
      expect(consistencyChecks[index]!.fails({ field, model: models.pentium3, hostCr0: 0 })).toBe(true);
      expect(consistencyChecks[index]!.fails({ field, model: models.phenom, hostCr0: 0 })).toBe(false);
      return;
    }
    const port = testPort(withPaging(check) ? { cr0: CR0.PE | CR0.ET | CR0.PG } : {});
    const fields = failing[index]!;
    writeGuest(port, fields);
    expect(refusedState(port, VMCB)).toBe(check);
    const before = viewVmcb(port, VMCB);
    vmrun(port, VMCB);
    expect(field(port, "EXITCODE")).toBe(INVALID);
    expect([port.nextEip, gif(port.system), runningGuest(port)]).toEqual([HOST_EIP + 3, false, undefined]);
    const told = { EXITCODE: INVALID, EXITINFO1: 0n, EXITINFO2: 0n, EXITINTINFO: 0n, EVENTINJ: 0n };
    expect(viewVmcb(port, VMCB)).toEqual({ ...before, ...told });
  });

  it("may have its maps at the very end of memory", () => {
    const port = testPort();
    writeGuest(port, { MSRPM_BASE_PA: 0xffff_ffff_efffn, IOPM_BASE_PA: 0xffff_ffff_d123n });
    expect(refusedState(port, VMCB)).toBeUndefined();
  });

  it.each([
    [0x8000_0020n, { vector: 0x20, type: "interrupt" }],
    [0x8000_0205n, { vector: 2, type: "nmi" }],
    [0x0000_0010_8000_0b0dn, { vector: 13, type: "exception", errorCode: 0x10 }],
    [0x8000_0306n, { vector: 6, type: "exception" }],
    [0x8000_0303n, { vector: 3, type: "software exception", length: 1 }],
    [0x8000_0480n, { vector: 0x80, type: "software", length: 1 }],
  ])("injects the event %x", (bits, event) => {
    const port = entered({ EVENTINJ: bits, NRIP: GUEST_RIP + 1 });
    expect(port.injected).toEqual([event]);
  });

  it.each([0x8000_0302n, 0x8000_0320n, 0x8000_0309n, 0x8000_0500n, 0x8000_0600n, 0x8000_0700n])(
    "with EVENTINJ %x is refused",
    (bits) => {
      expect(field(entered({ EVENTINJ: bits }), "EXITCODE")).toBe(INVALID);
    },
  );

  it("injects nothing without the valid bit", () => {
    expect(entered({ EVENTINJ: 0x7020n }).injected).toEqual([]);
  });
});

describe("#VMEXIT", () => {
  it("saves the guest, loads the host behind VMRUN, and clears GIF", () => {
    const host = testPort({}, FLAG.RESERVED | FLAG.IF);
    const before = host.system;
    host.setRegister(0, VMCB);
    host.setRegister(4, 0x8000);
    const port = entered({}, host);
    setIntercept(port, "CPUID");
    port.setRegister(0, 0x77, 0x88);
    port.setRegister(4, 0x9990);
    port.setEflags(FLAG.RESERVED | FLAG.ZF);
    port.eip = 0x5010;
    port.setSystem({ cr2: 0x4444 });
    const cs = { selector: 0x50, base: 0x100, limit: 0xfff, access: 0x409b };
    port.setSegment("cs", cs);
    left(port, CPUID);
    const vmcb = viewVmcb(port, VMCB);
    expect(vmcb).toMatchObject({ RAX: 0x88_0000_0077n, RSP: 0x9990n, RIP: 0x5010n, RFLAGS: 0x42n, CR2: 0x4444n });
    expect(vmcb).toMatchObject({ "CS.selector": 0x50n, "CS.base": 0x100n, "CS.limit": 0xfffn, "CS.attrib": 0x49bn });
    expect([port.nextEip, port.getRegister(0), port.getRegister(4)]).toEqual([HOST_EIP + 3, VMCB, 0x8000]);
    expect([port.getEflags(), gif(port.system)]).toEqual([FLAG.RESERVED | FLAG.IF, false]);
    const { segments, cr0, gdtr, efer, debug, cr2 } = port.system;
    expect([segments, cr0, gdtr, efer]).toEqual([before.segments, before.cr0, before.gdtr, before.efer]);
    // CR2 is nobody's to load.
    expect([debug[5], cr2]).toEqual([0x400, 0x4444]);
  });

  it("tells the next instruction of an instruction, and of nothing else", () => {
    const port = entered();
    left(port, CPUID, 2);
    expect(field(port, "NRIP")).toBe(BigInt(GUEST_RIP + 2));
    const other = entered({ NRIP: 5 });
    left(other, { kind: "nmi" }, 0);
    expect(field(other, "NRIP")).toBe(0n);
  });

  it("tells the event that was on its way, and clears EVENTINJ", () => {
    const port = entered({ EVENTINJ: 0x8000_0020n });
    leave(port, new VmExit({ kind: "triple-fault" }), { vector: 13, type: "exception", errorCode: 0x58 }, 0);
    expect([field(port, "EXITINTINFO"), field(port, "EVENTINJ")]).toEqual([0x0000_0058_8000_0b0dn, 0n]);
    expect(field(port, "EXITCODE")).toBe(0x7fn);
  });

  it("wakes a halted guest, and saves its shadow", () => {
    const port = entered();
    port.setBetween({ halted: true, shadow: "mov-ss", pending: { ...noEvents, debug: 1 } });
    left(port, { kind: "interrupt", acknowledge: () => 0x20 }, 0);
    expect(field(port, "INTERRUPT_SHADOW")).toBe(1n);
    expect(port.between).toEqual({ halted: false, shadow: "none", pending: noEvents });
  });

  it("has DR6 of a #DB that is intercepted", () => {
    const port = entered({ INTERCEPT_EXCEPTIONS: 2 });
    left(port, { kind: "exception", event: { vector: 1, type: "exception" }, payload: 0x4000 }, 0);
    expect([field(port, "EXITCODE"), field(port, "DR6")]).toEqual([0x41n, 0xffff4ff0n]);
  });

  it("leaves VMRUN itself where the tables of a guest with PAE paging are refused by nested ones", () => {
    const port = testPort({ cr0: CR0.PE | CR0.ET | CR0.PG });
    const access = { write: false, fetch: false };
    const rights = { read: false, write: false, execute: false };
    const fault = { guestPhysical: 0x6020, linear: undefined, access, ofWalk: true, rights, misconfigured: false };
    port.readLinear = () => {
      throw new VmExit({ kind: "nested-fault", fault });
    };
    entered({ NP_ENABLE: 1, CR0: 0x8000_0011n, CR4: CR4.PAE, CR3: 0x6020 }, port);
    expect([field(port, "EXITCODE"), field(port, "EXITINFO1"), field(port, "EXITINFO2")]).toEqual([
      0x400n,
      0x2_0000_0006n,
      0x6020n,
    ]);
    expect(port.nextEip).toBe(HOST_EIP + 3);
  });
});

describe("virtual interrupts", () => {
  const waiting = { V_IRQ: 1, V_INTR_PRIO: 5, V_INTR_VECTOR: 0x41, V_TPR: 4, V_INTR_MASKING: 1, RFLAGS: 0x202 };

  it("are taken above V_TPR, with IF, and with V_IGN_TPR at any priority", () => {
    const of = (fields: Fields): number | undefined => {
      const { system, getEflags } = entered({ ...waiting, ...fields });
      return virtualInterrupt(system, getEflags());
    };
    expect([of({}), of({ V_TPR: 5 }), of({ V_TPR: 15, V_IGN_TPR: 1 })]).toEqual([0x41, undefined, 0x41]);
    expect([of({ RFLAGS: 2 }), of({ V_IRQ: 0 })]).toEqual([undefined, undefined]);
  });

  it("clear V_IRQ when they are taken, which the VMCB says", () => {
    const port = entered(waiting);
    acknowledgeVirtualInterrupt(port);
    expect(virtualInterrupt(port.system, port.getEflags())).toBeUndefined();
    left(port, CPUID);
    expect([field(port, "V_IRQ"), field(port, "V_TPR"), field(port, "V_INTR_VECTOR")]).toEqual([0n, 4n, 0x41n]);
  });

  it("have a task priority of the guest, which the VMCB says", () => {
    const port = entered(waiting);
    expect(svmGuest.readTaskPriority(port)).toBe(4);
    expect(svmGuest.writeTaskPriority(port, 9)).toBe(true);
    expect(svmGuest.readTaskPriority(port)).toBe(9);
    left(port, CPUID);
    expect([field(port, "V_TPR"), field(port, "V_IRQ")]).toEqual([9n, 1n]);
    const plain = entered();
    expect([svmGuest.readTaskPriority(plain), svmGuest.writeTaskPriority(plain, 9)]).toEqual([undefined, false]);
  });

  it("let physical ones follow the host's IF with V_INTR_MASKING, the guest's without", () => {
    const of = (host: number, guest: number, masking: number): boolean => {
      const port = entered({ V_INTR_MASKING: masking, RFLAGS: guest | 2 }, testPort({}, host | 2));
      return letsInterruptsIn(port.system, port.getEflags());
    };
    expect([of(FLAG.IF, 0, 1), of(0, FLAG.IF, 1)]).toEqual([true, false]);
    expect([of(FLAG.IF, 0, 0), of(0, FLAG.IF, 0)]).toEqual([false, true]);
  });

  it("make physical ones the host's where it takes them", () => {
    const of = (host: number, fields: Fields): boolean =>
      svmGuest.hostTakesInterrupts(entered(fields, testPort({}, host | 2)));
    const INTR = { INTERCEPT_MISC1: 1 };
    expect(of(FLAG.IF, { ...INTR, V_INTR_MASKING: 1 })).toBe(true);
    expect(of(0, { ...INTR, V_INTR_MASKING: 1 })).toBe(false);
    expect(of(FLAG.IF, INTR)).toBe(false);
    expect(of(FLAG.IF, { V_INTR_MASKING: 1 })).toBe(false);
  });
});

describe("a guest of AMD-V", () => {
  it("has its own control registers and time-stamp counter", () => {
    const port = entered({ TSC_OFFSET: 0xffff_ffff_ffff_ff00n, CR4: CR4.PSE });
    expect(svmGuest.seenControl(port, 0)).toBe(port.system.cr0);
    expect(svmGuest.seenControl(port, 4)).toBe(CR4.PSE);
    expect(svmGuest.loadedControl(port, 4, 0x30)).toBe(0x30);
    expect(svmGuest.timestampOffset(port)).toBe(-0x100n);
  });

  it("is saved and loaded in a VMCB field by field", () => {
    const port = entered();
    writeField(port, VMCB, "V_TPR", 0);
    const before = viewVmcb(port, VMCB);
    left(port, CPUID, 2);
    const after = viewVmcb(port, VMCB);
    const changed = Object.keys(after).filter((name) => after[name] !== before[name]);
    expect(changed).toEqual(["EXITCODE", "NRIP"]);
  });
});
