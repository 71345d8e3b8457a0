import { describe, expect, it } from "vitest";
import { assemble } from "../isa/assembler/assembler.js";
import { Machine } from "../machine.js";
import { PM_OFFSET, type PowerManagementState, powerManagement, TICKS_PER_PM_CLOCK } from "./power-management.js";

const { PMSTS, PMEN, PMCNTRL, PMTMR, GPEN } = PM_OFFSET;
const TMROF = 1;
/** Ticks after which the timer's bit 23 changes. */
const HALF_TURN = 2 ** 23 * TICKS_PER_PM_CLOCK;

const read = (state: PowerManagementState, offset: number, size: number, tick = 0): number =>
  powerManagement.read(state, offset, size, tick).value;
const write = (state: PowerManagementState, offset: number, value: number, tick = 0): PowerManagementState =>
  powerManagement.write(state, offset, 2, value, tick);

describe("the PIIX4's power management", () => {
  const start = powerManagement.reset();

  it("has a timer of 24 bits that counts 3.579545 MHz: 28 ticks a clock", () => {
    expect(read(start, PMTMR, 4, 100_227_288)).toBe(3_579_546);
    expect(read(start, PMTMR, 4, 27)).toBe(0);
    expect(read(start, PMTMR, 4, 2 ** 24 * TICKS_PER_PM_CLOCK + 28)).toBe(1);
    const tick = 0x123456 * TICKS_PER_PM_CLOCK;
    expect([0, 1, 2, 3].map((byte) => read(start, PMTMR + byte, 1, tick))).toEqual([0x56, 0x34, 0x12, 0]);
  });

  it("sets TMROF_STS when the timer's highest bit changes, until 1 is written", () => {
    expect(read(start, PMSTS, 2, HALF_TURN - 1)).toBe(0);
    expect(read(start, PMSTS, 2, HALF_TURN)).toBe(TMROF);
    const cleared = write(start, PMSTS, TMROF, HALF_TURN);
    expect(read(cleared, PMSTS, 2, HALF_TURN)).toBe(0);
    expect(read(cleared, PMSTS, 2, 2 * HALF_TURN)).toBe(TMROF);
    expect(write(start, PMSTS, 0x100, HALF_TURN)).toBe(start);
  });

  it("interrupts at that tick if TMROF_EN is set, and says so before", () => {
    const enabled = write(start, PMEN, TMROF);
    expect(powerManagement.nextEvent!(enabled, 0)).toBe(HALF_TURN);
    expect(powerManagement.nextEvent!(start, 0)).toBe(Number.POSITIVE_INFINITY);
    const after = powerManagement.advance!(powerManagement.advance!(enabled, HALF_TURN - 1), HALF_TURN);
    expect(powerManagement.interrupt!(after)).toBe(true);
    const cleared = write(after, PMSTS, TMROF, HALF_TURN + 5);
    expect(powerManagement.interrupt!(cleared)).toBe(false);
    expect(powerManagement.nextEvent!(cleared, HALF_TURN + 5)).toBe(2 * HALF_TURN);
  });

  it("interrupts for an overflow from before the enable, and not any more when it is disabled", () => {
    const late = write(start, PMEN, TMROF, HALF_TURN + 9);
    expect(powerManagement.interrupt!(late)).toBe(true);
    expect(powerManagement.interrupt!(write(late, PMEN, 0, HALF_TURN + 10))).toBe(false);
  });

  it("is in ACPI mode, whatever is written", () => {
    expect(read(start, PMCNTRL, 2)).toBe(1);
    expect(read(write(start, PMCNTRL, 0), PMCNTRL, 2)).toBe(1);
    expect(read(write(start, GPEN, 0x1234), GPEN, 2)).toBe(0x1234);
  });

  it("switches off for soft off with SUS_EN, by word or byte, and for no other state", () => {
    expect(write(start, PMCNTRL, 0x2000).powerOffRequested).toBe(true);
    expect(powerManagement.write(start, PMCNTRL + 1, 1, 0x20, 0).powerOffRequested).toBe(true);
    expect(write(start, PMCNTRL, 0x0001).powerOffRequested).toBe(false);
    expect(write(start, PMCNTRL, 0x3400).powerOffRequested).toBe(false);
  });
});

describe("a machine that is switched off", () => {
  const { bytes } = assemble("bits 32\nmov dx, 0x604\nmov ax, 0x2001\nout dx, ax\ninc ebx\nhlt");

  it("stops its run behind the write on a pc", () => {
    const machine = Machine.boot({ machine: "pc", image: bytes, memory: "2M" }).run();
    expect([machine.stop, machine.registers.ebx]).toEqual([{ reason: "power-off" }, 0]);
  });

  it("does not exist on an isapc", () => {
    const machine = Machine.boot({ image: bytes, memory: "2M" }).run();
    expect([machine.stop?.reason, machine.registers.ebx]).toEqual(["halted", 1]);
  });
});
