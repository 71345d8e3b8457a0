/** Every check of VM entry, made to fail in turn in a VMCS that is entered otherwise. */
import { describe, expect, it } from "vitest";
import { entryContext } from "./check-context.js";
import { type ControlWord, SECONDARY } from "./controls.js";
import { type CheckGroup, entryChecks, failedChecks, firstFailed } from "./entry-checks.js";
import { ENTRY_FAILURE, REASON } from "./exit-reasons.js";
import type { FieldName } from "./fields.js";
import { vmlaunch } from "./instructions.js";
import { REVISION } from "./vmcs.js";
import {
  AT,
  type ControlsOf,
  get,
  host32,
  outcome,
  rootPort,
  set,
  type TestPort,
  turnOn,
  wordFields,
} from "./vmx.test-helper.js";

type Spoil = (port: TestPort) => void;

const put =
  (name: FieldName, value: bigint | number): Spoil =>
  (port) =>
    set(port, name, value);
const all =
  (...spoils: readonly Spoil[]): Spoil =>
  (port) => {
    for (const spoil of spoils) spoil(port);
  };
const on =
  <Word extends ControlWord>(word: Word, ...names: ControlsOf<Word>[]): Spoil =>
  (port) =>
    turnOn(port, word, ...names);
/** Changes bits of a field. */
const flip =
  (name: FieldName, bits: number | bigint): Spoil =>
  (port) =>
    set(port, name, get(port, name) ^ BigInt(bits));
const off = (word: keyof typeof wordFields, mask: number): Spoil => flip(wordFields[word], mask);

const EVENT = "VM-entry interruption-information field" as const;
const event = (type: number, vector: number, more = 0): Spoil =>
  put(EVENT, (0x80000000 | (type << 8) | vector | more) >>> 0);
const NMI = event(2, 2);
const INTERRUPT = event(0, 0x20);
const notCanonical = 0x8000_0000_0000n;
const beyond = 1n << 40n;
const enablesEpt = on("secondary", "enable EPT");
const legacy = all(
  off("entry", 1 << 9),
  put("Guest CR4", 0x2000),
  put("Guest CR0", 0x80000021),
  put("Guest CS access rights", 0xc09b),
);
const in8086 = all(
  legacy,
  put("Guest RFLAGS", 0x20002),
  ...(["ES", "CS", "SS", "DS", "FS", "GS"] as const).flatMap((name) => [
    put(`Guest ${name} base`, name === "CS" ? 0x80 : 0x100),
    put(`Guest ${name} limit`, 0xffff),
    put(`Guest ${name} access rights`, 0xf3),
  ]),
);
const unrestricted = all(enablesEpt, on("secondary", "unrestricted guest"));
const usable = all(
  put("Guest LDTR access rights", 0x82),
  put("Guest LDTR selector", 0x28),
  put("Guest LDTR limit", 0xff),
);

const segments = ["CS", "SS", "DS", "ES", "FS", "GS"] as const;
const data = ["DS", "ES", "FS", "GS"] as const;

