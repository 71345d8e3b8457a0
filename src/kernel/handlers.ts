/** The places where the processor enters the kernel. */
import { type ProcessorPort, VECTOR } from "../hardware/cpu/processor.js";
import { registerAddress, setRegisterAddress } from "../hardware/cpu/quadwords.js";
import { defineSupervisor, type HostAccess, type HostHandler } from "../hardware/supervisors.js";
import { endOfInterrupt, IRQ, setAlarm, startInterrupts } from "./arch/interrupts.js";
import { FIRST_IRQ, GATE_STRIDE, SYSTEM_CALL_VECTOR } from "./arch/layout.js";
import { type Entered, R } from "./arch/registers.js";
import { receive } from "./fs/console.js";
import "./fs/devpts.js";
import { mend, touchOf } from "./mm/faults.js";
import { proceed } from "./proceed.js";
import { start } from "./start.js";
import { callFromRegisters, serve } from "./syscalls/serve.js";
import { setCpu } from "./tasks/schedule.js";
import { forceSignal, signalNumbers } from "./tasks/signals.js";
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

/** What a program's exception is told it as. Spec: Linux, arch/x86/kernel/traps.c. */
const SIGNALS: Readonly<Record<number, number>> = {
  [VECTOR.DE]: signalNumbers.SIGFPE,
  [VECTOR.DB]: signalNumbers.SIGTRAP,
  [VECTOR.BP]: signalNumbers.SIGTRAP,
  [VECTOR.OF]: signalNumbers.SIGSEGV,
  [VECTOR.BR]: signalNumbers.SIGSEGV,
  [VECTOR.UD]: signalNumbers.SIGILL,
  [VECTOR.NP]: signalNumbers.SIGBUS,
  [VECTOR.SS]: signalNumbers.SIGBUS,
  [VECTOR.GP]: signalNumbers.SIGSEGV,
  [VECTOR.MF]: signalNumbers.SIGFPE,
  [VECTOR.AC]: signalNumbers.SIGBUS,
  [VECTOR.XM]: signalNumbers.SIGFPE,
};

/** Takes the error code off the stack: what lies below it leads back. */
function popCode(port: ProcessorPort): number {
  const at = registerAddress(port, R.SP);
  const code = port.readLinear(at, 4, false);
  setRegisterAddress(port, R.SP, at + 8);
  return code;
}

function exception(k: Work, vector: number): void {
  const code = WITH_CODE.has(vector) ? popCode(k.port) : 0;
  let address = 0;
  if (vector === VECTOR.PF) {
    address = k.port.system.cr2;
    const failed = mend(k, k.task.space, address, touchOf(code));
    if (failed === undefined) return;
    const signal = failed === "behind the file" ? signalNumbers.SIGBUS : signalNumbers.SIGSEGV;
    const killed = failed === "out of memory";
    forceSignal(k, {
      signal: killed ? signalNumbers.SIGKILL : signal,
      code: failed === "not allowed" ? 2 : 1,
      ...{ pid: 0, uid: 0, value: address },
    });
    return;
  }
  const signal = SIGNALS[vector] ?? signalNumbers.SIGSEGV;
  forceSignal(k, { signal, code: 0x80, pid: 0, uid: 0, value: 0 });
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
      // What the operator wants is looked at when the kernel waits, or is entered otherwise: at the latest by the timer.
      if (k.current !== 0 && k.state.orders.length > 0) setCpu(k, { alarm: setAlarm(port, k.now) });
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
