/**
 * What a signal does to the thread that takes it: ends it, stops it, or has it run a handler.
 * Spec: signal(7), "Execution of signal handlers", "Interruption of system calls and library functions by signal handlers".
 */
import { R, type UserRegisters, withGeneral } from "../arch/registers.js";
import { signalFrame32 } from "../arch/signal-frames-32.js";
import { signalFrame64 } from "../arch/signal-frames-64.js";
import { Errno, errnoNumbers } from "../errno.js";
import type { PendingCall, PendingSignal, SignalAction } from "../state.js";
import type { Work } from "../work.js";
import { exitProcess } from "./exit.js";
import { SIG } from "./handlers.js";
import { signalNumbers } from "./signal-numbers.js";
import {
  actionOf,
  forceSignal,
  IGNORED,
  isInit,
  kernelSignal,
  maskBit,
  STOPS,
  setAction,
  takeSignal,
} from "./signals.js";
import { isOrphaned, stopProcess } from "./stops.js";

/** Spec: sigaction(2). */
export const SA = {
  ...{ NOCLDSTOP: 1, NOCLDWAIT: 2, SIGINFO: 4, RESTORER: 0x0400_0000, ONSTACK: 0x0800_0000 },
  ...{ RESTART: 0x1000_0000, NODEFER: 0x4000_0000, RESETHAND: 0x8000_0000 },
} as const;

const { SIGSTOP, SIGSEGV } = signalNumbers;
const DUMPS: ReadonlySet<number> = new Set([3, 4, 5, 6, 7, 8, 11, 24, 25, 31]);
const CORE = 4;
const DUMPED = 0x80;

/** The thread at work takes a signal that waits for it, if there is one. It may have ended, or be stopped, afterwards. */
export function takeSignals(k: Work): void {
  const signal = takeSignal(k, ~k.task.blocked);
  if (signal === undefined) return;
  const action = actionOf(k, k.task, signal.signal);
  const handler = action?.handler ?? SIG.DFL;
  if (handler === SIG.IGN) return;
  if (handler === SIG.DFL) takeDefault(k, signal);
  else runHandler(k, signal, action!);
}

function takeDefault(k: Work, { signal, forced = false }: PendingSignal): void {
  if (IGNORED.has(signal)) return;
  const { process } = k;
  if (isInit(process) && !forced) return;
  if (STOPS.has(signal)) {
    if (signal === SIGSTOP || !isOrphaned(k, process.group)) stopProcess(k, signal);
    return;
  }
  const dumps = DUMPS.has(signal) && process.dumpable && process.limits[CORE]![0] > 0;
  exitProcess(k, signal | (dumps ? DUMPED : 0));
}

/** The registers once the call that the signal has ended is answered, or is to be made anew. */
function answered(registers: UserRegisters, call: PendingCall, { flags }: SignalAction): UserRegisters {
  const partial = (call.progress as { readonly written?: number } | undefined)?.written ?? 0;
  if (partial > 0) return withGeneral(registers, R.AX, partial);
  if (call.interrupted === "interrupt" || (flags & SA.RESTART) === 0)
    return withGeneral(registers, R.AX, -errnoNumbers.EINTR);
  // SYSCALL and INT n have two bytes; behind SYSENTER stands an INT 80h that does the same.
  return { ...withGeneral(registers, R.AX, call.number), rip: registers.rip - 2 };
}

function runHandler(k: Work, signal: PendingSignal, action: SignalAction): void {
  const { call, registers, blocked, savedMask } = k.task;
  const left = call === undefined ? registers : answered(registers, call, action);
  if ((action.flags & SA.RESETHAND) !== 0) setAction(k, signal.signal, { ...action, handler: SIG.DFL });
  const own = (action.flags & SA.NODEFER) === 0 ? maskBit(signal.signal) : 0n;
  k.setTask(k.current, { call: undefined, registers: left });
  try {
    const frame = k.space.bits === 64 ? signalFrame64 : signalFrame32;
    const entered = frame(k, left, signal, action, savedMask ?? blocked);
    k.setTask(k.current, { registers: entered, savedMask: undefined, blocked: blocked | action.mask | own });
  } catch (thrown) {
    if (!(thrown instanceof Errno)) throw thrown;
    k.setTask(k.current, { savedMask: undefined, blocked: savedMask ?? blocked });
    failFrame(k, signal.signal);
  }
}

/** A frame could not be written, or is none. A program whose handler of that was at fault gets no second try. */
export function failFrame(k: Work, signal = 0): void {
  if (signal === SIGSEGV) setAction(k, SIGSEGV, undefined);
  forceSignal(k, kernelSignal(SIGSEGV));
}
