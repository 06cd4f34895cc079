/**
 * Polynomial evaluation in the Chebyshev basis: Paterson–Stockmeyer by repeated division by
 * T_n, n a power of two, with the scale of every node chosen from above so that all sums are
 * exact (Bossuat et al., EUROCRYPT 2021, §4), and relinearisation put off until a node's sum is
 * complete. Depth ⌈log2(degree + 1)⌉.
 */
import { AegisError } from "../base/errors.ts";
import type { Ciphertext, Evaluator } from "../ckks/index.ts";

/** T_k of ciphertexts at one level and scale, made when asked for, each k at its own level and scale. */
export class ChebyshevBasis implements Disposable {
  readonly #evaluator: Evaluator;
  readonly #powers = new Map<number, readonly Ciphertext[]>();

  /** @param us ciphertexts with values in [−1, 1]; the basis keeps copies */
  constructor(evaluator: Evaluator, us: readonly Ciphertext[]) {
    this.#evaluator = evaluator;
    this.#powers.set(
      1,
      us.map((u) => evaluator.copy(u)),
    );
  }

  /** The ciphertexts themselves. */
  get arguments(): readonly Ciphertext[] {
    return this.get(1);
  }

  /** T_k of each, k ≥ 1, at level u.level − ⌈log2 k⌉. */
  get(k: number): readonly Ciphertext[] {
    const present = this.#powers.get(k);
    if (present !== undefined) return present;
    const high = Math.ceil(k / 2);
    const low = Math.floor(k / 2);
    const evaluator = this.#evaluator;
    // T_(a+b) = 2·T_a·T_b − T_(a−b)
    const [a, b] = [this.get(high), this.get(low)];
    const difference = high === low ? undefined : this.get(high - low);
    const products = a.map((factor, i) => {
      const product = evaluator.tensor(factor, b[i] as Ciphertext, 2);
      if (difference === undefined) evaluator.accumulateConstant(product, -1);
      else evaluator.accumulate(product, difference[i] as Ciphertext, -1);
      return product;
    });
    const results = finish(evaluator, products);
    this.#powers.set(k, results);
    return results;
  }

  /** Level at which T_k is or would be. */
  level(k: number): number {
    return (this.arguments[0] as Ciphertext).level - depthOf(k);
  }

  [Symbol.dispose](): void {
    for (const powers of this.#powers.values()) dispose(powers);
  }
}

/** Levels that a polynomial of this degree consumes. */
export function polynomialDepth(degree: number): number {
  return depthOf(degree + 1);
}

function depthOf(k: number): number {
  return Math.ceil(Math.log2(k));
}

/** Where the result of a polynomial is to be. */
export interface PolynomialTarget {
  /** Default: that of the argument. */
  readonly scale?: number;
  /** Default: the highest possible, the argument's less {@link polynomialDepth} of the degree. */
  readonly level?: number;
}

/**
 * Σ coefficients[k]·T_k(u).
 *
 * @param u values in [−1, 1]
 * @param coefficients Chebyshev coefficients, at least two
 */
export function evaluateChebyshev(
  evaluator: Evaluator,
  u: Ciphertext,
  coefficients: ArrayLike<number>,
  target: PolynomialTarget = {},
): Ciphertext {
  return evaluateTogether(evaluator, [u], coefficients, target)[0] as Ciphertext;
}

/** {@link evaluateChebyshev} of several ciphertexts at one level and scale: what is read of the key is read once for all. */
export function evaluateTogether(
  evaluator: Evaluator,
  us: readonly Ciphertext[],
  coefficients: ArrayLike<number>,
  target: PolynomialTarget = {},
): Ciphertext[] {
  using basis = new ChebyshevBasis(evaluator, us);
  return evaluateInBasis(evaluator, basis, coefficients, target);
}

/** As {@link evaluateTogether}, on a basis that several polynomials of the same arguments share. */
export function evaluateInBasis(
  evaluator: Evaluator,
  basis: ChebyshevBasis,
  coefficients: ArrayLike<number>,
  target: PolynomialTarget = {},
): Ciphertext[] {
  const series = trim(coefficients);
  const degree = series.length - 1;
  const [u] = basis.arguments as readonly [Ciphertext];
  const highest = u.level - polynomialDepth(Math.max(degree, 1));
  const level = target.level ?? highest;
  if (highest < 0 || level > highest) {
    throw new AegisError(
      "level",
      `polynomial of degree ${degree}: needs ${polynomialDepth(degree)} levels above level ${Math.max(level, 0)}, the ciphertext is at level ${u.level}`,
      {
        operation: "polynomial",
        level: u.level,
        hint: "bootstrap before it, or take a polynomial of lower degree",
      },
    );
  }
  const run = new Evaluation(evaluator, basis, babyCount(series, highest, u.level));
  return finish(evaluator, run.node(series, level, target.scale ?? u.scale));
}

class Evaluation {
  readonly #evaluator: Evaluator;
  readonly #basis: ChebyshevBasis;
  readonly #babies: number;

  constructor(evaluator: Evaluator, basis: ChebyshevBasis, babies: number) {
    this.#evaluator = evaluator;
    this.#basis = basis;
    this.#babies = babies;
  }

