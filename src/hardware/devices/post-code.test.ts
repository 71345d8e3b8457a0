import { expect, it } from "vitest";
import { postCode } from "./post-code.js";

it("The POST code latch keeps the last byte and cannot be read back", () => {
  const state = postCode.write(postCode.reset(), 0, 1, 0x55, 0);
  expect(state.code).toBe(0x55);
  expect(postCode.read(state, 0, 1, 0).value).toBe(0xff);
  expect(postCode.write(state, 0, 1, 0x55, 0)).toBe(state);
});
