/** What a terminal does to characters on their way out. Spec: termios(3), c_oflag; Linux, N_TTY do_output_char. */
import { sendByte } from "../../arch/interrupts.js";
import type { Work } from "../../work.js";
import { putIntoPipe } from "../pipes.js";
import type { Terminal } from "./terminal.js";
import { OUTPUT } from "./termios.js";

export const NEWLINE = 10;
export const RETURN = 13;
export const BACKSPACE = 8;
export const TAB = 9;

export const isControl = (byte: number): boolean => byte < 0x20 || byte === 0x7f;

/** Where output is collected, with the column it has come to. */
export interface OutputLine {
  column: number;
  readonly out: number[];
}

/** One character, changed as the flags say. */
export function outputCharacter(line: OutputLine, flags: number, byte: number): void {
  if ((flags & OUTPUT.OPOST) === 0) {
    line.out.push(byte);
    return;
  }
  switch (byte) {
    case NEWLINE:
      if ((flags & (OUTPUT.ONLRET | OUTPUT.ONLCR)) !== 0) line.column = 0;
      if ((flags & OUTPUT.ONLCR) !== 0) line.out.push(RETURN);
      line.out.push(NEWLINE);
      return;
    case RETURN:
      if ((flags & OUTPUT.ONOCR) !== 0 && line.column === 0) return;
      if ((flags & OUTPUT.OCRNL) !== 0) {
        if ((flags & OUTPUT.ONLRET) !== 0) line.column = 0;
        line.out.push(NEWLINE);
        return;
      }
      line.column = 0;
      line.out.push(RETURN);
      return;
    case TAB: {
      const spaces = 8 - (line.column & 7);
      line.column += spaces;
      if ((flags & OUTPUT.TABDLY) === OUTPUT.TABDLY) for (let count = 0; count < spaces; count++) line.out.push(0x20);
      else line.out.push(TAB);
      return;
    }
    case BACKSPACE:
      if (line.column > 0) line.column--;
      line.out.push(BACKSPACE);
      return;
    default: {
      const isSmall = byte >= 0x61 && byte <= 0x7a;
      if (!isControl(byte)) line.column++;
      line.out.push((flags & OUTPUT.OLCUC) !== 0 && isSmall ? byte - 0x20 : byte);
    }
  }
}

/** Bytes leave at the serial port, or lie before the master. */
export function transmit(k: Work, { toMaster }: Terminal, bytes: ArrayLike<number>): void {
  if (bytes.length === 0) return;
  if (toMaster === undefined) for (let at = 0; at < bytes.length; at++) sendByte(k.port, bytes[at]!);
  else if (k.state.objects.get(toMaster) !== undefined) putIntoPipe(k, toMaster, Uint8Array.from(bytes));
}
