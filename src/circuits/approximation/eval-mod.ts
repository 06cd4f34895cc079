/**
 * The cosine of bootstrapping (EvalMod): a polynomial for cos(2π(x − ¼)/2^r) on [−K, K], then r double angles
 * c ← 2c² − 1, which end in cos(2π(x − ¼)) = sin(2πx); that is 2π(x − k) to third order near an integer k.
 *
 * Two polynomials are offered. `interval`: the Chebyshev series of `cosine.ts`, cut off at the degree.
 * `integers`: the minimax polynomial for |x − k| ≤ spread only, weighted by how much the double angles amplify
 * there; it needs a smaller degree for the same error. (When rounding makes it the worse of the two, the series is taken.)
 *
 * With `centred` the variable is u = x − ¼ on [−K − ¼, K + ¼] and the polynomial is even: fewer products for
 * a degree, but near-integers come twice as dense in |u|, so that `integers` gains little. With an output scale σ the coefficients carry σ^(1/2^r), and a double angle is c ← 2c² − s_i:
 * the result is σ·sin(2πx) with no product for the constant, such as 1/2π.
 *
 * Han and Ki, eprint 2019/688 (cosine, double angles, nodes near the integers); Lee, Lee, Lee, Kim, No, eprint 2020/552
 * (minimax on the union of neighbourhoods).
 */
import { AegisError } from "../../base/errors.ts";
import { finite, integerIn } from "../../base/validate.ts";
import { type ChebyshevSeries, evaluateSeries, scaleSeries, seriesDegree } from "./chebyshev.ts";
import { cosineOf, cosineSeries, sineOf } from "./cosine.ts";
import { depthOf, multiplicationsOf } from "./cost.ts";
import { supremum } from "./extrema.ts";
import type { Interval } from "./interval.ts";
import { seriesParity } from "./parity.ts";
import { remez } from "./remez.ts";

/** Where the polynomial has to be good. */
export type CosineDomain = "interval" | "integers";

/** The cosine that is wanted. */
export interface EvalModChoice {
  /** x lies in [−K, K]: an integer from 1 to 512. */
  readonly K: number;
  /** r, from 0 to 8. */
  readonly doubleAngles: number;
  /** `integers` if left out. */
  readonly domain?: CosineDomain | undefined;
  /** Largest distance of x from an integer, 2^-8 if left out, at most 0.2. */
  readonly spread?: number | undefined;
  /** Whether the polynomial takes x − ¼ and is even; false if left out. */
  readonly centred?: boolean | undefined;
  /** σ > 0: what the sine is multiplied by; 1 if left out. */
  readonly outputScale?: number | undefined;
}

/** Everything that is needed to evaluate σ·sin(2πx), in the order of use. */
export interface EvalModPlan {
  readonly kind: "eval-mod";
  readonly K: number;
  /** What is subtracted from x first: 0, or ¼ when centred. */
  readonly offset: number;
  /** In x − offset. */
  readonly series: ChebyshevSeries;
  readonly doubleAngles: number;
  /** s of each double angle, c ← 2c² − s; all 1 when the output scale is 1. */
  readonly constants: readonly number[];
  readonly outputScale: number;
  readonly spread: number;
  /** Largest error against sin(2πx), in units of the output scale, for |x − k| ≤ spread, |x| ≤ K. */
  readonly errorNearIntegers: number;
  /** The same for all |x| ≤ K; of no meaning but as a warning for the domain `integers`. */
  readonly errorEverywhere: number;
  /** Largest value of the polynomial for |x| ≤ K, in units of its scale. */
  readonly magnitude: number;
  readonly degree: number;
  readonly depth: number;
  /** Products of two ciphertexts. */
  readonly multiplications: number;
}

interface Settings {
  readonly K: number;
  readonly doubleAngles: number;
  readonly domain: CosineDomain;
  readonly spread: number;
  readonly centred: boolean;
  readonly outputScale: number;
}

function settle(choice: EvalModChoice): Settings {
  const { domain = "integers", spread = 2 ** -8, centred = false, outputScale = 1 } = choice;
  const K = integerIn("K", choice.K, 1, 512);
  const doubleAngles = integerIn("doubleAngles", choice.doubleAngles, 0, 8);
  if (!(finite("spread", spread) > 0 && spread <= 0.25)) {
    throw new RangeError(`spread: expected a value in (0, 1/4], got ${spread}`);
  }
  if (!(finite("outputScale", outputScale) > 0)) {
    throw new RangeError(`outputScale: expected a positive value, got ${outputScale}`);
  }
  return { K, doubleAngles, domain, spread, centred, outputScale };
}

/** |x − k| ≤ spread for all integers |k| ≤ K, cut to [−K, K]. */
function nearIntegers({ K, spread }: Settings): Interval[] {
  const intervals: Interval[] = [];
  for (let k = -K; k <= K; k++) intervals.push([Math.max(-K, k - spread), Math.min(K, k + spread)]);
  return intervals;
}

/** Where the centred, even polynomial is used: u = x − ¼ for x near an integer, and the mirror image. */
function nearQuarters({ K, spread }: Settings): Interval[] {
  const edge = K + 0.25;
  const intervals: Interval[] = [];
  for (let u = -edge; u <= edge; u += 0.5) intervals.push([Math.max(-edge, u - spread), Math.min(edge, u + spread)]);
  return intervals;
}

