/**
 * Weighted minimax polynomials by the Remez exchange of all extrema at once, in Chebyshev basis, on
 * an interval or a union of intervals.
 *
 * Error: max over the domain of w(x)·|f(x) − p(x)|, doubles throughout. Each round solves for the
 * *correction* to the polynomial of the round before, from residuals f − p, so that rounding stays
 * at the level of evaluating f and p (about 2^-51·max w·max |f|) however ill-conditioned the system is.
 * The first reference comes from a weighted least-squares fit, whose error alternates often enough on any
 * domain. When the exchange stagnates, a second one starts from Lawson's reweighted least squares; the
 * best polynomial met, or interpolation at Chebyshev nodes, is what remains when that fails too.
 *
 * Remez, Sur la détermination des polynômes d'approximation de degré donnée (1934); Trefethen, ATAP,
 * chapter 10; on unions of intervals: Lee, Lee, Lee, Kim, No, eprint 2020/552.
 */
import { finite, integerIn } from "../../base/validate.ts";
import {
  type ChebyshevSeries,
  evaluateSeries,
  interpolate,
  maximumSeriesDegree,
  type RealFunction,
  toUnit,
  valueAt,
} from "./chebyshev.ts";
import { type Extremum, localExtrema, maximumError, rejectPole } from "./extrema.ts";
import { checkDomain, type Domain, hull, isSymmetric, nonNegativeHalf, sampleDomain } from "./interval.ts";
import { basisRow, lawson, sampleProblem, weightedLeastSquares } from "./least-squares.ts";
import { solveSquare } from "./linear.ts";
import { type Parity, parityIndices, parityPart } from "./parity.ts";

/** What to approximate, where and how. */
export interface RemezProblem {
  /** Finite on the whole domain; continuous for the exchange to make sense. */
  readonly f: RealFunction;
  readonly domain: Domain;
  readonly degree: number;
  /** w(x) > 0, finite on the domain; 1 if left out. Even, if a parity is asked for. */
  readonly weight?: RealFunction | undefined;
  /** Restricts the basis; needs a domain symmetric about 0 and an `f` of that parity. Default `none`. */
  readonly parity?: Parity | undefined;
  /** Rounds of exchange at most; 40 if left out. */
  readonly maximumIterations?: number | undefined;
}

/** A polynomial and how good it is. */
export interface RemezResult {
  /** On the hull of the domain; degree + 1 coefficients, exact zeros where the parity asks for them. */
  readonly series: ChebyshevSeries;
  /** The largest weighted error found by dense sampling and refinement. */
  readonly error: number;
  /** No polynomial of this degree and parity has a smaller error than this (de la Vallée Poussin). */
  readonly lowerBound: number;
  /** Rounds of exchange. */
  readonly iterations: number;
  /** Whether error and lower bound agree to 1e-6, or to the rounding of doubles. */
  readonly converged: boolean;
}

/** Agreement of error and lower bound that counts as converged. */
const tolerance = 1e-6;

/** Rounds without progress after which the exchange gives up. */
const patience = 8;

/**
 * The best polynomial of the given degree. When the exchange does not converge the best one met is
 * returned and `converged` is false. Throws a RangeError for a function that is not finite, a weight
 * that is not positive, or a parity on a domain that is not symmetric.
 */
export function remez(problem: RemezProblem): RemezResult {
  const { f, parity = "none", maximumIterations = 40 } = problem;
  const weight = problem.weight ?? (() => 1);
  const degree = integerIn("degree", problem.degree, 0, maximumSeriesDegree);
  integerIn("maximumIterations", maximumIterations, 1, 1000);
  const whole = checkDomain("domain", problem.domain);
  if (parity !== "none" && !isSymmetric(whole)) {
    throw new RangeError(`parity: expected a domain symmetric about 0 for ${parity} polynomials`);
  }
  const domain = parity === "none" ? whole : nonNegativeHalf(whole);
  rejectPole(f, domain);

  const indices = parityIndices(degree, parity);
  const interval = hull(whole);
  const grid = sampleDomain(domain, 12 * (indices.length + 2));
  let largestWeight = 0;
  let largestValue = 0;
  for (const x of grid.flatMap((points) => [...points])) {
    const w = finite(`weight at ${x}`, weight(x));
    if (!(w > 0)) throw new RangeError(`weight: expected a positive value, got ${w} at ${x}`);
    largestWeight = Math.max(largestWeight, w);
    largestValue = Math.max(largestValue, Math.abs(valueAt(f, x)));
  }
  const floor = 2 ** -51 * largestWeight * largestValue;

  const sampled = sampleProblem(f, weight, domain, interval, indices);
  const zero = { interval, coefficients: new Float64Array(degree + 1) };
  const search: Search = { f, weight, grid, indices, floor, maximumIterations };
  let outcome = exchangeFrom(search, weightedLeastSquares(sampled, zero));
  if (!outcome.converged) {
    const second = exchangeFrom(search, lawson(sampled, outcome.series, 24));
    const lowerBound = Math.max(outcome.lowerBound, second.lowerBound);
    const iterations = outcome.iterations + second.iterations;
    outcome = { ...(second.largest < outcome.largest ? second : outcome), lowerBound, iterations };
  }
  let { series } = outcome;
  if (!outcome.converged && domain.length === 1) {
    const interpolant = parityPart(interpolate(f, interval, degree), parity);
    if (maximumError(f, interpolant, { domain: whole, weight }) < outcome.largest) series = interpolant;
  }
  const error = maximumError(f, series, { domain: whole, weight });
  const lowerBound = Math.min(outcome.lowerBound, error);
  const converged = outcome.converged || error - lowerBound <= 4 * floor;
  return { series, error, lowerBound, iterations: outcome.iterations, converged };
}

