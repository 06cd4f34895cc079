/**
 * Keys. A secret key never leaves the client; evaluation keys are public and seed-compressed:
 * the uniform half of each digit is expanded from a 32-byte seed when the key is loaded.
 *
 * Layout of an evaluation key: one gadget encryption per digit. Digit d holds
 * b_d = −a_d·s_to + e_d + P·g_d·s_from over the extended basis (special primes first), where g_d
 * is 1 modulo the primes of digit d and 0 modulo the others, so that one key serves every level
 * up to its own (hybrid key switching, Han–Ki, eprint 2019/688, §3). Words are in NTT domain,
 * Montgomery form, limbs without padding.
 */
import { streamStateWords } from "../kernels/backend.ts";
import type { Poly } from "../ring/poly.ts";
import { expansionState } from "../ring/random.ts";
import type { Context } from "./context.ts";
import type { SecretDistribution } from "./security.ts";

/** Domain-separation tags of seed expansion. */
export const seedDomains = { evaluationKey: 1, ciphertext: 2, insecureRandomness: 3, seededRandomness: 4 } as const;

/** The secret polynomial, client side only. */
export class SecretKey implements Disposable {
  readonly context: Context;
  readonly distribution: SecretDistribution;
  /** Signed coefficients, N of them. */
  readonly coefficients: Int32Array;
  /** NTT domain, Montgomery form, over the whole extended basis. */
  readonly poly: Poly;

  constructor(context: Context, distribution: SecretDistribution, coefficients: Int32Array) {
    this.context = context;
    this.distribution = distribution;
    this.coefficients = coefficients;
    this.poly = embedSigned(context, coefficients, context.parameters.extendedModuli(context.parameters.maximumLevel));
    context.ring.kernels.multiplyScalar(this.poly, this.poly, context.ring.montgomery(this.poly.moduli));
  }

  /** Overwrites and frees the key. */
  dispose(): void {
    this.coefficients.fill(0);
    if (!this.poly.isDisposed) this.context.ring.kernels.zero(this.poly);
    this.poly.dispose();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }
}

/** An encryption of zero under the secret key: what public-key encryption starts from. */
export interface PublicKey {
  /** b = −a·s + e over Q, NTT domain, Montgomery form, limbs without padding. */
  readonly b: Uint32Array;
  readonly seed: Uint8Array;
}

/** What an evaluation key switches from; `galois` keys are named by their element. */
export type KeyName = "relinearisation" | "dense-to-sparse" | "sparse-to-dense" | `galois-${number}`;

export interface EvaluationKey {
  readonly name: KeyName;
  /** Highest level at which it can be used. */
  readonly level: number;
  /** Number of special primes in its basis. */
  readonly specialCount: number;
  readonly seed: Uint8Array;
  /** One word array per digit: limbs one after another. */
  readonly b: readonly Uint32Array[];
}

/** The prime indices of a key's basis: its special primes, then Q up to its level. */
export function keyModuli(context: Context, level: number, specialCount: number): number[] {
  const { parameters } = context;
  return [...parameters.special.slice(0, specialCount), ...parameters.moduli(level)];
}

/** Gadget digits of a key: those of the parameters, or one where fewer special primes are used. */
export function keyDigits(context: Context, level: number): readonly (readonly [number, number])[] {
  return context.parameters.digitsAt(level);
}

/** The uniform polynomial that a public seed stands for, NTT domain; limbs depend on nothing but their prime. */
export function expandUniform(
  context: Context,
  seed: Uint8Array,
  domain: number,
  digit: number,
  moduli: readonly number[],
): Poly {
  const { ring } = context;
  const poly = ring.poly(moduli, "ntt");
  const states = new Uint32Array(moduli.length * streamStateWords);
  for (const [limb, modulus] of moduli.entries())
    states.set(expansionState(seed, domain, [modulus, digit]), limb * streamStateWords);
  ring.kernels.uniform(poly, states);
  return poly;
}

/** Small signed coefficients as an NTT polynomial. */
export function embedSigned(context: Context, coefficients: Int32Array, moduli: readonly number[]): Poly {
  const poly = context.ring.poly(moduli, "coefficient");
  context.ring.kernels.fromInt32(poly, coefficients);
  return poly.toNtt();
}
