/**
 * INT 1Ah: ticks since midnight, and the time of the real-time clock. The rest is refused.
 * Manual: Ralf Brown's Interrupt List, INT 1A.
 */
import type { ProcessorPort } from "../../cpu/processor.js";
import { CMOS } from "../../devices/cmos-memory.js";
import { PORT } from "../../devices/layout.js";
import { byFunction, input, output, read, setByte, setCarry, setWord, word, write } from "./access.js";
import { BDA } from "./data-area.js";

function ticks(port: ProcessorPort): void {
  const count = read(port, BDA.ticks, 4);
  setWord(port, "cx", count >>> 16);
  setWord(port, "dx", count);
  setByte(port, "al", read(port, BDA.midnight, 1));
  write(port, BDA.midnight, 1, 0);
}

function setTicks(port: ProcessorPort): void {
  write(port, BDA.ticks, 4, word(port, "cx") * 0x1_0000 + word(port, "dx"));
  write(port, BDA.midnight, 1, 0);
}

function clockByte(port: ProcessorPort, address: number): number {
  output(port, PORT.realTimeClock.base, address);
  return input(port, PORT.realTimeClock.base + 1);
}

const CLOCK = { seconds: 0, minutes: 2, hours: 4, day: 7, month: 8, year: 9, statusA: 10, statusB: 11 } as const;
const UPDATING = 0x80;
const DAYLIGHT = 0x01;

/** Whether the clock can be read now: else CF says so, as it does when its battery is empty. */
function readable(port: ProcessorPort): boolean {
  const updating = (clockByte(port, CLOCK.statusA) & UPDATING) !== 0;
  setCarry(port, updating);
  return !updating;
}

function time(port: ProcessorPort): void {
  if (!readable(port)) return;
  setByte(port, "ch", clockByte(port, CLOCK.hours));
  setByte(port, "cl", clockByte(port, CLOCK.minutes));
  setByte(port, "dh", clockByte(port, CLOCK.seconds));
  setByte(port, "dl", clockByte(port, CLOCK.statusB) & DAYLIGHT);
  setByte(port, "ah", 0);
}

function date(port: ProcessorPort): void {
  if (!readable(port)) return;
  setByte(port, "ch", clockByte(port, CMOS.century));
  setByte(port, "cl", clockByte(port, CLOCK.year));
  setByte(port, "dh", clockByte(port, CLOCK.month));
  setByte(port, "dl", clockByte(port, CLOCK.day));
  setByte(port, "ah", 0);
}

export const clock = byFunction({ 0: ticks, 1: setTicks, 2: time, 4: date });
