import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  a20Enabled,
  acknowledge,
  advance,
  canWakeByItself,
  createDevices,
  DEVICE_KINDS,
  type DeviceSet,
  interruptRequested,
  nextEvent,
  nmiEnabled,
  portRead,
  portWrite,
  pressKeysTogether,
  resetRequested,
  typeInput,
  typeKeys,
} from "./bus.js";
import type { BusDevice } from "./bus-device.js";
import { INTERRUPT_LINES, PORT_MAP, portRanges } from "./port-map.js";

const SEED = 21;
const CLOCK = 84;

function written(devices: DeviceSet, tick: number, ...writes: readonly (readonly [number, number])[]): DeviceSet {
  return writes.reduce((next, [port, value]) => portWrite(next, port, 1, value, tick), devices);
}

/** Both controllers set up, vectors 0x20 to 0x2F; `masterMask` in the master's mask register. */
function withPic(masterMask: number, devices = createDevices()): DeviceSet {
  const master = [0x11, 0x20, 0x04, 0x01, masterMask].map((value, i) => [i === 0 ? 0x20 : 0x21, value] as const);
  const slave = [0x11, 0x28, 0x02, 0x01, 0xff].map((value, i) => [i === 0 ? 0xa0 : 0xa1, value] as const);
  return written(devices, 0, ...master, ...slave);
}

/** Counter 0 in mode 2 with a period of `count` clocks. */
const withTimer = (devices: DeviceSet, count: number): DeviceSet =>
  written(devices, 0, [0x43, 0x34], [0x40, count & 0xff], [0x40, count >> 8]);

/** Both controllers set up, nothing masked but what `masks` say. */
const withSlave = (masterMask: number, slaveMask: number): DeviceSet =>
  written(withPic(masterMask), 0, [0xa1, slaveMask]);

const bytes = (text: string): Uint8Array => Uint8Array.from(text, (c) => c.charCodeAt(0));

