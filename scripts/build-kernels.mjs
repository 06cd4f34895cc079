// Compiles the AssemblyScript kernels to dist/kernels/wasm/kernels.wasm.
// Usage: node scripts/build-kernels.mjs [--text]   (--text also writes kernels.wat)
import { mkdir, rename } from "node:fs/promises";
import { dirname, join, relative } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import asc from "assemblyscript/asc";

const root = join(dirname(fileURLToPath(import.meta.url)), "..");

/** Compiles the kernels; `text` asks for the readable form as well. */
export async function buildKernels({ text = false } = {}) {
  const out = join(root, "dist", "kernels", "wasm");
  await mkdir(out, { recursive: true });
  // Renamed at the end: whoever loads the kernels meanwhile sees a whole file.
  const partial = join(out, `kernels.${process.pid}.wasm`);
  const path = (file) => relative(root, file);
  const { error, stderr } = await asc.main(
    [
      "src/kernels/wasm/assembly/index.ts",
      "--baseDir",
      root,
      "--outFile",
      path(partial),
      ...(text ? ["--textFile", path(join(out, "kernels.wat"))] : []),
      "-O3",
      "--converge",
      "--noAssert",
      "--importMemory",
      "--runtime",
      "stub",
      "--enable",
      "simd",
      "--use",
      "abort=",
    ],
    {},
  );
  if (error) throw new Error(`the kernels do not compile:\n${stderr.toString()}`, { cause: error });
  await rename(partial, join(out, "kernels.wasm"));
}

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href) {
  await buildKernels({ text: process.argv.includes("--text") });
}
