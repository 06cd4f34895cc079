/**
 * Measured noise against its prediction. Messages are 0 (or exact constants), so that the phase
 * is the noise. s has weight h, errors have variance σ² = 3.2², roundings 1/12; a key switch adds
 * Σ_d N·(D_d²/12)·σ²/P² for its digits D_d (Kim–Polyakov–Zucca, eprint 2021/204, §3.3).
 */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { toBig } from "../../test/support/bigint.ts";
import { Fixture, operationsSpec, sharedBackend } from "../../test/support/ckks.ts";
import { type Ciphertext, Encryptor, insecureRandomness } from "./index.ts";

const rounds = 6;
const variance = 3.2 ** 2;
let fixture: Fixture;
let weight = 0;

beforeAll(async () => {
  fixture = (await Fixture.make(operationsSpec, 31)).addKeys([1]);
  weight = fixture.secret.coefficients.reduce((sum, x) => sum + Math.abs(x), 0);
});
afterAll(async () => (await sharedBackend()).dispose());

/** Coefficients of the phase minus an exact constant. */
function noise(ciphertext: Ciphertext, constant = 0n): number[] {
  using spent = ciphertext;
  using phase = fixture.decryptor.phase(spent);
  return toBig(phase).map((x, j) => Number(j === 0 ? x - constant : x));
}

/** The measured deviation is near the predicted one, and no coefficient is beyond 6.5 of them. */
function expectNoise(samples: readonly number[], predictedVariance: number, tolerance = 0.12): void {
  const predicted = Math.sqrt(predictedVariance);
  const measured = Math.sqrt(samples.reduce((sum, x) => sum + x * x, 0) / samples.length);
  expect(measured / predicted).toBeGreaterThan(1 - tolerance);
  expect(measured / predicted).toBeLessThan(1 + tolerance);
  for (const x of samples) if (Math.abs(x) > 6.5 * predicted) throw new Error(`${x} is beyond 6.5·${predicted}`);
}

const zero = (level = 3): Ciphertext => fixture.encrypt([0], level);
const gather = (make: () => Ciphertext, constant = 0n): number[] =>
  Array.from({ length: rounds }, () => noise(make(), constant)).flat();
const rounding = (): number => (1 + weight) / 12;

/** Variance that a key switch at a level adds. */
function keySwitch(level: number): number {
  const { parameters } = fixture.context;
  let sum = 0;
  for (const [from, to] of parameters.digitsAt(level)) {
    let logDigit = -parameters.logP;
    for (let i = from; i < to; i++) logDigit += Math.log2(parameters.limbPrime(i));
    sum += (parameters.degree * variance * 2 ** (2 * logDigit)) / 12;
  }
  return sum + rounding();
}

describe("noise is as predicted", () => {
  test("fresh, secret key", () => expectNoise(gather(zero), variance, 0.05));

  test("fresh, public key", () => {
    const { context, generator, secret, encoder } = fixture;
    using encryptor = new Encryptor(context, generator.publicKey(secret), insecureRandomness(5));
    using plaintext = encoder.encode([0]);
    const mask = (2 / 3) * context.parameters.degree;
    expectNoise(
      gather(() => encryptor.encrypt(plaintext)),
      variance * (1 + mask + weight),
    );
  });

  test("sum, difference, multiple", () => {
    const { evaluator } = fixture;
    const binary = (operation: "add" | "subtract"): Ciphertext => {
      using a = zero();
      using b = zero();
      return evaluator[operation](a, b);
    };
    expectNoise(
      gather(() => binary("add")),
      2 * variance,
      0.05,
    );
    expectNoise(
      gather(() => binary("subtract")),
      2 * variance,
      0.05,
    );
    const multiple = (): Ciphertext => {
      using a = zero();
      return evaluator.multiplyConstant(a, 1000);
    };
    expectNoise(gather(multiple), 1e6 * variance, 0.05);
  });

  test("rescale leaves the rounding", () => {
    const rescaled = (): Ciphertext => {
      using a = zero();
      return fixture.evaluator.rescale(a);
    };
    expectNoise(gather(rescaled), rounding());
  });

  test.each([0, 1, 3])("rotation at level %i", (level) => {
    const rotated = (): Ciphertext => {
      using a = zero(level);
      return fixture.evaluator.rotate(a, 1);
    };
    expectNoise(gather(rotated), variance + keySwitch(level));
  });

  test.each([1, 3])("hoisted rotation at level %i", (level) => {
    const rotated = (): Ciphertext => {
      using a = zero(level);
      using hoisted = fixture.evaluator.hoist(a);
      return fixture.evaluator.rotateHoisted(hoisted, 1);
    };
    expectNoise(gather(rotated), variance + keySwitch(level));
  });

  test("product of two constants", () => {
    // (Δ + e1)(Δ + e2) = Δ² + Δ(e1 + e2) + e1·e2
    const { degree } = fixture.context.parameters;
    const scale = 2 ** 20;
    const product = (): Ciphertext => {
      using a = fixture.encrypt([1], 3, scale);
      using b = fixture.encrypt([1], 3, scale);
      return fixture.evaluator.multiply(a, b);
    };
    const samples = gather(product, BigInt(scale) ** 2n);
    expectNoise(samples, 2 * scale ** 2 * variance + degree * variance ** 2 + keySwitch(3), 0.05);
  });

  test("product of zeros, relinearised: the key switch alone", () => {
    const { degree } = fixture.context.parameters;
    const product = (): Ciphertext => {
      using a = zero();
      using b = zero();
      return fixture.evaluator.multiply(a, b);
    };
    expectNoise(gather(product), degree * variance ** 2 + keySwitch(3));
  });

  test("one division for relinearisation and rescale", () => {
    const product = (): Ciphertext => {
      using a = zero();
      using b = zero();
      return fixture.evaluator.multiplyRescale(a, b);
    };
    expectNoise(gather(product), rounding());
  });
});
