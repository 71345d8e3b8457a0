/**
 * The virtual machine control block as a table of fields, and a VMCB read and written by their names.
 * Spec: AMD64 Architecture Programmer's Manual Vol. 2, Appendix B "Layout of VMCB".
 */
import type { ProcessorPort } from "../cpu/processor.js";

const SAVE_AREA = 0x400;

export interface VmcbField {
  readonly name: string;
  readonly area: "control" | "state save";
  /** Byte of the VMCB where it begins, and first bit of that byte. */
  readonly offset: number;
  readonly bit: number;
  /** Width in bits. */
  readonly bits: number;
  readonly summary: string;
}

type Described = readonly [name: string, offset: number, bits: number, summary: string, bit?: number];

const described =
  (area: VmcbField["area"], base: number) =>
  ([name, offset, bits, summary, bit = 0]: Described): VmcbField =>
    Object.freeze({ name, area, offset: base + offset, bit, bits, summary });

const control: readonly Described[] = [
  ["INTERCEPT_CR_READ", 0x000, 16, "Reads of CR0 to CR15 that leave the guest."],
  ["INTERCEPT_CR_WRITE", 0x002, 16, "Writes of CR0 to CR15 that do."],
  ["INTERCEPT_DR_READ", 0x004, 16, "Reads of DR0 to DR15 that do."],
  ["INTERCEPT_DR_WRITE", 0x006, 16, "Writes of DR0 to DR15 that do."],
  ["INTERCEPT_EXCEPTIONS", 0x008, 32, "Exceptions that do, by vector."],
  ["INTERCEPT_MISC1", 0x00c, 32, "Interrupts, instructions, ports and model-specific registers that do."],
  ["INTERCEPT_MISC2", 0x010, 32, "Instructions of AMD-V and others that do."],
  ["INTERCEPT_MISC3", 0x014, 32, "Instructions of later processors that do."],
  ["PAUSE_FILTER_THRESHOLD", 0x03c, 16, "Not announced: no effect."],
  ["PAUSE_FILTER_COUNT", 0x03e, 16, "Not announced: no effect."],
  ["IOPM_BASE_PA", 0x040, 64, "Where the I/O permission map is; the low 12 bits are ignored."],
  ["MSRPM_BASE_PA", 0x048, 64, "Where the MSR permission map is; the low 12 bits are ignored."],
  ["TSC_OFFSET", 0x050, 64, "Added to the time-stamp counter as the guest reads it."],
  ["GUEST_ASID", 0x058, 32, "Names the guest's translations; 0 is the host."],
  [
    "TLB_CONTROL",
    0x05c,
    8,
    "Translations to drop at VMRUN: 0 none, 1 all, 3 the guest's, 7 those that are not global.",
  ],
  ["V_TPR", 0x060, 8, "Task priority of the guest."],
  ["V_IRQ", 0x061, 1, "A virtual interrupt waits."],
  ["V_INTR_PRIO", 0x062, 4, "Its priority."],
  ["V_IGN_TPR", 0x062, 1, "It is taken whatever V_TPR says.", 4],
  ["V_INTR_MASKING", 0x063, 1, "Physical interrupts follow the host's IF, and CR8 is V_TPR."],
  ["V_INTR_VECTOR", 0x064, 8, "Vector of the virtual interrupt."],
  ["INTERRUPT_SHADOW", 0x068, 1, "The guest is behind STI, or behind MOV or POP to SS."],
  ["EXITCODE", 0x070, 64, "Why the guest was left."],
  ["EXITINFO1", 0x078, 64, "More of it, by EXITCODE."],
  ["EXITINFO2", 0x080, 64, "More of it, by EXITCODE."],
  ["EXITINTINFO", 0x088, 64, "The event whose delivery was interrupted; as EVENTINJ."],
  ["NP_ENABLE", 0x090, 1, "Nested paging."],
  ["EVENTINJ", 0x0a8, 64, "An event to deliver before the first instruction of the guest."],
  ["N_CR3", 0x0b0, 64, "Root of the nested page tables."],
  ["LBR_VIRTUALIZATION_ENABLE", 0x0b8, 1, "Not announced: no effect."],
  ["VMCB_CLEAN", 0x0c0, 32, "Not announced: no effect, as every VMRUN reads the whole VMCB."],
  ["NRIP", 0x0c8, 64, "The instruction behind the one that left the guest; else 0."],
];

