/** How a guest is given the processor: registers, segments by the checks of the hardware, and an IRET to its ring. */

import { isNull } from "../../../hardware/cpu/descriptors.js";
import { Fault } from "../../../hardware/cpu/processor.js";
import { loadDataSegment, loadLdt } from "../../../hardware/cpu/segments.js";
import { type CpuState, cplOf, FLAG, modeOf, type Segment, type SegmentName } from "../../../hardware/cpu/state.js";
import type { Host } from "../../host.js";
import { PLACE, TOP } from "../../layout.js";
import { loadGeneral } from "../../registers.js";
import { type Place, realFlags } from "./capture.js";
import { deprivileged, descriptorOf, segmentEnd } from "./descriptors.js";
import { CACHED, OWN, RESERVED } from "./state.js";
import { dataNames, writeDescriptor } from "./world.js";

const ESP = 4;
const FRAME_BYTES = 20;
const DR7_ENABLED = 0xff;
/** Behind the host call of each gate stands an IRET. */
const IRET = 2;

/** Why a guest cannot run in an outer ring; undefined where it can. */
export function refusal({ system, eflags }: CpuState): string | undefined {
  if (modeOf(system, eflags) !== "protected")
    return `trap-and-emulate runs guests in protected mode alone, and this one is in ${modeOf(system, eflags)} mode`;
  const cpl = cplOf(system, eflags);
  if (cpl === 1 || cpl === 2) return `trap-and-emulate has no ring for a guest's ring ${cpl}`;
  if ((system.debug[5] & DR7_ENABLED) !== 0) return "trap-and-emulate has no breakpoints for guests";
  return undefined;
}

/** Words of the shadow table's descriptor for a selector. */
function shadowWords({ port }: Host, selector: number): readonly [number, number] {
  const at = ((selector & 4) !== 0 ? PLACE.shadowLdt : PLACE.shadowGdt) + (selector & 0xfff8);
  return [port.readPhysical(at), port.readPhysical(at + 4)];
}

const PRESENT = 1 << 15;

/** A selector that loads what the guest's segment register holds: its own, or that of a descriptor made for it. */
function selectorFor(host: Host, name: SegmentName, segment: Segment, ring: number | undefined): number {
  const { selector, access } = segment;
  if (access === 0) return selector & 3;
  const own = ring === undefined ? selector : (selector & ~3) | ring;
  const [low, high] = deprivileged(...descriptorOf({ ...segment, access: access | 1 }), segmentEnd(host));
  if ((high & PRESENT) === 0) throw new Fault(13, selector);
  if (!isNull(selector) && selector < RESERVED) {
    const [shownLow, shownHigh] = shadowWords(host, selector);
    if (shownLow === low && (shownHigh | PRESENT) === high && (shownHigh & PRESENT) !== 0) return own;
  }
  writeDescriptor(host, PLACE.shadowGdt, CACHED[name], [low, high]);
  return CACHED[name] | (ring ?? 0);
}

/** Ends the handler in a guest: by the IRET behind the host call of a gate, which is a step of the host's. */
export function goTo({ port, state }: Host, { eip, cs, eflags, esp, ss }: Place): void {
  const top = TOP + PLACE.stack - FRAME_BYTES;
  const words = Int32Array.of(eip, cs, eflags, esp, ss);
  port.writeWords(top, words.length, false, words);
  port.setRegister(ESP, top);
  port.setEflags(port.getEflags() & ~(FLAG.NT | FLAG.IF));
  port.nextEip = state.places.gates + IRET;
}

/** What the guest's kernel has in place of its own code, and of its GS. */
export interface InPlace {
  readonly eip: number;
  readonly cs: number;
  readonly gs: number;
}

/** Ends the handler in the guest. Throws a `Fault` where the hardware lets none of its segments be loaded. */
export function enterRing(host: Host, cpu: CpuState, inPlace?: InPlace): void {
  const { port } = host;
  const { segments, ldtr } = cpu.system;
  const ring = cplOf(cpu.system, cpu.eflags) === 3 ? 3 : 1;
  loadLdt(port, ldtr.access === 0 ? 0 : OWN.ldt);
  for (const name of dataNames) {
    const replaced = name === "gs" ? inPlace?.gs : undefined;
    loadDataSegment(port, name, replaced ?? selectorFor(host, name, segments[name], undefined));
  }
  const cs = inPlace?.cs ?? selectorFor(host, "cs", segments.cs, ring);
  const ss = selectorFor(host, "ss", segments.ss, ring);
  loadGeneral(port, cpu);
  goTo(host, { eip: inPlace?.eip ?? cpu.eip, cs, eflags: realFlags(cpu.eflags), esp: cpu.esp, ss });
}
