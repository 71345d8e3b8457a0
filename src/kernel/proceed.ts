/** What every handler ends with: which thread has the processor now, and how it goes on. */

import { setRegisterAddress } from "../hardware/cpu/quadwords.js";
import { setAlarm } from "./arch/interrupts.js";
import { PHYSICAL, PLACE } from "./arch/layout.js";
import { loadRegisters, loadTls } from "./arch/registers.js";
import { KERNEL_ROOT, useSpace } from "./mm/spaces.js";
import { doOrders } from "./orders.js";
import { serve } from "./syscalls/serve.js";
import { takeSignals } from "./tasks/delivery.js";
import { cpuOf, dispatch, enqueue, release, setCpu } from "./tasks/schedule.js";
import { hasSignal } from "./tasks/signals.js";
import { stopThread } from "./tasks/stops.js";
import { expire } from "./tasks/waiting.js";
import type { Work } from "./work.js";

const RSP = 4;
/** Where the stack is while the kernel waits: below the frame that leads back to programs. */
const IDLE_STACK = PHYSICAL + PLACE.stack - 0x400;

/** Lets the processor go on with a thread, or wait. */
export function proceed(k: Work): void {
  const { state } = k;
  expire(k);
  if (state.orders.length > 0) doOrders(k);
  while (!settle(k)) {
    // Until some thread can go on, or none.
  }
  if (k.current === 0) idle(k);
  else if (k.saved) resume(k);
  arm(k);
}

/** One step to a thread that can go on; true when it was found, or there is none. */
function settle(k: Work): boolean {
  if (k.current === 0) {
    const next = k.state.queue[0];
    if (next === undefined) return true;
    dispatch(k, next);
    if (k.process.stoppedBy !== undefined) stopThread(k);
    else useSpace(k, k.space.root);
    return false;
  }
  if (k.task.status.kind !== "running") {
    release(k);
    return false;
  }
  if (k.state.queue.length > 0 && k.now >= cpuOf(k).sliceEnd) {
    const tid = k.current;
    k.save();
    release(k);
    enqueue(k, tid);
    return false;
  }
  const { call } = k.task;
  if (call !== undefined && call.interrupted === undefined) {
    k.setTask(k.current, { call: undefined });
    serve(k, call);
    return false;
  }
  if (hasSignal(k)) {
    k.save();
    takeSignals(k);
    return false;
  }
  if (call === undefined) return true;
  // No handler has run: the wait goes on.
  k.setTask(k.current, { call: { ...call, interrupted: undefined } });
  return false;
}

function resume(k: Work): void {
  const { registers, tls } = k.task;
  loadTls(k.port, tls);
  loadRegisters(k.port, registers, k.state.places.back);
}

function idle(k: Work): void {
  useSpace(k, KERNEL_ROOT);
  setRegisterAddress(k.port, RSP, IDLE_STACK);
  k.port.nextEip = k.state.places.idle;
}

/** The timer fires when the next thing is due. */
function arm(k: Work): void {
  const { timers, queue } = k.state;
  const cpu = cpuOf(k);
  const due = Math.min(
    timers[0]?.at ?? Number.POSITIVE_INFINITY,
    queue.length > 0 && k.current !== 0 ? cpu.sliceEnd : Number.POSITIVE_INFINITY,
  );
  if (due === Number.POSITIVE_INFINITY || (cpu.alarm > k.now && cpu.alarm <= due + 168)) return;
  setCpu(k, { alarm: setAlarm(k.port, due) });
}
