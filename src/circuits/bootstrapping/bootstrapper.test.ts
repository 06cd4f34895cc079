import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Boot, makeBoot, realPrecision } from "../../../test/support/bootstrapping.ts";
import {
  complex,
  errorOf,
  Fixture,
  operationsSpec,
  randomVector,
  sharedBackend,
  wordsOf,
  zip,
} from "../../../test/support/ckks.ts";
import { PrecisionTable } from "../../../test/support/precision.ts";
import {
  deserializeCiphertext,
  Evaluator,
  KeyStore,
  preset,
  randomKeyId,
  readKeySet,
  serializeCiphertext,
  writeKeySet,
} from "../../ckks/index.ts";
import { Bootstrapper } from "./bootstrapper.ts";
import { bootstrappingKeys } from "./keys.ts";

const { spec, bootstrappingBits } = preset("insecure-test");
const table = new PrecisionTable("bootstrapping");
const maximum = 2 ** (spec.logN - 1);

afterAll(async () => {
  table.check();
  (await sharedBackend()).dispose();
});

describe.each([
  ["full", maximum],
  ["half", maximum / 2],
  ["sparse", 16],
] as const)("%s slots (%i)", (name, slots) => {
  const seeds = Array.from({ length: slots < 100 ? 8 : 2 }, (_, i) => i + 1); // few slots need more runs
  let boot: Boot;
  beforeAll(async () => {
    boot = await makeBoot(spec, slots, 91 + slots);
  });
  afterAll(() => {
    boot.bootstrapper[Symbol.dispose]();
    boot.fixture.keys.dispose();
  });

  test("complex values come back at the output level and the parameters' scale", () => {
    const { fixture, bootstrapper } = boot;
    for (const seed of seeds) {
      const values = randomVector(slots, seed);
      using a = fixture.encrypt(values, bootstrapper.inputLevel);
      const result = bootstrapper.bootstrap(fixture.evaluator, a);
      expect(result.level).toBe(bootstrapper.outputLevel);
      expect(Math.abs(result.scale / fixture.context.parameters.scale - 1)).toBeLessThan(2 ** -40);
      expect(result.slots).toBe(slots);
      const measured = fixture.bits(result, values);
      expect(measured.mean).toBeGreaterThan(bootstrappingBits ?? 20);
      table.add(`${name} slots, complex`, measured);
    }
  });

  test("two real ciphertexts at the price of one", () => {
    const { fixture, bootstrapper } = boot;
    for (const seed of seeds) {
      const [x, y] = [randomVector(slots, 30 + seed).real, randomVector(slots, 40 + seed).real];
      using a = fixture.encrypt(x, bootstrapper.inputLevel);
      using b = fixture.encrypt(y, bootstrapper.inputLevel);
      const [first, second] = bootstrapper.bootstrapPair(fixture.evaluator, a, b);
      expect([first.level, second.level]).toEqual([bootstrapper.outputLevel, bootstrapper.outputLevel]);
      table.add(`${name} slots, pair of real`, realPrecision(fixture, first, x));
      table.add(`${name} slots, pair of real`, realPrecision(fixture, second, y));
    }
  });

  test("real values", () => {
    const { fixture, bootstrapper } = boot;
    for (const seed of seeds) {
      const x = randomVector(slots, 50 + seed).real;
      using a = fixture.encrypt(x, bootstrapper.inputLevel);
      const result = bootstrapper.bootstrapReal(fixture.evaluator, a);
      table.add(`${name} slots, real`, realPrecision(fixture, result, x));
    }
  });

  test("the ends of the interval, and zero", () => {
    const { fixture, bootstrapper } = boot;
    const x = Float64Array.from({ length: slots }, (_, j) => [1, -1, 0][j % 3]);
    using a = fixture.encrypt(x, bootstrapper.inputLevel);
    expect(realPrecision(fixture, bootstrapper.bootstrap(fixture.evaluator, a), x).minimum).toBeGreaterThan(17);
  });

  test("what comes back can be computed with and bootstrapped again; operands and memory are as before", () => {
    const { fixture, bootstrapper } = boot;
    const values = randomVector(slots, 6);
    using a = fixture.encrypt(values, bootstrapper.inputLevel);
    const before = fixture.decryptor.decrypt(a);
    const product = zip((v) => complex.multiply(v, v), values);
    const used: number[] = [];
    for (let round = 0; round < 2; round++) {
      // Tables of the kernels are made in the first round.
      using first = bootstrapper.bootstrap(fixture.evaluator, a);
      using square = fixture.evaluator.multiplyRescale(first, first);
      const again = bootstrapper.bootstrap(fixture.evaluator, square);
      expect(fixture.bits(again, product).mean).toBeGreaterThan(18);
      used.push(fixture.context.backend.memory().used);
    }
    expect(used[1]).toBe(used[0]);
    expect(fixture.decryptor.decrypt(a)).toEqual(before);
  });

  test("transforms that were freed are made again, the same", () => {
    const { fixture, bootstrapper } = boot;
    using a = fixture.encrypt(randomVector(slots, 9), bootstrapper.inputLevel);
    using first = bootstrapper.bootstrap(fixture.evaluator, a);
    const { used } = fixture.context.backend.memory();
    const { bytes } = bootstrapper;
    bootstrapper.release();
    expect(fixture.context.backend.memory().used).toBeLessThanOrEqual(used - bytes);
    using again = bootstrapper.bootstrap(fixture.evaluator, a);
    expect(wordsOf(again)).toEqual(wordsOf(first));
    expect(bootstrapper.bytes).toBe(bytes);
  });

  test("the keys that are listed are the keys that are needed", () => {
    const { fixture, bootstrapper, keys } = boot;
    expect(new Set(keys).size).toBe(keys.length);
    const asked = new Map<string, number>();
    const store = {
      keys: (names: Parameters<KeyStore["keys"]>[0], level: number) => {
        for (const keyName of names) asked.set(keyName, Math.max(level, asked.get(keyName) ?? 0));
        return fixture.keys.keys(names, level);
      },
    };
    const evaluator = new Evaluator(fixture.context, store);
    using a = fixture.encrypt(randomVector(slots, 7), bootstrapper.inputLevel);
    bootstrapper.bootstrap(evaluator, a).dispose();
    expect([...asked.keys()].sort()).toEqual([...keys].sort());
    for (const { name: keyName, level } of fixture.keys.list()) {
      expect(level, keyName).toBeGreaterThanOrEqual(asked.get(keyName) as number);
    }
  });
});

