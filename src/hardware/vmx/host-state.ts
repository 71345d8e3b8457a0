/**
 * The host-state area, which VM exits load, and what becomes of a VM exit that cannot be completed.
 * Spec: SDM Vol. 3C, "Loading Host State", "VMX Aborts".
 */
import { TripleFault } from "../cpu/exceptions.js";
import { models } from "../cpu/model.js";
import type { ProcessorPort } from "../cpu/processor.js";
import { sharedSegment, sharedTable, withDebug } from "../cpu/shared-records.js";
import { EFER, FLAG, NULL_SEGMENT, type Segment, type SystemState } from "../cpu/state.js";
import { EXIT, has } from "./controls.js";
import { LAYOUT } from "./fields.js";
import { arePdptes } from "./guest-checks.js";
import { hasPdptes, loadedCr0, loadedCr3, loadedMsrs } from "./guest-state.js";
import { loadMsrs } from "./msr-areas.js";
import { addressAt, indexOf, physicalOf, type VmcsImage, wordOf } from "./vmcs.js";

/** VMX-abort indicators. */
export const ABORT = { SAVING_MSRS: 1, HOST_PDPTES: 2, LOADING_MSRS: 4, HOST_SIZE: 6 } as const;

/** The processor shuts down, with the reason in the VMCS region. */
export function abort(port: ProcessorPort, vmcs: number, indicator: number): never {
  port.writePhysical(vmcs + LAYOUT.ABORT, indicator);
  throw new TripleFault();
}

const RSP = 4;
/** As after reset. */
const DR7 = 0x400;
const DR6 = 4;
const NO_PDPTES: readonly number[] = Object.freeze([]);
const CODE64 = 0xa09b;
const CODE32 = 0xc09b;
const DATA = 0xc093;
const TSS = 0x8b;
const LIMIT = 0xffff_ffff;
const TSS_LIMIT = 0x67;
const TABLE_LIMIT = 0xffff;

/** A data segment: not usable if its selector is 0. Only FS and GS have a base then. */
const dataSegment = (selector: number, base = 0): Segment =>
  selector === 0 ? sharedSegment(0, base, 0, 0) : sharedSegment(selector, base, LIMIT, DATA);

/** Where registers are in an image. */
const AT = {
  cr0: indexOf("Host CR0"),
  cr3: indexOf("Host CR3"),
  cr4: indexOf("Host CR4"),
  efer: indexOf("Host IA32_EFER"),
  rsp: indexOf("Host RSP"),
  rip: indexOf("Host RIP"),
  es: indexOf("Host ES selector"),
  cs: indexOf("Host CS selector"),
  ss: indexOf("Host SS selector"),
  ds: indexOf("Host DS selector"),
  fs: indexOf("Host FS selector"),
  gs: indexOf("Host GS selector"),
  tr: indexOf("Host TR selector"),
  fsBase: indexOf("Host FS base"),
  gsBase: indexOf("Host GS base"),
  trBase: indexOf("Host TR base"),
  gdtrBase: indexOf("Host GDTR base"),
  idtrBase: indexOf("Host IDTR base"),
} as const;

type Loaded = { -readonly [Name in keyof SystemState]?: SystemState[Name] };

/** All but the PDPTE registers. */
function systemOf(old: SystemState, image: VmcsImage, exit: number): Loaded {
  const long = has(exit, EXIT["host address-space size"]);
  const base = (at: number): number => (long ? addressAt(image, at) : image[at]!);
  const active = EFER.LMA | EFER.LME;
  return {
    cr3: loadedCr3(models[old.model], image[AT.cr3]!, image[AT.cr3 + 1]!),
    cr0: loadedCr0(old.cr0, image[AT.cr0]!),
    cr4: image[AT.cr4]! | 0,
    efer: has(exit, EXIT["load IA32_EFER"]) ? image[AT.efer]! : long ? old.efer | active : old.efer & ~active,
    debug: withDebug(old.debug, old.debug[DR6], DR7),
    msrs: loadedMsrs(old.msrs, image, "Host", has(exit, EXIT["load IA32_PAT"])),
    segments: {
      cs: sharedSegment(image[AT.cs]!, 0, LIMIT, long ? CODE64 : CODE32),
      es: dataSegment(image[AT.es]!),
      ss: dataSegment(image[AT.ss]!),
      ds: dataSegment(image[AT.ds]!),
      fs: dataSegment(image[AT.fs]!, base(AT.fsBase)),
      gs: dataSegment(image[AT.gs]!, base(AT.gsBase)),
    },
    ldtr: NULL_SEGMENT,
    tr: sharedSegment(image[AT.tr]!, base(AT.trBase), TSS_LIMIT, TSS),
    gdtr: sharedTable(base(AT.gdtrBase), TABLE_LIMIT),
    idtr: sharedTable(base(AT.idtrBase), TABLE_LIMIT),
    pdptes: NO_PDPTES,
  };
}

/** The host's PDPTEs, from memory. */
function pdptesOf(port: ProcessorPort, vmcs: number, image: VmcsImage): readonly number[] {
  const table = (wordOf(image, "Host CR3") & ~31) >>> 0;
  const words = Array.from({ length: 8 }, (_, index) => port.readPhysical(table + 4 * index) | 0);
  if (!arePdptes(models[port.system.model], words)) abort(port, vmcs, ABORT.HOST_PDPTES);
  return Object.freeze(words);
}

/** Loads the host-state area and the VM-exit MSR-load area. */
export function loadHostState(port: ProcessorPort, vmcs: number, image: VmcsImage, nmiBlocked: boolean): void {
  const { system } = port;
  const exit = wordOf(image, "VM-exit controls");
  const change = systemOf(system, image, exit);
  if (hasPdptes(change.cr0!, change.cr4!, (change.efer! & EFER.LMA) !== 0)) change.pdptes = pdptesOf(port, vmcs, image);
  port.setSystem(change);
  port.setRegister(RSP, image[AT.rsp]!, image[AT.rsp + 1]!);
  port.setEflags(FLAG.RESERVED);
  port.nextEip = has(exit, EXIT["host address-space size"]) ? addressAt(image, AT.rip) : image[AT.rip]!;
  const { nmi } = port.between.pending;
  port.setBetween({ halted: false, shadow: "none", pending: { debug: 0, nmi, nmiBlocked } });
  port.invalidate();
  const count = wordOf(image, "VM-exit MSR-load count");
  if (loadMsrs(port, physicalOf(image, "VM-exit MSR-load address"), count) !== undefined)
    abort(port, vmcs, ABORT.LOADING_MSRS);
}
