import { describe, expect, it } from "vitest";
import { AegisError } from "../../base/errors.ts";
import { chooseEvalMod, evalModPlan, evaluateEvalMod } from "./eval-mod.ts";
import { seriesParity } from "./parity.ts";

describe("EvalMod", () => {
  it.each([2, 3])(
    "r = %i: the minimax near integers beats the series, both improve with the degree",
    (doubleAngles) => {
      let previous = Number.POSITIVE_INFINITY;
      const first = doubleAngles === 2 ? 40 : 24;
      for (let degree = first; degree <= first + 8; degree += 2) {
        const minimax = evalModPlan({ K: 16, doubleAngles, degree });
        const series = evalModPlan({ K: 16, doubleAngles, degree, domain: "interval" });
        expect(minimax.errorNearIntegers).toBeLessThan(series.errorNearIntegers);
        expect(series.errorEverywhere).toBeLessThan(minimax.errorEverywhere);
        expect(minimax.errorNearIntegers).toBeLessThan(previous);
        previous = minimax.errorNearIntegers;
      }
    },
  );

  it("gives sin(2πx) near integers, scaled as asked, centred or not", () => {
    for (const centred of [false, true]) {
      const outputScale = 0.5 / Math.PI;
      const plan = evalModPlan({ K: 16, doubleAngles: 3, degree: 36, centred, outputScale });
      for (let k = -16; k <= 16; k++) {
        const d = 2 ** -9 * (k >= 16 ? -1 : 1);
        expect(Math.abs(evaluateEvalMod(plan, k + d) - outputScale * Math.sin(2 * Math.PI * d))).toBeLessThan(2 ** -40);
      }
      expect(seriesParity(plan.series)).toBe(centred ? "even" : "none");
      expect(plan.constants[2]).toBeCloseTo(outputScale, 12);
    }
  });

  it("the polynomial stays within [−1, 1] but for its error", () => {
    for (const centred of [false, true]) {
      expect(evalModPlan({ K: 16, doubleAngles: 3, degree: 31, centred }).magnitude).toBeLessThan(1 + 1e-6);
    }
  });

  it("chooses the smallest degree", () => {
    expect(chooseEvalMod({ K: 16, doubleAngles: 2, logError: -36 }).degree).toBe(47);
    expect(chooseEvalMod({ K: 16, doubleAngles: 3, logError: -30 }).degree).toBe(30);
    expect(chooseEvalMod({ K: 16, doubleAngles: 3, logError: -36, domain: "interval" }).degree).toBe(34);
    expect(chooseEvalMod({ K: 16, doubleAngles: 3, logError: -36, domain: "interval", centred: true }).degree).toBe(34);
  });

  it("costs degree and double angles", () => {
    const plan = evalModPlan({ K: 16, doubleAngles: 3, degree: 31 });
    expect([plan.degree, plan.depth]).toEqual([31, 8]);
    const centred = evalModPlan({ K: 16, doubleAngles: 3, degree: 30, centred: true });
    expect(centred.multiplications).toBeLessThan(plan.multiplications);
  });

  it("refuses what makes no sense", () => {
    expect(() => evalModPlan({ K: 0, doubleAngles: 2, degree: 30 })).toThrow(RangeError);
    expect(() => evalModPlan({ K: 16, doubleAngles: 9, degree: 30 })).toThrow(RangeError);
    expect(() => evalModPlan({ K: 16, doubleAngles: 2, degree: 30, spread: 0.5 })).toThrow(RangeError);
    expect(() => evalModPlan({ K: 16, doubleAngles: 2, degree: 30, outputScale: -1 })).toThrow(RangeError);
    expect(() => evalModPlan({ K: 16, doubleAngles: 2, degree: Number.NaN })).toThrow(TypeError);
    expect(() => chooseEvalMod({ K: 16, doubleAngles: 0, logError: -30 })).toThrow(AegisError);
  });
});
