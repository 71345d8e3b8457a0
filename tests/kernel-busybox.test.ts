import { describe, expect, it } from "vitest";
import { busyboxRoot, kernelWith, ranOn } from "./support/kernel-programs.js";

describe("Debian's static busybox for amd64", () => {
  const kernel = kernelWith(busyboxRoot("amd64"));

  it("prints what echo is given", () => {
    expect(ranOn(kernel, ["echo", "hello", "world"])).toMatchObject({ output: "hello world\n", status: 0 });
  });
});
