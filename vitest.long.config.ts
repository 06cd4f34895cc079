import { configDefaults, defineConfig } from "vitest/config";
import shortTests, { longTests } from "./vitest.config.ts";

/** `npm run test:long`: tests that take minutes, named `*.long.test.ts`, and all cases of others that take some of them. */
export default defineConfig({
  test: {
    ...shortTests.test,
    include: [...longTests, "test/sharded/*.test.ts"],
    env: { AEGIS_THOROUGH: "1" },
    passWithNoTests: true,
    exclude: configDefaults.exclude,
    testTimeout: 3_600_000,
    hookTimeout: 3_600_000,
  },
});
