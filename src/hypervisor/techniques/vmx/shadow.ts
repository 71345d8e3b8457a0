/**
 * Hardware-assisted virtualization by VT-x without EPT: guests run on shadow tables, and those without paging on an identity
 * table behind the CR0 shadow. Page faults and loads of CR3 leave the guest.
 * Spec: SDM Vol. 3C, "Information for VM Exits That Occur During Event Delivery", "Virtualizing Memory Resources" of "Address-
 * Translation Support".
 */

import { FAULT_CLASS } from "../../../hardware/cpu/exceptions.js";
import type { DeliveredEvent } from "../../../hardware/cpu/guest-operation.js";
import type { PagingState } from "../../../hardware/cpu/paging.js";
import { VECTOR } from "../../../hardware/cpu/processor.js";
import { type CpuState, FLAG, NULL_SEGMENT } from "../../../hardware/cpu/state.js";
import { VirtualProcessor } from "../../../hardware/virtual-processor/index.js";
import { eventOf, INTERRUPTION } from "../../../hardware/vmx/events.js";
import { REASON } from "../../../hardware/vmx/exit-reasons.js";
import type { FieldName } from "../../../hardware/vmx/fields.js";
import { countStep, stop } from "../../control.js";
import type { Host } from "../../host.js";
import { loadFloating, loadGeneral, savedFloating } from "../../registers.js";
import { noShadow } from "../../shadow/state.js";
import { withShadow } from "../../shadow/use.js";
import { type Answer, type Answered, emulate, type VirtualAccess } from "../emulation.js";
import type { Technique } from "../technique.js";
import { access, answer, answers, inject } from "./exits.js";
import { cr0Mask, cr4Mask, type VmxOwn, writeCourse } from "./guest-state.js";
import { setUp } from "./setup.js";
import { ownOf, readCpu, writeCpu } from "./state-access.js";
import { readAddress, readWord, write } from "./vmcs.js";
import { enter, vmxEpt } from "./vmx.js";

const VECTORING = "IDT-vectoring information field";

function isFault(information: number): boolean {
  const isException = ((information >>> INTERRUPTION.TYPE_SHIFT) & 7) === INTERRUPTION.TYPE.HARDWARE_EXCEPTION;
  return isException && ((FAULT_CLASS >>> (information & 31)) & 1) !== 0;
}

/** What was being delivered when the guest was left goes on being delivered by the entry. */
function deliverAgain(host: Host, number: number): void {
  const { port } = host;
  const information = readWord(port, VECTORING);
  if ((information & INTERRUPTION.VALID) === 0) return;
  write(port, "VM-entry interruption-information field", (information & ~INTERRUPTION.NMI_UNBLOCKING) >>> 0);
  if ((information & INTERRUPTION.ERROR_CODE) !== 0)
    write(port, "VM-entry exception error code", readWord(port, "IDT-vectoring error code"));
  write(port, "VM-entry instruction length", readWord(port, "VM-exit instruction length"));
  // The exit has saved RF for its own fault; of the frames that are pushed now, those of faults say RF.
  if (!isFault(information)) write(port, "Guest RFLAGS", (readWord(port, "Guest RFLAGS") & ~FLAG.RF) >>> 0);
  // What the hypervisor injected it has counted.
  if (!host.leftAtEntry) countStep(host, number);
}

/** What was being delivered when the guest was left; undefined where nothing was. */
function vectored({ port }: Host): DeliveredEvent | undefined {
  const event = eventOf(
    readWord(port, VECTORING),
    readWord(port, "IDT-vectoring error code"),
    readWord(port, "VM-exit instruction length"),
  );
  return event === "mtf" ? undefined : event;
}

/** The guest as it was before the page fault that it was left by, for which the exit has saved RF. */
function faulted(host: Host, number: number): CpuState {
  const cpu = readCpu(host, number);
  return { ...cpu, eflags: cpu.eflags & ~FLAG.RF };
}