/** What makes each check fail, by its sentence; several where it has several parts. */
const control: Readonly<Record<string, Spoil | readonly Spoil[]>> = {
  "Reserved bits of the pin-based controls are set as the capability registers say.": [
    off("pin", 2),
    off("pin", 1 << 7),
  ],
  "Reserved bits of the primary processor-based controls are set as the capability registers say.": [
    off("primary", 2),
    off("primary", 1 << 17),
  ],
  "If secondary controls are activated, reserved bits of them are 0.": all(
    on("primary", "activate secondary controls"),
    put(wordFields.secondary, 1),
  ),
  "The CR3-target count is not above 4.": put("CR3-target count", 5),
  "If I/O bitmaps are used, their addresses are those of pages.": [
    all(on("primary", "use I/O bitmaps"), put("Address of I/O bitmap A", 0x1001)),
    all(on("primary", "use I/O bitmaps"), put("Address of I/O bitmap B", beyond)),
  ],
  "If MSR bitmaps are used, their address is that of a page.": all(
    on("primary", "use MSR bitmaps"),
    put("Address of MSR bitmaps", 0x800),
  ),
  "If the TPR shadow is used, the virtual-APIC address is that of a page.": all(
    on("primary", "use TPR shadow"),
    put("Virtual-APIC address", 0x10),
  ),
  "If the TPR shadow is used, bits 31:4 of the TPR threshold are 0.": all(
    on("primary", "use TPR shadow"),
    put("TPR threshold", 16),
  ),
  "If the TPR shadow is used, the TPR threshold is not above bits 7:4 of the virtual task priority.": all(
    on("primary", "use TPR shadow"),
    put("Virtual-APIC address", 0x7000),
    (port) => port.writePhysical(0x7080, 0x40),
    put("TPR threshold", 5),
  ),
  'If "NMI exiting" is 0, "virtual NMIs" is 0.': on("pin", "virtual NMIs"),
  'If "virtual NMIs" is 0, "NMI-window exiting" is 0.': on("primary", "NMI-window exiting"),
  'If "enable VPID" is 1, the VPID is not 0.': all(
    on("secondary", "enable VPID"),
    put("Virtual-processor identifier (VPID)", 0),
  ),
  'If "enable EPT" is 1, the EPT pointer has a memory type, four levels and no reserved bit set.': [
    all(enablesEpt, put("EPT pointer", 0x9000 | 1 | (3 << 3))),
    all(enablesEpt, put("EPT pointer", 0x9000 | 6 | (2 << 3))),
    all(enablesEpt, put("EPT pointer", 0x9080 | 6 | (3 << 3))),
    all(enablesEpt, put("EPT pointer", beyond | 6n | 24n)),
  ],
  'If "unrestricted guest" is 1, "enable EPT" is 1.': on("secondary", "unrestricted guest"),
  "If VM functions are enabled, reserved bits of the VM-function controls are 0.": all(
    on("secondary", "enable VM functions"),
    put("VM-function controls", 2),
  ),
  'If EPTP switching is enabled, "enable EPT" is 1 and the EPTP-list address is that of a page.': [
    all(on("secondary", "enable VM functions"), put("VM-function controls", 1)),
    all(
      enablesEpt,
      on("secondary", "enable VM functions"),
      put("VM-function controls", 1),
      put("EPTP-list address", 8),
    ),
  ],
  "Reserved bits of the VM-exit controls are set as the capability registers say.": off("exit", 1),
  "If the VMX-preemption timer is not active, its value is not saved.": on("exit", "save VMX-preemption timer value"),
  "If the VM-exit MSR-store count is not 0, the area is on 16 bytes and within physical addresses.": [
    all(put("VM-exit MSR-store count", 1), put("VM-exit MSR-store address", 8)),
    all(put("VM-exit MSR-store count", 2), put("VM-exit MSR-store address", beyond - 16n)),
  ],
  "If the VM-exit MSR-load count is not 0, the area is on 16 bytes and within physical addresses.": all(
    put("VM-exit MSR-load count", 1),
    put("VM-exit MSR-load address", 8),
  ),
  "Reserved bits of the VM-entry controls are set as the capability registers say.": off("entry", 1 << 10),
  "The type of an injected event is not the reserved one.": event(1, 0),
  "The vector of an injected event is one of its type: 2 of an NMI, below 32 of an exception, 0 of others.": [
    event(2, 3),
    event(3, 32),
    event(7, 1),
  ],
  "An error code is delivered with exactly the exceptions that have one, and never in real mode.": [
    event(3, 13),
    event(3, 6, 1 << 11),
    event(4, 13, 1 << 11),
    all(unrestricted, legacy, put("Guest CR0", 0x20), event(3, 13, 1 << 11)),
  ],
  "Reserved bits 30:12 of the VM-entry interruption-information field are 0.": event(0, 0x20, 1 << 12),
  "Bits 31:16 of an error code that is delivered are 0.": all(
    event(3, 13, 1 << 11),
    put("VM-entry exception error code", 0x10000),
  ),
  "The VM-entry instruction length of a software event is 1 to 15.": [
    event(4, 0x80),
    all(event(6, 3), put("VM-entry instruction length", 16)),
  ],
  "If the VM-entry MSR-load count is not 0, the area is on 16 bytes and within physical addresses.": all(
    put("VM-entry MSR-load count", 1),
    put("VM-entry MSR-load address", 8),
  ),
};

