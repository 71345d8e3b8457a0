/**
 * The host-state area, which VM exits load, and what becomes of a VM exit that cannot be completed.
 * Spec: SDM Vol. 3C, "Loading Host State", "VMX Aborts".
 */
import { TripleFault } from "../cpu/exceptions.js";
import { models } from "../cpu/model.js";
import type { ProcessorPort } from "../cpu/processor.js";
import { EFER, FLAG, NULL_SEGMENT, type Segment, type SystemState } from "../cpu/state.js";
import { EXIT, has } from "./controls.js";
import { type FieldName, LAYOUT } from "./fields.js";
import { arePdptes } from "./guest-checks.js";
import { hasPdptes, loadedCr0, loadedCr3, loadedMsrs } from "./guest-state.js";
import { loadMsrs } from "./msr-areas.js";
import { linearOf, physicalOf, upperOf, type VmcsImage, wordOf } from "./vmcs.js";

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
const CODE64 = 0xa09b;
const CODE32 = 0xc09b;
const DATA = 0xc093;
const TSS = 0x8b;
const LIMIT = 0xffff_ffff;
const TSS_LIMIT = 0x67;
const TABLE_LIMIT = 0xffff;

/** A data segment: not usable if its selector is 0. Only FS and GS have a base then. */
const dataSegment = (selector: number, base = 0): Segment =>
  Object.freeze(selector === 0 ? { ...NULL_SEGMENT, base } : { selector, base, limit: LIMIT, access: DATA });

/** What does not depend on CR3. */
function systemOf(old: SystemState, image: VmcsImage, exit: number): Partial<SystemState> {
  const long = has(exit, EXIT["host address-space size"]);
  const selector = (name: "ES" | "CS" | "SS" | "DS" | "FS" | "GS" | "TR"): number =>
    wordOf(image, `Host ${name} selector`);
  const base = (name: "FS" | "GS" | "TR" | "GDTR" | "IDTR"): number =>
    long ? linearOf(image, `Host ${name} base`) : wordOf(image, `Host ${name} base`);
  const [dr0, dr1, dr2, dr3, dr6] = old.debug;
  const active = EFER.LMA | EFER.LME;
  const table = (name: "GDTR" | "IDTR") => Object.freeze({ base: base(name), limit: TABLE_LIMIT });
  return {
    cr0: loadedCr0(old.cr0, wordOf(image, "Host CR0")),
    cr4: wordOf(image, "Host CR4") | 0,
    efer: has(exit, EXIT["load IA32_EFER"])
      ? wordOf(image, "Host IA32_EFER")
      : long
        ? old.efer | active
        : old.efer & ~active,
    debug: Object.freeze([dr0, dr1, dr2, dr3, dr6, DR7] as const),
    msrs: loadedMsrs(old.msrs, image, "Host", has(exit, EXIT["load IA32_PAT"])),
    segments: Object.freeze({
      cs: Object.freeze({ selector: selector("CS"), base: 0, limit: LIMIT, access: long ? CODE64 : CODE32 }),
      es: dataSegment(selector("ES")),
      ss: dataSegment(selector("SS")),
      ds: dataSegment(selector("DS")),
      fs: dataSegment(selector("FS"), base("FS")),
      gs: dataSegment(selector("GS"), base("GS")),
    }),
    ldtr: NULL_SEGMENT,
    tr: Object.freeze({ selector: selector("TR"), base: base("TR"), limit: TSS_LIMIT, access: TSS }),
    gdtr: table("GDTR"),
    idtr: table("IDTR"),
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
  const cr3: FieldName = "Host CR3";
  const change = systemOf(system, image, exit);
  const pdptes = hasPdptes(change.cr0!, change.cr4!, (change.efer! & EFER.LMA) !== 0)
    ? pdptesOf(port, vmcs, image)
    : Object.freeze([]);
  // By itself: what else there is decides more of what an engine remembers than CR3 does.
  port.setSystem({ cr3: loadedCr3(models[system.model], wordOf(image, cr3), upperOf(image, cr3)) });
  port.setSystem({ ...change, pdptes });
  port.setRegister(RSP, wordOf(image, "Host RSP"), upperOf(image, "Host RSP"));
  port.setEflags(FLAG.RESERVED);
  port.nextEip = has(exit, EXIT["host address-space size"]) ? linearOf(image, "Host RIP") : wordOf(image, "Host RIP");
  const { nmi } = port.between.pending;
  port.setBetween({ halted: false, shadow: "none", pending: { debug: 0, nmi, nmiBlocked } });
  port.invalidate();
  const count = wordOf(image, "VM-exit MSR-load count");
  if (loadMsrs(port, physicalOf(image, "VM-exit MSR-load address"), count) !== undefined)
    abort(port, vmcs, ABORT.LOADING_MSRS);
}