/** It is delivered on the virtual processor, with whatever comes of that. */
function deliverHere(host: Host, number: number, event: DeliveredEvent): void {
  const processor = new VirtualProcessor(faulted(host, number), host.board(number));
  const outcome = processor.deliver(event);
  writeCpu(host, number, processor.cpu);
  if (outcome.kind === "triple-fault") stop(host, number, { reason: "triple-fault" });
  if (host.leftAtEntry) host.board(number).advance(host.board(number).now - 1);
  else host.change(number, { steps: host.vm(number).steps + 1 });
}

/** The guest's own page fault: in place of the instruction, or of what comes of it and the event that was being delivered. */
function reflect(host: Host, number: number, linear: number, errorCode: number): void {
  const event = vectored(host);
  if (event !== undefined) {
    deliverHere(host, number, event);
    return;
  }
  host.port.setSystem({ cr2: linear });
  inject(host, number, VECTOR.PF, errorCode);
}

/** The guest's paging: what shadow tables are made by. Nothing else of it leaves the VMCS. */
function pagingOf(host: Host, number: number): PagingState {
  const { port } = host;
  const own = ownOf(host, number);
  const { system } = host.vm(number).cpu;
  const seen = (real: FieldName, shadow: FieldName, mask: number): number =>
    (readWord(port, real) & ~mask) | (readWord(port, shadow) & mask);
  return {
    ...system,
    cr0: seen("Guest CR0", "CR0 read shadow", cr0Mask(own)),
    cr3: own.cr3,
    cr4: seen("Guest CR4", "CR4 read shadow", cr4Mask(own)),
  };
}

/** The instruction that has left the guest by a page fault is executed for it. Of what that left in the VMCS little is another then. */
function execute(host: Host, number: number): Answer {
  const before = faulted(host, number);
  const known: VirtualAccess = {
    ...access,
    read: () => before,
    readWhole: () => ({ ...before, floating: savedFloating(host.port.floating) }),
    writeWhole(_, __, cpu) {
      if (cpu.system !== before.system) {
        access.writeWhole(host, number, cpu);
        return;
      }
      writeCourse(host.port, cpu);
      loadGeneral(host.port, cpu);
      loadFloating(host.port.floating, cpu.floating);
      host.change(number, { cpu });
    },
  };
  return emulate(host, number, known);
}

/** A store to what is traced, by an instruction or by the delivery of an event, is made for the guest. */
function store(host: Host, number: number): Answer {
  const event = vectored(host);
  if (event === undefined) return { ...execute(host, number), effect: "traced store" };
  deliverHere(host, number, event);
  return { effect: "traced store" };
}

function pageFault(host: Host, number: number): Answer {
  const { port } = host;
  const ac = (readWord(port, "Guest RFLAGS") & FLAG.AC) !== 0;
  const linear = readAddress(port, "Exit qualification");
  const errorCode = readWord(port, "VM-exit interruption error code");
  const what = withShadow(host, number, pagingOf(host, number), (shadow) => shadow.fault(linear, errorCode, ac));
  if (what.kind === "device") return execute(host, number);
  if (what.kind === "traced") return store(host, number);
  if (what.kind === "reflected") {
    reflect(host, number, linear | 0, what.errorCode);
    return { effect: "#PF injected" };
  }
  deliverAgain(host, number);
  return { effect: "hidden page fault" };
}

/** Answers that differ from those with EPT. */
const ownAnswers: Readonly<Record<number, Answered>> = {
  [REASON.EXCEPTION_OR_NMI]: (host, number) => {
    const vector = readWord(host.port, "VM-exit interruption information") & 0xff;
    return vector === VECTOR.PF ? pageFault(host, number) : answers[REASON.EXCEPTION_OR_NMI]!(host, number);
  },
};

export const vmxShadow: Technique = {
  ...vmxEpt,

  prepare(host, number) {
    const { vmcs } = setUp(host, host.vm(number), false);
    write(host.port, "Exception bitmap", 1 << VECTOR.PF);
    const none = { vmcs, identity: undefined, launched: false, cr3: 0, tr: NULL_SEGMENT };
    return { ...none, shadow: noShadow } satisfies VmxOwn;
  },

  enter(host, number, how) {
    const cr3 = withShadow(host, number, pagingOf(host, number), (shadow) => shadow.cr3);
    write(host.port, "Guest CR3", cr3);
    enter(host, number, how);
  },

  exited: (host, number) => answer(host, number, ownAnswers),
};
