import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { AegisError } from "../../base/errors.ts";
import { chooseExp, evaluateExp, planExp } from "./exp.ts";

describe("exp", () => {
  it("stays within its error for random ranges", () => {
    const choice = fc.record({
      a: fc.double({ min: -20, max: 5, noNaN: true }),
      width: fc.double({ min: 0.5, max: 20, noNaN: true }),
      log: fc.integer({ min: 4, max: 20 }),
      measure: fc.constantFrom("relative" as const, "absolute" as const),
      at: fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { minLength: 20, maxLength: 20 }),
    });
    fc.assert(
      fc.property(choice, ({ a, width, log, measure, at }) => {
        const b = a + width;
        const shift = measure === "absolute" ? b : 0;
        const plan = chooseExp([a, b], 2 ** -log, { measure, shift });
        expect(plan.maximumError).toBeLessThanOrEqual(2 ** -log * (1 + 1e-6));
        for (const part of at) {
          const x = Math.min(b, a + width * part);
          const exact = Math.exp(x - shift);
          const error = Math.abs(evaluateExp(plan, x) - exact) / (measure === "relative" ? exact : 1);
          expect(error).toBeLessThanOrEqual(plan.maximumError * (1 + 1e-6) + 1e-11);
        }
      }),
      { numRuns: 30 },
    );
  });

  it("chooses less depth, then fewer products; squarings help wide ranges", () => {
    const plan = chooseExp([-6, 6], 2 ** -14);
    expect([plan.polynomial.coefficients.length - 1, plan.squarings, plan.depth]).toEqual([14, 0, 4]);
    const wide = chooseExp([-40, 0], 2 ** -10, { maximumDegree: 15 });
    expect(wide.squarings).toBeGreaterThan(0);
    expect(chooseExp([-12, 0], 2 ** -14, { measure: "absolute" }).multiplications).toBeLessThan(plan.multiplications);
  });

  it("improves with the degree and reports the largest value", () => {
    let previous = Number.POSITIVE_INFINITY;
    for (let degree = 1; degree <= 12; degree++) {
      const plan = planExp([-3, 2], degree, 1, { shift: 1 });
      expect(plan.maximumError).toBeLessThan(previous);
      expect(plan.magnitude).toBeCloseTo(Math.E, 12);
      previous = plan.maximumError;
    }
  });

  it("refuses what makes no sense", () => {
    expect(() => chooseExp([1, 0], 0.1)).toThrow(RangeError);
    expect(() => chooseExp([0, Number.POSITIVE_INFINITY], 0.1)).toThrow(TypeError);
    expect(() => chooseExp([0, 1000], 0.1)).toThrow(/range of doubles/);
    expect(() => chooseExp([0, 1], 0)).toThrow(RangeError);
    expect(() => chooseExp([0, 1], 0.1, { shift: Number.NaN })).toThrow(TypeError);
    expect(() => chooseExp([-40, 0], 2 ** -30, { maximumDegree: 3, maximumSquarings: 1 })).toThrow(AegisError);
  });
});