  /** The sums at level + 1 with scale·(modulus of level + 1), to be rescaled: degree 1 or 2. */
  node(series: readonly number[], level: number, scale: number): Ciphertext[] {
    const evaluator = this.#evaluator;
    const degree = series.length - 1;
    const rescaled = scale * evaluator.context.parameters.levelModulus(level + 1);
    if (isLeaf(degree, this.#babies, (k) => this.#basis.level(k) > level)) {
      const terms = series.flatMap((factor, k) =>
        k === 0 || factor === 0 ? [] : [[this.#basis.get(k), factor] as const],
      );
      return this.#basis.arguments.map(({ slots }, i) =>
        evaluator.combine(
          terms.map(([powers, factor]) => [powers[i] as Ciphertext, factor] as const),
          series[0] as number,
          { level: level + 1, scale: rescaled, slots },
        ),
      );
    }
    const n = splitDegree(degree);
    const divisors = this.#basis.get(n);
    if (degree === n) {
      // A lone multiple of T_n needs no product.
      const sums = this.node(trim(series.slice(0, n)), level, scale);
      for (const [i, sum] of sums.entries()) evaluator.accumulate(sum, divisors[i] as Ciphertext, series[n] as number);
      return sums;
    }
    const { quotient, remainder } = divideByChebyshev(series, n);
    const factors = finish(evaluator, this.node(quotient, level + 1, rescaled / (divisors[0] as Ciphertext).scale));
    const products = factors.map((factor, i) =>
      drop(evaluator, evaluator.tensor(factor, divisors[i] as Ciphertext), level + 1),
    );
    dispose(factors);
    if (remainder.length === 0) return products;
    const rests = this.node(remainder, level, scale);
    for (const [i, product] of products.entries()) evaluator.addTo(product, rests[i] as Ciphertext);
    dispose(rests);
    return products;
  }
}

/** Relinearises where needed and rescales; sums are freed. */
function finish(evaluator: Evaluator, sums: readonly Ciphertext[]): Ciphertext[] {
  const quadratic = sums[0]?.parts.length === 3;
  const results = quadratic ? evaluator.relineariseRescaleTogether(sums) : sums.map((sum) => evaluator.rescale(sum));
  dispose(sums);
  return results;
}

function dispose(ciphertexts: readonly Ciphertext[]): void {
  for (const ciphertext of ciphertexts) ciphertext.dispose();
}

function drop(evaluator: Evaluator, a: Ciphertext, level: number): Ciphertext {
  if (a.level === level) return a;
  using high = a;
  return evaluator.dropLevel(high, level);
}

function isLeaf(degree: number, babies: number, available: (k: number) => boolean): boolean {
  return degree < 2 || (degree < babies && available(degree));
}

/** The largest power of two at most `degree`. */
function splitDegree(degree: number): number {
  return 2 ** Math.floor(Math.log2(degree));
}

/** series = quotient·T_n + remainder, from T_n·T_k = (T_(n+k) + T_|n−k|)/2; degree < 2n. */
export function divideByChebyshev(series: readonly number[], n: number): { quotient: number[]; remainder: number[] } {
  const remainder = series.slice(0, n) as number[];
  const quotient = [series[n] as number];
  for (let k = 1; n + k < series.length; k++) {
    const c = series[n + k] as number;
    quotient.push(2 * c);
    remainder[n - k] = (remainder[n - k] as number) - c;
  }
  return { quotient, remainder: trimToZero(remainder) };
}

/** Number of baby polynomials (a power of two) that costs the fewest key switches. */
function babyCount(series: readonly number[], level: number, top: number): number {
  let best = 2;
  let fewest = Number.POSITIVE_INFINITY;
  for (let babies = 2; babies <= series.length; babies *= 2) {
    const made = new Set<number>([1]);
    const cost = { switches: 0 };
    countNode(series, level, babies, top, made, cost);
    if (cost.switches < fewest) {
      fewest = cost.switches;
      best = babies;
    }
  }
  return best;
}

function countNode(
  series: readonly number[],
  level: number,
  babies: number,
  top: number,
  made: Set<number>,
  cost: { switches: number },
): boolean {
  const degree = series.length - 1;
  if (isLeaf(degree, babies, (k) => top - depthOf(k) > level)) {
    for (let k = 1; k <= degree; k++) if (series[k] !== 0) countPower(k, made, cost);
    return false;
  }
  const n = splitDegree(degree);
  countPower(n, made, cost);
  if (degree === n) return countNode(trim(series.slice(0, n)), level, babies, top, made, cost);
  const { quotient, remainder } = divideByChebyshev(series, n);
  if (countNode(quotient, level + 1, babies, top, made, cost)) cost.switches++;
  if (remainder.length > 0) countNode(remainder, level, babies, top, made, cost);
  return true;
}

function countPower(k: number, made: Set<number>, cost: { switches: number }): void {
  if (made.has(k)) return;
  made.add(k);
  cost.switches++;
  countPower(Math.ceil(k / 2), made, cost);
  countPower(Math.floor(k / 2), made, cost);
}

function trim(coefficients: ArrayLike<number>): number[] {
  const series = trimToZero(Array.from(coefficients));
  while (series.length < 2) series.push(0);
  return series;
}

function trimToZero(series: number[]): number[] {
  let length = series.length;
  while (length > 0 && series[length - 1] === 0) length--;
  return series.slice(0, length);
}
