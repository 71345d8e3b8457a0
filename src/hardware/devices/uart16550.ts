/**
 * The 16550A: a serial port with FIFOs of 16 bytes, a terminal at its other end.
 *
 * Transmission takes no time: a byte written to THR is in `output` at once and THR is empty again. Typed bytes wait in
 * `input`, which stands for the terminal and has no limit; they arrive as the receiver has room, and only when the guest
 * can notice: as it reads RBR, IIR or LSR, or while received-data interrupts are on. So no typed byte is lost to the
 * clearing of the FIFOs that drivers begin with. A FIFO that holds less than its trigger level has timed out at once.
 *
 * The terminal can send a break. What the guest sends as a break reaches no one, but in loopback mode the receiver.
 *
 * Left out on purpose: line speed and format (the divisor and LCR's format bits are kept and change nothing), so parity and
 * framing errors; DMA signals; and the board's gating of the interrupt by OUT2, which emulated PCs do not have either.
 *
 * Manual: National Semiconductor PC16550D, Universal Asynchronous Receiver/Transmitter with FIFOs.
 */
import type { BusDevice } from "./bus-device.js";
import type { ReadResult } from "./device.js";
import { append } from "./sent-text.js";

/** Register offsets. With LCR bit 7 (DLAB) set, 0 and 1 are the divisor latch. */
export const UART_OFFSET = {
  RBR_THR_DLL: 0,
  IER_DLM: 1,
  IIR_FCR: 2,
  LCR: 3,
  MCR: 4,
  LSR: 5,
  MSR: 6,
  SCR: 7,
} as const;

const IER = { receivedData: 0x01, transmitterEmpty: 0x02, lineStatus: 0x04, modemStatus: 0x08, all: 0x0f } as const;
const IIR = {
  modemStatus: 0x00,
  none: 0x01,
  transmitterEmpty: 0x02,
  receivedData: 0x04,
  lineStatus: 0x06,
  characterTimeout: 0x0c,
  fifosEnabled: 0xc0,
} as const;
const FCR = { enable: 0x01, clearReceiver: 0x02, kept: 0xc9, triggerShift: 6 } as const;
const LCR = { divisorLatchAccess: 0x80, setBreak: 0x40 } as const;
const MCR = { dtr: 0x01, rts: 0x02, out1: 0x04, out2: 0x08, loopback: 0x10, all: 0x1f } as const;
const LSR = {
  dataReady: 0x01,
  overrun: 0x02,
  breakInterrupt: 0x10,
  transmitterEmpty: 0x20 | 0x40,
  errorInFifo: 0x80,
} as const;
const MSR = { cts: 0x10, dsr: 0x20, ri: 0x40, dcd: 0x80, trailingEdgeRi: 0x04, lines: 0xf0 } as const;

const FIFO_LENGTH = 16;
/** A break as a received character: the byte 0, and above it, as of every received character, its error bits of LSR. */
const BREAK = String.fromCharCode(LSR.breakInterrupt << 8);
/** What no character without an error is. */
const WITH_ERROR = /[^\0-\xff]/;
/** Bytes at which the receive FIFO asks for attention, by FCR bits 7-6. */
const TRIGGER_LEVELS = [1, 4, 8, 14] as const;
/** A terminal is there, ready to send and be sent to. */
const TERMINAL_LINES = MSR.cts | MSR.dsr | MSR.dcd;
/** 9600 baud from a 1.8432 MHz crystal, what a PC's firmware leaves. */
const FIRMWARE_DIVISOR = 12;

export interface Uart16550State {
  readonly IER: number;
  /** Bits of FCR that stay: FIFO enable, DMA mode, trigger level. */
  readonly FCR: number;
  readonly LCR: number;
  readonly MCR: number;
  /** The error bits of LSR that reading has not cleared; the others follow from the rest of the state. */
  readonly LSR: number;
  readonly MSR: number;
  readonly SCR: number;
  readonly DLL: number;
  readonly DLM: number;
  /**
   * Received bytes that wait in RBR or the FIFO, oldest first, one character of code 0 to 255 each; more than 255 is a
   * byte that came with an error, its bits of LSR in bits 8 to 15. That of the oldest has gone to LSR already.
   */
  readonly received: string;
  /** Whether the emptying of THR has not been answered yet. */
  readonly transmitterEmptyPending: boolean;
  /** Every byte sent so far. */
  readonly output: string;
  /** Typed bytes that have not arrived yet, in the form of `received`. */
  readonly input: string;
}

