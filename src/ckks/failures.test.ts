/** What users do wrong: each gets one clear message, and nothing changes or leaks. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { errorOf, Fixture, operationsSpec, randomVector, sharedBackend, wordsOf } from "../../test/support/ckks.ts";
import { AegisError } from "../base/errors.ts";
import { type Ciphertext, Evaluator, KeyStore, preset } from "./index.ts";

let fixture: Fixture;
let a: Ciphertext;
let low: Ciphertext;

beforeAll(async () => {
  fixture = (await Fixture.make({ ...operationsSpec, logN: 5 }, 41)).addKeys([1]);
  a = fixture.encrypt(randomVector(16, 1));
  low = fixture.encrypt(randomVector(16, 2), 0);
});
afterAll(async () => (await sharedBackend()).dispose());

/** Runs a failing call; operands and memory must be as before. */
function failure(body: () => unknown): AegisError {
  const before = [wordsOf(a), wordsOf(low)];
  const { used } = fixture.context.backend.memory();
  const error = errorOf(body);
  expect(error).toBeInstanceOf(AegisError);
  expect([wordsOf(a), wordsOf(low)]).toEqual(before);
  expect(fixture.context.backend.memory().used, "memory after the failure").toBe(used);
  return error as AegisError;
}

describe("levels", () => {
  test.each(["rescale", "relineariseRescale"] as const)("%s at level 0 says the level and the scale", (operation) => {
    const error = failure(() => fixture.evaluator[operation](low));
    expect(error.code).toBe("level");
    expect(error.message).toBe("rescale: the ciphertext is at level 0 (scale 2^50.00): no level is left");
    expect(error.hint).toContain("bootstrap");
    expect([error.level, error.logScale]).toEqual([0, 50]);
  });

  test("multiplyRescale at level 0", () => {
    const error = failure(() => fixture.evaluator.multiplyRescale(a, low));
    expect(error.code).toBe("level");
    expect(error.message).toContain("level 0");
  });

  test.each([4, -1, 1.5])("dropLevel to %d", (level) => {
    const error = errorOf(() => fixture.evaluator.dropLevel(a, level));
    expect(error.message).toMatch(/level/);
  });

  test("plaintexts of a lower level", () => {
    using plain = fixture.encoder.encode([1], { level: 1 });
    const sum = failure(() => fixture.evaluator.addPlain(a, plain));
    expect([sum.code, sum.message]).toEqual(["level", "addPlain: plaintext at level 1, ciphertext at level 3"]);
    using factor = fixture.encoder.encode([1], { level: 1, use: "product" });
    const product = failure(() => fixture.evaluator.multiplyPlain(a, factor));
    expect(product.message).toContain("expected a plaintext for products at level 3 or higher, got level 1");
  });
});

describe("scales", () => {
  test.each(["add", "subtract"] as const)("%s names both levels and both scales in log2", (operation) => {
    using other = fixture.encrypt([1], 2, 2 ** 40.5);
    const error = failure(() => fixture.evaluator[operation](a, other));
    expect(error.code).toBe("scale");
    expect(error.message).toBe(`${operation}: the scales differ: 2^50.0000 at level 3 and 2^40.5000 at level 2`);
    expect(error.hint).toBeTruthy();
    expect([error.level, error.logScale]).toEqual([2, 50]);
  });

  test("addPlain and sums of products", () => {
    using plain = fixture.encoder.encode([1], { scale: 2 ** 49 });
    expect(failure(() => fixture.evaluator.addPlain(a, plain)).message).toContain(
      "2^50.0000 at level 3 and 2^49.0000 at level 3",
    );
    using other = fixture.encrypt([1], 3, 2 ** 49);
    const error = failure(() =>
      fixture.evaluator.tensorSum([
        [a, a],
        [a, other],
      ]),
    );
    expect([error.code, error.operation]).toEqual(["scale", "multiply"]);
    expect(error.message).toContain("2^-1.000000");
  });

  test("a rescaled ciphertext is not added to one that was not", () => {
    using product = fixture.evaluator.multiplyRescale(a, a);
    using lower = fixture.evaluator.dropLevel(a, 2);
    expect(product.scale).not.toBe(lower.scale);
    const ratio = Math.abs(product.scale / lower.scale - 1);
    if (ratio >= 2 ** -35) expect(failure(() => fixture.evaluator.add(product, lower)).code).toBe("scale");
  });
});

describe("forms", () => {
  test("degree 2 where degree 1 is wanted, and the other way round", () => {
    using product = fixture.evaluator.tensor(a, a);
    for (const body of [
      () => fixture.evaluator.rotate(product, 1),
      () => fixture.evaluator.conjugate(product),
      () => fixture.evaluator.multiply(product, a),
      () => fixture.evaluator.hoist(product),
      () => fixture.evaluator.switchKey(product, "relinearisation"),
    ]) {
      const error = failure(body);
      expect(error.code).toBe("argument");
      expect(error.message).toMatch(/: expected a ciphertext of degree 1, got degree 2/);
      expect(error.hint).toBe("relinearise it first");
    }
    expect(failure(() => fixture.evaluator.relinearise(a)).message).toBe(
      "relinearise: expected a ciphertext of degree 2, got degree 1",
    );
  });

  test("plaintexts for sums in products, for products in encryption", () => {
    using plain = fixture.encoder.encode([1]);
    expect(failure(() => fixture.evaluator.multiplyPlain(a, plain)).hint).toContain("use: 'product'");
    expect(failure(() => fixture.evaluator.plainSum([[a, plain]])).hint).toContain("use: 'product'");
    using factor = fixture.encoder.encode([1], { use: "product" });
    expect(failure(() => fixture.encryptor.encrypt(factor)).message).toContain("expected a plaintext encoded for sums");
  });
});

