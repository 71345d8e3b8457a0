/** A system call from beginning to end: found in the table, its arguments read, its result given to the program. */
import { R, withGeneral } from "../arch/registers.js";
import { E, Errno, Wait } from "../errno.js";
import { readWord } from "../mm/user-memory.js";
import type { Abi, PendingCall } from "../state.js";
import { hasSignal, isKilled } from "../tasks/signals.js";
import { interrupt, sleep } from "../tasks/waiting.js";
import type { Work } from "../work.js";
import { argumentValue } from "./call.js";
import { nameOfCall, servedCall } from "./table.js";

const ENOSYS = -38;
/** Encoding numbers of the registers that have arguments. Spec: syscall(2), "Architecture calling conventions". */
const ARGUMENTS = { x86_64: [7, 6, 2, 10, 8, 9], i386: [3, 1, 2, 6, 7, 5] } as const;

/** The call that the registers of the program at work ask for. */
export function callFromRegisters(k: Work, abi: Abi): PendingCall {
  const { port } = k;
  const number = port.getRegister(R.AX) | 0;
  const row = servedCall(abi, number);
  const wide = abi === "x86_64";
  const values: number[] = [];
  const count = row?.arguments.length ?? 6;
  for (let index = 0; index < count; index++) {
    const register = ARGUMENTS[abi][index]!;
    const kind = row?.arguments[index]?.[1] ?? "size";
    const high = wide ? port.getRegisterHigh(register) : 0;
    values.push(argumentValue(kind, port.getRegister(register), high, wide));
  }
  return { abi, number, arguments: values };
}

/** A call by SYSENTER: its last argument lies on the stack, where EBP points. Spec: Linux, do_fast_syscall_32. */
export function serveEntered(k: Work): void {
  try {
    k.port.setRegister(R.BP, readWord(k, k.port.getRegister(R.BP)));
  } catch (thrown) {
    if (!(thrown instanceof Errno)) throw thrown;
    k.port.setRegister(R.AX, -thrown.number);
    return;
  }
  serve(k, callFromRegisters(k, "i386"));
}

/** Makes a call of the thread at work. It may sleep, or have ended, afterwards. */
export function serve(k: Work, call: PendingCall): void {
  const caller = k.current;
  const row = servedCall(call.abi, call.number);
  k.call = call;
  let result = ENOSYS;
  try {
    if (row !== undefined) result = row.run(k, ...call.arguments);
  } catch (thrown) {
    if (thrown instanceof Wait) {
      if (thrown.restart === "never" ? isKilled(k) : hasSignal(k)) interrupt(k, thrown, call);
      else sleep(k, thrown, call);
      k.masked = false;
      return;
    }
    if (!(thrown instanceof Errno)) throw thrown;
    result = -thrown.number;
  }
  if (k.access.observes("syscall")) tell(k, caller, call, result);
  if (k.current !== caller || k.state.tasks.get(caller) === undefined) return;
  if (k.replaced) k.replaced = false;
  else setResult(k, result);
  if (k.masked) unmask(k, result);
}

/** The mask that the call had for its time goes, unless a handler is to run that may run under it. */
function unmask(k: Work, result: number): void {
  k.masked = false;
  const { savedMask } = k.task;
  if (savedMask === undefined || (result === -E.EINTR.number && hasSignal(k))) return;
  k.setTask(k.current, { blocked: savedMask, savedMask: undefined });
}

function tell(k: Work, task: number, { abi, number, arguments: values }: PendingCall, result: number): void {
  const row = servedCall(abi, number);
  k.access.note({
    kind: "syscall",
    tick: k.now,
    eip: k.port.eip,
    task,
    abi,
    name: nameOfCall(abi, number) ?? `syscall_${number}`,
    arguments: values,
    result,
    served: row !== undefined,
  });
}

function setResult(k: Work, result: number): void {
  if (k.saved) {
    const { registers } = k.task;
    k.setTask(k.current, { registers: withGeneral(registers, R.AX, result), call: undefined });
  } else k.port.setRegister(R.AX, result | 0, Math.floor(result / 2 ** 32));
}
