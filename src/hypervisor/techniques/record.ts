/**
 * The virtual processor of a guest in outer rings: but for the floating-point registers it is a record of the VM, which is made when
 * the guest is left, changed here, and loaded when it goes on. Trap-and-emulate and binary translation work on this.
 */
import { DR6 } from "../../hardware/cpu/debug.js";
import { Fault, VECTOR, vectorNames } from "../../hardware/cpu/processor.js";
import { FLAG } from "../../hardware/cpu/state.js";
import { type Outcome, VirtualProcessor } from "../../hardware/virtual-processor/index.js";
import { stop } from "../control.js";
import type { Host } from "../host.js";
import { FIRST_IRQ } from "../layout.js";
import { loadFloating, savedFloating } from "../registers.js";
import { withShadow } from "../shadow/use.js";
import { type Answer, emulate as emulateBy, simulate, type VirtualAccess } from "./emulation.js";
import type { Technique } from "./technique.js";

const processorOf = (host: Host, number: number): VirtualProcessor =>
  new VirtualProcessor(host.vm(number).cpu, host.board(number));

/** An event was delivered through the guest's own table, by its own rules. */
function delivered(host: Host, number: number, processor: VirtualProcessor, outcome: Outcome): void {
  host.change(number, { cpu: processor.cpu });
  if (outcome.kind === "triple-fault") stop(host, number, { reason: "triple-fault" });
  else if (outcome.kind === "unsupported") stop(host, number, { reason: "unsupported", detail: outcome.detail });
}

/** An exception in place of the guest's instruction. `linear`: the address of a page fault. */
export function inject(
  host: Host,
  number: number,
  vector: number,
  errorCode: number | undefined,
  linear?: number,
): Answer {
  const processor = processorOf(host, number);
  const outcome = processor.raise(new Fault(vector, errorCode), linear);
  delivered(host, number, processor, outcome);
  const { steps, counts } = host.vm(number);
  host.change(number, { steps: steps + 1, counts: { ...counts, exceptions: counts.exceptions + 1 } });
  return { effect: `${vectorNames[vector] ?? `vector ${vector}`} injected` };
}

/** The debug exception behind an instruction that was executed with TF set. */
export function injectStep(host: Host, number: number): Answer {
  const processor = processorOf(host, number);
  const outcome = processor.deliver({ vector: VECTOR.DB, type: "exception" }, DR6.BS);
  delivered(host, number, processor, outcome);
  host.change(number, { steps: host.vm(number).steps + 1 });
  return { effect: "#DB injected" };
}

/** An interrupt of the guest's devices, whose step has been counted. */
export function interrupt(host: Host, number: number, vector: number): void {
  const processor = processorOf(host, number);
  const board = host.board(number);
  const outcome = processor.deliver({ vector, type: "interrupt" });
  board.advance(board.now - 1);
  delivered(host, number, processor, outcome);
}

export const access: VirtualAccess = {
  read: (host, number) => host.vm(number).cpu,
  write(host, number, cpu) {
    host.change(number, { cpu });
  },
  readWhole: (host, number) => ({ ...host.vm(number).cpu, floating: savedFloating(host.port.floating) }),
  writeWhole(host, number, cpu) {
    host.change(number, { cpu });
    loadFloating(host.port.floating, cpu.floating);
  },
  inject,
};

export const emulate = (host: Host, number: number): Answer => emulateBy(host, number, access);

/** Nothing is ever on its way to the guest that an entry would deliver. */
export const approach: NonNullable<Technique["approach"]> = (host, number, steps) => {
  simulate(host, number, access, steps);
  return true;
};

/** A page fault of the real processor. What is traced is stored on the virtual processor, with the translation of stores as it is. */
export function pageFault(host: Host, number: number, errorCode: number): Answer {
  const linear = host.port.system.cr2 >>> 0;
  const { system, eflags } = host.vm(number).cpu;
  const what = withShadow(host, number, system, (shadow) => shadow.fault(linear, errorCode, (eflags & FLAG.AC) !== 0));
  if (what.kind === "hidden") return { effect: "hidden page fault" };
  if (what.kind === "reflected") return inject(host, number, VECTOR.PF, what.errorCode, linear | 0);
  const answer = emulate(host, number);
  return what.kind === "traced" ? { ...answer, effect: "traced store" } : answer;
}

/** STI and loads of SS keep interrupts out for an instruction more, which is executed at once. */
export function settle(host: Host, number: number): void {
  while (host.vm(number).status.kind === "ready" && host.vm(number).cpu.shadow !== "none") emulate(host, number);
}

const IRQS = 16;

export const isHostInterrupt = (vector: number): boolean => vector >= FIRST_IRQ && vector < FIRST_IRQ + IRQS;

/** What left the guest, by the vector of the gate it came through. */
export function reasonOf(vector: number): string {
  if (isHostInterrupt(vector)) return "external interrupt";
  const name = vectorNames[vector];
  return name === undefined ? `interrupt ${vector.toString(16)}h` : `exception ${name}`;
}

export const interruptible = (host: Host, number: number): boolean => (host.vm(number).cpu.eflags & FLAG.IF) !== 0;

interface HasKernelRings {
  readonly guestKernelCpls: readonly number[];
}

/** Remembers the real privilege level at which code of the guest's ring 0 was seen. */
export function noteKernelRing(host: Host, number: number, ring: number): void {
  const own = host.vm(number).own as HasKernelRings;
  if (ring === 3 || own.guestKernelCpls.includes(ring)) return;
  host.change(number, { own: { ...own, guestKernelCpls: [...own.guestKernelCpls, ring] } as object });
}
