/** The virtual processor of the current VM as a value, and back into VMCB and registers. */
import { recorded } from "../../../hardware/cpu/debug.js";
import { VECTOR } from "../../../hardware/cpu/processor.js";
import { type CpuState, noEvents } from "../../../hardware/cpu/state.js";
import { vmload } from "../../../hardware/svm/instructions.js";
import { hostPhysical } from "../../guest-memory.js";
import type { Host } from "../../host.js";
import { loadFloating, loadGeneral, savedFloating, savedGeneral } from "../../registers.js";
import { hasSeveral } from "../../virtual-processors.js";
import { countException } from "../emulation.js";
import { loadShared } from "../guest-registers.js";
import { holdsRest, leftState, ownOf as ownWith, putRest, putState, type SvmOwn } from "./guest-state.js";
import { newImage, putWords, readImage, type VmcbImage, writeImage } from "./vmcb.js";

export const ownOf = (host: Host, number: number): SvmOwn => host.vm(number).own as SvmOwn;

const found = newImage();
const image = newImage();

/** Changes the VMCB of a VM. */
export function changeVmcb({ port }: Host, vmcb: number, change: (image: VmcbImage) => void): void {
  readImage(port, vmcb, found);
  image.set(found);
  change(image);
  writeImage(port, vmcb, image, found);
}

/** All of it; the processor holds what the VMCB does not. */
export function readCpu(host: Host, number: number): CpuState {
  const { port } = host;
  const { cpu, extents } = host.vm(number);
  const own = ownOf(host, number);
  const read = (physical: number): number | undefined => {
    const at = hostPhysical(extents, physical);
    return at === undefined ? undefined : port.readPhysical(at);
  };
  const about = { own, old: cpu.system, read };
  return leftState(readImage(port, own.vmcb, newImage()), port.system, about, { ...cpu, ...savedGeneral(port) });
}

/** The same with the floating-point registers. */
export const readWhole = (host: Host, number: number): CpuState => ({
  ...readCpu(host, number),
  floating: savedFloating(host.port.floating),
});

/** EVENTINJ of an exception. Spec: AMD64 Vol. 2, "Event Injection". */
const EXCEPTION = 0x8000_0300;
const HAS_ERROR_CODE = 1 << 11;
export const putException = (vmcb: VmcbImage, vector: number, errorCode: number | undefined): void =>
  putWords(vmcb, "EVENTINJ", EXCEPTION | (errorCode === undefined ? 0 : HAS_ERROR_CODE) | vector, errorCode ?? 0);

/** Loads the virtual processor that `readCpu` gave and something has changed. A VMCB has no debug trap that waits: it is injected. */
export function writeCpu(host: Host, number: number, cpu: CpuState): void {
  const { port } = host;
  const own = ownOf(host, number);
  // The nested engine delivers it where there are several virtual processors.
  const debug = hasSeveral(host.vm(number)) ? 0 : cpu.pending.debug;
  const system = debug === 0 ? cpu.system : { ...cpu.system, debug: recorded(cpu.system, debug) };
  const now: CpuState = { ...cpu, system, pending: debug === 0 ? cpu.pending : noEvents };
  const moves = !holdsRest(port.system, own, system);
  changeVmcb(host, own.vmcb, (vmcb) => {
    putState(vmcb, now);
    if (moves) putRest(vmcb, system);
    if (debug !== 0) putException(vmcb, VECTOR.DB, undefined);
  });
  if (moves) vmload(port, own.vmcb);
  loadGeneral(port, now);
  loadShared(port, now);
  host.change(number, { cpu: now, own: ownWith(own, system) });
  if (debug !== 0) countException(host, number);
}

export function writeWhole(host: Host, number: number, cpu: CpuState): void {
  writeCpu(host, number, cpu);
  loadFloating(host.port.floating, cpu.floating);
}
