/**
 * Lets Node run the project's TypeScript without a build:
 * `node --import ./scripts/typescript.mjs bench/ntt.bench.ts`.
 * Types are stripped file by file; nothing is checked.
 */
import { readFileSync } from "node:fs";
import { register } from "node:module";
import { fileURLToPath } from "node:url";
import ts from "typescript";

// Worker threads run this file again: hooks registered on the main thread do not reach them.
const asHook = new URL("?hook", import.meta.url).href;
if (import.meta.url !== asHook) register(asHook);

const compilerOptions = {
  target: ts.ScriptTarget.ES2022,
  module: ts.ModuleKind.ESNext,
  verbatimModuleSyntax: true,
  inlineSourceMap: true,
};

/** Module hook: compiles `.ts` files, leaves the rest to Node. */
export async function load(url, context, next) {
  if (!url.startsWith("file:") || !url.endsWith(".ts")) return next(url, context);
  const fileName = fileURLToPath(url);
  const { outputText } = ts.transpileModule(readFileSync(fileName, "utf8"), { compilerOptions, fileName });
  return { format: "module", shortCircuit: true, source: outputText };
}
