import { readFileSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { erf } from "./erf.ts";
import { activationFunction, argmax, gelu, geluNew, layerNormInPlace, logSumExp, softmax } from "./functions.ts";

const vectors: { rows: [number, number, number, number][] } = JSON.parse(
  readFileSync(new URL("../../test/vectors/model/functions.json", import.meta.url), "utf8"),
);

describe("erf", () => {
  test.each(vectors.rows)("erf(%d) as in 40-digit arithmetic", (x, expected) => {
    expect(Math.abs(erf(x) - expected)).toBeLessThanOrEqual(1e-15 * Math.abs(expected));
  });

  test("is continuous where one polynomial ends and the next begins", () => {
    for (let edge = 1 / 16; edge < 6; edge += 1 / 8) {
      expect(Math.abs(erf(edge * (1 + 1e-15)) - erf(edge * (1 - 1e-15)))).toBeLessThan(3e-15);
    }
  });

  test("special values", () => {
    expect(erf(Number.POSITIVE_INFINITY)).toBe(1);
    expect(erf(Number.NEGATIVE_INFINITY)).toBe(-1);
    expect(erf(Number.NaN)).toBeNaN();
  });

  test("is odd and within [-1, 1]", () => {
    fc.assert(
      fc.property(fc.double({ noNaN: true }), (x) => {
        expect(erf(-x)).toBe(-erf(x));
        expect(Math.abs(erf(x))).toBeLessThanOrEqual(1);
      }),
    );
  });
});

describe("activations", () => {
  test.each(vectors.rows)("gelu(%d) and gelu_new", (x, _, expectedGelu, expectedNew) => {
    expect(Math.abs(gelu(x) - expectedGelu)).toBeLessThanOrEqual(1e-15 * Math.abs(x));
    expect(Math.abs(geluNew(x) - expectedNew)).toBeLessThanOrEqual(1e-15 * Math.abs(x));
  });

  test("by name", () => {
    expect(activationFunction("relu")(-3)).toBe(0);
    expect(activationFunction("relu")(3)).toBe(3);
    expect(activationFunction("gelu")).toBe(gelu);
    expect(activationFunction("gelu_new")).toBe(geluNew);
  });
});

describe("rows", () => {
  test("softmax sums to one, keeps order, survives large values", () => {
    const p = softmax([1000, 1001, 999]);
    expect(p[0] + p[1] + p[2]).toBeCloseTo(1, 15);
    expect(p[1] / p[0]).toBeCloseTo(Math.E, 12);
  });

  test("logSumExp", () => {
    expect(logSumExp(Float64Array.of(0, 0))).toBeCloseTo(Math.LN2, 15);
    expect(logSumExp(Float64Array.of(800, 800))).toBeCloseTo(800 + Math.LN2, 12);
    expect(logSumExp(new Float64Array(0))).toBe(Number.NEGATIVE_INFINITY);
  });

  test("argmax takes the first of equals", () => expect(argmax([1, 3, 3, 2])).toBe(1));

  test("layerNorm gives weight·z + bias and the variances", () => {
    const x = Float64Array.of(1, 2, 3, 4, 10, 10, 30, 30);
    const norm = { weight: Float32Array.of(1, 2, 1, 1), bias: Float32Array.of(0, 0, 0.5, 0) };
    const variances = layerNormInPlace(x, 4, norm, 1e-12);
    expect([...variances]).toEqual([1.25, 100]);
    expect([...x.subarray(4)].map((v) => Number(v.toFixed(9)))).toEqual([-1, -2, 1.5, 1]);
  });
});
