/**
 * The reference backend: slow, exact, each kernel as its definition reads, on bigint. It shares
 * no arithmetic with any other backend.
 */
import { integerIn } from "../../base/validate.ts";
import type { Backend, MemoryReport, RingKernels } from "../backend.ts";
import { Rings } from "../rings.ts";
import { ReferenceMemory } from "./memory.ts";
import { ReferenceRing } from "./ring.ts";

export interface ReferenceBackendOptions {
  /** Memory limit in bytes; 1 GiB by default. */
  readonly maximumBytes?: number;
}

class ReferenceBackend implements Backend {
  readonly name = "reference";
  readonly #memory: ReferenceMemory;
  readonly #rings = new Rings((logN, moduli) => new ReferenceRing(this, this.#memory, logN, moduli));

  constructor(limit: number) {
    this.#memory = new ReferenceMemory(limit);
  }

  memory(): MemoryReport {
    return this.#memory.allocator.report();
  }

  onPressure(release: () => boolean): () => void {
    return this.#memory.allocator.onPressure(release);
  }

  onAllocate(watch: () => void): () => void {
    return this.#memory.allocator.onAllocate(watch);
  }

  ring(logN: number, moduli: readonly number[]): RingKernels {
    return this.#rings.get(logN, moduli);
  }

  dispose(): void {
    this.#rings.clear();
    this.#memory.words = new Uint32Array(0);
  }
}

/** A backend for tests and for checking other backends. */
export function createReferenceBackend(options: ReferenceBackendOptions = {}): Backend {
  return new ReferenceBackend(integerIn("maximumBytes", options.maximumBytes ?? 2 ** 30, 2 ** 16, 2 ** 32));
}
