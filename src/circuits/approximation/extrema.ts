/**
 * Extrema of an error function on a sampled domain, refined between the samples, and what is
 * built on them: the maximum error of a series.
 *
 * The figures are suprema over a dense sample with local refinement, not proofs: an extremum
 * narrower than the sample spacing is missed. Refinement follows Brent, Algorithms for
 * Minimization without Derivatives (1973), chapter 5.
 */
import { finite, integerIn } from "../../base/validate.ts";
import { type ChebyshevSeries, evaluateSeries, type RealFunction, valueAt } from "./chebyshev.ts";
import { checkDomain, type Domain, sampleDomain } from "./interval.ts";

/** A local extremum: where, and the signed value there. */
export interface Extremum {
  readonly x: number;
  readonly value: number;
}

/**
 * The larger of g at `middle` and at points that golden-section and parabolic steps find in
 * [left, right]. g needs a finite value inside; `steps` bounds its evaluations.
 */
export function refineMaximum(g: RealFunction, left: number, middle: number, right: number, steps = 16): Extremum {
  let low = left;
  let high = right;
  let best = middle;
  let bestValue = g(middle);
  let second = best;
  let secondValue = bestValue;
  let third = best;
  let thirdValue = bestValue;
  for (let i = 0; i < steps && high - low > 2 ** -48 * (Math.abs(low) + Math.abs(high)); i++) {
    const r = (best - second) * (bestValue - thirdValue);
    const q = (best - third) * (bestValue - secondValue);
    const step = (0.5 * ((best - third) * q - (best - second) * r)) / (r - q);
    let next = best + step;
    if (!(next > low && next < high) || Math.abs(step) > 0.5 * (high - low)) {
      next = best + 0.381966 * (best > 0.5 * (low + high) ? low - best : high - best);
    }
    if (next === best) break;
    const value = g(next);
    if (value > bestValue) {
      if (next > best) low = best;
      else high = best;
      [third, thirdValue, second, secondValue, best, bestValue] = [second, secondValue, best, bestValue, next, value];
    } else {
      if (next > best) high = next;
      else low = next;
      if (value > secondValue || second === best) {
        [third, thirdValue, second, secondValue] = [second, secondValue, next, value];
      } else {
        [third, thirdValue] = [next, value];
      }
    }
  }
  return { x: best, value: bestValue };
}

/** Local maxima of |error| over each run of ascending samples, ends included, refined, from left to right. */
export function localExtrema(error: RealFunction, samples: readonly Float64Array[]): Extremum[] {
  const found: Extremum[] = [];
  for (const points of samples) {
    const values = points.map(error);
    const last = points.length - 1;
    for (let i = 0; i <= last; i++) {
      const sign = values[i] < 0 ? -1 : 1;
      const here = values[i] * sign;
      if ((i > 0 && values[i - 1] * sign >= here) || (i < last && values[i + 1] * sign > here)) continue;
      const left = points[Math.max(0, i - 1)];
      const right = points[Math.min(last, i + 1)];
      const refined = refineMaximum((x) => error(x) * sign, left, points[i], right);
      found.push({ x: refined.x, value: refined.value * sign });
    }
  }
  return found;
}

/** The largest |error| on the domain: dense samples, then refinement of each local maximum. */
export function supremum(error: RealFunction, domain: Domain, samples = 2048): Extremum {
  const grid = sampleDomain(checkDomain("domain", domain), integerIn("samples", samples, 8, 2 ** 24));
  let worst: Extremum = { x: grid[0][0], value: 0 };
  for (const extremum of localExtrema(error, grid)) {
    finite(`error at ${extremum.x}`, extremum.value);
    if (Math.abs(extremum.value) > Math.abs(worst.value)) worst = extremum;
  }
  return { x: worst.x, value: Math.abs(worst.value) };
}

/** How an error is measured. */
export interface ErrorOptions {
  /** Where; the interval of the series if left out. */
  readonly domain?: Domain | undefined;
  /** w(x) > 0 in w(x)·|f(x) − p(x)|: 1 gives the absolute, 1/|f| the relative error. */
  readonly weight?: RealFunction | undefined;
  /** Samples over the domain before refinement; 2048, or 24 for each degree if that is more. */
  readonly samples?: number | undefined;
}

/** max w(x)·|f(x) − p(x)|. Throws a RangeError when f is not finite at a sample. */
export function maximumError(f: RealFunction, series: ChebyshevSeries, options: ErrorOptions = {}): number {
  const { domain = series.interval, weight, samples = Math.max(2048, 24 * series.coefficients.length) } = options;
  const error =
    weight === undefined
      ? (x: number) => valueAt(f, x) - evaluateSeries(series, x)
      : (x: number) => weight(x) * (valueAt(f, x) - evaluateSeries(series, x));
  return supremum(error, domain, samples).value;
}

/**
 * Throws a RangeError when |f| seems to grow without bound inside the domain: the largest of the
 * samples grows more than a thousandfold when the neighbourhood is searched.
 */
export function rejectPole(f: RealFunction, domain: Domain): void {
  for (const points of sampleDomain(checkDomain("domain", domain), 256)) {
    const values = points.map((x) => Math.abs(valueAt(f, x)));
    let worst = 0;
    values.forEach((value, i) => {
      if (value > values[worst]) worst = i;
    });
    const left = points[Math.max(0, worst - 1)];
    const right = points[Math.min(points.length - 1, worst + 1)];
    const peak = refineMaximum((x) => Math.abs(valueAt(f, x)), left, points[worst], right, 60);
    if (peak.value > 1000 * values[worst]) {
      throw new RangeError(`f: expected a bounded function on the interval, it seems to have a pole near ${peak.x}`);
    }
  }
}
