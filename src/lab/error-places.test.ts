import { describe, expect, it } from "vitest";
import { errorPlaces } from "./error-places.js";

describe("places of an error", () => {
  it("are all that the compiler has marked, with messages of several lines", () => {
    const error = {
      ename: "TypeScriptError",
      evalue: "first",
      traceback: [
        "TypeScriptError: [cell 3]:2:7 - first\n  because of that",
        '> 2 | const b: number = "x";',
        "    |       ^",
        "[cell 3]:4:1 - second",
      ],
    };
    expect(errorPlaces(error, 3)).toEqual([
      { line: 2, column: 7, message: "first\n  because of that" },
      { line: 4, column: 1, message: "second" },
    ]);
  });

  it("are those of the cell alone, not of a file it imports", () => {
    const traceback = ["TypeScriptError: helper.ts:2:7 - elsewhere"];
    expect(errorPlaces({ ename: "TypeScriptError", evalue: "elsewhere", traceback }, 1)).toEqual([]);
  });

  it("is the topmost line in this cell for a run-time error", () => {
    const traceback = ["Error: no", "    at f ([cell 2]:9)", "    at g ([cell 5]:3)", "    at [cell 5]:7"];
    expect(errorPlaces({ ename: "Error", evalue: "no", traceback }, 5)).toEqual([{ line: 3, message: "Error: no" }]);
    expect(errorPlaces({ ename: "Error", evalue: "no", traceback }, 6)).toEqual([]);
  });
});
