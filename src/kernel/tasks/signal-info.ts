/** siginfo_t as programs get it. Spec: sigaction(2), "The siginfo_t argument to a SA_SIGINFO handler"; Linux, include/uapi/asm-generic/siginfo.h. */
import type { PendingSignal } from "../state.js";
import { signalNumbers } from "./signal-numbers.js";

export const INFO_SIZE = 128;

/** si_code of signals that are not the hardware's. */
export const SI = { USER: 0, KERNEL: 0x80, QUEUE: -1, TIMER: -2, ASYNCIO: -4, TKILL: -6 } as const;
export const CLD = { EXITED: 1, KILLED: 2, DUMPED: 3, TRAPPED: 4, STOPPED: 5, CONTINUED: 6 } as const;

const { SIGILL, SIGFPE, SIGSEGV, SIGBUS, SIGTRAP, SIGCHLD, SIGSYS } = signalNumbers;
const WITH_ADDRESS: ReadonlySet<number> = new Set([SIGILL, SIGFPE, SIGSEGV, SIGBUS, SIGTRAP]);

/** All of its bytes, for programs of either width. */
export function infoBytes({ signal, code, pid, uid, value, more, raw }: PendingSignal, wide: boolean): Uint8Array {
  const bytes = new Uint8Array(INFO_SIZE);
  const view = new DataView(bytes.buffer);
  if (raw !== undefined) bytes.set(raw);
  view.setInt32(0, signal, true);
  if (raw !== undefined) return bytes;
  const fields = wide ? 16 : 12;
  const word = (offset: number, value: number): void => view.setInt32(fields + offset, value | 0, true);
  const long = (offset: number, value: number): void => {
    word(offset, value);
    if (wide) word(offset + 4, Math.floor(value / 2 ** 32));
  };
  view.setInt32(8, code, true);
  if (code > 0 && code !== SI.KERNEL && WITH_ADDRESS.has(signal)) long(0, value);
  else if (code > 0 && signal === SIGSYS) {
    long(0, value);
    word(wide ? 8 : 4, more![0]);
    word(wide ? 12 : 8, more![1]);
  } else if (code > 0 && signal === SIGCHLD) {
    [pid, uid, value].forEach((one, index) => {
      word(index * 4, one);
    });
    long(wide ? 16 : 12, more?.[0] ?? 0);
    long(wide ? 24 : 16, more?.[1] ?? 0);
  } else if (code === SI.TIMER) {
    word(0, more![0]);
    word(4, more![1]);
    long(8, value);
  } else {
    word(0, pid);
    word(4, uid);
    long(8, code === SI.QUEUE || code === SI.ASYNCIO ? value : 0);
  }
  return bytes;
}
