/**
 * State shared by the rings of one WebAssembly backend: the memory, the compiled kernels, the
 * scratch areas and the tables that rings of the same degree and primes share.
 */
import { AegisError } from "../../base/errors.ts";
import { Allocator } from "../allocator.ts";
import { type ModulusConstants, modulusConstants, powerModulo, smallestGenerator } from "../modulus.ts";
import { maximumSources } from "./conversion.ts";
import type { KernelExports } from "./exports.ts";

const pageBytes = 65536;
const maximumPages = 65536;
/** Memory is taken from the system in steps of this many pages (64 MiB). */
const growPages = 1024;

/** Words of the list of addresses that a lazy sum works through. */
export const termWords = 3 * 512;
/** Values that are brought into backend memory at a time by the conversions from numbers. */
export const stagedValues = 2048;

function disposed(): never {
  throw new AegisError("internal", "the backend was disposed and is used again");
}

export class WasmCore {
  readonly memory: WebAssembly.Memory;
  kernels: KernelExports;
  readonly allocator: Allocator;
  /** The whole memory and parts of the scratch; made anew when the memory grows. */
  words!: Uint32Array;
  termList!: Uint32Array;
  stagedDoubles!: Float64Array;
  stagedInts!: Int32Array;
  readonly termAddress: number;
  readonly stagedAddress: number;
  readonly convertAddress: number;
  readonly #moduli = new Map<number, ModulusConstants>();
  readonly #twiddles = new Map<string, number>();
  readonly #permutations = new Map<string, number>();

  constructor(module: WebAssembly.Module, maximumBytes: number) {
    const limit = Math.min(maximumBytes, maximumPages * pageBytes);
    const memory = new WebAssembly.Memory({ initial: 1, maximum: Math.ceil(limit / pageBytes) });
    this.memory = memory;
    this.kernels = new WebAssembly.Instance(module, { env: { memory } }).exports as unknown as KernelExports;
    this.allocator = new Allocator(this.kernels.heapBase(), limit, (end) => this.#grow(end));
    this.termAddress = this.allocator.allocate(4 * termWords);
    this.stagedAddress = this.allocator.allocate(8 * stagedValues);
    this.convertAddress = this.allocator.allocate(this.kernels.convertScratchBytes(maximumSources));
    this.#view();
  }

  #grow(end: number): boolean {
    const have = this.memory.buffer.byteLength / pageBytes;
    const need = Math.ceil(end / pageBytes) - have;
    if (need <= 0) return true;
    for (const pages of [Math.min(Math.max(need, growPages), maximumPages - have), need]) {
      try {
        this.memory.grow(pages);
        this.#view();
        return true;
      } catch {
        // Above the maximum of this memory, or refused by the system: try with what is needed.
      }
    }
    return false;
  }

  #view(): void {
    const buffer = this.memory.buffer;
    this.words = new Uint32Array(buffer);
    // The first growth happens while the scratch areas are being allocated.
    if (this.convertAddress === undefined) return;
    this.termList = new Uint32Array(buffer, this.termAddress, termWords);
    this.stagedDoubles = new Float64Array(buffer, this.stagedAddress, stagedValues);
    this.stagedInts = new Int32Array(buffer, this.stagedAddress, 2 * stagedValues);
  }

  modulus(q: number): ModulusConstants {
    let constants = this.#moduli.get(q);
    if (constants === undefined) {
      constants = modulusConstants(q);
      this.#moduli.set(q, constants);
    }
    return constants;
  }

  /** Address of the twiddle table of a prime. */
  twiddles(logN: number, q: number): number {
    const key = `${logN} ${q}`;
    let address = this.#twiddles.get(key);
    if (address === undefined) {
      address = this.allocator.allocate(this.kernels.twiddleBytes(logN));
      this.kernels.makeTwiddles(address, logN, q, powerModulo(smallestGenerator(q), (q - 1) / 2 ** (logN + 1), q));
      this.#twiddles.set(key, address);
    }
    return address;
  }

  /** Address of the permutation table of X → X^galoisElement. */
  permutation(logN: number, galoisElement: number): number {
    const key = `${logN} ${galoisElement}`;
    let address = this.#permutations.get(key);
    if (address === undefined) {
      address = this.allocator.allocate(64 + 2 ** logN);
      this.kernels.makePermutation(address, logN, galoisElement);
      this.#permutations.set(key, address);
    }
    return address;
  }

  dispose(): void {
    this.kernels = new Proxy({} as KernelExports, { get: disposed });
    this.words = new Uint32Array(0);
    this.termList = this.words;
    this.#twiddles.clear();
    this.#permutations.clear();
  }
}