describe("fewer slots, other levels and scales", () => {
  let boot: Boot;
  const slots = 64;
  beforeAll(async () => {
    boot = await makeBoot(spec, slots, 95);
  });

  test("keys and ciphertexts that went over the wire", async () => {
    const { fixture, bootstrapper } = boot;
    const { context, generator, secret } = fixture;
    const keyId = randomKeyId();
    const stream = writeKeySet(context, bootstrappingKeys(context, generator, secret, bootstrapper.rotations()), keyId);
    using keys = new KeyStore(context);
    for await (const key of readKeySet(context, stream, { keyId })) keys.add(key);
    const values = randomVector(slots, 9);
    using fresh = fixture.encrypt(values, bootstrapper.inputLevel);
    using a = deserializeCiphertext(context, serializeCiphertext(context, fresh, keyId), {
      keyId,
      level: bootstrapper.inputLevel,
    });
    using result = bootstrapper.bootstrap(new Evaluator(context, keys), a);
    using back = deserializeCiphertext(context, serializeCiphertext(context, result, keyId), { keyId });
    expect(fixture.bits(back.clone(), values).mean).toBeGreaterThan(20);
  });

  test("a ciphertext of fewer slots", () => {
    const { fixture, bootstrapper } = boot;
    const values = randomVector(8, 1);
    using a = fixture.encrypt(values, bootstrapper.inputLevel);
    const result = bootstrapper.bootstrap(fixture.evaluator, a);
    expect(result.slots).toBe(8);
    expect(fixture.bits(result, values).mean).toBeGreaterThan(20);
  });

  test("a ciphertext that still has levels", () => {
    const { fixture, bootstrapper } = boot;
    const values = randomVector(slots, 2);
    using a = fixture.encrypt(values, bootstrapper.outputLevel);
    expect(fixture.bits(bootstrapper.bootstrap(fixture.evaluator, a), values).mean).toBeGreaterThan(20);
  });

  test("another scale of the result", () => {
    const { fixture, bootstrapper } = boot;
    const values = randomVector(slots, 3);
    using a = fixture.encrypt(values, bootstrapper.inputLevel);
    const result = bootstrapper.bootstrap(fixture.evaluator, a, 2 ** 49.5);
    expect(Math.abs(result.scale / 2 ** 49.5 - 1)).toBeLessThan(2 ** -40);
    expect(fixture.bits(result, values).mean).toBeGreaterThan(20);
  });

  test("small values keep their absolute precision", () => {
    const { fixture, bootstrapper } = boot;
    const values = randomVector(slots, 4);
    const small = { real: values.real.map((x) => x / 1024), imaginary: values.imaginary.map((x) => x / 1024) };
    using a = fixture.encrypt(small, bootstrapper.inputLevel);
    expect(fixture.bits(bootstrapper.bootstrap(fixture.evaluator, a), small).mean).toBeGreaterThan(22);
  });

  test("too many slots, too low a level, and missing keys are said with the path", () => {
    const { fixture, bootstrapper } = boot;
    using wide = fixture.encrypt(randomVector(128, 5), bootstrapper.inputLevel);
    const slotsError = errorOf(() => bootstrapper.bootstrap(fixture.evaluator, wide));
    expect(slotsError.message).toBe("bootstrap: made for up to 64 slots, the ciphertext has 128");
    if (bootstrapper.inputLevel > 0) {
      using low = fixture.encrypt([1], bootstrapper.inputLevel - 1);
      const levelError = errorOf(() => bootstrapper.bootstrap(fixture.evaluator, low));
      expect(levelError.code).toBe("level");
      expect(levelError.message).toMatch(/level/);
    }
    using a = fixture.encrypt([1], bootstrapper.inputLevel);
    const bare = new Evaluator(fixture.context, new KeyStore(fixture.context));
    const keyError = errorOf(() => bootstrapper.bootstrap(bare, a)) as Error & { code: string; path: string[] };
    expect(keyError.code).toBe("key");
    expect(keyError.path[0]).toBe("bootstrap");
  });
});

test("parameters without a bootstrapping part, and with too few levels", async () => {
  const { context } = await Fixture.make(operationsSpec, 1);
  expect(errorOf(() => new Bootstrapper(context)).message).toBe(
    "parameters insecure-operations have no bootstrapping part",
  );
  const short = await Fixture.make(
    { ...spec, name: "insecure-short", logN: 9, logLevels: spec.logLevels.slice(-14) },
    1,
  );
  const error = errorOf(() => new Bootstrapper(short.context));
  expect(error.code).toBe("parameters");
  expect(error.message).toContain("bootstrapping takes all of the 14 levels");
});
