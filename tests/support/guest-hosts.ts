/**
 * The smallest hosts of VT-x and AMD-V, in 32-bit machine code: each enters one guest in memory of its own, hands exceptions that
 * leave it back to it, and takes the next controls of a ring at every exit. The guest goes on from the state of another machine.
 */

import type { Segment, SystemState } from "../../src/hardware/cpu/state.js";
import { stateOf } from "../../src/hardware/machine.js";
import { vmcbField } from "../../src/hardware/svm/vmcb.js";
import { type FieldName, fields } from "../../src/hardware/vmx/fields.js";
import { REVISION } from "../../src/hardware/vmx/vmcs.js";
import { assemble, Machine } from "../../src/index.js";

/** Where the host is: above what the guest reaches by its own tables. */
const CODE = 0x50_0000;
const STACK = 0x52_0000;
const DIRECTORY = 0x53_0000;
const VMXON = 0x54_0000;
const CONTROL = 0x54_1000;
const BITMAPS = 0x54_2000;
const EPT = 0x55_0000;

/** Controls in a ring: as many of them. */
export const RING = 8;

const CR0_NE = 0x20;
const CR4_VMXE = 0x2000;
const CR4_PSE = 0x10;
const EFER_SVME = 0x1000;

const words = (...values: readonly number[]): Uint8Array => new Uint8Array(Int32Array.from(values).buffer);

/** What a guest of VT-x is held to beside what it always is, from one exit to the next. */
export interface VmxControls {
  readonly pin: number;
  readonly primary: number;
  readonly exceptions: number;
  readonly mask: number;
  readonly match: number;
}

/** The same of AMD-V: the intercept vectors of exceptions and of instructions. */
export interface SvmControls {
  readonly exceptions: number;
  readonly instructions: number;
}

const encoding = (name: FieldName): number => fields[name].encoding;
const read = (name: FieldName): string => `mov eax, ${encoding(name)}\n vmread ebx, eax\n`;
const write = (name: FieldName): string => `mov eax, ${encoding(name)}\n vmwrite eax, ebx\n`;

const RING_FIELDS: readonly FieldName[] = [
  "Pin-based VM-execution controls",
  "Primary processor-based VM-execution controls",
  "Exception bitmap",
  "Page-fault error-code mask",
  "Page-fault error-code match",
];

const ring = (size: number, take: readonly string[]): string => `
next:   mov ecx, [index]
        inc ecx
        and ecx, ${RING - 1}
        mov [index], ecx
        imul ecx, ecx, ${size}
${take.map((text, index) => `mov ebx, [ecx + ring + ${4 * index}]\n${text}`).join("\n")}`;

/** Registers that are the guest's are kept meanwhile. */
const PAGING = (cr4: number): string => `
        mov [saved], eax
        mov [saved + 4], ecx
        mov [saved + 8], edx
        mov eax, ${DIRECTORY}
        mov cr3, eax
        mov eax, ${cr4}
        mov cr4, eax
        mov eax, 0x80000031
        mov cr0, eax`;
const RESTORED = `
        mov eax, [saved]
        mov ecx, [saved + 4]
        mov edx, [saved + 8]`;

const vmxHost = `
bits 32
org ${CODE}
start:  ${PAGING(CR4_VMXE | CR4_PSE)}
        mov ecx, 0x3a
        mov eax, 5
        xor edx, edx
        wrmsr
        vmxon [pointers]
        jbe failed
        vmclear [pointers + 8]
        jbe failed
        vmptrld [pointers + 8]
        jbe failed
        ${RESTORED}
        vmlaunch
failed: jmp failed
exit:   mov [saved], eax
        mov [saved + 4], ebx
        mov [saved + 8], ecx
        ${read("Exit reason")}
        cmp ebx, 0
        je event
        cmp ebx, 2
        je failed
        cmp ebx, 10
        jne next
        ${read("Guest RIP")}
        add ebx, 2
        ${write("Guest RIP")}
        jmp next
event:  ${read("VM-exit interruption information")}
        and ebx, 0x80000fff
        mov ecx, ebx
        shr ecx, 8
        and ecx, 7
        cmp ecx, 2
        je next
        ${write("VM-entry interruption-information field")}
        mov ecx, ebx
        ${read("VM-exit interruption error code")}
        ${write("VM-entry exception error code")}
        ${read("VM-exit instruction length")}
        ${write("VM-entry instruction length")}
        cmp cl, 14
        jne next
        ${read("Exit qualification")}
        mov cr2, ebx
${ring(20, RING_FIELDS.map(write))}
        mov eax, [saved]
        mov ebx, [saved + 4]
        mov ecx, [saved + 8]
        vmresume
        jmp next
align 8
pointers: dq ${VMXON}, ${CONTROL}
index:  dd 0
saved:  dd 0, 0, 0
ring:
`;