describe("the bus", () => {
  it("gives all ones for a port nobody answers and ignores writes to it", () => {
    const devices = createDevices();
    expect(portRead(devices, 0x300, 1, 0)).toEqual({ devices, value: 0xff });
    expect(portRead(devices, 0x300, 2, 0).value).toBe(0xffff);
    expect(portRead(devices, 0xffff, 4, 0).value).toBe(0xffffffff);
    expect(portWrite(devices, 0x300, 4, 1, 0)).toBe(devices);
  });

  it("splits a wider access to byte registers into bytes", () => {
    const devices = portWrite(createDevices(), 0x3f8 + 3, 2, 0x1a80, 0);
    expect([devices.uart.LCR, devices.uart.MCR]).toEqual([0x80, 0x1a]);
    expect(portRead(devices, 0x3f8 + 3, 4, 0).value % 0x1_0000).toBe(0x1a80);
  });

  it("gives the debug exit a dword as one value", () => {
    expect(portWrite(createDevices(), 0xf4, 4, 0xcafef00d, 0).debugExit?.exitValue).toBe(0xcafef00d);
    expect(portWrite(createDevices({ debugExitPort: 0x501 }), 0x501, 1, 0x10, 0).debugExit?.exitValue).toBe(0x10);
  });

  it("leaves out the debug devices whose ports are not configured", () => {
    const devices = createDevices({});
    expect([devices.debugExit, devices.debugConsole]).toEqual([undefined, undefined]);
    expect(portRead(devices, 0xe9, 1, 0).value).toBe(0xff);
    expect(portWrite(devices, 0xf4, 1, 1, 0)).toBe(devices);
  });

  it("refuses a configured port that is taken or does not exist", () => {
    expect(() => createDevices({ debugExitPort: 0x3f6 })).toThrow(
      "debug exit: port 0x3f6 is taken by serial port COM1 (0x3f8)",
    );
    expect(() => createDevices({ debugExitPort: 0xfffd })).toThrow("port 0xfffd is not one of 0x0 to 0xfffc");
    expect(() => createDevices({ debugConsolePort: -1 })).toThrow("debug console: port -1 is not one of");
    expect(() => createDevices({ debugConsolePort: 0xf5, debugExitPort: 0xf4 })).toThrow("is taken by");
  });

  it("does not take a PCI configuration address for a reset", () => {
    expect(portWrite(createDevices(), 0xcf8, 4, 0x80000604, 0).reset.resetRequested).toBe(false);
    expect(portWrite(createDevices(), 0xcf9, 1, 0x06, 0).reset.resetRequested).toBe(true);
  });

  it("brings a typed byte to the guest as interrupt 4", () => {
    const ready = written(withPic(0xef), 0, [0x3f9, 0x01]);
    const typed = typeInput(ready, bytes("a"));
    expect(interruptRequested(typed)).toBe(true);
    const { devices, vector } = acknowledge(typed);
    expect(vector).toBe(0x24);
    expect(portRead(devices, 0x3f8, 1, 0).value).toBe(0x61);
    expect(interruptRequested(devices)).toBe(false);
  });

  it("interrupts again for a byte sent while the transmitter interrupt is in service", () => {
    const first = acknowledge(written(withPic(0xef), 0, [0x3f9, 0x02]));
    const sent = written(first.devices, 0, [0x3f8, 0x41], [0x20, 0x20]);
    expect(acknowledge(sent).vector).toBe(0x24);
  });

  it.each([0x00, 0xc1])("interrupts for every typed byte a handler reads alone, with FCR %i", (fcr) => {
    let devices = typeInput(written(withPic(0xef), 0, [0x3fa, fcr], [0x3f9, 0x01]), bytes("a longer line of input"));
    let text = "";
    while (interruptRequested(devices)) {
      const taken = acknowledge(devices);
      expect(taken.vector).toBe(0x24);
      const read = portRead(taken.devices, 0x3f8, 1, 0);
      text += String.fromCharCode(read.value);
      devices = written(read.devices, 0, [0x20, 0x20]);
    }
    expect(text).toBe("a longer line of input");
  });

  it("does not interrupt again for bytes that the handler has read already", () => {
    let devices = acknowledge(typeInput(written(withPic(0xef), 0, [0x3f9, 0x01]), bytes("abc"))).devices;
    for (let index = 0; index < 3; index++) devices = portRead(devices, 0x3f8, 1, 0).devices;
    expect(interruptRequested(written(devices, 0, [0x20, 0x20]))).toBe(false);
  });

  it("raises interrupt 0 once every period of the timer, at the tick it announces", () => {
    let devices = withTimer(withPic(0xfe), 100);
    let tick = 0;
    const rises: number[] = [];
    while (rises.length < 3) {
      tick = nextEvent(devices, tick);
      devices = advance(devices, tick);
      if (!interruptRequested(devices)) continue;
      rises.push(tick / CLOCK);
      const taken = acknowledge(devices);
      expect(taken.vector).toBe(0x20);
      devices = written(taken.devices, tick, [0x20, 0x20]);
    }
    // The count is taken over at clock 1.
    expect(rises).toEqual([101, 201, 301]);
  });

  it("has one event a period while interrupt 0 is not pending", () => {
    const devices = written(
      acknowledge(advance(withTimer(withPic(0xfe), 100), 101 * CLOCK)).devices,
      101 * CLOCK,
      [0x20, 0x20],
    );
    expect(nextEvent(devices, 101 * CLOCK)).toBe(201 * CLOCK);
  });

  it("sees a timer interrupt that passed between two advances", () => {
    const devices = withTimer(withPic(0xfe), 100);
    const taken = acknowledge(advance(devices, 101 * CLOCK)).devices;
    const ended = written(taken, 101 * CLOCK, [0x20, 0x20]);
    expect(interruptRequested(ended)).toBe(false);
    expect(interruptRequested(advance(ended, 350 * CLOCK))).toBe(true);
  });

  it("has no event while the timer's line is masked, and the interrupt when it is unmasked", () => {
    const masked = withTimer(withPic(0xff), 100);
    expect(nextEvent(masked, 0)).toBe(Number.POSITIVE_INFINITY);
    expect(interruptRequested(portWrite(masked, 0x21, 1, 0xfe, 1050 * CLOCK))).toBe(true);
  });

  it("can wake by itself only if the timer runs and its interrupt would get through", () => {
    expect(canWakeByItself(createDevices(), 0)).toBe(false);
    expect(canWakeByItself(withPic(0xff), 0)).toBe(false);
    expect(canWakeByItself(withPic(0xfe), 0)).toBe(true);
    const oneShot = written(withPic(0xfe), 0, [0x43, 0x30], [0x40, 10], [0x40, 0]);
    expect(canWakeByItself(oneShot, 0)).toBe(true);
    expect(canWakeByItself(oneShot, 11 * CLOCK)).toBe(false);
  });

  it("cannot wake by itself while the timer's interrupt is in service", () => {
    const taken = acknowledge(advance(withTimer(withPic(0xfe), 100), 101 * CLOCK)).devices;
    expect(canWakeByItself(taken, 101 * CLOCK)).toBe(false);
    expect(canWakeByItself(written(taken, 101 * CLOCK, [0x20, 0x20]), 101 * CLOCK)).toBe(true);
  });

  it("brings a typed key to the guest as interrupt 1, once for every byte a handler reads", () => {
    let devices = typeKeys(withPic(0xfd), "Hi\n");
    const codes: number[] = [];
    while (interruptRequested(devices)) {
      const taken = acknowledge(devices);
      expect(taken.vector).toBe(0x21);
      const read = portRead(taken.devices, 0x60, 1, 0);
      codes.push(read.value);
      devices = written(read.devices, 0, [0x20, 0x20]);
    }
    expect(codes).toEqual([0x2a, 0x23, 0xa3, 0xaa, 0x17, 0x97, 0x1c, 0x9c]);
  });

  it("brings keys pressed together", () => {
    const devices = pressKeysTogether(createDevices(), ["ctrl", "c"]);
    expect(portRead(devices, 0x60, 1, 0).value).toBe(0x1d);
  });

  it("brings a byte of the auxiliary port to the guest as interrupt 12", () => {
    const ready = written(withSlave(0xfb, 0xef), 0, [0x64, 0x60], [0x60, 0x47], [0x64, 0xd3], [0x60, 0x5a]);
    expect(acknowledge(ready).vector).toBe(0x2c);
    expect(interruptRequested(portRead(ready, 0x60, 1, 0).devices)).toBe(false);
  });

  it("has a second serial port at 0x2F8 with interrupt 3", () => {
    const typed = typeInput(written(withPic(0xf7), 0, [0x2f9, 0x01], [0x2f8, 0x41]), bytes("a"), "uart2");
    expect([typed.uart2.output, typed.uart.output]).toEqual(["A", ""]);
    expect(acknowledge(typed).vector).toBe(0x23);
    expect(portRead(typed, 0x2f8, 1, 0).value).toBe(0x61);
  });

  it("brings the clock's interrupt to the guest as interrupt 8, at the tick it announces", () => {
    const second = 100_227_288;
    const devices = written(withSlave(0xfb, 0xfe), 0, [0x70, 0x0b], [0x71, 0x12]);
    expect(nextEvent(devices, 0)).toBe(second);
    expect(canWakeByItself(devices, 0)).toBe(true);
    expect(interruptRequested(advance(devices, second - 1))).toBe(false);
    const ended = advance(devices, second);
    expect(acknowledge(ended).vector).toBe(0x28);
    const read = portRead(written(ended, second, [0x70, 0x0c]), 0x71, 1, second);
    expect(read.value & 0x90).toBe(0x90);
    expect(nextEvent(read.devices, second)).toBe(2 * second);
  });

  it("has the clock's time and memory size from the setup, and no trace of the setup beside them", () => {
    const devices = createDevices({}, { memorySize: 32 * 2 ** 20, time: 0, a20: false });
    const cmos = (address: number): number => portRead(written(devices, 0, [0x70, address]), 0x71, 1, 0).value;
    expect([cmos(9), cmos(0x32), cmos(0x34), cmos(0x35)]).toEqual([0x70, 0x19, 0, 1]);
    expect(devices.config).toEqual({});
  });

  it("lets address line 20 pass if either source says so", () => {
    const closed = createDevices({}, { a20: false });
    expect([a20Enabled(createDevices()), a20Enabled(closed)]).toEqual([true, false]);
    expect(a20Enabled(written(closed, 0, [0x92, 0x02]))).toBe(true);
    expect(a20Enabled(written(closed, 0, [0x64, 0xd1], [0x60, 0xdf]))).toBe(true);
    const one = written(createDevices(), 0, [0x92, 0x00]);
    expect([a20Enabled(one), a20Enabled(written(one, 0, [0x64, 0xdd]))]).toEqual([true, false]);
  });

  it("sees a request for a reset by any of the four ways", () => {
    const ways = [
      [[0x64, 0xfe]],
      [
        [0x64, 0xd1],
        [0x60, 0x02],
      ],
      [[0x92, 0x01]],
      [[0xcf9, 0x06]],
    ] as const;
    expect(resetRequested(createDevices())).toBe(false);
    for (const way of ways) expect(resetRequested(written(createDevices(), 0, ...way))).toBe(true);
    expect(resetRequested(written(createDevices(), 0, [0x64, 0xd1], [0x60, 0xdf], [0x60, 0x00]))).toBe(false);
  });

  it("lets non-maskable interrupts through as bit 7 of port 0x70 says", () => {
    expect(nmiEnabled(createDevices())).toBe(true);
    expect(nmiEnabled(written(createDevices(), 0, [0x70, 0x8f]))).toBe(false);
    expect(nmiEnabled(written(createDevices(), 0, [0x70, 0x8f], [0x70, 0x0f]))).toBe(true);
  });

  it("reads by its short way what it reads by the long one", () => {
    const ranges = portRanges({ machine: "pc" });
    const port = fc.constantFrom(...ranges.flatMap(({ base, length }) => Array.from({ length }, (_, i) => base + i)));
    const step = fc.record({
      port,
      value: fc.option(fc.integer({ min: 0, max: 255 })),
      delay: fc.oneof(fc.nat(500), fc.nat(200_000_000)),
      typed: fc.constantFrom("", "", "a"),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        let devices = withPic(0, createDevices({ machine: "pc" }));
        let tick = 0;
        for (const { port, value, delay, typed } of steps) {
          tick += delay;
          devices = typeKeys(typeInput(devices, bytes(typed)), typed);
          if (value !== null) devices = portWrite(devices, port, 1, value, tick);
          const now = advance(devices, tick);
          const { device, base, offset } = ranges.findLast((r) => port >= r.base && port < r.base + r.length)!;
          const kind = DEVICE_KINDS[device] as BusDevice<unknown>;
          const long = kind.read(now[device], offset + port - base, 1, tick);
          const peeked = kind.peek?.(now[device], offset + port - base, 1, tick) ?? -1;
          if (peeked >= 0) expect({ state: now[device], value: peeked }).toEqual(long);
          const read = portRead(devices, port, 1, tick);
          expect(read.value).toBe(long.value);
          expect(read.devices[device === "pic" ? "config" : device]).toEqual(
            device === "pic" ? now.config : long.state,
          );
          devices = read.devices;
        }
      }),
      { seed: SEED, numRuns: 300 },
    );
  });

  it("makes the same value however often it is advanced on the way", () => {
    const port = fc.constantFrom(
      ...[0x20, 0x21, 0x40, 0x43, 0x61, 0xa0, 0xa1, 0x3f8, 0x3f9, 0x3fa, 0x3fc, 0x3fd],
      ...[0x60, 0x64, 0x70, 0x71, 0x92, 0x2f8, 0x2f9],
    );
    const step = fc.record({
      delay: fc.oneof(fc.nat(200), fc.nat(40_000)),
      stops: fc.array(fc.nat(40_000), { maxLength: 4 }),
      action: fc.constantFrom("read", "write", "type", "acknowledge"),
      port,
      value: fc.oneof(
        fc.constantFrom(0x11, 0x20, 0xfe, 0xee, 0x34, 0x36, 0x30, 0x38),
        fc.integer({ min: 0, max: 255 }),
      ),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
        let direct = withTimer(withPic(0xee), 60);
        let stopped = direct;
        let tick = 0;
        for (const { delay, stops, action, port, value } of steps) {
          for (const stop of stops.filter((s) => s < delay).sort((a, b) => a - b)) {
            stopped = advance(stopped, tick + stop);
            expect(nextEvent(stopped, tick + stop)).toBe(nextEvent(direct, tick + stop));
          }
          tick += delay;
          const both = [direct, stopped].map((devices) => {
            if (action === "read") return portRead(devices, port, 1, tick);
            if (action === "write") return { devices: portWrite(devices, port, 1, value, tick), value: 0 };
            if (action === "type")
              return { devices: advance(typeInput(devices, Uint8Array.of(value)), tick), value: 0 };
            const taken = acknowledge(advance(devices, tick));
            return { devices: taken.devices, value: taken.vector };
          });
          expect(advance(both[0]!.devices, tick)).toEqual(advance(both[1]!.devices, tick));
          expect(both[0]!.value).toBe(both[1]!.value);
          direct = both[0]!.devices;
          stopped = both[1]!.devices;
        }
      }),
      { seed: SEED, numRuns: 500 },
    );
  });

  it("has no interrupt before the tick it announces", () => {
    fc.assert(
      fc.property(
        fc.constantFrom(0x30, 0x34, 0x36, 0x38),
        fc.integer({ min: 2, max: 200 }),
        fc.array(fc.boolean(), { minLength: 1, maxLength: 12 }),
        (control, count, acknowledges) => {
          let devices = written(withPic(0xfe), 0, [0x43, control], [0x40, count], [0x40, 0]);
          let tick = 0;
          for (const acknowledged of acknowledges) {
            const event = nextEvent(devices, tick);
            const requested = interruptRequested(devices);
            for (let between = tick + 1; between < Math.min(event, tick + 300 * CLOCK); between += 41) {
              expect(interruptRequested(advance(devices, between))).toBe(requested);
            }
            if (event === Number.POSITIVE_INFINITY) return;
            tick = event;
            devices = advance(devices, tick);
            if (acknowledged && interruptRequested(devices)) {
              devices = written(acknowledge(devices).devices, tick, [0x20, 0x20]);
            }
          }
        },
      ),
      { seed: SEED, numRuns: 60 },
    );
  });

  it("gives the same object back when an access changes nothing", () => {
    const devices = withPic(0xfe);
    expect(portRead(devices, 0x3fd, 1, 5).devices).toBe(devices);
    expect(portRead(devices, 0x21, 1, 5).devices).toBe(devices);
    expect(portWrite(devices, 0x21, 1, 0xfe, 5)).toBe(devices);
    expect(advance(devices, 5)).toBe(devices);
    expect(typeInput(devices, new Uint8Array())).toBe(devices);
  });

  it("has rows that do not overlap, each with a reason; reset control alone lies inside of PCI's address", () => {
    const ports = PORT_MAP.flatMap(({ base, length }) => Array.from({ length }, (_, index) => base + index));
    expect(ports.filter((port, index) => ports.indexOf(port) !== index)).toEqual([0xcf9]);
    for (const { reason } of [...PORT_MAP, ...INTERRUPT_LINES]) expect(reason).not.toBe("");
  });

  it("works on two machines with different ports in turn", () => {
    const one = createDevices({ debugConsolePort: 0xe9 });
    const other = createDevices({ debugConsolePort: 0x402 });
    expect(portRead(one, 0x402, 1, 0).value).toBe(0xff);
    expect(portRead(other, 0x402, 1, 0).value).toBe(0xe9);
    expect(portRead(one, 0xe9, 1, 0).value).toBe(0xe9);
  });
});
