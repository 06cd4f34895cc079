/**
 * 1/√x on [a, b], 0 < a < b: a minimax start polynomial and Newton steps, as a plan.
 *
 * Start: y_0 of degree n with the smallest relative error max |1 − √x·y_0/s|, by Remez.
 * Step: y ← c·y − (x·y)·y². In terms of z = √x·y that is z ← z·(c − z²). The textbook step has c = 3
 * and a halving. Here no halving is needed, because y is carried times a factor s (1/√2 is its fixed
 * point, and the last one is 1), and c = 3m² + w² for the range m ± w of z, which takes both ends of the
 * range to one value. That centres the new range: ε ← about ¾·ε² instead of 3/2·ε², at no cost.
 *
 * Depth: y² and x·y are parallel and c·y is a product with a constant: two levels and three products of
 * ciphertexts a step. A step squares errors of y, noise included; what remains is the noise of the last one.
 * Newton's method is classical; iterated roots and inverses on CKKS: Cheon, Kim, Kim, Lee, Lee, eprint 2019/417.
 */
import { AegisError } from "../../base/errors.ts";
import { finite, integerIn } from "../../base/validate.ts";
import { type ChebyshevSeries, evaluateSeries, scaleSeries } from "./chebyshev.ts";
import { depthOf, multiplicationsOf } from "./cost.ts";
import { supremum } from "./extrema.ts";
import { type Fit, fitDegree } from "./fit.ts";
import { checkPositiveInterval, type Interval } from "./interval.ts";

/** Everything that is needed to evaluate 1/√x, in the order of use. */
export interface InverseSqrtPlan {
  readonly kind: "inverse-sqrt";
  readonly interval: Interval;
  /** y_0, of degree n. */
  readonly start: ChebyshevSeries;
  /** c of each step: y ← c·y − (x·y)·y². */
  readonly constants: readonly number[];
  /** Largest |1 − √x·y_0/s|: relative error of the start but for its scaling s. */
  readonly startError: number;
  /** max |1 − √x·y| after the last step, in exact arithmetic on these coefficients. */
  readonly relativeError: number;
  /** Bound of |y_i| on the interval over all steps. */
  readonly magnitude: number;
  /** Levels between x and the result. */
  readonly depth: number;
  /** Products of two ciphertexts. */
  readonly multiplications: number;
}

/** What {@link chooseInverseSqrt} may vary. */
export interface InverseSqrtChoice {
  /** Largest degree of the start; 63 if left out. */
  readonly maximumDegree?: number | undefined;
  /** Most steps; 6 if left out, and at most. */
  readonly maximumSteps?: number | undefined;
}

/** Steps beyond this would overflow the unscaled ranges. */
const stepLimit = 6;

/** The range middle ± width of z before a step, for an unscaled start, and c for it. */
interface Range {
  readonly middle: number;
  readonly width: number;
  readonly constant: number;
}

/** The ranges of z from 1 ± startError on, one more than there are steps. */
function rangesOf(startError: number, steps: number): Range[] {
  const ranges: Range[] = [];
  let middle = 1;
  let width = startError;
  for (let i = 0; ; i++) {
    ranges.push({ middle, width, constant: 3 * middle * middle + width * width });
    if (i === steps) return ranges;
    // With c = 3q² the maximum is 2q³ at z = q, and 2q³ − z(c − z²) = (q − z)²·(2q + z).
    const q = Math.sqrt(middle * middle + (width * width) / 3);
    const fromTop = width - (width * width) / (3 * (q + middle)); // middle + width − q
    const drop = fromTop * fromTop * (2 * q + middle + width);
    middle = 2 * q ** 3 - drop / 2;
    width = drop / 2;
  }
}

function startOf(interval: Interval, degree: number): Fit {
  return fitDegree({ f: (x) => 1 / Math.sqrt(x), domain: interval, weight: Math.sqrt, parity: "none" }, degree);
}

function costOf(degree: number, steps: number): { depth: number; multiplications: number } {
  return { depth: depthOf(degree) + 2 * steps, multiplications: multiplicationsOf(degree) + 3 * steps };
}

