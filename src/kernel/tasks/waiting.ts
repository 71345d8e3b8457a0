/**
 * Threads that wait: on channels, which are numbers of kernel objects, and for a time. Waking makes a thread ready; the call it waits in
 * is then made anew and finds out by itself whether it can go on.
 */
import type { Wait } from "../errno.js";
import type { PendingCall } from "../state.js";
import type { Work } from "../work.js";
import { enqueue } from "./schedule.js";

/** The thread at work sleeps in a call. */
export function sleep(k: Work, { on, until, progress, restart }: Wait, call: PendingCall): void {
  const tid = k.current;
  k.save();
  k.setTask(tid, {
    status: { kind: "waiting", on, until, interruptible: restart !== "never" },
    call: progress === undefined ? call : { ...call, progress },
  });
  let { waiters } = k.state;
  for (const channel of on) waiters = waiters.set(channel, [...(waiters.get(channel) ?? []), tid]);
  k.set({ waiters });
  if (until !== undefined) {
    const { timers } = k.state;
    const at = timers.findIndex((timer) => timer.at > until);
    k.set({ timers: timers.toSpliced(at < 0 ? timers.length : at, 0, { at: until, task: tid }) });
  }
}

/** A signal has come before the thread at work could sleep in a call: what becomes of that is said when the signal is taken. */
export function interrupt(k: Work, { progress, restart }: Wait, call: PendingCall): void {
  k.save();
  const remembered = progress === undefined ? call : { ...call, progress };
  k.setTask(k.current, { call: { ...remembered, interrupted: restart === "restart" ? "restart" : "interrupt" } });
}

/** A thread that waits is ready. */
export function wakeTask(k: Work, tid: number): void {
  const task = k.state.tasks.get(tid);
  if (task?.status.kind !== "waiting") return;
  let { waiters } = k.state;
  for (const channel of task.status.on) {
    const others = (waiters.get(channel) ?? []).filter((other) => other !== tid);
    waiters = waiters.set(channel, others.length === 0 ? undefined : others);
  }
  k.set({ waiters });
  if (task.status.until !== undefined) k.set({ timers: k.state.timers.filter((timer) => timer.task !== tid) });
  enqueue(k, tid);
}

/** Whoever waits on a channel looks again. */
export function wake(k: Work, channel: number): void {
  for (const tid of k.state.waiters.get(channel) ?? []) wakeTask(k, tid);
}

/** Threads whose time has come are ready. */
export function expire(k: Work): void {
  while (k.state.timers.length > 0 && k.state.timers[0]!.at <= k.now) wakeTask(k, k.state.timers[0]!.task);
}
