/** What a terminal does to characters on their way in: lines, editing, echo, signals. Spec: termios(3); Linux, N_TTY. */
import { signalNumbers } from "../../tasks/signals.js";
import { wake } from "../../tasks/waiting.js";
import type { Work } from "../../work.js";
import { BACKSPACE, isControl, NEWLINE, type OutputLine, outputCharacter, RETURN, TAB, transmit } from "./output.js";
import { signalGroup } from "./sessions.js";
import { type Line, setTerminal, type Terminal, terminalOf } from "./terminal.js";
import { CHARACTER, type CharacterName, INPUT, LOCAL, type Termios } from "./termios.js";

/** A line in canonical mode has no more characters than this; the rest is not taken. Spec: termios(3), "Canonical and noncanonical mode". */
const MOST_IN_LINE = 4095;

/** The terminal while characters come in. */
interface Reception extends OutputLine {
  readonly termios: Termios;
  lines: Line[];
  pending: string;
  lineColumn: number;
  literal: boolean;
  stopped: boolean;
  /** What the foreground group is sent. */
  readonly signals: number[];
}

const has = (flags: number, flag: number): boolean => (flags & flag) !== 0;
const isCharacter = ({ termios }: Reception, byte: number, name: CharacterName): boolean =>
  byte !== 0 && termios.characters[CHARACTER[name]] === byte;

// ---- echo -----------------------------------------------------------------------------------------------------------

const echo = (line: Reception, ...bytes: readonly number[]): void => {
  for (const byte of bytes) outputCharacter(line, line.termios.output, byte);
};

/** A control character is shown as ^X. */
function echoCharacter(line: Reception, byte: number): void {
  if (has(line.termios.local, LOCAL.ECHOCTL) && isControl(byte) && byte !== TAB) echo(line, 0x5e, byte ^ 0x40);
  else echo(line, byte);
}

// ---- editing --------------------------------------------------------------------------------------------------------

/** The column behind characters of the typed line, as they were echoed. */
function columnBehind({ lineColumn, termios }: Reception, text: string): number {
  let column = lineColumn;
  for (const character of text) {
    const byte = character.charCodeAt(0);
    if (byte === TAB) column += 8 - (column & 7);
    else if (isControl(byte)) column += has(termios.local, LOCAL.ECHOCTL) ? 2 : 0;
    else if (!isContinuation(termios, byte)) column++;
  }
  return column;
}

const isContinuation = ({ input }: Termios, byte: number): boolean => has(input, INPUT.IUTF8) && (byte & 0xc0) === 0x80;

/** Takes the last character off the typed line, all its bytes. */
function takeLast(line: Reception): string {
  let at = line.pending.length - 1;
  while (at > 0 && isContinuation(line.termios, line.pending.charCodeAt(at))) at--;
  const taken = line.pending.slice(at);
  line.pending = line.pending.slice(0, at);
  return taken;
}

function erase(line: Reception, kind: "ERASE" | "WERASE" | "KILL"): void {
  if (line.pending === "") return;
  const { local, characters } = line.termios;
  const echoes = has(local, LOCAL.ECHO);
  if (kind === "KILL" && !(echoes && has(local, LOCAL.ECHOK) && has(local, LOCAL.ECHOKE) && has(local, LOCAL.ECHOE))) {
    line.pending = "";
    if (!echoes) return;
    echoCharacter(line, characters[CHARACTER.KILL]!);
    if (has(local, LOCAL.ECHOK)) echo(line, NEWLINE);
    return;
  }
  let inWord = false;
  while (line.pending !== "") {
    const before = line.pending;
    const character = takeLast(line);
    if (kind === "WERASE") {
      const isWord = /[0-9A-Za-z_\u0080-\u00ff]/.test(character);
      if (!isWord && inWord) {
        line.pending = before;
        return;
      }
      inWord ||= isWord;
    }
    if (echoes) echoErased(line, character, before);
    if (kind === "ERASE") return;
  }
}

function echoErased(line: Reception, character: string, before: string): void {
  const { local, characters } = line.termios;
  if (!has(local, LOCAL.ECHOE)) {
    echoCharacter(line, characters[CHARACTER.ERASE]!);
    return;
  }
  const columns = columnBehind(line, before) - columnBehind(line, line.pending);
  for (let count = 0; count < columns; count++)
    if (character.charCodeAt(0) === TAB) echo(line, BACKSPACE);
    else echo(line, BACKSPACE, 0x20, BACKSPACE);
}

function reprint(line: Reception, byte: number): void {
  echoCharacter(line, byte);
  echo(line, NEWLINE);
  line.lineColumn = line.column;
  for (const character of line.pending) echoCharacter(line, character.charCodeAt(0));
}

// ---- one character --------------------------------------------------------------------------------------------------

function endLine(line: Reception, last: string, ended: boolean): void {
  line.lines.push({ text: line.pending + last, ended });
  line.pending = "";
}

