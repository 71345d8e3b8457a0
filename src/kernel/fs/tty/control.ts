/** ioctl(2) of terminals. Spec: ioctl_tty(2). */
import { E } from "../../errno.js";
import { readUser, readWord, writeUser, writeWord } from "../../mm/user-memory.js";
import { may } from "../../tasks/capabilities.js";
import { signalNumbers } from "../../tasks/signals.js";
import { wake } from "../../tasks/waiting.js";
import type { Work } from "../../work.js";
import type { Pipe } from "../pipes.js";
import { receive } from "./input.js";
import { acquire, giveUp, requireForeground, signalGroup } from "./sessions.js";
import { inputLength, setTerminal, type Terminal, terminalOf, type WindowSize } from "./terminal.js";
import { LOCAL, TERMIOS_BYTES, TERMIOS2_BYTES, type Termios, termiosBytes, termiosFrom } from "./termios.js";

/** Spec: Linux, include/uapi/asm-generic/ioctls.h. */
export const REQUEST = {
  ...{ TCGETS: 0x5401, TCSETS: 0x5402, TCSETSW: 0x5403, TCSETSF: 0x5404, TCSBRK: 0x5409, TCXONC: 0x540a },
  ...{ TCFLSH: 0x540b, TIOCEXCL: 0x540c, TIOCNXCL: 0x540d, TIOCSCTTY: 0x540e, TIOCGPGRP: 0x540f },
  ...{ TIOCSPGRP: 0x5410, TIOCOUTQ: 0x5411, TIOCSTI: 0x5412, TIOCGWINSZ: 0x5413, TIOCSWINSZ: 0x5414 },
  ...{ FIONREAD: 0x541b, TIOCNOTTY: 0x5422, TIOCSETD: 0x5423, TIOCGETD: 0x5424, TCSBRKP: 0x5425 },
  ...{ TIOCGSID: 0x5429, TCGETS2: 0x802c542a, TCSETS2: 0x402c542b, TCSETSW2: 0x402c542c, TCSETSF2: 0x402c542d },
  ...{ TIOCGPTN: 0x80045430, TIOCSPTLCK: 0x40045431, TIOCGDEV: 0x80045432, TIOCGPTLCK: 0x80045439 },
  ...{ TIOCGEXCL: 0x80045440, TIOCGPTPEER: 0x5441 },
} as const;

type Control = (k: Work, id: number, argument: number) => number;

const getTermios =
  (length: number): Control =>
  (k, id, argument) => {
    writeUser(k, argument, termiosBytes(terminalOf(k, id).termios, length));
    return 0;
  };

/** Whoever has raw characters has them as a line when lines are read again, and the other way round. */
function setTermios(k: Work, id: number, termios: Termios, flushes: boolean): void {
  const { lines, pending, termios: old } = terminalOf(k, id);
  setTerminal(k, id, { termios });
  if (flushes) setTerminal(k, id, { lines: [], pending: "" });
  else if (((old.local ^ termios.local) & LOCAL.ICANON) !== 0) {
    const all = lines.map(({ text }) => text).join("") + pending;
    const isLine = (termios.local & LOCAL.ICANON) !== 0 && all !== "";
    setTerminal(k, id, isLine ? { lines: [{ text: all, ended: true }], pending: "" } : { lines: [], pending: all });
  }
  wake(k, id);
}

const changeTermios =
  (length: number, flushes: boolean): Control =>
  (k, id, argument) => {
    const termios = termiosFrom(readUser(k, argument, length));
    requireForeground(k, id, "SIGTTOU");
    setTermios(k, id, termios, flushes);
    return 0;
  };

/** Output is out as soon as it is written: there is nothing to wait for, and no break to send. */
const drain: Control = (k, id) => {
  requireForeground(k, id, "SIGTTOU");
  return 0;
};

const FLUSH = { INPUT: 0, OUTPUT: 1, BOTH: 2 } as const;
const FLOW = { STOP: 0, START: 1, SEND_STOP: 2, SEND_START: 3 } as const;

function flush(k: Work, id: number, which: number): number {
  if (which < FLUSH.INPUT || which > FLUSH.BOTH) throw E.EINVAL;
  requireForeground(k, id, "SIGTTOU");
  if (which !== FLUSH.OUTPUT) setTerminal(k, id, { lines: [], pending: "" });
  return 0;
}

function flow(k: Work, id: number, action: number): number {
  if (action < FLOW.STOP || action > FLOW.SEND_START) throw E.EINVAL;
  requireForeground(k, id, "SIGTTOU");
  if (action <= FLOW.START) setTerminal(k, id, { stopped: action === FLOW.STOP });
  wake(k, id);
  return 0;
}

function getSize(k: Work, id: number, argument: number): number {
  writeUser(k, argument, new Uint8Array(Uint16Array.from(terminalOf(k, id).size).buffer));
  return 0;
}

export function setSize(k: Work, id: number, size: WindowSize): void {
  const { size: old, group } = terminalOf(k, id);
  if (size.every((value, index) => value === old[index])) return;
  setTerminal(k, id, { size });
  signalGroup(k, group, signalNumbers.SIGWINCH);
}

const changeSize: Control = (k, id, argument) => {
  const [rows, columns, width, height] = new Uint16Array(readUser(k, argument, 8).buffer) as unknown as WindowSize;
  setSize(k, id, [rows, columns, width, height]);
  return 0;
};

