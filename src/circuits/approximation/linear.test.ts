import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type ChebyshevSeries, evaluateSeries } from "./chebyshev.ts";
import { lawson, sampleProblem, weightedLeastSquares } from "./least-squares.ts";
import { leastSquares, solveSquare } from "./linear.ts";
import { remez } from "./remez.ts";

describe("linear algebra", () => {
  it("solves square systems, rows in need of exchange included", () => {
    expect(solveSquare(Float64Array.of(0, 2, 3, 1), Float64Array.of(4, 5))).toEqual(Float64Array.of(1, 2));
    expect(solveSquare(Float64Array.of(1, 2, 2, 4), Float64Array.of(1, 2))).toBeUndefined();
  });

  it("least squares leaves a residual orthogonal to the columns", () => {
    const entry = fc.double({ min: -1, max: 1, noNaN: true });
    fc.assert(
      fc.property(fc.array(entry, { minLength: 40, maxLength: 40 }), (entries) => {
        const matrix = Float64Array.from(entries.slice(0, 30), (v, i) => v + (i % 4 === 0 ? 3 : 0)); // 10 × 3
        const right = Float64Array.from(entries.slice(30));
        const x = leastSquares(matrix.slice(), right.slice(), 3);
        for (let j = 0; j < 3; j++) {
          let product = 0;
          right.forEach((b, i) => {
            const row = matrix.subarray(3 * i, 3 * i + 3);
            product += row[j] * (b - row[0] * x[0] - row[1] * x[1] - row[2] * x[2]);
          });
          expect(Math.abs(product)).toBeLessThan(1e-9);
        }
      }),
    );
  });

  it("drops dependent columns", () => {
    const x = leastSquares(Float64Array.of(1, 1, 1, 1, 1, 1), Float64Array.of(2, 2, 2), 2);
    expect(x[0] + x[1]).toBeCloseTo(2, 12);
  });

  it("Lawson's reweighting comes near the minimax error", () => {
    const problem = sampleProblem(Math.exp, () => 1, [[-1, 1]], [-1, 1], [0, 1, 2, 3]);
    const start: ChebyshevSeries = { interval: [-1, 1], coefficients: new Float64Array(4) };
    const worst = (series: ChebyshevSeries) =>
      Math.max(...problem.points.map((x) => Math.abs(Math.exp(x) - evaluateSeries(series, x))));
    const first = weightedLeastSquares(problem, start);
    const best = lawson(problem, first, 40);
    const minimax = remez({ f: Math.exp, domain: [-1, 1], degree: 3 }).error;
    expect(worst(best)).toBeLessThan(worst(first));
    expect(worst(best)).toBeLessThan(1.05 * minimax);
  });
});
