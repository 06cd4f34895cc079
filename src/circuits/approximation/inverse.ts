/**
 * 1/x on [a, b], 0 < a < b: a minimax start polynomial and Goldschmidt or Newton steps, as a plan.
 *
 * Start: y_0 = s·p(x), where p of degree n minimises max |1 − x·p(x)|. The residual of the best p is
 * a Chebyshev polynomial, 1 − x·p(x) = T_{n+1}(u)/T_{n+1}(u_0) with u = (b + a − 2x)/(b − a) and
 * u_0 = (b + a)/(b − a), so its error is ε = 1/T_{n+1}(u_0) and no iteration is needed to find it
 * (Saad, Iterative Methods for Sparse Linear Systems, section 6.11).
 *
 * Steps: with r = x·y, y ← y·(c − r) and r ← r·(c − r). The textbook constant is c = 2; here c is
 * twice the middle of the range of r before the step. That keeps the new range of r centred rather
 * than one-sided, so ε ← ε²/(2 − ε²) instead of ε², at no cost; it is the composition
 * with T_2, and the whole plan is the minimax polynomial of degree 2^k·(n+1) − 1. s makes the last range centre on 1.
 * *Goldschmidt* carries r along: one level a step. *Newton* recomputes r = x·y: two levels a step,
 * but noise in y is corrected by the next step, where Goldschmidt keeps the noise of every r.
 * Goldschmidt's method for CKKS: Cheon, Kim, Kim, Lee, Lee, eprint 2019/417.
 *
 * Ranges: |y_i| ≤ `magnitude`, r_0 in `residual`, later r closer to its middle. An error δ in r_0 becomes a
 * relative error of about δ/(1 − ε) in the result; an error in the last y stays as it is.
 */
import { AegisError } from "../../base/errors.ts";
import { finite, integerIn } from "../../base/validate.ts";
import { type ChebyshevSeries, evaluateSeries, interpolate } from "./chebyshev.ts";
import { depthOf, multiplicationsOf } from "./cost.ts";
import { supremum } from "./extrema.ts";
import { checkPositiveInterval, type Interval } from "./interval.ts";

/** How the steps get their residual. */
export type InverseMethod = "goldschmidt" | "newton";

/** Everything that is needed to evaluate 1/x, in the order of use. */
export interface InversePlan {
  readonly kind: "inverse";
  readonly interval: Interval;
  readonly method: InverseMethod;
  /** y_0, of degree n. */
  readonly start: ChebyshevSeries;
  /** c of each step: y ← y·(c − r). */
  readonly constants: readonly number[];
  /** Largest |1 − x·y_0/s|: relative error of the start but for its scaling s. */
  readonly startError: number;
  /** max |1 − x·y| after the last step, in exact arithmetic on these coefficients. */
  readonly relativeError: number;
  /** Range of r_0 = x·y_0. */
  readonly residual: Interval;
  /** Bound of |y_i| on the interval over all steps. */
  readonly magnitude: number;
  /** Levels between x and the result. */
  readonly depth: number;
  /** Products of two ciphertexts. */
  readonly multiplications: number;
}

/** What {@link chooseInverse} may vary. */
export interface InverseChoice {
  /** Largest degree of the start; 63 if left out. */
  readonly maximumDegree?: number | undefined;
  /** Most steps; 8 if left out. */
  readonly maximumSteps?: number | undefined;
  /**
   * Starts with a larger error ε are taken only when nothing else reaches the target, because noise in r
   * grows by 1/(1 − ε); 0.75 if left out.
   */
  readonly maximumStartError?: number | undefined;
  /** `goldschmidt` if left out. */
  readonly method?: InverseMethod | undefined;
}

/** acosh((b + a)/(b − a)) = 2·atanh √(a/b): what one degree more gains, as a natural logarithm. */
function rate([a, b]: Interval): number {
  return 2 * Math.atanh(Math.sqrt(a / b));
}

/** max |1 − x·p(x)| for the best p of this degree: 1/T_{degree+1}((b + a)/(b − a)). */
export function inverseStartError(interval: Interval, degree: number): number {
  return 1 / Math.cosh((degree + 1) * rate(checkPositiveInterval("interval", interval)));
}

function costOf(degree: number, steps: number, method: InverseMethod): { depth: number; multiplications: number } {
  // Goldschmidt: x·y_0, then one level a step; the last step needs no new r.
  const levels = steps === 0 ? 0 : method === "goldschmidt" ? 1 + steps : 2 * steps;
  return { depth: depthOf(degree) + levels, multiplications: multiplicationsOf(degree) + 2 * steps };
}

/**
 * The plan with a start of the given degree and the given number of steps.
 * Throws a RangeError unless 0 < a < b.
 */
