/**
 * Loading data and stack segment registers, LDTR and TR; what a program may know of a selector.
 * Spec: SDM Vol. 3A, "Privilege Level Checking When Accessing Data Segments", "Privilege Level Checking When Loading the
 * SS Register", "System Segment Descriptors"; Vol. 3B, "8086 Emulation".
 */
import {
  type Descriptor,
  findDescriptor,
  isNull,
  isPresent,
  isReadable,
  isTooPrivileged,
  isWritableData,
  loadedSegment,
  markBusy,
  Passed,
  readDescriptor,
  readUpperHalf,
  SYSTEM_TYPE,
  segmentFrom,
  selectorFault,
  systemSegment64,
  typeOf,
} from "./descriptors.js";
import { models } from "./model.js";
import { Fault, type ProcessorPort, VECTOR } from "./processor.js";
import { ACCESS, dplOf, NULL_SEGMENT, realSegment, type Segment, type SegmentName, segmentNames } from "./state.js";

/** Present, writable data of DPL 3, 16 bits: every segment in virtual-8086 mode. */
const VIRTUAL_8086_ACCESS = 0xf3;
/** Present, writable data of DPL 0: what code may do with its own segment in real mode. */
const REAL_ACCESS = 0x93;

/** A segment register as virtual-8086 mode loads it. Spec: SDM Vol. 3B, "Segment Registers" of virtual-8086 mode. */
export const virtual8086Segment = (selector: number): Segment => realSegment(selector, VIRTUAL_8086_ACCESS);

/**
 * A segment register as real mode loads it: selector and base; limit and B flag stay what protected mode left.
 * Spec: SDM Vol. 3A, "Switching Back to Real-Address Mode".
 */
export function realModeSegment(port: ProcessorPort, name: SegmentName, selector: number): Segment {
  const { limit, access } = port.system.segments[name];
  const base = selector * 16;
  if (access === 0) return { selector, base, limit: 0xffff, access: REAL_ACCESS };
  if (name !== "cs") return { selector, base, limit, access };
  // Code may be written through CS here, which no code segment of protected mode allows.
  return { selector, base, limit, access: (access & (ACCESS.BIG | ACCESS.GRANULAR)) | REAL_ACCESS };
}

/** A segment register loaded without a descriptor, in real and in virtual-8086 mode. */
export const segmentWithoutTable = (port: ProcessorPort, name: SegmentName, selector: number): Segment =>
  port.mode === "real" ? realModeSegment(port, name, selector) : virtual8086Segment(selector);

/** Null with what the selector says in its RPL. */
export const nullSegment = (selector: number): Segment =>
  selector === 0 ? NULL_SEGMENT : { selector, base: 0, limit: 0, access: 0 };

/** A null selector in a data segment register. AMD's parts leave the bases of FS and GS alone. */
function nullData(port: ProcessorPort, name: "ds" | "es" | "fs" | "gs", selector: number): Segment {
  if (models[port.system.model].vendor === "intel" || (name !== "fs" && name !== "gs")) return nullSegment(selector);
  return { selector, base: port.system.segments[name].base, limit: 0, access: 0 };
}

/** Whether SS may be null: in 64-bit code, which needs none, but not at CPL 3. */
const mayBeNull = (port: ProcessorPort, selector: number): boolean =>
  isNull(selector) && port.codeBits === 64 && port.cpl !== 3 && (selector & 3) === port.cpl;

/**
 * Loads DS, ES, FS, GS or SS as MOV, POP and LDS do, in any mode.
 * Spec: SDM Vol. 2B, MOV—Move; Vol. 2B, POP—Pop a Value From the Stack.
 */
export function loadDataSegment(port: ProcessorPort, name: Exclude<SegmentName, "cs">, selector: number): void {
  if (port.mode !== "protected") port.setSegment(name, segmentWithoutTable(port, name, selector));
  else if (name === "ss") {
    const stack = mayBeNull(port, selector) ? undefined : readStack(port, selector, port.cpl);
    port.setSegment("ss", stack === undefined ? nullSegment(selector) : loadedSegment(port, stack, selector));
  } else if (isNull(selector)) port.setSegment(name, nullData(port, name, selector));
  else port.setSegment(name, loadedSegment(port, readData(port, selector, port.cpl, VECTOR.GP), selector));
}

/** A data segment for `cpl`; `vector` is #TS when the selector comes from a TSS. */
export function readData(port: ProcessorPort, selector: number, cpl: number, vector: number): Descriptor {
  const descriptor = readDescriptor(port, selector, vector);
  const { access } = descriptor;
  if (!isReadable(access)) throw selectorFault(vector, selector, "segment-not-readable");
  if (isTooPrivileged(access, selector, cpl)) throw selectorFault(vector, selector, "data-too-privileged");
  if (!isPresent(access)) throw selectorFault(VECTOR.NP, selector, "segment-not-present");
  return descriptor;
}

