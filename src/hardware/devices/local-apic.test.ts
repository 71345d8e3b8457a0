/** A local APIC by the sentences of SDM Vol. 3A, "Advanced Programmable Interrupt Controller (APIC)". */
import { describe, expect, it } from "vitest";
import { DELIVERY, type InterruptMessage } from "./interrupt-message.js";
import {
  accept,
  advanceTimer,
  afterInit,
  driveLint0,
  endOfInterrupt,
  inVirtualWireMode,
  isDestination,
  type LocalApicState,
  logicalX2apicId,
  nextVector,
  passesExtInt,
  processorPriority,
  resetLocalApic,
  takeVector,
} from "./local-apic.js";
import { readRegister, writeRegister } from "./local-apic-registers.js";

const ready = inVirtualWireMode(resetLocalApic(0));
const fixed = (vector: number, levelTriggered = false): InterruptMessage => ({
  delivery: DELIVERY.fixed,
  vector,
  levelTriggered,
  logical: false,
  destination: 0,
});
const to = (destination: number, logical: boolean): InterruptMessage => ({ ...fixed(0x40), destination, logical });
const write = (
  state: LocalApicState,
  ...writes: readonly (readonly [offset: number, value: number])[]
): LocalApicState => writes.reduce((next, [offset, value]) => writeRegister(next, offset >> 4, value, 0), state);
const read = (state: LocalApicState, offset: number): number => readRegister(state, offset >> 4, 0).value;
/** Accepts and serves each. */
const serving = (...vectors: readonly number[]): LocalApicState =>
  vectors.reduce((next, vector) => takeVector(accept(next, fixed(vector)), vector), ready);

