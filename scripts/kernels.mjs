/**
 * Brings the WebAssembly kernels in dist/ up to date. The compilation itself is
 * scripts/build-kernels.mjs; this decides whether it is needed.
 */
import { execFileSync } from "node:child_process";
import { existsSync, rmSync } from "node:fs";
import { join } from "node:path";
import { filesBelowIfAny, newest, root } from "./files.mjs";

const compiler = "scripts/build-kernels.mjs";
const assembly = "src/kernels/wasm/assembly";
const binary = "dist/kernels/wasm/kernels.wasm";

/** True when the binary is missing or older than its sources or its compiler. */
export function kernelsAreStale() {
  return !existsSync(join(root, binary)) || newest([compiler, ...filesBelowIfAny(assembly)]) > newest([binary]);
}

/** Compiles the kernels when they are stale, or always with `force`; true when it compiled. */
export function ensureKernels(force = false) {
  if (!force && !kernelsAreStale()) return false;
  if (!existsSync(join(root, compiler))) {
    throw new Error(`${compiler} is missing: the WebAssembly kernels cannot be built`);
  }
  if (!existsSync(join(root, "node_modules/assemblyscript"))) {
    throw new Error("the build needs the development dependencies: run `npm install` without --omit=dev");
  }
  // A failed compilation must not leave an old binary behind that passes for the new one.
  rmSync(join(root, binary), { force: true });
  execFileSync(process.execPath, [join(root, compiler)], { cwd: root, stdio: "inherit" });
  if (!existsSync(join(root, binary))) throw new Error(`${compiler} did not write ${binary}`);
  return true;
}
