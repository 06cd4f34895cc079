/**
 * Constants of one prime q < 2^30 and the plan of a lazy sum modulo it, in plain double and
 * 32-bit arithmetic: there may be many primes, and tables are made at start-up.
 */
import { AegisError } from "../base/errors.ts";

/** a·b mod q for a, b < q < 2^30: the quotient estimated in doubles is off by at most one. */
export function multiplyModulo(a: number, b: number, q: number): number {
  const estimate = Math.floor((a * b) / q);
  const rest = (Math.imul(a, b) - Math.imul(estimate, q)) | 0;
  return rest < 0 ? rest + q : rest >= q ? rest - q : rest;
}

/** base^exponent mod q. */
export function powerModulo(base: number, exponent: number, q: number): number {
  let result = 1;
  for (let e = exponent, b = base; e > 0; e = Math.floor(e / 2), b = multiplyModulo(b, b, q)) {
    if (e % 2 === 1) result = multiplyModulo(result, b, q);
  }
  return result;
}

function primeFactors(n: number): number[] {
  const factors: number[] = [];
  let rest = n;
  for (let d = 2; d * d <= rest; d++) {
    if (rest % d !== 0) continue;
    factors.push(d);
    while (rest % d === 0) rest /= d;
  }
  if (rest > 1) factors.push(rest);
  return factors;
}

/** The smallest generator of the multiplicative group modulo the prime q. */
export function smallestGenerator(q: number): number {
  const factors = primeFactors(q - 1);
  for (let g = 2; g < 1000; g++) {
    if (factors.every((factor) => powerModulo(g, (q - 1) / factor, q) !== 1)) return g;
  }
  throw new AegisError("internal", `${q} has no small generator: it is not a prime`);
}

/** q^-1 mod 2^32 by Newton's iteration; five correct bits more than double each time. */
function inverseWord(q: number): number {
  let inverse = q;
  for (let i = 0; i < 4; i++) inverse = Math.imul(inverse, 2 - Math.imul(q, inverse));
  return inverse;
}

/** How a sum of products is kept below 2^64 and brought below q at its end; the kernels of every backend follow it (`wasm/assembly/sums.ts` says how). */
export interface SumPlan {
  /** Products that are added between two folds. */
  readonly interval: number;
  /** The multiple of q that a fold takes from high words that reach it. */
  readonly foldBy: number;
  /** Conditional subtractions from the final high words: they are below 2^steps·q. */
  readonly steps: number;
}

/** Plan of a sum of `terms` products, each at most `largest`, modulo q. */
export function planSum(terms: number, largest: number, q: number): SumPlan {
  // Doubles are off by a few parts in 2^53, the margin is four times that.
  const product = largest * (1 + 2 ** -51);
  const foldBy = q * Math.round(2 ** 31 / q);
  const single = terms * product < 2 ** 64;
  const folded = Math.max(foldBy, 2 ** 32 - foldBy);
  const interval = single ? terms : Math.floor((2 ** 64 - folded * 2 ** 32) / product);
  const high = single ? (terms * product) / 2 ** 32 : 2 ** 32;
  let steps = 0;
  while (q * 2 ** steps <= high) steps++;
  return { interval, foldBy, steps };
}

/** What the kernels need to know of a prime. */
export interface ModulusConstants {
  readonly q: number;
  /** q^-1 mod 2^32. */
  readonly qInverse: number;
  /** 2^32 mod q. */
  readonly radix: number;
  /** Plans of sums of 0, 1, 2, … products of residues, as far as they were needed. */
  readonly plans: SumPlan[];
}

export function modulusConstants(q: number): ModulusConstants {
  return { q, qInverse: inverseWord(q), radix: 2 ** 32 % q, plans: [] };
}

/** Plan of a sum of `terms` products of residues. */
export function residueSumPlan(modulus: ModulusConstants, terms: number): SumPlan {
  let plan = modulus.plans[terms];
  if (plan === undefined) {
    plan = planSum(terms, (modulus.q - 1) ** 2, modulus.q);
    modulus.plans[terms] = plan;
  }
  return plan;
}
