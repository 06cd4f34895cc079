import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  at,
  type Complex,
  complex,
  depthSpec,
  errorOf,
  Fixture,
  randomVector,
  sharedBackend,
  tabulate,
  uniforms,
} from "../../test/support/ckks.ts";
import { PrecisionTable } from "../../test/support/precision.ts";
import type { ComplexVector } from "../ckks/index.ts";
import { type DiagonalMatrix, LinearTransform, splitDiagonals, transformRotations } from "./linear-transform.ts";

let fixture: Fixture;
const table = new PrecisionTable("linear-transforms");
const slots = 128;

beforeAll(async () => {
  fixture = await Fixture.make({ ...depthSpec, logN: 8, logLevels: [50, 50, 50] }, 71);
});
afterAll(async () => {
  table.check();
  (await sharedBackend()).dispose();
});

/** out[j] = Σ_k diagonal_k[j]·in[j + k]. */
function multiply({ slots: n, diagonals }: DiagonalMatrix, x: ComplexVector): ComplexVector {
  return tabulate(n, (j) => {
    let sum: Complex = [0, 0];
    for (const [k, vector] of diagonals) sum = complex.add(sum, complex.multiply(at(vector, j), at(x, (j + k) % n)));
    return sum;
  });
}

function matrix(n: number, indices: readonly number[], seed: number, period = n): DiagonalMatrix {
  return { slots: n, diagonals: new Map(indices.map((k, i) => [k, randomVector(period, seed + i)])) };
}

/** Precision of the transform with the keys that it asks for and no others. */
function apply(
  m: DiagonalMatrix,
  seed: number,
  options: { babySteps?: number; scale?: number } = {},
): { mean: number; minimum: number } {
  using transform = new LinearTransform(fixture.context, m, 3, options);
  fixture.addRotations(transformRotations(transform.split, m.slots));
  const x = randomVector(m.slots, seed);
  using a = fixture.encrypt(x);
  const result = transform.apply(fixture.evaluator, a);
  expect(result.level).toBe(2);
  expect(result.slots).toBe(m.slots);
  return fixture.bits(result, multiply(m, x));
}

describe("against the plain matrix", () => {
  const next = uniforms(5);
  const some = (count: number, n: number): number[] =>
    Array.from({ length: count }, () => Math.floor(next() * 2 * n) - n);

  test.each<[string, () => DiagonalMatrix]>([
    [
      "the identity",
      () => ({ slots, diagonals: new Map([[0, { real: Float64Array.of(1), imaginary: Float64Array.of(0) }]]) }),
    ],
    ["one diagonal", () => matrix(slots, [5], 1)],
    ["a band of 7", () => matrix(slots, [-3, -2, -1, 0, 1, 2, 3], 2)],
    ["indices of a common stride", () => matrix(slots, [-32, -16, 0, 16, 32, 48], 3)],
    ["10 random diagonals", () => matrix(slots, some(10, slots), 4)],
    ["indices that are equal modulo the slots", () => matrix(slots, [1, 1 + slots, 1 - slots, 2], 5)],
    [
      "a full matrix",
      () =>
        matrix(
          slots,
          Array.from({ length: slots }, (_, k) => k),
          6,
        ),
    ],
    ["period 8", () => matrix(slots, some(6, slots), 7, 8)],
    ["period 1", () => matrix(slots, [0, 1, 2, 4, 8], 8, 1)],
    ["16 slots of 128", () => matrix(16, [-5, -1, 0, 2, 7], 9)],
    ["2 slots", () => matrix(2, [0, 1], 10)],
  ])("%s", (name, make) => {
    for (const seed of [1, 2, 3]) table.add(name, apply(make(), seed));
  });

  test("diagonals of different periods in one matrix", () => {
    const diagonals = new Map([1, 2, 4, 16, 128].map((period, i) => [3 * i, randomVector(period, period)]));
    table.add("mixed periods", apply({ slots, diagonals }, 4));
  });

  test.each([1, 2, 4, 8, 16])("%i baby steps give the same result", (babySteps) => {
    const m = matrix(slots, [-9, -4, 0, 1, 2, 3, 5, 8, 13, 21], 11);
    expect(apply(m, 5, { babySteps }).minimum).toBeGreaterThan(36);
  });

  test("a ciphertext of higher level is dropped, the result keeps the operand's scale", () => {
    using transform = new LinearTransform(fixture.context, matrix(slots, [0, 1], 12), 2);
    fixture.addRotations(transformRotations(transform.split, slots));
    using a = fixture.encrypt(randomVector(slots, 1), 3);
    using result = transform.apply(fixture.evaluator, a);
    expect([result.level, result.scale]).toEqual([1, a.scale]);
    expect(a.level).toBe(3);
  });

  test("the scale of the plaintexts goes into the result's", () => {
    using transform = new LinearTransform(fixture.context, matrix(slots, [0, 1], 13), 3, { scale: 2 ** 45 });
    fixture.addRotations([1]);
    using a = fixture.encrypt(randomVector(slots, 1));
    using result = transform.apply(fixture.evaluator, a);
    expect(result.scale).toBeCloseTo((a.scale * 2 ** 45) / fixture.context.parameters.levelModulus(3), -20);
  });

  test("memory is given back", () => {
    const { used } = fixture.context.backend.memory();
    {
      using transform = new LinearTransform(fixture.context, matrix(slots, [0, 1, 2, 3], 14), 3);
      fixture.addRotations(transformRotations(transform.split, slots));
      using a = fixture.encrypt(randomVector(slots, 1));
      using result = transform.apply(fixture.evaluator, a);
      expect(result.level).toBe(2);
      expect(transform.bytes).toBeGreaterThan(0);
    }
    const resident = fixture.keys.memory().resident;
    expect(fixture.context.backend.memory().used - used).toBeLessThanOrEqual(resident);
  });
});