export const uart16550: BusDevice<Uart16550State> = {
  name: "16550A",
  spec: 'PC16550D datasheet, "Registers"',

  reset: () => ({
    IER: 0,
    FCR: 0,
    LCR: 0x03,
    MCR: 0,
    LSR: 0,
    MSR: TERMINAL_LINES,
    SCR: 0,
    DLL: FIRMWARE_DIVISOR,
    DLM: 0,
    received: "",
    transmitterEmptyPending: false,
    output: "",
    input: "",
  }),

  peek(state, offset): number {
    switch (offset) {
      case UART_OFFSET.RBR_THR_DLL:
        if (divisorLatchIsMapped(state)) return state.DLL;
        // What an empty receiver gives is undefined; drivers' clearing reads like 0 best.
        return state.received === "" && state.input === "" ? 0 : -1;
      case UART_OFFSET.IER_DLM:
        return divisorLatchIsMapped(state) ? state.DLM : state.IER;
      case UART_OFFSET.IIR_FCR:
        return state.input !== "" || identify(state) === IIR.transmitterEmpty ? -1 : readableIdentification(state);
      case UART_OFFSET.LCR:
        return state.LCR;
      case UART_OFFSET.MCR:
        return state.MCR;
      case UART_OFFSET.LSR:
        return state.input !== "" || state.LSR !== 0 ? -1 : readableLineStatus(state);
      case UART_OFFSET.MSR:
        return (state.MSR & ~MSR.lines) === 0 ? state.MSR : -1;
      default:
        return state.SCR;
    }
  },

  read(state, offset, size, tick): ReadResult<Uart16550State> {
    const value = uart16550.peek!(state, offset, size, tick);
    if (value >= 0) return { state, value };
    switch (offset) {
      case UART_OFFSET.RBR_THR_DLL:
        return readReceiver(state);
      case UART_OFFSET.IIR_FCR:
        return readInterruptIdentification(state);
      case UART_OFFSET.LSR: {
        const now = arrive(state);
        return { state: now.LSR === 0 ? now : { ...now, LSR: 0 }, value: readableLineStatus(now) };
      }
      default:
        return { state: { ...state, MSR: state.MSR & MSR.lines }, value: state.MSR };
    }
  },

  write(state, offset, _size, value): Uart16550State {
    switch (offset) {
      case UART_OFFSET.RBR_THR_DLL:
        return divisorLatchIsMapped(state) ? { ...state, DLL: value } : transmit(state, value);
      case UART_OFFSET.IER_DLM:
        return divisorLatchIsMapped(state) ? { ...state, DLM: value } : writeInterruptEnable(state, value & IER.all);
      case UART_OFFSET.IIR_FCR:
        return writeFifoControl(state, value);
      case UART_OFFSET.LCR:
        return writeLineControl(state, value);
      case UART_OFFSET.MCR:
        return writeModemControl(state, value & MCR.all);
      case UART_OFFSET.LSR:
      case UART_OFFSET.MSR:
        // "Not recommended" by the datasheet, meant for factory tests.
        return state;
      default:
        return { ...state, SCR: value };
    }
  },

  interrupt: (state) => pendingInterrupts(state) !== 0,

  // A byte written to THR ends its interrupt and its departure, which takes no time, starts the next. So with a byte read
  // from RBR: on a line that takes time the indication would end until the next byte or timeout.
  pulsedByAccess(before, after) {
    const sent = after.output.length !== before.output.length;
    const taken = after.received.length + after.input.length < before.received.length + before.input.length;
    const ended = sent ? IER.transmitterEmpty : taken ? IER.receivedData : 0;
    return ended !== 0 && (pendingInterrupts(before) & ~ended) === 0;
  },
};

/**
 * Hands typed bytes to the terminal's end of the line.
 *
 * @param bytes text of one character of code 0 to 255 per byte.
 */
export function receive(state: Uart16550State, bytes: string): Uart16550State {
  return bytes === "" ? state : arriveIfInterrupting({ ...state, input: state.input + bytes });
}

