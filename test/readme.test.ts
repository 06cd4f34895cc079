/** The library example of the README, run as it stands but for the ring. */
import { execFileSync } from "node:child_process";
import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { buildDist, root } from "./support/build.ts";

// Beside the package, so that its own name resolves to it.
const file = join(root, `readme-example-${process.pid}.mjs`);

beforeAll(buildDist);
afterAll(() => rmSync(file, { force: true }));

it("prints the label of its sentence", () => {
  const readme = readFileSync(join(root, "README.md"), "utf8");
  const [, example] = /## As a library\n```ts\n([\s\S]*?)```/.exec(readme) ?? [];
  expect(example).toBeDefined();
  const small = (example as string).replace(
    'preset("bootstrap-16").spec',
    '{ ...preset("insecure-test").spec, logN: 12 }',
  );
  expect(small).not.toBe(example);
  writeFileSync(file, small);
  const output = execFileSync(process.execPath, [file], { cwd: root, encoding: "utf8", timeout: 100_000 });
  expect(output.trim()).toBe("POSITIVE");
});
