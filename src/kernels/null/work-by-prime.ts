/**
 * Work by the prime that it is modulo, and what leads to communication where a polynomial lies on several ranks:
 * bounds on the work of ranks are made of these.
 */
import type { KernelName, KernelWork } from "./work.ts";

/** What was counted, as lists by index. */
export interface CountsByPrime {
  /** Seconds of kernels on limbs modulo each prime. */
  readonly seconds: readonly number[];
  /** Limbs modulo each prime that were transformed back, at full degree. */
  readonly inverses: readonly number[];
  /** Calls of transforms at full degree. */
  readonly transforms: number;
  /** Their limbs. */
  readonly transformed: number;
  /** Calls of inverse ones on limbs that are not all modulo special primes. */
  readonly conversions: number;
}

/** Reads what {@link WorkByPrime.list} lists. */
export function countsByPrime([transforms, transformed, conversions, ...lists]: readonly number[]): CountsByPrime {
  const primes = lists.length / 2;
  return {
    transforms: transforms as number,
    transformed: transformed as number,
    conversions: conversions as number,
    inverses: lists.slice(0, primes),
    seconds: lists.slice(primes),
  };
}

export class WorkByPrime {
  readonly #seconds: Float64Array;
  readonly #inverses: Float64Array;
  #transforms = 0;
  #transformed = 0;
  #conversions = 0;
  readonly #specialCount: number;
  readonly #logN: number;
  readonly #times: KernelWork;

  /** @param times seconds per unit of each kind of work */
  constructor(primes: number, { logN, specialCount }: { logN: number; specialCount: number }, times: KernelWork) {
    this.#seconds = new Float64Array(primes);
    this.#inverses = new Float64Array(primes);
    this.#logN = logN;
    this.#specialCount = specialCount;
    this.#times = times;
  }

  /** All counts as one list; what they were worth at some time is read from differences of such lists. */
  list(): number[] {
    return [this.#transforms, this.#transformed, this.#conversions, ...this.#inverses, ...this.#seconds];
  }

  /** @param amount work on each of the limbs [from, to) */
  count(name: KernelName, moduli: readonly number[], from: number, to: number, amount: number): void {
    const seconds = amount * this.#times[name];
    for (let i = from; i < to; i++) this.#seconds[moduli[i]] += seconds;
  }

  countTransform(logN: number, limbs: number): void {
    if (logN < this.#logN || limbs === 0) return;
    this.#transforms++;
    this.#transformed += limbs;
  }

  countInverse(logN: number, moduli: readonly number[]): void {
    if (logN < this.#logN) return;
    for (const modulus of moduli) this.#inverses[modulus]++;
    if (moduli.some((modulus) => modulus >= this.#specialCount)) this.#conversions++;
  }
}