describe("splits", () => {
  test("every index is a baby step plus a giant step", () => {
    for (const indices of [
      [0],
      [5],
      [-3, -2, -1, 0, 1, 2, 3],
      [-64, 0, 64, 128],
      Array.from({ length: 100 }, (_, k) => 7 * k),
    ]) {
      for (const babySteps of [undefined, 1, 4, 16]) {
        const split = splitDiagonals(indices, 256, babySteps);
        for (const k of indices) {
          const reach = split.giants.some((giant) => split.babies.some((baby) => (giant + baby - k) % 256 === 0));
          expect(reach, `index ${k} of ${indices}`).toBe(true);
        }
      }
    }
  });

  test("a full matrix of n diagonals asks for about 2√n keys or fewer", () => {
    const split = splitDiagonals(
      Array.from({ length: 256 }, (_, k) => k),
      256,
    );
    expect(transformRotations(split, 256).length).toBeLessThanOrEqual(2 * 16 + 16);
  });

  test("keys are positive steps below the slot count, each once, never 0", () => {
    const split = splitDiagonals([-100, -50, 0, 50, 100], 256);
    const rotations = transformRotations(split, 256);
    expect(new Set(rotations).size).toBe(rotations.length);
    for (const steps of rotations) expect(steps > 0 && steps < 256).toBe(true);
  });
});

describe("what is refused", () => {
  test("a matrix without diagonals, of other slots, at level 0", () => {
    const { context } = fixture;
    expect(errorOf(() => new LinearTransform(context, { slots, diagonals: new Map() }, 3)).code).toBe("argument");
    expect(() => new LinearTransform(context, matrix(3, [0], 1), 3)).toThrow("slots: expected a power of two, got 3");
    expect(() => new LinearTransform(context, matrix(256, [0], 1), 3)).toThrow("slots: expected 2 to 128, got 256");
    expect(() => new LinearTransform(context, matrix(slots, [0], 1), 0)).toThrow(/level/);
  });

  test("a ciphertext below the transform's level", () => {
    using transform = new LinearTransform(fixture.context, matrix(slots, [0], 1), 2);
    using a = fixture.encrypt([1], 1);
    const error = errorOf(() => transform.apply(fixture.evaluator, a));
    expect(error.code).toBe("level");
    expect(error.message).toBe("linear transform: encoded for level 2, ciphertext at level 1");
  });
});
