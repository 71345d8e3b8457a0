import { defineConfig } from "vitest/config";

/** `unit` is `npm test`; `long` is `npm run test:long` and holds what takes minutes. */
export default defineConfig({
  test: {
    projects: [
      {
        test: {
          name: "unit",
          include: ["src/**/*.test.ts", "tests/**/*.test.ts"],
          exclude: ["tests/long/**"],
          testTimeout: 60_000,
        },
      },
      { test: { name: "long", include: ["tests/long/**/*.test.ts"], testTimeout: 600_000 } },
    ],
  },
});
