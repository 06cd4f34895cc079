/**
 * The fitting routine: the polynomial of smallest degree, or the best within a depth, for a function,
 * a domain and an error target. Every nonlinear operator gets its coefficients here.
 *
 * Errors are max w(x)·|f(x) − p(x)| over the domain, measured (dense samples, refined) on the
 * coefficients that are returned, not predicted.
 */
import { AegisError } from "../../base/errors.ts";
import { finite, integerIn } from "../../base/validate.ts";
import { type ChebyshevSeries, type RealFunction, seriesDegree } from "./chebyshev.ts";
import { degreeForDepth, depthOf, multiplicationsOf } from "./cost.ts";
import { checkDomain, type Domain } from "./interval.ts";
import { detectParity, type Parity, parityDegree } from "./parity.ts";
import { remez } from "./remez.ts";

/** The largest degree that is tried unless the caller sets another. */
export const defaultMaximumDegree = 127;

/** A function to approximate. */
export interface FitProblem {
  /** Finite and continuous on the domain. */
  readonly f: RealFunction;
  /** An interval, or a union of intervals. */
  readonly domain: Domain;
  /** w(x) > 0; 1 (absolute error) if left out, 1/|f| gives the relative error. */
  readonly weight?: RealFunction | undefined;
  /** Parity of the polynomial; detected from `f` if left out. */
  readonly parity?: Parity | undefined;
}

/** A fitted polynomial with its error and cost. */
export interface Fit {
  readonly series: ChebyshevSeries;
  /** Largest weighted error, measured. */
  readonly maximumError: number;
  readonly degree: number;
  /** Levels: ⌈log2(degree + 1)⌉. */
  readonly depth: number;
  /** Products of two ciphertexts, see {@link multiplicationsOf}. */
  readonly multiplications: number;
  readonly parity: Parity;
  /** Whether this is the minimax polynomial (to 1e-6 of its error) or only a good one. */
  readonly converged: boolean;
}

/** A {@link FitProblem} with the error it may have. */
export interface FitTarget extends FitProblem {
  /** The weighted error to reach, > 0. */
  readonly target: number;
  /** Largest degree to try; {@link defaultMaximumDegree} if left out. */
  readonly maximumDegree?: number | undefined;
}

/** The minimax fit of one degree (lowered by one where the parity leaves no leading term). */
export function fitDegree(problem: FitProblem, degree: number): Fit {
  const parity = problem.parity ?? detectParity(problem.f, checkDomain("domain", problem.domain));
  return fitWithParity(problem, parity, degree);
}

function fitWithParity(problem: FitProblem, parity: Parity, degree: number): Fit {
  const leading = Math.max(0, parityDegree(degree, parity));
  const { series, error, converged } = remez({ ...problem, degree: leading, parity });
  const used = seriesDegree(series);
  return {
    series: used === leading ? series : { ...series, coefficients: series.coefficients.slice(0, used + 1) },
    maximumError: error,
    degree: used,
    depth: depthOf(used),
    multiplications: multiplicationsOf(used, parity),
    parity,
    converged,
  };
}

/**
 * The polynomial of smallest degree whose weighted error is at most `target`.
 * Throws an `argument` error when no degree up to `maximumDegree` reaches it.
 *
 * @example
 * const { series, degree } = fitPolynomial({ f: Math.exp, domain: [-1, 1], target: 1e-6 });
 */
export function fitPolynomial(problem: FitTarget): Fit {
  const { target, maximumDegree = defaultMaximumDegree } = problem;
  if (!(finite("target", target) > 0)) throw new RangeError(`target: expected a positive error, got ${target}`);
  integerIn("maximumDegree", maximumDegree, 0, 511);
  const parity = problem.parity ?? detectParity(problem.f, checkDomain("domain", problem.domain));
  const step = parity === "none" ? 1 : 2;
  const first = parity === "odd" ? 1 : 0;

  // The error falls with the degree: double until it is met, then bisect between the last two.
  let failed = first - step;
  let best: Fit | undefined;
  let closest = Number.POSITIVE_INFINITY;
  const largest = Math.max(first, parityDegree(maximumDegree, parity));
  for (let degree = first; ; degree = Math.min(largest, parityDegree(2 * degree + 2, parity))) {
    const fit = fitWithParity(problem, parity, degree);
    closest = Math.min(closest, fit.maximumError);
    if (fit.maximumError <= target) {
      best = fit;
      break;
    }
    failed = degree;
    if (degree === largest) break;
  }
  if (best === undefined) {
    throw new AegisError(
      "argument",
      `no polynomial of degree ${maximumDegree} or less has an error of ${target.toExponential(2)}: ` +
        `the best found has ${closest.toExponential(2)}`,
      { operation: "fitPolynomial", hint: "allow a larger error or degree, or narrow the interval" },
    );
  }
  for (let high = parityDegree(best.degree, parity); high - failed > step; ) {
    const middle = failed + step * Math.floor((high - failed) / (2 * step));
    const fit = fitWithParity(problem, parity, middle);
    if (fit.maximumError <= target) {
      best = fit;
      high = middle;
    } else {
      failed = middle;
    }
  }
  return best;
}

/** The smallest error that a polynomial within `depth` levels can have: degree 2^depth − 1, or less for a parity. */
export function bestForDepth(problem: FitProblem, depth: number): Fit {
  return fitDegree(problem, degreeForDepth(depth));
}
