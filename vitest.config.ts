import { configDefaults, defineConfig } from "vitest/config";
// @ts-expect-error: a plain script without declarations
import { reporter } from "./scripts/summary-reporter.mjs";

export const longTests = ["src/**/*.long.test.ts", "test/**/*.long.test.ts"];

/** `npm test`: everything but the long tests. */
export default defineConfig({
  test: {
    include: ["src/**/*.test.ts", "test/**/*.test.ts"],
    exclude: [...configDefaults.exclude, ...longTests],
    globalSetup: ["scripts/test-setup.mjs"],
    reporters: ["default", reporter],
    pool: "forks",
    maxWorkers: 2,
    testTimeout: 120_000,
    hookTimeout: 120_000,
  },
});
