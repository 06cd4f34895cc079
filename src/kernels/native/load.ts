/**
 * Finds the compiled addon: beside the compiled file, or in the build output when the sources are run
 * as they are. It is made on installation where a C++ compiler is found.
 */
import { AegisError } from "../../base/errors.ts";

/** One machine: memory, tables, threads. What a function takes and gives is said in `addon/addon.cc`. */
export interface Machine {
  readonly mailbox: ArrayBuffer;
  readonly instructions: string;
  readonly threads: number;
  run(): void;
  /** The address of words outside of the machine's memory. */
  reach(words: Uint32Array): number;
  write(address: number, words: Uint32Array, logN: number): void;
  read(address: number, into: Uint32Array, words: number): void;
  prime(q: number, qInverse: number): number;
  twiddleBytes(logN: number): number;
  prepareTransform(prime: number, logN: number, address: number, psi: number, scale: number): void;
  permutationBytes(logN: number): number;
  makePermutation(logN: number, address: number, galoisElement: number): void;
  conversion(sources: Uint32Array, targets: Uint32Array, factors: Uint32Array): number;
  fromInt32(address: number, values: Int32Array, logN: number, primes: Uint32Array): void;
  fromDoubles(address: number, values: Float64Array, logN: number, primes: Uint32Array): void;
  dispose(): void;
}

export interface Addon {
  /** Throws an error with `code` "memory" or "instructions". */
  open(bytes: number, instructions: string, threads: number): Machine;
  /** Those of this processor, the best first. */
  instructionSets(): string[];
}

const places = ["./kernels.node", "../../../dist/kernels/native/kernels.node"];

let loaded: Promise<Addon> | undefined;

async function load(): Promise<Addon> {
  const failures: unknown[] = [];
  if (typeof process !== "undefined" && process.versions?.node !== undefined) {
    const { createRequire } = await import("node:module");
    const require = createRequire(import.meta.url);
    for (const place of places) {
      try {
        return require(place) as Addon;
      } catch (error) {
        failures.push(error);
      }
    }
  }
  throw new AegisError("device", "the native kernels are not there", {
    hint: "install a C++ compiler (Debian: apt-get install g++) and run npm rebuild, or use --device wasm",
    operation: "load native kernels",
    cause: failures,
  });
}

/** The addon; loaded once. Throws `device` when it was not built or does not fit this system. */
export function loadAddon(): Promise<Addon> {
  loaded ??= load().catch((error: unknown) => {
    loaded = undefined;
    throw error;
  });
  return loaded;
}
