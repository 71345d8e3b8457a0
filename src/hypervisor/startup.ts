/**
 * How the host starts: machine code that loads the tables and switches virtualization on, and the places where the processor
 * enters the hypervisor. What a boot loader would have brought is in the plan; from its first instruction on the processor does
 * everything itself.
 */
import { identityMap } from "../hardware/boot/identity-map.js";
import { type LoadPlan, ZERO_REGISTERS } from "../hardware/boot/load-plan.js";
import { type ModelName, models } from "../hardware/cpu/model.js";
import { PTE } from "../hardware/cpu/paging-levels.js";
import { CR0, CR4, EFER } from "../hardware/cpu/state.js";
import { assemble } from "../hardware/isa/assembler/assembler.js";
import type { HostEntry } from "../hardware/supervisors.js";
import { FEATURE_CONTROL } from "../hardware/vmx/capabilities.js";
import { AREA, GATE_STRIDE, PLACE, placesOf, SELECTOR, TOP, VECTORS } from "./layout.js";
import type { HypervisorState } from "./state.js";

const HOST_CALL = "db 0x0f, 0x3f";
const IA32_FEATURE_CONTROL = 0x3a;
const IA32_EFER = 0xc000_0080;
const VM_HSAVE_PA = 0xc001_0117;

/** What switches VT-x or AMD-V on, where the model has one of them. */
function switchOn(model: ModelName, saveArea: string): string {
  const { features } = models[model];
  if (features.has("VMX"))
    return `
        mov ecx, ${IA32_FEATURE_CONTROL}
        rdmsr
        test al, ${FEATURE_CONTROL.LOCKED}
        jnz locked
        or eax, ${FEATURE_CONTROL.LOCKED | FEATURE_CONTROL.VMX_OUTSIDE_SMX}
        wrmsr
locked: mov eax, ${CR4.VMXE | CR4.PAE}
        mov cr4, rax`;
  if (features.has("SVM"))
    return `
        mov ecx, ${IA32_EFER}
        rdmsr
        or eax, ${EFER.SVME}
        wrmsr
        mov ecx, ${VM_HSAVE_PA}
        ${saveArea}
        xor edx, edx
        wrmsr`;
  return "";
}

/** Behind a host call stands where the processor goes on when AMD-V gives it back. */
const PLACES = (interruptReturn: string): string => `
        ${HOST_CALL}
        jmp exit
idle:   sti
        hlt
        cli
wake:   ${HOST_CALL}
exit:   ${HOST_CALL}
        jmp exit
window: sti
        nop
        cli
        jmp wake
again:  sti
        pause
        cli
quantum: ${HOST_CALL}
        jmp again
        align ${GATE_STRIDE}
gates:  ${Array.from({ length: VECTORS }, () => `${HOST_CALL}\n        ${interruptReturn}\n        align ${GATE_STRIDE}`).join("\n")}`;

/** Caches as INIT leaves them are off. */
const CACHES_ON = `and eax, ${~(CR0.CD | CR0.NW) >>> 0}`;

/** Segments, the task, and how CR0 is. */
const segments64 = (caches: string): string => `
        mov ax, ${SELECTOR.data}
        mov ds, ax
        mov es, ax
        mov ss, ax
        mov fs, ax
        mov gs, ax
        push ${SELECTOR.code}
        push loaded
        o64 retf
loaded: mov ax, ${SELECTOR.tss}
        ltr ax
        mov rax, cr0
        ${caches}
        or eax, ${CR0.NE | CR0.WP | CR0.MP}
        mov cr0, rax`;

const text64 = (model: ModelName): string => `
        bits 64
        org ${PLACE.code}
        mov rsp, ${PLACE.stack}
        lgdt [table]
        lidt [vectors]
        ${segments64("")}
        ${switchOn(model, `mov eax, ${PLACE.vmxon}`)}
begin:  ${PLACES("iretq")}
        align 8
table:  dw 0x27
        dq ${PLACE.gdt}
vectors: dw 0xfff
        dq ${PLACE.idt}
`;

