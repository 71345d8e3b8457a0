/**
 * A VMCB before its guest first runs: what leaves the guest, and the maps beside it in memory.
 * Spec: AMD64 Architecture Programmer's Manual Vol. 2, "Intercept Operation", "IOIO Intercepts", "MSR Intercepts".
 */
import { intercepts } from "../../../hardware/svm/intercepts.js";
import { IOPM_BYTES, MSRPM_BYTES, msrMapBit } from "../../../hardware/svm/permission-maps.js";
import { type Host, PAGE } from "../../host.js";
import { lacks, type ProtectionName } from "../../isolation/protections.js";
import { READ_MSRS, WRITTEN_MSRS } from "../guest-registers.js";
import { fillPage } from "../nested-memory.js";
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

/** The VMCB of a VM, with everything but its guest's state. */
export function setUp(host: Host, number: number, root: number): number {
  const vm = host.vm(number);
  const { name, supervisors } = vm;
  const leaves = (protection: ProtectionName): number => (lacks(vm, protection) ? 0 : 0xffff_ffff);
  const vmcb = pages(host, PAGE, 0, `${name}: its VMCB`);
  const ports = pages(host, IOPM_BYTES, leaves("I/O bitmap"), `${name}: its I/O permission map`);
  const msrs = pages(host, MSRPM_BYTES, leaves("MSR bitmap"), `${name}: its MSR permission map`);
  openMsrs(host, msrs);
  changeVmcb(host, vmcb, (image) => {
    const more = [...(supervisors === undefined ? [] : FIRMWARE), ...(host.several ? SEVERAL : [])];
    image.set(vectorsOf([...INTERCEPTED, ...more]));
    putAddress(image, "IOPM_BASE_PA", ports);
    putAddress(image, "MSRPM_BASE_PA", msrs);
    // 0 is the host's.
    putNumber(image, "GUEST_ASID", number + 1);
    putNumber(image, "V_INTR_MASKING", 1);
    putNumber(image, "V_IGN_TPR", 1);
    putNumber(image, "NP_ENABLE", 1);
    putAddress(image, "N_CR3", root);
  });
  return vmcb;
}
