import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { AegisError } from "../../base/errors.ts";
import { evaluateSeries } from "./chebyshev.ts";
import { chooseInverseSqrt, evaluateInverseSqrt, planInverseSqrt } from "./inverse-sqrt.ts";

describe("1/√x", () => {
  it("a centred step takes ε to about ¾ε²", () => {
    for (const degree of [2, 4, 7]) {
      const plan = planInverseSqrt([0.5, 5], degree, 1);
      expect(plan.relativeError / (0.75 * plan.startError ** 2)).toBeCloseTo(1, 1);
    }
  });

  it("stays within its error and its ranges for random ranges", () => {
    const choice = fc.record({
      a: fc.double({ min: 0.01, max: 5, noNaN: true }),
      ratio: fc.double({ min: 1.5, max: 50, noNaN: true }),
      log: fc.integer({ min: 4, max: 24 }),
      maximumDegree: fc.constantFrom(7, 15, 63),
      at: fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { minLength: 20, maxLength: 20 }),
    });
    fc.assert(
      fc.property(choice, ({ a, ratio, log, maximumDegree, at }) => {
        const b = a * ratio;
        const plan = chooseInverseSqrt([a, b], 2 ** -log, { maximumDegree });
        expect(plan.relativeError).toBeLessThanOrEqual(2 ** -log * (1 + 1e-6));
        for (const part of at) {
          const x = Math.min(b, a + (b - a) * part ** 3);
          const error = Math.abs(1 - Math.sqrt(x) * evaluateInverseSqrt(plan, x));
          expect(error).toBeLessThanOrEqual(plan.relativeError * (1 + 1e-6) + 1e-13);
          let y = evaluateSeries(plan.start, x);
          for (const constant of plan.constants) {
            expect(Math.abs(y)).toBeLessThanOrEqual(plan.magnitude * (1 + 1e-6));
            y = constant * y - x * y * y * y;
          }
        }
      }),
      { numRuns: 30 },
    );
  });

  it("corrects noise in y", () => {
    const plan = planInverseSqrt([0.65, 4.5], 5, 2);
    for (let x = 0.65; x <= 4.5; x += 0.01) {
      let y = evaluateSeries(plan.start, x) * (1 + 1e-4);
      for (const constant of plan.constants) y = constant * y - x * y * y * y;
      expect(Math.abs(Math.sqrt(x) * y - 1)).toBeLessThan(2 * plan.relativeError + 1e-9);
    }
  });

  it("uses steps when the degree is limited", () => {
    const direct = chooseInverseSqrt([0.65, 4.5], 2 ** -14);
    expect([direct.start.coefficients.length - 1, direct.constants.length, direct.depth]).toEqual([10, 0, 4]);
    const limited = chooseInverseSqrt([0.65, 4.5], 2 ** -14, { maximumDegree: 3 });
    expect(limited.constants.length).toBeGreaterThan(0);
  });

  it("refuses what makes no sense", () => {
    expect(() => chooseInverseSqrt([-1, 2], 0.1)).toThrow(/pole at 0/);
    expect(() => chooseInverseSqrt([2, 1], 0.1)).toThrow(RangeError);
    expect(() => chooseInverseSqrt([1, 2], Number.NaN)).toThrow(TypeError);
    expect(() => planInverseSqrt([1, 2], 3, 7)).toThrow(RangeError);
    expect(() => chooseInverseSqrt([1e-4, 1], 2 ** -20, { maximumDegree: 2, maximumSteps: 1 })).toThrow(AegisError);
  });
});
