/** A terminal as a record: the machine's serial line, or a pseudoterminal. Spec: tty(4), pty(7). */
import type { Location } from "../../state.js";
import type { Work } from "../../work.js";
import type { Termios } from "./termios.js";

/** A line that can be read; `ended` says that an end-of-file character has ended it, which is not part of it. */
export interface Line {
  readonly text: string;
  readonly ended: boolean;
}

/** Rows, columns, and pixels. Spec: ioctl_tty(2), "Get and set window size". */
export type WindowSize = readonly [rows: number, columns: number, width: number, height: number];

export interface Terminal {
  readonly kind: "terminal";
  readonly name: string;
  /** Major and minor number. */
  readonly device: number;
  /** Of a pseudoterminal: what its master has still to read, as a pipe; undefined for the serial line. */
  readonly toMaster: number | undefined;
  readonly termios: Termios;
  readonly size: WindowSize;
  /** Lines that are complete, bytes as characters below 256. */
  readonly lines: readonly Line[];
  /** The line that is being typed; without canonical mode, all that came in. */
  readonly pending: string;
  /** Columns of the output line, and where the typed line begins in it. */
  readonly column: number;
  readonly lineColumn: number;
  /** The next character stands for itself. */
  readonly literal: boolean;
  /** Output rests: Ctrl-S. */
  readonly stopped: boolean;
  /** The session it controls, and the foreground process group; 0 for none. */
  readonly session: number;
  readonly group: number;
  /** Open files of it, those of its master apart. */
  readonly opened: number;
  readonly exclusive: boolean;
  /** The line is gone: reads are at the end, writes fail. */
  readonly hungUp: boolean;
  /** Of a pseudoterminal. */
  readonly pty: PseudoTerminal | undefined;
}

export interface PseudoTerminal {
  readonly index: number;
  /** Where its device file stands. */
  readonly place: Location;
  readonly fileSystem: number;
  readonly locked: boolean;
  readonly masterOpen: boolean;
  /** It was open at its other side, and is not any more. */
  readonly left: boolean;
}

export const newTerminal = (what: Pick<Terminal, "name" | "device" | "termios"> & Partial<Terminal>): Terminal => ({
  kind: "terminal",
  toMaster: undefined,
  size: [0, 0, 0, 0],
  lines: [],
  ...{ pending: "", column: 0, lineColumn: 0, literal: false, stopped: false, session: 0, group: 0, opened: 0 },
  ...{ exclusive: false, hungUp: false, pty: undefined },
  ...what,
});

export const terminalOf = (k: Work, id: number): Terminal => k.objectOf<Terminal>(id);
export const setTerminal = (k: Work, id: number, change: Partial<Terminal>): void =>
  k.changeObject<Terminal>(id, change);

/** What a terminal has to be read, as characters. */
export const inputLength = ({ lines, pending, termios }: Terminal, canonical: number): number =>
  lines.reduce((sum, { text }) => sum + text.length, 0) + ((termios.local & canonical) === 0 ? pending.length : 0);
