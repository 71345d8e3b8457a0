/** System calls that send signals, and wait for them. Spec: kill(2), tgkill(2), rt_sigqueueinfo(2), sigwaitinfo(2), pidfd_send_signal(2). */
import { E, Wait } from "../errno.js";
import { fileAt } from "../fs/descriptors.js";
import { readUser, writeUser } from "../mm/user-memory.js";
import { numberIn, pidInside, pidNamespaceOf, pidOutside } from "../namespaces/pid.js";
import type { PendingSignal, Process } from "../state.js";
import { capable } from "../tasks/capabilities.js";
import { pidfdProcess } from "../tasks/pidfd.js";
import { INFO_SIZE, infoBytes, SI } from "../tasks/signal-info.js";
import { hasSignal, MOST_SIGNAL, signalNumbers, signalProcess, signalTask, takeSignal } from "../tasks/signals.js";
import type { Work } from "../work.js";
import { call, type SystemCall } from "./call.js";
import { readMask } from "./signals.js";
import { readTime } from "./times.js";

/** Whether the thread at work may send a signal to a process. Spec: kill(2); Linux, check_kill_permission. */
function maySignal(k: Work, target: Process, signal: number): boolean {
  const own = k.task.credentials;
  const [tid] = target.threads;
  if (target.pid === k.task.process) return true;
  // A zombie takes signals, and nothing comes of them.
  const task = tid === undefined ? target.remains : k.taskOf(tid);
  if (task === undefined) return true;
  const { uid, suid } = task.credentials;
  if ([own.euid, own.uid].some((id) => id === suid || id === uid)) return true;
  if (capable(k, own, k.task.namespaces.user, "CAP_KILL", task.namespaces.user)) return true;
  return signal === signalNumbers.SIGCONT && target.session === k.process.session;
}

const requireSignal = (signal: number): void => {
  if (signal < 0 || signal > MOST_SIGNAL) throw E.EINVAL;
};

/** What the thread at work says of itself as a sender. */
function sent(k: Work, target: Process, signal: number, code: number): PendingSignal {
  const inside = target.numbers[0]?.namespace === k.process.numbers[0]?.namespace;
  const { uid } = k.task.credentials;
  const pid = numberIn(k, pidNamespaceOf(target), k.task.process);
  return { signal, code, pid, uid, value: 0, ...(inside ? {} : { forced: true }) };
}

/** Throws EPERM. */
function send(k: Work, target: Process, signal: number, code: number): void {
  if (!maySignal(k, target, signal)) throw E.EPERM;
  if (signal !== 0) signalProcess(k, target.pid, sent(k, target, signal, code));
}

/** Throws ESRCH. */
function processAt(k: Work, pid: number): Process {
  const found = k.state.processes.get(pidOutside(k, pid));
  if (found === undefined) throw E.ESRCH;
  return found;
}

/** Sends to several: it is enough that one of them may be sent to. */
function sendToAll(k: Work, targets: readonly Process[], signal: number): number {
  if (targets.length === 0) throw E.ESRCH;
  const allowed = targets.filter((target) => maySignal(k, target, signal));
  if (allowed.length === 0) throw E.EPERM;
  for (const { pid } of allowed) {
    const target = k.state.processes.get(pid);
    if (target !== undefined) send(k, target, signal, SI.USER);
  }
  return 0;
}

const all = (k: Work): readonly Process[] => [...k.state.processes.entries()].map(([, process]) => process);

function kill(k: Work, pid: number, signal: number): number {
  requireSignal(signal);
  if (pid > 0) {
    send(k, processAt(k, pid), signal, SI.USER);
    return 0;
  }
  if (pid === -1) return sendToAll(k, everyoneElse(k), signal);
  const group = pid === 0 ? k.process.group : pidOutside(k, -pid);
  return sendToAll(
    k,
    all(k).filter((process) => process.group === group && group !== 0),
    signal,
  );
}

/** All of the caller's PID namespace but its first process and the caller. */
function everyoneElse(k: Work): readonly Process[] {
  const own = k.process.numbers[0]?.namespace;
  return all(k).filter(
    ({ pid, numbers }) =>
      pid !== k.task.process && numbers.some(({ namespace, number }) => namespace === own && number !== 1),
  );
}

/** To one thread. */
function threadKill(k: Work, group: number, tid: number, signal: number, info?: PendingSignal): number {
  if (tid <= 0 || group === 0 || group < -1) throw E.EINVAL;
  const thread = pidOutside(k, tid);
  const task = k.state.tasks.get(thread);
  if (task === undefined || (group > 0 && task.process !== pidOutside(k, group))) throw E.ESRCH;
  requireSignal(signal);
  const target = k.processOf(task.process);
  if (!maySignal(k, target, signal)) throw E.EPERM;
  if (signal !== 0) signalTask(k, thread, info ?? sent(k, target, signal, SI.TKILL));
  return 0;
}

