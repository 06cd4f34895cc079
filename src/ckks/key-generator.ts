/** Key generation, client side. Fresh randomness comes from the platform CSPRNG. */

import { productModulo } from "../ring/modular.ts";
import type { Poly } from "../ring/poly.ts";
import { randomSeed, SecureWords, SeededWords, type WordSource } from "../ring/random.ts";
import { sampleGaussian, sampleSparseTernary, sampleTernary } from "../ring/sampling.ts";
import type { Context } from "./context.ts";
import { conjugationElement } from "./galois.ts";
import {
  type EvaluationKey,
  embedSigned,
  expandUniform,
  type KeyName,
  keyDigits,
  keyModuli,
  type PublicKey,
  SecretKey,
  seedDomains,
} from "./keys.ts";
import { requireSecure, type SecretDistribution } from "./security.ts";

/** Where a generator draws from: secret words and public seeds. */
export interface Randomness {
  readonly words: WordSource;
  seed(): Uint8Array;
}

/** The platform CSPRNG. */
export function secureRandomness(): Randomness {
  return { words: new SecureWords(), seed: randomSeed };
}

/** Reproducible randomness for tests and comparisons of runs; never for data that matters. */
export function insecureRandomness(seed: number): Randomness {
  const key = new Uint8Array(32);
  new DataView(key.buffer).setFloat64(0, seed);
  return expanded(key, seedDomains.insecureRandomness);
}

export interface KeyGeneratorOptions {
  /** Memory for the words of evaluation keys; shared memory spares a copy where other threads read them. */
  readonly allocate?: (words: number) => Uint32Array;
}

export class KeyGenerator {
  readonly #context: Context;
  readonly #randomness: Randomness;
  readonly #allocate: (words: number) => Uint32Array;

  constructor(context: Context, randomness: Randomness = secureRandomness(), options: KeyGeneratorOptions = {}) {
    this.#context = context;
    this.#randomness = randomness;
    this.#allocate = options.allocate ?? ((words) => new Uint32Array(words));
  }

