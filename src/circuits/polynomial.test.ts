import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { readAll } from "../../test/kernels/support.ts";
import { depthSpec, errorOf, Fixture, precision, sharedBackend, uniforms } from "../../test/support/ckks.ts";
import { PrecisionTable } from "../../test/support/precision.ts";
import type { Ciphertext } from "../ckks/index.ts";
import { evaluateSeries } from "./approximation/index.ts";
import {
  ChebyshevBasis,
  divideByChebyshev,
  evaluateChebyshev,
  evaluateInBasis,
  evaluateTogether,
  polynomialDepth,
} from "./polynomial.ts";

let fixture: Fixture;
let u: Ciphertext;
let x: Float64Array;
const table = new PrecisionTable("polynomials");

beforeAll(async () => {
  fixture = (await Fixture.make({ ...depthSpec, logN: 8 }, 81)).addKeys();
  const next = uniforms(3);
  x = Float64Array.from({ length: 128 }, (_, j) => (j === 0 ? 1 : j === 1 ? -1 : 2 * next() - 1));
  u = fixture.encrypt(x, 8);
});
afterAll(async () => {
  table.check();
  (await sharedBackend()).dispose();
});

const clenshaw = (coefficients: readonly number[]): Float64Array =>
  x.map((value) => evaluateSeries({ interval: [-1, 1], coefficients: Float64Array.from(coefficients) }, value));

/** Coefficients of magnitude 1/(degree + 1), those that `keep` refuses 0, the leading one not 0. */
function series(degree: number, keep: (k: number) => boolean, seed: number): number[] {
  const next = uniforms(seed);
  return Array.from({ length: degree + 1 }, (_, k) => (keep(k) || k === degree ? (2 * next() - 1) / (degree + 1) : 0));
}

const bits = (result: Ciphertext, coefficients: readonly number[]): { mean: number; minimum: number } =>
  fixture.bits(result, { real: clenshaw(coefficients), imaginary: new Float64Array(x.length) });

const kinds: [string, (k: number) => boolean][] = [
  ["dense", () => true],
  ["odd", (k) => k % 2 === 1],
  ["even", (k) => k % 2 === 0],
  ["sparse", (k) => k % 7 === 3],
  ["one term", () => false],
];

describe.each(kinds)("%s series of degrees 1 to 64", (name, keep) => {
  test("against Clenshaw: depth ⌈log2(degree + 1)⌉, the operand's scale, precision", () => {
    for (let degree = 1; degree <= 64; degree++) {
      const coefficients = series(degree, keep, degree);
      const depth = Math.ceil(Math.log2(degree + 1));
      expect(polynomialDepth(degree)).toBe(depth);
      const result = evaluateChebyshev(fixture.evaluator, u, coefficients);
      expect(result.level, `level at degree ${degree}`).toBe(8 - depth);
      expect(Math.abs(result.scale / u.scale - 1), `scale at degree ${degree}`).toBeLessThan(2 ** -48);
      expect(result.slots).toBe(128);
      const measured = bits(result, coefficients);
      expect(measured.minimum, `degree ${degree}`).toBeGreaterThan(34);
      table.add(`${name}, degree ${degree <= 8 ? "1 to 8" : degree <= 31 ? "9 to 31" : "32 to 64"}`, measured);
    }
  });
});