describe("a local APIC", () => {
  it("holds one interrupt of a vector in service and one requested", () => {
    const twice = accept(accept(serving(0x41), fixed(0x41)), fixed(0x41));
    expect([read(twice, 0x120), read(twice, 0x220)]).toEqual([2, 2]);
    expect(nextVector(twice)).toBe(-1);
    expect(nextVector(endOfInterrupt(twice).state)).toBe(0x41);
  });

  it("has a processor priority of the task's or of the highest vector in service, whichever class is higher", () => {
    expect(processorPriority(write(ready, [0x80, 0x35]))).toBe(0x35);
    expect(processorPriority(serving(0x41, 0x62))).toBe(0x60);
    expect(processorPriority(write(serving(0x62), [0x80, 0x65]))).toBe(0x65);
    expect(processorPriority(write(serving(0x62), [0x80, 0x5f]))).toBe(0x60);
  });

  it("delivers a vector whose class is higher than the processor priority", () => {
    const waiting = accept(accept(ready, fixed(0x5f)), fixed(0x50));
    expect([0, 0x4f, 0x50, 0x5f].map((TPR) => nextVector(write(waiting, [0x80, TPR])))).toEqual([0x5f, 0x5f, -1, -1]);
  });

  it("takes vectors from 16 on; a lower one in a message is an error that interrupts through its entry", () => {
    const illegal = accept(write(ready, [0x370, 0xfe]), fixed(15));
    expect(nextVector(illegal)).toBe(0xfe);
    expect(read(illegal, 0x280)).toBe(0);
    const shown = write(illegal, [0x280, 0]);
    expect([read(shown, 0x280), read(write(shown, [0x280, 0]), 0x280)]).toEqual([0x40, 0]);
  });

  it("finds an access to a register that is not there, which is an error", () => {
    expect(read(write(readRegister(ready, 0x04, 0).state, [0x280, 0]), 0x280)).toBe(0x80);
    expect(read(write(ready, [0x3f0, 1], [0x280, 0]), 0x280)).toBe(0x80);
  });

  it("interrupts at the first error alone until ESR is written", () => {
    const first = accept(write(ready, [0x370, 0xfe]), fixed(1));
    const served = endOfInterrupt(takeVector(first, 0xfe)).state;
    expect(nextVector(accept(served, fixed(2)))).toBe(-1);
    expect(nextVector(accept(write(served, [0x280, 0]), fixed(2)))).toBe(0xfe);
  });

  it("sets the trigger mode when it accepts, and tells of level-triggered interrupts at their end", () => {
    const level = takeVector(accept(ready, fixed(0x71, true)), 0x71);
    expect(read(level, 0x1b0)).toBe(1 << 0x11);
    expect(endOfInterrupt(level)).toMatchObject({ vector: 0x71, levelTriggered: true });
    const edge = takeVector(accept(endOfInterrupt(level).state, fixed(0x71)), 0x71);
    expect(endOfInterrupt(edge)).toMatchObject({ vector: 0x71, levelTriggered: false });
    expect(endOfInterrupt(ready)).toMatchObject({ vector: -1, levelTriggered: false });
  });

  it("that is disabled by software takes NMI, INIT and start-up messages alone", () => {
    const disabled = write(ready, [0xf0, 0xff]);
    expect(accept(disabled, fixed(0x40))).toBe(disabled);
    expect(accept(disabled, { ...fixed(0), delivery: DELIVERY.nmi }).nmi).toBe(true);
    expect(accept(disabled, { ...fixed(0), delivery: DELIVERY.init }).init).toBe(true);
    expect(write(disabled, [0x320, 0x40]).LVT.timer).toBe(0x10040);
  });

  it("that is switched off takes nothing, and LINT0 is the processor's INTR", () => {
    const off = { ...ready, APIC_BASE: 0xfee0_0100, LVT: { ...ready.LVT, LINT0: 0x10000 } };
    expect(accept(off, { ...fixed(0), delivery: DELIVERY.nmi })).toBe(off);
    expect(passesExtInt(off)).toBe(true);
    expect(passesExtInt({ ...off, APIC_BASE: 0xfee0_0900 })).toBe(false);
  });

  it("takes start-up messages only behind INIT, the last one before it begins", () => {
    const startUp: InterruptMessage = { ...fixed(9), delivery: DELIVERY.startUp };
    expect(accept(ready, startUp)).toBe(ready);
    expect(accept(resetLocalApic(1), startUp).startUp).toBe(9);
    expect(accept(accept(ready, { ...fixed(0), delivery: DELIVERY.init }), startUp).startUp).toBe(9);
  });

  it("keeps its ID and IA32_APIC_BASE at INIT and nothing else", () => {
    const used = write({ ...serving(0x50), APIC_BASE: 0xfed0_0900 }, [0x20, 0x0700_0000], [0xd0, 0x0100_0000]);
    expect(afterInit(used)).toEqual({ ...resetLocalApic(0), ID: 7, APIC_BASE: 0xfed0_0900 });
    expect(afterInit(resetLocalApic(3)).waits).toBe(true);
  });

  it("interrupts by its timer's entry, unless it is masked", () => {
    const running = write(ready, [0x3e0, 0xb], [0x320, 0x45], [0x380, 100]);
    expect([99, 100].map((tick) => nextVector(advanceTimer(running, tick)))).toEqual([-1, 0x45]);
    expect(nextVector(advanceTimer(write(running, [0x320, 0x10045]), 100))).toBe(-1);
  });

  it("with LINT0 level triggered waits for the end of its interrupt, and interrupts again while the pin is high", () => {
    const high = driveLint0(write(ready, [0x350, 0x8044]), true);
    expect([nextVector(high), read(high, 0x350)]).toEqual([0x44, 0xc044]);
    const ended = endOfInterrupt(takeVector(high, 0x44)).state;
    expect(nextVector(ended)).toBe(0x44);
    const low = endOfInterrupt(takeVector(driveLint0(ended, false), 0x44)).state;
    expect([nextVector(low), read(low, 0x350)]).toEqual([-1, 0x8044]);
  });

  it("is addressed by ID, by a bit of its flat or cluster address, or with everybody", () => {
    const flat = write(ready, [0xd0, 0x0600_0000]);
    expect([0, 1, 0xff].map((id) => isDestination(flat, to(id, false)))).toEqual([true, false, true]);
    expect([2, 4, 9, 0xff].map((bits) => isDestination(flat, to(bits, true)))).toEqual([true, true, false, true]);
    const cluster = write(ready, [0xd0, 0x2600_0000], [0xe0, 0x0fff_ffff]);
    const bits = [0x22, 0x24, 0x21, 0x12, 0xff];
    expect(bits.map((address) => isDestination(cluster, to(address, true)))).toEqual([true, true, false, false, true]);
  });

  it("has a logical x2APIC ID of 16 to a cluster, made from its ID", () => {
    expect([0, 5, 16, 0x123].map(logicalX2apicId)).toEqual([1, 0x20, 0x1_0001, 0x12_0008]);
    const x2 = { ...resetLocalApic(17), APIC_BASE: 0xfee0_0c00 };
    expect([17, 16, 0xffff_ffff].map((id) => isDestination(x2, to(id, false)))).toEqual([true, false, true]);
    expect([0x1_0002, 0x1_0001, 2].map((id) => isDestination(x2, to(id, true)))).toEqual([true, false, false]);
  });
});
