/**
 * Descriptors, and loading segment registers and far pointers.
 * Left out so far, visibly (`Unsupported`): call gates, task gates, 16-bit code and stack segments.
 * Spec: SDM Vol. 3A, "Segment Descriptors", "Privilege Level Checking When Accessing Data Segments", "… Between Code Segments".
 */
import { Fault, type ProcessorPort, Unsupported, VECTOR } from "./processor.js";
import { ACCESS, dplOf, NULL_SEGMENT, type Segment, type SegmentName, type SystemState } from "./state.js";

export interface Descriptor extends Segment {
  /** Linear address of the descriptor. */
  readonly address: number;
  /** The two words as they stand in memory. */
  readonly low: number;
  readonly high: number;
}

/** System descriptor types (S = 0). */
export const SYSTEM_TYPE = {
  TSS16: 1,
  LDT: 2,
  BUSY_TSS16: 3,
  CALL_GATE16: 4,
  TASK_GATE: 5,
  INTERRUPT_GATE16: 6,
  TRAP_GATE16: 7,
  TSS32: 9,
  BUSY_TSS32: 11,
  CALL_GATE32: 12,
  INTERRUPT_GATE32: 14,
  TRAP_GATE32: 15,
} as const;

export function describe(selector: number, low: number, high: number, address = 0): Descriptor {
  const rawLimit = (low & 0xffff) | (high & 0xf0000);
  const granular = (high & (1 << 23)) !== 0;
  return {
    selector,
    address,
    low,
    high,
    base: ((low >>> 16) | ((high & 0xff) << 16) | (high & 0xff000000)) >>> 0,
    limit: (granular ? (rawLimit << 12) | 0xfff : rawLimit) >>> 0,
    access: (high >>> 8) & 0xf0ff,
  };
}

const toSegment = ({ base, limit, access }: Segment, selector: number): Segment =>
  Object.freeze({ selector, base, limit, access });

/** Reads the descriptor of a selector that is not null. Throws `vector`(selector) when it lies outside of its table. */
export function readDescriptor(port: ProcessorPort, selector: number, vector: number = VECTOR.GP): Descriptor {
  const index = selector & ~7;
  const local = (selector & 4) !== 0;
  const table = local ? port.system.ldtr : port.system.gdtr;
  if ((local && port.system.ldtr.access === 0) || index + 7 > table.limit) throw new Fault(vector, selector & 0xfffc);
  const address = (table.base + index) >>> 0;
  return describe(
    selector,
    port.readLinear(address, 4, false),
    port.readLinear((address + 4) >>> 0, 4, false),
    address,
  );
}

const isNull = (selector: number): boolean => (selector & 0xfffc) === 0;

function markAccessed(port: ProcessorPort, descriptor: Descriptor): Descriptor {
  if ((descriptor.access & ACCESS.ACCESSED) !== 0) return descriptor;
  port.writeLinear((descriptor.address + 4) >>> 0, 4, descriptor.high | 0x100, false);
  return { ...descriptor, access: descriptor.access | ACCESS.ACCESSED };
}

export const withSegment = (system: SystemState, name: SegmentName, segment: Segment): Partial<SystemState> => ({
  segments: Object.freeze({ ...system.segments, [name]: segment }),
});

/** MOV to DS, ES, FS, GS or SS, and POP of them. */
export function loadDataSegment(port: ProcessorPort, name: Exclude<SegmentName, "cs">, selector: number): void {
  if (name === "ss") {
    port.setSystem(withSegment(port.system, "ss", readStackSegment(port, selector, port.cpl, VECTOR.GP)));
    return;
  }
  if (isNull(selector)) {
    port.setSystem(withSegment(port.system, name, Object.freeze({ ...NULL_SEGMENT, selector })));
    return;
  }
  const descriptor = readDescriptor(port, selector);
  const { access } = descriptor;
  const code = (access & ACCESS.CODE) !== 0;
  const bad = new Fault(VECTOR.GP, selector & 0xfffc);
  if ((access & ACCESS.S) === 0 || (code && (access & ACCESS.WRITABLE) === 0)) throw bad;
  const conforming = code && (access & ACCESS.CONFORMING) !== 0;
  if (!conforming && Math.max(port.cpl, selector & 3) > dplOf(access)) throw bad;
  if ((access & ACCESS.PRESENT) === 0) throw new Fault(VECTOR.NP, selector & 0xfffc);
  port.setSystem(withSegment(port.system, name, toSegment(markAccessed(port, descriptor), selector)));
}

/** A stack segment for `cpl`; `vector` is #TS when the selector comes from a TSS. */
export function readStackSegment(port: ProcessorPort, selector: number, cpl: number, vector: number): Segment {
  const bad = new Fault(vector, selector & 0xfffc);
  if (isNull(selector)) throw new Fault(vector, 0);
  const descriptor = readDescriptor(port, selector, vector);
  const { access } = descriptor;
  if ((access & (ACCESS.S | ACCESS.CODE | ACCESS.WRITABLE)) !== (ACCESS.S | ACCESS.WRITABLE)) throw bad;
  if ((selector & 3) !== cpl || dplOf(access) !== cpl) throw bad;
  if ((access & ACCESS.PRESENT) === 0) throw new Fault(VECTOR.SS, selector & 0xfffc);
  if ((access & ACCESS.BIG) === 0) throw new Unsupported(`16-bit stack segment (selector 0x${selector.toString(16)})`);
  return toSegment(markAccessed(port, descriptor), selector);
}

