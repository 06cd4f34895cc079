import { afterAll, describe, expect, test } from "vitest";
import { depthSpec, errorOf, operationsSpec, sharedBackend, toySpec } from "../../test/support/ckks.ts";
import {
  Context,
  insecureRandomness,
  KeyGenerator,
  maximumLogQP,
  Parameters,
  type ParametersSpec,
  presets,
  requireSecure,
} from "./index.ts";

const all: [string, ParametersSpec][] = [
  ...Object.entries(presets).map(([name, { spec }]): [string, ParametersSpec] => [name, spec]),
  ...[toySpec, operationsSpec, depthSpec].map((spec): [string, ParametersSpec] => [spec.name, spec]),
];

describe.each(all)("%s", (name, spec) => {
  const parameters = new Parameters(spec);

  test("primes are distinct, 1 modulo 2N, within the kernels' bounds", () => {
    expect(new Set(parameters.primes).size).toBe(parameters.primes.length);
    for (const q of parameters.primes) {
      expect(q % (2 * parameters.degree)).toBe(1);
      expect(q).toBeGreaterThan(2 ** 24);
      expect(q).toBeLessThan(2 ** 29.6);
    }
  });

  test("levels have the sizes that were asked for", () => {
    expect(parameters.logModulus(0)).toBeCloseTo(spec.logBase, 1);
    for (const [i, bits] of spec.logLevels.entries()) {
      expect(Math.abs(Math.log2(parameters.levelModulus(i + 1)) - bits), `level ${i + 1}`).toBeLessThan(0.05);
    }
    expect(parameters.maximumLevel).toBe(spec.logLevels.length);
    expect(parameters.logModulus(parameters.maximumLevel)).toBeCloseTo(parameters.logQ, 9);
    expect(parameters.logP + parameters.logQ).toBeCloseTo(parameters.logQP, 9);
  });

  test("digits cover the chain without hole or overlap, at every level", () => {
    for (let level = 0; level <= parameters.maximumLevel; level++) {
      let next = 0;
      for (const [from, to] of parameters.digitsAt(level)) {
        expect(from).toBe(next);
        expect(to).toBeGreaterThan(from);
        next = to;
      }
      expect(next).toBe(parameters.limbs(level));
    }
  });

  test("every digit is at most what the parameters allow: P·2^0.6 unless they say more", () => {
    const limit = spec.logDigit ?? parameters.logP + 0.6;
    for (const [from, to] of parameters.digits) {
      let bits = 0;
      for (let i = from; i < to; i++) bits += Math.log2(parameters.limbPrime(i));
      expect(bits).toBeLessThanOrEqual(limit);
      expect(to - from).toBeLessThanOrEqual(24);
    }
  });

  test("is 128 bits secure, or its name says that it is not", () => {
    if (spec.insecure === true) expect(name).toContain("insecure");
    else expect(parameters.securityBits).toBe(128);
  });

  test("is frozen and the same every time", () => {
    expect(Object.isFrozen(parameters)).toBe(true);
    expect(() => (parameters.primes as number[]).push(1)).toThrow(TypeError);
    expect(new Parameters(structuredClone(spec)).digest).toEqual(parameters.digest);
  });

  test("sizes are those of the objects", () => {
    const { maximumLevel } = parameters;
    expect(parameters.ciphertextBytes(maximumLevel)).toBe(8 * parameters.degree * parameters.limbs(maximumLevel));
    const { compressed, expanded } = parameters.keyBytes(maximumLevel);
    expect(expanded).toBe(2 * (compressed - 32));
    expect(parameters.extendedModuli(0)).toEqual([...parameters.special, ...parameters.moduli(0)]);
  });
});

describe("the digest", () => {
  const digest = (change: Partial<ParametersSpec>): string => new Parameters({ ...toySpec, ...change }).digest.join();

  test("does not depend on names, scale and bootstrapping circuit", () => {
    expect(digest({ name: "insecure-renamed", logScale: 30 })).toBe(digest({}));
  });

  test.each<[string, Partial<ParametersSpec>]>([
    ["ring", { logN: 5 }],
    ["levels", { logLevels: [28, 28] }],
    ["order of levels", { logLevels: [28, 28, 56] }],
    ["base", { logBase: 28 }],
    ["special primes", { logSpecial: [29] }],
    ["special primes for levels", { logSpecial: [29, 29, 28] }],
    ["digits", { logDigit: 90 }],
    ["secret", { secret: { kind: "sparse", weight: 8 } }],
    ["weight", { secret: { kind: "sparse", weight: 4 } }],
  ])("changes with the %s", (_, change) => {
    expect(digest(change)).not.toBe(digest({}));
  });
});

