/**
 * Who may use a port: CPL up to IOPL, else as the I/O permission bitmap of the TSS says; in virtual-8086 mode the bitmap
 * alone. Spec: SDM Vol. 1, "Protected-Mode I/O", "I/O Permission Bit Map".
 */
import { tableAddress } from "./descriptors.js";
import { ioplOf } from "./flags.js";
import { Fault, type ProcessorPort, VECTOR } from "./processor.js";
import { hasIoMap, TSS_IO_MAP } from "./tss.js";

/** Throws #GP(0) unless `size` ports from `first` on may be used. Spec: SDM Vol. 1, "I/O Permission Bit Map". */
export function checkPortPermission(port: ProcessorPort, first: number, size: number): void {
  const { mode } = port;
  if (mode === "real" || (mode === "protected" && port.cpl <= ioplOf(port.getEflags()))) return;
  const { tr } = port.system;
  if (!hasIoMap(tr)) throw new Fault(VECTOR.GP, 0, "no-port-map");
  const offset = port.readLinear(tableAddress(port.system, tr.base, TSS_IO_MAP), 2, false) + (first >> 3);
  // Two bytes are always read: an access of several bytes may reach into the next one.
  if (offset + 1 > tr.limit) throw new Fault(VECTOR.GP, 0, "port-outside-map");
  const bits = port.readLinear(tableAddress(port.system, tr.base, offset), 2, false) >> (first & 7);
  if ((bits & ((1 << size) - 1)) !== 0) throw new Fault(VECTOR.GP, 0, "port-denied");
}
