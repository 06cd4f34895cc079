/**
 * Weighted least-squares polynomials in Chebyshev basis on a sampled domain, and Lawson's reweighting
 * that drives them towards the minimax polynomial. The starting points of the Remez exchange.
 *
 * Lawson, Contributions to the theory of linear least maximum approximations (1961): multiply each sample's
 * weight by its error, solve again; linear convergence, but no reference to lose. Each solve is for a
 * correction from residuals, so that rounding stays at that of evaluating f and p.
 */
import { type ChebyshevSeries, evaluateSeries, type RealFunction, toUnit } from "./chebyshev.ts";
import { type Interval, sampleDomain } from "./interval.ts";
import { leastSquares } from "./linear.ts";

/** A fitting problem at its samples. */
export interface SampledProblem {
  readonly points: readonly number[];
  /** f and the weight at the points. */
  readonly values: Float64Array;
  readonly weights: Float64Array;
  readonly interval: Interval;
  readonly indices: readonly number[];
}

/** Chebyshev-spaced samples, four for each unknown. */
export function sampleProblem(
  f: RealFunction,
  weight: RealFunction,
  domain: readonly Interval[],
  interval: Interval,
  indices: readonly number[],
): SampledProblem {
  const points = sampleDomain(domain, 4 * indices.length + 4).flatMap((run) => [...run]);
  return {
    points,
    values: Float64Array.from(points, f),
    weights: Float64Array.from(points, weight),
    interval,
    indices,
  };
}

/** `start` plus the correction that minimises Σ m_i·(w_i·(f_i − p(x_i)))²; all m_i are 1 if left out. */
export function weightedLeastSquares(
  { points, values, weights, interval, indices }: SampledProblem,
  start: ChebyshevSeries,
  multipliers?: Float64Array,
): ChebyshevSeries {
  const matrix = new Float64Array(points.length * indices.length);
  const right = new Float64Array(points.length);
  points.forEach((x, i) => {
    const w = weights[i] * Math.sqrt(multipliers?.[i] ?? 1);
    basisRow(matrix, i * indices.length, toUnit(interval, x), indices, w);
    right[i] = w * (values[i] - evaluateSeries(start, x));
  });
  const coefficients = start.coefficients.slice();
  leastSquares(matrix, right, indices.length).forEach((c, j) => {
    coefficients[indices[j]] += c;
  });
  return { interval, coefficients };
}

/** The best, at the samples, of `start` and `rounds` reweighted fits. */
export function lawson(problem: SampledProblem, start: ChebyshevSeries, rounds: number): ChebyshevSeries {
  const { points, values, weights } = problem;
  const multipliers = new Float64Array(points.length).fill(1);
  let current = start;
  let best = start;
  let smallest = Number.POSITIVE_INFINITY;
  for (let round = 0; ; round++) {
    const errors = points.map((x, i) => weights[i] * Math.abs(values[i] - evaluateSeries(current, x)));
    const largest = Math.max(...errors);
    if (largest < smallest) [best, smallest] = [current, largest];
    if (round === rounds || !(largest > 0)) return best;
    errors.forEach((error, i) => {
      multipliers[i] = Math.max(multipliers[i] * (error / largest), 1e-12);
    });
    const total = Math.max(...multipliers);
    multipliers.forEach((m, i) => {
      multipliers[i] = m / total;
    });
    current = weightedLeastSquares(problem, current, multipliers);
  }
}

/** Writes factor·T_k(t) for each index k into a row of a matrix. */
export function basisRow(
  matrix: Float64Array,
  offset: number,
  t: number,
  indices: readonly number[],
  factor: number,
): void {
  let previous = t; // T_{−1}
  let value = 1;
  for (let k = 0, j = 0; j < indices.length; k++) {
    if (k === indices[j]) matrix[offset + j++] = factor * value;
    [previous, value] = [value, 2 * t * value - previous];
  }
}
