import { describe, expect, test } from "vitest";
import { type axisShares, contiguous, evenPaces, fastestOf, owned } from "./shares.ts";

const short = { layout: "short" } as Parameters<typeof axisShares>[0];

describe("runs of places", () => {
  test.each([1, 2, 3, 7])("are as even as can be on %i devices that are alike", (devices) => {
    for (const count of [0, 1, 5, 64]) {
      for (const pace of [1, 2.5]) {
        const shares = contiguous(count, new Array<number>(devices).fill(pace));
        expect(shares.flat()).toEqual(Array.from({ length: count }, (_, i) => i));
        const sizes = shares.map((share) => share.length);
        expect(Math.max(...sizes) - Math.min(...sizes)).toBeLessThanOrEqual(1);
      }
    }
  });

  test("are as long as devices are fast", () => {
    expect(contiguous(9, [1, 2]).map((share) => share.length)).toEqual([6, 3]);
    expect(contiguous(100, [1, 4, 2]).map((share) => share.length)).toEqual([57, 14, 29]);
    expect(contiguous(100, [1, 4, 2]).flat()).toEqual(Array.from({ length: 100 }, (_, i) => i));
    expect(contiguous(1, [9, 1])).toEqual([[], [0]]);
  });
});

test("what is on one device is on the fastest", () => {
  const tensor = { axis: "feature", count: 4, blocks: 1 } as unknown as Parameters<typeof owned>[1];
  expect(fastestOf([2, 1, 1])).toBe(1);
  expect(owned(short, tensor, 0, "single", [2, 1])).toEqual([[], [0, 1, 2, 3]]);
  expect(owned(short, tensor, 0, "axis", [3, 1])).toEqual([[0], [1, 2, 3]]);
  expect(owned(short, tensor, 0, "axis", evenPaces(2))).toEqual([
    [0, 1],
    [2, 3],
  ]);
});
