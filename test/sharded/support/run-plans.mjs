/**
 * Runs plans on thread devices of the built package, whose threads start in a fraction of the time that
 * those of the sources take. Arguments: a file with the runs, a file for their results.
 */
import { readFile, writeFile } from "node:fs/promises";
import { deserialize, serialize } from "node:v8";
import { Parameters } from "../../../dist/ckks/index.js";
import { runPlan, shareKey } from "../../../dist/runtime/index.js";

const [, , from, to] = process.argv;
const { spec, input, runs, ...common } = deserialize(await readFile(from));
const keys = common.keys.map(shareKey);
const results = [];
for (const run of runs) {
  results.push(await runPlan({ ...common, ...run, keys, parameters: new Parameters(spec) }, input));
}
await writeFile(to, serialize(results));
