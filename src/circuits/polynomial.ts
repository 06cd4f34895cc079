/**
 * Polynomial evaluation in the Chebyshev basis: Paterson–Stockmeyer by repeated division by
 * T_n, n a power of two, with the scale of every node chosen from above so that all sums are
 * exact (Bossuat et al., EUROCRYPT 2021, §4), and relinearisation put off until a node's sum is
 * complete. Depth ⌈log2(degree + 1)⌉.
 */
import { AegisError } from "../base/errors.ts";
import type { Ciphertext, Evaluator } from "../ckks/index.ts";

/** T_k of one ciphertext, made when asked for, each at its own level and scale. */
export class ChebyshevBasis implements Disposable {
  readonly #evaluator: Evaluator;
  readonly #powers = new Map<number, Ciphertext>();

  /** @param u ciphertext with values in [−1, 1]; the basis keeps a copy */
  constructor(evaluator: Evaluator, u: Ciphertext) {
    this.#evaluator = evaluator;
    this.#powers.set(1, u.clone());
  }

  /** T_k, k ≥ 1, at level u.level − ⌈log2 k⌉. */
  get(k: number): Ciphertext {
    const present = this.#powers.get(k);
    if (present !== undefined) return present;
    const high = Math.ceil(k / 2);
    const low = Math.floor(k / 2);
    const evaluator = this.#evaluator;
    // T_(a+b) = 2·T_a·T_b − T_(a−b)
    using product = evaluator.tensor(this.get(high), this.get(low), 2);
    if (high === low) evaluator.accumulateConstant(product, -1);
    else evaluator.accumulate(product, this.get(high - low), -1);
    const result = evaluator.relineariseRescale(product);
    this.#powers.set(k, result);
    return result;
  }

  /** Level at which T_k is or would be. */
  level(k: number): number {
    return (this.#powers.get(1) as Ciphertext).level - depthOf(k);
  }

  [Symbol.dispose](): void {
    for (const power of this.#powers.values()) power.dispose();
  }
}

/** Levels that a polynomial of this degree consumes. */
export function polynomialDepth(degree: number): number {
  return depthOf(degree + 1);
}

function depthOf(k: number): number {
  return Math.ceil(Math.log2(k));
}

/**
 * Σ coefficients[k]·T_k(u).
 *
 * @param u values in [−1, 1]
 * @param coefficients Chebyshev coefficients, at least two
 * @param scale of the result; default: u.scale
 * @param level of the result; default: u.level − polynomialDepth(degree), the highest possible
 */
export function evaluateChebyshev(
  evaluator: Evaluator,
  u: Ciphertext,
  coefficients: ArrayLike<number>,
  options: { scale?: number; level?: number } = {},
): Ciphertext {
  using basis = new ChebyshevBasis(evaluator, u);
  return evaluateInBasis(evaluator, basis, u, coefficients, options);
}

/** As {@link evaluateChebyshev}, on a basis that several polynomials of one argument share. */
export function evaluateInBasis(
  evaluator: Evaluator,
  basis: ChebyshevBasis,
  u: Ciphertext,
  coefficients: ArrayLike<number>,
  options: { scale?: number; level?: number } = {},
): Ciphertext {
  const series = trim(coefficients);
  const degree = series.length - 1;
  const highest = u.level - polynomialDepth(Math.max(degree, 1));
  const level = options.level ?? highest;
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
  const run = new Evaluation(evaluator, basis, u.slots, babyCount(series, highest, u.level));
  using sum = run.node(series, level, options.scale ?? u.scale);
  return run.finish(sum);
}

class Evaluation {
  readonly #evaluator: Evaluator;
  readonly #basis: ChebyshevBasis;
  readonly #slots: number;
  readonly #babies: number;

  constructor(evaluator: Evaluator, basis: ChebyshevBasis, slots: number, babies: number) {
    this.#evaluator = evaluator;
    this.#basis = basis;
    this.#slots = slots;
    this.#babies = babies;
  }

  /** The sum at level + 1 with scale·(modulus of level + 1), to be rescaled: degree 1 or 2. */
  node(series: readonly number[], level: number, scale: number): Ciphertext {
    const evaluator = this.#evaluator;
    const degree = series.length - 1;
    const rescaled = scale * evaluator.context.parameters.levelModulus(level + 1);
    if (isLeaf(degree, this.#babies, (k) => this.#basis.level(k) > level)) {
      const terms = series.flatMap((factor, k) =>
        k === 0 || factor === 0 ? [] : [[this.#basis.get(k), factor] as const],
      );
      return evaluator.combine(terms, series[0] as number, { level: level + 1, scale: rescaled, slots: this.#slots });
    }
    const n = splitDegree(degree);
    if (degree === n) {
      // A lone multiple of T_n needs no product.
      const sum = this.node(trim(series.slice(0, n)), level, scale);
      evaluator.accumulate(sum, this.#basis.get(n), series[n] as number);
      return sum;
    }
    const { quotient, remainder } = divideByChebyshev(series, n);
    const divisor = this.#basis.get(n);
    using sum = this.node(quotient, level + 1, rescaled / divisor.scale);
    using factor = this.finish(sum);
    const product = drop(evaluator, evaluator.tensor(factor, divisor), level + 1);
    if (remainder.length === 0) return product;
    using rest = this.node(remainder, level, scale);
    evaluator.addTo(product, rest);
    return product;
  }

  /** Relinearises where needed and rescales. */
  finish(sum: Ciphertext): Ciphertext {
    return sum.parts.length === 3 ? this.#evaluator.relineariseRescale(sum) : this.#evaluator.rescale(sum);
  }
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
