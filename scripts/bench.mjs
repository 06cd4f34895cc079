/**
 * Runs a program of bench/ on the built package, as users have it: worker threads that compile TypeScript
 * would be measured otherwise. `npm run bench` is bench/main.ts, with `--json` for machines, `npm run bench
 * -- ckks` for a part; `npm run bench:devices` is bench/devices.ts.
 */
import { spawnSync } from "node:child_process";
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import ts from "typescript";
import { filesBelow, root } from "./files.mjs";

/** Inside dist, so that packages resolve; not part of the package. */
const folder = "dist/.bench";
const options = { target: ts.ScriptTarget.ES2022, module: ts.ModuleKind.ESNext, verbatimModuleSyntax: true };

/** The benchmarks as JavaScript beside the built package; nothing is checked. */
function transpile() {
  rmSync(join(root, folder), { recursive: true, force: true });
  mkdirSync(join(root, folder), { recursive: true });
  for (const path of filesBelow("bench").filter((path) => path.endsWith(".ts"))) {
    const { outputText } = ts.transpileModule(readFileSync(join(root, path), "utf8"), { compilerOptions: options });
    const built = outputText
      .replace(/(from |import\()"\.\.\/src\/([^"]*)\.ts"/g, '$1"../$2.js"')
      .replace(/(from |import\()"\.\/([^"]*)\.ts"/g, '$1"./$2.js"');
    writeFileSync(join(root, folder, basename(path, ".ts").concat(".js")), built);
  }
}

const [name = "main", ...rest] = process.argv.slice(2);
const run = (args) => spawnSync(process.execPath, args, { cwd: root, stdio: "inherit" }).status ?? 1;
for (const script of ["scripts/build-native.mjs", "scripts/build.mjs"]) {
  const { status } = spawnSync(process.execPath, [script], { cwd: root, stdio: ["ignore", "ignore", "inherit"] });
  if (status !== 0) process.exit(1);
}
transpile();
process.exit(run([`${folder}/${name}.js`, ...rest]));
