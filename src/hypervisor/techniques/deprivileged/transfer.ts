/**
 * Into a guest and out of it without VT-x: by IRET from privilege 0 outwards, and by the gates of the hypervisor's own interrupt table back.
 * Spec: SDM Vol. 2A, IRET; Vol. 3A, "Exception- or Interrupt-Handler Procedures".
 */
import { readPdptes } from "../../../hardware/cpu/control-registers.js";
import { interruptReturn } from "../../../hardware/cpu/interrupt-return.js";
import { models } from "../../../hardware/cpu/model.js";
import type { ProcessorPort } from "../../../hardware/cpu/processor.js";
import { CR0, CR4, EFER, FLAG, type SystemState } from "../../../hardware/cpu/state.js";
import { PLACE, TOP } from "../../layout.js";

const ESP = 4;
/** EIP, CS, EFLAGS, ESP, SS. */
const FRAME = 20;
const WITH_ERROR_CODE = new Set([8, 10, 11, 12, 13, 14, 17]);

/** What the processor's gate has left on the hypervisor's stack. */
export interface Left {
  readonly vector: number;
  readonly errorCode: number;
  readonly eip: number;
  readonly cs: number;
  readonly eflags: number;
  readonly esp: number;
}

type Words = Pick<ProcessorPort, "readPhysical">;

/** The guest as a gate has found it. */
export function leftBy(words: Words, vector: number): Left {
  const hasCode = WITH_ERROR_CODE.has(vector);
  const at = PLACE.stack - FRAME;
  const word = (index: number): number => words.readPhysical(at + 4 * index);
  const errorCode = hasCode ? words.readPhysical(at - 4) : 0;
  return { vector, errorCode, eip: word(0), cs: word(1) & 0xffff, eflags: word(2), esp: word(3) };
}

/** Flags that a guest has really: those of privilege are the hypervisor's, and it can be interrupted at any time. */
const VIRTUAL_FLAGS = FLAG.IF | FLAG.IOPL | FLAG.VM | FLAG.VIF | FLAG.VIP;

/** The guest's flags, from the real ones it was left with. */
export function virtualFlags(left: Pick<Left, "vector" | "eflags">, before: number): number {
  // Faults have RF set in what they push, whatever it was.
  const hidden = VIRTUAL_FLAGS | (left.vector < 32 ? FLAG.RF : 0);
  return (left.eflags & ~hidden) | (before & VIRTUAL_FLAGS);
}

const realFlags = (eflags: number): number => ((eflags & ~VIRTUAL_FLAGS) | FLAG.IF | FLAG.RESERVED) >>> 0;

const OWN_CR0 = CR0.MP | CR0.EM | CR0.TS | CR0.AM;
const OWN_CR4 = CR4.DE | CR4.PAE | CR4.OSFXSR | CR4.OSXMMEXCPT | CR4.SMAP;
const NO_PDPTES: readonly number[] = Object.freeze([]);

/** Control registers for a guest: the shadow tables, and what it wants of units and checks. */
export function loadControl(port: ProcessorPort, guest: SystemState, cr3: number): void {
  const paged = (guest.cr0 & CR0.PG) !== 0;
  const cr0 = (guest.cr0 & OWN_CR0) | CR0.PE | CR0.PG | CR0.WP | CR0.NE | CR0.ET;
  // RDTSC tells the host's time, so programs may not execute it; where there is UMIP they do not see the host's tables either.
  const kept = guest.cr4 & (paged ? OWN_CR4 : OWN_CR4 & ~(CR4.PAE | CR4.SMAP));
  const cr4 = kept | CR4.PSE | CR4.TSD | (models[guest.model].cr4 & CR4.UMIP);
  const efer = guest.efer & EFER.NXE;
  const { system } = port;
  const change = system.cr0 !== cr0 || system.cr4 !== cr4 || system.efer !== efer;
  if (!change && system.cr3 >>> 0 === cr3 >>> 0 && (cr4 & CR4.PAE) === 0) return;
  const pdptes = (cr4 & CR4.PAE) === 0 ? NO_PDPTES : readPdptes(port, cr3);
  port.setSystem({ cr0, cr3: cr3 | 0, cr4, efer, pdptes });
  port.invalidate();
}

/** Ends the handler in the guest. */
export function goInto(
  port: ProcessorPort,
  { eip, cs, eflags, esp, ss }: Omit<Left, "vector" | "errorCode"> & { readonly ss: number },
): void {
  const at = PLACE.stack - FRAME;
  for (const [index, value] of [eip, cs, realFlags(eflags), esp, ss].entries())
    port.writePhysical(at + 4 * index, value >>> 0);
  port.setRegister(ESP, TOP + at);
  interruptReturn(port, 4);
}
