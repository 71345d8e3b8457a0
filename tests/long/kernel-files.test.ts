import * as fc from "fast-check";
import { expect, it } from "vitest";
import { fileOperations, kernelForOperations, operatedInside, operatedOutside } from "../support/file-operations.js";

it("random operations on files have the results and leave the tree that they do on this computer's file system", () => {
  const kernel = kernelForOperations();
  fc.assert(
    fc.property(fileOperations, (lines) => {
      expect(operatedInside(kernel, lines)).toBe(operatedOutside(lines));
    }),
    { numRuns: 150 },
  );
});
