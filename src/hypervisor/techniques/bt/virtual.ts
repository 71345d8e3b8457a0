/** The virtual processor of a guest under binary translation: the guest's state as a record, and what becomes of it by exits. */
import { Fault, vectorNames } from "../../../hardware/cpu/processor.js";
import { FLAG } from "../../../hardware/cpu/state.js";
import { type Outcome, VirtualProcessor } from "../../../hardware/virtual-processor/index.js";
import { stop } from "../../control.js";
import type { Host } from "../../host.js";
import { loadFloating, savedFloating } from "../../registers.js";
import { withShadow } from "../../shadow/use.js";
import { type Answer, emulate as emulateBy, type VirtualAccess } from "../emulation.js";

/** An event was delivered through the guest's own table, by its own rules. */
function delivered(host: Host, number: number, processor: VirtualProcessor, outcome: Outcome): void {
  host.change(number, { cpu: processor.cpu });
  if (outcome.kind === "triple-fault") stop(host, number, { reason: "triple-fault" });
  else if (outcome.kind === "unsupported") stop(host, number, { reason: "unsupported", detail: outcome.detail });
}

const processorOf = (host: Host, number: number): VirtualProcessor =>
  new VirtualProcessor(host.vm(number).cpu, host.board(number));

/** An exception in place of the guest's instruction. `linear`: the address of a page fault. */
export function inject(
  host: Host,
  number: number,
  vector: number,
  errorCode: number | undefined,
  linear?: number,
): void {
  const processor = processorOf(host, number);
  const outcome = processor.raise(new Fault(vector, errorCode), linear);
  delivered(host, number, processor, outcome);
  const { steps, counts } = host.vm(number);
  host.change(number, { steps: steps + 1, counts: { ...counts, exceptions: counts.exceptions + 1 } });
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

/** A page fault of the real processor. What is traced is stored on the virtual processor, with the translation of stores as it is. */
export function pageFault(host: Host, number: number, errorCode: number): Answer {
  const linear = host.port.system.cr2 >>> 0;
  const { system, eflags } = host.vm(number).cpu;
  const what = withShadow(host, number, system, (shadow) => shadow.fault(linear, errorCode, (eflags & FLAG.AC) !== 0));
  if (what.kind === "hidden") return { effect: "hidden page fault" };
  if (what.kind === "reflected") {
    inject(host, number, 14, what.errorCode, linear | 0);
    return { effect: `${vectorNames[14]} injected` };
  }
  const answer = emulate(host, number);
  if (what.kind !== "traced") return answer;
  withShadow(host, number, system, (shadow) => shadow.close());
  return { ...answer, effect: "traced store" };
}

/** STI and loads of SS keep interrupts out for an instruction more, which is executed at once. */
export function settle(host: Host, number: number): void {
  while (host.vm(number).status.kind === "ready" && host.vm(number).cpu.shadow !== "none") emulate(host, number);
}
