/**
 * Tests of the package as a user gets it: packed, unpacked into an empty project beside the production
 * dependencies alone, then imported by name and started as a command.
 */
import { execFileSync, spawnSync } from "node:child_process";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { buildDist, root } from "../support/build.ts";

const manifest = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
const subpaths = Object.keys(manifest.exports).filter((subpath) => subpath !== "./package.json");
let project: string;
let installed: string;
let tarball: string;

/** Packages of the lock file that are not for development only. */
function productionPackages(): string[] {
  const { packages } = JSON.parse(readFileSync(join(root, "package-lock.json"), "utf8"));
  return Object.keys(packages).filter((path) => /^node_modules\/(@[^/]+\/)?[^/]+$/.test(path) && !packages[path].dev);
}

/** Runs a module in the user's project and returns what it prints as JSON. */
function evaluate(source: string): unknown {
  const { status, stdout, stderr } = spawnSync(process.execPath, ["--input-type=module", "--eval", source], {
    cwd: project,
    encoding: "utf8",
  });
  expect(stderr).toBe("");
  expect(status).toBe(0);
  return JSON.parse(stdout);
}

beforeAll(async () => {
  await buildDist();
  project = mkdtempSync(join(tmpdir(), "aegis-package-"));
  const packed = execFileSync("npm", ["pack", "--ignore-scripts", "--json", "--pack-destination", project], {
    cwd: root,
    encoding: "utf8",
    stdio: ["ignore", "pipe", "ignore"],
  });
  tarball = join(project, JSON.parse(packed)[0].filename);
  installed = join(project, "node_modules", manifest.name);
  mkdirSync(installed, { recursive: true });
  execFileSync("tar", ["-xzf", tarball, "-C", installed, "--strip-components=1"]);
  for (const path of productionPackages()) {
    if (!existsSync(join(root, path))) continue;
    mkdirSync(dirname(join(project, path)), { recursive: true });
    symlinkSync(join(root, path), join(project, path));
  }
  writeFileSync(join(project, "package.json"), '{ "name": "user", "type": "module", "private": true }');
});

afterAll(() => {
  if (project !== undefined) rmSync(project, { recursive: true });
});

describe("files", () => {
  test("hold what a user needs and nothing of the workshop", () => {
    for (const path of [
      "dist/kernels/wasm/kernels.wasm",
      "models/sentiment-bert-tiny",
      "LICENSE",
      "NOTICE",
      "README.md",
    ]) {
      expect(existsSync(join(installed, path)), path).toBe(true);
    }
    const listed = execFileSync("tar", ["-tzf", tarball], { encoding: "utf8" }).trim().split("\n");
    // What native kernels are built from on the user's machine, and none that were built on another.
    const native = /^package\/(src\/kernels\/native\/addon\/|scripts\/(build-native|files)\.mjs$)/;
    expect(listed.filter((path) => native.test(path)).length).toBeGreaterThan(10);
    expect(
      listed
        .filter((path) => !native.test(path))
        .filter((path) => /\.test\.|^package\/(src|test|scripts|bench)\/|\/\.build|tsbuildinfo|\.node$/.test(path)),
    ).toEqual([]);
  });

  test("the kernels compile as WebAssembly", async () => {
    const bytes = readFileSync(join(installed, "dist/kernels/wasm/kernels.wasm"));
    expect(WebAssembly.Module.exports(await WebAssembly.compile(bytes)).length).toBeGreaterThan(0);
  });
});

