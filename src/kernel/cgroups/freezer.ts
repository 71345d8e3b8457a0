/** The freezer: threads of a group and of all below it do nothing until it thaws. Spec: Linux, Documentation/admin-guide/cgroup-v2.rst "cgroup.freeze". */
import { dequeue, enqueue } from "../tasks/schedule.js";
import { wake } from "../tasks/waiting.js";
import type { Work } from "../work.js";
import { cgroupOf, changeCgroup, subtree, tasksIn, upwards } from "./records.js";

export function isFrozen(k: Work, cgroup: number): boolean {
  if (cgroup === k.state.initial.cgroupRoot) return false;
  for (const id of upwards(k, cgroup)) if (cgroupOf(k, id).freeze) return true;
  return false;
}

/** What a group's freezing, or its end, makes of the threads in it. The one at work is told when its handler is through. */
export function settleFrozen(k: Work, tid: number): void {
  const { status, cgroup } = k.taskOf(tid);
  const frozen = isFrozen(k, cgroup);
  if (status.kind === "ready" && frozen) {
    dequeue(k, tid);
    k.setTask(tid, { status: { kind: "frozen" } });
  } else if (status.kind === "frozen" && !frozen) enqueue(k, tid);
}

export function setFreeze(k: Work, id: number, freeze: boolean): void {
  if (cgroupOf(k, id).freeze === freeze) return;
  changeCgroup(k, id, { freeze });
  for (const one of subtree(k, id)) {
    for (const tid of tasksIn(k, one)) settleFrozen(k, tid);
    wake(k, one);
  }
}
