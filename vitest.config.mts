import { createHash } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { availableParallelism, tmpdir } from "node:os";
import path from "node:path";
import { defineConfig } from "vitest/config";

/** Where a run keeps the generated interpreter, in base64; one place for each working tree. */
const interpreterFile = path.join(
  tmpdir(),
  `virtlab-interpreter-${createHash("sha256").update(process.cwd()).digest("hex").slice(0, 16)}`,
);
process.env["VIRTLAB_TEST_INTERPRETER"] = interpreterFile;

/** The interpreter that `interpreter-once.ts` has generated takes the place of the module that the build replaces, too. */
const prebuilt = {
  name: "prebuilt-interpreter",
  load(id: string): string | undefined {
    if (!id.endsWith("/src/hardware/engine/prebuilt.ts") || !existsSync(interpreterFile)) return undefined;
    return `export const prebuiltInterpreter = "${readFileSync(interpreterFile, "utf8")}";`;
  },
};
const common = { globalSetup: "tests/support/interpreter-once.ts" };

/** `unit` is `npm test`; `long` holds what takes minutes; `longer` is run before a release, and not by CI. */
export default defineConfig({
  test: {
    // The default leaves one processor free, which of two is half.
    maxWorkers: availableParallelism(),
    projects: [
      {
        plugins: [prebuilt],
        test: {
          ...common,
          name: "unit",
          include: ["src/**/*.test.ts", "tests/**/*.test.ts"],
          exclude: ["tests/long/**", "tests/longer/**"],
          // Two hundred files would each load all of the library anew. Nothing in it remembers what could matter to another.
          isolate: false,
          testTimeout: 60_000,
        },
      },
      {
        plugins: [prebuilt],
        test: { ...common, name: "long", include: ["tests/long/**/*.test.ts"], testTimeout: 600_000 },
      },
      {
        plugins: [prebuilt],
        test: { ...common, name: "longer", include: ["tests/longer/**/*.test.ts"], testTimeout: 1_200_000 },
      },
    ],
  },
});
