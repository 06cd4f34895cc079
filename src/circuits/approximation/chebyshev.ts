/**
 * Series in Chebyshev polynomials on an interval: interpolation, evaluation, truncation, derivative.
 *
 * Domain: c[k] multiplies T_k(t) with t = (2x − a − b)/(b − a) in [−1, 1], no factor ½ on c[0].
 * Doubles throughout; evaluation by Clenshaw's recurrence has an absolute error of a few
 * 2^-53·(degree + 1)·Σ|c[k]| at worst, and about 2^-52·max|p| in practice.
 * Follows Trefethen, Approximation Theory and Approximation Practice (ATAP), chapters 3, 4 and 8;
 * Clenshaw, A note on the summation of Chebyshev series (1955).
 */
import { finite, integerIn } from "../../base/validate.ts";
import { checkInterval, type Interval } from "./interval.ts";

/** The largest degree that any routine here accepts. */
export const maximumSeriesDegree = 1023;

/** p(x) = Σ coefficients[k]·T_k((2x − a − b)/(b − a)) on interval [a, b]. */
export interface ChebyshevSeries {
  readonly interval: Interval;
  readonly coefficients: Float64Array;
}

/** A real function of one real variable. */
export type RealFunction = (x: number) => number;

/** A series from plain numbers. Throws a TypeError for a coefficient that is not finite. */
export function chebyshevSeries(interval: Interval, coefficients: ArrayLike<number>): ChebyshevSeries {
  if (coefficients.length === 0) throw new RangeError("coefficients: expected at least 1 element, got 0");
  const copy = Float64Array.from(coefficients);
  copy.forEach((c, k) => finite(`coefficients[${k}]`, c));
  return { interval: checkInterval("interval", interval), coefficients: copy };
}

/** Maps [a, b] to [−1, 1]; exactly odd in x on a symmetric interval. */
export function toUnit([a, b]: Interval, x: number): number {
  return (2 * x - (a + b)) / (b - a);
}

/** Maps [−1, 1] to [a, b]. */
export function fromUnit([a, b]: Interval, t: number): number {
  return 0.5 * ((b - a) * t + (a + b));
}

/** p(x) by Clenshaw's recurrence. Outside the interval it is the same polynomial, and grows fast. */
export function evaluateSeries({ interval, coefficients }: ChebyshevSeries, x: number): number {
  const t = toUnit(interval, x);
  let b1 = 0;
  let b2 = 0;
  for (let k = coefficients.length - 1; k > 0; k--) {
    const b0 = 2 * t * b1 - b2 + coefficients[k];
    b2 = b1;
    b1 = b0;
  }
  return t * b1 - b2 + coefficients[0];
}

/** Index of the last coefficient that is not zero (0 for the zero polynomial). */
export function seriesDegree({ coefficients }: ChebyshevSeries): number {
  let degree = coefficients.length - 1;
  while (degree > 0 && coefficients[degree] === 0) degree--;
  return degree;
}

/** Value of `f` at x. Throws a RangeError when it is not finite. */
export function valueAt(f: RealFunction, x: number): number {
  const y = f(x);
  if (!Number.isFinite(y)) throw new RangeError(`f: expected a finite value on the whole interval, got ${y} at ${x}`);
  return y;
}

/**
 * The polynomial of the given degree that agrees with `f` at the degree + 1 roots of
 * T_{degree+1} (Chebyshev nodes of the first kind; none is an end of the interval).
 * Throws a RangeError when `f` is not finite at a node.
 */
export function interpolate(f: RealFunction, interval: Interval, degree: number): ChebyshevSeries {
  const checked = checkInterval("interval", interval);
  const n = integerIn("degree", degree, 0, maximumSeriesDegree) + 1;
  const cosine = new Float64Array(4 * n); // cos(π j / 2n)
  for (let j = 0; j < 4 * n; j++) cosine[j] = exactCosine(j, n);
  const values = new Float64Array(n);
  for (let i = 0; i < n; i++) values[i] = valueAt(f, fromUnit(checked, cosine[2 * i + 1]));
  const coefficients = new Float64Array(n);
  for (let k = 0; k < n; k++) {
    let sum = 0;
    for (let i = 0; i < n; i++) sum += values[i] * cosine[(k * (2 * i + 1)) % (4 * n)];
    coefficients[k] = (sum * (k === 0 ? 1 : 2)) / n;
  }
  return { interval: checked, coefficients };
}

/** cos(π j / 2n) for 0 ≤ j < 4n with the symmetries of the cosine kept to the last bit. */
function exactCosine(j: number, n: number): number {
  const folded = j > 2 * n ? 4 * n - j : j;
  if (folded === n) return 0;
  return folded < n ? Math.cos((Math.PI * folded) / (2 * n)) : -Math.cos((Math.PI * (2 * n - folded)) / (2 * n));
}

/** The series without its terms above `degree`. On [−1, 1] this adds at most Σ_{k>degree} |c[k]| to the error. */
export function truncate(series: ChebyshevSeries, degree: number): ChebyshevSeries {
  integerIn("degree", degree, 0, maximumSeriesDegree);
  return { interval: series.interval, coefficients: series.coefficients.slice(0, degree + 1) };
}

/** The shortest truncation that changes the value by at most `tolerance` anywhere on the interval. */
export function trim(series: ChebyshevSeries, tolerance: number): ChebyshevSeries {
  finite("tolerance", tolerance);
  let degree = series.coefficients.length - 1;
  let dropped = 0;
  while (degree > 0 && dropped + Math.abs(series.coefficients[degree]) <= tolerance) {
    dropped += Math.abs(series.coefficients[degree--]);
  }
  return truncate(series, degree);
}

/** dp/dx on the same interval, of degree one less (ATAP, exercise 3.6: d[k−1] = d[k+1] + 2k·c[k]). */
export function differentiate({ interval, coefficients }: ChebyshevSeries): ChebyshevSeries {
  const n = coefficients.length - 1;
  if (n === 0) return { interval, coefficients: new Float64Array(1) };
  const derivative = new Float64Array(n + 2);
  for (let k = n; k >= 1; k--) derivative[k - 1] = derivative[k + 1] + 2 * k * coefficients[k];
  derivative[0] /= 2;
  const scale = 2 / (interval[1] - interval[0]);
  return { interval, coefficients: derivative.slice(0, n).map((d) => d * scale) };
}

/** The sum of two series on one interval. Throws a RangeError when the intervals differ. */
export function addSeries(left: ChebyshevSeries, right: ChebyshevSeries): ChebyshevSeries {
  if (left.interval[0] !== right.interval[0] || left.interval[1] !== right.interval[1]) {
    throw new RangeError(`interval: expected [${left.interval}], got [${right.interval}]`);
  }
  const coefficients = new Float64Array(Math.max(left.coefficients.length, right.coefficients.length));
  left.coefficients.forEach((c, k) => {
    coefficients[k] += c;
  });
  right.coefficients.forEach((c, k) => {
    coefficients[k] += c;
  });
  return { interval: left.interval, coefficients };
}

/** The series times a constant. */
export function scaleSeries({ interval, coefficients }: ChebyshevSeries, factor: number): ChebyshevSeries {
  finite("factor", factor);
  return { interval, coefficients: coefficients.map((c) => c * factor) };
}