function add(line: Reception, byte: number): void {
  const canonical = has(line.termios.local, LOCAL.ICANON);
  if (canonical && line.pending.length >= MOST_IN_LINE) {
    if (has(line.termios.input, INPUT.IMAXBEL)) echo(line, 7);
    return;
  }
  if (has(line.termios.local, LOCAL.ECHO)) {
    if (line.pending === "") line.lineColumn = line.column;
    if (byte === NEWLINE) echo(line, NEWLINE);
    else echoCharacter(line, byte);
  }
  line.pending += String.fromCharCode(byte);
}

const SIGNALS = [
  ["INTR", signalNumbers.SIGINT],
  ["QUIT", signalNumbers.SIGQUIT],
  ["SUSP", signalNumbers.SIGTSTP],
] as const;

/** Whether a character was a signal's. */
function signals(line: Reception, byte: number): boolean {
  const { local, input } = line.termios;
  if (!has(local, LOCAL.ISIG)) return false;
  const found = SIGNALS.find(([name]) => isCharacter(line, byte, name));
  if (found === undefined) return false;
  line.signals.push(found[1]);
  if (!has(local, LOCAL.NOFLSH)) {
    line.lines = [];
    line.pending = "";
  }
  if (has(input, INPUT.IXON)) line.stopped = false;
  if (has(local, LOCAL.ECHO)) echoCharacter(line, byte);
  return true;
}

/** Whether a character started or stopped the output. */
function controlsFlow(line: Reception, byte: number): boolean {
  const { input } = line.termios;
  if (!has(input, INPUT.IXON)) return false;
  const starts = isCharacter(line, byte, "START");
  if (starts || isCharacter(line, byte, "STOP")) {
    line.stopped = !starts;
    return true;
  }
  if (has(input, INPUT.IXANY)) line.stopped = false;
  return false;
}

/** Whether a character edited or ended the line. */
function edits(line: Reception, byte: number): boolean {
  const { local } = line.termios;
  const extended = has(local, LOCAL.IEXTEN);
  const echoes = has(local, LOCAL.ECHO);
  if (isCharacter(line, byte, "ERASE")) erase(line, "ERASE");
  else if (isCharacter(line, byte, "KILL")) erase(line, "KILL");
  else if (extended && isCharacter(line, byte, "WERASE")) erase(line, "WERASE");
  else if (extended && isCharacter(line, byte, "LNEXT")) {
    line.literal = true;
    if (echoes && has(local, LOCAL.ECHOCTL)) echo(line, 0x5e, BACKSPACE);
  } else if (extended && echoes && isCharacter(line, byte, "REPRINT")) reprint(line, byte);
  else if (byte === NEWLINE) {
    if (echoes || has(local, LOCAL.ECHONL)) echo(line, NEWLINE);
    endLine(line, "\n", false);
  } else if (isCharacter(line, byte, "EOF")) endLine(line, "", true);
  else if (isCharacter(line, byte, "EOL") || (extended && isCharacter(line, byte, "EOL2"))) {
    if (echoes) echoCharacter(line, byte);
    endLine(line, String.fromCharCode(byte), false);
  } else return false;
  return true;
}

function take(line: Reception, received: number): void {
  const { input, local } = line.termios;
  let byte = has(input, INPUT.ISTRIP) ? received & 0x7f : received;
  if (has(input, INPUT.IUCLC) && has(local, LOCAL.IEXTEN) && byte >= 0x41 && byte <= 0x5a) byte += 0x20;
  if (line.literal) {
    line.literal = false;
    add(line, byte);
    return;
  }
  if (controlsFlow(line, byte) || signals(line, byte)) return;
  if (byte === RETURN) {
    if (has(input, INPUT.IGNCR)) return;
    if (has(input, INPUT.ICRNL)) byte = NEWLINE;
  } else if (byte === NEWLINE && has(input, INPUT.INLCR)) byte = RETURN;
  if (has(local, LOCAL.ICANON) && edits(line, byte)) return;
  add(line, byte);
}

/** Characters come in at a terminal. */
export function receive(k: Work, id: number, bytes: ArrayLike<number>): void {
  const terminal = terminalOf(k, id);
  const { lines, pending, column, lineColumn, literal, stopped, termios } = terminal;
  const line: Reception = {
    ...{ termios, pending, column, lineColumn, literal, stopped, out: [], signals: [] },
    lines: [...lines],
  };
  for (let at = 0; at < bytes.length; at++) take(line, bytes[at]!);
  transmit(k, terminal, line.out);
  const { out: _out, signals: sent, termios: _termios, ...rest } = line;
  setTerminal(k, id, rest satisfies Partial<Terminal>);
  wake(k, id);
  for (const signal of sent) signalGroup(k, terminalOf(k, id).group, signal);
}
