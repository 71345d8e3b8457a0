/** System calls that await children. Spec: wait(2), wait4(2), waitid(2). */
import { E, Wait } from "../errno.js";
import { fileAt } from "../fs/descriptors.js";
import { writeUser, writeWord } from "../mm/user-memory.js";
import { pidInside, pidOutside } from "../namespaces/pid.js";
import type { Process } from "../state.js";
import { endOf, reap } from "../tasks/exit.js";
import { pidfdProcess } from "../tasks/pidfd.js";
import { CLD, infoBytes } from "../tasks/signal-info.js";
import { signalNumbers } from "../tasks/signals.js";
import type { Work } from "../work.js";
import { call, type SystemCall } from "./call.js";
import { isWide } from "./times.js";
import { writeUsage } from "./usage.js";

const W = {
  ...{ NOHANG: 1, UNTRACED: 2, EXITED: 4, CONTINUED: 8, NOWAIT: 0x100_0000 },
  ...{ NOTHREAD: 0x2000_0000, ALL: 0x4000_0000, CLONE: 0x8000_0000 },
} as const;
const CONTINUED = 0xffff;

/** Whether a child is one of those that are waited for. Spec: waitpid(2), "The value of pid can be". */
function isMeant(k: Work, child: Process, pid: number): boolean {
  if (pid > 0) return child.pid === pidOutside(k, pid);
  if (pid === -1) return true;
  return child.group === (pid === 0 ? k.process.group : pidOutside(k, -pid));
}

/** Those that tell their end by another signal than SIGCHLD are only awaited where that is asked for. */
function isOfKind({ exitSignal }: Process, options: number): boolean {
  if ((options & W.ALL) !== 0) return true;
  return (exitSignal !== signalNumbers.SIGCHLD) === ((options & W.CLONE) !== 0);
}

/** What there is to tell of a child. */
interface Report {
  readonly child: Process;
  readonly status: number;
  readonly ended: boolean;
}

/** The first report there is. Throws ECHILD, or Wait. */
function firstReport(k: Work, meant: (child: Process) => boolean, options: number): Report | undefined {
  const children = k.process.children
    .map((child) => k.processOf(child))
    .filter((child) => meant(child) && isOfKind(child, options));
  if (children.length === 0) throw E.ECHILD;
  for (const child of children) {
    const { ended, status, stopReport } = child;
    if (ended && (options & W.EXITED) !== 0) return { child, status: status!, ended };
    if (ended || stopReport === undefined) continue;
    const asked = stopReport === CONTINUED ? W.CONTINUED : W.UNTRACED;
    if ((options & asked) !== 0) return { child, status: stopReport, ended };
  }
  if ((options & W.NOHANG) !== 0) return undefined;
  throw new Wait([k.process.pid]);
}

/** It was told, and is not told again. */
function tell(k: Work, { child, ended }: Report, options: number): void {
  if ((options & W.NOWAIT) !== 0) return;
  if (ended) reap(k, child.pid);
  else k.setProcess(child.pid, { stopReport: undefined });
}

function wait4(k: Work, pid: number, statusAt: number, options: number, usageAt: number): number {
  if ((options & ~(W.NOHANG | W.UNTRACED | W.CONTINUED | W.NOTHREAD | W.CLONE | W.ALL)) !== 0) throw E.EINVAL;
  if (pid === -0x8000_0000) throw E.ESRCH;
  const report = firstReport(k, (child) => isMeant(k, child, pid), options | W.EXITED);
  if (report === undefined) return 0;
  if (statusAt !== 0) writeWord(k, statusAt, report.status);
  if (usageAt !== 0) writeUsage(k, usageAt, report.child.childrenRan);
  const number = pidInside(k, report.child.pid);
  tell(k, report, options);
  return number;
}

const P = { ALL: 0, PID: 1, PGID: 2, PIDFD: 3 } as const;

/** Which children waitid(2) means. Throws EINVAL, EBADF. */
function meantBy(k: Work, type: number, id: number): (child: Process) => boolean {
  switch (type) {
    case P.ALL:
      return () => true;
    case P.PID:
      if (id <= 0) throw E.EINVAL;
      return ({ pid }) => pid === pidOutside(k, id);
    case P.PGID: {
      if (id < 0) throw E.EINVAL;
      const wanted = id === 0 ? k.process.group : pidOutside(k, id);
      return ({ group }) => group === wanted;
    }
    case P.PIDFD: {
      if (id < 0) throw E.EINVAL;
      const wanted = pidfdProcess(fileAt(k, id));
      return ({ pid }) => pid === wanted;
    }
    default:
      throw E.EINVAL;
  }
}

function reasonOf({ status, ended }: Report): { readonly code: number; readonly value: number } {
  if (ended) return endOf(status);
  if (status === CONTINUED) return { code: CLD.CONTINUED, value: signalNumbers.SIGCONT };
  return { code: CLD.STOPPED, value: status >> 8 };
}

function waitid(k: Work, type: number, id: number, infoAt: number, options: number, usageAt: number): number {
  const known = W.NOHANG | W.NOWAIT | W.EXITED | W.UNTRACED | W.CONTINUED | W.NOTHREAD | W.CLONE | W.ALL;
  if ((options & ~known) !== 0 || (options & (W.EXITED | W.UNTRACED | W.CONTINUED)) === 0) throw E.EINVAL;
  const report = firstReport(k, meantBy(k, type, id), options);
  if (report !== undefined && usageAt !== 0) writeUsage(k, usageAt, report.child.childrenRan);
  if (infoAt !== 0) {
    const { pid, uid } = {
      pid: report === undefined ? 0 : pidInside(k, report.child.pid),
      uid: report?.child.uid ?? 0,
    };
    const info = report === undefined ? undefined : { signal: signalNumbers.SIGCHLD, ...reasonOf(report), pid, uid };
    // Only the fields that say something are written.
    const bytes = info === undefined ? new Uint8Array(128) : infoBytes(info, isWide(k));
    writeUser(k, infoAt, bytes.subarray(0, 12));
    const fields = isWide(k) ? 16 : 12;
    writeUser(k, infoAt + fields, bytes.subarray(fields, fields + 12));
  }
  if (report !== undefined) tell(k, report, options);
  return 0;
}

export const waitCalls: readonly SystemCall[] = [
  call("wait4", "pid:int wstatus:pointer options:flags rusage:pointer", wait4),
  call("waitpid", "pid:int wstatus:pointer options:flags", (k, pid, status, options) =>
    wait4(k, pid, status, options, 0),
  ),
  call("waitid", "idtype:int id:int infop:pointer options:flags rusage:pointer", waitid),
];