const segment = (name: string, offset: number): readonly Described[] => [
  [`${name}.selector`, offset, 16, `Selector of ${name}.`],
  [`${name}.attrib`, offset + 2, 16, `Bits 40 to 47 and 52 to 55 of its descriptor; 0 is a null segment.`],
  [`${name}.limit`, offset + 4, 32, "Its limit in bytes."],
  [`${name}.base`, offset + 8, 64, "Its base."],
];

const stateSave: readonly Described[] = [
  ...segment("ES", 0x000),
  ...segment("CS", 0x010),
  ...segment("SS", 0x020),
  ...segment("DS", 0x030),
  ...segment("FS", 0x040),
  ...segment("GS", 0x050),
  ["GDTR.limit", 0x064, 32, "Limit of the GDT."],
  ["GDTR.base", 0x068, 64, "Base of the GDT."],
  ...segment("LDTR", 0x070),
  ["IDTR.limit", 0x084, 32, "Limit of the IDT."],
  ["IDTR.base", 0x088, 64, "Base of the IDT."],
  ...segment("TR", 0x090),
  ["CPL", 0x0cb, 8, "Privilege: 0 in real mode, 3 in virtual-8086 mode."],
  ["EFER", 0x0d0, 64, "EFER, with SVME set."],
  ["CR4", 0x148, 64, "CR4."],
  ["CR3", 0x150, 64, "CR3."],
  ["CR0", 0x158, 64, "CR0."],
  ["DR7", 0x160, 64, "DR7."],
  ["DR6", 0x168, 64, "DR6."],
  ["RFLAGS", 0x170, 64, "RFLAGS."],
  ["RIP", 0x178, 64, "RIP."],
  ["RSP", 0x1d8, 64, "RSP."],
  ["RAX", 0x1f8, 64, "RAX; the other general registers are the hypervisor's to exchange."],
  ["STAR", 0x200, 64, "As VMLOAD and VMSAVE move it."],
  ["LSTAR", 0x208, 64, "As VMLOAD and VMSAVE move it."],
  ["CSTAR", 0x210, 64, "As VMLOAD and VMSAVE move it."],
  ["SFMASK", 0x218, 64, "As VMLOAD and VMSAVE move it."],
  ["KernelGsBase", 0x220, 64, "As VMLOAD and VMSAVE move it."],
  ["SYSENTER_CS", 0x228, 64, "As VMLOAD and VMSAVE move it."],
  ["SYSENTER_ESP", 0x230, 64, "As VMLOAD and VMSAVE move it."],
  ["SYSENTER_EIP", 0x238, 64, "As VMLOAD and VMSAVE move it."],
  ["CR2", 0x240, 64, "CR2."],
  ["G_PAT", 0x268, 64, "The guest's PAT, with nested paging."],
  ["DBGCTL", 0x270, 64, "LBR virtualization is not announced: no effect."],
  ["BR_FROM", 0x278, 64, "LBR virtualization is not announced: no effect."],
  ["BR_TO", 0x280, 64, "LBR virtualization is not announced: no effect."],
  ["LASTEXCPFROM", 0x288, 64, "LBR virtualization is not announced: no effect."],
  ["LASTEXCPTO", 0x290, 64, "LBR virtualization is not announced: no effect."],
];

/** The fields there are, by offset. What the manual adds for later processors (SEV, AVIC, decode assists) has no row. */
export const vmcbFields: readonly VmcbField[] = Object.freeze([
  ...control.map(described("control", 0)),
  ...stateSave.map(described("state save", SAVE_AREA)),
]);

/** A field with where it stands: its dword, the bit it begins at, and as many bits as it has, of those below 64. */
interface PlacedField {
  readonly field: VmcbField;
  readonly dword: number;
  readonly shift: number;
  readonly mask: number;
}

const placed = (field: VmcbField): PlacedField => ({
  field,
  dword: field.offset & ~3,
  shift: (field.offset & 3) * 8 + field.bit,
  mask: field.bits >= 32 ? 0xffffffff : 2 ** field.bits - 1,
});

const byName = new Map(vmcbFields.map((field) => [field.name, placed(field)]));

function placedField(name: string): PlacedField {
  const found = byName.get(name);
  if (found === undefined) throw new TypeError(`no field of a VMCB is named ${name}`);
  return found;
}

/** A field by its name. */
export const vmcbField = (name: string): VmcbField => placedField(name).field;

