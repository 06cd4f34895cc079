import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  addSeries,
  chebyshevSeries,
  differentiate,
  evaluateSeries,
  interpolate,
  scaleSeries,
  seriesDegree,
  toUnit,
  trim,
  truncate,
} from "./chebyshev.ts";
import { maximumError } from "./extrema.ts";

const coefficient = fc.double({ min: -10, max: 10, noNaN: true });

describe("Chebyshev series", () => {
  it("evaluates Σ c_k·cos(k·acos t)", () => {
    fc.assert(
      fc.property(
        fc.array(coefficient, { minLength: 1, maxLength: 40 }),
        fc.double({ min: -3, max: 7, noNaN: true }),
        (c, x) => {
          const t = toUnit([-3, 7], x);
          const direct = c.reduce((sum, ck, k) => sum + ck * Math.cos(k * Math.acos(t)), 0);
          expect(evaluateSeries(chebyshevSeries([-3, 7], c), x)).toBeCloseTo(direct, 10);
        },
      ),
    );
  });

  it("interpolation gives back the coefficients of a polynomial", () => {
    fc.assert(
      fc.property(fc.array(coefficient, { minLength: 1, maxLength: 60 }), (c) => {
        const series = chebyshevSeries([0.5, 2], c);
        const again = interpolate((x) => evaluateSeries(series, x), [0.5, 2], c.length + 3);
        again.coefficients.forEach((value, k) => {
          expect(value).toBeCloseTo(c[k] ?? 0, 10);
        });
      }),
    );
  });

  it("converges geometrically for an analytic function", () => {
    // 1/(1 + 4x²) has poles at ±i/2: the error falls by ρ = (1 + √5)/2 a degree (ATAP, theorem 8.2).
    const error = (degree: number) =>
      maximumError(
        (x) => 1 / (1 + 4 * x * x),
        interpolate((x) => 1 / (1 + 4 * x * x), [-1, 1], degree),
      );
    expect((error(20) / error(40)) ** (1 / 20)).toBeCloseTo((1 + Math.sqrt(5)) / 2, 2);
  });

  it("interpolation keeps parity to the last bit", () => {
    const odd = interpolate(Math.sin, [-2, 2], 15).coefficients;
    odd.forEach((c, k) => {
      if (k % 2 === 0) expect(Math.abs(c)).toBeLessThan(2 ** -52);
    });
  });

  it("differentiates", () => {
    const derivative = differentiate(interpolate(Math.exp, [-1, 3], 30));
    expect(derivative.coefficients.length).toBe(30);
    expect(maximumError(Math.exp, derivative)).toBeLessThan(1e-11);
    expect([...differentiate(chebyshevSeries([-1, 1], [5])).coefficients]).toEqual([0]);
  });

  it("truncates, trims, adds and scales", () => {
    const series = chebyshevSeries([-1, 1], [1, 2, 3, 1e-3, 1e-4]);
    expect([...truncate(series, 1).coefficients]).toEqual([1, 2]);
    expect([...trim(series, 1.2e-3).coefficients]).toEqual([1, 2, 3]);
    expect([...addSeries(series, scaleSeries(truncate(series, 1), -1)).coefficients]).toEqual([0, 0, 3, 1e-3, 1e-4]);
    expect(seriesDegree(chebyshevSeries([-1, 1], [1, 2, 0, 0]))).toBe(1);
  });

  it("refuses what makes no sense", () => {
    expect(() => interpolate(Math.exp, [2, 1], 3)).toThrow(RangeError);
    expect(() => interpolate(Math.exp, [0, Number.NaN], 3)).toThrow(TypeError);
    expect(() => interpolate(Math.exp, [0, 1], -1)).toThrow(RangeError);
    expect(() => interpolate((x) => 1 / x, [-1, 1], 2)).toThrow(/finite value on the whole interval/);
    expect(() => chebyshevSeries([0, 1], [])).toThrow(RangeError);
    expect(() => chebyshevSeries([0, 1], [Number.NaN])).toThrow(TypeError);
    expect(() => addSeries(chebyshevSeries([0, 1], [1]), chebyshevSeries([0, 2], [1]))).toThrow(RangeError);
  });
});
