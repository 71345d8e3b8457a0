import { expect, it } from "vitest";
import { debugConsole } from "./debug-console.js";

it("The debug console keeps every byte written, in order", () => {
  let state = debugConsole.reset();
  for (const byte of [0x68, 0x69, 0xff, 0]) state = debugConsole.write(state, 0, 1, byte, 0);
  expect(state.output).toBe("hi\xff\0");
});

it("The debug console reads as 0xE9 and is not changed by it", () => {
  const state = debugConsole.reset();
  expect(debugConsole.read(state, 0, 1, 0)).toEqual({ state, value: 0xe9 });
  expect(debugConsole.read(state, 0, 1, 0).state).toBe(state);
});