/** Sends a break from the terminal's end of the line. */
export function receiveBreak(state: Uart16550State): Uart16550State {
  return arriveIfInterrupting({ ...state, input: state.input + BREAK });
}

/** The state with what changes with every byte replaced; field by field, which is faster than a spread. */
function withBytes(
  state: Uart16550State,
  received: string,
  output: string,
  input: string,
  transmitterEmptyPending: boolean,
): Uart16550State {
  const { IER, FCR, LCR, MCR, LSR, MSR, SCR, DLL, DLM } = state;
  return { IER, FCR, LCR, MCR, LSR, MSR, SCR, DLL, DLM, received, transmitterEmptyPending, output, input };
}

/** The state with more received, whose first byte's errors show in LSR if nothing was there before it. */
function withReceived(state: Uart16550State, received: string, input: string): Uart16550State {
  const next = withBytes(state, received, state.output, input, state.transmitterEmptyPending);
  const errors = state.received === "" ? received.charCodeAt(0) >> 8 : 0;
  return errors === 0 ? next : { ...next, LSR: state.LSR | errors };
}

function divisorLatchIsMapped(state: Uart16550State): boolean {
  return (state.LCR & LCR.divisorLatchAccess) !== 0;
}

function fifosAreEnabled(state: Uart16550State): boolean {
  return (state.FCR & FCR.enable) !== 0;
}

function receiverLength(state: Uart16550State): number {
  return fifosAreEnabled(state) ? FIFO_LENGTH : 1;
}

function readableLineStatus(state: Uart16550State): number {
  const value = state.LSR | LSR.transmitterEmpty | (state.received === "" ? 0 : LSR.dataReady);
  if (!fifosAreEnabled(state)) return value;
  const inFifo = (state.LSR & ~LSR.overrun) !== 0 || WITH_ERROR.test(state.received.slice(1));
  return inFifo ? value | LSR.errorInFifo : value;
}

/** The enabled interrupts that are pending, as bits of IER. */
function pendingInterrupts(state: Uart16550State): number {
  const conditions =
    (state.received !== "" ? IER.receivedData : 0) |
    (state.transmitterEmptyPending ? IER.transmitterEmpty : 0) |
    (state.LSR !== 0 ? IER.lineStatus : 0) |
    ((state.MSR & ~MSR.lines) !== 0 ? IER.modemStatus : 0);
  return state.IER & conditions;
}

/** The pending interrupt of the highest priority, as the low four bits of IIR give it. */
function identify(state: Uart16550State): number {
  const pending = pendingInterrupts(state);
  if (pending === 0) return IIR.none;
  if ((pending & IER.lineStatus) !== 0) return IIR.lineStatus;
  if ((pending & IER.receivedData) !== 0) {
    const trigger = fifosAreEnabled(state) ? TRIGGER_LEVELS[state.FCR >> FCR.triggerShift]! : 1;
    return state.received.length >= trigger ? IIR.receivedData : IIR.characterTimeout;
  }
  return (pending & IER.transmitterEmpty) !== 0 ? IIR.transmitterEmpty : IIR.modemStatus;
}

function readableIdentification(state: Uart16550State): number {
  return identify(state) | (fifosAreEnabled(state) ? IIR.fifosEnabled : 0);
}

/** Moves typed bytes into the receiver while it has room. In loopback mode the receiver is cut off from the line. */
function arrive(state: Uart16550State): Uart16550State {
  if (state.input === "" || (state.MCR & MCR.loopback) !== 0) return state;
  const room = receiverLength(state) - state.received.length;
  if (room <= 0) return state;
  return withReceived(state, state.received + state.input.slice(0, room), state.input.slice(room));
}

function arriveIfInterrupting(state: Uart16550State): Uart16550State {
  return (state.IER & IER.receivedData) !== 0 ? arrive(state) : state;
}

function readReceiver(state: Uart16550State): ReadResult<Uart16550State> {
  const now = arrive(state);
  if (now.received === "") return { state: now, value: 0 };
  const value = now.received.charCodeAt(0) & 0xff;
  const received = now.received.slice(1);
  const rest = withBytes(now, received, now.output, now.input, now.transmitterEmptyPending);
  const errors = received === "" ? 0 : received.charCodeAt(0) >> 8;
  return { state: arriveIfInterrupting(errors === 0 ? rest : { ...rest, LSR: rest.LSR | errors }), value };
}

