/** The virtual processor of the current VM as a value, and back into VMCS and registers. */
import type { CpuState } from "../../../hardware/cpu/state.js";
import type { Host } from "../../host.js";
import { loadFloating, loadGeneral, savedFloating, savedGeneral } from "../../registers.js";
import { loadShared, sharedSystem } from "../guest-registers.js";
import { readState, type VmcsReader, type VmxOwn, writeState } from "./guest-state.js";
import { readAddress, readQuad, readWord } from "./vmcs.js";

export const ownOf = (host: Host, number: number): VmxOwn => host.vm(number).own as VmxOwn;

const reader = ({ port }: Host): VmcsReader => ({
  word: (name) => readWord(port, name),
  quad: (name) => readQuad(port, name),
  address: (name) => readAddress(port, name),
});

/** All of it; the processor holds what the VMCS does not. */
export function readCpu(host: Host, number: number): CpuState {
  const { port } = host;
  const { cpu } = host.vm(number);
  const held = { ...cpu, ...savedGeneral(port), system: sharedSystem(port.system, cpu.system) };
  return readState(reader(host), ownOf(host, number), held);
}

/** The same with the floating-point registers. */
export const readWhole = (host: Host, number: number): CpuState => ({
  ...readCpu(host, number),
  floating: savedFloating(host.port.floating),
});

/** Loads the virtual processor that `readCpu` gave and something has changed. */
export function writeCpu(host: Host, number: number, cpu: CpuState): void {
  const own = writeState(host.port, ownOf(host, number), cpu);
  loadGeneral(host.port, cpu);
  loadShared(host.port, cpu);
  host.change(number, { cpu, own });
}

export function writeWhole(host: Host, number: number, cpu: CpuState): void {
  writeCpu(host, number, cpu);
  loadFloating(host.port.floating, cpu.floating);
}
