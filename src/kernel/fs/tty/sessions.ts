/** Sessions, and the terminals that control them. Spec: credentials(7), "Process group ID and session ID"; tty_ioctl(4); setsid(2). */
import { E, Wait } from "../../errno.js";
import type { Process } from "../../state.js";
import { SIG } from "../../tasks/handlers.js";
import { actionOf, kernelSignal, maskBit, signalNumbers, signalProcess } from "../../tasks/signals.js";
import { wake } from "../../tasks/waiting.js";
import type { Work } from "../../work.js";
import { setTerminal, type Terminal, terminalOf } from "./terminal.js";

function members(k: Work, which: (process: Process) => boolean): Process[] {
  return [...k.state.processes.entries()].map(([, process]) => process).filter(which);
}

/** Sends a signal to every process of a group. */
export function signalGroup(k: Work, group: number, signal: number): void {
  if (group === 0) return;
  for (const { pid } of members(k, (process) => process.group === group && !process.ended))
    signalProcess(k, pid, kernelSignal(signal));
}

/** Whether nobody of a group's session is there to set it going again. Spec: setpgid(2), "Notes"; POSIX, "Orphaned Process Group". */
export function isOrphaned(k: Work, group: number): boolean {
  return members(k, (process) => process.group === group && !process.ended).every(({ parent, session }) => {
    const around = k.state.processes.get(parent);
    return around === undefined || around.session !== session || around.group === group;
  });
}

/** A process of the background that reads, writes or sets its terminal is stopped. Throws EIO where that cannot be. */
export function requireForeground(k: Work, id: number, signal: "SIGTTIN" | "SIGTTOU"): void {
  const { terminal, group } = k.process;
  if (terminal !== id) return;
  const foreground = terminalOf(k, id).group;
  if (foreground === 0 || foreground === group) return;
  const number = signalNumbers[signal];
  const { task } = k;
  if ((task.blocked & maskBit(number)) !== 0n || actionOf(k, task, number)?.handler === SIG.IGN) {
    if (signal === "SIGTTIN") throw E.EIO;
    return;
  }
  if (isOrphaned(k, group)) throw E.EIO;
  signalGroup(k, group, number);
  throw new Wait([id]);
}

/** The session of the process at work gets a terminal. */
export function acquire(k: Work, id: number): void {
  const { pid, session, group } = k.process;
  setTerminal(k, id, { session, group });
  k.setProcess(pid, { terminal: id });
}

/** A leader without a terminal gets the one it opens, unless another session has it. Spec: open(2), O_NOCTTY. */
export function acquireByOpening(k: Work, id: number): void {
  const { pid, session, terminal } = k.process;
  if (pid === session && terminal === undefined && terminalOf(k, id).session === 0) acquire(k, id);
}

/** The processes of a terminal's session have it no more. */
function leave(k: Work, id: number): void {
  const { session } = terminalOf(k, id);
  for (const { pid } of members(k, (process) => process.session === session && process.terminal === id))
    k.setProcess(pid, { terminal: undefined });
  setTerminal(k, id, { session: 0, group: 0 });
}

/** TIOCNOTTY: the leader takes the terminal from its whole session. */
export function giveUp(k: Work, id: number): void {
  const { pid, session } = k.process;
  if (pid !== session) {
    k.setProcess(pid, { terminal: undefined });
    return;
  }
  const { group } = terminalOf(k, id);
  leave(k, id);
  signalGroup(k, group, signalNumbers.SIGHUP);
  signalGroup(k, group, signalNumbers.SIGCONT);
}

/** A process has ended. With a session's leader the session loses its terminal. Spec: _exit(2), "Notes". */
export function endSession(k: Work, { pid, session, terminal: id }: Process): void {
  if (pid !== session || id === undefined) return;
  const terminal = k.state.objects.get(id) as Terminal | undefined;
  if (terminal === undefined || terminal.session !== session) return;
  leave(k, id);
  signalGroup(k, terminal.group, signalNumbers.SIGHUP);
  wake(k, id);
}

/** The line is gone: the session hears of it, and whoever has the terminal open reads its end. */
export function hangUp(k: Work, id: number): void {
  const { session, group } = terminalOf(k, id);
  setTerminal(k, id, { hungUp: true, lines: [], pending: "" });
  if (session !== 0) {
    leave(k, id);
    const leader = k.state.processes.get(session);
    if (leader !== undefined && !leader.ended) {
      signalProcess(k, session, kernelSignal(signalNumbers.SIGHUP));
      signalProcess(k, session, kernelSignal(signalNumbers.SIGCONT));
    }
    if (group !== session) {
      signalGroup(k, group, signalNumbers.SIGHUP);
      signalGroup(k, group, signalNumbers.SIGCONT);
    }
  }
  wake(k, id);
}
