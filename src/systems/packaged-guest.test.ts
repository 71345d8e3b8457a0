import { expect, it } from "vitest";
import { VirtlabError } from "../state/error.js";
import { guest } from "./packaged-guest.js";

it("guest gives the bytes of an image of the package, as a copy each time", () => {
  const first = guest("rings");
  expect([...first.subarray(0, 4)]).toEqual([0x7f, 0x45, 0x4c, 0x46]);
  first[0] = 0;
  expect(guest("rings")[0]).toBe(0x7f);
  expect(guest("flat").length).toBeGreaterThan(0);
});

it("guest names the guests there are when it is asked for another, and takes no path", () => {
  expect(() => guest("nothing")).toThrow(VirtlabError);
  expect(() => guest("nothing")).toThrow(
    /^guest "nothing": there is none of that name \(there are: .*hello, .*rings, .*\)$/,
  );
  expect(() => guest("../images/rings")).toThrow("there is none of that name");
});
