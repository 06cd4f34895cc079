/**
 * Fits and plans against references of 160 bits: the reported error bounds the true one at random points, with the
 * plan evaluated in fixed point, so that rounding of doubles hides nothing.
 */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { fitActivation } from "./activation.ts";
import type { ChebyshevSeries } from "./chebyshev.ts";
import { cosineSeries } from "./cosine.ts";
import { chooseEvalMod, evalModPlan } from "./eval-mod.ts";
import { chooseExp } from "./exp.ts";
import { cosineSine, fromFixed, multiplyFixed, piFixed, toFixed } from "./fixed.ts";
import { chooseInverse } from "./inverse.ts";
import { chooseInverseSqrt } from "./inverse-sqrt.ts";
import { erf, erfc, gelu } from "./special.ts";

const bits = 160;
const one = 1n << BigInt(bits);
const times = (a: bigint, b: bigint): bigint => multiplyFixed(a, b, bits);

/** exp by its series, with 120 guard bits for what cancels. */
function exponential(x: number): bigint {
  const wide = bits + 120;
  const argument = toFixed(x, wide);
  let term = 1n << BigInt(wide);
  let sum = 0n;
  for (let n = 1n; term !== 0n && term !== -1n; n++) {
    sum += term;
    term = multiplyFixed(term, argument, wide) / n;
  }
  return sum >> 120n;
}

/** √v for v·2^bits, by Newton on integers. */
function squareRoot(v: bigint): bigint {
  const target = v << BigInt(bits);
  let root = 1n << BigInt((target.toString(2).length + 1) >> 1);
  for (;;) {
    const next = (root + target / root) >> 1n;
    if (next >= root) return root;
    root = next;
  }
}

/** erf by its alternating series, |x| ≤ 6. */
function errorFunction(x: number): bigint {
  const wide = bits + 120;
  const argument = toFixed(x, wide);
  const square = multiplyFixed(argument, argument, wide);
  let power = argument;
  let sum = 0n;
  for (let n = 0n; power !== 0n && power !== -1n; ) {
    sum += power / (2n * n + 1n);
    n++;
    power = -multiplyFixed(power, square, wide) / n;
  }
  return (((2n * sum) >> 120n) * one) / squareRoot(piFixed(bits));
}

function fixedSeries({ interval, coefficients }: ChebyshevSeries, x: bigint): bigint {
  const [a, b] = interval.map((end) => toFixed(end, bits));
  const t = ((2n * x - a - b) << BigInt(bits)) / (b - a);
  let b1 = 0n;
  let b2 = 0n;
  for (let k = coefficients.length - 1; k > 0; k--) {
    [b1, b2] = [2n * times(t, b1) - b2 + toFixed(coefficients[k], bits), b1];
  }
  return times(t, b1) - b2 + toFixed(coefficients[0], bits);
}

/** A property: `error` in units of the bound is at most 1 (and a hair of rounding) all over the interval. */
function holds([a, b]: readonly [number, number], bound: number, error: (x: number) => bigint): void {
  fc.assert(
    fc.property(fc.double({ min: a, max: b, noNaN: true }), (x) => {
      expect(Math.abs(fromFixed(error(x), bits))).toBeLessThanOrEqual(bound * (1 + 1e-9) + 2 ** -48);
    }),
    { numRuns: 150, examples: [[a], [b]] },
  );
}

describe("special functions against 160 bits", () => {
  it("erf, erfc and gelu are accurate", () => {
    fc.assert(
      fc.property(fc.double({ min: -6, max: 6, noNaN: true }), (x) => {
        const reference = errorFunction(x);
        expect(Math.abs(erf(x) - fromFixed(reference, bits))).toBeLessThan(2 ** -50);
        const complement = fromFixed(one - reference, bits);
        expect(Math.abs(erfc(x) - complement)).toBeLessThan(x >= 2.5 ? 2 ** -48 * complement : 2 ** -50);
        const root = fromFixed(errorFunction(x * Math.SQRT1_2), bits);
        expect(Math.abs(gelu(x) - 0.5 * x * (1 + root))).toBeLessThan(2 ** -49);
      }),
      { numRuns: 100 },
    );
  });
});

