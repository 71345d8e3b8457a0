/**
 * INT n in virtual-8086 mode: to the monitor, or with CR4.VME straight to the program's own handler, as a bitmap in the
 * TSS says. Spec: SDM Vol. 3B, "Class 3—Software Interrupt Handling in Virtual-8086 Mode".
 */
import { hasVme, ioplFault, ioplOf, virtualFlags } from "./flags.js";
import { checkRoom, writeWords } from "./frames.js";
import { setStackPointer } from "./operands.js";
import { Fault, type ProcessorPort, VECTOR } from "./processor.js";
import { virtual8086Segment } from "./segments.js";
import { FLAG } from "./state.js";
import { hasIoMap, TSS_IO_MAP } from "./tss.js";

/** Bytes of the bitmap: one bit to a vector, right below the I/O permission bitmap. */
const REDIRECTION_BYTES = 32;

/**
 * Whether the interrupt was dealt with here. False: it goes through the IDT. Throws #GP(0) where it is the monitor's.
 * Spec: SDM Vol. 2A, INT n/INTO/INT3/INT1—Call to Interrupt Procedure.
 */
export function redirectInterrupt(port: ProcessorPort, vector: number): boolean {
  const eflags = port.getEflags();
  if (hasVme(port.system) && !isMonitors(port, vector)) {
    callOwnHandler(port, vector, eflags);
    return true;
  }
  if (ioplOf(eflags) < 3) throw ioplFault();
  return false;
}

/** The vector's bit of the software interrupt redirection bitmap. */
function isMonitors(port: ProcessorPort, vector: number): boolean {
  const { tr } = port.system;
  const map = hasIoMap(tr) ? port.readLinear((tr.base + TSS_IO_MAP) >>> 0, 2, false) : Number.POSITIVE_INFINITY;
  const offset = map - REDIRECTION_BYTES + (vector >> 3);
  if (offset > tr.limit) throw new Fault(VECTOR.GP, 0, "redirection-map-outside-tss");
  return ((port.readLinear((tr.base + offset) >>> 0, 1, false) >> (vector & 7)) & 1) !== 0;
}

/** As an 8086 does it, through the table at linear address 0. */
function callOwnHandler(port: ProcessorPort, vector: number, eflags: number): void {
  const { cs, ss } = port.system.segments;
  const own = ioplOf(eflags) === 3;
  const pointer = port.getRegister(4);
  const offset = port.readLinear(vector * 4, 2, false);
  const selector = port.readLinear(vector * 4 + 2, 2, false);
  checkRoom(ss, pointer, 2, 3, 0);
  const words = [own ? eflags : virtualFlags(eflags), cs.selector, port.nextEip];
  setStackPointer(port, ss, writeWords(port, ss, pointer, 2, words, true));
  port.setEflags(eflags & ~(FLAG.TF | FLAG.RF | (own ? FLAG.IF : FLAG.VIF)));
  port.setSegment("cs", virtual8086Segment(selector));
  port.nextEip = offset;
}
