/**
 * Even and odd functions on symmetric intervals. Their Chebyshev series have every other
 * coefficient zero; keeping these zeros exact saves the products that would use them.
 */
import type { ChebyshevSeries, RealFunction } from "./chebyshev.ts";
import { type Interval, isSymmetric } from "./interval.ts";

/** `even`: p(−x) = p(x), `odd`: p(−x) = −p(x), `none`: neither is promised. */
export type Parity = "even" | "odd" | "none";

/**
 * Parity of `f` on the domain, judged at `samples` points by |f(x) ∓ f(−x)| ≤ 2^-50·max|f|.
 * `none` when the domain is not symmetric about 0. The zero function counts as even.
 */
export function detectParity(f: RealFunction, intervals: readonly Interval[], samples = 64): Parity {
  if (!isSymmetric(intervals)) return "none";
  let even = true;
  let odd = true;
  let largest = 0;
  const points: [number, number][] = [];
  for (const [a, b] of intervals) {
    if (b <= 0) continue;
    const start = Math.max(0, a);
    for (let i = 1; i <= samples; i++) {
      const x = start + ((b - start) * i) / (samples + 0.618); // 0.618: no multiples of a likely period
      points.push([f(x), f(-x)]);
      largest = Math.max(largest, Math.abs(f(x)), Math.abs(f(-x)));
    }
  }
  for (const [right, left] of points) {
    even &&= Math.abs(right - left) <= 2 ** -50 * largest;
    odd &&= Math.abs(right + left) <= 2 ** -50 * largest;
  }
  return even ? "even" : odd ? "odd" : "none";
}

/** Parity that the coefficients have exactly; `none` off symmetric intervals. Zero counts as even. */
export function seriesParity({ interval, coefficients }: ChebyshevSeries): Parity {
  if (interval[0] !== -interval[1]) return "none";
  if (coefficients.every((c, k) => k % 2 === 0 || c === 0)) return "even";
  return coefficients.every((c, k) => k % 2 === 1 || c === 0) ? "odd" : "none";
}

/** The even or odd part of a series on a symmetric interval, with exact zeros. `none` returns it as it is. */
export function parityPart(series: ChebyshevSeries, parity: Parity): ChebyshevSeries {
  if (parity === "none") return series;
  if (series.interval[0] !== -series.interval[1]) {
    throw new RangeError(`parity: expected an interval symmetric about 0, got [${series.interval}]`);
  }
  const keep = parity === "even" ? 0 : 1;
  return { interval: series.interval, coefficients: series.coefficients.map((c, k) => (k % 2 === keep ? c : 0)) };
}

/** The Chebyshev indices up to `degree` that a polynomial of this parity may use. */
export function parityIndices(degree: number, parity: Parity): number[] {
  const indices: number[] = [];
  for (let k = parity === "odd" ? 1 : 0; k <= degree; k += parity === "none" ? 1 : 2) indices.push(k);
  return indices;
}

/** The largest degree ≤ `degree` at which a polynomial of this parity has its leading term. */
export function parityDegree(degree: number, parity: Parity): number {
  if (parity === "none") return degree;
  return degree - ((degree - (parity === "even" ? 0 : 1)) & 1);
}
