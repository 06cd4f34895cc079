import { describe, expect, test } from "vitest";
import { cutAt, whole } from "./layout.ts";
import { checkRanks, type PrimeChain, placement, shardingNames } from "./sharding.ts";

const chain: PrimeChain = {
  logN: 6,
  specialCount: 3,
  digits: [
    [0, 4],
    [4, 7],
    [7, 9],
  ],
};
const moduli = Array.from({ length: 12 }, (_, m) => m);

describe("placement", () => {
  test("limb: round robin, special primes and every prefix of the others in balance", () => {
    for (const size of [1, 2, 3, 4, 5]) {
      const { home, stored, share } = placement({ name: "limb", chain }, size);
      expect(moduli.map(stored)).toEqual(moduli.map((m) => cutAt(home(m))));
      expect(share).toBeCloseTo(1 / size, 12);
      for (const [from, to] of [[0, 3], ...moduli.slice(3).map((m) => [3, m + 1])]) {
        const counts = Array.from(
          { length: size },
          (_, rank) => moduli.slice(from, to).filter((m) => home(m) === rank).length,
        );
        expect(Math.max(...counts) - Math.min(...counts)).toBeLessThanOrEqual(1);
      }
    }
  });

  test("limb-ib: special primes everywhere", () => {
    const { stored, known, share, aggregates } = placement({ name: "limb-ib", chain }, 2);
    expect(moduli.map(stored)).toEqual(moduli.map((m) => (m < 3 ? whole : cutAt(m % 2))));
    expect(known).toBe(stored);
    expect(share).toBe((3 + 9 / 2) / 12);
    expect(aggregates).toBe(false);
  });

  test("limb-oa: limbs where their digit is", () => {
    const { home, stored, known, aggregates } = placement({ name: "limb-oa", chain }, 2);
    expect(moduli.slice(3).map(home)).toEqual([0, 0, 0, 0, 1, 1, 1, 0, 0]);
    expect(moduli.map(stored)).toEqual(moduli.map((m) => (m < 3 ? whole : cutAt(home(m)))));
    expect(known(5)).toBe(whole);
    expect(aggregates).toBe(true);
  });

  test("numbers of devices", () => {
    for (const name of shardingNames) {
      expect(() => checkRanks({ name, chain }, 8)).not.toThrow();
      for (const size of [0, 31, 2.5]) {
        expect(() => checkRanks({ name, chain }, size)).toThrow(expect.objectContaining({ code: "plan" }));
      }
    }
    for (const name of ["limb", "limb-ib", "limb-oa"] as const) {
      expect(() => checkRanks({ name, chain }, 12)).not.toThrow();
      expect(() => checkRanks({ name, chain }, 13)).toThrow(/13 devices for 12 limbs/);
    }
    for (const size of [3, 16]) {
      expect(() => checkRanks({ name: "coefficient", chain }, size)).toThrow(/power of two of devices.*got/);
    }
  });
});
