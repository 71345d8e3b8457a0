/** Exit reasons in words. */
import { describe, expect, it } from "vitest";
import { exitReasons, explainExit, REASON } from "./exit-reasons.js";

describe("exit reasons", () => {
  it("have each a number and a name of its own", () => {
    expect([...exitReasons.keys()].sort((a, b) => a - b)).toEqual(Object.values(REASON).sort((a, b) => a - b));
    expect(new Set([...exitReasons.values()].map(({ name }) => name)).size).toBe(exitReasons.size);
  });

  it("say what their qualification means", () => {
    expect(explainExit(28, 0xc03n)).toEqual({
      number: 28,
      name: "Control-register accesses",
      entryFailed: false,
      qualification: { access: "MOV to CR", register: "CR3", "general register": "R12" },
    });
    expect(explainExit(30, 0x3f8_0048n).qualification).toEqual({
      size: 1,
      direction: "in",
      string: false,
      repeated: false,
      operand: "immediate",
      port: "0x3f8",
    });
    expect(explainExit(9, 0xc000_0028n).qualification).toEqual({ selector: "0x28", source: "Task gate in IDT" });
    expect(explainExit(48, 0x182n).qualification).toMatchObject({
      read: false,
      write: true,
      "linear address is valid": true,
    });
    expect(explainExit(10, 0n).qualification).toEqual({});
  });

  it("say that VM entry failed, and where; and show numbers that are unknown", () => {
    expect(explainExit(0x80000021, 4n)).toMatchObject({
      name: "VM-entry failure due to invalid guest state",
      entryFailed: true,
      qualification: { cause: "the VMCS link pointer" },
    });
    expect(explainExit(0x80000022, 3n).qualification).toEqual({ entry: 3 });
    expect(explainExit(200, 0n).name).toBe("reason 200");
  });
});
