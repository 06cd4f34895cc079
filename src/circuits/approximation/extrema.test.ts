import { describe, expect, it } from "vitest";
import { chebyshevSeries } from "./chebyshev.ts";
import { localExtrema, maximumError, refineMaximum, rejectPole, supremum } from "./extrema.ts";
import { chebyshevExtrema, checkDomain, isSymmetric, nonNegativeHalf, sampleDomain } from "./interval.ts";
import { detectParity, parityDegree, parityIndices, parityPart, seriesParity } from "./parity.ts";

describe("extrema", () => {
  it("refines a smooth maximum, a kink and one at an end", () => {
    expect(refineMaximum(Math.sin, 1, 1.4, 2).x).toBeCloseTo(Math.PI / 2, 6);
    expect(refineMaximum((x) => -Math.abs(x - 0.3), 0, 0.5, 1, 40).x).toBeCloseTo(0.3, 4);
    expect(supremum((x) => x * x, [-1, 3])).toEqual({ x: 3, value: 9 });
  });

  it("finds all extrema of a Chebyshev polynomial", () => {
    const found = localExtrema((x) => Math.cos(12 * Math.acos(x)), [chebyshevExtrema([-1, 1], 150)]);
    expect(found.length).toBe(13);
    found.forEach(({ value }, i) => {
      expect(value).toBeCloseTo(i % 2 === 0 ? 1 : -1, 12);
    });
  });

  it("measures weighted and restricted errors", () => {
    const zero = chebyshevSeries([-1, 1], [0]);
    expect(maximumError((x) => x, zero)).toBe(1);
    expect(
      maximumError((x) => x, zero, {
        domain: [
          [-0.5, -0.25],
          [0.1, 0.2],
        ],
      }),
    ).toBe(0.5);
    expect(maximumError((x) => x + 2, zero, { weight: (x) => 1 / (x + 2) })).toBeCloseTo(1, 12);
    expect(() => maximumError(() => Number.NaN, zero)).toThrow(RangeError);
    expect(() => rejectPole((x) => 1 / (x - 0.123), [-1, 1])).toThrow(/pole near 0.12/);
    expect(() => rejectPole(Math.sqrt, [0, 1])).not.toThrow();
  });
});

describe("domains", () => {
  it("are checked", () => {
    expect(checkDomain("domain", [0, 1])).toEqual([[0, 1]]);
    expect(() => checkDomain("domain", [])).toThrow(TypeError);
    expect(() =>
      checkDomain("domain", [
        [0, 1],
        [1, 2],
      ]),
    ).toThrow(/disjoint/);
    expect(() => checkDomain("domain", [0, Number.POSITIVE_INFINITY])).toThrow(TypeError);
  });

  it("know symmetry and their half", () => {
    expect(
      isSymmetric([
        [-2, -1],
        [1, 2],
      ]),
    ).toBe(true);
    expect(isSymmetric([[-2, 1]])).toBe(false);
    expect(nonNegativeHalf([[-2, 2]])).toEqual([[0, 2]]);
    expect(
      nonNegativeHalf([
        [-2, -1],
        [1, 2],
      ]),
    ).toEqual([[1, 2]]);
  });

  it("are sampled with their ends", () => {
    const [points] = sampleDomain([[3, 7]], 10);
    expect([points.length, points[0], points[10]]).toEqual([11, 3, 7]);
    expect(points).toEqual(points.slice().sort());
  });
});

describe("parity", () => {
  it("is detected on symmetric domains only", () => {
    expect(detectParity(Math.cos, [[-2, 2]])).toBe("even");
    expect(detectParity(Math.sin, [[-2, 2]])).toBe("odd");
    expect(detectParity(Math.exp, [[-2, 2]])).toBe("none");
    expect(detectParity(Math.sin, [[-2, 3]])).toBe("none");
    expect(
      detectParity(Math.sign, [
        [-2, -1],
        [1, 2],
      ]),
    ).toBe("odd");
  });

  it("gives indices, degrees and parts", () => {
    expect(parityIndices(5, "odd")).toEqual([1, 3, 5]);
    expect(parityIndices(5, "even")).toEqual([0, 2, 4]);
    expect([parityDegree(6, "odd"), parityDegree(7, "odd"), parityDegree(7, "even"), parityDegree(7, "none")]).toEqual([
      5, 7, 6, 7,
    ]);
    const series = chebyshevSeries([-1, 1], [1, 2, 3]);
    expect(seriesParity(series)).toBe("none");
    expect(seriesParity(parityPart(series, "even"))).toBe("even");
    expect([...parityPart(series, "odd").coefficients]).toEqual([0, 2, 0]);
    expect(() => parityPart(chebyshevSeries([0, 1], [1, 2]), "odd")).toThrow(/symmetric/);
  });
});
