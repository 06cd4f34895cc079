/** Conversion, division and the life of polynomials, against big integers. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { centred, fromBig, modulo, product, randomBig, residues, toBig } from "../../test/support/bigint.ts";
import { sharedBackend } from "../../test/support/ckks.ts";
import { conversionTable } from "./conversion.ts";
import { nttPrimes } from "./primes.ts";
import { Ring } from "./ring.ts";

const names = ["wasm", "reference"] as const;
const logN = 5;
const primes = [
  ...nttPrimes(logN, 2 ** 29, 2 ** 29 + 6000).slice(0, 6),
  ...nttPrimes(logN, 2 ** 25, 2 ** 25 + 6000).slice(0, 6),
  ...nttPrimes(logN, 2 ** 30 - 6000, 2 ** 30).slice(0, 4),
];
const rings = new Map<string, Ring>();

beforeAll(async () => {
  for (const name of names) rings.set(name, new Ring(await sharedBackend(name), logN, primes));
});
afterAll(async () => {
  for (const name of names) (await sharedBackend(name)).dispose();
});

describe("conversion constants", () => {
  test("are what their definition says", () => {
    const from = [0, 2, 7, 12];
    const to = [1, 6, 15];
    const table = conversionTable(primes, from, to);
    const q = product(from.map((k) => primes[k]));
    for (const [i, k] of from.entries()) {
      const rest = q / BigInt(primes[k]);
      expect(modulo(rest * BigInt(table.inverses[i]), BigInt(primes[k]))).toBe(1n);
      expect(BigInt(table.fractions[i])).toBe(2n ** 56n / BigInt(primes[k]));
      for (const [j, l] of to.entries()) {
        expect(BigInt(table.factors[j * from.length + i])).toBe(rest % BigInt(primes[l]));
        expect(BigInt(table.products[j])).toBe(q % BigInt(primes[l]));
      }
    }
  });
});

describe.each(names)("on %s", (name) => {
  const ring = (): Ring => rings.get(name) as Ring;

  test.each([
    [[0], [1, 2]],
    [
      [0, 6],
      [1, 7, 12],
    ],
    [
      [0, 1, 2, 6, 7, 12, 13],
      [3, 8],
    ],
    [[0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14], [15]],
  ])("base conversion from primes %j to %j gives the centred representative", (from, to) => {
    const q = product(from.map((k) => primes[k]));
    const values = randomBig(2 ** logN, q, from.length);
    using source = fromBig(ring(), from, values);
    using target = ring().poly(to, "coefficient");
    ring().kernels.convert(target, source, ring().conversion(from, to));
    const got = residues(target);
    for (const [j, x] of values.entries()) {
      const exact = centred(x, q);
      // Within Q·2^-20 of the middle either representative may come out.
      const near = (q - 2n * (exact < 0n ? -exact : exact)) * 2n ** 20n < q;
      const choices = near ? [exact, exact - q, exact + q] : [exact];
      const fits = choices.some((x) => to.every((k, i) => modulo(x, BigInt(primes[k])) === BigInt(got[i][j])));
      expect(fits, `value ${j}`).toBe(true);
    }
  });

  test.each([
    [[0], [1]],
    [[0, 1, 6], [7]],
    [
      [0, 6, 7],
      [1, 2, 3],
    ],
    [
      [6, 7, 8, 9],
      [0, 1, 12, 13, 14],
    ],
  ])("divide keeps primes %j, drops %j and rounds to the nearest", (kept, dropped) => {
    const divisor = product(dropped.map((k) => primes[k]));
    const whole = divisor * product(kept.map((k) => primes[k]));
    const values = randomBig(2 ** logN, whole, 3).map((x) => centred(x, whole));
    using high = fromBig(ring(), kept, values).toNtt();
    using low = fromBig(ring(), dropped, values).toNtt();
    using result = ring().divide(high, low);
    expect(toBig(low)).toEqual(values.map((x) => centred(x, divisor))); // left unchanged
    const got = toBig(result);
    const modulus = whole / divisor;
    for (const [j, x] of values.entries()) {
      const remainder = centred(x, divisor);
      const rounded = centred((x - remainder) / divisor, modulus);
      const near = (divisor - 2n * (remainder < 0n ? -remainder : remainder)) * 2n ** 20n < divisor;
      const difference = centred(got[j] - rounded, modulus);
      expect(difference === 0n || (near && difference ** 2n === 1n), `value ${j}: off by ${difference}`).toBe(true);
    }
  });

  test("divide by primes that stand in two places", () => {
    const kept = [0, 1];
    const whole = product([0, 1, 2, 6, 7].map((k) => primes[k]));
    const values = randomBig(2 ** logN, whole, 9);
    using together = fromBig(ring(), [2, 6, 7], values).toNtt();
    using first = fromBig(ring(), [2], values).toNtt();
    using second = fromBig(ring(), [6, 7], values).toNtt();
    using high = fromBig(ring(), kept, values).toNtt();
    using expected = ring().divide(high, together);
    using quotient = ring().divide(high, first, second);
    expect(toBig(quotient)).toEqual(toBig(expected));
    expect(() => ring().divide(high)).toThrow("at least one prime");
  });

  test("polynomials own their memory until they are disposed of", () => {
    const { backend } = ring();
    const before = backend.memory().used;
    {
      using poly = ring().zero([0, 3, 5], "coefficient");
      using copy = poly.clone(1, 3);
      expect(copy.moduli).toEqual([3, 5]);
      expect(copy.address).not.toBe(poly.address);
      expect(poly.bytes).toBe(3 * ring().kernels.limbStride);
      expect(backend.memory().used).toBe(before + poly.bytes + copy.bytes);
      const view = poly.limbs(1);
      expect(view).toEqual({ address: poly.address + ring().kernels.limbStride, moduli: [3, 5] });
      poly.dispose();
      expect(poly.isDisposed).toBe(true);
      poly.dispose(); // once more changes nothing
      expect(copy.isDisposed).toBe(false);
    }
    expect(backend.memory().used).toBe(before);
  });

  test("domain changes are idempotent and inverse to each other", () => {
    const values = randomBig(2 ** logN, product([primes[0], primes[6]]), 4).map((x) =>
      centred(x, product([primes[0], primes[6]])),
    );
    using poly = fromBig(ring(), [0, 6], values);
    expect(poly.toCoefficient().toNtt().toNtt().domain).toBe("ntt");
    expect(toBig(poly)).toEqual(values);
    expect(poly.domain).toBe("ntt"); // toBig reads a copy
    expect(poly.toCoefficient().domain).toBe("coefficient");
    expect(toBig(poly)).toEqual(values);
  });

  test("a product in NTT domain is the negacyclic product", () => {
    const n = 2 ** logN;
    const a = randomBig(n, 1n << 20n, 5);
    const b = randomBig(n, 1n << 20n, 6);
    const expected = new Array<bigint>(n).fill(0n);
    for (let i = 0; i < n; i++) {
      for (let j = 0; j < n; j++) expected[(i + j) % n] += (i + j < n ? 1n : -1n) * a[i] * b[j];
    }
    const moduli = [0, 1, 12];
    using x = fromBig(ring(), moduli, a).toNtt();
    using y = fromBig(ring(), moduli, b).toNtt();
    ring().kernels.multiplyScalar(x, x, ring().montgomery(moduli));
    ring().kernels.multiply(x, x, y);
    expect(toBig(x)).toEqual(expected);
    ring().kernels.multiplyScalar(y, y, ring().montgomery(moduli));
    ring().kernels.multiplyScalar(y, y, ring().montgomeryInverse(moduli));
    expect(toBig(y)).toEqual(b);
  });

  test("tables are made once", () => {
    expect(ring().conversion([0, 1], [2])).toBe(ring().conversion([0, 1], [2]));
    expect(ring().scalars("x", [0, 1], (q) => q - 1)).toBe(ring().scalars("x", [0, 1], () => 0));
    expect(ring().subring(3)).toBe(ring().subring(3));
    expect(ring().subring(logN)).toBe(ring());
    expect(ring().subring(3).degree).toBe(8);
  });
});