const loadsHostEfer = on("exit", "load IA32_EFER");
const host: Readonly<Record<string, Spoil | readonly Spoil[]>> = {
  "CR0 has no bit set to a value that VMX operation does not support.": [
    flip("Host CR0", 1),
    flip("Host CR0", 0x80000000),
    flip("Host CR0", 1n << 32n),
  ],
  "CR4 has no bit set to a value that VMX operation does not support.": [
    flip("Host CR4", 0x2000),
    flip("Host CR4", 1 << 30),
  ],
  "CR3 has no bit set beyond physical addresses.": put("Host CR3", beyond),
  "IA32_SYSENTER_ESP and IA32_SYSENTER_EIP are canonical.": [
    put("Host IA32_SYSENTER_ESP", notCanonical),
    put("Host IA32_SYSENTER_EIP", notCanonical),
  ],
  "If IA32_PAT is loaded, each byte is a memory type.": all(on("exit", "load IA32_PAT"), put("Host IA32_PAT", 0x0200)),
  "If IA32_EFER is loaded, reserved bits are 0.": all(loadsHostEfer, put("Host IA32_EFER", 0x502)),
  'If IA32_EFER is loaded, LMA and LME are "host address-space size".': all(
    loadsHostEfer,
    put("Host IA32_EFER", 0x100),
  ),
  ...Object.fromEntries(
    (["CS", "SS", "DS", "ES", "FS", "GS", "TR"] as const).map((name) => [
      `RPL and TI of the ${name} selector are 0.`,
      [put(`Host ${name} selector`, 0x13), put(`Host ${name} selector`, 0x14)],
    ]),
  ),
  "The CS selector is not 0.": put("Host CS selector", 0),
  "The TR selector is not 0.": put("Host TR selector", 0),
  ...Object.fromEntries(
    (["FS", "GS", "GDTR", "IDTR", "TR"] as const).map((name) => [
      `The base of ${name} is canonical.`,
      put(`Host ${name} base`, notCanonical),
    ]),
  ),
  'In IA-32e mode, "host address-space size" is 1.': off("exit", 1 << 9),
  'If "host address-space size" is 1, CR4.PAE is 1.': put("Host CR4", 0x2000),
  'If "host address-space size" is 1, RIP is canonical.': put("Host RIP", notCanonical),
};
/** These need a host outside of IA-32e mode. */
const of32: Readonly<Record<string, Spoil>> = {
  'If "host address-space size" is 0, the SS selector is not 0.': put("Host SS selector", 0),
  'Outside of IA-32e mode, "IA-32e mode guest" and "host address-space size" are 0.': on(
    "exit",
    "host address-space size",
  ),
  'If "host address-space size" is 0, "IA-32e mode guest" is 0 and bits 63:32 of RIP are 0.': put(
    "Host RIP",
    0x1_0000_0000n,
  ),
};

const loadsEfer = on("entry", "load IA32_EFER");
const loadsDebug = on("entry", "load debug controls");
const halted = put("Guest activity state", 1);
const withIf = put("Guest RFLAGS", 0x202);
const stiBlocks = all(withIf, put("Guest interruptibility state", 1));
const movSsBlocks = put("Guest interruptibility state", 2);
const linked = put("VMCS link pointer", AT.other);

const each = <Name extends string>(
  names: readonly Name[],
  sentence: (name: Name) => string,
  spoil: (name: Name) => Spoil | readonly Spoil[],
): Readonly<Record<string, Spoil | readonly Spoil[]>> =>
  Object.fromEntries(names.map((name) => [sentence(name), spoil(name)]));

