import { describe, expect, test } from "vitest";
import { errorOf } from "../../test/support/ckks.ts";
import { maximumPrime, minimumPrime } from "../kernels/backend.ts";
import { isPrime, nttPrimes, PrimeSupply } from "./primes.ts";

function isPrimeByTrial(n: number): boolean {
  if (n < 2) return false;
  for (let d = 2; d * d <= n; d++) if (n % d === 0) return false;
  return true;
}

describe("isPrime", () => {
  test("agrees with trial division for small numbers and near the bounds", () => {
    for (let n = 0; n < 5000; n++) expect(isPrime(n), String(n)).toBe(isPrimeByTrial(n));
    for (let n = 2 ** 30 - 300; n < 2 ** 30; n++) expect(isPrime(n), String(n)).toBe(isPrimeByTrial(n));
  });

  test("is not deceived by strong pseudoprimes", () => {
    // To base 2; to bases 2 and 3; squares and products of NTT primes of few bits.
    for (const n of [2047, 3277, 4033, 1373653, 25326001, 3215031751 % 2 ** 30, 12289 * 12289, 12289 * 40961]) {
      expect(isPrime(n), String(n)).toBe(isPrimeByTrial(n));
    }
  });
});

describe("NTT primes", () => {
  test.each([10, 13, 16])("of N = 2^%i are prime, 1 modulo 2N, complete and ascending", (logN) => {
    const low = 2 ** 28;
    const high = low + 2 ** (logN + 9);
    const found = nttPrimes(logN, low, high);
    expect(found).toEqual([...found].sort((a, b) => a - b));
    const all = [];
    for (let n = Math.ceil(low / 2 ** (logN + 1)) * 2 ** (logN + 1) + 1; n < high; n += 2 ** (logN + 1))
      if (isPrimeByTrial(n)) all.push(n);
    expect(found).toEqual(all);
  });
});

describe("PrimeSupply", () => {
  test("hands out the nearest free primes, each once", () => {
    const logN = 15;
    const free = nttPrimes(logN, minimumPrime + 1, maximumPrime);
    const supply = new PrimeSupply(logN);
    for (const target of [2 ** 29, 2 ** 29, 2 ** 25.1, 2 ** 24, 2 ** 30, 2 ** 31, 2 ** 29, 1, 2 ** 27.5]) {
      const nearest = free.reduce((a, b) => (Math.abs(Math.log(b / target)) < Math.abs(Math.log(a / target)) ? b : a));
      expect(supply.takeNearest(target)).toBe(nearest);
      free.splice(free.indexOf(nearest), 1);
    }
  });

  test("keeps below the ceiling", () => {
    const supply = new PrimeSupply(15);
    for (let i = 0; i < 20; i++) expect(supply.takeNearest(2 ** 29, 2 ** 29)).toBeLessThan(2 ** 29);
  });

  test("says when none is left, and does not hang on nonsense", () => {
    const supply = new PrimeSupply(17);
    const all = nttPrimes(17, minimumPrime + 1, maximumPrime).length;
    for (let i = 0; i < all; i++) supply.takeNearest(2 ** 29);
    const error = errorOf(() => supply.takeNearest(2 ** 29));
    expect(error.code).toBe("parameters");
    expect(error.message).toBe("no prime left near 2^29.0 for N = 2^17");
    expect(error.hint).toBeTruthy();
    expect(() => supply.takeNearest(Number.NaN)).toThrow(TypeError);
  });
});
