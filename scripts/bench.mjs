/**
 * Runs the benchmarks: `npm run bench`, with `--json` for machines, `npm run bench -- ckks` for a part.
 * The program is bench/main.ts; this brings the kernels up to date first.
 */
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { root } from "./files.mjs";
import { ensureKernels } from "./kernels.mjs";

ensureKernels();
const loader = pathToFileURL(join(root, "scripts/typescript.mjs")).href;
const { status } = spawnSync(process.execPath, ["--import", loader, "bench/main.ts", ...process.argv.slice(2)], {
  cwd: root,
  stdio: "inherit",
});
process.exit(status ?? 1);
