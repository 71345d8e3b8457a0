/**
 * SYSENTER and SYSEXIT: into ring 0 and back without a gate. CS and SS are made up, not read from a table: flat, and
 * selected by what lies behind IA32_SYSENTER_CS.
 * Spec: SDM Vol. 3A, "Performing Fast Calls to System Procedures with the SYSENTER and SYSEXIT Instructions".
 */
import { msrWord } from "../../cpu/msr.js";
import { Fault, type ProcessorPort, VECTOR } from "../../cpu/processor.js";
import { FLAG, type Segment } from "../../cpu/state.js";
import { type Definition, define } from "../instruction.js";
import { requireRing0 } from "./common.js";

const ECX = 1;
const EDX = 2;
const ESP = 4;

/** Present, 32 bits, page-granular; accessed code and accessed, writable data. The DPL goes to bits 5 and 6. */
const CODE = 0xc09b;
const DATA = 0xc093;
const flatSegment = (selector: number, access: number): Segment => ({ selector, base: 0, limit: 0xffffffff, access });

/** CS and SS of a privilege level. */
function loadFlat(port: ProcessorPort, selector: number, level: 0 | 3): void {
  port.setSegment("cs", flatSegment(selector | level, CODE | (level << 5)));
  port.setSegment("ss", flatSegment(((selector + 8) & 0xfffc) | level, DATA | (level << 5)));
}

/** The selector in IA32_SYSENTER_CS, without an RPL. */
function callSelector(port: ProcessorPort): number {
  if (port.mode === "real") throw new Fault(VECTOR.GP, 0, "fast-call-in-real-mode");
  const selector = msrWord(port, "IA32_SYSENTER_CS") & 0xfffc;
  if (selector === 0) throw new Fault(VECTOR.GP, 0, "fast-call-without-selector");
  return selector;
}

const definitions: readonly Definition[] = [
  {
    mnemonic: "SYSENTER",
    group: "system",
    summary: "Goes to the procedure that IA32_SYSENTER_CS, _ESP and _EIP name, at CPL 0 with interrupts off.",
    spec: "SDM Vol. 2B, SYSENTER—Fast System Call",
    forms: [["0F 34"]],
    needs: "SEP",
    system: (port) => {
      const selector = callSelector(port);
      port.setEflags(port.getEflags() & ~(FLAG.VM | FLAG.IF | FLAG.RF));
      loadFlat(port, selector, 0);
      port.setRegister(ESP, msrWord(port, "IA32_SYSENTER_ESP"));
      port.nextEip = msrWord(port, "IA32_SYSENTER_EIP");
    },
  },
  {
    mnemonic: "SYSEXIT",
    group: "system",
    summary: "Goes to EDX at CPL 3, with the stack at ECX.",
    spec: "SDM Vol. 2B, SYSEXIT—Fast Return from Fast System Call",
    forms: [["0F 35"]],
    needs: "SEP",
    system: (port) => {
      const selector = callSelector(port);
      requireRing0(port);
      loadFlat(port, (selector + 16) & 0xfffc, 3);
      port.setRegister(ESP, port.getRegister(ECX));
      port.nextEip = port.getRegister(EDX);
    },
  },
];

export const fastSystemCallRows = definitions.flatMap(define);