/** The minimax polynomial near the integers; the weight is |dT_{2^r}(c)/dc| = 2^r·|sin(2πu)/sin(2πu/2^r)|. */
function minimaxSeries(settings: Settings, degree: number): ChebyshevSeries {
  const { doubleAngles, centred } = settings;
  const offset = centred ? 0 : 0.25;
  const factor = 2 ** doubleAngles;
  const { series } = remez({
    f: (x) => cosineOf(x - offset, doubleAngles),
    weight: (x) => Math.abs((factor * sineOf(x - offset)) / Math.sin((2 * Math.PI * (x - offset)) / factor)),
    domain: centred ? nearQuarters(settings) : nearIntegers(settings),
    degree,
    parity: centred ? "even" : "none",
  });
  return series;
}

function doubled(c: number, constants: readonly number[]): number {
  let value = c;
  for (const constant of constants) value = 2 * value * value - constant;
  return value;
}

function planWith(settings: Settings, unscaled: ChebyshevSeries): EvalModPlan {
  const { K, doubleAngles, outputScale, spread, centred } = settings;
  const root = outputScale ** (1 / 2 ** doubleAngles);
  const constants = Array.from({ length: doubleAngles }, (_, i) => root ** (2 ** (i + 1)));
  const series = root === 1 ? unscaled : scaleSeries(unscaled, root);
  const offset = centred ? 0.25 : 0;
  const error = (x: number): number => doubled(evaluateSeries(series, x - offset), constants) / outputScale - sineOf(x);
  const degree = seriesDegree(series);
  const samples = 64 * K * 2 ** Math.min(doubleAngles, 3);
  return {
    kind: "eval-mod",
    K,
    offset,
    series,
    doubleAngles,
    constants,
    outputScale,
    spread,
    errorNearIntegers: supremum(error, nearIntegers(settings), 24 * (2 * K + 1)).value,
    errorEverywhere: supremum(error, [-K, K], samples).value,
    magnitude: supremum((x) => evaluateSeries(series, x - offset) / root, [-K, K], samples).value,
    degree,
    depth: depthOf(degree) + doubleAngles,
    multiplications: multiplicationsOf(degree, seriesParity(series)) + doubleAngles,
  };
}

/**
 * The plan with a polynomial of the given degree.
 * Errors are measured in doubles: their floor is about 2^(2r − 51).
 *
 * @example
 * const plan = evalModPlan({ K: 16, doubleAngles: 3, degree: 31 });
 * evaluateEvalMod(plan, 5 + 2 ** -10); // sin(2π·2^-10)
 */
export function evalModPlan(choice: EvalModChoice & { readonly degree: number }): EvalModPlan {
  return planSettled(settle(choice), integerIn("degree", choice.degree, 0, 255));
}

function planSettled(settings: Settings, degree: number): EvalModPlan {
  const { K, doubleAngles, centred, domain } = settings;
  const even = centred ? degree - (degree % 2) : degree;
  const plan = planWith(settings, cosineSeries(K, doubleAngles, even, centred));
  if (domain === "interval") return plan;
  const minimax = planWith(settings, minimaxSeries(settings, even));
  return minimax.errorNearIntegers < plan.errorNearIntegers ? minimax : plan;
}

/** σ·sin(2πx) in doubles exactly as the plan computes it on ciphertexts. */
export function evaluateEvalMod(plan: EvalModPlan, x: number): number {
  return doubled(evaluateSeries(plan.series, x - plan.offset), plan.constants);
}

/** The error that the plan's domain asks for. */
function errorOf(plan: EvalModPlan, domain: CosineDomain): number {
  return domain === "integers" ? plan.errorNearIntegers : plan.errorEverywhere;
}

/**
 * The plan of smallest degree whose error (near the integers, or everywhere for the domain `interval`) is at
 * most 2^logError. Throws an `argument` error when no degree up to `maximumDegree` (63) reaches it.
 */
export function chooseEvalMod(
  choice: EvalModChoice & { readonly logError: number; readonly maximumDegree?: number | undefined },
): EvalModPlan {
  const settings = settle(choice);
  const target = 2 ** finite("logError", choice.logError);
  const maximumDegree = integerIn("maximumDegree", choice.maximumDegree ?? 63, 1, 255);
  const step = settings.centred ? 2 : 1;
  let low = 0; // never enough: a constant is off by 1
  let high = maximumDegree - (maximumDegree % step);
  let best = planSettled(settings, high);
  if (errorOf(best, settings.domain) > target) {
    const reached = Math.log2(errorOf(best, settings.domain)).toFixed(1);
    throw new AegisError(
      "argument",
      `no cosine of degree ${maximumDegree} or less has an error of 2^${choice.logError}`,
      {
        operation: "chooseEvalMod",
        hint: `degree ${high} reaches 2^${reached}; allow a larger error or degree, or more double angles`,
      },
    );
  }
  while (high - low > step) {
    const middle = low + step * Math.floor((high - low) / (2 * step));
    const plan = planSettled(settings, middle);
    if (errorOf(plan, settings.domain) <= target) {
      best = plan;
      high = middle;
    } else {
      low = middle;
    }
  }
  return best;
}
