/**
 * exp(x − shift) on [a, b]: a polynomial p(x) ≈ exp((x − shift)/2^s), then s squarings, as a plan.
 *
 * The tolerance of the wanted result is carried back through the squarings exactly: with f the exact
 * root and F = f^(2^s), |p − f| ≤ τ = f·((1 + t/F)^(1/2^s) − 1) implies |p^(2^s) − F| ≤ t. The polynomial is
 * the minimax one for the weight 1/τ; t is ε·F for a relative and a constant for an absolute error.
 * One squaring costs a level and a product and halves the range that the polynomial sees.
 *
 * Used this way in encrypted Transformers, with degree 15 and two squarings, by Moon, Yoo, Jiang, Kim (THOR, eprint 2024/1881).
 * Ranges: with a relative target every intermediate value is positive and at most max(1, `magnitude`).
 */
import { AegisError } from "../../base/errors.ts";
import { finite, integerIn } from "../../base/validate.ts";
import { type ChebyshevSeries, evaluateSeries } from "./chebyshev.ts";
import { supremum } from "./extrema.ts";
import { type Fit, fitDegree, fitPolynomial } from "./fit.ts";
import { checkInterval, type Interval } from "./interval.ts";

/** Whether an error is measured against exp(x − shift) or as it is. */
export type ErrorMeasure = "relative" | "absolute";

/** Everything that is needed to evaluate exp(x − shift), in the order of use. */
export interface ExpPlan {
  readonly kind: "exp";
  /** Interval of x, before the shift. */
  readonly interval: Interval;
  readonly shift: number;
  /** p(x) ≈ exp((x − shift)/2^squarings). */
  readonly polynomial: ChebyshevSeries;
  readonly squarings: number;
  readonly measure: ErrorMeasure;
  /** Largest error of the result in that measure. */
  readonly maximumError: number;
  /** exp(b − shift), the largest value of the result. */
  readonly magnitude: number;
  /** Levels between x and the result. */
  readonly depth: number;
  /** Products of two ciphertexts. */
  readonly multiplications: number;
}

/** What {@link planExp} and {@link chooseExp} may vary. */
export interface ExpChoice {
  /** Subtracted from x inside the polynomial, at no cost; 0 if left out. */
  readonly shift?: number | undefined;
  /** `relative` if left out. */
  readonly measure?: ErrorMeasure | undefined;
  /** Largest degree of the polynomial; 63 if left out. */
  readonly maximumDegree?: number | undefined;
  /** Most squarings; 8 if left out. */
  readonly maximumSquarings?: number | undefined;
}

interface Problem {
  readonly interval: Interval;
  readonly shift: number;
  readonly measure: ErrorMeasure;
}

function checkProblem(interval: Interval, { shift = 0, measure = "relative" }: ExpChoice): Problem {
  const checked = checkInterval("interval", interval);
  finite("shift", shift);
  for (const x of checked) {
    if (Math.abs(x - shift) > 300) {
      throw new RangeError(
        `interval: expected |x − shift| ≤ 300, got ${x - shift}: exp would leave the range of doubles`,
      );
    }
  }
  return { interval: checked, shift, measure };
}

/** The problem of the polynomial: error as a fraction of what the squarings tolerate. */
function rootProblem({ interval, shift, measure }: Problem, squarings: number, target: number) {
  const parts = 2 ** squarings;
  const f = (x: number): number => Math.exp((x - shift) / parts);
  const weight = (x: number): number => {
    const relative = measure === "relative" ? target : target * Math.exp(shift - x);
    return 1 / (f(x) * Math.expm1(Math.log1p(relative) / parts));
  };
  return { f, weight, domain: interval, parity: "none" as const };
}

function planWith(problem: Problem, fit: Fit, squarings: number): ExpPlan {
  const { interval, shift, measure } = problem;
  const error = (x: number): number => {
    const exact = Math.exp(x - shift);
    const difference = squared(fit.series, squarings, x) - exact;
    return measure === "relative" ? difference / exact : difference;
  };
  return {
    kind: "exp",
    interval,
    shift,
    polynomial: fit.series,
    squarings,
    measure,
    maximumError: supremum(error, interval, Math.max(2048, 32 * fit.degree)).value,
    magnitude: Math.exp(interval[1] - shift),
    depth: fit.depth + squarings,
    multiplications: fit.multiplications + squarings,
  };
}

function squared(polynomial: ChebyshevSeries, squarings: number, x: number): number {
  let y = evaluateSeries(polynomial, x);
  for (let i = 0; i < squarings; i++) y *= y;
  return y;
}

/** exp(x − shift) in doubles exactly as the plan computes it on ciphertexts. */
export function evaluateExp(plan: ExpPlan, x: number): number {
  return squared(plan.polynomial, plan.squarings, x);
}

/** The plan with a polynomial of the given degree and the given number of squarings. */
export function planExp(interval: Interval, degree: number, squarings: number, choice: ExpChoice = {}): ExpPlan {
  const problem = checkProblem(interval, choice);
  integerIn("degree", degree, 0, 511);
  integerIn("squarings", squarings, 0, 30);
  // Without a target the weight is that of errors small against the result.
  const fit = fitDegree(rootProblem(problem, squarings, 2 ** -40), degree);
  return planWith(problem, fit, squarings);
}

/**
 * The plan with an error of at most `target` of smallest depth, among these of fewest products.
 * Throws an `argument` error when nothing within the limits reaches it.
 *
 * @example
 * const plan = chooseExp([-6, 6], 2 ** -14);
 * evaluateExp(plan, 1); // 2.718…
 */
export function chooseExp(interval: Interval, target: number, choice: ExpChoice = {}): ExpPlan {
  const { maximumDegree = 63, maximumSquarings = 8 } = choice;
  const problem = checkProblem(interval, choice);
  if (!(finite("target", target) > 0 && target < 1)) {
    throw new RangeError(`target: expected a value in (0, 1), got ${target}`);
  }
  integerIn("maximumDegree", maximumDegree, 1, 511);
  integerIn("maximumSquarings", maximumSquarings, 0, 30);
  let best: ExpPlan | undefined;
  for (let squarings = 0; squarings <= maximumSquarings; squarings++) {
    const fit = tryFit(problem, squarings, target, maximumDegree);
    if (fit === undefined) continue;
    const plan = planWith(problem, fit, squarings);
    if (plan.maximumError > target * (1 + 1e-6)) continue;
    const gain = best === undefined ? 1 : best.depth - plan.depth || best.multiplications - plan.multiplications;
    if (gain > 0) best = plan;
    if (squarings >= (best?.depth ?? Number.POSITIVE_INFINITY)) break;
  }
  if (best !== undefined) return best;
  throw new AegisError(
    "argument",
    `no plan for exp on [${problem.interval}] has a ${problem.measure} error of ${target.toExponential(2)} ` +
      `with degree ${maximumDegree} or less and at most ${maximumSquarings} squarings`,
    { operation: "chooseExp", hint: "allow a larger error, degree or number of squarings, or narrow the interval" },
  );
}

function tryFit(problem: Problem, squarings: number, target: number, maximumDegree: number): Fit | undefined {
  try {
    return fitPolynomial({ ...rootProblem(problem, squarings, target), target: 1, maximumDegree });
  } catch (error) {
    if (error instanceof AegisError && error.code === "argument") return undefined;
    throw error;
  }
}
