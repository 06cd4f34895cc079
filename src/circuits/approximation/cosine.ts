/**
 * Chebyshev series of cos(2π(x − ¼)/2^r) on [−K, K] with coefficients correct to the last bit.
 *
 * Jacobi–Anger: cos(zt) = J_0(z) + 2Σ(−1)^k J_{2k}(z)·T_{2k}(t) and sin(zt) = 2Σ(−1)^k J_{2k+1}(z)·T_{2k+1}(t)
 * (Abramowitz and Stegun 9.1.44–45), with the Bessel functions in fixed point and one rounding at the end,
 * so that a series of enough terms is within 2^-51 of the cosine.
 */
import { integerIn } from "../../base/validate.ts";
import type { ChebyshevSeries } from "./chebyshev.ts";
import { besselFixed, cosineSine, fromFixed, multiplyFixed, piFixed } from "./fixed.ts";

/** Working precision of the coefficients. */
const bits = 160;

/**
 * Coefficients 0 … degree of the Chebyshev series of cos(2π(x − ¼)/2^r) on [−K, K], or of cos(2πu/2^r)
 * on [−K − ¼, K + ¼] when centred; each is the nearest double.
 */
export function cosineSeries(K: number, doubleAngles: number, degree: number, centred = false): ChebyshevSeries {
  integerIn("K", K, 1, 512);
  integerIn("doubleAngles", doubleAngles, 0, 8);
  integerIn("degree", degree, 0, 1023);
  const pi = piFixed(bits);
  const quarters = BigInt(centred ? 4 * K + 1 : 4 * K); // four times the half width
  const z = (pi * quarters) >> BigInt(doubleAngles + 1);
  const phase = centred ? { cosine: 1n << BigInt(bits), sine: 0n } : cosineSine(pi >> BigInt(doubleAngles + 1), bits);
  const coefficients = new Float64Array(degree + 1);
  besselFixed(z, degree + 1, bits).forEach((bessel, k) => {
    const trigonometric = k % 2 === 0 ? phase.cosine : phase.sine;
    const product = multiplyFixed(bessel, trigonometric, bits) * (k === 0 ? 1n : 2n);
    coefficients[k] = fromFixed(k % 4 < 2 ? product : -product, bits) + 0;
  });
  const edge = Number(quarters) / 4;
  return { interval: [-edge, edge], coefficients };
}

/** cos(2πu/2^r) in doubles, the angle reduced before it is rounded. */
export function cosineOf(u: number, doubleAngles: number): number {
  const turns = u / 2 ** doubleAngles;
  return Math.cos(2 * Math.PI * (turns - Math.round(turns)));
}

/** sin(2πx) in doubles, the angle reduced before it is rounded. */
export function sineOf(x: number): number {
  return Math.sin(2 * Math.PI * (x - Math.round(x)));
}
