/**
 * What the processor has while guests run in outer rings: a GDT that ends with the hypervisor's descriptors, gates and a TSS that
 * name them, control registers.
 */

import { readPdptes, usesPae } from "../../../hardware/cpu/control-registers.js";
import { jumpFar } from "../../../hardware/cpu/far-transfers.js";
import { models } from "../../../hardware/cpu/model.js";
import { loadDataSegment, loadTask } from "../../../hardware/cpu/segments.js";
import { CR0, CR4, type SegmentName, type SystemState } from "../../../hardware/cpu/state.js";
import type { Host } from "../../host.js";
import { lacks } from "../../isolation/protections.js";
import { CALL_OUT, GATE_STRIDE, PLACE, TOP } from "../../layout.js";
import type { DescriptorWords } from "./descriptors.js";
import { OWN } from "./state.js";

const GDT_BYTES = 0x1_0000;
const TSS_BYTES = 0x68;
/** With a VM that is without this protection: the limit of a TSS that has room for a bitmap, which is of zeros. */
const OPEN_LIMIT = 0xfff;
/** The word of a TSS that says where its bitmap is: beyond its limit there is none. */
const BITMAP_AT = 100;

export function writeDescriptor({ port }: Host, table: number, offset: number, [low, high]: DescriptorWords): void {
  const at = table + (offset & 0xfff8);
  if (port.readPhysical(at) !== low) port.writePhysical(at, low);
  if (port.readPhysical(at + 4) !== high) port.writePhysical(at + 4, high);
}

function ownDescriptors(host: Host): void {
  const tss = TOP + PLACE.shadowTss;
  const ldt = TOP + PLACE.shadowLdt;
  const put = (selector: number, words: DescriptorWords): void =>
    writeDescriptor(host, PLACE.shadowGdt, selector, words);
  put(OWN.code, [0xffff, 0x00cf_9b00]);
  put(OWN.data, [0xffff, 0x00cf_9300]);
  const isOpen = host.state.vms.some((vm) => lacks(vm, "I/O bitmap"));
  const limit = isOpen ? OPEN_LIMIT : TSS_BYTES - 1;
  put(OWN.tss, [(((tss & 0xffff) << 16) | limit) >>> 0, ((tss & 0xff00_0000) | 0x8900 | ((tss >>> 16) & 0xff)) >>> 0]);
  put(OWN.ldt, [(((ldt & 0xffff) << 16) | 0xffff) >>> 0, ((ldt & 0xff00_0000) | 0x8200 | ((ldt >>> 16) & 0xff)) >>> 0]);
}

/** Every vector enters the hypervisor. Interrupt gates of privilege 0: an INT n of a guest's is #GP, but for that of translated code. */
function gates({ port, state }: Host): void {
  for (let vector = 0; vector < 256; vector++) {
    const to = state.places.gates + vector * GATE_STRIDE;
    port.writePhysical(PLACE.shadowIdt + 8 * vector, ((OWN.code << 16) | (to & 0xffff)) >>> 0);
    const type = vector === CALL_OUT ? 0xae00 : 0x8e00;
    port.writePhysical(PLACE.shadowIdt + 8 * vector + 4, ((to & 0xffff_0000) | type) >>> 0);
  }
  port.writePhysical(PLACE.shadowTss + 4, TOP + PLACE.stack);
  port.writePhysical(PLACE.shadowTss + 8, OWN.data);
}

/** Loads all of it, where it is not there yet: LGDT, LIDT, the hypervisor's segments, LTR. */
export function startWorld(host: Host): void {
  const { port } = host;
  const bitmap = (lacks(host.vm(host.own.current!), "I/O bitmap") ? TSS_BYTES : OPEN_LIMIT + 1) << 16;
  if (port.readPhysical(PLACE.shadowTss + BITMAP_AT) !== bitmap)
    port.writePhysical(PLACE.shadowTss + BITMAP_AT, bitmap);
  if (port.system.gdtr.base === TOP + PLACE.shadowGdt) return;
  ownDescriptors(host);
  gates(host);
  port.setSystem({
    gdtr: Object.freeze({ base: TOP + PLACE.shadowGdt, limit: GDT_BYTES - 1 }),
    idtr: Object.freeze({ base: TOP + PLACE.shadowIdt, limit: 0x7ff }),
  });
  jumpFar(port, OWN.code, port.nextEip);
  for (const name of ["ss", "ds", "es", "fs", "gs"] as const) loadDataSegment(port, name, OWN.data);
  loadTask(port, OWN.tss);
}

/** What of CR0 and CR4 a guest in an outer ring has as it wants. */
const GUEST_CR0 = CR0.MP | CR0.EM | CR0.TS | CR0.NE | CR0.AM;
const GUEST_CR4 = CR4.OSFXSR | CR4.OSXMMEXCPT;
/** Where there is UMIP programs do not see the hypervisor's tables; its rings 1 and 2 are programs to it, too. */
const OWN_CR4 = CR4.PSE | CR4.TSD;
const PAGING_CR4 = CR4.PAE | CR4.SMEP | CR4.SMAP;

/** Real control registers: the guest's tables are the shadow's, and RDTSC leaves it. */
export function loadControl({ port }: Host, { cr0, cr4, model }: SystemState, table: number, withUmip = false): void {
  const paged = (cr0 & CR0.PG) !== 0;
  load(port, {
    cr0: CR0.PG | CR0.PE | CR0.WP | CR0.ET | (cr0 & GUEST_CR0),
    cr3: table,
    cr4: (OWN_CR4 | (withUmip ? CR4.UMIP : 0) | (cr4 & (GUEST_CR4 | (paged ? PAGING_CR4 : 0)))) & models[model].cr4,
  });
}

/** The hypervisor's own. */
export function loadOwnControl({ port }: Host): void {
  load(port, { cr0: CR0.PG | CR0.PE | CR0.WP | CR0.ET | CR0.NE | CR0.MP, cr3: PLACE.tables, cr4: CR4.PSE });
}

/** All of them at once: between two forms of tables there is none that both could be walked as. */
function load(port: Host["port"], { cr0, cr3, cr4 }: Pick<SystemState, "cr0" | "cr3" | "cr4">): void {
  const now = port.system;
  const pae = usesPae(cr0, cr4, now.efer);
  const samePointers = !pae || now.pdptes.every((word, index) => port.readPhysical(cr3 + 4 * index) === word >>> 0);
  if (now.cr0 === cr0 && now.cr3 === (cr3 | 0) && now.cr4 === cr4 && samePointers) return;
  port.setSystem({ cr0, cr3: cr3 | 0, cr4, pdptes: pae ? readPdptes(port, cr3) : Object.freeze([]) });
  port.invalidate();
}

export const dataNames: readonly Exclude<SegmentName, "cs" | "ss">[] = ["es", "ds", "fs", "gs"];