/** A stack segment for `cpl`; `vector` is #TS when the selector comes from a TSS. */
export function readStack(port: ProcessorPort, selector: number, cpl: number, vector: number = VECTOR.GP): Descriptor {
  const known = stacks.find(port, selector, cpl);
  if (known !== undefined) return known;
  if (isNull(selector)) throw new Fault(vector, 0, "stack-selector-null");
  const descriptor = readDescriptor(port, selector, vector);
  const { access } = descriptor;
  if ((selector & 3) !== cpl) throw selectorFault(vector, selector, "stack-rpl");
  if (!isWritableData(access)) throw selectorFault(vector, selector, "stack-not-writable");
  if (dplOf(access) !== cpl) throw selectorFault(vector, selector, "stack-dpl");
  if (!isPresent(access)) throw selectorFault(VECTOR.SS, selector, "stack-not-present");
  return stacks.add(descriptor, cpl);
}
const stacks = new Passed();

/** Loads LDTR. Spec: SDM Vol. 2A, LLDT—Load Local Descriptor Table Register. */
export function loadLdt(port: ProcessorPort, selector: number): void {
  if (isNull(selector)) {
    port.setSystem({ ldtr: nullSegment(selector) });
    return;
  }
  if ((selector & 4) !== 0) throw selectorFault(VECTOR.GP, selector, "not-in-gdt");
  const descriptor = readDescriptor(port, selector);
  const { access } = descriptor;
  if (typeOf(access) !== SYSTEM_TYPE.LDT) throw selectorFault(VECTOR.GP, selector, "not-an-ldt");
  if (!isPresent(access)) throw selectorFault(VECTOR.NP, selector, "segment-not-present");
  port.setSystem({ ldtr: systemSegment(port, descriptor, descriptor.high) });
}

/** What LDTR or TR holds: in IA-32e mode the descriptor has a second half. `high` is its upper word, as it is to be kept. */
function systemSegment(port: ProcessorPort, descriptor: Descriptor, high: number): Segment {
  const { selector, low } = descriptor;
  if (!port.long) return segmentFrom(selector, low, high);
  return systemSegment64(selector, low, high, readUpperHalf(port, descriptor));
}

/** Loads TR; the TSS becomes busy. Spec: SDM Vol. 2A, LTR—Load Task Register. */
export function loadTask(port: ProcessorPort, selector: number): void {
  if (isNull(selector)) throw new Fault(VECTOR.GP, 0, "task-selector-null");
  if ((selector & 4) !== 0) throw selectorFault(VECTOR.GP, selector, "not-in-gdt");
  const descriptor = readDescriptor(port, selector);
  const { access, address, high } = descriptor;
  const type = typeOf(access);
  if (type !== SYSTEM_TYPE.TSS32 && (type !== SYSTEM_TYPE.TSS16 || port.long))
    throw selectorFault(VECTOR.GP, selector, "tss-not-available");
  if (!isPresent(access)) throw selectorFault(VECTOR.NP, selector, "segment-not-present");
  const tr = systemSegment(port, descriptor, high | 0x200);
  markBusy(port, address, true);
  port.setSystem({ tr });
}

/** System descriptors that exist in IA-32e mode. */
const LONG_TYPES: readonly number[] = [
  SYSTEM_TYPE.LDT,
  SYSTEM_TYPE.TSS32,
  SYSTEM_TYPE.BUSY_TSS32,
  SYSTEM_TYPE.CALL_GATE32,
  SYSTEM_TYPE.INTERRUPT_GATE32,
  SYSTEM_TYPE.TRAP_GATE32,
];

/**
 * LAR, LSL, VERR, VERW: the descriptor of a selector, if the program may know of it; `systemTypes` are the types of
 * system descriptors the instruction knows. Spec: SDM Vol. 3A, "Checking Access Rights (LAR Instruction)".
 */
export function inspect(port: ProcessorPort, selector: number, systemTypes: readonly number[]): Descriptor | undefined {
  const descriptor = isNull(selector) ? undefined : findDescriptor(port, selector);
  if (descriptor === undefined) return undefined;
  const { access } = descriptor;
  if ((access & ACCESS.S) === 0 && !systemTypes.includes(access & 15)) return undefined;
  if (port.long && (access & ACCESS.S) === 0 && !LONG_TYPES.includes(access & 15)) return undefined;
  return isTooPrivileged(access, selector, port.cpl) ? undefined : descriptor;
}

const dataNames = ["es", "ds", "fs", "gs"] as const;

/**
 * Behind a return to the outer level `cpl`: data segments it may not use become null, and so does a null selector with
 * an RPL. Spec: SDM Vol. 2A, IRET/IRETD/IRETQ—Interrupt Return (RETURN-TO-OUTER-PRIVILEGE-LEVEL).
 */
export function dropInnerSegments(port: ProcessorPort, cpl: number): void {
  const { segments } = port.system;
  for (const name of dataNames) {
    const { selector, access } = segments[name];
    // Of a null selector there may be a base that 64-bit code goes on using.
    if (port.long && isNull(selector)) continue;
    if (selector !== 0 && (access === 0 || isTooPrivileged(access, cpl, cpl))) port.setSegment(name, NULL_SEGMENT);
  }
}

/** All six registers at once, as virtual-8086 mode loads them; in encoding order. */
export function loadVirtual8086Segments(port: ProcessorPort, selectors: readonly number[]): void {
  for (const [index, name] of segmentNames.entries()) port.setSegment(name, virtual8086Segment(selectors[index]!));
}
