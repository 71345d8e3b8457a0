/** The places where the processor enters the kernel. */
import { type ProcessorPort, VECTOR } from "../hardware/cpu/processor.js";
import { registerAddress, setRegisterAddress } from "../hardware/cpu/quadwords.js";
import { FLAG } from "../hardware/cpu/state.js";
import { defineSupervisor, type HostAccess, type HostHandler } from "../hardware/supervisors.js";
import { endOfInterrupt, IRQ, startInterrupts } from "./arch/interrupts.js";
import { FIRST_IRQ, GATE_STRIDE, SELECTOR, SYSTEM_CALL_VECTOR } from "./arch/layout.js";
import { type Entered, pushFrame, R } from "./arch/registers.js";
import { raise, raisePageFault } from "./arch/traps.js";
import { vdsoEntries } from "./arch/vdso.js";
import { receive } from "./fs/console.js";
import "./fs/devpts.js";
import { mend, touchOf } from "./mm/faults.js";
import { proceed } from "./proceed.js";
import { start } from "./start.js";
import { callFromRegisters, serve, serveEntered } from "./syscalls/serve.js";
import { Work } from "./work.js";

const handler =
  (entered: Entered, work: (k: Work) => void): HostHandler =>
  (port: ProcessorPort, access: HostAccess) => {
    const k = new Work(port, access, entered);
    work(k);
    proceed(k);
    k.commit();
  };

/** Exceptions that push an error code. Spec: SDM Vol. 3A, "Protected-Mode Exceptions and Interrupts". */
const WITH_CODE: ReadonlySet<number> = new Set([8, 10, 11, 12, 13, 14, 17]);

/** Takes the error code off the stack: what lies below it leads back. */
function popCode(port: ProcessorPort): number {
  const at = registerAddress(port, R.SP);
  const code = port.readLinear(at, 4, false);
  setRegisterAddress(port, R.SP, at + 8);
  return code;
}

function exception(k: Work, vector: number): void {
  const code = WITH_CODE.has(vector) ? popCode(k.port) : 0;
  if (vector !== VECTOR.PF) {
    raise(k, vector, code);
    return;
  }
  const address = k.port.system.cr2;
  const failed = mend(k, k.task.space, address, touchOf(code));
  if (failed !== undefined) raisePageFault(k, failed, code, address);
}

/** SYSENTER leaves nothing of the program but its stack pointer, in EBP; the rest is as an interrupt would have pushed it. */
function enter(port: ProcessorPort): void {
  pushFrame(port, {
    rip: vdsoEntries().landing,
    cs: SELECTOR.userCode32,
    rflags: port.getEflags() | FLAG.IF,
    rsp: port.getRegister(R.BP),
    ss: SELECTOR.userData,
  });
}

export const handlers: Readonly<Record<string, HostHandler>> = Object.freeze({
  /** The startup code is through. */
  start: handler("gate", (k) => {
    startInterrupts(k.port);
    start(k);
  }),

  /** An interrupt has ended the HLT, and its gate is through. */
  idle: handler("gate", () => {}),

  /** SYSCALL. */
  systemCall: handler("call", (k) => serve(k, callFromRegisters(k, "x86_64"))),

  /** SYSENTER, from the page that 32-bit programs have for it. */
  systemEnter(port, access) {
    enter(port);
    const k = new Work(port, access, "gate");
    serveEntered(k);
    proceed(k);
    k.commit();
  },

  /** An exception, an interrupt, or INT 80h. */
  gate(port, access) {
    const k = new Work(port, access, "gate");
    const vector = (port.eip - k.state.places.gates) / GATE_STRIDE;
    const isInterrupt = vector >= FIRST_IRQ && vector < FIRST_IRQ + 16;
    if (isInterrupt) {
      endOfInterrupt(port, vector);
      if (vector === IRQ.serial) receive(k);
    } else if (vector === SYSTEM_CALL_VECTOR) serve(k, callFromRegisters(k, "i386"));
    else if (vector === VECTOR.NMI) {
      // What the operator wants is looked at when the kernel waits, or is entered otherwise.
      k.commit();
      return;
    } else exception(k, vector);
    // An interrupt of the waiting kernel leads back to where it waits, and from there to what there is to do.
    if (k.current !== 0 || !isInterrupt) proceed(k);
    k.commit();
  },
});

export const KIND = "kernel";
export const VERSION = 1;
defineSupervisor(KIND, { version: VERSION, handlers });
