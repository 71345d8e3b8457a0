import { describe, expect, it } from "vitest";
import {
  port92PassesA20,
  RESET_CONTROL_OFFSET,
  type ResetControlState,
  resetControl,
  resetResetControl,
} from "./reset-control.js";

const { systemControl, resetControl: resetRegister } = RESET_CONTROL_OFFSET;

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

  it("resets when bit 2 of port 0xCF9 is set, not when the kind of reset is chosen", () => {
    expect(written([resetRegister, 0x02]).resetRequested).toBe(false);
    expect(written([resetRegister, 0x02], [resetRegister, 0x06]).resetRequested).toBe(true);
  });

  it("lets address line 20 pass as bit 1 of port 0x92 says, at first as firmware left it", () => {
    expect(resetControl.read(resetControl.reset(), systemControl, 1, 0).value).toBe(0x02);
    expect(resetControl.read(resetResetControl(false), systemControl, 1, 0).value).toBe(0x00);
    expect(port92PassesA20(written([systemControl, 0x00]))).toBe(false);
    expect(port92PassesA20(written([systemControl, 0x00], [systemControl, 0x02]))).toBe(true);
  });
});