const guest: Readonly<Record<string, Spoil | readonly Spoil[]>> = {
  "CR0 has no bit set to a value that VMX operation does not support.": [
    flip("Guest CR0", 0x20),
    flip("Guest CR0", 1),
    all(unrestricted, flip("Guest CR0", 0x20)),
  ],
  "If CR0.PG is 1, CR0.PE is 1.": all(unrestricted, flip("Guest CR0", 1)),
  "CR4 has no bit set to a value that VMX operation does not support.": [
    flip("Guest CR4", 0x2000),
    flip("Guest CR4", 1n << 40n),
  ],
  "If debug controls are loaded, reserved bits of IA32_DEBUGCTL are 0.": all(loadsDebug, put("Guest IA32_DEBUGCTL", 4)),
  'If "IA-32e mode guest" is 1, CR0.PG and CR4.PAE are 1.': [
    put("Guest CR4", 0x2000),
    all(unrestricted, flip("Guest CR0", 0x80000000)),
  ],
  "CR3 has no bit set beyond physical addresses.": put("Guest CR3", beyond),
  "If debug controls are loaded, bits 63:32 of DR7 are 0.": all(loadsDebug, put("Guest DR7", 1n << 32n)),
  "IA32_SYSENTER_ESP and IA32_SYSENTER_EIP are canonical.": [
    put("Guest IA32_SYSENTER_ESP", notCanonical),
    put("Guest IA32_SYSENTER_EIP", notCanonical),
  ],
  "If IA32_PAT is loaded, each byte is a memory type.": all(
    on("entry", "load IA32_PAT"),
    put("Guest IA32_PAT", 3n << 56n),
  ),
  "If IA32_EFER is loaded, reserved bits are 0.": all(loadsEfer, put("Guest IA32_EFER", 0x2500)),
  'If IA32_EFER is loaded, LMA is "IA-32e mode guest" and, with CR0.PG, LME.': [
    all(loadsEfer, put("Guest IA32_EFER", 0)),
    all(loadsEfer, put("Guest IA32_EFER", 0x400)),
  ],
  "TI of the TR selector is 0.": put("Guest TR selector", 4),
  "TI of the LDTR selector is 0.": all(usable, put("Guest LDTR selector", 4)),
  "The RPL of SS is that of CS, unless the guest is unrestricted.": put("Guest SS selector", 3),
  ...each(
    segments,
    (name) => `In virtual-8086 mode the base of ${name} is 16 times the selector.`,
    (name) => all(in8086, put(`Guest ${name} base`, 0x90)),
  ),
  ...each(
    ["TR", "FS", "GS", "LDTR"] as const,
    (name) => `The base of ${name} is canonical.`,
    (name) => all(usable, put(`Guest ${name} base`, notCanonical)),
  ),
  ...each(
    ["CS", "SS", "DS", "ES"] as const,
    (name) => `Bits 63:32 of the base of ${name} are 0.`,
    (name) => put(`Guest ${name} base`, 1n << 32n),
  ),
  ...each(
    segments,
    (name) => `In virtual-8086 mode the limit of ${name} is FFFFH.`,
    (name) => all(in8086, put(`Guest ${name} limit`, 0xfffff)),
  ),
  ...each(
    segments,
    (name) => `In virtual-8086 mode the access rights of ${name} are F3H.`,
    (name) => all(in8086, put(`Guest ${name} access rights`, 0x93)),
  ),
  "The type of CS is that of accessed code; an unrestricted guest's may be 3.": [
    put("Guest CS access rights", 0xa09a),
    put("Guest CS access rights", 0xa093),
  ],
  "The type of SS is 3 or 7.": put("Guest SS access rights", 0xc091),
  ...each(
    data,
    (name) => `The type of ${name} is accessed, and readable if it is code.`,
    (name) => [put(`Guest ${name} access rights`, 0xc092), put(`Guest ${name} access rights`, 0xc099)],
  ),
  ...each(
    segments,
    (name) => `S of ${name} is 1.`,
    (name) => flip(`Guest ${name} access rights`, 16),
  ),
  "The DPL of CS fits its type and the DPL of SS.": [
    flip("Guest CS access rights", 0x60),
    all(unrestricted, put("Guest CS access rights", 0xa0f3)),
    put("Guest CS access rights", 0xa0ff),
  ],
  "The DPL of SS is its RPL, unless the guest is unrestricted.": all(
    flip("Guest SS access rights", 0x60),
    flip("Guest CS access rights", 0x60),
  ),
  "The DPL of SS is 0 if the type of CS is 3 or CR0.PE is 0.": all(
    unrestricted,
    put("Guest CS access rights", 0xa093),
    flip("Guest SS access rights", 0x60),
  ),
  ...each(
    data,
    (name) => `The DPL of ${name} is not below its RPL, unless it is conforming or the guest is unrestricted.`,
    (name) => put(`Guest ${name} selector`, 0x13),
  ),
  ...each(
    segments,
    (name) => `P of ${name} is 1.`,
    (name) => flip(`Guest ${name} access rights`, 128),
  ),
  ...each(
    [...segments, "TR", "LDTR"] as const,
    (name) => `Bits 11:8 of the access rights of ${name} are 0.`,
    (name) => all(usable, flip(`Guest ${name} access rights`, 0x100)),
  ),
  "D of CS is 0 if the guest is in 64-bit mode.": flip("Guest CS access rights", 1 << 14),
  ...each(
    segments,
    (name) => `G of ${name} fits its limit.`,
    (name) => [put(`Guest ${name} limit`, 0xfffff000), flip(`Guest ${name} access rights`, 1 << 15)],
  ),
  ...each(
    [...segments, "TR", "LDTR"] as const,
    (name) => `Bits 31:17 of the access rights of ${name} are 0.`,
    (name) => all(usable, flip(`Guest ${name} access rights`, 1 << 20)),
  ),
  "The type of TR is that of a busy TSS, in IA-32e mode one of 64 bits.": [
    put("Guest TR access rights", 0x89),
    put("Guest TR access rights", 0x83),
  ],
  "S of TR is 0.": put("Guest TR access rights", 0x9b),
  "P of TR is 1.": put("Guest TR access rights", 0x0b),
  "G of TR fits its limit.": put("Guest TR limit", 0x100000),
  "TR is usable.": put("Guest TR access rights", 0x1008b),
  "The type of LDTR is that of an LDT.": put("Guest LDTR access rights", 0x83),
  "S of LDTR is 0.": put("Guest LDTR access rights", 0x92),
  "P of LDTR is 1.": put("Guest LDTR access rights", 0x02),
  "G of LDTR fits its limit.": put("Guest LDTR access rights", 0x8082),
  "The bases of GDTR and IDTR are canonical.": [
    put("Guest GDTR base", notCanonical),
    put("Guest IDTR base", notCanonical),
  ],
  "Bits 31:16 of the limits of GDTR and IDTR are 0.": [
    put("Guest GDTR limit", 0x10000),
    put("Guest IDTR limit", 0x10000),
  ],
  "Bits 63:32 of RIP are 0 but in 64-bit mode, where bits 63:48 are the same.": [
    put("Guest RIP", 1n << 48n),
    all(legacy, put("Guest RIP", 1n << 32n)),
  ],
  "Reserved bits of RFLAGS are 0, and bit 1 is 1.": [
    put("Guest RFLAGS", 0),
    put("Guest RFLAGS", 10),
    put("Guest RFLAGS", 2n | (1n << 40n)),
  ],
  "RFLAGS.VM is 0 in IA-32e mode and while CR0.PE is 0.": all(
    in8086,
    on("entry", "IA-32e mode guest"),
    flip("Guest CR4", 0x20),
  ),
  "RFLAGS.IF is 1 if an external interrupt is injected.": INTERRUPT,
  "The activity state is one that the processor has: active or HLT.": put("Guest activity state", 3),
  "The activity state is not HLT if the DPL of SS is not 0.": all(
    halted,
    ...(["CS", "SS"] as const).flatMap((name) => [
      flip(`Guest ${name} selector`, 3),
      flip(`Guest ${name} access rights`, 0x60),
    ]),
  ),
  "The activity state is active while STI or MOV SS block events.": all(halted, stiBlocks),
  "An event that is injected into HLT is one that ends it.": all(halted, event(3, 6)),
  "Reserved bits of the interruptibility state are 0.": put("Guest interruptibility state", 16),
  "STI and MOV SS do not block at once.": all(withIf, put("Guest interruptibility state", 3)),
  "STI does not block while RFLAGS.IF is 0.": put("Guest interruptibility state", 1),
  "Neither STI nor MOV SS block if an external interrupt is injected.": all(stiBlocks, INTERRUPT),
  "MOV SS does not block if an NMI is injected.": all(movSsBlocks, NMI),
  "SMIs are not blocked, as the processor is not in SMM.": put("Guest interruptibility state", 4),
  "STI does not block if an NMI is injected.": all(stiBlocks, NMI),
  "With virtual NMIs, NMIs are not blocked if one is injected.": all(
    on("pin", "NMI exiting", "virtual NMIs"),
    NMI,
    put("Guest interruptibility state", 8),
  ),
  "Reserved bits of the pending debug exceptions are 0.": [
    put("Guest pending debug exceptions", 1 << 13),
    put("Guest pending debug exceptions", 1n << 40n),
  ],
  "While STI or MOV SS block, or in HLT, a single step is pending exactly with RFLAGS.TF.": [
    all(movSsBlocks, put("Guest pending debug exceptions", 1 << 14)),
    all(movSsBlocks, put("Guest RFLAGS", 0x102)),
  ],
  "The VMCS link pointer is FFFFFFFF_FFFFFFFFH or the address of a page.": put("VMCS link pointer", 0x123),
  "The VMCS that the link pointer names has the revision identifier of the processor and is no shadow VMCS.": all(
    linked,
    (port) => port.writePhysical(AT.other, (REVISION | 0x80000000) >>> 0),
  ),
  "The VMCS link pointer is not the current-VMCS pointer.": put("VMCS link pointer", AT.vmcs),
  "With PAE paging, no PDPTE that is present has a reserved bit set.": [
    all(legacy, put("Guest CR4", 0x2020), put("Guest CR3", AT.pdpt), (port) => port.writePhysical(AT.pdpt + 8, 3)),
    all(legacy, put("Guest CR4", 0x2020), enablesEpt, put("Guest PDPTE3", 3)),
  ],
};

