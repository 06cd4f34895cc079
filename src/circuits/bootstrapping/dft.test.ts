import { describe, expect, test } from "vitest";
import { at, type Complex, complex, precision, randomVector, tabulate } from "../../../test/support/ckks.ts";
import type { ComplexVector } from "../../ckks/index.ts";
import { bitReversal, SpecialFft } from "../../ckks/special-fft.ts";
import type { DiagonalMatrix } from "../linear-transform.ts";
import { coefficientFactors, doubleMatrix, scaleMatrix, slotFactors, withoutNegativeIndices } from "./dft.ts";

function apply({ slots, diagonals }: DiagonalMatrix, x: ComplexVector): ComplexVector {
  return tabulate(slots, (j) => {
    let sum: Complex = [0, 0];
    for (const [k, vector] of diagonals) sum = complex.add(sum, complex.multiply(at(vector, j), at(x, j + k)));
    return sum;
  });
}

const applyAll = (factors: readonly DiagonalMatrix[], x: ComplexVector): ComplexVector =>
  factors.reduce((y, factor) => apply(factor, y), x);

const reversed = (x: ComplexVector): ComplexVector => {
  const order = bitReversal(x.real.length);
  return tabulate(x.real.length, (j) => at(x, order[j]));
};

const transformed = (x: ComplexVector, direction: "forward" | "inverse"): ComplexVector => {
  const [real, imaginary] = [x.real.slice(), x.imaginary.slice()];
  SpecialFft.for(real.length)[direction](real, imaginary);
  return { real, imaginary };
};

const cases = [
  [8, 1],
  [8, 3],
  [16, 2],
  [64, 3],
  [64, 4],
  [256, 3],
  [512, 4],
];

describe.each(cases)("%i slots in %i factors", (n, count) => {
  const x = randomVector(n, n + count);

  test("slots → coefficients is n times the inverse FFT, bits reversed", () => {
    const got = applyAll(coefficientFactors(n, count), x);
    const expected = reversed(transformed(x, "inverse"));
    expect(
      precision(
        expected,
        applyAll(
          [
            scaleMatrix(
              { slots: n, diagonals: new Map([[0, { real: Float64Array.of(1), imaginary: Float64Array.of(0) }]]) },
              1 / n,
            ),
          ],
          got,
        ),
      ).minimum,
    ).toBeGreaterThan(44);
  });

  test("coefficients → slots is the FFT of bit-reversed coefficients", () => {
    expect(precision(transformed(x, "forward"), applyAll(slotFactors(n, count), reversed(x))).minimum).toBeGreaterThan(
      40,
    );
  });

  test("the one undoes the other, up to n", () => {
    const there = applyAll(coefficientFactors(n, count), x);
    const back = applyAll(slotFactors(n, count), there);
    expect(
      precision(x, { real: back.real.map((v) => v / n), imaginary: back.imaginary.map((v) => v / n) }).minimum,
    ).toBeGreaterThan(44);
  });

  test.each([
    ["first", coefficientFactors],
    ["last", slotFactors],
  ] as const)(
    "moving rotations to the %s factor leaves the product as it is, without negative indices elsewhere",
    (wrapping, make) => {
      const factors = make(n, count);
      const moved = withoutNegativeIndices(factors, wrapping);
      expect(precision(applyAll(factors, x), applyAll(moved, x)).minimum).toBeGreaterThan(40);
      const end = wrapping === "first" ? 0 : moved.length - 1;
      for (const [i, { diagonals }] of moved.entries()) {
        if (i !== end) expect(Math.min(...diagonals.keys())).toBeGreaterThanOrEqual(0);
      }
    },
  );

  test("factors are sparse: a few diagonals for each of their stages", () => {
    const stages = Math.ceil(Math.log2(n) / count);
    for (const { slots, diagonals } of [...coefficientFactors(n, count), ...slotFactors(n, count)]) {
      expect(slots).toBe(n);
      expect(diagonals.size).toBeLessThanOrEqual(2 ** (stages + 1));
    }
  });
});

test("a doubled matrix acts on both halves, the second times a constant", () => {
  const n = 16;
  const matrix = slotFactors(n, 1)[0]; // does not wrap around
  const x = randomVector(n, 3);
  const both = tabulate(2 * n, (j) => at(x, j));
  const got = apply(doubleMatrix(matrix, 0, -1), both);
  const once = apply(matrix, x);
  const expected = tabulate(2 * n, (j) => (j < n ? at(once, j) : complex.multiply(at(once, j - n), [0, -1])));
  expect(precision(expected, got).minimum).toBeGreaterThan(44);
});