const vmcb = (name: string): number => CONTROL + vmcbField(name).offset;

const svmHost = `
bits 32
org ${CODE}
start:  ${PAGING(CR4_PSE)}
        mov ecx, 0xc0000080
        rdmsr
        or eax, ${EFER_SVME}
        wrmsr
        mov ecx, 0xc0010117
        mov eax, ${VMXON}
        xor edx, edx
        wrmsr
        mov eax, ${CONTROL}
        vmload
        ${RESTORED}
enter:  mov eax, ${CONTROL}
        vmrun
        mov [saved], ebx
        mov [saved + 4], ecx
        mov ebx, [${vmcb("EXITCODE")}]
        cmp ebx, 0x7f
        je failed
        cmp ebx, -1
        je failed
        cmp ebx, 0x72
        jne other
        add dword [${vmcb("RIP")}], 2
        jmp next
other:  mov ecx, ebx
        sub ecx, 0x40
        cmp ecx, 32
        jae next
        mov ebx, ecx
        or ebx, 0x80000300
        ; #TS to #PF and #AC have error codes, and #DF.
        mov eax, 0x00027d00
        bt eax, ecx
        jnc plain
        or ebx, 0x800
        mov eax, [${vmcb("EXITINFO1")}]
        mov [${vmcb("EVENTINJ")} + 4], eax
plain:  mov [${vmcb("EVENTINJ")}], ebx
        cmp ecx, 14
        jne next
        mov eax, [${vmcb("EXITINFO2")}]
        mov [${vmcb("CR2")}], eax
${ring(8, [`mov [${vmcb("INTERCEPT_EXCEPTIONS")}], ebx`, `mov [${vmcb("INTERCEPT_MISC1")}], ebx`])}
        mov ebx, [saved]
        mov ecx, [saved + 4]
        jmp enter
failed: jmp failed
align 8
index:  dd 0
saved:  dd 0, 0, 0
ring:
`;

const hosts = { vmx: assemble(vmxHost), svm: assemble(svmHost) };

type SegmentName = "ES" | "CS" | "SS" | "DS" | "FS" | "GS" | "LDTR" | "TR";
const segmentsOf = ({ segments, ldtr, tr }: SystemState): readonly (readonly [SegmentName, Segment])[] => [
  ["ES", segments.es],
  ["CS", segments.cs],
  ["SS", segments.ss],
  ["DS", segments.ds],
  ["FS", segments.fs],
  ["GS", segments.gs],
  ["LDTR", ldtr],
  ["TR", tr],
];

/** Memory that leads to itself: 4-MiB pages of 32-bit tables, which nested paging of AMD-V reads as well. */
const directory = words(...Array.from({ length: 1024 }, (_, index) => (index << 22) | 0xe7));

const UNUSABLE = 0x10000;

function vmcsFields(guest: Machine, nested: boolean): Partial<Record<FieldName, number>> {
  const { system, eflags } = stateOf(guest).cpu;
  const code = hosts.vmx.symbols;
  const found: Partial<Record<FieldName, number>> = {
    "VM-exit controls": 0x36dff,
    "VM-entry controls": 0x11ff,
    "Secondary processor-based VM-execution controls": nested ? 2 : 0,
    "VMCS link pointer": -1,
    "Address of I/O bitmap A": BITMAPS,
    "Address of I/O bitmap B": BITMAPS + 0x1000,
    "EPT pointer": EPT | 6 | (3 << 3),
    "Host CS selector": 0x08,
    "Host SS selector": 0x10,
    "Host DS selector": 0x10,
    "Host ES selector": 0x10,
    "Host TR selector": 0x28,
    "Host CR0": 0x80000031 | 0,
    "Host CR3": DIRECTORY,
    "Host CR4": CR4_VMXE | CR4_PSE,
    "Host RIP": code["exit"]!,
    "Host RSP": STACK,
    "Host GDTR base": system.gdtr.base,
    "Host IDTR base": system.idtr.base,
    "Guest CR0": system.cr0 | CR0_NE,
    "Guest CR3": system.cr3,
    "Guest CR4": system.cr4 | CR4_VMXE,
    "Guest DR7": 0x400,
    "Guest RFLAGS": eflags,
    "Guest RIP": guest.registers.eip,
    "Guest RSP": guest.registers.esp,
    "Guest GDTR base": system.gdtr.base,
    "Guest GDTR limit": system.gdtr.limit,
    "Guest IDTR base": system.idtr.base,
    "Guest IDTR limit": system.idtr.limit,
  };
  for (const [name, { selector, base, limit, access }] of segmentsOf(system)) {
    found[`Guest ${name} selector`] = selector;
    found[`Guest ${name} base`] = base;
    found[`Guest ${name} limit`] = limit;
    found[`Guest ${name} access rights`] = access === 0 ? UNUSABLE : access;
  }
  return found;
}