describe("options", () => {
  const coefficients = series(13, () => true, 5);

  test("a lower level and another scale are met exactly", () => {
    for (const [level, scale] of [
      [4, 2 ** 50],
      [2, 2 ** 50],
      [0, 2 ** 50],
      [3, 2 ** 45],
      [4, 2 ** 52.5],
      [4, 2 ** 50 / 3],
    ]) {
      const result = evaluateChebyshev(fixture.evaluator, u, coefficients, { level, scale });
      expect(result.level).toBe(level);
      expect(Math.abs(result.scale / scale - 1)).toBeLessThan(2 ** -48);
      expect(bits(result, coefficients).minimum, `level ${level}, scale 2^${Math.log2(scale)}`).toBeGreaterThan(30);
    }
  });

  test("an operand of another scale", () => {
    using other = fixture.encrypt(x, 8, 2 ** 48.3);
    const result = evaluateChebyshev(fixture.evaluator, other, coefficients);
    expect(Math.abs(result.scale / 2 ** 48.3 - 1)).toBeLessThan(2 ** -48);
    expect(bits(result, coefficients).minimum).toBeGreaterThan(30);
  });

  test("several polynomials on one basis", () => {
    using basis = new ChebyshevBasis(fixture.evaluator, [u]);
    for (const degree of [3, 9, 15, 31]) {
      const one = series(degree, () => true, degree);
      expect(bits(evaluateInBasis(fixture.evaluator, basis, one)[0], one).minimum).toBeGreaterThan(33);
    }
  });

  test("ciphertexts evaluated together have the bytes of each alone", () => {
    const words = ({ parts }: Ciphertext): unknown[] =>
      parts.map((part) => readAll(fixture.context.ring.kernels, part));
    using other = fixture.encrypt(x.toReversed(), u.level);
    const together = evaluateTogether(fixture.evaluator, [u, other, u], coefficients);
    for (const [i, one] of [u, other, u].entries()) {
      using alone = evaluateChebyshev(fixture.evaluator, one, coefficients);
      expect(words(together[i] as Ciphertext)).toEqual(words(alone));
    }
    for (const result of together) result.dispose();
  });

  test("powers of the basis are T_k at the highest level there is", () => {
    using basis = new ChebyshevBasis(fixture.evaluator, [u]);
    for (const k of [1, 2, 3, 5, 8, 12, 32]) {
      const [power] = basis.get(k) as readonly [Ciphertext];
      expect(power.level).toBe(8 - Math.ceil(Math.log2(k)));
      expect(basis.level(k)).toBe(power.level);
      const expected = x.map((value) => Math.cos(k * Math.acos(value)));
      expect(
        precision({ real: expected, imaginary: new Float64Array(128) }, fixture.decryptor.decrypt(power)).minimum,
      ).toBeGreaterThan(33);
    }
  });

  test("zeros at the end do not count, a constant is a constant", () => {
    const short = evaluateChebyshev(fixture.evaluator, u, [0.25, 0.5, 0, 0, 0, 0]);
    expect(short.level).toBe(7);
    expect(bits(short, [0.25, 0.5]).minimum).toBeGreaterThan(38);
    expect(bits(evaluateChebyshev(fixture.evaluator, u, [0.75]), [0.75]).minimum).toBeGreaterThan(38);
    expect(bits(evaluateChebyshev(fixture.evaluator, u, [0, 0, 0, 0]), [0]).minimum).toBeGreaterThan(38);
  });

  test("the operand stays as it is, and memory is given back", () => {
    const before = fixture.decryptor.decrypt(u);
    const { used } = fixture.context.backend.memory();
    evaluateChebyshev(fixture.evaluator, u, coefficients).dispose();
    expect(fixture.context.backend.memory().used).toBe(used);
    expect(fixture.decryptor.decrypt(u)).toEqual(before);
  });
});

describe("what is refused", () => {
  test("a polynomial deeper than the ciphertext, with both figures", () => {
    using low = fixture.encrypt(x, 3);
    const { used } = fixture.context.backend.memory();
    const error = errorOf(() =>
      evaluateChebyshev(
        fixture.evaluator,
        low,
        series(8, () => true, 1),
      ),
    );
    expect(error.code).toBe("level");
    expect(error.message).toBe("polynomial of degree 8: needs 4 levels above level 0, the ciphertext is at level 3");
    expect(error.hint).toContain("bootstrap");
    expect(
      errorOf(() =>
        evaluateChebyshev(
          fixture.evaluator,
          u,
          series(8, () => true, 1),
          { level: 5 },
        ),
      ).message,
    ).toContain("needs 4 levels above level 5, the ciphertext is at level 8");
    expect(fixture.context.backend.memory().used).toBe(used);
  });
});

test("division by T_n: quotient·T_n + remainder is the series", () => {
  const coefficient = fc.double({ min: -1, max: 1, noNaN: true });
  const property = fc.property(
    fc.constantFrom(2, 4, 8, 16),
    fc.array(coefficient, { minLength: 40, maxLength: 40 }),
    fc.nat(15),
    (n, all, more) => {
      const input = all.slice(0, n + 1 + Math.min(more, n - 1));
      const { quotient, remainder } = divideByChebyshev(input, n);
      for (const value of [-1, -0.3, 0.1, 0.77, 1]) {
        const evaluate = (c: readonly number[]): number =>
          evaluateSeries({ interval: [-1, 1], coefficients: Float64Array.from(c.length === 0 ? [0] : c) }, value);
        const whole = evaluate(quotient) * Math.cos(n * Math.acos(value)) + evaluate(remainder);
        expect(whole).toBeCloseTo(evaluate(input), 10);
      }
      expect(remainder.length).toBeLessThanOrEqual(n);
    },
  );
  fc.assert(property, { numRuns: 100, seed: 1 });
});
