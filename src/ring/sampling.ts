/**
 * Samplers of small polynomials as signed coefficients: uniform ternary, sparse ternary of fixed
 * weight, and the rounded Gaussian of standard deviation 3.2. None claims constant time.
 */
import { integerIn } from "../base/validate.ts";
import type { WordSource } from "./random.ts";

/** Standard deviation of the error distribution (HE standard, 2018). */
export const errorDeviation = 3.2;

/** Errors are cut off at this many standard deviations; the mass beyond is below 2^-64. */
const tailCut = 9.3;

/** Uniform in {-1, 0, 1}. */
export function sampleTernary(words: WordSource, into: Int32Array): void {
  for (let i = 0; i < into.length; i++) {
    let word = words.next();
    while (word === 0xffffffff) word = words.next(); // 2^32 − 1 is divisible by 3
    into[i] = (word % 3) - 1;
  }
}

/** Exactly `weight` coefficients ±1, the rest 0; positions and signs uniform. */
export function sampleSparseTernary(words: WordSource, into: Int32Array, weight: number): void {
  integerIn("weight", weight, 1, into.length);
  into.fill(0);
  let placed = 0;
  while (placed < weight) {
    const word = words.next();
    const position = (word >>> 1) % into.length; // length is a power of two: no bias
    if (into[position] !== 0) continue;
    into[position] = (word & 1) * 2 - 1;
    placed++;
  }
}

const magnitudeThresholds = gaussianThresholds();

/**
 * Rounded Gaussian, by inversion of the cumulative distribution of the magnitude at 64-bit
 * precision (the second word is drawn only when the first ties).
 */
export function sampleGaussian(words: WordSource, into: Int32Array): void {
  const { high, low } = magnitudeThresholds;
  for (let i = 0; i < into.length; i++) {
    const word = words.next();
    let magnitude = 0;
    while (word > (high[magnitude] as number)) magnitude++;
    if (word === high[magnitude]) {
      const second = words.next();
      while (word === high[magnitude] && second > (low[magnitude] as number)) magnitude++;
    }
    // The sign of 0 does not matter: both signs give 0.
    into[i] = magnitude === 0 ? 0 : (words.next() & 1) === 0 ? magnitude : -magnitude;
  }
}

/**
 * P(|X| ≤ k)·2^64 as two words for k = 0, 1, …; X is the integer with weight exp(−k²/2σ²).
 */
function gaussianThresholds(): { high: Uint32Array; low: Uint32Array } {
  const last = Math.ceil(tailCut * errorDeviation);
  const weights: number[] = [];
  let total = 0;
  for (let k = 0; k <= last; k++) {
    const weight = Math.exp((-k * k) / (2 * errorDeviation * errorDeviation)) * (k === 0 ? 1 : 2);
    weights.push(weight);
    total += weight;
  }
  const high = new Uint32Array(last + 1);
  const low = new Uint32Array(last + 1);
  // Summed from the tail, where doubles are relatively exact: P(|X| > k) is small there.
  let tail = 0;
  for (let k = last; k >= 0; k--) {
    const complement = BigInt(Math.round((tail / total) * 2 ** 53)) << 11n;
    const exact = tail / total < 2 ** -20 ? BigInt(Math.round((tail / total) * 2 ** 64)) : complement;
    const threshold = (1n << 64n) - 1n - exact;
    high[k] = Number(threshold >> 32n);
    low[k] = Number(threshold & 0xffffffffn);
    tail += weights[k] as number;
  }
  return { high, low };
}
