import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Fixture, randomVector, sharedBackend, toySpec, wordsOf } from "../../test/support/ckks.ts";
import { type EvaluationKey, Evaluator, KeyStore, rotationElement } from "./index.ts";

const spec = { ...toySpec, logN: 6, name: "insecure-keys" };
let fixture: Fixture;
let keys: EvaluationKey[];
beforeAll(async () => {
  fixture = await Fixture.make(spec, 61);
  const { generator, secret, context } = fixture;
  keys = [1, 2, 3, 4, 5].map((steps) => generator.galoisKey(secret, rotationElement(steps, context.parameters.degree)));
});
afterAll(async () => (await sharedBackend()).dispose());

const loadedBytes = (): number => {
  const { parameters, ring } = fixture.context;
  return 2 * parameters.digits.length * parameters.extendedModuli(3).length * ring.kernels.limbStride;
};

describe("paging", () => {
  test("keys are loaded when asked for, least recently used first out, and results do not change", () => {
    using roomy = new KeyStore(fixture.context);
    using tight = new KeyStore(fixture.context, { residentBytes: 2 * loadedBytes() });
    for (const key of keys) {
      roomy.add(key);
      tight.add(key);
    }
    expect(tight.memory().resident).toBe(0);
    const { parameters } = fixture.context;
    expect(tight.memory().stored).toBe(5 * (parameters.keyBytes(3).compressed - 32));
    using a = fixture.encrypt(randomVector(32, 1));
    const [one, other] = [new Evaluator(fixture.context, roomy), new Evaluator(fixture.context, tight)];
    for (const steps of [1, 2, 3, 1, 4, 5, 1, 2]) {
      using expected = one.rotate(a, steps);
      using got = other.rotate(a, steps);
      expect(wordsOf(got)).toEqual(wordsOf(expected));
      expect(tight.memory().resident).toBeLessThanOrEqual(2 * loadedBytes());
    }
    expect(roomy.memory().resident).toBe(5 * loadedBytes());
  });

  test("disposing gives all memory back", () => {
    const { used } = fixture.context.backend.memory();
    {
      using store = new KeyStore(fixture.context);
      store.add(keys[0]);
      store.key(keys[0].name, 3);
      expect(fixture.context.backend.memory().used).toBe(used + loadedBytes());
    }
    expect(fixture.context.backend.memory().used).toBe(used);
  });

  test("a key of a higher level replaces one of a lower, not the other way round", () => {
    using store = new KeyStore(fixture.context);
    const { generator, secret } = fixture;
    const low = generator.relinearisationKey(secret, 1);
    const high = generator.relinearisationKey(secret, 2);
    store.add(low);
    store.key("relinearisation", 1);
    store.add(high);
    expect(store.list()).toEqual([{ name: "relinearisation", level: 2 }]);
    store.add(low);
    expect(store.key("relinearisation", 2).level).toBe(2);
  });
});

test("a key for level l has the limbs of level l only", () => {
  const { generator, secret, context } = fixture;
  for (const level of [0, 1, 2, 3]) {
    const key = generator.relinearisationKey(secret, level);
    expect(key.b).toHaveLength(context.parameters.digitsAt(level).length);
    expect(key.b[0]).toHaveLength(context.parameters.extendedModuli(level).length * context.ring.degree);
  }
});
