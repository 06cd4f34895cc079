/** Fixtures of the CKKS tests: small rings without security, seeded randomness, precision in bits. */
import {
  type Ciphertext,
  type ComplexVector,
  Context,
  conjugationElement,
  Decryptor,
  Encoder,
  Encryptor,
  Evaluator,
  insecureRandomness,
  KeyGenerator,
  KeyStore,
  type ParametersSpec,
  rotationElement,
  type SecretKey,
} from "../../src/ckks/index.ts";
import { type Backend, createBackend } from "../../src/kernels/index.ts";

/** The smallest ring that has everything: two digits, levels that match the scale. */
export const toySpec: ParametersSpec = {
  name: "insecure-toy",
  logN: 4,
  logBase: 56,
  logLevels: [28, 28, 28],
  logSpecial: [29, 29],
  logScale: 28,
  secret: { kind: "ternary" },
  insecure: true,
};

/** Operations at full precision: scale 2^50, levels of 50 bits. */
export const operationsSpec: ParametersSpec = {
  name: "insecure-operations",
  logN: 9,
  logBase: 58,
  logLevels: [50, 50, 50],
  logSpecial: [29, 29, 29, 29],
  logScale: 50,
  secret: { kind: "ternary" },
  insecure: true,
};

/** Eight levels for polynomials of degree up to 64 and transforms. */
export const depthSpec: ParametersSpec = {
  ...operationsSpec,
  name: "insecure-depth",
  logLevels: [50, 50, 50, 50, 50, 50, 50, 50],
  logSpecial: [29, 29, 29, 29, 29, 29],
};

const backends = new Map<string, Promise<Backend>>();

/** One backend of each kind per test file. */
export function sharedBackend(name: "wasm" | "reference" = "wasm"): Promise<Backend> {
  const present = backends.get(name) ?? createBackend(name);
  backends.set(name, present);
  return present;
}

/** Everything that client and server have, from one seed. */
export class Fixture {
  readonly context: Context;
  readonly generator: KeyGenerator;
  readonly secret: SecretKey;
  readonly encoder: Encoder;
  readonly encryptor: Encryptor;
  readonly decryptor: Decryptor;
  readonly keys: KeyStore;
  readonly evaluator: Evaluator;

  constructor(context: Context, seed: number) {
    this.context = context;
    this.generator = new KeyGenerator(context, insecureRandomness(seed));
    this.secret = this.generator.secretKey();
    this.encoder = new Encoder(context);
    this.encryptor = new Encryptor(context, this.secret, insecureRandomness(seed + 0.5));
    this.decryptor = new Decryptor(context, this.secret);
    this.keys = new KeyStore(context);
    this.evaluator = new Evaluator(context, this.keys);
  }

  static async make(spec: ParametersSpec, seed: number, backend: "wasm" | "reference" = "wasm"): Promise<Fixture> {
    return new Fixture(new Context(spec, await sharedBackend(backend)), seed);
  }

  /** Adds relinearisation, conjugation and rotation keys. */
  addKeys(rotations: readonly number[] = []): this {
    const { degree } = this.context.parameters;
    this.keys.add(this.generator.relinearisationKey(this.secret));
    this.keys.add(this.generator.galoisKey(this.secret, conjugationElement(degree)));
    this.addRotations(rotations);
    return this;
  }

  addRotations(rotations: readonly number[]): void {
    const { degree, maximumSlots } = this.context.parameters;
    const held = new Set(this.keys.list().map(({ name }) => name));
    for (const steps of rotations) {
      const element = rotationElement(steps, degree);
      if (steps % maximumSlots === 0 || held.has(`galois-${element}`)) continue;
      this.keys.add(this.generator.galoisKey(this.secret, element));
    }
  }

  encrypt(values: ArrayLike<number> | ComplexVector, level?: number, scale?: number): Ciphertext {
    const options = { ...(level === undefined ? {} : { level }), ...(scale === undefined ? {} : { scale }) };
    using plaintext = this.encoder.encode(values, options);
    return this.encryptor.encrypt(plaintext);
  }

  /** Bits of precision of a ciphertext; the ciphertext is disposed of. */
  bits(ciphertext: Ciphertext, expected: ComplexVector): Precision {
    using spent = ciphertext;
    return precision(expected, this.decryptor.decrypt(spent));
  }
}

/** A small deterministic generator of uniform numbers in [0, 1). */
export function uniforms(seed: number): () => number {
  let state = (seed * 2654435761) >>> 0 || 1;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) / 2 ** 32;
  };
}

/** Complex numbers with both parts uniform in [−1, 1). */
export function randomVector(slots: number, seed: number): ComplexVector {
  const next = uniforms(seed);
  const draw = (): Float64Array => Float64Array.from({ length: slots }, () => 2 * next() - 1);
  return { real: draw(), imaginary: draw() };
}

export type Complex = readonly [number, number];
export const complex = {
  add: ([a, b]: Complex, [c, d]: Complex): Complex => [a + c, b + d],
  subtract: ([a, b]: Complex, [c, d]: Complex): Complex => [a - c, b - d],
  multiply: ([a, b]: Complex, [c, d]: Complex): Complex => [a * c - b * d, a * d + b * c],
};

/** The vector of f(j). */
export function tabulate(slots: number, f: (j: number) => Complex): ComplexVector {
  const real = new Float64Array(slots);
  const imaginary = new Float64Array(slots);
  for (let j = 0; j < slots; j++) [real[j], imaginary[j]] = f(j);
  return { real, imaginary };
}

export function at(vector: ComplexVector, j: number): Complex {
  const n = vector.real.length;
  const index = ((j % n) + n) % n;
  return [vector.real[index], vector.imaginary[index]];
}

/** Slot-wise combination of vectors. */
export function zip(f: (...values: Complex[]) => Complex, ...vectors: ComplexVector[]): ComplexVector {
  return tabulate(vectors[0].real.length, (j) => f(...vectors.map((vector) => at(vector, j))));
}

/** Bits of precision: −log2 of the error of a part, mean over slots and parts, and minimum. */
export interface Precision {
  readonly mean: number;
  readonly minimum: number;
}

export function precision(expected: ComplexVector, got: ComplexVector): Precision {
  let sum = 0;
  let minimum = Number.POSITIVE_INFINITY;
  const n = expected.real.length;
  const note = (error: number): void => {
    const bits = -Math.log2(Math.max(Math.abs(error), 2 ** -60));
    sum += bits;
    minimum = Math.min(minimum, Number.isNaN(bits) ? Number.NEGATIVE_INFINITY : bits);
  };
  for (let j = 0; j < n; j++) {
    note(expected.real[j] - got.real[j]);
    note(expected.imaginary[j] - got.imaginary[j]);
  }
  return { mean: sum / (2 * n), minimum };
}

/** Words of a polynomial, all limbs. */
export function wordsOf(ciphertext: Ciphertext): number[][] {
  return ciphertext.parts.map((part) => {
    const all: number[] = [];
    const words = new Uint32Array(part.ring.degree);
    for (let i = 0; i < part.moduli.length; i++) {
      part.ring.kernels.read(part, i, words);
      all.push(...words);
    }
    return all;
  });
}

/** The error that `body` throws. */
export function errorOf(body: () => unknown): Error & { code?: string; hint?: string } {
  try {
    body();
  } catch (error) {
    return error as Error;
  }
  throw new Error("expected an error, got none");
}
