/**
 * Interrupt 9, which takes scan codes from the keyboard controller and puts keys into the ring of the BIOS data area, and
 * INT 16h, which takes them out. The layout is a US one.
 * Manual: IBM PC/AT Technical Reference, "Keyboard": "Scan Codes", "Character Codes"; Ralf Brown's Interrupt List, INT 16.
 */
import type { ProcessorPort } from "../../cpu/processor.js";
import { FLAG } from "../../cpu/state.js";
import { PORT } from "../../devices/layout.js";
import { byFunction, input, output, read, setByte, setFlag, setWord, wait, word, write } from "./access.js";
import { BDA, KEY_RING } from "./data-area.js";

/** Bits of the first byte of shift flags. */
const SHIFT = { right: 0x01, left: 0x02, ctrl: 0x04, alt: 0x08, scroll: 0x10, num: 0x20, caps: 0x40 } as const;
/** Of the keyboard's third byte: the code before was E0. */
const WAS_E0 = 0x02;
const RELEASED = 0x80;
const END_OF_INTERRUPT = 0x20;
const OUTPUT_FULL = 0x01;

/** Held down, and switched, by scan code. */
const HELD: Readonly<Record<number, number>> = { 29: SHIFT.ctrl, 42: SHIFT.left, 54: SHIFT.right, 56: SHIFT.alt };
const SWITCHED: Readonly<Record<number, number>> = { 58: SHIFT.caps, 69: SHIFT.num, 70: SHIFT.scroll };

/** Characters of keys from a scan code on. */
const PLAIN: readonly (readonly [first: number, plain: string, shifted: string])[] = [
  [0x01, "\x1b1234567890-=\b\tqwertyuiop[]\r", "\x1b!@#$%^&*()_+\b\0QWERTYUIOP{}\r"],
  [0x1e, "asdfghjkl;'`", 'ASDFGHJKL:"~'],
  [0x2b, "\\zxcvbnm,./", "|ZXCVBNM<>?"],
  [0x37, "*", "*"],
  [0x39, " ", " "],
  [0x4a, "-", "-"],
  [0x4e, "+", "+"],
  [0x56, "\\", "|"],
];
const KEYPAD = { first: 0x47, digits: "789-456+1230." } as const;
/** F1 to F10: codes with a shift, Ctrl and Alt begin elsewhere. */
const FUNCTION = { first: 0x3b, last: 0x44, shift: 0x54, ctrl: 0x5e, alt: 0x68 } as const;

function characterOf(code: number, shifted: boolean): string | undefined {
  for (const [first, plain, upper] of PLAIN) {
    if (code >= first && code < first + plain.length) return (shifted ? upper : plain)[code - first];
  }
  return undefined;
}

/** The word of a key: its code, and what it types; undefined for one that types nothing. */
function keyOf(code: number, extended: boolean, flags: number): number | undefined {
  const shift = (flags & (SHIFT.left | SHIFT.right)) !== 0;
  if (code >= FUNCTION.first && code <= FUNCTION.last) {
    const { first, shift: withShift, ctrl, alt } = FUNCTION;
    const row = (flags & SHIFT.alt) !== 0 ? alt : (flags & SHIFT.ctrl) !== 0 ? ctrl : shift ? withShift : first;
    return (row + code - first) << 8;
  }
  const digit = KEYPAD.digits[code - KEYPAD.first];
  if (extended && digit !== undefined) return (code << 8) | 0xe0;
  if (digit !== undefined && digit !== "-" && digit !== "+")
    return ((flags & SHIFT.num) !== 0) !== shift ? (code << 8) | digit.charCodeAt(0) : code << 8;
  const plain = characterOf(code, false);
  if (plain === undefined) return undefined;
  const letter = plain >= "a" && plain <= "z";
  const upper = letter && (flags & SHIFT.caps) !== 0 ? !shift : shift;
  if ((flags & SHIFT.alt) !== 0) return code << 8;
  if ((flags & SHIFT.ctrl) !== 0) return letter ? (code << 8) | (plain.charCodeAt(0) & 0x1f) : undefined;
  return (code << 8) | characterOf(code, upper)!.charCodeAt(0);
}