/** Local APIC: interrupt command register, and what starts all processors but this one. Spec: SDM Vol. 3A, "MP Initialization". */
const ICR = 0xfee0_0300;
const INIT_OTHERS = 0xc_4500;
const START_OTHERS = 0xc_4600 | (PLACE.trampoline >> 12);

/**
 * Every processor comes through here, the first from the loader, the others from the trampoline; which one it is its local APIC
 * says. The first one starts the others: real ones take 10 ms from INIT to the start-up message, these none.
 */
const textOfSeveral = (model: ModelName): string => `
        bits 64
        org ${PLACE.code}
start:  mov eax, 1
        cpuid
        shr ebx, 24
        mov esi, ebx
        imul ebx, ebx, ${AREA.stride}
        lea rsp, [rbx + ${PLACE.areas + AREA.stack}]
        lgdt [rbx + ${PLACE.areas + AREA.table}]
        lidt [vectors]
        ${segments64(CACHES_ON)}
        ${switchOn(model, `lea eax, [rbx + ${PLACE.areas + AREA.vmxon}]`)}
        test esi, esi
        jnz begin
        mov eax, ${ICR}
        mov dword [rax], ${INIT_OTHERS}
        mov dword [rax], ${START_OTHERS}
begin:  ${PLACES("iretq")}
        align 8
vectors: dw 0xfff
        dq ${PLACE.idt}
`;

/** From real mode into 64-bit mode at once. Spec: SDM Vol. 3A, "Initializing IA-32e Mode". */
const trampoline = (): string => `
        bits 16
        org ${PLACE.trampoline}
        cli
        xor ax, ax
        mov ds, ax
        lgdt [table]
        mov eax, ${CR4.PAE}
        mov cr4, eax
        mov eax, ${PLACE.tables}
        mov cr3, eax
        mov ecx, ${IA32_EFER}
        rdmsr
        or eax, ${EFER.LME}
        wrmsr
        mov eax, ${(CR0.PG | CR0.PE | CR0.ET) >>> 0}
        mov cr0, eax
        jmp dword ${SELECTOR.code}:${PLACE.code}
        align 8
table:  dw 0x27
        dd ${PLACE.gdt}
`;

const text32 = (): string => `
        bits 32
        org ${TOP + PLACE.code}
        mov eax, ${PLACE.tables}
        mov cr3, eax
        mov eax, cr4
        or eax, ${CR4.PSE}
        mov cr4, eax
        mov eax, cr0
        or eax, ${(CR0.PG | CR0.WP | CR0.NE | CR0.MP) >>> 0}
        mov cr0, eax
        mov eax, there
        jmp eax
there:  mov esp, ${TOP + PLACE.stack}
        lgdt [table]
        lidt [vectors]
        mov ax, ${SELECTOR.data}
        mov ds, ax
        mov es, ax
        mov ss, ax
        mov fs, ax
        mov gs, ax
        jmp dword ${SELECTOR.code}:loaded
loaded: mov ax, ${SELECTOR.tss}
        ltr ax
begin:  ${PLACES("iretd")}
        align 8
table:  dw 0x1f
        dd ${TOP + PLACE.gdt}
vectors: dw 0x7ff
        dd ${TOP + PLACE.idt}
`;

function words(count: number, fill: (view: DataView) => void): Uint8Array {
  const view = new DataView(new ArrayBuffer(count * 4));
  fill(view);
  return new Uint8Array(view.buffer);
}

/** Null, code, data, TSS. */
function descriptorTable(bits: 32 | 64, place: number): Uint8Array {
  const tss = (bits === 64 ? 0 : TOP) + place;
  return words(10, (view) => {
    view.setUint32(8, 0xffff, true);
    view.setUint32(12, bits === 64 ? 0x00af_9b00 : 0x00cf_9b00, true);
    view.setUint32(16, 0xffff, true);
    view.setUint32(20, 0x00cf_9300, true);
    view.setUint32(24, ((tss & 0xffff) << 16) | 0x67, true);
    view.setUint32(28, (tss & 0xff00_0000) | 0x8900 | ((tss >>> 16) & 0xff), true);
  });
}

