/** What the BIOS itself has to say before it stops for good. */
import type { ProcessorPort } from "../../cpu/processor.js";
import { addressIn, read, wait, word } from "./access.js";
import { BDA } from "./data-area.js";
import { teletype } from "./screen-text.js";

function say(port: ProcessorPort, text: string): void {
  const page = read(port, BDA.page, 1);
  for (const character of `\r\n${text}\r\n`) teletype(port, page, character.charCodeAt(0));
}

/** INT 18h: there is nothing to boot from. */
export function noBoot(port: ProcessorPort): void {
  say(port, "No bootable disk.");
  wait(port);
}

const hex = (value: number): string => value.toString(16).toUpperCase().padStart(4, "0");

/** An exception that nobody handles, and that would come again behind an IRET. */
export function unexpected(port: ProcessorPort): void {
  const frame = (offset: number): number => read(port, addressIn(port, "ss", word(port, "sp") + offset, 2, false), 2);
  say(port, `Exception without a handler at ${hex(frame(2))}:${hex(frame(0))}.`);
  wait(port);
}