describe("exports", () => {
  test.each(subpaths)("%s can be imported and exports something", (subpath) => {
    const name = manifest.name + subpath.slice(1);
    const names = evaluate(`console.log(JSON.stringify(Object.keys(await import(${JSON.stringify(name)}))))`);
    expect(names).not.toEqual([]);
    expect(names).not.toContain("default");
  });

  test("the ring works", () => {
    const primes = evaluate(`
      const { isPrime } = await import("${manifest.name}/ring");
      console.log(JSON.stringify([97, 91, 2 ** 29 - 3].map(isPrime)));
    `);
    expect(primes).toEqual([true, false, true]);
  });

  test("modules that are not exported stay private", () => {
    const code = evaluate(
      `console.log(JSON.stringify(await import("${manifest.name}/dist/ring/ring.js").then(() => "", (e) => e.code)))`,
    );
    expect(code).toBe("ERR_PACKAGE_PATH_NOT_EXPORTED");
  });

  test("imports have no side effects on globals", () => {
    const added = evaluate(`
      const before = new Set(Object.getOwnPropertyNames(globalThis));
      await import(${JSON.stringify(manifest.name)});
      console.log(JSON.stringify(Object.getOwnPropertyNames(globalThis).filter((name) => !before.has(name))));
    `);
    // zod keeps its registry and configuration there.
    expect((added as string[]).filter((name) => !name.startsWith("__zod_"))).toEqual([]);
  });
});

describe("command", () => {
  const command = () => join(installed, manifest.bin.aegis);

  test("is an executable script", () => {
    expect(readFileSync(command(), "utf8")).toMatch(/^#!\/usr\/bin\/env node\n/);
    expect(statSync(command()).mode & 0o111).not.toBe(0);
  });

  test("prints its version and help", () => {
    expect(execFileSync(command(), ["--version"], { cwd: project, encoding: "utf8" })).toContain(manifest.version);
    expect(execFileSync(command(), ["--help"], { cwd: project, encoding: "utf8" })).toMatch(/^Usage: aegis/);
  });
});

describe("native kernels", () => {
  const build = (env: Record<string, string> = {}) =>
    spawnSync(process.execPath, [join(installed, "scripts/build-native.mjs")], {
      cwd: installed,
      encoding: "utf8",
      env: { ...process.env, ...env },
    });
  const kinds = (): string[] => {
    const { status, signal, stdout, stderr } = spawnSync(join(installed, manifest.bin.aegis), ["devices", "--json"], {
      cwd: project,
      encoding: "utf8",
    });
    expect({ status, signal, stderr }).toEqual({ status: 0, signal: null, stderr: "" });
    return JSON.parse(stdout).map(({ kind }: { kind: string }) => kind);
  };
  const compiler = ["c++", "g++", "clang++"].find((name) => spawnSync(name, ["--version"]).status === 0);

  test("without a compiler the installation goes on, and WebAssembly is there", () => {
    const { status, stdout } = build({ CXX: "no-such-compiler" });
    expect(status).toBe(0);
    expect(stdout).toMatch(/^native kernels were not built, WebAssembly is used in their place: no C\+\+ compiler/);
    expect(kinds()).toContain("wasm");
    expect(kinds()).not.toContain("native");
  });

  const built = compiler === undefined ? test.skip : test;
  built(`are built on installation${compiler === undefined ? " (skipped: no C++ compiler is here)" : ""}`, () => {
    const { status, stdout } = build();
    expect(status).toBe(0);
    expect(stdout).toMatch(/^built native kernels in /);
    expect(build().stdout).toBe("native kernels are up to date\n");
    expect(kinds()).toContain("native");
  });
});

describe("package linters", () => {
  test("publint", () => {
    const publint = join(root, "node_modules/publint/src/cli.js");
    const { status, stdout, stderr } = spawnSync(process.execPath, [publint, "run", tarball, "--level", "warning"], {
      encoding: "utf8",
    });
    expect(status, stdout + stderr).toBe(0);
  });

  test("are the types wrong?", () => {
    const attw = join(root, "node_modules/@arethetypeswrong/cli/dist/index.js");
    const { status, stdout, stderr } = spawnSync(
      process.execPath,
      [attw, tarball, "--profile", "esm-only", "--no-emoji", "--no-color"],
      { encoding: "utf8" },
    );
    expect(status, stdout + stderr).toBe(0);
  });
});
