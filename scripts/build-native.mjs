/**
 * Compiles the native kernels to dist/kernels/native/kernels.node, with the C++ compiler of the machine
 * and headers from npm: nothing is downloaded. Runs on `npm install`. Where there is no compiler, or it
 * fails, the package works with the WebAssembly kernels and this says so once.
 *
 * Usage: node scripts/build-native.mjs [--force] [--strict]   (--strict: exit code 1 where it cannot)
 * Environment: CXX names the compiler; AEGIS_NATIVE=0 builds nothing.
 */
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { filesBelow, root } from "./files.mjs";

const sources = "src/kernels/native/addon";
const out = join(root, "dist/kernels/native");
const binary = join(out, "kernels.node");
const record = join(out, "kernels.build.json");
const common = ["-std=c++17", "-O3", "-fPIC", "-fvisibility=hidden", "-DNDEBUG"];
const avx512 = ["-mavx512f", "-mavx512bw", "-mavx512dq", "-mavx512vl"];
/**
 * Units that are compiled for an instruction set of their own, chosen when the module runs. Those with a macro are left
 * out, and the macro undefined, where the compiler does not know their instructions: it is defined for all units else.
 */
const instructionSets = {
  "avx2.cc": { flags: ["-mavx2"] },
  "avx512.cc": { flags: avx512 },
  "avx512ifma.cc": { flags: [...avx512, "-mavx512ifma"], macro: "AEGIS_IFMA" },
  "amx.cc": { flags: [...avx512, "-mavx512ifma", "-mamx-tile", "-mamx-int8"], macro: "AEGIS_AMX" },
};

class Unavailable extends Error {}

function headers() {
  try {
    return createRequire(import.meta.url)("node-api-headers").include_dir;
  } catch {
    throw new Unavailable("the package node-api-headers is not installed");
  }
}

function compilerOf() {
  const wanted = process.env.CXX === undefined ? ["c++", "g++", "clang++"] : [process.env.CXX];
  for (const name of wanted) if (spawnSync(name, ["--version"], { stdio: "ignore" }).status === 0) return name;
  throw new Unavailable(`no C++ compiler is here (looked for ${wanted.join(", ")})`);
}

function run(compiler, args) {
  const { status, stderr, error } = spawnSync(compiler, args, { encoding: "utf8" });
  if (status !== 0) {
    const said = (error?.message ?? stderr).trim().split("\n").slice(0, 5).join("\n");
    throw new Unavailable(`${compiler} failed:\n${said}`);
  }
}

/** Whether the compiler takes these flags. */
function knows(compiler, flags) {
  const args = [...flags, "-x", "c++", "-fsyntax-only", "-"];
  return (
    spawnSync(compiler, args, { input: "#include <immintrin.h>\n", stdio: ["pipe", "ignore", "ignore"] }).status === 0
  );
}

function fingerprint(compiler, paths) {
  const hash = createHash("sha256");
  const { stdout } = spawnSync(compiler, ["--version"], { encoding: "utf8" });
  hash.update(`${compiler}\0${stdout}\0${process.arch}\0${process.platform}\0`);
  for (const path of [...paths, "scripts/build-native.mjs"]) hash.update(readFileSync(join(root, path))).update(path);
  return hash.digest("hex");
}

function builtFrom() {
  try {
    return JSON.parse(readFileSync(record, "utf8")).fingerprint;
  } catch {
    return undefined;
  }
}

/** Compiles when something changed, or always with `force`; true when it compiled. Throws where it cannot. */
export function ensureNative(force = false) {
  if (process.platform === "win32") throw new Unavailable("it is not built on Windows");
  const paths = filesBelow(sources);
  const compiler = compilerOf();
  const current = fingerprint(compiler, paths);
  if (!force && existsSync(binary) && builtFrom() === current) return false;
  const include = headers();
  const sets = Object.entries(instructionSets);
  const known = sets.filter(
    ([, { flags, macro }]) => process.arch === "x64" && (macro === undefined || knows(compiler, flags)),
  );
  const macros = known.flatMap(([, { macro }]) => (macro === undefined ? [] : [`-D${macro}`]));
  const leftOut = sets.map(([name]) => name).filter((name) => !known.some(([other]) => other === name));
  const units = paths.filter((path) => path.endsWith(".cc") && !leftOut.includes(path.split("/").at(-1)));
  mkdirSync(out, { recursive: true });
  const work = join(tmpdir(), `aegis-native-${process.pid}`);
  mkdirSync(work);
  // Renamed at the end: whoever loads the module meanwhile sees a whole file.
  const partial = join(out, `kernels.${process.pid}.node`);
  try {
    const objects = units.map((path) => {
      const name = path.split("/").at(-1);
      const object = join(work, `${name}.o`);
      run(compiler, [
        ...common,
        ...macros,
        ...(instructionSets[name]?.flags ?? []),
        `-I${include}`,
        "-c",
        join(root, path),
        "-o",
        object,
      ]);
      return object;
    });
    const link = process.platform === "darwin" ? ["-bundle", "-undefined", "dynamic_lookup"] : ["-shared", "-pthread"];
    run(compiler, [...link, ...objects, "-o", partial]);
    renameSync(partial, binary);
    writeFileSync(record, JSON.stringify({ fingerprint: current }));
  } finally {
    rmSync(work, { recursive: true, force: true });
    rmSync(partial, { force: true });
  }
  return true;
}

/** As {@link ensureNative}, but where it cannot, no old module is left that would pass for the new one, and the reason is given. */
export function tryNative(force = false) {
  if (process.env.AEGIS_NATIVE === "0") return { compiled: false, missing: "AEGIS_NATIVE=0" };
  try {
    return { compiled: ensureNative(force) };
  } catch (error) {
    if (!(error instanceof Unavailable)) throw error;
    rmSync(binary, { force: true });
    return { compiled: false, missing: error.message };
  }
}

if (process.argv[1] !== undefined && import.meta.filename === process.argv[1]) {
  const started = performance.now();
  const { compiled, missing } = tryNative(process.argv.includes("--force"));
  const seconds = ((performance.now() - started) / 1000).toFixed(1);
  if (missing !== undefined) {
    console.log(`native kernels were not built, WebAssembly is used in their place: ${missing}`);
    if (process.argv.includes("--strict")) process.exit(1);
  } else console.log(compiled ? `built native kernels in ${seconds} s` : "native kernels are up to date");
}
