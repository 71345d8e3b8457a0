/**
 * A virtual processor in a VMCS and back: what the guest sees is a `CpuState`, what the processor really loads differs where VT-x
 * demands it (CR0.NE, CR4.VMXE, paging for guests that have none).
 * Spec: SDM Vol. 3C, "Guest-State Area", "Guest/Host Masks and Read Shadows for CR0 and CR4".
 */
import type { ProcessorPort } from "../../../hardware/cpu/processor.js";
import {
  type CpuState,
  CR0,
  CR4,
  EFER,
  noEvents,
  type Segment,
  type SegmentName,
  type Shadow,
  type SystemState,
} from "../../../hardware/cpu/state.js";
import { ENTRY, PRIMARY } from "../../../hardware/vmx/controls.js";
import type { FieldName, GuestSegmentName } from "../../../hardware/vmx/fields.js";
import type { ShadowState } from "../../shadow/state.js";
import { cr3Of, hasTask, sharedSystem, sysenterMsrs, writtenSysenter } from "../guest-registers.js";
import type { Polling } from "../polling.js";
import { readWord, write } from "./vmcs.js";

/** What virtual processors of one VM share. */
export interface VmxShared extends Bitmaps {
  readonly eptp: bigint;
}

/** Addresses. */
export interface Bitmaps {
  /** Two pages. */
  readonly ports: number;
  readonly msrs: number;
}

/** What the technique keeps of a VM, or of one of its virtual processors, beside its VMCS. */
export interface VmxOwn extends Polling {
  readonly vmcs: number;
  /** Without unrestricted guests, a guest without paging has this page directory: a guest-physical address. */
  readonly identity: number | undefined;
  readonly launched: boolean;
  /** What several virtual processors share: bitmaps, and the EPT pointer. */
  readonly shared?: VmxShared;
  /** What is not in the VMCS, as the guest sees it: CR3 while an identity table stands for it, TR before it is loaded. */
  readonly cr3: number;
  readonly tr: Segment;
  /** Without EPT: the shadow tables. */
  readonly shadow?: ShadowState;
}

/** What of it decides how the virtual control registers differ from the real ones. */
type Paged = Pick<VmxOwn, "identity" | "shadow">;

/** The processor cannot do without paging, or must not. */
const needsPaging = ({ identity, shadow }: Paged): boolean => identity !== undefined || shadow !== undefined;

/** How fields are read: through VMREAD, or from a machine at rest. */
export interface VmcsReader {
  word(name: FieldName): number;
  quad(name: FieldName): bigint;
  /** Signed. */
  address(name: FieldName): number;
}

const UNUSABLE = 0x1_0000;
const BLOCKED_BY_STI = 1;
const BLOCKED_BY_MOV_SS = 2;

const segmentFields = { es: "ES", cs: "CS", ss: "SS", ds: "DS", fs: "FS", gs: "GS" } as const;

/** TR cannot be unusable: before a guest loads it, it is this. */
const NO_TASK: Segment = Object.freeze({ selector: 0, base: 0, limit: 0xffff, access: 0x8b });

/** Bits of CR0 and CR4 that are not what the guest sees of them; VM entry loads neither CD nor NW. */
export const cr0Mask = (own: Paged): number =>
  (CR0.NE | CR0.CD | CR0.NW | CR0.PG | (needsPaging(own) ? CR0.PE : 0) | (own.shadow === undefined ? 0 : CR0.WP)) >>> 0;
export const cr4Mask = (own: Paged): number =>
  CR4.VMXE | (needsPaging(own) ? CR4.PSE | CR4.PAE : 0) | (own.shadow === undefined ? 0 : CR4.SMEP | CR4.SMAP);

const isPaged = ({ cr0 }: SystemState): boolean => (cr0 & CR0.PG) !== 0;

function writeSegment(port: ProcessorPort, name: GuestSegmentName, { selector, base, limit, access }: Segment): void {
  write(port, `Guest ${name} selector`, selector);
  write(port, `Guest ${name} base`, base);
  write(port, `Guest ${name} limit`, limit);
  write(port, `Guest ${name} access rights`, access === 0 ? UNUSABLE : access);
}

/** While an identity table stands for a guest's CR3, what it loads and reads is kept beside it. */
function tracksCr3(port: ProcessorPort, on: boolean): void {
  const field = "Primary processor-based VM-execution controls";
  const primary = readWord(port, field);
  const exiting = PRIMARY["CR3-load exiting"] | PRIMARY["CR3-store exiting"];
  write(port, field, (on ? primary | exiting : primary & ~exiting) >>> 0);
}

