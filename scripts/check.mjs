/**
 * `npm run check`: every check in turn, going on after a failure, with a table at the end.
 * `npm run check -- types lint` runs only those named.
 */
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { root } from "./files.mjs";

const tool = (path) => [process.execPath, join(root, "node_modules", path)];
const script = (name) => [process.execPath, join(root, "scripts", name)];

const steps = {
  types: [...tool("typescript/bin/tsc"), "--noEmit"],
  lint: [...tool("@biomejs/biome/bin/biome"), "check", "--error-on-warnings"],
  gate: script("gate.mjs"),
  picture: [...script("architecture-picture.mjs"), "--check"],
  build: script("build.mjs"),
  // Unit tests, and the tests of the built package in test/package.
  test: [...tool("vitest/vitest.mjs"), "run"],
  size: script("size.mjs"),
};

const named = process.argv.slice(2);
const unknown = named.filter((name) => !(name in steps));
if (unknown.length > 0) {
  console.error(`unknown check ${unknown.join(", ")}; there are ${Object.keys(steps).join(", ")}`);
  process.exit(2);
}

const results = [];
for (const [name, [file, ...args]] of Object.entries(steps)) {
  if (named.length > 0 && !named.includes(name)) continue;
  console.log(`\n── ${name} ${"─".repeat(70 - name.length)}`);
  const started = performance.now();
  const { status } = spawnSync(file, args, { cwd: root, stdio: "inherit" });
  results.push({ name, passed: status === 0, seconds: (performance.now() - started) / 1000 });
}

console.log(`\n── summary ${"─".repeat(63)}`);
for (const { name, passed, seconds } of results) {
  console.log(`${passed ? "passed" : "FAILED"}  ${name.padEnd(8)} ${seconds.toFixed(1).padStart(7)} s`);
}
process.exit(results.every((result) => result.passed) ? 0 : 1);