/** What reads and writes memory by physical addresses. */
export type PhysicalMemory = Pick<ProcessorPort, "readPhysical" | "readPhysicalWords" | "writePhysical">;

const WORD = 0xffff_ffffn;

/** A quadword at a physical address. */
export const readQuad = (memory: PhysicalMemory, physical: number): bigint =>
  (BigInt(memory.readPhysical(physical + 4)) << 32n) | BigInt(memory.readPhysical(physical));

export function writeQuad(memory: PhysicalMemory, physical: number, value: bigint): void {
  memory.writePhysical(physical, Number(value & WORD));
  memory.writePhysical(physical + 4, Number((value >> 32n) & WORD));
}

/** A field of the VMCB at a physical address; unsigned. */
export function readField(memory: PhysicalMemory, vmcb: number, name: string): bigint {
  const { field } = placedField(name);
  return field.bits === 64 ? readQuad(memory, vmcb + field.offset) : BigInt(readNumber(memory, vmcb, name));
}

/** The same of a field of at most 32 bits. */
export function readNumber(memory: PhysicalMemory, vmcb: number, name: string): number {
  const { dword, shift, mask } = placedField(name);
  return ((memory.readPhysical(vmcb + dword) >>> shift) & mask) >>> 0;
}

/** Writes a field; what else its dword holds stays. Bits beyond its width are dropped. */
export function writeField(memory: PhysicalMemory, vmcb: number, name: string, value: bigint | number): void {
  const { field, dword, shift, mask } = placedField(name);
  const at = vmcb + dword;
  if (field.bits < 64) {
    const low = typeof value === "number" ? value : Number(value & WORD);
    const others = field.bits === 32 ? 0 : memory.readPhysical(at) & ~(mask << shift);
    memory.writePhysical(at, (others | ((low & mask) << shift)) >>> 0);
  } else if (typeof value === "number" && value >= 0) {
    memory.writePhysical(at, value >>> 0);
    memory.writePhysical(at + 4, Math.floor(value / 2 ** 32));
  } else writeQuad(memory, at, BigInt.asUintN(64, BigInt(value)));
}

/** Dwords of the control area up to its last field, NRIP. */
const CONTROL_WORDS = 0xd0 / 4;

/** The dwords of a VMCB up to the last field. */
export type VmcbImage = Uint32Array;

export const newImage = (): VmcbImage => new Uint32Array((SAVE_AREA + 0x298) / 4);

export function readImage(memory: PhysicalMemory, vmcb: number, image: VmcbImage): VmcbImage {
  if (memory.readPhysicalWords !== undefined) memory.readPhysicalWords(vmcb, image);
  else for (let index = 0; index < image.length; index++) image[index] = memory.readPhysical(vmcb + 4 * index);
  return image;
}

/** Writes what of an image is not as it was when it was read. */
export function writeImage(memory: PhysicalMemory, vmcb: number, image: VmcbImage, read: VmcbImage): void {
  for (let index = 0; index < image.length; index++) {
    // There is nothing between the areas.
    if (index === CONTROL_WORDS) index = SAVE_AREA / 4;
    if (image[index] !== read[index]) memory.writePhysical(vmcb + 4 * index, image[index]!);
  }
}

/** Where the dword of a field is in an image: the lower one of 64 bits. */
export const indexOf = (name: string): number => placedField(name).dword >> 2;

/** A field of at most 32 bits. */
export function numberOf(image: VmcbImage, name: string): number {
  const { dword, shift, mask } = placedField(name);
  return ((image[dword >> 2]! >>> shift) & mask) >>> 0;
}

/** A field, unsigned. */
export function fieldOf(image: VmcbImage, name: string): bigint {
  return vmcbField(name).bits === 64 ? quadAt(image, indexOf(name)) : BigInt(numberOf(image, name));
}

export const quadAt = (image: VmcbImage, at: number): bigint => (BigInt(image[at + 1]!) << 32n) | BigInt(image[at]!);

export function setQuad(image: VmcbImage, at: number, low: number, high: number): void {
  image[at] = low;
  image[at + 1] = high;
}

/** A VMCB as people read it: every field by its name. */
export const viewVmcb = (memory: PhysicalMemory, vmcb: number): Readonly<Record<string, bigint>> =>
  Object.freeze(Object.fromEntries(vmcbFields.map(({ name }) => [name, readField(memory, vmcb, name)])));