function writeControl(port: ProcessorPort, own: VmxOwn, { cr0, cr3, cr4, efer }: SystemState): void {
  const { identity, shadow } = own;
  const paged = (cr0 & CR0.PG) !== 0;
  const long = (efer & EFER.LMA) !== 0;
  const needed = CR0.NE | (needsPaging(own) ? CR0.PG | CR0.PE : 0) | (shadow === undefined ? 0 : CR0.WP);
  const real4 = !needsPaging(own) || paged ? cr4 : (cr4 & ~(CR4.PAE | CR4.SMEP | CR4.SMAP)) | CR4.PSE;
  write(port, "Guest CR0", (cr0 | needed) >>> 0);
  write(port, "CR0 read shadow", cr0 >>> 0);
  write(port, "CR0 guest/host mask", cr0Mask(own));
  write(port, "Guest CR4", (real4 | CR4.VMXE) >>> 0);
  write(port, "CR4 read shadow", cr4 >>> 0);
  write(port, "CR4 guest/host mask", cr4Mask(own));
  // Of shadow tables, it is written in front of each entry.
  if (shadow === undefined) {
    write(port, "Guest CR3", identity === undefined || paged ? (cr3 < 0 ? cr3 >>> 0 : cr3) : identity);
    tracksCr3(port, identity !== undefined && !paged);
  }
  // Behind paging that the guest has not switched on, LME would be long mode.
  write(port, "Guest IA32_EFER", !needsPaging(own) || paged ? efer : efer & ~EFER.LME);
  const entry = ENTRY["load IA32_EFER"] | ENTRY["load debug controls"] | (long ? ENTRY["IA-32e mode guest"] : 0);
  write(port, "VM-entry controls", entry | 0x11fb);
}

/** Writes what every instruction changes: where the guest is, its flags, its stack pointer, what waits for it. */
export function writeCourse(port: ProcessorPort, { system, esp, wide, eip, eflags, shadow, pending }: CpuState): void {
  write(port, "Guest RSP", BigInt(esp >>> 0) | (BigInt(wide[4]! >>> 0) << 32n));
  write(port, "Guest RIP", (system.efer & EFER.LMA) !== 0 ? eip : eip >>> 0);
  write(port, "Guest RFLAGS", eflags >>> 0);
  write(
    port,
    "Guest interruptibility state",
    shadow === "sti" ? BLOCKED_BY_STI : shadow === "mov-ss" ? BLOCKED_BY_MOV_SS : 0,
  );
  write(port, "Guest pending debug exceptions", pending.debug & 0x400f);
}

/** Writes all of the guest's state. Gives what the technique has to keep beside it. */
export function writeState(port: ProcessorPort, own: VmxOwn, cpu: CpuState): VmxOwn {
  const { system } = cpu;
  writeControl(port, own, system);
  for (const [key, name] of Object.entries(segmentFields) as [SegmentName, GuestSegmentName][])
    writeSegment(port, name, system.segments[key]);
  writeSegment(port, "LDTR", system.ldtr);
  writeSegment(port, "TR", hasTask(system.tr) ? system.tr : NO_TASK);
  write(port, "Guest GDTR base", system.gdtr.base);
  write(port, "Guest GDTR limit", system.gdtr.limit);
  write(port, "Guest IDTR base", system.idtr.base);
  write(port, "Guest IDTR limit", system.idtr.limit);
  for (const name of sysenterMsrs) write(port, `Guest ${name}`, system.msrs[name] ?? 0n);
  write(port, "Guest DR7", system.debug[5] >>> 0);
  for (const index of [0, 1, 2, 3] as const) {
    const [low = 0, high = 0] = system.pdptes.slice(2 * index);
    write(port, `Guest PDPTE${index}`, BigInt(low >>> 0) | (BigInt(high >>> 0) << 32n));
  }
  writeCourse(port, cpu);
  return { ...own, cr3: system.cr3, tr: system.tr };
}

function segment(vmcs: VmcsReader, name: GuestSegmentName): Segment {
  const rights = vmcs.word(`Guest ${name} access rights`);
  return Object.freeze({
    selector: vmcs.word(`Guest ${name} selector`),
    base: vmcs.address(`Guest ${name} base`),
    limit: vmcs.word(`Guest ${name} limit`),
    access: (rights & UNUSABLE) !== 0 ? 0 : rights & 0xf0ff,
  });
}