/** A code segment to run at the privilege of its RPL (IRET and gates) or to stay at CPL (far JMP and CALL). */
export function readCodeSegment(
  port: ProcessorPort,
  selector: number,
  target: "stay" | "gate" | "return",
  vector: number = VECTOR.GP,
): Segment {
  if (isNull(selector)) throw new Fault(vector, 0);
  const descriptor = readDescriptor(port, selector, vector);
  const { access } = descriptor;
  const bad = new Fault(vector, selector & 0xfffc);
  const dpl = dplOf(access);
  const rpl = selector & 3;
  if ((access & ACCESS.S) === 0) {
    if (target === "stay") throw systemTransfer(descriptor);
    throw bad;
  }
  if ((access & ACCESS.CODE) === 0) throw bad;
  const conforming = (access & ACCESS.CONFORMING) !== 0;
  if (target === "stay" && (conforming ? dpl > port.cpl : rpl > port.cpl || dpl !== port.cpl)) throw bad;
  if (target === "gate" && dpl > port.cpl) throw bad;
  if (target === "return" && (rpl < port.cpl || (conforming ? dpl > rpl : dpl !== rpl))) throw bad;
  if ((access & ACCESS.PRESENT) === 0) throw new Fault(VECTOR.NP, selector & 0xfffc);
  if ((access & ACCESS.BIG) === 0) throw new Unsupported(`16-bit code segment (selector 0x${selector.toString(16)})`);
  const cpl = target === "stay" ? port.cpl : target === "return" ? rpl : conforming ? port.cpl : dpl;
  return toSegment(markAccessed(port, descriptor), (selector & 0xfffc) | cpl);
}

function systemTransfer(descriptor: Descriptor): Fault | Unsupported {
  const type = descriptor.access & 15;
  const known: number[] = [
    SYSTEM_TYPE.TSS16,
    SYSTEM_TYPE.CALL_GATE16,
    SYSTEM_TYPE.TASK_GATE,
    SYSTEM_TYPE.TSS32,
    SYSTEM_TYPE.CALL_GATE32,
  ];
  return known.includes(type)
    ? new Unsupported(
        `far transfer through a gate or task (selector 0x${descriptor.selector.toString(16)}, type ${type})`,
      )
    : new Fault(VECTOR.GP, descriptor.selector & 0xfffc);
}

/** After a return to an outer level: data segments it may not use become null. */
export function dropInnerSegments(system: SystemState, cpl: number): Partial<SystemState> {
  const segments: Record<SegmentName, Segment> = { ...system.segments };
  for (const name of ["es", "ds", "fs", "gs"] as const) {
    const { access } = segments[name];
    const conforming = (access & (ACCESS.CODE | ACCESS.CONFORMING)) === (ACCESS.CODE | ACCESS.CONFORMING);
    if (access !== 0 && !conforming && dplOf(access) < cpl) segments[name] = NULL_SEGMENT;
  }
  return { segments: Object.freeze(segments) };
}

/** LLDT. */
export function loadLdt(port: ProcessorPort, selector: number): void {
  if (isNull(selector)) {
    port.setSystem({ ldtr: Object.freeze({ ...NULL_SEGMENT, selector }) });
    return;
  }
  const descriptor = (selector & 4) === 0 ? readDescriptor(port, selector) : undefined;
  if (!descriptor || (descriptor.access & 0x1f) !== SYSTEM_TYPE.LDT) throw new Fault(VECTOR.GP, selector & 0xfffc);
  if ((descriptor.access & ACCESS.PRESENT) === 0) throw new Fault(VECTOR.NP, selector & 0xfffc);
  port.setSystem({ ldtr: toSegment(descriptor, selector) });
}

/** LTR: the TSS becomes busy. */
export function loadTask(port: ProcessorPort, selector: number): void {
  const descriptor = isNull(selector) || (selector & 4) !== 0 ? undefined : readDescriptor(port, selector);
  const type = descriptor ? descriptor.access & 0x1f : -1;
  if (!descriptor || (type !== SYSTEM_TYPE.TSS32 && type !== SYSTEM_TYPE.TSS16))
    throw new Fault(VECTOR.GP, selector & 0xfffc);
  if (type === SYSTEM_TYPE.TSS16) throw new Unsupported("16-bit TSS");
  if ((descriptor.access & ACCESS.PRESENT) === 0) throw new Fault(VECTOR.NP, selector & 0xfffc);
  port.writeLinear((descriptor.address + 4) >>> 0, 4, descriptor.high | 0x200, false);
  port.setSystem({
    tr: Object.freeze({ selector, base: descriptor.base, limit: descriptor.limit, access: descriptor.access | 2 }),
  });
}

/** LAR, LSL, VERR, VERW: what a program may know of a selector; undefined where ZF is to be cleared. */
export function inspect(
  port: ProcessorPort,
  selector: number,
  allowedSystemTypes: readonly number[],
): Descriptor | undefined {
  if (isNull(selector)) return undefined;
  let descriptor: Descriptor;
  try {
    descriptor = readDescriptor(port, selector);
  } catch (thrown) {
    if (thrown instanceof Fault && thrown.vector === VECTOR.GP) return undefined;
    throw thrown;
  }
  const { access } = descriptor;
  if ((access & ACCESS.S) === 0 && !allowedSystemTypes.includes(access & 15)) return undefined;
  const conforming =
    (access & (ACCESS.S | ACCESS.CODE | ACCESS.CONFORMING)) === (ACCESS.S | ACCESS.CODE | ACCESS.CONFORMING);
  if (!conforming && Math.max(port.cpl, selector & 3) > dplOf(access)) return undefined;
  return descriptor;
}
