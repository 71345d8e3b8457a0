/**
 * How the kernel starts: what a boot loader would have brought, as a plan, and machine code that loads the tables and switches
 * everything on. The places where the processor enters the kernel afterwards are host calls, each with the instruction behind it that
 * leads back.
 */
import { type LoadPlan, ZERO_REGISTERS } from "../../hardware/boot/load-plan.js";
import { PTE } from "../../hardware/cpu/paging-levels.js";
import { CR0, CR4, EFER } from "../../hardware/cpu/state.js";
import { assemble } from "../../hardware/isa/assembler/assembler.js";
import type { HostEntry } from "../../hardware/supervisors.js";
import {
  APART,
  GATE_STRIDE,
  GDT_BYTES,
  PHYSICAL,
  PHYSICAL_SLOT,
  PLACE,
  SELECTOR,
  SYSTEM_CALL_VECTOR,
  VECTORS,
} from "./layout.js";

const HOST_CALL = "db 0x0f, 0x3f";
const GIB = 0x4000_0000;
const LARGE = 0x20_0000;

/** Spec: SDM Vol. 4, "Architectural MSRs". */
const MSR = {
  ...{ SYSENTER_CS: 0x174, SYSENTER_ESP: 0x175, SYSENTER_EIP: 0x176, EFER: 0xc000_0080 },
  ...{ STAR: 0xc000_0081, LSTAR: 0xc000_0082, CSTAR: 0xc000_0083, FMASK: 0xc000_0084 },
} as const;
/** What SYSCALL clears: TF, IF, DF, IOPL, NT, RF, AC, and the arithmetic flags stay. Spec: Linux, syscall_init. */
const CLEARED_FLAGS = 0x4_7700;

const high = (physical: number): string => `0x${(BigInt(PHYSICAL + physical) & 0xffff_ffff_ffff_ffffn).toString(16)}`;
const writeMsr = (msr: number, low: string, top: string): string => `
        mov ecx, ${msr}
        mov eax, ${low}
        mov edx, ${top}
        wrmsr`;
/** An address of the kernel's that a label names. */
const addressMsr = (msr: number, label: string): string => `
        mov ecx, ${msr}
        mov rax, ${high(0)}
        add rax, ${label}
        mov rdx, rax
        shr rdx, 32
        wrmsr`;

const text = (): string => `
        bits 64
        org ${PLACE.code}
        lgdt [table]
        lidt [vectors]
        mov rsp, ${high(PLACE.stack)}
        push ${SELECTOR.code}
        mov rax, ${high(0)}
        add rax, there
        push rax
        o64 retf
there:  mov ax, ${SELECTOR.data}
        mov ss, ax
        xor eax, eax
        mov ds, ax
        mov es, ax
        mov fs, ax
        mov gs, ax
        mov ax, ${SELECTOR.tss}
        ltr ax
        mov rax, cr0
        and eax, ${~(CR0.EM | CR0.TS | CR0.CD | CR0.NW) >>> 0}
        or eax, ${CR0.NE | CR0.WP | CR0.MP}
        mov cr0, rax
        mov eax, ${CR4.PAE | CR4.OSFXSR | CR4.OSXMMEXCPT}
        mov cr4, rax
        ${writeMsr(MSR.EFER, String(EFER.SCE | EFER.LME | EFER.NXE), "0")}
        ${writeMsr(MSR.STAR, "0", String((SELECTOR.userCode32 << 16) | SELECTOR.code))}
        ${addressMsr(MSR.LSTAR, "call")}
        ${addressMsr(MSR.CSTAR, "call32")}
        ${writeMsr(MSR.FMASK, String(CLEARED_FLAGS), "0")}
        ${writeMsr(MSR.SYSENTER_CS, String(SELECTOR.code), "0")}
        ${addressMsr(MSR.SYSENTER_EIP, "enter")}
        ${writeMsr(MSR.SYSENTER_ESP, `${(PHYSICAL + PLACE.stack) >>> 0}`, `${Math.floor((PHYSICAL + PLACE.stack) / 2 ** 32) >>> 0}`)}
start:  ${HOST_CALL}
        jmp idle
idle:   sti
        hlt
        cli
wake:   ${HOST_CALL}
        jmp idle
back:   iretq
call:   ${HOST_CALL}
        o64 sysret
call32: ${HOST_CALL}
        o32 sysret
enter:  ${HOST_CALL}
        jmp back
        align ${GATE_STRIDE}
gates:  ${Array.from({ length: VECTORS }, () => `${HOST_CALL}\n        iretq\n        align ${GATE_STRIDE}`).join("\n")}
        align 8
table:  dw ${GDT_BYTES - 1}
        dq ${high(PLACE.gdt)}
vectors: dw ${VECTORS * 16 - 1}
        dq ${high(PLACE.idt)}
`;

function words(count: number, fill: (view: DataView) => void): Uint8Array {
  const view = new DataView(new ArrayBuffer(count * 4));
  fill(view);
  return new Uint8Array(view.buffer);
}

/** Accessed already, so that nothing is written there later. Spec: SDM Vol. 3A, "Segment Descriptors". */
const DESCRIPTOR = {
  code64: [0xffff, 0x00af_9b00],
  data: [0xffff, 0x00cf_9300],
  userCode32: [0xffff, 0x00cf_fb00],
  userData: [0xffff, 0x00cf_f300],
  userCode64: [0xffff, 0x00af_fb00],
} as const;

