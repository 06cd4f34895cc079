/**
 * Finds and compiles the WebAssembly kernels. They lie beside the compiled file; when the sources
 * are run as they are, in the build output.
 */
import { AegisError } from "../../base/errors.ts";

const places = [
  new URL("./kernels.wasm", import.meta.url),
  new URL("../../../dist/kernels/wasm/kernels.wasm", import.meta.url),
];

async function bytesAt(url: URL): Promise<Uint8Array<ArrayBuffer>> {
  if (url.protocol === "file:") {
    const { readFile } = await import("node:fs/promises");
    return new Uint8Array(await readFile(url));
  }
  const response = await fetch(url);
  if (!response.ok) throw new Error(`${url.href}: ${response.status} ${response.statusText}`);
  return new Uint8Array(await response.arrayBuffer());
}

async function load(): Promise<WebAssembly.Module> {
  const failures: unknown[] = [];
  for (const place of places) {
    try {
      return await WebAssembly.compile(await bytesAt(place));
    } catch (error) {
      failures.push(error);
    }
  }
  throw new AegisError("io", `the WebAssembly kernels cannot be loaded from ${places[0].href}`, {
    hint: "run the build; the host needs WebAssembly with 128-bit SIMD",
    operation: "load kernels",
    cause: failures,
  });
}

let loaded: Promise<WebAssembly.Module> | undefined;

/** The compiled kernels; compiled once. Throws `io` when they are missing or not supported. */
export function loadWasmModule(): Promise<WebAssembly.Module> {
  loaded ??= load().catch((error: unknown) => {
    loaded = undefined;
    throw error;
  });
  return loaded;
}