function vmcbFieldsOf(guest: Machine, nested: boolean): Readonly<Record<string, number>> {
  const { system, eflags } = stateOf(guest).cpu;
  const found: Record<string, number> = {
    INTERCEPT_MISC2: 1,
    GUEST_ASID: 1,
    NP_ENABLE: nested ? 1 : 0,
    N_CR3: DIRECTORY,
    "GDTR.limit": system.gdtr.limit,
    "GDTR.base": system.gdtr.base,
    "IDTR.limit": system.idtr.limit,
    "IDTR.base": system.idtr.base,
    CPL: 3,
    EFER: EFER_SVME,
    CR0: system.cr0,
    CR3: system.cr3,
    CR4: system.cr4,
    DR6: 0xffff0ff0 | 0,
    DR7: 0x400,
    RFLAGS: eflags,
    RIP: guest.registers.eip,
    RSP: guest.registers.esp,
    RAX: guest.registers.eax,
    G_PAT: 0x00070406,
  };
  for (const [name, { selector, base, limit, access }] of segmentsOf(system)) {
    found[`${name}.selector`] = selector;
    found[`${name}.attrib`] = (access & 0xff) | ((access >>> 4) & 0xf00);
    found[`${name}.limit`] = limit;
    found[`${name}.base`] = base;
  }
  return found;
}

/** What the guest has in memory, and the host in front of its first instruction. */
function hosted(model: "max" | "phenom", guest: Machine, code: Uint8Array): Machine {
  const at = 0x10_0000;
  const { eax, ebx, ecx, edx, esi, edi, ebp } = guest.registers;
  return Machine.boot({ image: HLT, memory: "8M", model })
    .write(at, guest.memory.read(at, 0x30_0000))
    .write(CODE, code)
    .write(DIRECTORY, directory)
    .edit((draft) => {
      Object.assign(draft.registers, { eax, ebx, ecx, edx, esi, edi, ebp, eip: CODE, esp: STACK });
    });
}
const HLT = Uint8Array.of(0xf4);

/** A host and its guest, and how the ring of controls is filled. */
export interface Hosted<Controls> {
  readonly machine: Machine;
  readonly withControls: (machine: Machine, controls: readonly Controls[]) => Machine;
}

const PRIMARY = 0x0400_6172;
const PIN = 0x16;

/** A host of VT-x, with EPT or without, whose guest is left by what always leaves one until the first controls are taken. */
export function vmxHosted(guest: Machine, nested: boolean): Hosted<VmxControls> {
  const { bytes } = hosts.vmx;
  const secondary = nested ? 2 ** 31 : 0;
  let machine = hosted("max", guest, bytes)
    .write(VMXON, words(REVISION))
    .write(CONTROL, words(REVISION))
    .write(EPT, words((EPT + 0x1000) | 7))
    .write(EPT + 0x1000, words((EPT + 0x2000) | 7))
    .write(EPT + 0x2000, words(...Array.from({ length: 4 }, (_, index) => [(index << 21) | 0xb7, 0]).flat()));
  const values: Partial<Record<FieldName, number>> = {
    ...vmcsFields(guest, nested),
    "Pin-based VM-execution controls": PIN,
    "Primary processor-based VM-execution controls": PRIMARY + secondary,
  };
  for (const [name, value] of Object.entries(values)) {
    const { offset, width } = fields[name as FieldName];
    machine = machine.write(CONTROL + offset, width === 64 && value < 0 ? words(value, -1) : words(value));
  }
  return {
    machine,
    withControls: (before, controls) =>
      before.write(
        CODE + bytes.length,
        words(
          ...controls.flatMap(({ pin, primary, exceptions, mask, match }) => {
            return [PIN | pin, PRIMARY + secondary + primary, exceptions, mask, match];
          }),
        ),
      ),
  };
}

const CPUID_INTERCEPT = 1 << 18;

/** The same of AMD-V, with nested paging or without. */
export function svmHosted(guest: Machine, nested: boolean): Hosted<SvmControls> {
  const { bytes } = hosts.svm;
  let machine = hosted("phenom", guest, bytes);
  const values = { ...vmcbFieldsOf(guest, nested), INTERCEPT_MISC1: CPUID_INTERCEPT };
  for (const [name, value] of Object.entries(values)) {
    const size = Math.min(4, Math.ceil(vmcbField(name).bits / 8));
    machine = machine.write(vmcb(name), words(value).slice(0, size));
  }
  return {
    machine,
    withControls: (before, controls) =>
      before.write(
        CODE + bytes.length,
        words(...controls.flatMap((one) => [one.exceptions, CPUID_INTERCEPT | one.instructions])),
      ),
  };
}