function descriptorTable(): Uint8Array {
  const tss = PHYSICAL + PLACE.tss;
  return words(GDT_BYTES / 4, (view) => {
    const set = (selector: number, [low, top]: readonly number[]): void => {
      view.setUint32(selector & ~7, low!, true);
      view.setUint32((selector & ~7) + 4, top!, true);
    };
    set(SELECTOR.code, DESCRIPTOR.code64);
    set(SELECTOR.data, DESCRIPTOR.data);
    set(SELECTOR.userCode32, DESCRIPTOR.userCode32);
    set(SELECTOR.userData, DESCRIPTOR.userData);
    set(SELECTOR.userCode64, DESCRIPTOR.userCode64);
    set(SELECTOR.tss, [((tss & 0xffff) << 16) | 0x67, ((tss & 0xff00_0000) >>> 0) + 0x8900 + ((tss >>> 16) & 0xff)]);
    view.setBigInt64(SELECTOR.tss + 8, BigInt(Math.floor(tss / 2 ** 32)) & 0xffff_ffffn, true);
  });
}

/** Every vector enters the kernel; programs may use three of them. Spec: SDM Vol. 3A, "64-Bit Mode IDT". */
function vectorTable(gates: number): Uint8Array {
  const BREAKPOINT = 3;
  const OVERFLOW = 4;
  return words(VECTORS * 4, (view) => {
    for (let vector = 0; vector < VECTORS; vector++) {
      const to = PHYSICAL + gates + vector * GATE_STRIDE;
      const level = [BREAKPOINT, OVERFLOW, SYSTEM_CALL_VECTOR].includes(vector) ? 0x6000 : 0;
      view.setUint32(vector * 16, (SELECTOR.code << 16) | (to & 0xffff), true);
      view.setUint32(
        vector * 16 + 4,
        ((to & 0xffff_0000) | 0x8e00 | level | (APART.includes(vector) ? 1 : 0)) >>> 0,
        true,
      );
      view.setUint32(vector * 16 + 8, Math.floor(to / 2 ** 32) >>> 0, true);
    }
  });
}

/** Stacks, and no port for programs. Spec: SDM Vol. 3A, "Task Management in 64-bit Mode". */
function taskSegment(): Uint8Array {
  return words(26, (view) => {
    view.setBigInt64(4, BigInt(PHYSICAL + PLACE.stack), true);
    view.setBigInt64(36, BigInt(PHYSICAL + PLACE.faultStack), true);
    view.setUint32(100, 0x68 << 16, true);
  });
}

/** The whole of physical memory, and the registers of devices below 4 GiB; at its own addresses too, until the kernel has started. */
function pageTables(memorySize: number): Uint8Array {
  const gibs = Math.max(4, Math.ceil(memorySize / GIB));
  return words((2 + gibs) * 1024, (view) => {
    const entry = (table: number, index: number, to: number, flags: number): void =>
      view.setBigUint64(table * 4096 + index * 8, BigInt(to) | BigInt(flags), true);
    const link = PTE.P | PTE.W;
    entry(0, 0, PLACE.tables + 0x1000, link);
    entry(0, PHYSICAL_SLOT, PLACE.tables + 0x1000, link);
    for (let gib = 0; gib < gibs; gib++) {
      entry(1, gib, PLACE.tables + 0x2000 + gib * 0x1000, link);
      for (let index = 0; index < 512; index++) entry(2 + gib, index, gib * GIB + index * LARGE, link | PTE.PS);
    }
  });
}

/** Linear addresses of the kernel's machine code. */
export interface Places {
  /** Where it waits for an interrupt. */
  readonly idle: number;
  /** IRETQ. */
  readonly back: number;
  /** The entries by vector. */
  readonly gates: number;
}

export interface Startup {
  readonly plan: LoadPlan;
  readonly entries: readonly HostEntry[];
  readonly places: Places;
  /** The first frame that is free. */
  readonly firstFrame: number;
}

/** What the kernel starts with on a machine of so much memory. */
export function startup(memorySize: number): Startup {
  const { bytes, symbols } = assemble(text(), { bits: 64, name: "kernel" });
  const tables = pageTables(memorySize);
  const entry = (name: string, handler: string): HostEntry => ({ physical: symbols[name]!, handler });
  const gates = Array.from({ length: VECTORS }, (_, vector) => ({
    physical: symbols.gates! + vector * GATE_STRIDE,
    handler: "gate",
  }));
  const linear = (name: string): number => PHYSICAL + symbols[name]!;
  return {
    plan: {
      kind: "flat",
      segments: [
        { address: PLACE.code, bytes },
        { address: PLACE.gdt, bytes: descriptorTable() },
        { address: PLACE.idt, bytes: vectorTable(symbols.gates!) },
        { address: PLACE.tss, bytes: taskSegment() },
        { address: PLACE.tables, bytes: tables },
      ],
      entry: PLACE.code,
      registers: ZERO_REGISTERS,
      pageMap: PLACE.tables,
      symbols: [],
    },
    entries: [
      entry("start", "start"),
      entry("wake", "idle"),
      entry("call", "systemCall"),
      entry("call32", "systemCall32"),
      entry("enter", "systemEnter"),
      ...gates,
    ],
    places: { idle: linear("idle"), back: linear("back"), gates: linear("gates") },
    firstFrame: Math.ceil((PLACE.tables + tables.length) / 4096),
  };
}
