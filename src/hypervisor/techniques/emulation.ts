/** What every technique does about an instruction that a guest may not execute by itself, and how that is accounted for. */
import type { DeliveredEvent } from "../../hardware/cpu/guest-operation.js";
import { Fault, vectorNames } from "../../hardware/cpu/processor.js";
import { type CpuState, FLAG } from "../../hardware/cpu/state.js";
import { VirtualProcessor } from "../../hardware/virtual-processor/index.js";
import { countStep, halt, stop } from "../control.js";
import { emulated } from "../emulate.js";
import type { Host } from "../host.js";
import { noted } from "../ledger.js";
import { runNested } from "../nested.js";
import { hasSeveral } from "../virtual-processors.js";
import { endTurn, simulateSeveral } from "../vm-turns.js";

/** What was done about an exit. */
export interface Answer {
  readonly effect: string;
  readonly instruction?: string;
}

export type Answered = (host: Host, number: number) => Answer;

/** Where a technique has the virtual processor of the current VM. */
export interface VirtualAccess {
  /** Without the floating-point registers, which stay where they are. */
  read(host: Host, number: number): CpuState;
  write(host: Host, number: number, cpu: CpuState): void;
  /** With them. */
  readWhole(host: Host, number: number): CpuState;
  writeWhole(host: Host, number: number, cpu: CpuState): void;
  /** An exception is delivered to the guest when it goes on. */
  inject(host: Host, number: number, vector: number, errorCode: number | undefined): void;
}

/** Counts an exception that the guest is given. */
export function countException(host: Host, number: number): void {
  countStep(host, number);
  const { counts } = host.vm(number);
  host.change(number, { counts: { ...counts, exceptions: counts.exceptions + 1 } });
}

/** Steps are made by the nested engine: what stands there has no meaning on a virtual processor, or an event is near. */
export function simulate(host: Host, number: number, access: VirtualAccess, steps = 1): void {
  if (hasSeveral(host.vm(number))) {
    const stopped = simulateSeveral(host, number, steps);
    if (stopped !== undefined) stop(host, number, stopped);
    return;
  }
  const { cpu, stop: why } = runNested(host, number, access.readWhole(host, number), steps);
  access.writeWhole(host, number, { ...cpu, halted: false });
  if (why.reason !== "limit" && why.reason !== "until") stop(host, number, why);
  else if (cpu.halted) halt(host, number, (cpu.eflags & FLAG.IF) !== 0);
}

/** The instruction at the guest's CS:EIP is executed on the virtual processor, by its own row of the instruction table. */
export function emulate(host: Host, number: number, access: VirtualAccess): Answer {
  const before = access.read(host, number);
  const { outcome, cpu, instruction } = emulated(host, number, before);
  switch (outcome.kind) {
    case "done":
    case "repeats":
      access.write(host, number, cpu.halted ? { ...cpu, halted: false } : cpu);
      host.change(number, { steps: host.vm(number).steps + 1 });
      if (instruction === "PAUSE") endTurn(host, number, "PAUSE");
      if (!cpu.halted) return { effect: "emulated", instruction };
      halt(host, number, (cpu.eflags & FLAG.IF) !== 0);
      return { effect: "halted", instruction };
    case "fault": {
      const { vector, errorCode } = outcome.fault;
      const { cr2 } = cpu.system;
      if (cr2 !== before.system.cr2) access.write(host, number, { ...before, system: { ...before.system, cr2 } });
      access.inject(host, number, vector, errorCode);
      return { effect: `${vectorNames[vector]} injected`, instruction };
    }
    case "triple-fault":
      stop(host, number, { reason: "triple-fault" });
      return { effect: "stopped", instruction };
    case "unsupported":
      stop(host, number, { reason: "unsupported", detail: outcome.detail });
      return { effect: "stopped", instruction };
    case "not-here":
      simulate(host, number, access);
      return { effect: "simulated", instruction };
  }
}

/**
 * An exception is delivered on the virtual processor, in place of the instruction that it stands in front of: of a VM with several, whose
 * turn may be over with that.
 */
export function raise(host: Host, number: number, access: VirtualAccess, vector: number, errorCode?: number): void {
  const processor = new VirtualProcessor(access.read(host, number), host.board(number));
  const outcome = processor.raise(new Fault(vector, errorCode));
  if (outcome.kind === "unsupported") {
    stop(host, number, { reason: "unsupported", detail: outcome.detail });
    return;
  }
  access.write(host, number, processor.cpu);
  const { steps, counts } = host.vm(number);
  host.change(number, { steps: steps + 1, counts: { ...counts, exceptions: counts.exceptions + 1 } });
  if (outcome.kind === "triple-fault") stop(host, number, { reason: "triple-fault" });
}

/** What was on its way to one of the guest's handlers when it was left is delivered on the virtual processor. */
export function deliverEvent(host: Host, number: number, access: VirtualAccess, event: DeliveredEvent): Answer {
  const processor = new VirtualProcessor(access.read(host, number), host.board(number));
  const outcome = processor.deliver(event);
  switch (outcome.kind) {
    case "done":
      access.write(host, number, processor.cpu);
      host.change(number, { steps: host.vm(number).steps + 1 });
      return { effect: "delivered" };
    case "unsupported":
      stop(host, number, { reason: "unsupported", detail: outcome.detail });
      return { effect: "stopped" };
    default:
      host.change(number, { steps: host.vm(number).steps + 1 });
      stop(host, number, { reason: "triple-fault" });
      return { effect: "stopped" };
  }
}

/** Writes an exit into the VM's ledger. */
export function note(host: Host, number: number, reason: string, code: number, answer: Answer): void {
  const vm = host.changed(number);
  const { effect, instruction = "" } = answer;
  vm.ledger = noted(vm.ledger, { reason, number: code, instruction, effect });
}