describe("sums of products with plaintexts", () => {
  test("no terms, operands below the plaintext, plaintexts over the wrong basis, scales that differ", () => {
    const { evaluator } = fixture;
    expect(failure(() => evaluator.plainSum([])).message).toContain("expected at least one term");
    using factor = evaluator.encode([1], { level: a.level, use: "product" });
    using lower = evaluator.dropLevel(a, a.level - 1);
    expect(failure(() => evaluator.plainSum([[lower, factor]])).code).toBe("level");
    using extended = evaluator.extend(a);
    expect(failure(() => evaluator.plainSums([[[extended, factor]]])).message).toContain("over QP");
    using double = evaluator.encode([1], { level: a.level, use: "product", scale: 2 * factor.scale });
    const sum = [a, factor] as const;
    expect(failure(() => evaluator.plainSum([sum, [a, double]])).code).toBe("scale");
    using product = evaluator.tensor(a, a);
    expect(failure(() => evaluator.plainSum([[product, factor]])).hint).toBe("relinearise it first");
  });

  test("levels of what is added over QP, and of what is raised", () => {
    const { evaluator } = fixture;
    using into = evaluator.zeroExtended(a.level, 1, a.slots);
    using lower = evaluator.zeroExtended(a.level - 1, 1, a.slots);
    expect(failure(() => evaluator.addExtended(into, lower)).code).toBe("level");
    expect(failure(() => evaluator.modRaise(a)).message).toContain("expected a ciphertext at level 0");
  });
});

describe("keys", () => {
  test("a missing key is named with its level", () => {
    const error = failure(() => fixture.evaluator.rotate(a, 3));
    expect(error.code).toBe("key");
    expect(error.message).toBe("key galois-61 at level 3 is needed, but there is none");
    expect(error.hint).toContain("generate the keys");
  });

  test("a key of a lower level serves up to its level", () => {
    using keys = new KeyStore(fixture.context);
    keys.add(fixture.generator.relinearisationKey(fixture.secret, 1));
    const evaluator = new Evaluator(fixture.context, keys);
    const error = failure(() => evaluator.multiply(a, a));
    expect(error.message).toBe("key relinearisation at level 3 is needed, but the one held serves levels up to 1");
    using lower = evaluator.dropLevel(a, 1);
    using square = evaluator.multiply(lower, lower);
    expect(square.level).toBe(1);
  });

  test("no relinearisation key", () => {
    const evaluator = new Evaluator(fixture.context, new KeyStore(fixture.context));
    for (const body of [
      () => evaluator.multiply(a, a),
      () => evaluator.multiplyRescale(a, a),
      () => evaluator.conjugate(a),
    ]) {
      expect(failure(body).code).toBe("key");
    }
  });
});

describe("values", () => {
  test("what cannot be encoded", () => {
    expect(() => fixture.encoder.encode([1, 2, 3])).toThrow("values.length: expected a power of two, got 3");
    expect(() => fixture.encoder.encode(new Float64Array(32))).toThrow("values.length: expected 1 to 16, got 32");
    expect(() => fixture.encoder.encode([])).toThrow(RangeError);
    for (const value of [2 ** 13, Number.POSITIVE_INFINITY, Number.NaN]) {
      const error = failure(() => fixture.encoder.encode([value]));
      expect(error.code).toBe("scale");
      expect(error.message).toMatch(/^encode: .* at scale 2\^50\.0; at most 2\^62 fit$/);
    }
    expect(failure(() => fixture.encoder.encode([Number.NaN])).message).toContain("a value that is not a number");
    expect(() => fixture.encoder.encode([1], { level: 4 })).toThrow("level: expected 0 to 3, got 4");
  });

  test("a preset that does not exist", () => {
    const error = errorOf(() => preset("bootstrap-17"));
    expect(error.message).toContain("expected one of bootstrap-16");
  });
});

test("out = in: operands may be the same ciphertext", async () => {
  using twice = fixture.evaluator.add(a, a);
  using zero = fixture.evaluator.subtract(a, a);
  using square = fixture.evaluator.multiply(a, a);
  expect(twice.scale).toBe(a.scale);
  expect(
    wordsOf(zero)
      .flat()
      .every((word) => word === 0),
  ).toBe(true);
  expect(square.level).toBe(3);
  const target = a.clone();
  fixture.evaluator.accumulate(target, target, 1);
  expect(wordsOf(target)).toEqual(wordsOf(twice));
  target.dispose();
});
