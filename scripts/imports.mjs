/** The import graph of src, as dependency-cruiser sees it. */
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { root } from "./files.mjs";

const description = JSON.parse(readFileSync(join(root, "scripts/layers.json"), "utf8"));

/** Names of the layers by rank, lowest first. */
export const ranks = description.map(Object.keys);

/** What a layer holds, in a few words. */
export const contents = Object.assign({}, ...description);

/** Layer of a path such as `src/ring/poly.ts`; undefined outside the layers. */
export function layerOf(path) {
  return /^src\/([^/]+)\//.exec(path)?.[1];
}

/** `{ modules, summary }` of dependency-cruiser for `src` below `folder`. */
export function importGraph(folder = root) {
  const { stdout, stderr, error } = spawnSync(
    process.execPath,
    [
      join(root, "node_modules/dependency-cruiser/bin/dependency-cruise.mjs"),
      "--config",
      join(root, ".dependency-cruiser.cjs"),
      "--output-type",
      "json",
      "src",
    ],
    { cwd: folder, encoding: "utf8", maxBuffer: 2 ** 28 },
  );
  if (error) throw error;
  if (!stdout.startsWith("{")) throw new Error(`dependency-cruiser failed:\n${stderr}${stdout}`);
  return JSON.parse(stdout);
}