/** Every vector enters the hypervisor. Interrupt gates of privilege 0: an INT n of a guest's is #GP. */
function vectorTable(bits: 32 | 64, gates: number): Uint8Array {
  const size = bits === 64 ? 16 : 8;
  return words((VECTORS * size) / 4, (view) => {
    for (let vector = 0; vector < VECTORS; vector++) {
      const to = gates + vector * GATE_STRIDE;
      view.setUint32(vector * size, (SELECTOR.code << 16) | (to & 0xffff), true);
      view.setUint32(vector * size + 4, (to & 0xffff_0000) | 0x8e00, true);
    }
  });
}

/** The stack of handlers that come from outer rings, and no port for anyone there. */
function taskSegment(bits: 32 | 64, stack: number): Uint8Array {
  return words(26, (view) => {
    view.setUint32(4, (bits === 64 ? 0 : TOP) + stack, true);
    if (bits === 32) view.setUint32(8, SELECTOR.data, true);
    view.setUint32(100, 0x68 << 16, true);
  });
}

/** Linear is physical below `TOP`; the hypervisor's own 64 MiB stand there once more. */
function directory(): Uint8Array {
  const LARGE = 0x40_0000;
  return words(1024, (view) => {
    for (let index = 0; index < 1024; index++) {
      const at = index * LARGE;
      view.setUint32(index * 4, ((at >= TOP ? at - TOP : at) | PTE.P | PTE.W | PTE.PS) >>> 0, true);
    }
  });
}

export interface Startup {
  readonly plan: LoadPlan;
  readonly entries: readonly HostEntry[];
  readonly places: HypervisorState["places"];
}

/** What every processor of several has: its descriptors, its TSS, and the operand of its LGDT. */
function areas(processors: number): LoadPlan["segments"] {
  return Array.from({ length: processors }, (_, processor) => {
    const { gdt, tss, stack } = placesOf(processor, true);
    const operand = words(3, (view) => {
      view.setUint16(0, 0x27, true);
      view.setUint32(2, gdt, true);
    });
    return [
      { address: gdt, bytes: descriptorTable(64, tss) },
      { address: tss, bytes: taskSegment(64, stack) },
      { address: PLACE.areas + processor * AREA.stride + AREA.table, bytes: operand },
    ];
  }).flat();
}

/** What a host of a model starts with. */
export function startup(model: ModelName, bits: 32 | 64, processors = 1): Startup {
  const text = processors > 1 ? textOfSeveral(model) : bits === 64 ? text64(model) : text32();
  const { bytes, symbols } = assemble(text, { bits, name: "hypervisor" });
  const base = bits === 64 ? 0 : TOP;
  const at = (name: string): number => symbols[name]!;
  const entry = (name: string, handler: string): HostEntry => ({ physical: at(name) - base, handler });
  const gates = Array.from({ length: VECTORS }, (_, vector) => ({
    physical: at("gates") - base + vector * GATE_STRIDE,
    handler: "gate",
  }));
  const others = [
    { address: PLACE.trampoline, bytes: assemble(trampoline(), { bits: 16, name: "trampoline" }).bytes },
    ...areas(processors),
  ];
  return {
    plan: {
      kind: "flat",
      segments: [
        { address: PLACE.code, bytes },
        { address: PLACE.gdt, bytes: descriptorTable(bits, PLACE.tss) },
        { address: PLACE.idt, bytes: vectorTable(bits, at("gates")) },
        { address: PLACE.tss, bytes: taskSegment(bits, PLACE.stack) },
        { address: PLACE.tables, bytes: bits === 64 ? identityMap(PLACE.tables) : directory() },
        ...(processors > 1 ? others : []),
      ],
      entry: PLACE.code,
      registers: ZERO_REGISTERS,
      ...(bits === 64 ? { pageMap: PLACE.tables } : {}),
      symbols: [],
    },
    entries: [
      entry("begin", "start"),
      entry("wake", "idle"),
      entry("exit", "exit"),
      entry("quantum", "quantum"),
      ...gates,
    ],
    places: { exit: at("exit"), idle: at("idle"), again: at("again"), window: at("window"), gates: at("gates") },
  };
}