function readInterruptIdentification(state: Uart16550State): ReadResult<Uart16550State> {
  const now = arrive(state);
  // Reading answers the transmitter's interrupt only if it is the one shown.
  const answers = identify(now) === IIR.transmitterEmpty;
  const next = answers ? withBytes(now, now.received, now.output, now.input, false) : now;
  return { state: next, value: readableIdentification(now) };
}

function transmit(state: Uart16550State, value: number): Uart16550State {
  const byte = String.fromCharCode(value);
  if ((state.MCR & MCR.loopback) === 0) {
    return withBytes(state, state.received, append(state.output, byte), state.input, true);
  }
  return { ...loopBack(state, byte), transmitterEmptyPending: true };
}

/** A character that the transmitter sends to its own receiver. */
function loopBack(state: Uart16550State, character: string): Uart16550State {
  if (state.received.length < receiverLength(state)) {
    return withReceived(state, state.received + character, state.input);
  }
  // An overrun destroys what is in RBR, but with FIFOs only the byte in the shift register.
  if (fifosAreEnabled(state)) return { ...state, LSR: state.LSR | LSR.overrun };
  return { ...state, received: character, LSR: state.LSR | LSR.overrun | (character.charCodeAt(0) >> 8) };
}

/** A break that begins is one character to who receives it, however long it lasts. */
function writeLineControl(state: Uart16550State, value: number): Uart16550State {
  if (value === state.LCR) return state;
  const begins = (value & ~state.LCR & LCR.setBreak) !== 0;
  const next = { ...state, LCR: value };
  return begins && (state.MCR & MCR.loopback) !== 0 ? loopBack(next, BREAK) : next;
}

function writeInterruptEnable(state: Uart16550State, value: number): Uart16550State {
  if (value === state.IER) return state;
  const { FCR, LCR, MCR, LSR, MSR, SCR, DLL, DLM, received, output, input } = state;
  // THR is always empty, so turning its interrupt on raises it.
  const turnedOn = value & ~state.IER & IER.transmitterEmpty;
  const transmitterEmptyPending = state.transmitterEmptyPending || turnedOn !== 0;
  return arriveIfInterrupting({
    IER: value,
    FCR,
    LCR,
    MCR,
    LSR,
    MSR,
    SCR,
    DLL,
    DLM,
    received,
    transmitterEmptyPending,
    output,
    input,
  });
}

function writeFifoControl(state: Uart16550State, value: number): Uart16550State {
  const enableChanges = ((state.FCR ^ value) & FCR.enable) !== 0;
  const enabled = (value & FCR.enable) !== 0;
  // Without the enable bit in the same write the other bits are not programmed.
  const clears = enableChanges || (enabled && (value & FCR.clearReceiver) !== 0);
  const fcr = enabled ? value & FCR.kept : 0;
  return arriveIfInterrupting({ ...state, FCR: fcr, received: clears ? "" : state.received });
}

function writeModemControl(state: Uart16550State, value: number): Uart16550State {
  if (value === state.MCR) return state;
  const lines = modemLines(value);
  const changed = (lines ^ state.MSR) & MSR.lines;
  let deltas = (changed & ~MSR.ri) >> 4;
  // The ring indicator tells only of its end.
  if ((changed & MSR.ri) !== 0 && (lines & MSR.ri) === 0) deltas |= MSR.trailingEdgeRi;
  return arriveIfInterrupting({ ...state, MCR: value, MSR: lines | (state.MSR & ~MSR.lines) | deltas });
}

/** The modem input lines: the terminal's, or in loopback mode our own outputs. */
function modemLines(mcr: number): number {
  if ((mcr & MCR.loopback) === 0) return TERMINAL_LINES;
  return (
    ((mcr & MCR.rts) !== 0 ? MSR.cts : 0) |
    ((mcr & MCR.dtr) !== 0 ? MSR.dsr : 0) |
    ((mcr & MCR.out1) !== 0 ? MSR.ri : 0) |
    ((mcr & MCR.out2) !== 0 ? MSR.dcd : 0)
  );
}
