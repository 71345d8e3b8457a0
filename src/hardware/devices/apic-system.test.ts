/** I/O APIC, messages and x2APIC registers by the sentences of the 82093AA datasheet and SDM Vol. 3A. */
import { describe, expect, it } from "vitest";
import {
  type ApicSystemState,
  acknowledge,
  advance,
  apicSystem,
  armDeadline,
  due,
  interruptRequested,
  pinOf,
  readDeadline,
  readLocal,
  readX2,
  registerOffset,
  resetApicSystem,
  setLine,
  signalsTaken,
  writeBase,
  writeLocal,
  writeX2,
} from "./apic-system.js";

const two = resetApicSystem(2);
const EOI = 0xb0;
const ICR = 0x300;
const local = (
  system: ApicSystemState,
  processor: number,
  ...writes: readonly (readonly [offset: number, value: number])[]
): ApicSystemState =>
  writes.reduce((next, [offset, value]) => writeLocal(next, processor, offset, 4, value, 0), system);
const readOwn = (system: ApicSystemState, processor: number, offset: number): number =>
  readLocal(system, processor, offset, 4, 0).value;
const table = (system: ApicSystemState, line: number, low: number, destination = 0): ApicSystemState => {
  const index = 0x10 + 2 * pinOf(line);
  const put = (next: ApicSystemState, at: number, value: number): ApicSystemState =>
    apicSystem.write(apicSystem.write(next, 0, 4, at, 0), 0x10, 4, value, 0);
  return put(put(system, index + 1, destination * 2 ** 24), index, low);
};
const entry = (system: ApicSystemState, line: number): number => system.io.IOREDTBL[pinOf(line)]!.low;
/** Both APICs enabled by software, with flat logical addresses 1 and 2. */
const ready = local(local(two, 1, [0xf0, 0x1ff], [0xd0, 0x0200_0000]), 0, [0xd0, 0x0100_0000]);
const next = (system: ApicSystemState, processor: number): number => acknowledge(system, processor).vector;
const taken = (system: ApicSystemState, processor: number): ApicSystemState => acknowledge(system, processor).system;

describe("the I/O APIC", () => {
  it("sends an edge once at each rise, and loses it while the input is masked", () => {
    const rise = (system: ApicSystemState): ApicSystemState => setLine(setLine(system, 4, false), 4, true);
    const open = table(ready, 4, 0x51);
    expect(next(rise(open), 0)).toBe(0x51);
    expect(next(taken(rise(open), 0), 0)).toBe(-1);
    expect(next(table(rise(table(ready, 4, 0x1_0051)), 4, 0x51), 0)).toBe(-1);
  });

  it("sends a level until its interrupt has ended, and again while it lasts", () => {
    const high = setLine(table(ready, 10, 0x8061), 10, true);
    expect([next(high, 0), entry(high, 10)]).toEqual([0x61, 0xc061]);
    const again = local(taken(high, 0), 0, [EOI, 0]);
    expect([next(again, 0), entry(again, 10)]).toEqual([0x61, 0xc061]);
    const low = local(taken(setLine(again, 10, false), 0), 0, [EOI, 0]);
    expect([next(low, 0), entry(low, 10)]).toEqual([-1, 0x8061]);
  });

  it("sends a level that was there when its input is unmasked", () => {
    const masked = setLine(table(ready, 10, 0x1_8061), 10, true);
    expect(next(masked, 0)).toBe(-1);
    expect(next(table(masked, 10, 0x8061), 0)).toBe(0x61);
  });

  it("is told of the end of level-triggered interrupts by its own register, too", () => {
    const high = setLine(table(ready, 10, 0x8061), 10, true);
    const ended = apicSystem.write(setLine(high, 10, false), 0x40, 4, 0x61, 0);
    expect([entry(high, 10), entry(ended, 10)]).toEqual([0xc061, 0x8061]);
  });

  it("addresses by ID or logically, and by lowest priority one of those addressed", () => {
    const rise = (system: ApicSystemState): number[] =>
      [0, 1].map((processor) => next(setLine(system, 4, true), processor));
    expect(rise(table(ready, 4, 0x51, 1))).toEqual([-1, 0x51]);
    expect(rise(table(ready, 4, 0x851, 3))).toEqual([0x51, 0x51]);
    expect(rise(table(ready, 4, 0x951, 3))).toEqual([0x51, -1]);
    expect(rise(local(table(ready, 4, 0x951, 3), 0, [0x80, 0x20]))).toEqual([-1, 0x51]);
  });
});

