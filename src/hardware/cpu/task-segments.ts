/**
 * Loading LDTR and the segment registers of a task that has just become the current one. Every fault is the new task's.
 * Spec: SDM Vol. 3A, "Exception Conditions Checked During a Task Switch"; the order is that table's, the P6 family's.
 */
import {
  type Descriptor,
  findDescriptor,
  isCode,
  isNull,
  isPresent,
  isWritableData,
  loadedSegment,
  readDescriptor,
  SYSTEM_TYPE,
  segmentFrom,
  selectorFault,
  typeOf,
} from "./descriptors.js";
import { checkCodeLevel, codeAt, readCode } from "./privilege.js";
import { Fault, type ProcessorPort, VECTOR } from "./processor.js";
import { loadVirtual8086Segments, nullSegment, readData } from "./segments.js";
import { dplOf } from "./state.js";

/** `selectors` are in encoding order. EFLAGS is the new task's already: VM says whether they are selectors at all. */
export function loadTaskSegments(port: ProcessorPort, selectors: readonly number[], ldt: number): void {
  const [es, cs, ss, ds, fs, gs] = selectors as [number, number, number, number, number, number];
  const local = isNull(ldt) ? undefined : findLdt(port, ldt);
  if (port.mode === "virtual-8086") {
    checkLdtPresent(port, local);
    loadVirtual8086Segments(port, selectors);
    return;
  }
  const cpl = cs & 3;
  const early = isNull(cs) ? undefined : findDescriptor(port, cs);
  if (early !== undefined && isCode(early.access)) checkCodeLevel(early, VECTOR.TS);
  const stack = findStack(port, ss, cpl);
  checkLdtPresent(port, local);
  const code = readCode(port, cs, VECTOR.TS);
  if (!isPresent(code.access)) throw selectorFault(VECTOR.NP, cs, "segment-not-present");
  if ((ss & 3) !== cpl) throw selectorFault(VECTOR.TS, ss, "stack-rpl");
  port.setSegment("ss", loadedSegment(port, stack, ss));
  loadData(port, "es", es, cpl);
  loadData(port, "ds", ds, cpl);
  loadData(port, "fs", fs, cpl);
  loadData(port, "gs", gs, cpl);
  port.setSegment("cs", codeAt(port, code, cpl));
}

/** Descriptors are looked up in the new LDT before its P flag is looked at. */
function findLdt(port: ProcessorPort, selector: number): Descriptor {
  if ((selector & 4) !== 0) throw selectorFault(VECTOR.TS, selector, "not-in-gdt");
  const descriptor = readDescriptor(port, selector, VECTOR.TS);
  if (typeOf(descriptor.access) !== SYSTEM_TYPE.LDT) throw selectorFault(VECTOR.TS, selector, "not-an-ldt");
  port.setSystem({ ldtr: segmentFrom(selector, descriptor.low, descriptor.high) });
  return descriptor;
}

function checkLdtPresent(port: ProcessorPort, local: Descriptor | undefined): void {
  if (local === undefined || isPresent(local.access)) return;
  port.setSystem({ ldtr: nullSegment(local.selector) });
  throw selectorFault(VECTOR.TS, local.selector, "segment-not-present");
}

function findStack(port: ProcessorPort, selector: number, cpl: number): Descriptor {
  if (isNull(selector)) throw new Fault(VECTOR.TS, 0, "stack-selector-null");
  const descriptor = readDescriptor(port, selector, VECTOR.TS);
  const { access } = descriptor;
  if (!isWritableData(access)) throw selectorFault(VECTOR.TS, selector, "stack-not-writable");
  if (!isPresent(access)) throw selectorFault(VECTOR.SS, selector, "stack-not-present");
  if (dplOf(access) !== cpl) throw selectorFault(VECTOR.TS, selector, "stack-dpl");
  return descriptor;
}

function loadData(port: ProcessorPort, name: "es" | "ds" | "fs" | "gs", selector: number, cpl: number): void {
  if (isNull(selector)) return;
  port.setSegment(name, loadedSegment(port, readData(port, selector, cpl, VECTOR.TS), selector));
}