const spoils: Readonly<Record<CheckGroup, Readonly<Record<string, Spoil | readonly Spoil[]>>>> = {
  control,
  host,
  guest,
};
const groups = ["control", "host", "guest"] as const;
const port32 = (): TestPort => {
  const port = rootPort("max", host32("max"));
  all(legacy, off("exit", 1 << 9), put("Host RIP", 0x1000), put("Host GS base", 0), put("Guest CR0", 0x80000021))(port);
  return port;
};

/** What VMLAUNCH made of it: VMfail, or an exit with its qualification. */
const launched = (port: TestPort): number | string | readonly [number, number] => {
  vmlaunch(port);
  const end = outcome(port);
  if (end !== "succeed") return end;
  if (port.guest !== undefined) return "entered";
  return [Number(get(port, "Exit reason")), Number(get(port, "Exit qualification"))];
};
const expected = (group: CheckGroup, qualification: number): number | readonly [number, number] =>
  group === "control" ? 7 : group === "host" ? 8 : [(REASON.INVALID_GUEST_STATE | ENTRY_FAILURE) >>> 0, qualification];

describe("the checks of VM entry", () => {
  it("let a good VMCS through: 64-bit, legacy, virtual-8086 and unrestricted guests, of 64- and 32-bit hosts", () => {
    const real = all(unrestricted, legacy, put("Guest CR0", 0x20), put("Guest CS access rights", 0x8093));
    for (const prepare of [all(), legacy, in8086, real, usable, all(halted, withIf, INTERRUPT)]) {
      const port = rootPort();
      prepare(port);
      expect(failedChecks(entryContext(port, AT.vmcs)).map(({ check }) => check.sentence)).toEqual([]);
      expect(launched(port)).toBe("entered");
    }
    const port = port32();
    expect(failedChecks(entryContext(port, AT.vmcs)).map(({ check }) => check.sentence)).toEqual([]);
    expect(launched(port)).toBe("entered");
  });

  it("have each a VMCS here that fails it", () => {
    for (const group of groups) {
      const sentences = entryChecks[group].map(({ sentence }) => sentence);
      const known = { ...spoils[group], ...(group === "host" ? of32 : {}) };
      expect([...new Set(sentences)].sort()).toEqual(Object.keys(known).sort());
      expect(new Set(sentences).size).toBe(sentences.length);
    }
  });

  it.each(groups)("fail in turn, each with the outcome of its group: %s", (group) => {
    for (const { sentence, qualification = 0 } of entryChecks[group]) {
      const variants = [spoils[group][sentence] ?? []].flat();
      for (const [number, spoil] of variants.entries()) {
        const port = rootPort();
        spoil(port);
        const name = `${sentence} (${number})`;
        expect([name, firstFailed(group, entryContext(port, AT.vmcs))?.sentence]).toEqual([name, sentence]);
        expect([name, launched(port)]).toEqual([name, expected(group, qualification)]);
      }
    }
  });

  it.each(Object.entries(of32))("fail of a 32-bit host: %s", (sentence, spoil) => {
    const port = port32();
    spoil(port);
    expect(firstFailed("host", entryContext(port, AT.vmcs))?.sentence).toBe(sentence);
    expect(launched(port)).toBe(8);
  });

  it("look at the secondary controls only where they are activated", () => {
    const port = rootPort();
    set(port, wordFields.secondary, SECONDARY["unrestricted guest"] | 1);
    expect(launched(port)).toBe("entered");
  });
});
