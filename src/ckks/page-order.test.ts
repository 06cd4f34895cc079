import { describe, expect, it } from "vitest";
import type { KeyName } from "./keys.ts";
import { PageOrder } from "./page-order.ts";

const a: KeyName = "galois-5";
const b: KeyName = "galois-25";
const c: KeyName = "relinearisation";

describe("PageOrder", () => {
  it("knows how far the next use is", () => {
    const order = new PageOrder([a, b, a, c]);
    expect([order.distance(a), order.distance(b), order.distance(c)]).toEqual([0, 1, 3]);
    order.advance(a);
    expect([order.distance(a), order.distance(b), order.distance(c)]).toEqual([1, 0, 2]);
  });

  it("says that what is not used again is infinitely far", () => {
    const order = new PageOrder([a, b]);
    order.advance(a);
    expect(order.distance(a)).toBe(Number.POSITIVE_INFINITY);
    expect(order.distance("galois-125")).toBe(Number.POSITIVE_INFINITY);
  });

  it("finds its place again after a use that was not expected", () => {
    const order = new PageOrder([a, b, c, b]);
    order.advance(c); // a and b were skipped
    expect(order.distance(b)).toBe(0);
    expect(order.distance(a)).toBe(Number.POSITIVE_INFINITY);
  });
});
