/**
 * A VMCS before its guest first runs: the controls, the host's state, and what lies beside it in memory.
 * Spec: SDM Vol. 3C, "VM-Execution Control Fields", "Host-State Area", "Algorithms for Determining VMX Capabilities".
 */
import { models } from "../../../hardware/cpu/model.js";
import type { SegmentName } from "../../../hardware/cpu/state.js";
import {
  allowedSettings,
  type ControlWord,
  ENTRY,
  EXIT,
  PIN,
  PRIMARY,
  SECONDARY,
} from "../../../hardware/vmx/controls.js";
import { LAYOUT } from "../../../hardware/vmx/fields.js";
import { vmclear, vmptrld } from "../../../hardware/vmx/instructions.js";
import { REVISION } from "../../../hardware/vmx/vmcs.js";
import { type Host, PAGE } from "../../host.js";
import { lacks } from "../../isolation/protections.js";
import { PLACE, placesOf, SELECTOR } from "../../layout.js";
import type { VmState } from "../../state.js";
import { hasSeveral } from "../../virtual-processors.js";
import { READ_MSRS, WRITTEN_MSRS } from "../guest-registers.js";
import { fillPage } from "../nested-memory.js";
import type { Bitmaps } from "./guest-state.js";
import { write } from "./vmcs.js";

/** What the processor allows of the settings that are wanted. */
export function settings(host: Host, word: ControlWord, wanted: number): number {
  const { zero, one } = allowedSettings(host.port.system.model, word);
  return ((wanted | zero) & one) >>> 0;
}

/** All MSRs leave, but those that are the guest's own. */
function msrBitmap(host: Host, vm: VmState, at: number): void {
  fillPage(host, at, lacks(vm, "MSR bitmap") ? 0 : 0xffff_ffff);
  for (const address of READ_MSRS) {
    for (const half of WRITTEN_MSRS.includes(address) ? [0, 2048] : [0]) {
      const byte = at + half + (address >= 0xc000_0000 ? 1024 : 0) + ((address & 0x1fff) >>> 3);
      const word = byte - (byte & 3);
      const bit = 8 * (byte & 3) + (address & 7);
      host.port.writePhysical(word, (host.port.readPhysical(word) & ~(1 << bit)) >>> 0);
    }
  }
}

/** Makes a VMCS current that is clear. Gives its address. */
function newVmcs(host: Host, what: string): number {
  const at = host.allocate(1, what);
  fillPage(host, at, 0);
  host.port.writePhysical(at + LAYOUT.REVISION, REVISION);
  vmclear(host.port, at);
  vmptrld(host.port, at);
  return at;
}

/** What the processor goes on with when it leaves the guest of the current VMCS. */
export function hostState(host: Host): void {
  const { port, state } = host;
  const { gdt, tss, stack } = placesOf(host.processor, host.several);
  const { cr0, cr3, cr4, efer } = port.system;
  const selectors: readonly SegmentName[] = ["es", "ss", "ds", "fs", "gs"];
  write(port, "Host CR0", cr0 >>> 0);
  write(port, "Host CR3", cr3 >>> 0);
  write(port, "Host CR4", cr4 >>> 0);
  write(port, "Host IA32_EFER", efer);
  write(port, "Host CS selector", SELECTOR.code);
  for (const name of selectors) write(port, `Host ${name.toUpperCase() as "ES"} selector`, SELECTOR.data);
  write(port, "Host TR selector", SELECTOR.tss);
  write(port, "Host TR base", tss);
  write(port, "Host GDTR base", gdt);
  write(port, "Host IDTR base", PLACE.idt);
  write(port, "Host RSP", stack);
  write(port, "Host RIP", state.places.exit);
}

/** What leaves the guest, beyond what always does. */
function controls(host: Host, ept: boolean, several: boolean): void {
  const { port } = host;
  const primary =
    PRIMARY["HLT exiting"] |
    PRIMARY["MWAIT exiting"] |
    PRIMARY["MONITOR exiting"] |
    PRIMARY["RDPMC exiting"] |
    PRIMARY["CR8-load exiting"] |
    PRIMARY["CR8-store exiting"] |
    PRIMARY["use TSC offsetting"] |
    PRIMARY["use I/O bitmaps"] |
    PRIMARY["use MSR bitmaps"] |
    PRIMARY["activate secondary controls"] |
    // The counter of one of several processors goes on by others' steps, too.
    (host.several ? PRIMARY["RDTSC exiting"] : 0) |
    // It ends a turn of several virtual processors.
    (several ? PRIMARY["PAUSE exiting"] : 0) |
    (ept ? 0 : PRIMARY["CR3-load exiting"] | PRIMARY["CR3-store exiting"] | PRIMARY["INVLPG exiting"]);
  const secondary =
    (ept ? SECONDARY["enable EPT"] | SECONDARY["unrestricted guest"] : 0) |
    SECONDARY["enable RDTSCP"] |
    SECONDARY["RDRAND exiting"] |
    SECONDARY["RDSEED exiting"];
  const exit =
    EXIT["host address-space size"] |
    EXIT["acknowledge interrupt on exit"] |
    EXIT["save IA32_EFER"] |
    EXIT["load IA32_EFER"] |
    EXIT["save debug controls"];
  const entry = ENTRY["load IA32_EFER"] | ENTRY["load debug controls"];
  write(port, "Pin-based VM-execution controls", settings(host, "pin", PIN["external-interrupt exiting"]));
  write(port, "Primary processor-based VM-execution controls", settings(host, "primary", primary));
  if (models[port.system.model].secondaryControls.length > 0)
    write(port, "Secondary processor-based VM-execution controls", settings(host, "secondary", secondary));
  write(port, "VM-exit controls", settings(host, "exit", exit));
  write(port, "VM-entry controls", settings(host, "entry", entry));
  write(port, "VMCS link pointer", 0xffff_ffff_ffff_ffffn);
}

/** What leaves every virtual processor of a VM. */
function bitmaps(host: Host, vm: VmState): Bitmaps {
  const { name } = vm;
  const ports = host.allocate(2, `${name}: its I/O bitmaps`);
  const msrs = host.allocate(1, `${name}: its MSR bitmap`);
  const leaves = lacks(vm, "I/O bitmap") ? 0 : 0xffff_ffff;
  fillPage(host, ports, leaves);
  fillPage(host, ports + PAGE, leaves);
  msrBitmap(host, vm, msrs);
  return { ports, msrs };
}

/** A VMCS of a VM, current, with everything but its guest's state, and the bitmaps, which others of the VM's have too. */
export function setUp(host: Host, vm: VmState, ept: boolean, known?: Bitmaps): Bitmaps & { readonly vmcs: number } {
  const vmcs = newVmcs(host, `${vm.name}: its VMCS`);
  const { ports, msrs } = known ?? bitmaps(host, vm);
  controls(host, ept, hasSeveral(vm));
  hostState(host);
  write(host.port, "Address of I/O bitmap A", ports);
  write(host.port, "Address of I/O bitmap B", ports + PAGE);
  write(host.port, "Address of MSR bitmaps", msrs);
  return { vmcs, ports, msrs };
}
