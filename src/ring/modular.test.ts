import fc from "fast-check";
import { expect, test } from "vitest";
import { bigModulo, invertModulo, multiplyModulo, powerModulo, productModulo } from "./modular.ts";

const prime = fc.constantFrom(2 ** 30 - 35, 2 ** 30 - 41, 1073479681, 536608769, 33550337, 16777259);
const residue = (q: number): fc.Arbitrary<number> =>
  fc.oneof(fc.integer({ min: 0, max: q - 1 }), fc.constantFrom(0, 1, q - 1, q - 2, (q - 1) / 2));
const pair = prime.chain((q) => fc.tuple(fc.constant(q), residue(q), residue(q)));

test("products and powers agree with bigint", () => {
  const property = fc.property(pair, fc.integer({ min: 0, max: 2 ** 40 }), ([q, a, b], exponent) => {
    expect(BigInt(multiplyModulo(a, b, q))).toBe((BigInt(a) * BigInt(b)) % BigInt(q));
    let power = 1n;
    let square = BigInt(a);
    for (let rest = BigInt(exponent); rest > 0n; rest >>= 1n) {
      if (rest & 1n) power = (power * square) % BigInt(q);
      square = (square * square) % BigInt(q);
    }
    expect(BigInt(powerModulo(a, exponent, q))).toBe(power);
  });
  fc.assert(property, { numRuns: 300, seed: 1 });
});

test("an inverse times its number is 1; 0 has none", () => {
  const property = fc.property(pair, ([q, a]) => {
    if (a === 0) expect(() => invertModulo(a, q)).toThrow(`0 has no inverse modulo ${q}`);
    else expect(multiplyModulo(a, invertModulo(a, q), q)).toBe(1);
  });
  fc.assert(property, { numRuns: 200, seed: 2 });
});

test("products of many factors and big integers of both signs", () => {
  const property = fc.property(
    prime,
    fc.array(fc.nat(2 ** 30), { maxLength: 40 }),
    fc.bigInt(-(2n ** 2000n), 2n ** 2000n),
    (q, factors, big) => {
      const product = factors.reduce((all, factor) => all * BigInt(factor), 1n);
      expect(BigInt(productModulo(factors, q))).toBe(product % BigInt(q));
      expect(BigInt(bigModulo(big, q))).toBe(((big % BigInt(q)) + BigInt(q)) % BigInt(q));
    },
  );
  fc.assert(property, { numRuns: 200, seed: 3 });
});
