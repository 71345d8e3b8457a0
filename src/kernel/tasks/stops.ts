/** Processes that are stopped by a signal, and go on by another. Spec: signal(7), "Stop"; wait(2), WUNTRACED. */
import type { Work } from "../work.js";
import { SIG } from "./handlers.js";
import { dequeue, enqueue, release } from "./schedule.js";
import { CLD } from "./signal-info.js";
import { actionOf, signalNumbers, signalProcess } from "./signals.js";
import { wake } from "./waiting.js";

const SA_NOCLDSTOP = 1;
/** Wait status of a process that goes on. */
const CONTINUED = 0xffff;

/** Tells the parent, unless it does not want to hear of it. */
function tellParent(k: Work, pid: number, code: number, signal: number): void {
  const { parent, threads } = k.processOf(pid);
  const around = k.state.processes.get(parent);
  if (around === undefined || around.ended || around.threads.length === 0) return;
  const action = actionOf(k, k.taskOf(around.threads[0]!), signalNumbers.SIGCHLD);
  const { uid } = k.taskOf(threads[0]!).credentials;
  if (action?.handler !== SIG.IGN && ((action?.flags ?? 0) & SA_NOCLDSTOP) === 0)
    signalProcess(k, parent, { signal: signalNumbers.SIGCHLD, code, pid, uid, value: signal });
  wake(k, parent);
}

/** The process at work stops: its threads get no processor. Those that wait in calls stop when they would go on. */
export function stopProcess(k: Work, signal: number): void {
  const { pid, threads } = k.process;
  k.setProcess(pid, { stoppedBy: signal, stopReport: (signal << 8) | 0x7f });
  for (const tid of threads) {
    if (k.taskOf(tid).status.kind !== "ready") continue;
    dequeue(k, tid);
    k.setTask(tid, { status: { kind: "stopped" } });
  }
  const { current } = k;
  release(k);
  k.setTask(current, { status: { kind: "stopped" } });
  tellParent(k, pid, CLD.STOPPED, signal);
}

/** The thread that was given the processor is of a stopped process. */
export function stopThread(k: Work): void {
  const { current } = k;
  release(k);
  k.setTask(current, { status: { kind: "stopped" } });
}

/** A stopped process goes on. */
export function continueProcess(k: Work, pid: number, signal: number): void {
  const continued = signal === signalNumbers.SIGCONT;
  k.setProcess(pid, { stoppedBy: undefined, stopReport: continued ? CONTINUED : undefined });
  for (const tid of k.processOf(pid).threads) if (k.taskOf(tid).status.kind === "stopped") enqueue(k, tid);
  if (continued) tellParent(k, pid, CLD.CONTINUED, signal);
}

/** Whether nobody could continue the group: no member has a parent in another group of the session. Spec: POSIX, "Orphaned Process Group". */
export function isOrphaned(k: Work, group: number): boolean {
  for (const [, { group: own, parent, session, ended }] of k.state.processes.entries()) {
    if (own !== group || ended) continue;
    const around = k.state.processes.get(parent);
    if (around !== undefined && around.group !== group && around.session === session) return false;
  }
  return true;
}