/** Throws ENOTTY unless it is the terminal of the process at work. */
function own(k: Work, id: number): Terminal {
  if (k.process.terminal !== id) throw E.ENOTTY;
  return terminalOf(k, id);
}

const setGroup: Control = (k, id, argument) => {
  const { session } = k.process;
  own(k, id);
  const group = readWord(k, argument) | 0;
  try {
    requireForeground(k, id, "SIGTTOU");
  } catch (thrown) {
    if (thrown === E.EIO) throw E.ENOTTY;
    throw thrown;
  }
  if (terminalOf(k, id).session !== session) throw E.ENOTTY;
  if (group < 0) throw E.EINVAL;
  const found = [...k.state.processes.entries()].find(([, process]) => process.group === group);
  if (found === undefined) throw E.ESRCH;
  if (found[1].session !== session) throw E.EPERM;
  setTerminal(k, id, { group });
  return 0;
};

/** Spec: ioctl_tty(2), "Controlling terminal". */
const control: Control = (k, id, argument) => {
  const { pid, session, terminal } = k.process;
  const { session: holder } = terminalOf(k, id);
  if (pid === session && holder === session) return 0;
  if (pid !== session || terminal !== undefined) throw E.EPERM;
  if (holder !== 0) {
    if (argument !== 1 || !may(k, "CAP_SYS_ADMIN")) throw E.EPERM;
    for (const [other, process] of k.state.processes.entries())
      if (process.terminal === id) k.setProcess(other, { terminal: undefined });
  }
  acquire(k, id);
  return 0;
};

const give =
  (value: (k: Work, id: number) => number): Control =>
  (k, id, argument) => {
    writeWord(k, argument, value(k, id));
    return 0;
  };

const exclusive =
  (on: boolean): Control =>
  (k, id) => {
    setTerminal(k, id, { exclusive: on });
    return 0;
  };

const controls: Readonly<Record<number, Control>> = {
  [REQUEST.TCGETS]: getTermios(TERMIOS_BYTES),
  [REQUEST.TCGETS2]: getTermios(TERMIOS2_BYTES),
  [REQUEST.TCSETS]: changeTermios(TERMIOS_BYTES, false),
  [REQUEST.TCSETSW]: changeTermios(TERMIOS_BYTES, false),
  [REQUEST.TCSETSF]: changeTermios(TERMIOS_BYTES, true),
  [REQUEST.TCSETS2]: changeTermios(TERMIOS2_BYTES, false),
  [REQUEST.TCSETSW2]: changeTermios(TERMIOS2_BYTES, false),
  [REQUEST.TCSETSF2]: changeTermios(TERMIOS2_BYTES, true),
  [REQUEST.TCSBRK]: drain,
  [REQUEST.TCSBRKP]: drain,
  [REQUEST.TCXONC]: flow,
  [REQUEST.TCFLSH]: flush,
  [REQUEST.TIOCEXCL]: exclusive(true),
  [REQUEST.TIOCNXCL]: exclusive(false),
  [REQUEST.TIOCGEXCL]: give((k, id) => (terminalOf(k, id).exclusive ? 1 : 0)),
  [REQUEST.TIOCSCTTY]: control,
  [REQUEST.TIOCGPGRP]: give((k, id) => own(k, id).group),
  [REQUEST.TIOCSPGRP]: setGroup,
  [REQUEST.TIOCGSID]: give((k, id) => own(k, id).session),
  [REQUEST.TIOCNOTTY]: (k, id) => {
    own(k, id);
    giveUp(k, id);
    return 0;
  },
  [REQUEST.TIOCOUTQ]: give((k, id) => {
    const { toMaster } = terminalOf(k, id);
    return toMaster === undefined ? 0 : k.objectOf<Pipe>(toMaster).size;
  }),
  [REQUEST.TIOCSTI]: (k, id, argument) => {
    if (k.process.terminal !== id && !may(k, "CAP_SYS_ADMIN")) throw E.EPERM;
    receive(k, id, readUser(k, argument, 1));
    return 0;
  },
  [REQUEST.TIOCGWINSZ]: getSize,
  [REQUEST.TIOCSWINSZ]: changeSize,
  [REQUEST.FIONREAD]: give((k, id) => inputLength(terminalOf(k, id), LOCAL.ICANON)),
  [REQUEST.TIOCGETD]: give((k, id) => terminalOf(k, id).termios.line),
  [REQUEST.TIOCSETD]: (k, id, argument) => {
    const discipline = readWord(k, argument);
    requireForeground(k, id, "SIGTTOU");
    if (discipline !== 0) throw E.EINVAL;
    return 0;
  },
  [REQUEST.TIOCGDEV]: give((k, id) => deviceWord(terminalOf(k, id).device)),
};

/** A device number as old programs have it. Spec: makedev(3); Linux, new_encode_dev. */
const deviceWord = (device: number): number => {
  const [major, minor] = [Math.floor(device / 2 ** 20), device % 2 ** 20];
  return (minor & 0xff) | (major << 8) | ((minor & ~0xff) << 12);
};

/** Throws ENOTTY for requests that terminals do not know, EIO when the line is gone. */
export function controlTerminal(k: Work, id: number, request: number, argument: number): number {
  const found = controls[request];
  if (found === undefined) throw E.ENOTTY;
  if (terminalOf(k, id).hungUp) throw request === REQUEST.TIOCSPGRP ? E.ENOTTY : E.EIO;
  return found(k, id, argument);
}
