/** Encryption and decryption, client side. Fresh randomness for every ciphertext. */
import { AegisError } from "../base/errors.ts";
import type { Poly } from "../ring/poly.ts";
import { sampleGaussian, sampleTernary } from "../ring/sampling.ts";
import { Ciphertext, type Plaintext } from "./ciphertext.ts";
import type { Context } from "./context.ts";
import { type ComplexVector, Encoder } from "./encoder.ts";
import { type Randomness, secureRandomness } from "./key-generator.ts";
import { embedSigned, expandUniform, type PublicKey, SecretKey, seedDomains } from "./keys.ts";

export class Encryptor implements Disposable {
  readonly #context: Context;
  readonly #key: SecretKey | { a: Poly; b: Poly };
  readonly #randomness: Randomness;

  /** @param key the secret key (smaller noise, half the bytes on the wire) or a public key */
  constructor(context: Context, key: SecretKey | PublicKey, randomness: Randomness = secureRandomness()) {
    this.#context = context;
    this.#key = key instanceof SecretKey ? key : loadPublicKey(context, key);
    this.#randomness = randomness;
  }

  /** Encrypts a plaintext of `sum` form at its level and scale. */
  encrypt(plaintext: Plaintext): Ciphertext {
    if (plaintext.montgomery || plaintext.extended) {
      throw new AegisError("argument", "encrypt: expected a plaintext encoded for sums, got one for products", {
        hint: "encode with use: 'sum' (the default)",
      });
    }
    const seed = this.#key instanceof SecretKey ? this.#randomness.seed() : undefined;
    const parts =
      this.#key instanceof SecretKey
        ? this.#secret(this.#key, plaintext, seed as Uint8Array)
        : this.#public(this.#key, plaintext);
    this.#addMessage(parts[0], plaintext);
    return new Ciphertext(parts, plaintext.level, plaintext.scale, plaintext.slots, seed);
  }

  #secret(key: SecretKey, plaintext: Plaintext, seed: Uint8Array): [Poly, Poly] {
    const { ring, parameters } = this.#context;
    const moduli = parameters.moduli(plaintext.level);
    const c1 = expandUniform(this.#context, seed, seedDomains.ciphertext, 0, moduli);
    const c0 = this.#error(moduli);
    using product = ring.poly(moduli, "ntt");
    ring.kernels.multiply(
      product,
      c1,
      key.poly.limbs(parameters.specialCount, parameters.specialCount + moduli.length),
    );
    ring.kernels.subtract(c0, c0, product);
    return [c0, c1];
  }

  #public(key: { a: Poly; b: Poly }, plaintext: Plaintext): [Poly, Poly] {
    const { ring, parameters } = this.#context;
    const moduli = parameters.moduli(plaintext.level);
    const coefficients = new Int32Array(ring.degree);
    sampleTernary(this.#randomness.words, coefficients);
    using mask = embedSigned(this.#context, coefficients, moduli);
    coefficients.fill(0);
    const masked = (half: Poly): Poly => {
      const part = this.#error(moduli);
      using product = ring.poly(moduli, "ntt");
      ring.kernels.multiply(product, mask, half.limbs(0, moduli.length));
      ring.kernels.add(part, part, product);
      return part;
    };
    return [masked(key.b), masked(key.a)];
  }

  #error(moduli: readonly number[]): Poly {
    const errors = new Int32Array(this.#context.ring.degree);
    sampleGaussian(this.#randomness.words, errors);
    const poly = embedSigned(this.#context, errors, moduli);
    errors.fill(0);
    return poly;
  }

  #addMessage(part: Poly, plaintext: Plaintext): void {
    const { kernels } = this.#context.ring;
    if (plaintext.logRun === 0) {
      kernels.add(part, part, plaintext.poly);
      return;
    }
    using message = this.#context.ring.poly(part.moduli, "ntt");
    kernels.expand(message, plaintext.poly, plaintext.logRun);
    kernels.add(part, part, message);
  }

  dispose(): void {
    if (this.#key instanceof SecretKey) return; // the caller's
    this.#key.a.dispose();
    this.#key.b.dispose();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }
}

/**
 * Decrypts to slot values. What it returns must stay with the client: raw CKKS decryptions that
 * others see leak the key (Li–Micciancio, eprint 2020/1533). See {@link Decryptor.decryptToShare}.
 */
export class Decryptor {
  readonly #context: Context;
  readonly #key: SecretKey;
  readonly #encoder: Encoder;

  constructor(context: Context, key: SecretKey) {
    this.#context = context;
    this.#key = key;
    this.#encoder = new Encoder(context);
  }

  /** Slot values, with their noise. For the client's eyes only. */
  decrypt(ciphertext: Ciphertext): ComplexVector {
    const moduli = this.#context.parameters.moduli(ciphertext.level);
    return this.#encoder.decodeLimbs(moduli, ciphertext.scale, ciphertext.slots, (limbs) =>
      this.#phase(ciphertext, limbs),
    );
  }

  /**
   * Slot values rounded to multiples of 2^-bits, which hides the noise as long as it is well below
   * half of that: what may be shown to others.
   *
   * @param bits fraction bits to keep, at least 8 fewer than the result's precision
   */
  decryptToShare(ciphertext: Ciphertext, options: { bits: number }): ComplexVector {
    const { real, imaginary } = this.decrypt(ciphertext);
    const step = 2 ** options.bits;
    const round = (values: Float64Array): Float64Array => values.map((value) => Math.round(value * step) / step);
    return { real: round(real), imaginary: round(imaginary) };
  }

  /** Σ parts[k]·s^k in NTT domain over all limbs. */
  phase(ciphertext: Ciphertext): Poly {
    return this.#phase(ciphertext, this.#context.parameters.limbs(ciphertext.level));
  }

  /** The phase over the first `limbs` limbs. */
  #phase(ciphertext: Ciphertext, limbs: number): Poly {
    const { ring, parameters } = this.#context;
    const secret = this.#key.poly.limbs(parameters.specialCount, parameters.specialCount + limbs);
    const parts = ciphertext.parts;
    const phase = (parts[parts.length - 1] as Poly).clone(0, limbs);
    for (let k = parts.length - 2; k >= 0; k--) {
      ring.kernels.multiply(phase, phase, secret);
      ring.kernels.add(phase, phase, (parts[k] as Poly).limbs(0, limbs));
    }
    return phase;
  }
}

function loadPublicKey(context: Context, key: PublicKey): { a: Poly; b: Poly } {
  const { ring, parameters } = context;
  const moduli = parameters.moduli(parameters.maximumLevel);
  const b = ring.poly(moduli, "ntt");
  ring.kernels.write(b, 0, key.b.subarray(0, moduli.length * ring.degree));
  return { a: expandUniform(context, key.seed, seedDomains.ciphertext, 0, moduli), b };
}
