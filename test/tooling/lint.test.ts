/** The project's own lint rules must fire: no Math.random, default export or console in shipped code. */
import { spawnSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";

const root = fileURLToPath(new URL("../..", import.meta.url));
let folder: string;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "aegis-lint-"));
  for (const path of ["biome.json", "scripts/no-math-random.grit"]) cpSync(join(root, path), join(folder, path));
});

afterAll(() => rmSync(folder, { recursive: true }));

function lint(path: string, text: string): string {
  mkdirSync(dirname(join(folder, path)), { recursive: true });
  writeFileSync(join(folder, path), text);
  const biome = join(root, "node_modules/@biomejs/biome/bin/biome");
  const { stdout, stderr } = spawnSync(process.execPath, [biome, "lint", "--vcs-enabled=false", path], {
    cwd: folder,
    encoding: "utf8",
  });
  const output = stdout + stderr;
  expect(output).toContain("Checked 1 file");
  return output;
}

test.each([
  "export const x = Math.random();\n",
  'export const x = Math["random"]();\n',
  "export const draw = Math.random;\n",
  "const { random } = Math;\nexport const x = random();\n",
  "const { floor, random: draw } = Math;\nexport const x = floor(draw());\n",
])("Math.random is banned: %j", (text) => {
  expect(lint("src/ring/example.ts", text)).toContain("Math.random is predictable");
});

test("the rest of Math, and Math.random outside src, pass", () => {
  const others = "const { floor } = Math;\nexport const x = floor(1.5) + Math.ceil(0.5);\n";
  expect(lint("src/ring/example.ts", others)).not.toContain("predictable");
  expect(lint("bench/example.ts", "export const x = Math.random();\n")).not.toContain("predictable");
});

test("default exports are banned, console only outside the command line", () => {
  expect(lint("src/ring/example.ts", "export default 1;\n")).toContain("noDefaultExport");
  expect(lint("src/ring/example.ts", 'console.log("x");\n')).toContain("noConsole");
  expect(lint("src/cli/example.ts", 'console.log("x");\n')).not.toContain("noConsole");
});
