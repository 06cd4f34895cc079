import { describe, expect, test } from "vitest";
import { chiSquare, chiSquareBound, moments } from "../../test/support/statistics.ts";
import { SecureWords, SeededWords, type WordSource } from "./random.ts";
import { errorDeviation, sampleGaussian, sampleSparseTernary, sampleTernary } from "./sampling.ts";

const seeded = (stream: number): WordSource => new SeededWords(new Uint8Array(32).fill(7), 200, [stream, 0]);
const sources: [string, () => WordSource, number][] = [
  ["seeded words", () => seeded(0), 5],
  ["the platform's words", () => new SecureWords(), 7],
];

describe.each(sources)("from %s", (_, source, deviations) => {
  test("the Gaussian has standard deviation 3.2 and the right shape", () => {
    const count = 2 ** 19;
    const values = new Int32Array(count);
    sampleGaussian(source(), values);
    const { mean, variance, kurtosis } = moments(values);
    expect(errorDeviation).toBe(3.2);
    expect(Math.abs(mean)).toBeLessThan((deviations * 3.2) / Math.sqrt(count));
    expect(Math.abs(variance / 10.24 - 1)).toBeLessThan(deviations * Math.sqrt(2 / count));
    expect(Math.abs(kurtosis - 3)).toBeLessThan(deviations * Math.sqrt(24 / count));

    const reach = 14; // beyond ±14 in one cell each
    const weight = (k: number): number => Math.exp((-k * k) / (2 * 3.2 * 3.2));
    let total = 0;
    for (let k = -40; k <= 40; k++) total += weight(k);
    const counts = new Float64Array(2 * reach + 3);
    const expected = new Float64Array(2 * reach + 3);
    const cell = (k: number): number => Math.max(-reach - 1, Math.min(reach + 1, k)) + reach + 1;
    for (let k = -40; k <= 40; k++) expected[cell(k)] += (count * weight(k)) / total;
    for (const x of values) counts[cell(x)]++;
    expect(chiSquare(counts, expected)).toBeLessThan(chiSquareBound(counts.length - 1, deviations));
  });

  test("ternary coefficients are uniform in {−1, 0, 1} and independent of their neighbours", () => {
    const count = 2 ** 18;
    const values = new Int32Array(count);
    sampleTernary(source(), values);
    const single = new Float64Array(3);
    const pairs = new Float64Array(9);
    for (let i = 0; i < count; i++) single[values[i] + 1]++;
    for (let i = 0; i < count; i += 2) pairs[3 * (values[i] + 1) + values[i + 1] + 1]++;
    expect(single[0] + single[1] + single[2]).toBe(count);
    expect(chiSquare(single, [count / 3, count / 3, count / 3])).toBeLessThan(chiSquareBound(2, deviations));
    expect(chiSquare(pairs, new Float64Array(9).fill(count / 18))).toBeLessThan(chiSquareBound(8, deviations));
  });

  test("sparse ternary secrets have exactly their weight, positions and signs uniform", () => {
    const n = 256;
    const weight = 32;
    const rounds = 3000;
    const words = source();
    const positions = new Float64Array(n);
    let positive = 0;
    const values = new Int32Array(n).fill(9);
    for (let round = 0; round < rounds; round++) {
      sampleSparseTernary(words, values, weight);
      let found = 0;
      for (const [i, x] of values.entries()) {
        if (x === 0) continue;
        expect(Math.abs(x)).toBe(1);
        found++;
        positions[i]++;
        if (x === 1) positive++;
      }
      expect(found).toBe(weight);
    }
    // Positions of one secret exclude each other: the variance is 1 − weight/n of a multinomial's.
    const expected = new Float64Array(n).fill((rounds * weight) / n);
    expect(chiSquare(positions, expected) / (1 - weight / n)).toBeLessThan(chiSquareBound(n - 1, deviations));
    const signs = rounds * weight;
    expect(Math.abs(positive - signs / 2)).toBeLessThan(deviations * Math.sqrt(signs) * 0.5);
  });
});

describe("at the edges", () => {
  const fixed = (...words: number[]): WordSource => {
    let at = 0;
    return { next: () => words[at++ % words.length] };
  };

  test("the smallest word gives 0, the largest the end of the tail", () => {
    const one = new Int32Array(1);
    sampleGaussian(fixed(0), one);
    expect(one[0]).toBe(0);
    sampleGaussian(fixed(2 ** 32 - 1, 2 ** 32 - 1, 0), one);
    expect(Math.abs(one[0])).toBeGreaterThan(25);
    expect(Math.abs(one[0])).toBeLessThanOrEqual(31);
  });

  test("a ternary coefficient rejects the word that would bias it", () => {
    const one = new Int32Array(1);
    sampleTernary(fixed(2 ** 32 - 1, 2 ** 32 - 1, 1), one);
    expect(one[0]).toBe(0);
  });

  test("weights outside the polynomial are refused", () => {
    const values = new Int32Array(16);
    expect(() => sampleSparseTernary(seeded(1), values, 17)).toThrow("weight: expected 1 to 16, got 17");
    expect(() => sampleSparseTernary(seeded(1), values, 0)).toThrow(RangeError);
    sampleSparseTernary(seeded(1), values, 16);
    expect(values.every((x) => Math.abs(x) === 1)).toBe(true);
  });
});
