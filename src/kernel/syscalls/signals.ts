/** System calls on signals. Spec: sigaction(2), sigprocmask(2), kill(2). */
import { E } from "../errno.js";
import { readUser, writeUser } from "../mm/user-memory.js";
import type { SignalAction } from "../state.js";
import { MOST_SIGNAL, maskBit, signalNumbers } from "../tasks/signals.js";
import type { Work } from "../work.js";
import { call, type SystemCall } from "./call.js";

/** Signals that nobody can hold back. */
const UNBLOCKABLE = maskBit(signalNumbers.SIGKILL) | maskBit(signalNumbers.SIGSTOP);

function readMask(k: Work, at: number): bigint {
  return new DataView(readUser(k, at, 8).buffer).getBigUint64(0, true);
}

function maskBytes(mask: bigint): Uint8Array {
  const view = new DataView(new ArrayBuffer(8));
  view.setBigUint64(0, mask, true);
  return new Uint8Array(view.buffer);
}

function readAction(k: Work, at: number): SignalAction {
  const wide = k.call.abi === "x86_64";
  const view = new DataView(readUser(k, at, wide ? 32 : 20).buffer);
  const address = (offset: number): number =>
    wide ? view.getInt32(offset + 4, true) * 2 ** 32 + view.getUint32(offset, true) : view.getUint32(offset, true);
  const [flags, restorer, mask] = wide ? [8, 16, 24] : [4, 8, 12];
  return {
    handler: address(0),
    flags: view.getUint32(flags!, true),
    restorer: address(restorer!),
    mask: view.getBigUint64(mask!, true) & ~UNBLOCKABLE,
  };
}

function actionBytes(k: Work, action: SignalAction | undefined): Uint8Array {
  const wide = k.call.abi === "x86_64";
  const view = new DataView(new ArrayBuffer(wide ? 32 : 20));
  if (action === undefined) return new Uint8Array(view.buffer);
  const address = (offset: number, value: number): void => {
    view.setUint32(offset, value >>> 0, true);
    if (wide) view.setInt32(offset + 4, Math.floor(value / 2 ** 32), true);
  };
  address(0, action.handler);
  view.setUint32(wide ? 8 : 4, action.flags >>> 0, true);
  address(wide ? 16 : 8, action.restorer);
  view.setBigUint64(wide ? 24 : 12, action.mask, true);
  return new Uint8Array(view.buffer);
}

function setAction(k: Work, signal: number, newAt: number, oldAt: number, size: number): number {
  if (size !== 8 || signal < 1 || signal > MOST_SIGNAL) throw E.EINVAL;
  if (newAt !== 0 && (signal === signalNumbers.SIGKILL || signal === signalNumbers.SIGSTOP)) throw E.EINVAL;
  const action = newAt === 0 ? undefined : readAction(k, newAt);
  const table = k.state.handlers.get(k.task.handlers)!;
  if (oldAt !== 0) writeUser(k, oldAt, actionBytes(k, table.actions.get(signal)));
  if (action !== undefined)
    k.set({ handlers: k.state.handlers.set(table.id, { ...table, actions: table.actions.set(signal, action) }) });
  return 0;
}

const HOW = { BLOCK: 0, UNBLOCK: 1, SETMASK: 2 } as const;

function setMask(k: Work, how: number, newAt: number, oldAt: number, size: number): number {
  if (size !== 8) throw E.EINVAL;
  const { blocked } = k.task;
  const mask = newAt === 0 ? undefined : readMask(k, newAt) & ~UNBLOCKABLE;
  if (mask !== undefined && how !== HOW.BLOCK && how !== HOW.UNBLOCK && how !== HOW.SETMASK) throw E.EINVAL;
  if (oldAt !== 0) writeUser(k, oldAt, maskBytes(blocked));
  if (mask !== undefined)
    k.setTask(k.current, {
      blocked: how === HOW.BLOCK ? blocked | mask : how === HOW.UNBLOCK ? blocked & ~mask : mask,
    });
  return 0;
}

export const signalCalls: readonly SystemCall[] = [
  call("rt_sigaction", "signum:signal act:pointer oldact:pointer sigsetsize:size", setAction),
  call("rt_sigprocmask", "how:int set:pointer oldset:pointer sigsetsize:size", setMask),
];
