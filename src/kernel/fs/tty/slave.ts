/** An open file of a terminal: the serial line, or the side of a pseudoterminal that programs sit at. Spec: tty(4), pty(7). */
import { E, Wait } from "../../errno.js";
import type { OpenFile } from "../../state.js";
import { may } from "../../tasks/capabilities.js";
import { wake } from "../../tasks/waiting.js";
import type { Work } from "../../work.js";
import { defineKind, mayWait, O, POLL } from "../kinds.js";
import type { Pipe } from "../pipes.js";
import { controlTerminal } from "./control.js";
import { type OutputLine, outputCharacter, transmit } from "./output.js";
import { isReadable, readTerminal } from "./reading.js";
import { acquireByOpening, requireForeground } from "./sessions.js";
import { setTerminal, type Terminal, terminalOf } from "./terminal.js";
import { LOCAL } from "./termios.js";

export const TERMINAL_KIND = "terminal";

/** An open file more. Throws EIO for a line that is gone or locked, EBUSY for one that somebody has to himself. */
export function openTerminal(
  k: Work,
  id: number,
  flags: number,
  controls: boolean,
): Pick<OpenFile, "kind" | "object" | "data"> {
  const { hungUp, exclusive, pty, opened } = terminalOf(k, id);
  if (hungUp || pty?.locked === true || pty?.masterOpen === false) throw E.EIO;
  if (exclusive && opened > 0 && !may(k, "CAP_SYS_ADMIN")) throw E.EBUSY;
  setTerminal(k, id, { opened: opened + 1, ...(pty === undefined ? {} : { pty: { ...pty, left: false } }) });
  if (controls && (flags & O.NOCTTY) === 0 && (flags & O.ACCMODE) !== O.WRONLY) acquireByOpening(k, id);
  return { kind: TERMINAL_KIND, object: id, data: undefined };
}

/** Bytes that a master's pipe takes at the most. */
const roomOf = (k: Work, { toMaster }: Terminal): number => {
  if (toMaster === undefined) return Number.POSITIVE_INFINITY;
  const { capacity, size } = k.objectOf<Pipe>(toMaster);
  return Math.max(0, capacity - size);
};

function write(k: Work, file: OpenFile, bytes: Uint8Array): number {
  const id = file.object;
  if ((terminalOf(k, id).termios.local & LOCAL.TOSTOP) !== 0) requireForeground(k, id, "SIGTTOU");
  const terminal = terminalOf(k, id);
  const { hungUp, pty, stopped, toMaster, termios, column } = terminal;
  if (hungUp || pty?.masterOpen === false) throw E.EIO;
  // A newline may become two characters, a tab eight.
  const room = Math.floor(roomOf(k, terminal) / 8);
  if (stopped || (room === 0 && bytes.length > 0)) {
    if (!mayWait(file)) throw E.EAGAIN;
    throw new Wait(stopped || toMaster === undefined ? [id] : [id, toMaster]);
  }
  const line: OutputLine = { column, out: [] };
  const count = Math.min(room, bytes.length);
  for (let at = 0; at < count; at++) outputCharacter(line, termios.output, bytes[at]!);
  transmit(k, terminal, line.out);
  setTerminal(k, id, { column: line.column });
  return count;
}

defineKind({
  name: TERMINAL_KIND,

  read: (k, file, length) => readTerminal(k, file.object, length, mayWait(file)),

  write,

  poll(k, { object }) {
    const terminal = terminalOf(k, object);
    const { hungUp, pty, stopped, toMaster } = terminal;
    let events = isReadable(terminal) ? POLL.IN | POLL.RDNORM : 0;
    if (hungUp || pty?.masterOpen === false) events |= POLL.IN | POLL.RDNORM | POLL.OUT | POLL.WRNORM | POLL.HUP;
    else if (!stopped && roomOf(k, terminal) >= 8) events |= POLL.OUT | POLL.WRNORM;
    return { events, on: toMaster === undefined ? [object] : [object, toMaster] };
  },

  control: (k, { object }, request, argument) => controlTerminal(k, object, request, argument),

  release(k, { object }) {
    const { opened, pty, toMaster } = terminalOf(k, object);
    const isLast = opened === 1 && pty !== undefined;
    setTerminal(k, object, { opened: opened - 1, ...(isLast ? { pty: { ...pty, left: true } } : {}) });
    if (!isLast) return;
    if (pty.masterOpen) wake(k, toMaster!);
    else k.setObject(object, undefined);
  },
});
