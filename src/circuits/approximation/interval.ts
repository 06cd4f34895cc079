/**
 * Intervals and unions of intervals: checks, hull, sample points.
 *
 * An interval is closed, [a, b] with a < b, both finite. A domain is one interval or several that
 * are sorted and do not touch, such as the neighbourhoods of the integers in bootstrapping.
 */
import { finite } from "../../base/validate.ts";

/** [a, b] with a < b. */
export type Interval = readonly [number, number];

/** One interval, or disjoint intervals from left to right. */
export type Domain = Interval | readonly Interval[];

/** Returns [a, b]. Throws a TypeError for an end that is not finite, a RangeError unless a < b. */
export function checkInterval(name: string, interval: Interval): Interval {
  if (!Array.isArray(interval) || interval.length !== 2) {
    throw new TypeError(`${name}: expected an interval [a, b]`);
  }
  const a = finite(`${name}[0]`, interval[0]);
  const b = finite(`${name}[1]`, interval[1]);
  if (!(a < b)) throw new RangeError(`${name}: expected a < b, got [${a}, ${b}]`);
  return [a, b];
}

/** Returns [a, b]. Throws as {@link checkInterval}, and a RangeError unless 0 < a. */
export function checkPositiveInterval(name: string, interval: Interval): Interval {
  const [a, b] = checkInterval(name, interval);
  if (!(a > 0)) throw new RangeError(`${name}: expected 0 < a, the function has a pole at 0; got [${a}, ${b}]`);
  return [a, b];
}

/** The domain as a list of intervals. Throws a RangeError unless they are sorted and disjoint. */
export function checkDomain(name: string, domain: Domain): readonly Interval[] {
  if (!Array.isArray(domain) || domain.length === 0) throw new TypeError(`${name}: expected one interval or several`);
  const parts: readonly (number | Interval)[] = domain;
  if (!Array.isArray(parts[0])) return [checkInterval(name, domain as unknown as Interval)];
  const intervals = (parts as readonly Interval[]).map((interval, i) => checkInterval(`${name}[${i}]`, interval));
  for (let i = 1; i < intervals.length; i++) {
    if (!(intervals[i - 1][1] < intervals[i][0])) {
      throw new RangeError(`${name}: expected disjoint intervals from left to right; ${i - 1} and ${i} are not`);
    }
  }
  return intervals;
}

/** The smallest interval that holds the whole domain. */
export function hull(intervals: readonly Interval[]): Interval {
  return [intervals[0][0], intervals[intervals.length - 1][1]];
}

/** Whether −x lies in the domain for every x that does. */
export function isSymmetric(intervals: readonly Interval[]): boolean {
  return intervals.every(([a, b], i) => {
    const mirror = intervals[intervals.length - 1 - i];
    return a === -mirror[1] && b === -mirror[0];
  });
}

/** The part of a symmetric domain where x ≥ 0. */
export function nonNegativeHalf(intervals: readonly Interval[]): readonly Interval[] {
  return intervals.filter(([, b]) => b > 0).map(([a, b]): Interval => [Math.max(0, a), b]);
}

/** `count` + 1 points of [a, b], both ends included, spaced as the extrema of T_count. */
export function chebyshevExtrema([a, b]: Interval, count: number): Float64Array {
  const points = new Float64Array(count + 1);
  for (let i = 0; i <= count; i++) {
    const s = Math.sin((Math.PI * i) / (2 * count)) ** 2; // (1 − cos)/2 without cancellation at either end
    const c = Math.sin((Math.PI * (count - i)) / (2 * count)) ** 2;
    points[i] = i * 2 < count ? a + (b - a) * s : b - (b - a) * c;
  }
  points[count] = b;
  return points;
}

/**
 * About `count` points for each interval of the domain. A union shares them out: each interval gets
 * its part of the count by √length, and at least 24.
 */
export function sampleDomain(intervals: readonly Interval[], count: number): Float64Array[] {
  const weight = intervals.map(([a, b]) => Math.sqrt(b - a));
  const total = weight.reduce((sum, w) => sum + w, 0);
  return intervals.map((interval, i) =>
    chebyshevExtrema(interval, intervals.length === 1 ? count : Math.max(24, Math.ceil((count * weight[i]) / total))),
  );
}
