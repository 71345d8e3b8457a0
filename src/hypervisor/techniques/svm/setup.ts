/**
 * A VMCB before its guest first runs: what leaves the guest, and the maps beside it in memory.
 * Spec: AMD64 Architecture Programmer's Manual Vol. 2, "Intercept Operation", "IOIO Intercepts", "MSR Intercepts".
 */
import { intercepts } from "../../../hardware/svm/intercepts.js";
import { IOPM_BYTES, MSRPM_BYTES, msrMapBit } from "../../../hardware/svm/permission-maps.js";
import { type Host, PAGE } from "../../host.js";
import { lacks, type ProtectionName } from "../../isolation/protections.js";
import type { VmState } from "../../state.js";
import { hasSeveral } from "../../virtual-processors.js";
import { READ_MSRS, WRITTEN_MSRS } from "../guest-registers.js";
import { fillPage } from "../nested-memory.js";
import type { SvmOwn, SvmShared } from "./guest-state.js";
import { changeVmcb } from "./state-access.js";
import { putAddress, putNumber } from "./vmcb.js";

/** What leaves every guest. */
const INTERCEPTED: readonly string[] = [
  ...["INTR", "INIT", "VINTR", "SHUTDOWN", "IOIO", "MSR", "CR8_READ", "CR8_WRITE"],
  ...["CPUID", "HLT", "INVD", "MONITOR", "MWAIT", "RDPMC"],
  ...["VMRUN", "VMMCALL", "VMLOAD", "VMSAVE", "STGI", "CLGI", "SKINIT", "INVLPGA"],
];
/** Host calls of a guest's firmware are undefined instructions. */
const FIRMWARE: readonly string[] = ["EXCP6"];
/** The counter of one of several processors goes on by others' steps, too. */
const SEVERAL: readonly string[] = ["RDTSC", "RDTSCP"];

/** It ends a turn of several virtual processors. */
const TURNS: readonly string[] = ["PAUSE"];

/** ASIDs from one virtual processor's to the next one's; VMs that many have none in common. */
const APART = 8;

/** Intercept vectors as the VMCB has them. */
function vectorsOf(names: readonly string[]): readonly number[] {
  const words = [0, 0, 0, 0, 0, 0];
  for (const { name, word, bit } of intercepts) if (names.includes(name)) words[word] = words[word]! | (1 << bit);
  return words;
}

function pages(host: Host, bytes: number, word: number, what: string): number {
  const at = host.allocate(bytes / PAGE, what);
  for (let offset = 0; offset < bytes; offset += PAGE) fillPage(host, at + offset, word);
  return at;
}

/** All MSRs leave, but those that are the guest's own. */
function openMsrs({ port }: Host, map: number): void {
  const open = (bit: number): void => {
    const at = map + (bit >>> 5) * 4;
    port.writePhysical(at, (port.readPhysical(at) & ~(1 << (bit & 31))) >>> 0);
  };
  for (const address of READ_MSRS) open(msrMapBit(address)!);
  for (const address of WRITTEN_MSRS) open(msrMapBit(address)! + 1);
}

/** What leaves every virtual processor of a VM. */
function permissionMaps(host: Host, vm: VmState): Omit<SvmShared, "root"> {
  const { name } = vm;
  const leaves = (protection: ProtectionName): number => (lacks(vm, protection) ? 0 : 0xffff_ffff);
  const ports = pages(host, IOPM_BYTES, leaves("I/O bitmap"), `${name}: its I/O permission map`);
  const msrs = pages(host, MSRPM_BYTES, leaves("MSR bitmap"), `${name}: its MSR permission map`);
  openMsrs(host, msrs);
  return { ports, msrs };
}

/** A VMCB of a VM with everything but its guest's state, and what others of the VM's have too. */
export function setUp(host: Host, number: number, root: number, known?: SvmShared): SvmOwn {
  const vm = host.vm(number);
  const { name, supervisors } = vm;
  const vmcb = pages(host, PAGE, 0, `${name}: its VMCB`);
  const { ports, msrs } = known ?? permissionMaps(host, vm);
  changeVmcb(host, vmcb, (image) => {
    const more = [
      ...(supervisors === undefined ? [] : FIRMWARE),
      ...(host.several ? SEVERAL : []),
      ...(hasSeveral(vm) ? TURNS : []),
    ];
    image.set(vectorsOf([...INTERCEPTED, ...more]));
    putAddress(image, "IOPM_BASE_PA", ports);
    putAddress(image, "MSRPM_BASE_PA", msrs);
    // 0 is the host's. Each virtual processor has translations of its own.
    putNumber(image, "GUEST_ASID", number + 1 + APART * (vm.turn?.processor ?? 0));
    putNumber(image, "V_INTR_MASKING", 1);
    putNumber(image, "V_IGN_TPR", 1);
    putNumber(image, "NP_ENABLE", 1);
    putAddress(image, "N_CR3", root);
  });
  return { vmcb, tr: undefined, ...(hasSeveral(vm) ? { shared: { root, ports, msrs } } : {}) };
}
