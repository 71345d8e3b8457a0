import { describe, expect, it } from "vitest";
import { RESET_CONTROL_OFFSET, type ResetControlState, resetControl } from "./reset-control.js";

const { systemControl, keyboardCommand, resetControl: resetRegister } = RESET_CONTROL_OFFSET;

function written(...writes: readonly (readonly [number, number])[]): ResetControlState {
  return writes.reduce(
    (state, [offset, value]) => resetControl.write(state, offset, 1, value, 0),
    resetControl.reset(),
  );
}

describe("reset control", () => {
  it("resets when bit 0 of port 0x92 changes from 0 to 1", () => {
    expect(written([systemControl, 0x03]).resetRequested).toBe(true);
    expect(written([systemControl, 0x02], [systemControl, 0x00]).resetRequested).toBe(false);
  });

  it("resets when the keyboard controller is told to pulse output line 0, and for no other command", () => {
    expect(written([keyboardCommand, 0xfe]).resetRequested).toBe(true);
    expect(written([keyboardCommand, 0xff]).resetRequested).toBe(false);
    expect(written([keyboardCommand, 0xd1]).resetRequested).toBe(false);
  });

  it("resets when bit 2 of port 0xCF9 is set, not when the kind of reset is chosen", () => {
    expect(written([resetRegister, 0x02]).resetRequested).toBe(false);
    expect(written([resetRegister, 0x02], [resetRegister, 0x06]).resetRequested).toBe(true);
  });

  it("reads a keyboard controller with nothing waiting and an open A20 gate", () => {
    const state = resetControl.reset();
    expect(resetControl.read(state, keyboardCommand, 1, 0).value).toBe(0);
    expect(resetControl.read(state, systemControl, 1, 0).value).toBe(0x02);
  });
});
