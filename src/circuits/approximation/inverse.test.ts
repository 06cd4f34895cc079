import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { AegisError } from "../../base/errors.ts";
import { evaluateSeries } from "./chebyshev.ts";
import { chooseInverse, evaluateInverse, inverseStartError, planInverse } from "./inverse.ts";

describe("1/x", () => {
  it("has exactly the minimax error of the composed degree", () => {
    for (const [degree, steps] of [
      [3, 0],
      [3, 1],
      [10, 3],
      [5, 4],
    ]) {
      const plan = planInverse([0.05, 18], degree, steps);
      expect(plan.relativeError / inverseStartError([0.05, 18], 2 ** steps * (degree + 1) - 1)).toBeCloseTo(1, 6);
    }
  });

  it("stays within its error, its ranges and its depth for random ranges", () => {
    const choice = fc.record({
      a: fc.double({ min: 0.01, max: 5, noNaN: true }),
      ratio: fc.double({ min: 1.5, max: 300, noNaN: true }),
      log: fc.integer({ min: 4, max: 20 }),
      method: fc.constantFrom("goldschmidt" as const, "newton" as const),
      at: fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { minLength: 20, maxLength: 20 }),
    });
    fc.assert(
      fc.property(choice, ({ a, ratio, log, method, at }) => {
        const b = a * ratio;
        const plan = chooseInverse([a, b], 2 ** -log, { method });
        expect(plan.relativeError).toBeLessThanOrEqual(2 ** -log * (1 + 1e-6));
        for (const part of at) {
          const x = Math.min(b, a + (b - a) * part ** 3);
          expect(Math.abs(1 - x * evaluateInverse(plan, x))).toBeLessThanOrEqual(
            plan.relativeError * (1 + 1e-8) + 1e-12,
          );
          let y = evaluateSeries(plan.start, x);
          expect(x * y).toBeGreaterThanOrEqual(plan.residual[0] - 1e-9);
          expect(x * y).toBeLessThanOrEqual(plan.residual[1] + 1e-9);
          for (const constant of plan.constants) {
            expect(Math.abs(y)).toBeLessThanOrEqual(plan.magnitude * (1 + 1e-9));
            y *= constant - x * y;
          }
        }
      }),
      { numRuns: 60 },
    );
  });

  it("both methods compute the same", () => {
    const goldschmidt = planInverse([1, 100], 7, 3, "goldschmidt");
    const newton = planInverse([1, 100], 7, 3, "newton");
    expect(newton.depth).toBe(goldschmidt.depth + 2);
    for (let x = 1; x <= 100; x += 0.7)
      expect(evaluateInverse(newton, x)).toBeCloseTo(evaluateInverse(goldschmidt, x), 13);
  });

  it("forgives noise in r as documented", () => {
    const plan = planInverse([0.05, 18], 10, 3);
    const delta = 1e-6;
    for (let x = 0.05; x <= 18; x *= 1.01) {
      let y = evaluateSeries(plan.start, x);
      let r = x * y + delta;
      for (const constant of plan.constants) {
        const factor = constant - r;
        y *= factor;
        r *= factor;
      }
      expect(Math.abs(y / evaluateInverse(plan, x) - 1)).toBeLessThan((1.1 * delta) / (1 - plan.startError));
    }
  });

  it("chooses less depth, then fewer products", () => {
    const plan = chooseInverse([0.05, 18], 2 ** -12);
    expect([plan.start.coefficients.length - 1, plan.constants.length, plan.depth, plan.multiplications]).toEqual([
      10, 3, 8, 12,
    ]);
    expect(chooseInverse([0.05, 18], 2 ** -12, { maximumDegree: 127 }).depth).toBe(7);
    expect(chooseInverse([0.05, 18], 2 ** -12, { maximumDegree: 3 }).depth).toBeGreaterThanOrEqual(plan.depth);
  });

  it("refuses what makes no sense", () => {
    expect(() => chooseInverse([-1, 2], 0.1)).toThrow(/pole at 0/);
    expect(() => chooseInverse([0, 2], 0.1)).toThrow(RangeError);
    expect(() => chooseInverse([2, 1], 0.1)).toThrow(RangeError);
    expect(() => chooseInverse([1, Number.NaN], 0.1)).toThrow(TypeError);
    expect(() => chooseInverse([1, 2], 0)).toThrow(RangeError);
    expect(() => planInverse([1, 2], 3, -1)).toThrow(RangeError);
    expect(() => chooseInverse([1e-6, 1], 2 ** -20, { maximumDegree: 3, maximumSteps: 1 })).toThrow(AegisError);
  });
});
