import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { besselFixed, cosineSine, fromFixed, piFixed, toFixed } from "./fixed.ts";

describe("fixed point", () => {
  it("converts doubles there and back, and rounds to nearest", () => {
    fc.assert(
      fc.property(fc.double({ min: -1e6, max: 1e6, noNaN: true }), (drawn) => {
        const x = Math.abs(drawn) < 1e-290 ? 0 : drawn; // results below the normal range are not promised
        expect(fromFixed(toFixed(x, 1100), 1100)).toBe(x);
      }),
    );
    expect(fromFixed((1n << 200n) + (1n << 147n) + 1n, 200)).toBe(1 + 2 ** -52); // just above a tie
    expect(fromFixed((1n << 200n) + (1n << 147n), 200)).toBe(1); // a tie goes to even
    expect(() => toFixed(Number.NaN, 10)).toThrow(TypeError);
  });

  it("knows π to 50 digits", () => {
    const digits = (piFixed(400) * 10n ** 50n) >> 400n;
    expect(digits).toBe(314159265358979323846264338327950288419716939937510n);
  });

  it("cosine and sine lie on the circle and agree with doubles", () => {
    fc.assert(
      fc.property(fc.double({ min: -200, max: 200, noNaN: true }), (x) => {
        const { cosine, sine } = cosineSine(toFixed(x, 160), 160);
        expect(fromFixed(cosine * cosine + sine * sine - (1n << 320n), 320)).toBeCloseTo(0, 40);
        expect(fromFixed(cosine, 160)).toBeCloseTo(Math.cos(x), 14);
        expect(fromFixed(sine, 160)).toBeCloseTo(Math.sin(x), 14);
      }),
    );
  });

  it("Bessel functions have their known values and Neumann's sum", () => {
    const values = besselFixed(1n << 160n, 3, 160).map((v) => fromFixed(v, 160));
    expect(values[0]).toBe(0.7651976865579666); // J_0(1), Abramowitz and Stegun, table 9.1
    expect(values[1]).toBe(0.4400505857449335);
    // J_0² + 2·Σ J_n² = 1 (9.1.76).
    const all = besselFixed(30n << 160n, 120, 160);
    const sum = all.reduce((total, v, n) => total + (n === 0 ? 1n : 2n) * v * v, 0n);
    expect(Math.abs(fromFixed(sum - (1n << 320n), 320))).toBeLessThan(2 ** -150);
  });
});
