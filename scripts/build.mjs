/**
 * Builds dist/: the WebAssembly kernels, then JavaScript and declarations from src. Runs on
 * `npm install` of a checkout and before packing. Does nothing when no input changed;
 * `--force` builds all the same.
 */
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { chmodSync, existsSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { filesBelow, root } from "./files.mjs";
import { ensureKernels } from "./kernels.mjs";

const record = join(root, "dist/.build.json");
const command = "dist/cli/main.js";
const compiler = join(root, "node_modules/typescript/bin/tsc");
const force = process.argv.includes("--force");

/** The TypeScript files that are compiled into dist. */
function sources() {
  return filesBelow("src").filter(
    (path) =>
      path.endsWith(".ts") && !/\.(test|fixture)\.ts$/.test(path) && !path.startsWith("src/kernels/wasm/assembly/"),
  );
}

/** What the compiler writes for one source. */
function outputs(source) {
  const stem = source.replace(/^src\//, "dist/").replace(/\.ts$/, "");
  return [`${stem}.js`, `${stem}.d.ts`];
}

function fingerprint(paths) {
  const hash = createHash("sha256");
  for (const path of [...paths, "tsconfig.json", "tsconfig.build.json", "package.json", "scripts/build.mjs"]) {
    const { size, mtimeMs } = statSync(join(root, path));
    hash.update(`${path}\0${size}\0${mtimeMs}\n`);
  }
  return hash.digest("hex");
}

function previousBuild() {
  try {
    return JSON.parse(readFileSync(record, "utf8"));
  } catch {
    return { fingerprint: "", outputs: [] };
  }
}

function buildJavaScript() {
  const paths = sources();
  const wanted = paths.flatMap(outputs);
  const current = fingerprint(paths);
  const previous = previousBuild();
  if (!force && previous.fingerprint === current && wanted.every((path) => existsSync(join(root, path)))) return false;
  if (!existsSync(compiler)) {
    throw new Error("the build needs the development dependencies: run `npm install` without --omit=dev");
  }
  // The compiler's incremental record trusts that its outputs still exist.
  if (force || !wanted.every((path) => existsSync(join(root, path))))
    rmSync(join(root, "dist/.tsbuildinfo"), { force: true });
  const { status } = spawnSync(process.execPath, [compiler, "-p", "tsconfig.build.json"], {
    cwd: root,
    stdio: "inherit",
  });
  if (status !== 0) throw new Error("the TypeScript compiler reported errors");
  const kept = new Set(wanted);
  for (const path of previous.outputs) if (!kept.has(path)) rmSync(join(root, path), { force: true });
  rewriteDeclarationImports(wanted);
  makeCommandExecutable();
  writeFileSync(record, JSON.stringify({ fingerprint: current, outputs: wanted }));
  return true;
}

/** The compiler turns imports of `.ts` into `.js` in JavaScript but leaves them in declarations. */
function rewriteDeclarationImports(paths) {
  for (const path of paths.filter((path) => path.endsWith(".d.ts"))) {
    const text = readFileSync(join(root, path), "utf8");
    const rewritten = text.replace(/((?:from |import |import\()")(\.{1,2}\/[^"]*)\.ts"/g, '$1$2.js"');
    if (rewritten !== text) writeFileSync(join(root, path), rewritten);
  }
}

function makeCommandExecutable() {
  const path = join(root, command);
  if (!existsSync(path)) return;
  const text = readFileSync(path, "utf8");
  if (!text.startsWith("#!")) writeFileSync(path, `#!/usr/bin/env node\n${text}`);
  chmodSync(path, 0o755);
}

const started = performance.now();
try {
  mkdirSync(join(root, "dist"), { recursive: true });
  const compiled = [ensureKernels(force) && "kernels", buildJavaScript() && "JavaScript"].filter(Boolean);
  const seconds = ((performance.now() - started) / 1000).toFixed(1);
  console.log(compiled.length === 0 ? "dist is up to date" : `built ${compiled.join(" and ")} in ${seconds} s`);
} catch (error) {
  console.error(`build failed: ${error.message}`);
  process.exit(1);
}
