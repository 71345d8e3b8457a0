import { expect, it } from "vitest";
import { builtState } from "./built-state.js";

it("builtState says how a state is made that is not there, and takes no path", () => {
  expect(() => builtState("nothing")).toThrow(
    'state "nothing" is not on this computer: make it once with "virtlab state make nothing --download"',
  );
  expect(() => builtState("../debian-shell")).toThrow("is not on this computer");
});