const next = (pointer: number): number => (pointer + 2 >= KEY_RING.end ? KEY_RING.start : pointer + 2);
/** Pointers are offsets in the segment of the data area. */
const inRing = (pointer: number): number => BDA.keyBuffer - KEY_RING.start + pointer;

/** A key that finds the ring full is lost. */
function put(port: ProcessorPort, key: number): void {
  const tail = read(port, BDA.keyTail, 2);
  const behind = next(tail);
  if (behind === read(port, BDA.keyHead, 2)) return;
  write(port, inRing(tail), 2, key);
  write(port, BDA.keyTail, 2, behind);
}

function take(port: ProcessorPort, code: number): void {
  const flags3 = read(port, BDA.keyboardFlags3, 1);
  write(port, BDA.keyboardFlags3, 1, code === 0xe0 ? flags3 | WAS_E0 : flags3 & ~WAS_E0);
  if (code === 0xe0) return;
  const key = code & ~RELEASED;
  const extended = (flags3 & WAS_E0) !== 0;
  const released = (code & RELEASED) !== 0;
  const flags = read(port, BDA.shiftFlags, 1);
  const held = HELD[key];
  if (held !== undefined) {
    // E0 2A and the like are no shift keys: they stand around codes of other keys.
    const real = !extended || held === SHIFT.ctrl || held === SHIFT.alt;
    if (real) write(port, BDA.shiftFlags, 1, released ? flags & ~held : flags | held);
    return;
  }
  if (released) return;
  const switched = SWITCHED[key];
  if (switched !== undefined) {
    write(port, BDA.shiftFlags, 1, flags ^ switched);
    return;
  }
  const typed = keyOf(key, extended, flags);
  if (typed !== undefined) put(port, typed);
}

/** IRQ 1. */
export function key(port: ProcessorPort): void {
  if ((input(port, PORT.keyboardCommand.base) & OUTPUT_FULL) !== 0) take(port, input(port, PORT.keyboardData.base));
  output(port, PORT.interruptController1.base, END_OF_INTERRUPT);
}

/** The key that is next; undefined where there is none. */
function nextKey(port: ProcessorPort): number | undefined {
  const head = read(port, BDA.keyHead, 2);
  return head === read(port, BDA.keyTail, 2) ? undefined : read(port, inRing(head), 2);
}

/** As programs know it that know the 84-key keyboard: grey keys are those of the keypad. */
const asOldKey = (word: number): number => ((word & 0xff) === 0xe0 ? word & 0xff00 : word);
const asIs = (word: number): number => word;

const readKey =
  (as: (word: number) => number) =>
  (port: ProcessorPort): void => {
    const key = nextKey(port);
    if (key === undefined) {
      wait(port);
      return;
    }
    write(port, BDA.keyHead, 2, next(read(port, BDA.keyHead, 2)));
    setWord(port, "ax", as(key));
  };

/** ZF: there is none. */
const checkKey =
  (as: (word: number) => number) =>
  (port: ProcessorPort): void => {
    const key = nextKey(port);
    setFlag(port, FLAG.ZF, key === undefined);
    if (key !== undefined) setWord(port, "ax", as(key));
  };

export const keyboard = byFunction({
  0: readKey(asOldKey),
  1: checkKey(asOldKey),
  2: (port) => setByte(port, "al", read(port, BDA.shiftFlags, 1)),
  5: (port) => {
    put(port, word(port, "cx"));
    setByte(port, "al", 0);
  },
  16: readKey(asIs),
  17: checkKey(asIs),
  18: (port) => {
    setByte(port, "al", read(port, BDA.shiftFlags, 1));
    setByte(port, "ah", read(port, BDA.shiftFlags2, 1));
  },
});
