/** Search for NTT primes: q ≡ 1 mod 2N, nearest to a wanted size. */
import { AegisError } from "../base/errors.ts";
import { finite } from "../base/validate.ts";
import { maximumPrime, minimumPrime } from "../kernels/backend.ts";
import { multiplyModulo, powerModulo } from "./modular.ts";

/** Deterministic Miller–Rabin for n < 2^30 (bases 2, 3, 5, 7 suffice below 3.2·10^9; Jaeschke 1993). */
export function isPrime(n: number): boolean {
  if (n < 2) return false;
  for (const small of [2, 3, 5, 7, 11, 13]) {
    if (n === small) return true;
    if (n % small === 0) return false;
  }
  let odd = n - 1;
  let twos = 0;
  while (odd % 2 === 0) {
    odd /= 2;
    twos++;
  }
  for (const base of [2, 3, 5, 7]) {
    let x = powerModulo(base, odd, n);
    if (x === 1 || x === n - 1) continue;
    let composite = true;
    for (let round = 1; round < twos && composite; round++) {
      x = multiplyModulo(x, x, n);
      if (x === n - 1) composite = false;
    }
    if (composite) return false;
  }
  return true;
}

/**
 * All primes ≡ 1 mod 2^(logN+1) in [low, high), ascending.
 */
export function nttPrimes(logN: number, low: number, high: number): number[] {
  const step = 2 ** (logN + 1);
  const primes: number[] = [];
  const first = Math.ceil((low - 1) / step) * step + 1;
  for (let candidate = first; candidate < high; candidate += step) {
    if (isPrime(candidate)) primes.push(candidate);
  }
  return primes;
}

/** A supply of distinct NTT primes: each is handed out once. Candidates are tested only when asked for. */
export class PrimeSupply {
  readonly #logN: number;
  readonly #taken = new Set<number>();

  constructor(logN: number) {
    this.#logN = logN;
  }

  /** Takes the free prime nearest to `target` (in logarithm) below `ceiling`. Throws `parameters` when none is left. */
  takeNearest(target: number, ceiling = maximumPrime): number {
    const step = 2 ** (this.#logN + 1);
    finite("target", target);
    const bound = Math.min(ceiling, maximumPrime);
    // Candidates 1 mod step on both sides of the target, nearest first.
    let below = Math.floor((Math.min(target, bound) - 1) / step) * step + 1;
    if (below >= bound) below -= step;
    let above = Math.max(below, Math.floor(minimumPrime / step) * step + 1 - step) + step;
    for (;;) {
      const canFall = below > minimumPrime;
      if (!canFall && above >= bound) break;
      const fall = canFall && (above >= bound || distance(below, target) <= distance(above, target));
      const candidate = fall ? below : above;
      if (fall) below -= step;
      else above += step;
      if (candidate <= minimumPrime || this.#taken.has(candidate) || !isPrime(candidate)) continue;
      this.#taken.add(candidate);
      return candidate;
    }
    throw new AegisError("parameters", `no prime left near 2^${Math.log2(target).toFixed(1)} for N = 2^${this.#logN}`, {
      hint: "use fewer primes, other prime sizes or a smaller ring",
    });
  }
}

function distance(a: number, b: number): number {
  return Math.abs(Math.log(a / b));
}
