/**
 * Hardware task switches, by JMP, CALL, interrupts and exceptions through task gates, and IRET out of a nested task.
 * Spec: SDM Vol. 3A, "Task Switching", "Task Linking", "Exception Conditions Checked During a Task Switch".
 */
import { writeCr3 } from "./control-registers.js";
import { DR6 } from "./debug.js";
import {
  type Descriptor,
  isNull,
  isPresent,
  markBusy,
  readDescriptor,
  SYSTEM_TYPE,
  segmentFrom,
  selectorFault,
  typeOf,
} from "./descriptors.js";
import { definedFlags } from "./flags.js";
import { push } from "./operands.js";
import { checkCodeLimit } from "./privilege.js";
import { Fault, type ProcessorPort, VECTOR } from "./processor.js";
import { nullSegment } from "./segments.js";
import { ACCESS, CR0, dplOf, FLAG, type Segment, segmentNames } from "./state.js";
import { loadTaskSegments } from "./task-segments.js";
import { formatOf, TSS_CR3, TSS_LINK, TSS_TRAP, TSS32, type TssFormat } from "./tss.js";

/** A fault behind the point where the new task is the current one: it is reported there, and nothing is taken back. */
export class TaskFault extends Fault {}

/** What makes the processor switch: "call" and "interrupt" nest, "return" ends a nested task. */
export type SwitchCause = "jump" | "call" | "interrupt" | "return";

/** L0 to L3 and LE of DR7 last no longer than a task. Spec: SDM Vol. 3B, "Debug Control Register (DR7)". */
const LOCAL_BREAKPOINTS = 0x155;

/** The TSS a task gate names, which must be available. Spec: SDM Vol. 3A, "Task-Gate Descriptor". */
export function readAvailableTask(port: ProcessorPort, selector: number): Descriptor {
  if (isNull(selector)) throw new Fault(VECTOR.GP, 0, "task-selector-null");
  if ((selector & 4) !== 0) throw selectorFault(VECTOR.GP, selector, "not-in-gdt");
  const descriptor = readDescriptor(port, selector);
  checkAvailable(descriptor);
  return descriptor;
}

/** A TSS named by JMP or CALL itself, which has a privilege of its own. Spec: SDM Vol. 2A, JMP—Jump (TASK-STATE-SEGMENT). */
export function checkDirectTask(descriptor: Descriptor, cpl: number): void {
  const { selector, access } = descriptor;
  if ((selector & 4) !== 0) throw selectorFault(VECTOR.GP, selector, "not-in-gdt");
  const dpl = dplOf(access);
  if (dpl < cpl || dpl < (selector & 3)) throw selectorFault(VECTOR.GP, selector, "gate-too-privileged");
  checkAvailable(descriptor);
}

function checkAvailable({ selector, access }: Descriptor): void {
  const type = typeOf(access);
  if (type !== SYSTEM_TYPE.TSS32 && type !== SYSTEM_TYPE.TSS16)
    throw selectorFault(VECTOR.GP, selector, "tss-not-available");
  if (!isPresent(access)) throw selectorFault(VECTOR.NP, selector, "segment-not-present");
}

/** The task a nested one returns to. Spec: SDM Vol. 2A, IRET/IRETD/IRETQ—Interrupt Return (TASK-RETURN). */
export function readLinkedTask(port: ProcessorPort): Descriptor {
  const { tr } = port.system;
  if (tr.access === 0) throw selectorFault(VECTOR.TS, tr.selector, "tss-too-short");
  const selector = port.readLinear((tr.base + TSS_LINK) >>> 0, 2, false);
  if ((selector & 4) !== 0) throw selectorFault(VECTOR.TS, selector, "not-in-gdt");
  const descriptor = readDescriptor(port, selector, VECTOR.TS);
  const type = typeOf(descriptor.access);
  if (type !== SYSTEM_TYPE.BUSY_TSS32 && type !== SYSTEM_TYPE.BUSY_TSS16)
    throw selectorFault(VECTOR.TS, selector, "linked-tss-not-busy");
  if (!isPresent(descriptor.access)) throw selectorFault(VECTOR.NP, selector, "segment-not-present");
  return descriptor;
}

/**
 * Switches to the task of a TSS. `eip` and `eflags` are what the old task goes on with; `errorCode` is pushed in the new
 * one. Throws a `Fault` while nothing has happened yet, and a `TaskFault` in the new task, whose EIP is `port.nextEip`.
 * Spec: SDM Vol. 3A, "Task Switching".
 */
