import { describe, expect, it } from "vitest";
import { evaluateSeries, type RealFunction } from "./chebyshev.ts";
import { localExtrema, maximumError } from "./extrema.ts";
import { chebyshevExtrema, type Interval } from "./interval.ts";
import { inverseStartError } from "./inverse.ts";
import { remez } from "./remez.ts";

/** Extrema of the weighted error that reach the maximum, with alternating sign. */
function alternations(f: RealFunction, weight: RealFunction, degree: number, interval: Interval): number {
  const { series, error } = remez({ f, weight, domain: interval, degree });
  const samples = chebyshevExtrema(interval, 4000);
  let count = 0;
  let last = 0;
  for (const { value } of localExtrema((x) => weight(x) * (f(x) - evaluateSeries(series, x)), [samples])) {
    if (Math.abs(value) < error * (1 - 1e-4) || Math.sign(value) === last) continue;
    last = Math.sign(value);
    count++;
  }
  return count;
}

describe("Remez", () => {
  it.each([
    ["exp", Math.exp, () => 1, [-1, 1]],
    ["exp, relative", Math.exp, (x: number) => Math.exp(-x), [-6, 6]],
    ["1/x, relative", (x: number) => 1 / x, (x: number) => x, [0.05, 18]],
    ["√x", Math.sqrt, () => 1, [0, 1]],
  ] as const)("%s: the error equioscillates degree + 2 times", (_, f, weight, interval) => {
    for (const degree of [0, 1, 4, 9]) {
      expect(alternations(f, weight, degree, interval)).toBeGreaterThanOrEqual(degree + 2);
    }
  });

  it("finds the known minimax errors", () => {
    // 1/x in relative error: Chebyshev's closed form.
    for (const degree of [0, 3, 15, 63, 127]) {
      const { error, lowerBound, converged } = remez({ f: (x) => 1 / x, weight: (x) => x, domain: [0.05, 18], degree });
      expect(converged).toBe(true);
      expect(error / inverseStartError([0.05, 18], degree)).toBeCloseTo(1, 5);
      expect(lowerBound).toBeLessThanOrEqual(error);
    }
    // |x|: 1/8 for degree 2; x^5 by degree 4: 2^-4.
    expect(remez({ f: Math.abs, domain: [-1, 1], degree: 2, parity: "even" }).error).toBeCloseTo(1 / 8, 6);
    expect(remez({ f: (x) => x ** 5, domain: [-1, 1], degree: 4 }).error).toBeCloseTo(2 ** -4, 6);
  });

  it("takes unions of intervals", () => {
    // The sign on [−1, −½] ∪ [½, 1] by c·x: levels at 1 − c/2 = c − 1.
    const line = remez({
      f: Math.sign,
      domain: [
        [-1, -0.5],
        [0.5, 1],
      ],
      degree: 1,
      parity: "odd",
    });
    expect(line.error).toBeCloseTo(1 / 3, 9);
    expect(line.series.coefficients[1]).toBeCloseTo(4 / 3, 9);
    const union: Interval[] = [
      [-3, -2.9],
      [-1, -0.8],
      [0.7, 0.72],
      [2, 3],
    ];
    const fit = remez({ f: Math.sin, domain: union, degree: 7 });
    expect(fit.converged).toBe(true);
    expect(fit.error).toBeLessThan(remez({ f: Math.sin, domain: [-3, 3], degree: 7 }).error);
  });

  it("keeps exact zeros for a parity and finds the same error as without", () => {
    const odd = remez({ f: Math.tanh, domain: [-4, 4], degree: 15, parity: "odd" });
    odd.series.coefficients.forEach((c, k) => {
      if (k % 2 === 0) expect(c).toBe(0);
    });
    expect(odd.error).toBeCloseTo(remez({ f: Math.tanh, domain: [-4, 4], degree: 15 }).error, 9);
  });

  it("improves with the degree, and is honest where it cannot", () => {
    let previous = Number.POSITIVE_INFINITY;
    for (let degree = 0; degree <= 24; degree++) {
      const { error, series } = remez({ f: Math.atan, domain: [-1, 3], degree });
      expect(error).toBeLessThan(previous);
      expect(maximumError(Math.atan, series, { samples: 5000 })).toBeLessThanOrEqual(error * (1 + 1e-9) + 2 ** -50);
      previous = error;
    }
    // At the rounding of doubles, and for a function that jumps.
    expect(remez({ f: Math.exp, domain: [-1, 1], degree: 60 }).error).toBeLessThan(2 ** -46);
    const step = remez({ f: (x) => (x < 0.3 ? 0 : 1), domain: [-1, 1], degree: 9 });
    expect(step.error).toBeGreaterThanOrEqual(0.5 - 1e-6);
    expect(step.error).toBeLessThan(2);
  });

  it("represents polynomials and zero exactly", () => {
    const cubic = remez({ f: (x) => x ** 3 - x, domain: [-2, 5], degree: 6 });
    expect(cubic.error).toBeLessThan(1e-12);
    expect(cubic.converged).toBe(true);
    expect(remez({ f: () => 0, domain: [0, 1], degree: 3 })).toMatchObject({ error: 0, converged: true });
  });

  it("refuses what makes no sense", () => {
    const f = Math.exp;
    expect(() => remez({ f, domain: [1, 0], degree: 3 })).toThrow(RangeError);
    expect(() => remez({ f, domain: [Number.NaN, 0], degree: 3 })).toThrow(TypeError);
    expect(() => remez({ f, domain: [0, 1], degree: 1.5 })).toThrow(TypeError);
    expect(() => remez({ f, domain: [0, 1], degree: 3, parity: "even" })).toThrow(/symmetric/);
    expect(() => remez({ f, domain: [0, 1], degree: 3, weight: (x) => x })).toThrow(/positive/);
    expect(() =>
      remez({
        f,
        domain: [
          [0, 2],
          [1, 3],
        ],
        degree: 3,
      }),
    ).toThrow(/disjoint/);
    expect(() => remez({ f: (x) => 1 / (x - 0.3), domain: [-1, 1], degree: 9 })).toThrow(
      /pole near 0\.3|pole near 0\.2999/,
    );
    expect(() => remez({ f: Math.log, domain: [0, 1], degree: 3 })).toThrow(/finite/);
    expect(() => remez({ f: () => Number.NaN, domain: [0, 1], degree: 3 })).toThrow(RangeError);
  });
});