  /** A secret key of the parameters' distribution, or of another one (ephemeral secrets). */
  secretKey(distribution: SecretDistribution = this.#context.parameters.spec.secret): SecretKey {
    const coefficients = new Int32Array(this.#context.parameters.degree);
    if (distribution.kind === "ternary") sampleTernary(this.#randomness.words, coefficients);
    else sampleSparseTernary(this.#randomness.words, coefficients, distribution.weight);
    return new SecretKey(this.#context, distribution, coefficients);
  }

  publicKey(secret: SecretKey): PublicKey {
    const { parameters } = this.#context;
    const moduli = parameters.moduli(parameters.maximumLevel);
    const seed = this.#randomness.seed();
    using a = expandUniform(this.#context, seed, seedDomains.ciphertext, 0, moduli);
    using b = this.#encryptZero(a, secret.poly, moduli);
    return { b: readAll(b, (words) => new Uint32Array(words)), seed };
  }

  /** Key for products: switches s² to s. */
  relinearisationKey(secret: SecretKey, level = this.#context.parameters.maximumLevel): EvaluationKey {
    const { ring } = this.#context;
    using square = ring.poly(secret.poly.moduli, "ntt");
    ring.kernels.multiply(square, secret.poly, secret.poly); // both factors in Montgomery form, so is the product
    return this.#switchingKey("relinearisation", square, secret, level, this.#context.parameters.specialCount);
  }

  /**
   * Key for the automorphism X → X^element. The product with the key is taken before the
   * automorphism, so the key switches s to the inverse image of s.
   */
  galoisKey(secret: SecretKey, element: number, level = this.#context.parameters.maximumLevel): EvaluationKey {
    const { ring } = this.#context;
    const order = 2 * ring.degree;
    const inverse = inverseOdd(element, order);
    using image = ring.poly(secret.poly.moduli, "ntt");
    ring.kernels.automorphism(image, secret.poly, inverse);
    return this.#switchingKey(
      `galois-${element}`,
      secret.poly,
      secret,
      level,
      this.#context.parameters.specialCount,
      image,
    );
  }

  conjugationKey(secret: SecretKey, level?: number): EvaluationKey {
    return this.galoisKey(secret, conjugationElement(this.#context.parameters.degree), level);
  }

  /**
   * Key that switches ciphertexts of `from` to `to`, at `level` with `specialCount` special
   * primes. Its modulus is checked against the limit of the secret it is encrypted under.
   */
  switchingKey(name: KeyName, from: SecretKey, to: SecretKey, level: number, specialCount: number): EvaluationKey {
    return this.#switchingKey(name, from.poly, to, level, specialCount);
  }

  #switchingKey(
    name: KeyName,
    from: Poly,
    to: SecretKey,
    level: number,
    specialCount: number,
    toPoly: Poly = to.poly,
  ): EvaluationKey {
    const { parameters, ring } = this.#context;
    const { kernels } = ring;
    const moduli = keyModuli(this.#context, level, specialCount);
    if (parameters.spec.insecure !== true) {
      const logQP = moduli.reduce((sum, index) => sum + Math.log2(ring.primes[index] as number), 0);
      requireSecure(`key ${name} at level ${level}`, parameters.logN, logQP, to.distribution);
    }
    const special = parameters.special.slice(0, specialCount).map((index) => ring.primes[index] as number);
    const specialProduct = ring.scalars(`P${specialCount}`, moduli, (q) => productModulo(special, q));
    const seed = this.#randomness.seed();
    const halves: Uint32Array[] = [];
    for (const [digit, [first, last]] of keyDigits(this.#context, level).entries()) {
      using a = expandUniform(this.#context, seed, seedDomains.evaluationKey, digit, moduli);
      using b = this.#encryptZero(a, toPoly, moduli);
      // b += P·s_from on the digit's own limbs; s_from is in Montgomery form, as is b.
      const own = b.limbs(specialCount + first, specialCount + last);
      const source = from.limbs(parameters.specialCount + first, parameters.specialCount + last);
      kernels.multiplyScalarAdd(own, source, specialProduct.subarray(specialCount + first, specialCount + last));
      halves.push(readAll(b, this.#allocate));
    }
    return { name, level, specialCount, seed, b: halves };
  }

  /** b = −a·s + e in Montgomery form, where `a` is read as being in Montgomery form. */
  #encryptZero(a: Poly, secret: Poly, moduli: readonly number[]): Poly {
    const { ring, parameters } = this.#context;
    const { kernels } = ring;
    const errors = new Int32Array(ring.degree);
    sampleGaussian(this.#randomness.words, errors);
    const b = embedSigned(this.#context, errors, moduli);
    errors.fill(0);
    kernels.multiplyScalar(b, b, ring.montgomery(moduli));
    using product = ring.poly(moduli, "ntt");
    const specials = moduli.filter((index) => index < parameters.specialCount).length;
    const first = parameters.specialCount;
    if (specials > 0) kernels.multiply(product.limbs(0, specials), a.limbs(0, specials), secret.limbs(0, specials));
    kernels.multiply(product.limbs(specials), a.limbs(specials), secret.limbs(first, first + moduli.length - specials));
    kernels.subtract(b, b, product);
    return b;
  }
}

/** All limbs of a polynomial as one array without padding. */
function readAll(poly: Poly, allocate: (words: number) => Uint32Array): Uint32Array {
  const { degree, kernels } = poly.ring;
  const words = allocate(degree * poly.moduli.length);
  for (let i = 0; i < poly.moduli.length; i++) kernels.read(poly, i, words.subarray(i * degree, (i + 1) * degree));
  return words;
}

/** Inverse of an odd number modulo a power of two. */
function inverseOdd(element: number, order: number): number {
  let inverse = 1n;
  const modulus = BigInt(order);
  const value = BigInt(element);
  for (let i = 0; i < 6; i++) inverse = (inverse * (2n - value * inverse)) % modulus;
  return Number(((inverse % modulus) + modulus) % modulus);
}

/**
 * All randomness from one secret seed of 32 bytes, expanded by ChaCha20: as good as the seed, which must
 * come from the platform's generator and serve one run with one input only.
 */
export function seededRandomness(seed: Uint8Array): Randomness {
  return expanded(seed, seedDomains.seededRandomness);
}

function expanded(seed: Uint8Array, domain: number): Randomness {
  const words = new SeededWords(seed, domain, [0, 0]);
  return {
    words,
    seed: () => {
      const fresh = new Uint32Array(8);
      for (let i = 0; i < fresh.length; i++) fresh[i] = words.next();
      return new Uint8Array(fresh.buffer);
    },
  };
}
