import { describe, expect, test } from "vitest";
import {
  asPartial,
  contributes,
  cutAt,
  holderOf,
  isHeldBy,
  isPartial,
  type Layout,
  maximumRanks,
  productLayout,
  sumLayout,
  unwritten,
  whole,
} from "./layout.ts";

const size = 4;
const home = 2;

/** What each rank holds of a limb with value 1: shares that sum to it, or copies. */
function sharesOf(layout: Layout): (number | undefined)[] {
  const held = Array.from({ length: size }, (_, rank) => isHeldBy(layout, rank));
  const first = held.indexOf(true);
  return held.map((holds, rank) => (!holds ? undefined : layout === whole || rank === first ? 1 : 0));
}

const layouts: Layout[] = [whole, cutAt(0), cutAt(home), asPartial(cutAt(1)), asPartial(cutAt(1) | cutAt(3))];

describe("layouts", () => {
  test("sums count every operand once", () => {
    for (const a of layouts) {
      for (const b of layouts) {
        const result = sumLayout(a, b, home);
        const [left, right] = [sharesOf(a), sharesOf(b)];
        const shares = left.map((_, rank) => {
          const parts = [
            contributes(a, result, rank, home) ? left[rank] : 0,
            contributes(b, result, rank, home) ? right[rank] : 0,
          ] as number[];
          const share = parts[0] + parts[1];
          if (!isHeldBy(result, rank)) expect(share).toBe(0);
          return share;
        });
        expect(result === whole ? shares : [shares.reduce((sum, share) => sum + share)]).toEqual(
          result === whole ? [2, 2, 2, 2] : [2],
        );
      }
    }
  });

  test("a sum over several ranks is partial, one rank's is not unless it was", () => {
    expect(isPartial(sumLayout(cutAt(1), cutAt(1), 1))).toBe(false);
    expect(isPartial(sumLayout(cutAt(1), cutAt(3), 1))).toBe(true);
    expect(isPartial(sumLayout(cutAt(1), asPartial(cutAt(1)), 1))).toBe(true);
    expect(isPartial(whole)).toBe(false);
    expect(isPartial(unwritten)).toBe(false);
  });

  test("products need a factor that all know, or both on one rank", () => {
    expect(productLayout(whole, whole)).toBe(whole);
    expect(productLayout(whole, asPartial(cutAt(0) | cutAt(1)))).toBe(asPartial(cutAt(0) | cutAt(1)));
    expect(productLayout(cutAt(3), asPartial(cutAt(3)))).toBe(asPartial(cutAt(3)));
    expect(() => productLayout(cutAt(0), cutAt(1))).toThrow("different ranks");
    expect(() => productLayout(asPartial(3), cutAt(1))).toThrow("one rank");
  });

  test("holders, up to the last rank", () => {
    for (let rank = 0; rank < maximumRanks; rank++) {
      expect(holderOf(cutAt(rank))).toBe(rank);
      expect(holderOf(asPartial(cutAt(rank)))).toBe(rank);
    }
    expect(() => holderOf(whole)).toThrow("one rank");
    expect(() => asPartial(whole)).toThrow("no partial sum");
  });
});
