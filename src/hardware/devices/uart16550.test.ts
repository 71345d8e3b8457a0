import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { receive, receiveBreak, UART_OFFSET, type Uart16550State, uart16550 } from "./uart16550.js";

const { RBR_THR_DLL, IER_DLM, IIR_FCR, LCR, MCR, LSR, MSR, SCR } = UART_OFFSET;

/** Writes pairs of offset and value, in order. */
function written(state: Uart16550State, ...writes: readonly (readonly [number, number])[]): Uart16550State {
  return writes.reduce((next, [offset, value]) => uart16550.write(next, offset, 1, value, 0), state);
}

const read = (state: Uart16550State, offset: number) => uart16550.read(state, offset, 1, 0);
const pin = (state: Uart16550State): boolean => uart16550.interrupt!(state);

/** Every byte a polling driver gets. */
function drain(state: Uart16550State): string {
  let text = "";
  for (;;) {
    const status = read(state, LSR);
    if ((status.value & 1) === 0) return text;
    const byte = read(status.state, RBR_THR_DLL);
    text += String.fromCharCode(byte.value);
    state = byte.state;
  }
}

describe("the 16550A", () => {
  it("sends a byte written to THR at once and has THR empty again", () => {
    const state = written(uart16550.reset(), [RBR_THR_DLL, 0x41], [RBR_THR_DLL, 0xff]);
    expect(state.output).toBe("A\xff");
    expect(read(state, LSR).value).toBe(0x60);
  });

  it("reaches the divisor latch through offsets 0 and 1 only while DLAB is set", () => {
    const state = written(uart16550.reset(), [LCR, 0x83], [RBR_THR_DLL, 1], [IER_DLM, 2], [LCR, 0x03]);
    expect([state.DLL, state.DLM, state.IER, state.output]).toEqual([1, 2, 0, ""]);
    expect(read(written(state, [LCR, 0x83]), IER_DLM).value).toBe(2);
    expect(read(state, IER_DLM).value).toBe(0);
  });

  it("gives typed bytes in order, with and without FIFOs", () => {
    const text = "the quick brown fox jumps over the lazy dog";
    expect(drain(receive(uart16550.reset(), text))).toBe(text);
    expect(drain(receive(written(uart16550.reset(), [IIR_FCR, 0x01]), text))).toBe(text);
  });

  it("keeps what was typed before the driver cleared the FIFOs", () => {
    const state = receive(uart16550.reset(), "hello");
    expect(drain(written(state, [IER_DLM, 0], [IIR_FCR, 0xc7], [MCR, 0x0b]))).toBe("hello");
  });

  it("drops what had arrived when the receive FIFO is cleared", () => {
    const fifo = written(uart16550.reset(), [IIR_FCR, 0x01]);
    const arrived = read(receive(fifo, "0123456789abcdefXYZ"), LSR).state;
    expect(drain(written(arrived, [IIR_FCR, 0x03]))).toBe("XYZ");
  });

  it("interrupts for received data from the trigger level on, and by timeout below it", () => {
    const fifo = written(uart16550.reset(), [IIR_FCR, 0x41], [IER_DLM, 0x01]);
    expect(read(receive(fifo, "abcd"), IIR_FCR).value).toBe(0xc4);
    expect(read(receive(fifo, "abc"), IIR_FCR).value).toBe(0xcc);
    expect(pin(receive(fifo, "a"))).toBe(true);
    expect(pin(read(receive(fifo, "a"), RBR_THR_DLL).state)).toBe(false);
  });

  it("interrupts when its transmitter interrupt is turned on while THR is empty", () => {
    const state = written(uart16550.reset(), [IER_DLM, 0x02]);
    expect(pin(state)).toBe(true);
    expect(read(state, IIR_FCR).value).toBe(0x02);
  });

  it("ends the transmitter interrupt by a read of IIR that shows it and raises it with the next byte", () => {
    const answered = read(written(uart16550.reset(), [IER_DLM, 0x02]), IIR_FCR).state;
    expect(pin(answered)).toBe(false);
    expect(read(answered, IIR_FCR).value).toBe(0x01);
    expect(pin(written(answered, [RBR_THR_DLL, 0x41]))).toBe(true);
  });

  it("keeps the transmitter interrupt while IIR shows one of a higher priority", () => {
    const state = receive(written(uart16550.reset(), [IER_DLM, 0x03]), "a");
    const identified = read(state, IIR_FCR);
    expect(identified.value).toBe(0x04);
    expect(read(read(identified.state, RBR_THR_DLL).state, IIR_FCR).value).toBe(0x02);
  });

  it("pulses its pin when a byte is written while the transmitter interrupt is pending", () => {
    const before = written(uart16550.reset(), [IER_DLM, 0x02]);
    expect(uart16550.pulsedByAccess!(before, written(before, [RBR_THR_DLL, 0x41]))).toBe(true);
    const withData = receive(written(before, [IER_DLM, 0x03]), "a");
    expect(uart16550.pulsedByAccess!(withData, written(withData, [RBR_THR_DLL, 0x41]))).toBe(false);
  });

  it("receives what it sends in loopback mode and puts nothing on the line", () => {
    const looped = written(receive(uart16550.reset(), "typed"), [MCR, 0x1e], [RBR_THR_DLL, 0xae]);
    expect(read(looped, RBR_THR_DLL).value).toBe(0xae);
    expect(looped.output).toBe("");
    expect(drain(written(read(looped, RBR_THR_DLL).state, [MCR, 0x0b]))).toBe("typed");
  });

  it("shows its own outputs as modem inputs in loopback mode", () => {
    const bits = [0x01, 0x02, 0x04, 0x08].map(
      (bit) => read(written(uart16550.reset(), [MCR, 0x10 | bit]), MSR).value & 0xf0,
    );
    expect(bits).toEqual([0x20, 0x10, 0x40, 0x80]);
  });

  it("tells the changes of the modem inputs once and interrupts for them last", () => {
    const state = written(uart16550.reset(), [IER_DLM, 0x08], [MCR, 0x10]);
    expect(read(state, IIR_FCR).value).toBe(0x00);
    const status = read(state, MSR);
    expect(status.value).toBe(0x0b);
    expect(read(status.state, MSR).value).toBe(0x00);
    expect(pin(status.state)).toBe(false);
  });

  it("tells of the ring indicator only its end", () => {
    const ringing = read(written(uart16550.reset(), [MCR, 0x14]), MSR);
    expect(ringing.value & 0x44).toBe(0x40);
    expect(read(written(ringing.state, [MCR, 0x10]), MSR).value & 0x44).toBe(0x04);
  });

  it("reports an overrun until LSR is read, replacing RBR without FIFOs and keeping the FIFO with them", () => {
    const single = written(uart16550.reset(), [MCR, 0x10], [RBR_THR_DLL, 1], [RBR_THR_DLL, 2]);
    const status = read(single, LSR);
    expect(status.value).toBe(0x63);
    expect(read(status.state, LSR).value).toBe(0x61);
    expect(read(single, RBR_THR_DLL).value).toBe(2);

    const sends = Array.from({ length: 17 }, (_, index) => [RBR_THR_DLL, index] as const);
    const fifo = written(uart16550.reset(), [IIR_FCR, 0x01], [MCR, 0x10], [IER_DLM, 0x04], ...sends);
    expect(read(fifo, IIR_FCR).value).toBe(0xc6);
    expect(read(fifo, RBR_THR_DLL).value).toBe(0);
  });

  it("shows a break when its 0 comes to the front, until LSR is read", () => {
    const state = receiveBreak(receive(written(uart16550.reset(), [IIR_FCR, 0x01], [IER_DLM, 0x05]), "a"));
    expect(read(state, LSR).value).toBe(0xe1);
    const front = read(read(state, LSR).state, RBR_THR_DLL).state;
    expect(read(front, IIR_FCR).value).toBe(0xc6);
    const status = read(front, LSR);
    expect(status.value).toBe(0xf1);
    expect(read(status.state, LSR).value).toBe(0x61);
    expect(read(status.state, RBR_THR_DLL).value).toBe(0);
  });

  it("has no error bit for the FIFO while the FIFOs are off", () => {
    expect(read(receiveBreak(uart16550.reset()), LSR).value).toBe(0x71);
  });

  it("receives its own break once in loopback mode and sends none to the terminal", () => {
    const state = written(uart16550.reset(), [MCR, 0x10], [LCR, 0x43], [LCR, 0x43]);
    const status = read(state, LSR);
    expect(status.value).toBe(0x71);
    expect(read(read(status.state, RBR_THR_DLL).state, LSR).value).toBe(0x60);
    expect(written(uart16550.reset(), [LCR, 0x43]).output).toBe("");
  });

  it("programs FCR only in a write that enables the FIFOs", () => {
    expect(written(uart16550.reset(), [IIR_FCR, 0xc9]).FCR).toBe(0xc9);
    expect(written(uart16550.reset(), [IIR_FCR, 0xc9], [IIR_FCR, 0xc0]).FCR).toBe(0);
  });

  it("keeps the scratch register", () => {
    expect(read(written(uart16550.reset(), [SCR, 0x5a]), SCR).value).toBe(0x5a);
  });

  it("loses no typed byte and invents none, however typing and polling alternate", () => {
    const chunk = fc.string({ unit: fc.integer({ min: 0, max: 255 }).map((code) => String.fromCharCode(code)) });
    fc.assert(
      fc.property(fc.array(fc.tuple(chunk, fc.nat(20))), fc.boolean(), (rounds, fifo) => {
        let state = written(uart16550.reset(), [IIR_FCR, fifo ? 0x81 : 0], [IER_DLM, 0x01]);
        let got = "";
        for (const [text, polls] of rounds) {
          state = receive(state, text);
          for (let index = 0; index < polls && pin(state); index++) {
            const byte = read(state, RBR_THR_DLL);
            got += String.fromCharCode(byte.value);
            state = byte.state;
          }
        }
        expect(got + drain(state)).toBe(rounds.map(([text]) => text).join(""));
      }),
      { seed: 16550 },
    );
  });

  it("gives the same object back for reads without a side effect", () => {
    const state = uart16550.reset();
    for (const offset of [RBR_THR_DLL, IER_DLM, IIR_FCR, LCR, MCR, LSR, MSR, SCR]) {
      expect(read(state, offset).state).toBe(state);
    }
  });
});