interface Search {
  readonly f: RealFunction;
  readonly weight: RealFunction;
  readonly grid: readonly Float64Array[];
  readonly indices: readonly number[];
  /** Errors below this are rounding. */
  readonly floor: number;
  readonly maximumIterations: number;
}

interface Outcome {
  /** The best polynomial met, and its largest error on the samples. */
  readonly series: ChebyshevSeries;
  readonly largest: number;
  readonly lowerBound: number;
  readonly iterations: number;
  readonly converged: boolean;
}

/** Exchanges from a first polynomial on until the error is level, the alternation is lost or rounds run out. */
function exchangeFrom({ f, weight, grid, indices, floor, maximumIterations }: Search, first: ChebyshevSeries): Outcome {
  let current = first;
  let samples = grid;
  let best = current;
  let largest = Number.POSITIVE_INFINITY;
  let lowerBound = 0;
  let smallestGap = Number.POSITIVE_INFINITY;
  let stagnant = 0;
  let iterations = 0;
  let converged = false;
  for (; iterations < maximumIterations; iterations++) {
    const p = current;
    const extrema = localExtrema((x) => weight(x) * (f(x) - evaluateSeries(p, x)), samples);
    const height = extrema.reduce((most, { value }) => Math.max(most, Math.abs(value)), 0);
    if (!Number.isFinite(height)) break;
    if (height < largest) [best, largest] = [current, height];
    const reference = alternation(extrema, indices.length + 1);
    if (reference !== undefined) {
      lowerBound = reference.reduce((least, { value }) => Math.min(least, Math.abs(value)), height);
    }
    const gap = height - lowerBound;
    converged = gap <= Math.max(tolerance * height, 4 * floor);
    stagnant = gap < 0.9 * smallestGap ? 0 : stagnant + 1;
    smallestGap = Math.min(gap, smallestGap);
    if (converged || reference === undefined || stagnant >= patience) break;
    const next = exchange(f, weight, current, indices, reference);
    if (next === undefined) break;
    current = next;
    samples = withReference(grid, reference);
  }
  return { series: best, largest, lowerBound, iterations, converged };
}

/**
 * `count` extrema of alternating sign from the given ones, the largest among them; undefined when
 * there are too few. Surplus is taken from an end, or as the smallest inside, whose two neighbours
 * then have one sign and only the larger stays.
 */
function alternation(extrema: readonly Extremum[], count: number): Extremum[] | undefined {
  const chosen: Extremum[] = [];
  const push = (extremum: Extremum) => {
    const last = chosen[chosen.length - 1];
    if (last === undefined || last.value > 0 !== extremum.value > 0) chosen.push(extremum);
    else if (Math.abs(extremum.value) > Math.abs(last.value)) chosen[chosen.length - 1] = extremum;
  };
  for (const extremum of extrema) if (extremum.value !== 0) push(extremum);
  const size = (i: number) => Math.abs(chosen[i].value);
  while (chosen.length > count) {
    const last = chosen.length - 1;
    let smallest = size(0) < size(last) ? 0 : last;
    if (chosen.length > count + 1) {
      for (let i = 1; i < last; i++) if (size(i) < size(smallest)) smallest = i;
    }
    if (smallest > 0 && smallest < last) {
      chosen.splice(size(smallest - 1) < size(smallest + 1) ? smallest - 1 : smallest, 2);
    } else {
      chosen.splice(smallest, 1);
    }
  }
  return chosen.length === count ? chosen : undefined;
}

/** The correction that levels w·(f − p) on the reference to ±E: Σ d_j·T_j(x_i) + (−1)^i·E/w_i = f(x_i) − p(x_i). */
function exchange(
  f: RealFunction,
  weight: RealFunction,
  current: ChebyshevSeries,
  indices: readonly number[],
  reference: readonly Extremum[],
): ChebyshevSeries | undefined {
  const n = reference.length;
  const matrix = new Float64Array(n * n);
  const right = new Float64Array(n);
  reference.forEach(({ x }, i) => {
    const w = weight(x);
    basisRow(matrix, i * n, toUnit(current.interval, x), indices, w);
    matrix[i * n + n - 1] = i % 2 === 0 ? 1 : -1;
    right[i] = w * (f(x) - evaluateSeries(current, x));
  });
  const solution = solveSquare(matrix, right);
  if (solution === undefined) return undefined;
  const coefficients = current.coefficients.slice();
  indices.forEach((k, j) => {
    coefficients[k] += solution[j];
  });
  return { interval: current.interval, coefficients };
}

/** The fixed grid with seven points more between neighbouring reference points, where extrema may crowd. */
function withReference(grid: readonly Float64Array[], reference: readonly Extremum[]): Float64Array[] {
  return grid.map((points) => {
    const inside = reference.map(({ x }) => x).filter((x) => x >= points[0] && x <= points[points.length - 1]);
    const extra: number[] = [];
    inside.forEach((x, i) => {
      extra.push(x);
      if (i > 0) for (let j = 1; j < 8; j++) extra.push(inside[i - 1] + ((x - inside[i - 1]) * j) / 8);
    });
    return Float64Array.from(new Set([...points, ...extra])).sort();
  });
}