export function planInverse(
  interval: Interval,
  degree: number,
  steps: number,
  method: InverseMethod = "goldschmidt",
): InversePlan {
  const checked = checkPositiveInterval("interval", interval);
  integerIn("degree", degree, 0, 511);
  integerIn("steps", steps, 0, 30);
  const [a, b] = checked;
  const startError = inverseStartError(checked, degree);

  // r_i·s^(−2^i) lies in middle ± width, and r(2·middle − r) takes that to [middle² − width², middle²].
  const ranges = [{ middle: 1, width: startError }];
  for (let i = 0; i < steps; i++) {
    const { middle, width } = ranges[i];
    ranges.push({ middle: middle * middle - (width * width) / 2, width: (width * width) / 2 });
  }
  const scale = ranges[steps].middle ** (-1 / 2 ** steps);
  const constants = ranges.slice(0, steps).map(({ middle }, i) => 2 * middle * scale ** (2 ** i));

  const order = degree + 1;
  const start = interpolate(
    (x) => (scale * (1 - startError * chebyshev(order, (b + a - 2 * x) / (b - a)))) / x,
    checked,
    degree,
  );
  const samples = Math.min(2 ** 15, 24 * order * 2 ** steps);
  const relativeError = supremum(
    (x) => 1 - x * approximate(start, constants, x),
    checked,
    Math.max(2048, samples),
  ).value;
  return {
    kind: "inverse",
    interval: checked,
    method,
    start,
    constants,
    startError,
    relativeError,
    residual: [scale * (1 - startError), scale * (1 + startError)],
    magnitude: Math.max(...ranges.map(({ middle, width }, i) => ((middle + width) * scale ** (2 ** i)) / a)),
    ...costOf(degree, steps, method),
  };
}

/** T_order(u) for |u| ≤ 1 up to rounding. */
function chebyshev(order: number, u: number): number {
  return Math.cos(order * Math.acos(Math.max(-1, Math.min(1, u))));
}

function approximate(start: ChebyshevSeries, constants: readonly number[], x: number): number {
  let y = evaluateSeries(start, x);
  for (const constant of constants) y *= constant - x * y;
  return y;
}

/** 1/x in doubles exactly as the plan computes it on ciphertexts. */
export function evaluateInverse(plan: InversePlan, x: number): number {
  if (plan.method === "newton") return approximate(plan.start, plan.constants, x);
  let y = evaluateSeries(plan.start, x);
  let r = x * y;
  for (const constant of plan.constants) {
    const factor = constant - r;
    y *= factor;
    r *= factor;
  }
  return y;
}

/**
 * The plan with max |1 − x·y| ≤ `relativeError` of smallest depth, among these of fewest products.
 * Throws an `argument` error when nothing within the limits reaches it.
 *
 * @example
 * const plan = chooseInverse([0.05, 18], 2 ** -12);
 * evaluateInverse(plan, 3); // 0.3333…
 */
export function chooseInverse(interval: Interval, relativeError: number, choice: InverseChoice = {}): InversePlan {
  const { maximumDegree = 63, maximumSteps = 8, maximumStartError = 0.75, method = "goldschmidt" } = choice;
  const checked = checkPositiveInterval("interval", interval);
  if (!(finite("relativeError", relativeError) > 0 && relativeError < 1)) {
    throw new RangeError(`relativeError: expected a value in (0, 1), got ${relativeError}`);
  }
  integerIn("maximumDegree", maximumDegree, 1, 511);
  integerIn("maximumSteps", maximumSteps, 0, 30);
  finite("maximumStartError", maximumStartError);
  const order = Math.acosh(1 / relativeError) / rate(checked); // 2^steps·(degree + 1) must reach this
  const candidates = [];
  for (let steps = 0; steps <= maximumSteps; steps++) {
    const degree = Math.max(1, Math.ceil(order / 2 ** steps - 1e-9) - 1);
    const poor = inverseStartError(checked, degree) > maximumStartError ? 1 : 0;
    if (degree <= maximumDegree) candidates.push({ degree, steps, poor, ...costOf(degree, steps, method) });
  }
  candidates.sort(
    (p, q) => p.poor - q.poor || p.depth - q.depth || p.multiplications - q.multiplications || p.steps - q.steps,
  );
  for (const { degree, steps } of candidates) {
    const plan = planInverse(checked, degree, steps, method);
    if (plan.relativeError <= relativeError * (1 + 1e-6)) return plan;
  }
  throw new AegisError(
    "argument",
    `no plan for 1/x on [${checked}] has a relative error of ${relativeError.toExponential(2)} ` +
      `with degree ${maximumDegree} or less and at most ${maximumSteps} steps`,
    { operation: "chooseInverse", hint: "allow a larger error, degree or number of steps, or narrow the interval" },
  );
}
