import { expect, it } from "vitest";
import { debugExit } from "./debug-exit.js";

it("The debug exit has no value until something is written", () => {
  const state = debugExit.reset();
  expect("exitValue" in state).toBe(false);
  expect(debugExit.read(state, 0, 1, 0)).toEqual({ state, value: 0 });
});

it("The debug exit keeps the value written, of any width, 0 too", () => {
  expect(debugExit.write(debugExit.reset(), 0, 4, 0xdeadbeef, 0).exitValue).toBe(0xdeadbeef);
  expect(debugExit.write(debugExit.reset(), 3, 1, 0, 0).exitValue).toBe(0);
});
