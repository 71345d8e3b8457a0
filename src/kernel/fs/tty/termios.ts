/** Settings of a terminal, and how programs see them. Spec: termios(3); Linux, include/uapi/asm-generic/termbits.h. */
import { E } from "../../errno.js";

/** c_iflag. */
export const INPUT = {
  ...{ BRKINT: 0o2, IGNPAR: 0o4, PARMRK: 0o10, ISTRIP: 0o40, INLCR: 0o100, IGNCR: 0o200, ICRNL: 0o400, IUCLC: 0o1000 },
  ...{ IXON: 0o2000, IXANY: 0o4000, IMAXBEL: 0o20000, IUTF8: 0o40000 },
} as const;
/** c_oflag. */
export const OUTPUT = {
  ...{ OPOST: 0o1, OLCUC: 0o2, ONLCR: 0o4, OCRNL: 0o10, ONOCR: 0o20, ONLRET: 0o40, TABDLY: 0o14000 },
} as const;
/** c_cflag. */
const CONTROL = { B9600: 0o15, B38400: 0o17, CBAUD: 0o10017, CS8: 0o60, CREAD: 0o200, HUPCL: 0o2000, CLOCAL: 0o4000 };
/** c_lflag. */
export const LOCAL = {
  ...{ ISIG: 0o1, ICANON: 0o2, ECHO: 0o10, ECHOE: 0o20, ECHOK: 0o40, ECHONL: 0o100, NOFLSH: 0o200, TOSTOP: 0o400 },
  ...{ ECHOCTL: 0o1000, ECHOPRT: 0o2000, ECHOKE: 0o4000, IEXTEN: 0o100000 },
} as const;
/** Indexes of c_cc. */
export const CHARACTER = {
  ...{ INTR: 0, QUIT: 1, ERASE: 2, KILL: 3, EOF: 4, TIME: 5, MIN: 6, START: 8, STOP: 9, SUSP: 10, EOL: 11 },
  ...{ REPRINT: 12, WERASE: 14, LNEXT: 15, EOL2: 16 },
} as const;
export type CharacterName = keyof typeof CHARACTER;

export interface Termios {
  readonly input: number;
  readonly output: number;
  readonly control: number;
  readonly local: number;
  /** Number of the line discipline. */
  readonly line: number;
  readonly characters: readonly number[];
}

const CHARACTERS = 19;

/** Spec: Linux, tty_std_termios; for a serial line that is the console, and for a pseudoterminal. */
const standard = (control: number): Termios =>
  Object.freeze({
    input: INPUT.ICRNL | INPUT.IXON,
    output: OUTPUT.OPOST | OUTPUT.ONLCR,
    control,
    local:
      LOCAL.ISIG | LOCAL.ICANON | LOCAL.ECHO | LOCAL.ECHOE | LOCAL.ECHOK | LOCAL.ECHOCTL | LOCAL.ECHOKE | LOCAL.IEXTEN,
    line: 0,
    characters: Object.freeze([3, 0x1c, 0x7f, 0x15, 4, 0, 1, 0, 0x11, 0x13, 0x1a, 0, 0x12, 0x0f, 0x17, 0x16, 0, 0, 0]),
  });
export const serialTermios = standard(CONTROL.B9600 | CONTROL.CS8 | CONTROL.CREAD | CONTROL.HUPCL | CONTROL.CLOCAL);
export const ptyTermios = standard(CONTROL.B38400 | CONTROL.CS8 | CONTROL.CREAD);
/** That of a master: nothing is done to what goes through it. */
export const rawTermios: Termios = Object.freeze({ ...ptyTermios, input: 0, output: 0, local: 0 });

const FLAGS = 16;
/** struct termios of the system calls, and struct termios2, which has both speeds behind it. */
export const TERMIOS_BYTES = FLAGS + 1 + CHARACTERS;
export const TERMIOS2_BYTES = TERMIOS_BYTES + 8;

/** Bits per second by CBAUD. */
const SPEEDS: readonly number[] = [
  ...[0, 50, 75, 110, 134, 150, 200, 300, 600, 1200, 1800, 2400, 4800, 9600, 19200, 38400],
];

export function termiosBytes(termios: Termios, length: number): Uint8Array {
  const view = new DataView(new ArrayBuffer(length));
  const { input, output, control, local, line, characters } = termios;
  [input, output, control, local].forEach((flags, index) => {
    view.setUint32(index * 4, flags, true);
  });
  view.setUint8(FLAGS, line);
  for (let index = 0; index < CHARACTERS; index++) view.setUint8(FLAGS + 1 + index, characters[index] ?? 0);
  if (length === TERMIOS2_BYTES) {
    const speed = SPEEDS[control & 0o17] ?? 0;
    view.setUint32(TERMIOS_BYTES, speed, true);
    view.setUint32(TERMIOS_BYTES + 4, speed, true);
  }
  return new Uint8Array(view.buffer);
}

/** Throws EINVAL for a structure that is cut off. */
export function termiosFrom(bytes: Uint8Array): Termios {
  if (bytes.length < TERMIOS_BYTES) throw E.EINVAL;
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  const flags = (index: number): number => view.getUint32(index * 4, true);
  return Object.freeze({
    ...{ input: flags(0), output: flags(1), control: flags(2), local: flags(3) },
    line: view.getUint8(FLAGS),
    characters: Object.freeze([...bytes.subarray(FLAGS + 1, TERMIOS_BYTES)]),
  });
}