/** siginfo_t as a program gave it. Only the kernel may say that it is the kernel's. Throws EPERM. */
function givenInfo(k: Work, at: number, pid: number, signal: number): PendingSignal {
  const raw = readUser(k, at, INFO_SIZE);
  const view = new DataView(raw.buffer);
  const code = view.getInt32(8, true);
  if ((code >= 0 || code === SI.TKILL) && pid !== k.task.process) throw E.EPERM;
  return { signal, code, pid: pidInside(k, k.task.process), uid: k.task.credentials.uid, value: 0, raw };
}

function queue(k: Work, pid: number, signal: number, at: number): number {
  const info = givenInfo(k, at, pid, signal);
  if (pid <= 0) throw E.ESRCH;
  requireSignal(signal);
  const target = processAt(k, pid);
  if (!maySignal(k, target, signal)) throw E.EPERM;
  if (signal !== 0) signalProcess(k, target.pid, info);
  return 0;
}

/** sigtimedwait(2): takes a signal of a set, which is to be blocked. */
function awaitSignal(k: Work, setAt: number, infoAt: number, timeoutAt: number, size: number, wide: boolean): number {
  const mask = readMask(k, setAt, size);
  const begun = k.call.progress as { readonly until: number | null } | undefined;
  const until = begun !== undefined ? begun.until : timeoutAt === 0 ? null : k.now + readTime(k, timeoutAt, wide);
  const wanted = mask & ~0x4_0100n;
  const taken = takeSignal(k, wanted);
  k.setTask(k.current, { awaits: undefined });
  if (taken !== undefined) {
    if (infoAt !== 0) writeUser(k, infoAt, infoBytes(taken, k.call.abi === "x86_64"));
    return taken.signal;
  }
  if (until !== null && k.now >= until) throw E.EAGAIN;
  if (hasSignal(k)) throw E.EINTR;
  k.setTask(k.current, { awaits: wanted });
  throw new Wait([], until ?? undefined, { until }, "interrupt");
}

function pidfdSend(k: Work, fd: number, signal: number, at: number, flags: number): number {
  if (flags !== 0) throw E.EINVAL;
  const pid = pidfdProcess(fileAt(k, fd));
  const target = k.state.processes.get(pid);
  if (target === undefined) throw E.ESRCH;
  if (at === 0) {
    requireSignal(signal);
    send(k, target, signal, SI.USER);
    return 0;
  }
  const info = givenInfo(k, at, pid, signal);
  if (new DataView(info.raw!.buffer).getInt32(0, true) !== signal) throw E.EINVAL;
  requireSignal(signal);
  if (!maySignal(k, target, signal)) throw E.EPERM;
  if (signal !== 0) signalProcess(k, pid, info);
  return 0;
}

export const killCalls: readonly SystemCall[] = [
  call("kill", "pid:int sig:signal", kill),
  call("tkill", "tid:int sig:signal", (k, tid, signal) => threadKill(k, -1, tid, signal)),
  call("tgkill", "tgid:int tid:int sig:signal", (k, group, tid, signal) => {
    if (group <= 0) throw E.EINVAL;
    return threadKill(k, group, tid, signal);
  }),
  call("rt_sigqueueinfo", "tgid:int sig:signal info:pointer", (k, pid, signal, at) =>
    queue(k, pidOutside(k, pid), signal, at),
  ),
  call("rt_tgsigqueueinfo", "tgid:int tid:int sig:signal info:pointer", (k, group, tid, signal, at) => {
    if (tid <= 0 || group <= 0) throw E.EINVAL;
    return threadKill(k, group, tid, signal, givenInfo(k, at, pidOutside(k, tid), signal));
  }),
  call("rt_sigtimedwait", "set:pointer info:pointer timeout:pointer sigsetsize:size", (k, set, info, timeout, size) =>
    awaitSignal(k, set, info, timeout, size, k.call.abi === "x86_64"),
  ),
  call(
    "rt_sigtimedwait_time64",
    "set:pointer info:pointer timeout:pointer sigsetsize:size",
    (k, set, info, timeout, size) => awaitSignal(k, set, info, timeout, size, true),
  ),
  call("pidfd_send_signal", "pidfd:fd sig:signal info:pointer flags:flags", pidfdSend),
];
