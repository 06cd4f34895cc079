import { configDefaults, defineConfig } from "vitest/config";
// @ts-expect-error: a plain script without declarations
import { reporter } from "./scripts/summary-reporter.mjs";

export const longTests = ["src/**/*.long.test.ts", "test/**/*.long.test.ts"];

/**
 * Lets worker threads that tests start load `.ts`: they inherit the arguments of their process, which
 * itself needs no hook.
 */
const hook = JSON.stringify(new URL("./scripts/typescript.mjs", import.meta.url).href);
const workersLoadTypescript = `data:text/javascript,${encodeURIComponent(`
  import { register } from "node:module";
  import { isMainThread } from "node:worker_threads";
  if (!isMainThread) register(${hook});
`)}`;

/** `npm test`: everything but the long tests. */
export default defineConfig({
  test: {
    include: ["src/**/*.test.ts", "test/**/*.test.ts"],
    exclude: [...configDefaults.exclude, ...longTests],
    globalSetup: ["scripts/test-setup.mjs"],
    reporters: ["default", reporter],
    pool: "forks",
    execArgv: ["--import", workersLoadTypescript],
    maxWorkers: 2,
    testTimeout: 120_000,
    hookTimeout: 120_000,
  },
});