describe("plans against 160 bits", () => {
  it("gelu stays within the reported error", () => {
    const { series, maximumError } = fitActivation("gelu", [-6, 6], 2 ** -14);
    const root = squareRoot(one / 2n);
    holds([-6, 6], maximumError, (x) => {
      const phi = one + errorFunction(fromFixed(times(toFixed(x, bits), root), bits));
      return fixedSeries(series, toFixed(x, bits)) - times(toFixed(x, bits), phi) / 2n;
    });
  });

  it.each(["goldschmidt", "newton"] as const)("inverse (%s) stays within the reported error", (method) => {
    const plan = chooseInverse([0.05, 18], 2 ** -12, { method });
    holds([0.05, 18], plan.relativeError, (value) => {
      const x = toFixed(value, bits);
      let y = fixedSeries(plan.start, x);
      let r = times(x, y);
      for (const constant of plan.constants) {
        const factor = toFixed(constant, bits) - r;
        y = times(y, factor);
        r = method === "newton" ? times(x, y) : times(r, factor);
      }
      return (y * x) / one - one;
    });
  });

  it("inverse square root stays within the reported error", () => {
    const plan = chooseInverseSqrt([0.1, 5], 2 ** -16, { maximumDegree: 7 });
    expect(plan.constants.length).toBe(2);
    holds([0.1, 5], plan.relativeError, (value) => {
      const x = toFixed(value, bits);
      let y = fixedSeries(plan.start, x);
      for (const c of plan.constants) y = times(toFixed(c, bits), y) - times(times(x, y), times(y, y));
      return times(squareRoot(x), y) - one;
    });
  });

  it.each([
    ["relative", [-6, 6], 0],
    ["absolute", [-12, 0], 0],
    ["absolute", [-6, 6], 6],
  ] as const)("exp (%s, [%s], shift %s) stays within the reported error", (measure, interval, shift) => {
    const plan = chooseExp(interval, 2 ** -14, { measure, shift });
    expect(plan.maximumError).toBeLessThanOrEqual(2 ** -14);
    holds(interval, plan.maximumError, (x) => {
      let y = fixedSeries(plan.polynomial, toFixed(x, bits));
      for (let i = 0; i < plan.squarings; i++) y = times(y, y);
      const exact = exponential(x - shift);
      return measure === "relative" ? ((y - exact) * one) / exact : y - exact;
    });
  });

  it.each([
    { K: 16, doubleAngles: 3, degree: 31 },
    { K: 16, doubleAngles: 3, degree: 30, centred: true },
    { K: 12, doubleAngles: 2, degree: 40, outputScale: 0.5 / Math.PI },
    { K: 16, doubleAngles: 2, degree: 52, domain: "interval" as const },
  ])("the cosine %o stays within the reported error", (choice) => {
    const plan = evalModPlan(choice);
    const error = (value: number): bigint => {
      const x = toFixed(value, bits);
      let c = fixedSeries(plan.series, x - toFixed(plan.offset, bits));
      for (const s of plan.constants) c = 2n * times(c, c) - toFixed(s, bits);
      const { sine } = cosineSine(2n * times(piFixed(bits), x), bits);
      return (c * one) / toFixed(plan.outputScale, bits) - sine;
    };
    // The error is reported from doubles: allow their floor.
    const floor = 2 ** -44;
    holds([-choice.K, choice.K], plan.errorEverywhere + floor, error);
    fc.assert(
      fc.property(
        fc.integer({ min: 1 - choice.K, max: choice.K - 1 }),
        fc.double({ min: -1, max: 1, noNaN: true }),
        (k, d) => {
          const near = Math.abs(fromFixed(error(k + d * plan.spread), bits));
          expect(near).toBeLessThanOrEqual(plan.errorNearIntegers * (1 + 1e-6) + floor);
        },
      ),
      { numRuns: 150 },
    );
  });
});

describe("the cosine series", () => {
  it.each([
    [16, 2, false],
    [16, 3, true],
    [25, 3, false],
  ])("K = %i, r = %i, centred %s: many terms are within 2^-50 of the cosine", (K, r, centred) => {
    const series = cosineSeries(K, r, 127, centred);
    fc.assert(
      fc.property(fc.double({ min: -K, max: K, noNaN: true }), (value) => {
        const u = toFixed(value, bits) - (centred ? 0n : one / 4n);
        const { cosine } = cosineSine(times(2n * piFixed(bits), u) >> BigInt(r), bits);
        expect(Math.abs(fromFixed(fixedSeries(series, toFixed(value, bits)) - cosine, bits))).toBeLessThan(2 ** -50);
      }),
    );
  });

  it("chooses the smallest degree", () => {
    const choice = { K: 16, doubleAngles: 3 } as const;
    const plan = chooseEvalMod({ ...choice, logError: -36 });
    expect(plan.errorNearIntegers).toBeLessThanOrEqual(2 ** -36);
    expect(evalModPlan({ ...choice, degree: plan.degree - 1 }).errorNearIntegers).toBeGreaterThan(2 ** -36);
  });
});
