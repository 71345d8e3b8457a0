/** What an exception or interrupt that left a guest of an outer ring is answered with. */
import { DR6 } from "../../../hardware/cpu/debug.js";
import { Fault, VECTOR, vectorNames } from "../../../hardware/cpu/processor.js";
import { type CpuState, FLAG } from "../../../hardware/cpu/state.js";
import { type Outcome, VirtualProcessor } from "../../../hardware/virtual-processor/index.js";
import { halt, stop } from "../../control.js";
import { emulated } from "../../emulate.js";
import type { Host } from "../../host.js";
import { FIRST_IRQ } from "../../layout.js";
import { noted } from "../../ledger.js";
import { runNested } from "../../nested.js";
import { loadFloating, savedFloating } from "../../registers.js";
import { withShadow } from "../../shadow/use.js";
import { ownOf } from "./tables.js";

interface Answer {
  readonly effect: string;
  readonly instruction?: string;
}

/** Spec: SDM Vol. 3A, "Interrupt and Exception Handling", titles of the reference. */
const TITLES: Readonly<Record<number, string>> = Object.freeze({
  [VECTOR.DE]: "Divide error exception (#DE)",
  [VECTOR.DB]: "Debug exception (#DB)",
  [VECTOR.NMI]: "NMI interrupt",
  [VECTOR.BP]: "Breakpoint exception (#BP)",
  [VECTOR.OF]: "Overflow exception (#OF)",
  [VECTOR.BR]: "BOUND range exceeded exception (#BR)",
  [VECTOR.UD]: "Invalid opcode exception (#UD)",
  [VECTOR.NM]: "Device not available exception (#NM)",
  [VECTOR.DF]: "Double fault exception (#DF)",
  [VECTOR.TS]: "Invalid TSS exception (#TS)",
  [VECTOR.NP]: "Segment not present (#NP)",
  [VECTOR.SS]: "Stack fault exception (#SS)",
  [VECTOR.GP]: "General-protection exception (#GP)",
  [VECTOR.PF]: "Page-fault exception (#PF)",
  [VECTOR.MF]: "x87 FPU floating-point error (#MF)",
  [VECTOR.AC]: "Alignment check exception (#AC)",
  [VECTOR.MC]: "Machine-check exception (#MC)",
  [VECTOR.XM]: "SIMD floating-point exception (#XM)",
});
/** What may have been raised because the guest is not in the ring it thinks it is in: these are met again on the virtual processor. */
const OF_THE_RING: readonly number[] = [VECTOR.TS, VECTOR.NP, VECTOR.SS, VECTOR.GP];

/** Keeps what became of the virtual processor. */
function done(host: Host, number: number, outcome: Outcome, cpu: CpuState): void {
  host.change(number, { cpu });
  if (outcome.kind === "triple-fault") {
    host.change(number, { steps: host.vm(number).steps + 1 });
    stop(host, number, { reason: "triple-fault" });
  } else if (outcome.kind === "unsupported") stop(host, number, { reason: "unsupported", detail: outcome.detail });
  else host.change(number, { steps: host.vm(number).steps + 1 });
}

/** A fault of the guest's goes through its own IDT. */
function raise(host: Host, number: number, fault: Fault, linear?: number): Answer {
  const { cpu, counts } = host.vm(number);
  const processor = new VirtualProcessor(cpu, host.board(number));
  const outcome = processor.raise(fault, linear);
  done(host, number, outcome, processor.cpu);
  host.change(number, { counts: { ...counts, exceptions: counts.exceptions + 1 } });
  return { effect: `${vectorNames[fault.vector] ?? `vector ${fault.vector}`} delivered` };
}

/** A trap behind an instruction. */
function debugTrap(host: Host, number: number): Answer {
  const { cpu } = host.vm(number);
  const processor = new VirtualProcessor(cpu, host.board(number));
  done(host, number, processor.deliver({ vector: VECTOR.DB, type: "exception" }, DR6.BS), processor.cpu);
  return { effect: "#DB delivered" };
}

/** The instruction runs on a machine inside of this one: memory of devices, segments that end below the hypervisor. */
function simulate(host: Host, number: number, instruction: string): Answer {
  const { floating } = host.port;
  const run = runNested(host, number, { ...host.vm(number).cpu, floating: savedFloating(floating) }, 1);
  host.wroteAnything = true;
  loadFloating(floating, run.cpu.floating);
  host.change(number, { cpu: run.cpu });
  if (run.stop.reason !== "limit") stop(host, number, run.stop);
  else if (run.cpu.halted) halt(host, number, (run.cpu.eflags & FLAG.IF) !== 0);
  return { effect: "simulated", instruction };
}

/** The instruction is executed on the virtual processor, by its own row of the instruction table. */
function emulate(host: Host, number: number): Answer {
  const { outcome, cpu, instruction } = emulated(host, number, host.vm(number).cpu);
  switch (outcome.kind) {
    case "not-here":
      return simulate(host, number, instruction);
    case "fault":
      host.change(number, { cpu });
      return { ...raise(host, number, outcome.fault), instruction };
    case "done":
    case "repeats":
      done(host, number, outcome, cpu);
      if (cpu.halted) halt(host, number, (cpu.eflags & FLAG.IF) !== 0);
      return { effect: cpu.halted ? "halted" : "emulated", instruction };
    default:
      done(host, number, outcome, cpu);
      return { effect: "stopped", instruction };
  }
}

function pageFault(host: Host, number: number, errorCode: number): Answer {
  const { cpu } = host.vm(number);
  const linear = host.port.system.cr2 >>> 0;
  const what = withShadow(host, number, cpu.system, (shadow) =>
    shadow.fault(linear, errorCode, (cpu.eflags & FLAG.AC) !== 0),
  );
  switch (what.kind) {
    case "hidden":
      return { effect: "hidden page fault" };
    case "traced":
      return { effect: "traced store" };
    case "reflected":
      return raise(host, number, new Fault(VECTOR.PF, what.errorCode), linear | 0);
    default:
      return emulate(host, number);
  }
}

/** The store that was let through is made. */
const close = (host: Host, number: number): void => {
  const { system } = host.vm(number).cpu;
  const { frames } = ownOf(host, number);
  const closed = withShadow(host, number, system, (shadow) => shadow.close());
  for (const frame of closed)
    if (frames.includes(frame)) host.change(number, { own: { ...ownOf(host, number), tables: "" } });
};

function answerTo(host: Host, number: number, vector: number, errorCode: number | undefined): Answer {
  const { stepping } = ownOf(host, number);
  if (vector === VECTOR.PF) return pageFault(host, number, errorCode!);
  close(host, number);
  if (vector >= FIRST_IRQ) return { effect: "host interrupt" };
  if (vector === VECTOR.DB) {
    const own = (host.vm(number).cpu.eflags & FLAG.TF) !== 0;
    return stepping && !own ? { effect: "traced store made" } : debugTrap(host, number);
  }
  if (OF_THE_RING.includes(vector) || (vector === VECTOR.UD && host.vm(number).supervisors !== undefined))
    return emulate(host, number);
  return raise(host, number, new Fault(vector, errorCode));
}

/** Answers what left the guest, and writes it into the VM's ledger. */
export function answer(host: Host, number: number, vector: number, errorCode: number | undefined): void {
  const what = answerTo(host, number, vector, errorCode);
  const reason = TITLES[vector] ?? "External interrupt";
  const { ledger } = host.vm(number);
  host.change(number, { ledger: noted(ledger, { reason, number: vector, ...what }) });
}
