/**
 * Hardware-assisted virtualization by VT-x without EPT: guests run on shadow tables, and those without paging on an identity
 * table behind the CR0 shadow. Page faults and loads of CR3 leave the guest.
 * Spec: SDM Vol. 3C, "Information for VM Exits That Occur During Event Delivery", "Virtualizing Memory Resources" of "Address-
 * Translation Support".
 */
import { VECTOR } from "../../../hardware/cpu/processor.js";
import { FLAG, NULL_SEGMENT } from "../../../hardware/cpu/state.js";
import { VirtualProcessor } from "../../../hardware/virtual-processor/index.js";
import { eventOf, INTERRUPTION } from "../../../hardware/vmx/events.js";
import { REASON } from "../../../hardware/vmx/exit-reasons.js";
import { countStep, stop } from "../../control.js";
import type { Host } from "../../host.js";
import { noShadow } from "../../shadow/state.js";
import { withShadow } from "../../shadow/use.js";
import type { Answer, Answered } from "../emulation.js";
import type { Technique } from "../technique.js";
import { answer, answers, emulate, inject } from "./exits.js";
import type { VmxOwn } from "./guest-state.js";
import { setUp } from "./setup.js";
import { endStep, stepOne, trapOfGuest } from "./single-step.js";
import { ownOf, readCpu, writeCpu } from "./state-access.js";
import { readAddress, readWord, write } from "./vmcs.js";
import { enter, vmxEpt } from "./vmx.js";

const VECTORING = "IDT-vectoring information field";

/** What was being delivered when the guest was left goes on being delivered by the entry. */
function deliverAgain(host: Host, number: number): void {
  const { port } = host;
  const information = readWord(port, VECTORING);
  if ((information & INTERRUPTION.VALID) === 0) return;
  write(port, "VM-entry interruption-information field", (information & ~INTERRUPTION.NMI_UNBLOCKING) >>> 0);
  if ((information & INTERRUPTION.ERROR_CODE) !== 0)
    write(port, "VM-entry exception error code", readWord(port, "IDT-vectoring error code"));
  write(port, "VM-entry instruction length", readWord(port, "VM-exit instruction length"));
  // What the hypervisor injected it has counted.
  if (!host.leftAtEntry) countStep(host, number);
}

/** The guest's own page fault: in place of the instruction, or of what comes of it and the event that was being delivered. */
function reflect(host: Host, number: number, linear: number, errorCode: number): void {
  const { port } = host;
  const event = eventOf(
    readWord(port, VECTORING),
    readWord(port, "IDT-vectoring error code"),
    readWord(port, "VM-exit instruction length"),
  );
  if (event === undefined || event === "mtf") {
    port.setSystem({ cr2: linear });
    inject(host, number, VECTOR.PF, errorCode);
    return;
  }
  const processor = new VirtualProcessor(readCpu(host, number), host.board(number));
  const outcome = processor.deliver(event);
  writeCpu(host, number, processor.cpu);
  if (outcome.kind === "triple-fault") stop(host, number, { reason: "triple-fault" });
  if (host.leftAtEntry) host.board(number).advance(host.board(number).now - 1);
  else host.change(number, { steps: host.vm(number).steps + 1 });
}

function pageFault(host: Host, number: number): Answer {
  const { port } = host;
  const { system, eflags } = readCpu(host, number);
  const linear = readAddress(port, "Exit qualification");
  const errorCode = readWord(port, "VM-exit interruption error code");
  const what = withShadow(host, number, system, (shadow) => shadow.fault(linear, errorCode, (eflags & FLAG.AC) !== 0));
  if (what.kind === "device") return emulate(host, number);
  if (what.kind === "reflected") {
    reflect(host, number, linear | 0, what.errorCode);
    return { effect: "#PF injected" };
  }
  deliverAgain(host, number);
  return { effect: what.kind === "traced" ? "traced store" : "hidden page fault" };
}

const closed = (host: Host, number: number): void => {
  const { system } = readCpu(host, number);
  withShadow(host, number, system, (shadow) => shadow.close());
};

/** Answers that differ from those with EPT. */
const ownAnswers: Readonly<Record<number, Answered>> = {
  [REASON.EXCEPTION_OR_NMI]: (host, number) => {
    const vector = readWord(host.port, "VM-exit interruption information") & 0xff;
    if (vector === VECTOR.PF) return pageFault(host, number);
    if (vector !== VECTOR.DB) return answers[REASON.EXCEPTION_OR_NMI]!(host, number);
    if ((readWord(host.port, "Guest RFLAGS") & FLAG.TF) !== 0) trapOfGuest(host, number);
    return { effect: "traced store made" };
  },
  [REASON.MONITOR_TRAP_FLAG]: () => ({ effect: "traced store made" }),
};

const isPageFault = ({ port }: Host): boolean =>
  readWord(port, "Exit reason") === REASON.EXCEPTION_OR_NMI &&
  (readWord(port, "VM-exit interruption information") & 0xff) === VECTOR.PF;

export const vmxShadow: Technique = {
  ...vmxEpt,

  prepare(host, number) {
    const vmcs = setUp(host, host.vm(number), false);
    write(host.port, "Exception bitmap", 1 << VECTOR.PF);
    const none = { vmcs, identity: undefined, launched: false, cr3: 0, tr: NULL_SEGMENT };
    return { ...none, shadow: noShadow } satisfies VmxOwn;
  },

  enter(host, number, how) {
    const { port } = host;
    const { system } = readCpu(host, number);
    const [cr3, isOpen] = withShadow(host, number, system, (shadow) => {
      if (how.vector !== undefined) shadow.close();
      return [shadow.cr3, shadow.isOpen] as const;
    });
    write(port, "Guest CR3", cr3);
    if (isOpen) stepOne(host, number);
    enter(host, number, how);
  },

  exited(host, number) {
    const { opened } = ownOf(host, number).shadow!;
    if (opened.length > 0) endStep(host, number);
    // Another page of the same store may be missing.
    if (opened.length > 0 && !isPageFault(host)) closed(host, number);
    answer(host, number, ownAnswers);
  },
};
