/** The machine's interrupt controllers and timer, as the kernel uses them. Spec: Intel 8259A, "Initialization Command Words"; Intel 8254, "Mode 0". */
import type { ProcessorPort } from "../../hardware/cpu/processor.js";
import { FIRST_IRQ } from "./layout.js";

/** Ticks of a clock of the timer. */
const TICKS_A_CLOCK = 84;
const MOST_CLOCKS = 0xffff;

export const IRQ = { timer: FIRST_IRQ, serial: FIRST_IRQ + 4 } as const;
/** Registers of the first serial port. Spec: National Semiconductor PC16550D, "Registers". */
const UART = {
  DATA: 0x3f8,
  IER: 0x3f9,
  FCR: 0x3fa,
  MCR: 0x3fc,
  LSR: 0x3fd,
  RECEIVED: 1,
  OUT2: 8,
  DATA_READY: 1,
} as const;

/** Lets the timer and the serial port through. */
export function startInterrupts(port: ProcessorPort): void {
  for (const [at, value] of [
    ...[[0x20, 0x11] as const, [0x21, FIRST_IRQ] as const, [0x21, 4] as const, [0x21, 1] as const],
    ...[[0xa0, 0x11] as const, [0xa1, FIRST_IRQ + 8] as const, [0xa1, 2] as const, [0xa1, 1] as const],
    ...[[0x21, 0xee] as const, [0xa1, 0xff] as const],
    // The timer counts nothing until an alarm is set.
    ...[[0x43, 0x30] as const, [UART.IER, UART.RECEIVED] as const, [UART.MCR, UART.OUT2] as const],
  ])
    port.portWrite(at, 1, value);
}

/** An interrupt of the controllers was taken. */
export function endOfInterrupt(port: ProcessorPort, vector: number): void {
  if (vector >= FIRST_IRQ + 8) port.portWrite(0xa0, 1, 0x20);
  port.portWrite(0x20, 1, 0x20);
}

/** Lets the timer fire at a tick, or less than two clocks behind it; at the latest after 55 ms. Gives the tick at which it fires. */
export function setAlarm(port: ProcessorPort, tick: number): number {
  const loaded = Math.floor(port.now / TICKS_A_CLOCK) + 1;
  const clocks = Math.min(MOST_CLOCKS, Math.max(1, Math.ceil(tick / TICKS_A_CLOCK) - loaded));
  port.portWrite(0x43, 1, 0x30);
  port.portWrite(0x40, 1, clocks & 0xff);
  port.portWrite(0x40, 1, clocks >> 8);
  return (loaded + clocks) * TICKS_A_CLOCK;
}

/** A byte out of the serial port. */
export const sendByte = (port: ProcessorPort, byte: number): void => port.portWrite(UART.DATA, 1, byte);

/** Bytes that have come in at the serial port. */
export function receivedBytes(port: ProcessorPort): Uint8Array {
  const bytes: number[] = [];
  while ((port.portRead(UART.LSR, 1) & UART.DATA_READY) !== 0) bytes.push(port.portRead(UART.DATA, 1));
  return Uint8Array.from(bytes);
}
