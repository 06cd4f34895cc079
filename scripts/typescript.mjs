/**
 * Lets Node run the project's TypeScript without a build:
 * `node --import ./scripts/typescript.mjs bench/ntt.bench.ts`.
 * Types are stripped file by file; nothing is checked. What was compiled is kept under `node_modules/.cache`,
 * since every worker thread of a test loads the same files again.
 */
import { createHash } from "node:crypto";
import { mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { register } from "node:module";
import { fileURLToPath } from "node:url";
import { threadId } from "node:worker_threads";

// Worker threads run this file again: hooks registered on the main thread do not reach them.
const asHook = new URL("?hook", import.meta.url).href;
if (import.meta.url !== asHook) register(asHook);

const cache = new URL("../node_modules/.cache/aegis-typescript/", import.meta.url);

/** Module hook: compiles `.ts` files, leaves the rest to Node. */
export async function load(url, context, next) {
  if (!url.startsWith("file:") || !url.endsWith(".ts")) return next(url, context);
  const fileName = fileURLToPath(url);
  const text = readFileSync(fileName, "utf8");
  const kept = new URL(createHash("sha256").update(`${fileName}\n${text}`).digest("hex"), cache);
  let source;
  try {
    source = readFileSync(kept, "utf8");
  } catch {
    source = await compile(text, fileName);
    keep(kept, source);
  }
  return { format: "module", shortCircuit: true, source };
}

async function compile(text, fileName) {
  // Loading the compiler takes longer than most files do: only when something is new.
  const { default: ts } = await import("typescript");
  const compilerOptions = {
    target: ts.ScriptTarget.ES2022,
    module: ts.ModuleKind.ESNext,
    verbatimModuleSyntax: true,
    inlineSourceMap: true,
  };
  return ts.transpileModule(text, { compilerOptions, fileName }).outputText;
}

/** Written whole or not at all: other threads read it. */
function keep(file, source) {
  try {
    mkdirSync(cache, { recursive: true });
    const temporary = new URL(`${file.href}.${process.pid}-${threadId}`);
    writeFileSync(temporary, source);
    renameSync(temporary, file);
  } catch {
    // A folder that cannot be written only costs time.
  }
}
