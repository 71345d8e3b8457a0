/** The machine's serial port as the system's console, and a process's own terminal. Spec: console(4), ttyS(4), tty(4). */
import { receivedBytes } from "../arch/interrupts.js";
import { E } from "../errno.js";
import type { Work } from "../work.js";
import { defineDevice } from "./devices.js";
import { receive as receiveAt } from "./tty/input.js";
import { openTerminal } from "./tty/slave.js";
import { newTerminal, type Terminal } from "./tty/terminal.js";
import { serialTermios } from "./tty/termios.js";

const SERIAL = { major: 4, minor: 64 } as const;

/** The terminal of the serial port. */
export const consoleOf = ({ state: { initial } }: Work): number => initial.console!;

export const serialTerminal = (): Terminal =>
  newTerminal({ name: "ttyS0", device: SERIAL.major * 2 ** 20 + SERIAL.minor, termios: serialTermios });

/** The serial port has something. */
export function receive(k: Work): void {
  const bytes = receivedBytes(k.port);
  if (bytes.length > 0) receiveAt(k, consoleOf(k), bytes);
}

defineDevice({
  ...{ name: "console", type: "character", major: 5, minor: 1 },
  // Opening the console gives nobody a controlling terminal. Spec: Linux, tty_open.
  open: (k, flags) => openTerminal(k, consoleOf(k), flags, false),
});
defineDevice({
  ...{ name: "ttyS0", type: "character", ...SERIAL },
  open: (k, flags) => openTerminal(k, consoleOf(k), flags, true),
});
defineDevice({
  ...{ name: "tty", type: "character", major: 5, minor: 0 },
  open(k, flags) {
    const { terminal } = k.process;
    if (terminal === undefined) throw E.ENXIO;
    return openTerminal(k, terminal, flags, false);
  },
});