function planWith(interval: Interval, fit: Fit, steps: number): InverseSqrtPlan {
  if (fit.maximumError >= 1) {
    throw new AegisError(
      "argument",
      `a start of degree ${fit.degree} for 1/√x on [${interval}] is too poor to improve`,
      {
        operation: "planInverseSqrt",
        hint: "raise the degree of the start",
      },
    );
  }
  const ranges = rangesOf(fit.maximumError, steps);
  const scale = ranges[steps].middle ** (-1 / 3 ** steps);
  const factors = ranges.map((_, i) => scale ** (3 ** i));
  const start = scaleSeries(fit.series, scale);
  const constants = ranges.slice(0, steps).map(({ constant }, i) => constant * factors[i] ** 2);
  const samples = Math.min(2 ** 15, Math.max(2048, 24 * (fit.degree + 1) * 2 ** steps));
  return {
    kind: "inverse-sqrt",
    interval,
    start,
    constants,
    startError: fit.maximumError,
    relativeError: supremum((x) => 1 - Math.sqrt(x) * approximate(start, constants, x), interval, samples).value,
    magnitude:
      Math.max(...ranges.map(({ middle, width }, i) => (middle + width) * factors[i])) / Math.sqrt(interval[0]),
    ...costOf(fit.degree, steps),
  };
}

function approximate(start: ChebyshevSeries, constants: readonly number[], x: number): number {
  let y = evaluateSeries(start, x);
  for (const constant of constants) y = constant * y - x * y * (y * y);
  return y;
}

/**
 * The plan with a start of the given degree and the given number of steps.
 * Throws a RangeError unless 0 < a < b.
 */
export function planInverseSqrt(interval: Interval, degree: number, steps: number): InverseSqrtPlan {
  const checked = checkPositiveInterval("interval", interval);
  integerIn("degree", degree, 0, 511);
  integerIn("steps", steps, 0, stepLimit);
  return planWith(checked, startOf(checked, degree), steps);
}

/** 1/√x in doubles exactly as the plan computes it on ciphertexts. */
export function evaluateInverseSqrt(plan: InverseSqrtPlan, x: number): number {
  return approximate(plan.start, plan.constants, x);
}

/**
 * The plan with max |1 − √x·y| ≤ `relativeError` of smallest depth, among these of fewest products.
 * Throws an `argument` error when nothing within the limits reaches it.
 *
 * @example
 * const plan = chooseInverseSqrt([0.65, 4.5], 2 ** -14);
 * evaluateInverseSqrt(plan, 4); // 0.5
 */
export function chooseInverseSqrt(
  interval: Interval,
  relativeError: number,
  choice: InverseSqrtChoice = {},
): InverseSqrtPlan {
  const { maximumDegree = 63, maximumSteps = stepLimit } = choice;
  const checked = checkPositiveInterval("interval", interval);
  if (!(finite("relativeError", relativeError) > 0 && relativeError < 1)) {
    throw new RangeError(`relativeError: expected a value in (0, 1), got ${relativeError}`);
  }
  integerIn("maximumDegree", maximumDegree, 1, 511);
  integerIn("maximumSteps", maximumSteps, 0, stepLimit);

  const starts = new Map<number, Fit>();
  const startFor = (degree: number): Fit => {
    const fit = starts.get(degree) ?? startOf(checked, degree);
    starts.set(degree, fit);
    return fit;
  };
  const reaches = (degree: number, steps: number): boolean => {
    const { middle, width } = rangesOf(startFor(degree).maximumError, steps)[steps];
    return width <= relativeError * middle;
  };
  const candidates = [];
  let upper = maximumDegree; // fewer degrees are needed with every further step
  for (let steps = 0; steps <= maximumSteps && upper > 1; steps++) {
    let high = Math.min(upper, 2);
    while (high < upper && !reaches(high, steps)) high = Math.min(upper, 2 * high);
    if (!reaches(high, steps)) continue;
    let low = 0;
    while (high - low > 1) {
      const middle = (low + high) >> 1;
      if (reaches(middle, steps)) high = middle;
      else low = middle;
    }
    candidates.push({ degree: high, steps, ...costOf(high, steps) });
    upper = high;
  }
  candidates.sort((p, q) => p.depth - q.depth || p.multiplications - q.multiplications || p.steps - q.steps);
  for (const { degree, steps } of candidates) {
    const plan = planWith(checked, startFor(degree), steps);
    if (plan.relativeError <= relativeError * (1 + 1e-6)) return plan;
  }
  throw new AegisError(
    "argument",
    `no plan for 1/√x on [${checked}] has a relative error of ${relativeError.toExponential(2)} ` +
      `with degree ${maximumDegree} or less and at most ${maximumSteps} steps`,
    { operation: "chooseInverseSqrt", hint: "allow a larger error, degree or number of steps, or narrow the interval" },
  );
}