export function switchTask(
  port: ProcessorPort,
  cause: SwitchCause,
  tss: Descriptor,
  eip: number,
  eflags: number,
  errorCode?: number,
): void {
  if (port.guest !== undefined) {
    const code = errorCode === undefined ? {} : { errorCode };
    port.guest.check(port, { kind: "task-switch", selector: tss.selector, source: cause, ...code });
  }
  const target = segmentFrom(tss.selector, tss.low, tss.high | 0x200);
  const format = formatOf(target.access);
  const nests = cause === "call" || cause === "interrupt";
  const { tr, gdtr } = port.system;
  if (target.limit < format.minimumLimit) throw selectorFault(VECTOR.TS, tss.selector, "tss-too-short");
  if (tr.access === 0 || tr.limit < formatOf(tr.access).lastSaved)
    throw selectorFault(VECTOR.TS, tr.selector, "tss-too-short");
  touch(port, tr.base + formatOf(tr.access).eip, tr.base + formatOf(tr.access).lastSaved, true);
  touch(port, target.base, target.base + format.minimumLimit, nests);
  if (!nests) markBusy(port, (gdtr.base + (tr.selector & 0xfff8)) >>> 0, false);
  save(port, tr, eip, cause === "return" ? eflags & ~FLAG.NT : eflags);
  const loaded = read(port, target.base, format);
  if (nests) port.writeLinear((target.base + TSS_LINK) >>> 0, 2, tr.selector, false);
  if (cause !== "return") markBusy(port, tss.address, true);
  enter(port, target, loaded, nests);
  try {
    if (loaded.cr3 !== undefined && (port.system.cr0 & CR0.PG) !== 0) writeCr3(port, loaded.cr3);
    loadTaskSegments(port, loaded.selectors, loaded.ldt);
    if (errorCode !== undefined) push(port, errorCode, format.size);
    checkCodeLimit(loaded.eip, port.system.segments.cs.limit);
    if (loaded.trap) port.trap(DR6.BT);
  } catch (thrown) {
    if (!(thrown instanceof Fault)) throw thrown;
    throw new TaskFault(thrown.vector, thrown.errorCode, thrown.rule);
  }
}

/** Page faults come before anything is changed. A TSS is on two pages at the most. */
function touch(port: ProcessorPort, first: number, last: number, write: boolean): void {
  for (const address of [first >>> 0, last >>> 0]) {
    const byte = port.readLinear(address, 1, false);
    if (write) port.writeLinear(address, 1, byte, false);
  }
}

function save(port: ProcessorPort, { base, access }: Segment, eip: number, eflags: number): void {
  const { size, registers, selectors, selectorCount, ...format } = formatOf(access);
  const store = (offset: number, value: number, bytes: 2 | 4 = size): void =>
    port.writeLinear((base + offset) >>> 0, bytes, bytes === 2 ? value & 0xffff : value >>> 0, false);
  store(format.eip, eip);
  store(format.eflags, eflags);
  for (let number = 0; number < 8; number++) store(registers + size * number, port.getRegister(number));
  const { segments } = port.system;
  for (let number = 0; number < selectorCount; number++)
    store(selectors + size * number, segments[segmentNames[number]!].selector, 2);
}

/** What a TSS holds of a task. */
interface TaskImage {
  readonly eip: number;
  readonly eflags: number;
  readonly registers: readonly number[];
  /** In encoding order. */
  readonly selectors: readonly number[];
  readonly ldt: number;
  /** Undefined in a 16-bit TSS. */
  readonly cr3: number | undefined;
  readonly trap: boolean;
}

function read(port: ProcessorPort, base: number, format: TssFormat): TaskImage {
  const { size } = format;
  const fetch = (offset: number, bytes: 2 | 4 = size): number => port.readLinear((base + offset) >>> 0, bytes, false);
  const wide = format === TSS32;
  return {
    eip: fetch(format.eip),
    eflags: fetch(format.eflags),
    // What is above a 16-bit register is not saved; it reads as ones, as on the processors that were looked at.
    registers: Array.from(
      { length: 8 },
      (_, number) => (fetch(format.registers + size * number) | (wide ? 0 : 0xffff0000)) >>> 0,
    ),
    selectors: segmentNames.map((_, number) =>
      number < format.selectorCount ? fetch(format.selectors + size * number, 2) : 0,
    ),
    ldt: fetch(format.ldt, 2),
    cr3: wide ? fetch(TSS_CR3) : undefined,
    trap: wide && (fetch(TSS_TRAP, 2) & 1) !== 0,
  };
}

/** The commit point: registers and selectors are the new task's, and no descriptor is loaded yet. */
function enter(port: ProcessorPort, tr: Segment, image: TaskImage, nests: boolean): void {
  const { cr0, debug } = port.system;
  const [dr0, dr1, dr2, dr3, dr6, dr7] = debug;
  const [es, cs, ss, ds, fs, gs] = image.selectors.map(nullSegment) as [
    Segment,
    Segment,
    Segment,
    Segment,
    Segment,
    Segment,
  ];
  // Code, though none yet: the privilege is the new selector's.
  const segments = { es, cs: { ...cs, access: ACCESS.S | ACCESS.CODE }, ss, ds, fs, gs };
  port.setEflags((image.eflags & definedFlags(port.system)) | FLAG.RESERVED | (nests ? FLAG.NT : 0));
  for (const [number, value] of image.registers.entries()) port.setRegister(number, value);
  port.nextEip = image.eip;
  port.setSystem({
    tr,
    cr0: cr0 | CR0.TS,
    ldtr: nullSegment(image.ldt),
    debug: Object.freeze([dr0, dr1, dr2, dr3, dr6, dr7 & ~LOCAL_BREAKPOINTS] as const),
    segments: Object.freeze(segments),
  });
}
