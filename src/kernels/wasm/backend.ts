/** The WebAssembly backend: one memory of up to 4 GiB, SIMD kernels, one thread. */
import { integerIn } from "../../base/validate.ts";
import type { Backend, MemoryReport, RingKernels } from "../backend.ts";
import { Rings } from "../rings.ts";
import { WasmCore } from "./core.ts";
import { loadWasmModule } from "./load.ts";
import { WasmRing } from "./ring.ts";

/** What a WebAssembly memory holds. */
export const largestWasmMemory = 2 ** 32;

export interface WasmBackendOptions {
  /** Memory limit in bytes; 4 GiB, which is also the most, by default. */
  readonly maximumBytes?: number;
}

class WasmBackend implements Backend {
  readonly name = "wasm";
  readonly #core: WasmCore;
  readonly #rings = new Rings((logN, moduli) => new WasmRing(this, this.#core, logN, moduli));

  constructor(core: WasmCore) {
    this.#core = core;
  }

  memory(): MemoryReport {
    return this.#core.allocator.report();
  }

  onPressure(release: () => boolean): () => void {
    return this.#core.allocator.onPressure(release);
  }

  onAllocate(watch: () => void): () => void {
    return this.#core.allocator.onAllocate(watch);
  }

  ring(logN: number, moduli: readonly number[]): RingKernels {
    return this.#rings.get(logN, moduli);
  }

  dispose(): void {
    this.#rings.clear();
    this.#core.dispose();
  }
}

/** Loads the kernels and makes a backend with its own memory. Throws `io` or `memory`. */
export async function createWasmBackend(options: WasmBackendOptions = {}): Promise<Backend> {
  const maximumBytes = integerIn("maximumBytes", options.maximumBytes ?? largestWasmMemory, 2 ** 18, largestWasmMemory);
  return new WasmBackend(new WasmCore(await loadWasmModule(), maximumBytes));
}
