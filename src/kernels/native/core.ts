/** State shared by the rings of one native backend: the machine, its memory, the tables of primes and Galois elements. */
import { AegisError } from "../../base/errors.ts";
import { Allocator } from "../allocator.ts";
import type { ConversionTable } from "../backend.ts";
import { conversionWords } from "../conversion-words.ts";
import { type ModulusConstants, modulusConstants, powerModulo, smallestGenerator } from "../modulus.ts";
import type { Machine } from "./load.ts";

function disposed(): never {
  throw new AegisError("internal", "the backend was disposed and is used again");
}

export class NativeCore {
  machine: Machine;
  readonly allocator: Allocator;
  readonly mailbox: Float64Array;
  readonly #primes = new Map<number, number>();
  readonly #constants = new Map<number, ModulusConstants>();
  readonly #transforms = new Set<string>();
  readonly #permutations = new Map<string, number>();
  readonly #conversions = new WeakMap<ConversionTable, number>();

  constructor(machine: Machine, maximumBytes: number) {
    this.machine = machine;
    this.mailbox = new Float64Array(machine.mailbox);
    // Address 0 is kept free, as in the other backends.
    this.allocator = new Allocator(64, maximumBytes, () => true);
  }

  /** The machine's number of a prime. */
  prime(q: number): number {
    let number = this.#primes.get(q);
    if (number === undefined) {
      const constants = modulusConstants(q);
      number = this.machine.prime(q, constants.qInverse >>> 0);
      this.#primes.set(q, number);
      this.#constants.set(q, constants);
    }
    return number;
  }

  /** Makes the twiddles of a prime, once. */
  prepareTransform(logN: number, q: number): void {
    const key = `${logN} ${q}`;
    if (this.#transforms.has(key)) return;
    const address = this.allocator.allocate(this.machine.twiddleBytes(logN));
    const psi = powerModulo(smallestGenerator(q), (q - 1) / 2 ** (logN + 1), q);
    this.machine.prepareTransform(this.prime(q), logN, address, psi, powerModulo(2 ** logN, q - 2, q));
    this.#transforms.add(key);
  }

  /** Address of the permutation table of X → X^galoisElement. */
  permutation(logN: number, galoisElement: number): number {
    const key = `${logN} ${galoisElement}`;
    let address = this.#permutations.get(key);
    if (address === undefined) {
      address = this.allocator.allocate(this.machine.permutationBytes(logN));
      this.machine.makePermutation(logN, address, galoisElement);
      this.#permutations.set(key, address);
    }
    return address;
  }

  /** Gives the memory back. */
  dispose(): void {
    this.machine.dispose();
    this.machine = new Proxy({} as Machine, { get: disposed });
  }

  /** The machine's number of a base conversion between the given primes. */
  conversion(table: ConversionTable, moduli: readonly number[]): number {
    let number = this.#conversions.get(table);
    if (number === undefined) {
      const constantsOf = (m: number): ModulusConstants => {
        const q = moduli[m] as number;
        this.prime(q);
        return this.#constants.get(q) as ModulusConstants;
      };
      const { sources, targets, factors } = conversionWords(table, constantsOf);
      number = this.machine.conversion(sources, targets, factors);
      this.#conversions.set(table, number);
    }
    return number;
  }
}