describe("what is refused", () => {
  const refusal = (change: Partial<ParametersSpec>): { code: string | undefined; message: string } => {
    const error = errorOf(() => new Parameters({ ...toySpec, ...change }));
    return { code: error.code, message: error.message };
  };

  test.each<[string, Partial<ParametersSpec>, string]>([
    ["a modulus between one prime and two", { logLevels: [28, 40] }, "a modulus of 40 bits cannot be made"],
    ["a modulus that is too small", { logBase: 20 }, "a modulus of 20 bits"],
    ["a modulus that is not a number", { logBase: Number.NaN }, "a modulus of NaN bits"],
    ["an endless modulus", { logBase: 2.95e9 }, "a modulus of 2950000000 bits"],
    ["large special primes", { logSpecial: [31] }, "special primes have 24 to 29.5 bits, got 31"],
    ["many special primes", { logSpecial: new Array<number>(21).fill(29) }, "at most 20 special primes"],
    ["many levels", { logLevels: new Array<number>(65).fill(28) }, "at most 64 levels, got 65"],
    ["a digit that is too large", { logDigit: 1e6 }, "logDigit: expected"],
    ["a scale that is too small", { logScale: 5 }, "logScale: expected 10 to 60, got 5"],
    ["a scale that is not a number", { logScale: Number.NaN }, "logScale"],
  ])("%s", (_, change, message) => {
    const error = refusal(change);
    expect(error.message).toContain(message);
    expect(error.code).toBe("parameters");
  });

  test("a ring outside the range", () => {
    expect(() => new Parameters({ ...toySpec, logN: 3 })).toThrow("logN: expected 4 to 17, got 3");
    expect(() => new Parameters({ ...toySpec, logN: 18 })).toThrow(RangeError);
  });

  test("a modulus above the limit, with figures and a way out", () => {
    const { insecure: _, ...secure } = {
      ...toySpec,
      logN: 13,
      name: "too-much",
      logLevels: new Array<number>(6).fill(28),
    };
    const error = errorOf(() => new Parameters(secure));
    expect(error.code).toBe("security");
    expect(error.message).toMatch(
      /^parameters too-much: log2\(QP\) = 28\d\.\d is above the 128-bit limit of 214 for N = 2\^13, uniform ternary$/,
    );
    expect(error.hint).toContain("insecure");
  });

  test("an override whose name does not say insecure", () => {
    const error = refusal({ name: "toy" });
    expect(error.code).toBe("security");
    expect(error.message).toContain("parameters toy are marked insecure, but their name does not say so");
  });
});

describe("limits", () => {
  test("are the smaller of the published ones", () => {
    expect([12, 13, 14, 15, 16, 17].map((logN) => maximumLogQP(logN, { kind: "ternary" }))).toEqual([
      106, 214, 430, 868, 1747, 3523,
    ]);
    expect([32, 64, 128, 192, 500].map((weight) => maximumLogQP(16, { kind: "sparse", weight }))).toEqual([
      121, 982, 1396, 1533, 1533,
    ]);
  });

  test("what no table covers has no allowance", () => {
    expect(maximumLogQP(16, { kind: "sparse", weight: 16 })).toBe(0);
    expect(maximumLogQP(15, { kind: "sparse", weight: 192 })).toBe(0);
    expect(maximumLogQP(9, { kind: "ternary" })).toBe(0);
    expect(() => requireSecure("x", 15, 20, { kind: "sparse", weight: 32 })).toThrow("sparse ternary h=32");
  });
});

/**
 * Before version 6.1.1 Lattigo made the dense → sparse key over the whole chain: about 106 bits of
 * security. Every key is checked against the limit of the secret that it is encrypted under.
 */
test("a dense → sparse key above the limit of the sparse secret is refused", async () => {
  const context = new Context(presets["bootstrap-16"].spec, await sharedBackend());
  const generator = new KeyGenerator(context, insecureRandomness(1));
  using dense = generator.secretKey();
  using sparse = generator.secretKey({ kind: "sparse", weight: 32 });
  for (const [level, specialCount] of [
    [context.parameters.maximumLevel, 12],
    [0, 12],
    [0, 3],
    [1, 2],
    [1, 1],
  ]) {
    const error = errorOf(() => generator.switchingKey("dense-to-sparse", dense, sparse, level, specialCount));
    expect(error.code, `level ${level}, ${specialCount} special primes`).toBe("security");
    expect(error.message).toMatch(
      /^key dense-to-sparse at level \d+: log2\(QP\) = .* above the 128-bit limit of 121 for N = 2\^16, sparse ternary h=32$/,
    );
  }
  const allowed = generator.switchingKey("dense-to-sparse", dense, sparse, 0, 2);
  expect(allowed.b).toHaveLength(1);
});

afterAll(async () => (await sharedBackend()).dispose());
