import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { AegisError } from "../../base/errors.ts";
import { activationForDepth, activationFunction, fitActivation } from "./activation.ts";
import { evaluateSeries } from "./chebyshev.ts";
import { degreeForDepth, depthOf, multiplicationsOf } from "./cost.ts";
import { maximumError } from "./extrema.ts";
import { bestForDepth, fitDegree, fitPolynomial } from "./fit.ts";
import { seriesParity } from "./parity.ts";

describe("cost", () => {
  it("depth is ⌈log2(degree + 1)⌉", () => {
    for (let degree = 0; degree < 300; degree++) expect(depthOf(degree)).toBe(Math.ceil(Math.log2(degree + 1)));
    for (let depth = 0; depth <= 8; depth++) expect(depthOf(degreeForDepth(depth))).toBe(depth);
  });

  it("products: known counts, parity saves some", () => {
    expect([0, 1, 2, 3, 4, 7, 15, 31, 63].map((d) => multiplicationsOf(d))).toEqual([0, 0, 1, 2, 3, 4, 7, 11, 16]);
    for (let degree = 8; degree < 128; degree += 2) {
      expect(multiplicationsOf(degree, "even")).toBeLessThan(multiplicationsOf(degree));
      expect(multiplicationsOf(degree + 1, "odd")).toBeLessThanOrEqual(multiplicationsOf(degree + 1));
    }
  });
});

describe("fitPolynomial", () => {
  it("finds the smallest degree", () => {
    for (const target of [1e-2, 1e-5, 1e-9]) {
      const fit = fitPolynomial({ f: Math.exp, domain: [-2, 2], target });
      expect(fit.maximumError).toBeLessThanOrEqual(target);
      expect(fit.converged).toBe(true);
      expect(fit.depth).toBe(depthOf(fit.degree));
      expect(fitDegree({ f: Math.exp, domain: [-2, 2] }, fit.degree - 1).maximumError).toBeGreaterThan(target);
    }
  });

  it("needs no smaller degree for a smaller error", () => {
    let previous = 0;
    for (let log = 1; log <= 30; log++) {
      const { degree } = fitPolynomial({ f: Math.cos, domain: [-1, 4], target: 2 ** -log });
      expect(degree).toBeGreaterThanOrEqual(previous);
      previous = degree;
    }
  });

  it("detects parity and keeps zeros exact", () => {
    const odd = fitPolynomial({ f: Math.tanh, domain: [-4, 4], target: 1e-4 });
    expect([odd.parity, seriesParity(odd.series), odd.degree % 2]).toEqual(["odd", "odd", 1]);
    const even = fitPolynomial({ f: Math.cosh, domain: [-4, 4], target: 1e-4 });
    expect([even.parity, seriesParity(even.series), even.degree % 2]).toEqual(["even", "even", 0]);
    expect(fitPolynomial({ f: Math.tanh, domain: [-4, 5], target: 1e-4 }).parity).toBe("none");
  });

  it("measures the weighted error", () => {
    const fit = fitPolynomial({ f: Math.exp, domain: [-5, 5], weight: (x) => Math.exp(-x), target: 1e-3 });
    fc.assert(
      fc.property(fc.double({ min: -5, max: 5, noNaN: true }), (x) => {
        expect(Math.abs(evaluateSeries(fit.series, x) / Math.exp(x) - 1)).toBeLessThanOrEqual(
          fit.maximumError * (1 + 1e-9),
        );
      }),
    );
  });

  it("meets degree 0 and constants", () => {
    expect(fitPolynomial({ f: () => 3, domain: [0, 1], target: 1e-9 })).toMatchObject({ degree: 0, depth: 0 });
    expect(fitPolynomial({ f: Math.exp, domain: [0, 1], target: 2 }).degree).toBe(0);
    expect(fitDegree({ f: Math.exp, domain: [0, 1] }, 0).maximumError).toBeCloseTo((Math.E - 1) / 2, 9);
  });

  it("says when nothing reaches the target", () => {
    const attempt = () => fitPolynomial({ f: Math.abs, domain: [-1, 1], target: 1e-6, maximumDegree: 31 });
    expect(attempt).toThrow(AegisError);
    expect(attempt).toThrow(/no polynomial of degree 31 or less/);
    expect(() => fitPolynomial({ f: (x) => 1 / x, domain: [-1, 1.3], target: 0.1 })).toThrow(/pole|finite/);
    expect(() => fitPolynomial({ f: Math.exp, domain: [0, 1], target: 0 })).toThrow(RangeError);
    expect(() => fitPolynomial({ f: Math.exp, domain: [0, 1], target: Number.NaN })).toThrow(TypeError);
    expect(() => fitPolynomial({ f: Math.exp, domain: [1, 1], target: 1 })).toThrow(RangeError);
  });

  it("bestForDepth uses the whole depth", () => {
    let previous = Number.POSITIVE_INFINITY;
    for (let depth = 1; depth <= 6; depth++) {
      const fit = bestForDepth({ f: (x) => 1 / (1 + x * x), domain: [-3, 4] }, depth);
      expect([fit.degree, fit.depth]).toEqual([2 ** depth - 1, depth]);
      expect(fit.maximumError).toBeLessThan(previous);
      previous = fit.maximumError;
    }
  });
});

describe("activations", () => {
  it.each(["gelu", "tanh", "relu", "silu", "sigmoid"] as const)("%s: symmetric, lopsided, by depth", (name) => {
    const f = activationFunction(name);
    for (const interval of [
      [-6, 6],
      [-7, 4],
    ] as const) {
      const fit = fitActivation(name, interval, 2 ** -6);
      expect(maximumError(f, fit.series)).toBeLessThanOrEqual(2 ** -6 * (1 + 1e-9));
      expect(maximumError(f, fit.series)).toBeCloseTo(fit.maximumError, 9);
      const best = activationForDepth(name, interval, 5);
      expect(maximumError(f, best.series)).toBeCloseTo(best.maximumError, 9);
      expect(best.depth).toBe(5);
    }
  });

  it("gelu on a symmetric range has one odd coefficient", () => {
    const { series, parity } = fitActivation("gelu", [-6, 6], 2 ** -14);
    expect(parity).toBe("even");
    series.coefficients.forEach((c, k) => {
      if (k % 2 === 1) expect(c).toBe(k === 1 ? 3 : 0);
    });
  });

  it("names the activations it knows", () => {
    expect(() => fitActivation("elu" as "gelu", [-1, 1], 0.1)).toThrow(/"elu" is not known/);
    expect(() => fitActivation("gelu", [1, -1], 0.1)).toThrow(RangeError);
  });
});
