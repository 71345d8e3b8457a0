/** Reading from a terminal: a line, or as many characters as MIN and TIME say. Spec: termios(3), "Canonical and noncanonical mode". */
import { E, Wait } from "../../errno.js";
import { bytesOf } from "../../mm/user-memory.js";
import { ticksOf } from "../../time.js";
import type { Work } from "../../work.js";
import { requireForeground } from "./sessions.js";
import { setTerminal, type Terminal, terminalOf } from "./terminal.js";
import { CHARACTER, LOCAL } from "./termios.js";

export const isCanonical = ({ termios }: Terminal): boolean => (termios.local & LOCAL.ICANON) !== 0;

/** Whether a read gives something at once. */
export function isReadable(terminal: Terminal): boolean {
  const { lines, pending, termios } = terminal;
  if (lines.length > 0) return true;
  if (isCanonical(terminal)) return false;
  const least = termios.characters[CHARACTER.TIME] === 0 ? termios.characters[CHARACTER.MIN]! : 1;
  return pending.length >= Math.max(1, least);
}

/** What a read that waits for characters remembers. */
interface ReadProgress {
  readonly until: number;
  readonly seen: number;
}

/** Bytes of a terminal; none at its end. Throws EIO, EAGAIN, `Wait`. */
export function readTerminal(k: Work, id: number, length: number, mayWait: boolean): Uint8Array {
  if (terminalOf(k, id).hungUp) return new Uint8Array(0);
  requireForeground(k, id, "SIGTTIN");
  const terminal = terminalOf(k, id);
  if (length === 0) return new Uint8Array(0);
  const { lines, pty } = terminal;
  if (lines.length > 0) return takeLine(k, id, length);
  if (!isCanonical(terminal) && terminal.pending !== "") return takeCharacters(k, id, length, mayWait);
  if (pty !== undefined && !pty.masterOpen) throw E.EIO;
  if (isCanonical(terminal)) {
    if (!mayWait) throw E.EAGAIN;
    throw new Wait([id]);
  }
  return takeCharacters(k, id, length, mayWait);
}

function takeLine(k: Work, id: number, length: number): Uint8Array {
  const { lines } = terminalOf(k, id);
  const { text, ended } = lines[0]!;
  const taken = text.slice(0, length);
  const rest = text.slice(length);
  setTerminal(k, id, { lines: rest === "" ? lines.slice(1) : [{ text: rest, ended }, ...lines.slice(1)] });
  return bytesOf(taken);
}

function takeCharacters(k: Work, id: number, length: number, mayWait: boolean): Uint8Array {
  const { pending, termios } = terminalOf(k, id);
  const { characters } = termios;
  const least = Math.min(characters[CHARACTER.MIN]!, length);
  const time = characters[CHARACTER.TIME]!;
  const begun = k.call.progress as ReadProgress | undefined;
  const isOver = begun !== undefined && k.now >= begun.until;
  const isEnough = least === 0 ? pending !== "" || time === 0 || isOver : pending.length >= least;
  if (isEnough || (time > 0 && pending !== "" && isOver) || (!mayWait && pending !== "")) {
    setTerminal(k, id, { pending: pending.slice(length) });
    return bytesOf(pending.slice(0, length));
  }
  if (!mayWait) throw E.EAGAIN;
  // With MIN the time runs from each character, without it from the beginning.
  if (time === 0 || (least > 0 && pending === "")) throw new Wait([id]);
  const goesOn = begun !== undefined && (least === 0 || begun.seen === pending.length);
  const until = goesOn ? begun.until : k.now + ticksOf(0, time * 1e8);
  throw new Wait([id], until, { until, seen: pending.length } satisfies ReadProgress);
}
