import fc from "fast-check";
import { expect, test } from "vitest";
import { linear, multiplyTransposed } from "./linear.ts";

test("multiplyTransposed agrees with three loops, for every edge of the tiles and blocks", () => {
  const size = fc.integer({ min: 1, max: 11 });
  fc.assert(
    fc.property(
      size,
      fc.oneof(size, fc.constantFrom(1500, 5000)),
      size,
      fc.boolean(),
      (rows, inner, columns, single) => {
        const a = Float64Array.from({ length: rows * inner }, (_, i) => ((i * 7919) % 31) - 15);
        const b = Float64Array.from({ length: columns * inner }, (_, i) => ((i * 104729) % 29) - 14);
        const out = new Float64Array(rows * columns).fill(Number.NaN);
        multiplyTransposed(a, single ? Float32Array.from(b) : b, inner, out);
        for (let i = 0; i < rows; i++) {
          for (let j = 0; j < columns; j++) {
            let sum = 0;
            for (let k = 0; k < inner; k++) sum += a[i * inner + k] * b[j * inner + k];
            expect(out[i * columns + j]).toBe(sum);
          }
        }
      },
    ),
    { numRuns: 60 },
  );
});

test("linear adds the bias of every column and checks sizes", () => {
  const layer = { weight: Float32Array.of(1, 0, 0, 1, 1, 1), bias: Float32Array.of(10, 20, 30) };
  expect([...linear(Float64Array.of(1, 2, 3, 4), 2, layer)]).toEqual([11, 22, 33, 13, 24, 37]);
  expect(() => linear(Float64Array.of(1, 2, 3), 3, layer)).toThrow("weight: expected 9 elements, got 6");
});
