/**
 * Runs benchmarks: `npm run bench` lists them, `npm run bench -- ntt` runs those whose path contains `ntt`,
 * `npm run bench -- all` runs every one. Arguments after the name go to the benchmark.
 */
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { filesBelowIfAny, root } from "./files.mjs";
import { ensureKernels } from "./kernels.mjs";

const all = filesBelowIfAny("bench").filter((path) => path.endsWith(".bench.ts"));
const [name, ...rest] = process.argv.slice(2);
const chosen = name === "all" ? all : all.filter((path) => name !== undefined && path.includes(name));

if (chosen.length === 0) {
  console.log(name === undefined ? "benchmarks:" : `no benchmark is named like ${JSON.stringify(name)}; there are:`);
  for (const path of all) console.log(`  ${path.replace(/^bench\//, "").replace(/\.bench\.ts$/, "")}`);
  process.exit(name === undefined ? 0 : 1);
}

ensureKernels();
const loader = pathToFileURL(join(root, "scripts/typescript.mjs")).href;
let failed = 0;
for (const path of chosen) {
  if (chosen.length > 1) console.log(`\n# ${path}`);
  const { status } = spawnSync(process.execPath, ["--import", loader, path, ...rest], { cwd: root, stdio: "inherit" });
  if (status !== 0) failed++;
}
process.exit(failed === 0 ? 0 : 1);
