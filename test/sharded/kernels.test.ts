/** Kernels on several ranks give the words that they give on one. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Backend, createBackend } from "../../src/kernels/index.ts";
import { thorough } from "../support/thorough.ts";
import {
  type KernelResults,
  type KernelRun,
  type KernelTask,
  kernels,
  moduliOf,
  runKernels,
} from "./support/kernel-tasks.ts";
import { linearKernels, type PartialResults, partialModuli, partialSums } from "./support/partial-tasks.ts";
import { runRanks } from "./support/ranks.ts";

const module = new URL("./support/kernel-tasks.ts", import.meta.url);
const runs: KernelRun[] = [
  { logN: 8, filling: "uniform", inner: "wasm" },
  { logN: 5, filling: "largest", inner: "reference" },
  { logN: 5, filling: "alternating", inner: "wasm" },
  { logN: 6, filling: "mixed", inner: "wasm" },
];
let single: Backend;
beforeAll(async () => {
  single = await createBackend("wasm");
});
afterAll(() => single.dispose());

const cases = [
  { sharding: "limb", sizes: thorough ? [1, 2, 3, 4] : [1, 3] },
  { sharding: "limb-ib", sizes: thorough ? [2, 3, 4] : [4] },
  { sharding: "limb-oa", sizes: thorough ? [2, 3, 4] : [3] },
  { sharding: "coefficient", sizes: thorough ? [1, 2, 4] : [4] },
] as const;

describe.each(cases)("$sharding", ({ sharding, sizes }) => {
  test.each(sizes)("%i ranks", async (size) => {
    const ranks = await runRanks<KernelTask, KernelResults[]>(size, module, kernels.name, { sharding, runs });
    for (const [k, run] of runs.entries()) {
      const expected = runKernels((degree) => single.ring(degree, moduliOf(run.logN)), run);
      for (const rank of ranks) {
        for (const [name, words] of Object.entries(expected)) expect(rank[k].results[name], name).toEqual(words);
        expect(rank[k].leaked, run.filling).toBe(0);
      }
    }
  });
});

test.each(thorough ? [1, 2, 3, 4] : [1, 3])("linear kernels on sums over %i ranks", async (size) => {
  const task = new URL("./support/partial-tasks.ts", import.meta.url);
  const expected = linearKernels(single.ring(5, partialModuli));
  for (const { results, used } of await runRanks<undefined, PartialResults>(size, task, partialSums.name, undefined)) {
    for (const [name, words] of Object.entries(expected)) expect(results[name], name).toEqual(words);
    expect(used).toBe(0);
  }
});
