import { existsSync, readFileSync } from "node:fs";
import { defineConfig } from "vitest/config";
import { interpreterFile } from "./tests/support/interpreter-once.js";

/** The interpreter that `interpreter-once.ts` has generated takes the place of the module that the build replaces, too. */
const prebuilt = {
  name: "prebuilt-interpreter",
  load(id: string): string | undefined {
    if (!id.endsWith("/src/hardware/engine/prebuilt.ts") || !existsSync(interpreterFile)) return undefined;
    return `export const prebuiltInterpreter = "${readFileSync(interpreterFile, "utf8")}";`;
  },
};
const common = { globalSetup: "tests/support/interpreter-once.ts" };

/** `unit` is `npm test`; `long` is `npm run test:long` and holds what takes minutes. */
export default defineConfig({
  test: {
    projects: [
      {
        plugins: [prebuilt],
        test: {
          ...common,
          name: "unit",
          include: ["src/**/*.test.ts", "tests/**/*.test.ts"],
          exclude: ["tests/long/**"],
          testTimeout: 60_000,
        },
      },
      {
        plugins: [prebuilt],
        test: { ...common, name: "long", include: ["tests/long/**/*.test.ts"], testTimeout: 600_000 },
      },
    ],
  },
});