describe("an interprocessor interrupt", () => {
  const both = (system: ApicSystemState): number[] => [next(system, 0), next(system, 1)];

  it("goes to itself, to all, or to all others by shorthand", () => {
    expect(both(local(ready, 1, [ICR, 0x4_0055]))).toEqual([-1, 0x55]);
    expect(both(local(ready, 1, [ICR, 0x8_0055]))).toEqual([0x55, 0x55]);
    expect(both(local(ready, 1, [ICR, 0xc_0055]))).toEqual([0x55, -1]);
  });

  it("of a vector below 16 is an error of who sends it", () => {
    const sent = local(ready, 1, [ICR, 0x4_0004], [0x280, 0]);
    expect([...both(sent), readOwn(sent, 1, 0x280)]).toEqual([-1, -1, 0x20]);
  });

  it("of INIT resets the other APIC, which then waits for a start-up message; de-asserting does nothing", () => {
    const init = signalsTaken(local(ready, 0, [0x310, 0x0100_0000], [ICR, 0x4500]), 1);
    expect(init.local[1]).toMatchObject({ waits: true, SVR: 0xff, LDR: 0, init: false });
    expect(local(ready, 0, [0x310, 0x0100_0000], [ICR, 0x8500]).local[1]).toBe(ready.local[1]);
    const started = local(init, 0, [0x310, 0x0100_0000], [ICR, 0x4699]);
    expect(started.local[1]).toMatchObject({ startUp: 0x99, waits: true });
    expect(signalsTaken(started, 1).local[1]).toMatchObject({ startUp: -1, waits: false });
  });
});

describe("x2APIC mode", () => {
  const x2 = writeBase(ready, 1, 0xfee0_0c00n);
  const rd = (address: number): bigint | undefined => readX2(x2, 1, address, 0);
  const wr = (address: number, value: bigint): ApicSystemState | undefined => writeX2(x2, 1, address, value, 0);

  it("takes the registers out of memory", () => {
    expect(registerOffset(ready, 1, 0xfee0_0030)).toBe(0x30);
    expect(registerOffset(x2, 1, 0xfee0_0030)).toBe(-1);
    expect(registerOffset(writeBase(ready, 1, 0xfed0_0800n), 1, 0xfed0_0030)).toBe(0x30);
  });

  it("has registers as MSRs; a register that is not there, or cannot be read or written, is refused", () => {
    expect([rd(0x802), rd(0x803), rd(0x80d), rd(0x80f)]).toEqual([1n, 0x5_0014n, 2n, 0x1ffn]);
    expect([rd(0x80b), rd(0x80e), rd(0x809), rd(0x831), rd(0x83f), rd(0x8ff)]).toEqual(Array(6).fill(undefined));
    expect([wr(0x802, 1n), wr(0x803, 1n), wr(0x80d, 1n), wr(0x810, 1n), wr(0x839, 1n)]).toEqual(
      Array(5).fill(undefined),
    );
    expect(readX2(ready, 1, 0x802, 0)).toBeUndefined();
  });

  it("refuses bits that do not exist, and anything but 0 for EOI and ESR", () => {
    const refused = [wr(0x808, 0x100n), wr(0x80b, 1n), wr(0x828, 1n), wr(0x832, 0x8_0000n), wr(0x838, 1n << 32n)];
    expect(refused).toEqual(Array(5).fill(undefined));
    expect(readX2(wr(0x808, 0x20n)!, 1, 0x808, 0)).toBe(0x20n);
    expect(wr(0x828, 0n)).toBeDefined();
  });

  it("sends with one write of ICR, whose upper half is the whole destination", () => {
    expect(next(wr(0x830, 0x66n)!, 0)).toBe(0x66);
    expect(next(wr(0x830, (1n << 32n) | 0x66n)!, 1)).toBe(0x66);
    expect(next(wr(0x830, 0xffff_ffff_0000_0066n)!, 0)).toBe(0x66);
    expect(readX2(wr(0x830, (1n << 32n) | 0x66n)!, 1, 0x830, 0)).toBe((1n << 32n) | 0x66n);
    expect(next(wr(0x83f, 0x77n)!, 1)).toBe(0x77);
    expect(wr(0x83f, 0x100n)).toBeUndefined();
  });
});

describe("the APICs of a machine", () => {
  it("meet a TSC deadline at its tick, and are disarmed by it", () => {
    const mode = local(ready, 1, [0x320, 0x4_0055]);
    const armed = armDeadline(mode, 1, 5000);
    expect([due(armed), readDeadline(armed, 1), readDeadline(mode, 1)]).toEqual([5000, 5000, Number.POSITIVE_INFINITY]);
    const met = advance(armed, 5000);
    expect([next(met, 1), next(met, 0), due(met)]).toEqual([0x55, -1, Number.POSITIVE_INFINITY]);
    expect(armDeadline(ready, 1, 5000)).toBe(ready);
  });

  it("let the 8259s through to the first processor alone, as firmware leaves them", () => {
    expect([0, 1].map((processor) => interruptRequested(two, processor, true))).toEqual([true, false]);
  });
});
