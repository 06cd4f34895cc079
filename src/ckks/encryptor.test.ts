import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { fromBig, residues, toBig } from "../../test/support/bigint.ts";
import {
  errorOf,
  Fixture,
  operationsSpec,
  precision,
  randomVector,
  sharedBackend,
  toySpec,
  wordsOf,
} from "../../test/support/ckks.ts";
import { invertModulo, multiplyModulo } from "../ring/modular.ts";
import {
  type Ciphertext,
  type ComplexVector,
  Decryptor,
  Encryptor,
  insecureRandomness,
  KeyGenerator,
} from "./index.ts";

let fixture: Fixture;
beforeAll(async () => {
  fixture = await Fixture.make(operationsSpec, 51);
});
afterAll(async () => (await sharedBackend()).dispose());

describe.each(["secret", "public"] as const)("%s-key encryption", (kind) => {
  const values = randomVector(256, 1);
  const encrypt = (seed: number, level?: number): Ciphertext => {
    const { context, secret, generator, encoder } = fixture;
    const key = kind === "secret" ? secret : generator.publicKey(secret);
    using encryptor = new Encryptor(context, key, insecureRandomness(seed));
    using plaintext = encoder.encode(values, level === undefined ? {} : { level });
    return encryptor.encrypt(plaintext);
  };

  test.each([0, 1, 2, 3])("decrypts at level %i", (level) => {
    using ciphertext = encrypt(1, level);
    expect([ciphertext.level, ciphertext.scale, ciphertext.slots]).toEqual([level, 2 ** 50, 256]);
    expect(fixture.bits(ciphertext.clone(), values).minimum).toBeGreaterThan(kind === "secret" ? 41 : 35);
    expect(ciphertext.seed === undefined).toBe(kind === "public");
  });

  test("two encryptions of one plaintext share nothing", () => {
    const { context, secret, generator, encoder } = fixture;
    const key = kind === "secret" ? secret : generator.publicKey(secret);
    using encryptor = new Encryptor(context, key); // the platform's randomness
    using plaintext = encoder.encode(values);
    using one = encryptor.encrypt(plaintext);
    using other = encryptor.encrypt(plaintext);
    const [a, b] = [wordsOf(one), wordsOf(other)];
    for (const k of [0, 1]) {
      const equal = a[k].filter((word, i) => word === b[k][i]).length;
      expect(equal, `part ${k}`).toBeLessThan(4);
    }
    // Nor do their errors: the difference of the phases is noise of twice the variance, not zero.
    using phase = fixture.decryptor.phase(one);
    using second = fixture.decryptor.phase(other);
    context.ring.kernels.subtract(phase, phase, second);
    expect(toBig(phase).filter((x) => x !== 0n).length).toBeGreaterThan(400);
  });

  test("a wrong key gives noise", () => {
    using ciphertext = encrypt(3);
    using stranger = new KeyGenerator(fixture.context, insecureRandomness(99)).secretKey();
    const got = new Decryptor(fixture.context, stranger).decrypt(ciphertext);
    expect(precision(values, got).mean).toBeLessThan(0);
  });
});

describe("encryption", () => {
  test("the uniform part is uniform: no residue stands out", () => {
    using ciphertext = fixture.encrypt(randomVector(256, 2));
    expect(new Set(wordsOf(ciphertext)[1]).size).toBeGreaterThan(8 * 512 - 10);
  });

  test("keys of one generator and of two differ", () => {
    const { context } = fixture;
    const one = new KeyGenerator(context);
    const seeds = [0, 1, 2].map(() => one.publicKey(fixture.secret).seed.join());
    expect(new Set(seeds).size).toBe(3);
    using a = one.secretKey();
    using b = new KeyGenerator(context).secretKey();
    expect(a.coefficients).not.toEqual(b.coefficients);
  });

  test("a disposed secret key is erased", () => {
    const key = new KeyGenerator(fixture.context).secretKey();
    const { coefficients } = key;
    key.dispose();
    expect(coefficients.every((x) => x === 0)).toBe(true);
    expect(key.poly.isDisposed).toBe(true);
    key.dispose();
  });

  test("a plaintext for products is refused", () => {
    using plaintext = fixture.encoder.encode([1], { use: "product" });
    expect(errorOf(() => fixture.encryptor.encrypt(plaintext)).code).toBe("argument");
  });
});

/**
 * Li–Micciancio (eprint 2020/1533): a decryption shown to others is the linear equation
 * c0 + c1·s = m + e with everything but s known. The client's secret falls to one division.
 */
describe("the attack of Li and Micciancio at a toy ring", () => {
  /** s from a ciphertext and the values that were shown for it. */
  function attack(toy: Fixture, ciphertext: Ciphertext, shown: ComplexVector): number[] {
    const { context, encoder } = toy;
    using guess = encoder.encode(shown, { level: 0, scale: ciphertext.scale });
    const limb = (words: Uint32Array[]): Uint32Array => words[0];
    const q = context.ring.primes[context.parameters.specialCount];
    const read = (k: number): Uint32Array => {
      const words = new Uint32Array(context.ring.degree);
      context.ring.kernels.read(ciphertext.parts[k], 0, words);
      return words;
    };
    const message = new Uint32Array(context.ring.degree);
    guess.poly.ring.kernels.read(guess.poly, 0, message);
    const [c0, c1] = [read(0), read(1)];
    const secret = message.map((m, j) => multiplyModulo((m - c0[j] + q) % q, invertModulo(c1[j], q), q));
    using poly = fromBig(context.ring, [context.parameters.specialCount], [0n]);
    context.ring.kernels.write(poly, 0, secret);
    poly.domain = "ntt";
    return Array.from(limb(residues(poly)), (x) => (x > q / 2 ? x - q : x));
  }

  const isTernary = (candidate: readonly number[]): boolean => candidate.every((x) => Math.abs(x) <= 1);

  test.each([1, 2, 3])("recovers the key from a raw decryption, not from one made to share (key %i)", async (seed) => {
    const toy = await Fixture.make({ ...toySpec, logN: 6, name: "insecure-attack" }, seed);
    const values = randomVector(32, seed);
    using ciphertext = toy.encrypt(values, 0);
    const raw = toy.decryptor.decrypt(ciphertext);
    expect(attack(toy, ciphertext, raw)).toEqual([...toy.secret.coefficients]);

    const shared = toy.decryptor.decryptToShare(ciphertext, { bits: 12 });
    const candidate = attack(toy, ciphertext, shared);
    expect(isTernary(candidate)).toBe(false);
    expect(candidate.filter((x, j) => x === toy.secret.coefficients[j]).length).toBeLessThan(8);
    expect(precision(values, shared).minimum).toBeGreaterThan(12.9);
  });

  test("what is shared does not depend on the encryption", async () => {
    const toy = await Fixture.make(toySpec, 4);
    // Values away from the middle between two multiples of 2^-10.
    const { real, imaginary } = randomVector(8, 4);
    const snap = (x: number): number => Math.round(x * 1024) / 1024 + 2 ** -13;
    const values = { real: real.map(snap), imaginary: imaginary.map(snap) };
    const shown = Array.from({ length: 20 }, () => {
      using ciphertext = toy.encrypt(values);
      return JSON.stringify(toy.decryptor.decryptToShare(ciphertext, { bits: 10 }));
    });
    expect(new Set(shown).size).toBe(1);
  });
});