/** The system state that a guest sees, when the VMCS holds it. `old` is what the VMCS has nothing of. */
function systemState(vmcs: VmcsReader, own: VmxOwn, old: SystemState): SystemState {
  const mask0 = cr0Mask(own);
  const mask4 = cr4Mask(own);
  const seen = (real: number, shadow: number, mask: number): number => (real & ~mask) | (shadow & mask);
  const cr0 = seen(vmcs.word("Guest CR0"), vmcs.word("CR0 read shadow"), mask0);
  const cr4 = seen(vmcs.word("Guest CR4"), vmcs.word("CR4 read shadow"), mask4);
  const shadowed = own.shadow !== undefined;
  // What changes it leaves the guest.
  const { efer } = old;
  const paged = (cr0 & CR0.PG) !== 0;
  const pae = paged && (cr4 & CR4.PAE) !== 0 && (efer & EFER.LMA) === 0;
  const tr = segment(vmcs, "TR");
  const [dr0, dr1, dr2, dr3, dr6] = old.debug;
  const of = (name: SegmentName): Segment => segment(vmcs, segmentFields[name]);
  return Object.freeze({
    ...old,
    cr0,
    cr3: !shadowed && (own.identity === undefined || paged) ? cr3Of(vmcs.quad("Guest CR3")) : own.cr3,
    cr4,
    gdtr: Object.freeze({ base: vmcs.address("Guest GDTR base"), limit: vmcs.word("Guest GDTR limit") }),
    idtr: Object.freeze({ base: vmcs.address("Guest IDTR base"), limit: vmcs.word("Guest IDTR limit") }),
    ldtr: segment(vmcs, "LDTR"),
    tr: tr.selector === 0 && tr.limit === NO_TASK.limit && !hasTask(own.tr) ? own.tr : tr,
    segments: Object.freeze({ es: of("es"), cs: of("cs"), ss: of("ss"), ds: of("ds"), fs: of("fs"), gs: of("gs") }),
    debug: Object.freeze([dr0, dr1, dr2, dr3, dr6, vmcs.word("Guest DR7") | 0] as const),
    pdptes: Object.freeze(
      shadowed
        ? old.pdptes
        : pae
          ? ([0, 1, 2, 3] as const).flatMap((index) => {
              const value = vmcs.quad(`Guest PDPTE${index}`);
              return [Number(value & 0xffff_ffffn) | 0, Number(value >> 32n) | 0];
            })
          : [],
    ),
    msrs: Object.freeze({
      ...old.msrs,
      ...writtenSysenter(old.msrs, (name) => vmcs.quad(`Guest ${name}`)),
    }),
    virtualization: undefined,
  });
}

/** The virtual processor, when the VMCS holds its state; general and other registers are those of `old`. */
export function readState(vmcs: VmcsReader, own: VmxOwn, old: CpuState): CpuState {
  const blocking = vmcs.word("Guest interruptibility state");
  const shadow: Shadow =
    (blocking & BLOCKED_BY_STI) !== 0 ? "sti" : (blocking & BLOCKED_BY_MOV_SS) !== 0 ? "mov-ss" : "none";
  const debug = vmcs.word("Guest pending debug exceptions") & 0x400f;
  const { nmi, nmiBlocked } = old.pending;
  const rsp = vmcs.quad("Guest RSP");
  const high = Number(rsp >> 32n) | 0;
  const system = systemState(vmcs, own, old.system);
  const eip = vmcs.address("Guest RIP");
  return {
    ...old,
    esp: Number(rsp & 0xffff_ffffn) | 0,
    wide: high === old.wide[4] ? old.wide : Object.freeze(old.wide.with(4, high)),
    eip: (system.efer & EFER.LMA) !== 0 ? eip : eip | 0,
    eflags: vmcs.word("Guest RFLAGS") | 0,
    system,
    halted: false,
    shadow,
    pending: debug === 0 && !nmi && !nmiBlocked ? noEvents : { debug, nmi, nmiBlocked },
  };
}

/** The guest's system state while it runs: what the processor has, seen through the masks. */
export function runningSystem(real: SystemState, own: VmxOwn, old: SystemState): SystemState {
  const { virtualization } = real;
  const guest = virtualization?.kind === "vmx" ? virtualization.guest : undefined;
  if (guest === undefined) throw new TypeError("no guest of VT-x runs");
  const seen = (value: number, shadow: number, mask: number): number => (value & ~mask) | (shadow & mask);
  const shared = sharedSystem(real, old);
  const shadowed = own.shadow !== undefined;
  const cr0 = seen(real.cr0, guest.cr0Shadow, guest.cr0Mask);
  const paged = isPaged({ ...real, cr0 });
  return Object.freeze({
    ...real,
    model: old.model,
    random: old.random,
    cr0,
    cr3: !shadowed && (own.identity === undefined || paged) ? real.cr3 : own.cr3,
    cr4: seen(real.cr4, guest.cr4Shadow, guest.cr4Mask),
    efer: old.efer,
    tr: real.tr.selector === 0 && !hasTask(own.tr) ? own.tr : real.tr,
    pdptes: shadowed ? old.pdptes : paged ? real.pdptes : Object.freeze([]),
    msrs: Object.freeze({ ...shared.msrs, ...writtenSysenter(old.msrs, (name) => real.msrs[name] ?? 0n) }),
    virtualization: undefined,
  });
}
