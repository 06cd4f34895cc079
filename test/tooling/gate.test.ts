/** The layer gate must fail on what it forbids. */
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, expect, test } from "vitest";

const gate = fileURLToPath(new URL("../../scripts/gate.mjs", import.meta.url));
const folders: string[] = [];

afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true });
});

/** Runs the gate over a source tree given as path → text. */
function gateOver(files: Record<string, string>): { status: number | null; output: string } {
  const folder = mkdtempSync(join(tmpdir(), "aegis-gate-"));
  folders.push(folder);
  const all = { "package.json": '{ "type": "module" }', "tsconfig.json": "{}", ...files };
  for (const [path, text] of Object.entries(all)) {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), text);
  }
  const { status, stdout, stderr } = spawnSync(process.execPath, [gate, folder], { encoding: "utf8" });
  return { status, output: stdout + stderr };
}

const value = "export const value = 1;\n";

test("lets imports point down", () => {
  const { status, output } = gateOver({
    "src/ring/poly.ts": value,
    "src/ckks/evaluator.ts": 'export { value } from "../ring/poly.ts";\n',
  });
  expect(output).toContain("2 files in 2 layers");
  expect(status).toBe(0);
});

test.each([
  ["a higher layer", { "src/ckks/evaluator.ts": value, "src/ring/poly.ts": 'export * from "../ckks/evaluator.ts";\n' }],
  [
    "a type of a higher layer",
    { "src/ckks/key.ts": "export type K = 1;\n", "src/ring/poly.ts": 'export type { K } from "../ckks/key.ts";\n' },
  ],
  [
    "a layer of the same rank",
    { "src/server/http.ts": value, "src/client/session.ts": 'export * from "../server/http.ts";\n' },
  ],
  ["the root of the package", { "src/index.ts": value, "src/ring/poly.ts": 'export * from "../index.ts";\n' }],
])("refuses the import of %s", (_, files) => {
  const { status, output } = gateOver(files);
  expect(output).toMatch(/error downward-imports-only: (ring|client)\n {2}src\/\S+ imports src\/\S+\n/);
  expect(output).toContain("Layers, lowest first:\n  base < kernels < ring");
  expect(status).toBe(1);
});

test("refuses a cycle inside a layer", () => {
  const { status, output } = gateOver({
    "src/ring/a.ts": 'import { b } from "./b.ts";\nexport const a = () => b;\n',
    "src/ring/b.ts": 'import { a } from "./a.ts";\nexport const b = () => a;\n',
  });
  expect(output).toContain("error no-cycles");
  expect(output).toMatch(/src\/ring\/(a|b)\.ts → src\/ring\/(a|b)\.ts → src\/ring\/\1\.ts/);
  expect(status).toBe(1);
});

test("refuses an unknown layer and a missing file", () => {
  const { status, output } = gateOver({
    "src/helpers/sum.ts": value,
    "src/ring/poly.ts": 'export * from "../helpers/sum.ts";\nexport * from "./missing.ts";\n',
  });
  expect(output).toContain("error known-layer");
  expect(output).toContain("error resolvable");
  expect(status).toBe(1);
});
