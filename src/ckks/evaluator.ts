/**
 * Eager CKKS operations on ciphertexts. Results are fresh ciphertexts, operands are left
 * unchanged; no scratch is kept between calls. Scales are exact: a sum checks them, a product
 * multiplies them, a rescale divides by the dropped primes.
 */
import { AegisError } from "../base/errors.ts";
import type { Limbs } from "../kernels/backend.ts";
import { bigModulo } from "../ring/modular.ts";
import type { Poly } from "../ring/poly.ts";
import { Ciphertext, type Plaintext } from "./ciphertext.ts";
import type { Context } from "./context.ts";
import { conjugationElement, rotationElement } from "./galois.ts";
import type { KeySource, LoadedKey } from "./key-store.ts";
import { decompose, keyProduct, keySwitch, liftScalars, modDown, modDownRescale } from "./key-switch.ts";
import type { KeyName } from "./keys.ts";

/** Sums accept scales whose ratio differs from 1 by less than this. */
export const scaleTolerance = 2 ** -35;

/** Gadget digits of a ciphertext's second part, shared by its rotations. */
export class Hoisted implements Disposable {
  readonly ciphertext: Ciphertext;
  readonly digits: readonly Poly[];

  constructor(ciphertext: Ciphertext, digits: readonly Poly[]) {
    this.ciphertext = ciphertext;
    this.digits = digits;
  }

  [Symbol.dispose](): void {
    for (const digit of this.digits) digit.dispose();
  }
}

/** A degree-1 ciphertext times P over the basis QP: what rotations are before their ModDown. */
export class ExtendedCiphertext implements Disposable {
  readonly parts: readonly [Poly, Poly];
  readonly level: number;
  readonly scale: number;
  readonly slots: number;

  constructor(parts: readonly [Poly, Poly], level: number, scale: number, slots: number) {
    this.parts = parts;
    this.level = level;
    this.scale = scale;
    this.slots = slots;
  }

  [Symbol.dispose](): void {
    this.parts[0].dispose();
    this.parts[1].dispose();
  }
}

export class Evaluator {
  readonly context: Context;
  readonly #keys: KeySource;

  constructor(context: Context, keys: KeySource) {
    this.context = context;
    this.#keys = keys;
  }

  /** a + b at the lower of the two levels. Throws `scale` when their scales differ. */
  add(a: Ciphertext, b: Ciphertext): Ciphertext {
    return this.#sum("add", a, b);
  }

  /** a − b at the lower of the two levels. Throws `scale` when their scales differ. */
  subtract(a: Ciphertext, b: Ciphertext): Ciphertext {
    return this.#sum("subtract", a, b);
  }

  negate(a: Ciphertext): Ciphertext {
    return this.#map(a, a.scale, (dst, part) => this.#kernels.negate(dst, part));
  }

  /** a + plaintext; the plaintext's level may be higher. */
  addPlain(a: Ciphertext, plaintext: Plaintext): Ciphertext {
    this.#requireSameScale("addPlain", a, plaintext);
    if (plaintext.level < a.level || plaintext.extended) {
      throw new AegisError("level", `addPlain: plaintext at level ${plaintext.level}, ciphertext at level ${a.level}`, { operation: "addPlain", level: a.level });
    }
    const result = a.clone();
    const { ring } = this.context;
    const part = result.parts[0] as Poly;
    using message = ring.poly(part.moduli, "ntt");
    this.#kernels.expand(message, plaintext.poly.limbs(0, part.moduli.length), plaintext.logRun);
    if (plaintext.montgomery) this.#kernels.multiplyScalar(message, message, ring.montgomeryInverse(part.moduli));
    this.#kernels.add(part, part, message);
    return result;
  }

  /** a + constant in every slot. */
  addConstant(a: Ciphertext, constant: number): Ciphertext {
    const result = a.clone();
    const part = result.parts[0] as Poly;
    this.#kernels.addScalar(part, part, this.#integerScalars(constant * a.scale, part.moduli));
    return result;
  }

  /**
   * a · constant, the constant rounded to a multiple of 1/scale; the result's scale is
   * a.scale · scale. With scale 1 the constant is an integer and nothing is consumed.
   */
  multiplyConstant(a: Ciphertext, constant: number, scale = 1): Ciphertext {
    const scalars = this.#integerScalars(constant * scale, a.parts[0]?.moduli ?? []);
    return this.#map(a, a.scale * scale, (dst, part) => this.#kernels.multiplyScalar(dst, part, scalars));
  }

  /** target += a · constant in place, where the constant is rounded so that the scales agree. */
  accumulate(target: Ciphertext, a: Ciphertext, constant: number): void {
    const ratio = target.scale / a.scale;
    for (const [k, part] of target.parts.entries()) {
      const source = a.parts[k];
      if (source === undefined) continue;
      this.#kernels.multiplyScalarAdd(part, source.limbs(0, part.moduli.length), this.#integerScalars(constant * ratio, part.moduli));
    }
  }

  /** An encryption of zero (trivial, not hiding) to accumulate into. */
  zero(level: number, scale: number, slots: number): Ciphertext {
    const moduli = this.context.parameters.moduli(level);
    const { ring } = this.context;
    return new Ciphertext([ring.zero(moduli, "ntt"), ring.zero(moduli, "ntt")], level, scale, slots);
  }

  /** a · i in every slot: a permutation with signs, no scale consumed. */
  multiplyByI(a: Ciphertext): Ciphertext {
    const { ring, parameters } = this.context;
    const small = ring.subring(2);
    const moduli = parameters.moduli(a.level);
    // X^(N/2) is Y^2 in the subring of degree 4.
    using monomial = small.poly(moduli, "coefficient");
    small.kernels.fromInt32(monomial, Int32Array.of(0, 0, 1, 0));
    monomial.toNtt();
    small.kernels.multiplyScalar(monomial, monomial, small.montgomery(moduli));
    const logRun = parameters.logN - 2;
    return this.#map(a, a.scale, (dst, part) => this.#kernels.multiplySum(dst, [monomial], [part], false, logRun));
  }

  /** a · plaintext, not rescaled. The plaintext is encoded for products, at a.level or higher. */
  multiplyPlain(a: Ciphertext, plaintext: Plaintext): Ciphertext {
    if (!plaintext.montgomery || plaintext.extended || plaintext.level < a.level) {
      throw new AegisError(
        "argument",
        `multiplyPlain: expected a plaintext for products at level ${a.level} or higher, got level ${plaintext.level}${plaintext.montgomery ? "" : " for sums"}`,
        { operation: "multiplyPlain", level: a.level, hint: "encode with use: 'product' at the ciphertext's level" },
      );
    }
    const limbs = this.context.parameters.limbs(a.level);
    const factor = plaintext.poly.limbs(0, limbs);
    return this.#map(a, a.scale * plaintext.scale, (dst, part) =>
      this.#kernels.multiplySum(dst, [factor], [part], false, plaintext.logRun),
    );
  }

  /**
   * Tensor product without relinearisation: a degree-2 ciphertext at the lower level, times a
   * small integer factor at no cost.
   */
  tensor(a: Ciphertext, b: Ciphertext, factor = 1): Ciphertext {
    return this.tensorSum([[a, b]], factor);
  }

  /**
   * Σ a[t]·b[t] as one degree-2 ciphertext: sums before relinearisation cost one key switch in
   * all. All products must have the same scale.
   */
  tensorSum(pairs: readonly (readonly [Ciphertext, Ciphertext])[], factor = 1): Ciphertext {
    const { ring, parameters } = this.context;
    const level = Math.min(...pairs.flatMap(([a, b]) => [a.level, b.level]));
    const limbs = parameters.limbs(level);
    const moduli = parameters.moduli(level);
    const scale = (pairs[0] as readonly [Ciphertext, Ciphertext])[0].scale * (pairs[0] as readonly [Ciphertext, Ciphertext])[1].scale;
    for (const [a, b] of pairs) {
      requireDegree("multiply", a);
      requireDegree("multiply", b);
      requireScaleRatio("multiply", (a.scale * b.scale) / scale, level);
    }
    const scalars = ring.scalars(`R·${factor}`, moduli, (q) => ((2 ** 32 % q) * factor) % q);
    const first: Limbs[] = [];
    const second: Limbs[] = [];
    const lifted: Poly[] = [];
    const lift0: Limbs[] = [];
    const lift1: Limbs[] = [];
    let slots = 0;
    for (const [a, b] of pairs) {
      first.push((a.parts[0] as Poly).limbs(0, limbs));
      second.push((a.parts[1] as Poly).limbs(0, limbs));
      for (const [part, into] of [[b.parts[0], lift0], [b.parts[1], lift1]] as const) {
        const poly = ring.poly(moduli, "ntt");
        this.#kernels.multiplyScalar(poly, (part as Poly).limbs(0, limbs), scalars);
        lifted.push(poly);
        into.push(poly);
      }
      slots = Math.max(slots, a.slots, b.slots);
    }
    const parts = [ring.poly(moduli, "ntt"), ring.poly(moduli, "ntt"), ring.poly(moduli, "ntt")] as const;
    this.#kernels.multiplySum(parts[0], lift0, first, false, 0);
    this.#kernels.multiplySum(parts[1], [...lift0, ...lift1], [...second, ...first], false, 0);
    this.#kernels.multiplySum(parts[2], lift1, second, false, 0);
    for (const poly of lifted) poly.dispose();
    return new Ciphertext(parts, level, scale, slots);
  }

  /** Degree 2 → degree 1. */
  relinearise(a: Ciphertext): Ciphertext {
    return this.#relinearise(a, false);
  }

  /** Relinearise and rescale with one division for both. */
  relineariseRescale(a: Ciphertext): Ciphertext {
    this.#requireLevel("rescale", a);
    return this.#relinearise(a, true);
  }

  /** a · b, relinearised, not rescaled. */
  multiply(a: Ciphertext, b: Ciphertext): Ciphertext {
    using product = this.tensor(a, b);
    return this.relinearise(product);
  }

  /** a · b, relinearised and rescaled by one level. */
  multiplyRescale(a: Ciphertext, b: Ciphertext): Ciphertext {
    using product = this.tensor(a, b);
    return this.relineariseRescale(product);
  }

  /** Divides by the primes of the level and drops to the level below. */
  rescale(a: Ciphertext): Ciphertext {
    this.#requireLevel("rescale", a);
    const { ring, parameters } = this.context;
    const level = a.level - 1;
    const kept = parameters.limbs(level);
    const parts = a.parts.map((part) => {
      const result = ring.poly(parameters.moduli(level), "ntt");
      ring.divide(result, part.limbs(0, kept), part.limbs(kept));
      return result;
    });
    return new Ciphertext(parts, level, a.scale / parameters.levelModulus(a.level), a.slots);
  }

  /** The same ciphertext at a lower level: limbs are dropped, the scale stays. */
  dropLevel(a: Ciphertext, level: number): Ciphertext {
    if (level > a.level || level < 0) {
      throw new AegisError("level", `dropLevel: expected a level from 0 to ${a.level}, got ${level}`, { operation: "dropLevel", level: a.level });
    }
    const limbs = this.context.parameters.limbs(level);
    return new Ciphertext(a.parts.map((part) => part.clone(0, limbs)), level, a.scale, a.slots);
  }

  /** Rotates the slots to the left by `steps`. */
  rotate(a: Ciphertext, steps: number): Ciphertext {
    const reduced = ((steps % a.slots) + a.slots) % a.slots;
    return reduced === 0 ? a.clone() : this.#automorphism(a, rotationElement(reduced, this.context.parameters.degree));
  }

  /** Complex conjugate of every slot. */
  conjugate(a: Ciphertext): Ciphertext {
    return this.#automorphism(a, conjugationElement(this.context.parameters.degree));
  }

  /** Shares the ModUp of all rotations of one ciphertext. */
  hoist(a: Ciphertext): Hoisted {
    requireDegree("hoist", a);
    const { parameters } = this.context;
    return new Hoisted(a, decompose(this.context, a.parts[1] as Poly, a.level, parameters.specialCount));
  }

  /** A rotation of a hoisted ciphertext. */
  rotateHoisted(hoisted: Hoisted, steps: number): Ciphertext {
    using rotated = this.rotateExtended(hoisted, steps);
    return this.modDown(rotated);
  }

  /** A rotation of a hoisted ciphertext over QP, before its ModDown. */
  rotateExtended(hoisted: Hoisted, steps: number): ExtendedCiphertext {
    const { ciphertext } = hoisted;
    const reduced = ((steps % ciphertext.slots) + ciphertext.slots) % ciphertext.slots;
    if (reduced === 0) return this.extend(ciphertext);
    const element = rotationElement(reduced, this.context.parameters.degree);
    const key = this.#key(`galois-${element}`, ciphertext.level);
    const parts = keyProduct(this.context, hoisted.digits, key, { lifted: [ciphertext.parts[0]], element });
    return new ExtendedCiphertext(parts, ciphertext.level, ciphertext.scale, ciphertext.slots);
  }

  /** P·a over QP. */
  extend(a: Ciphertext): ExtendedCiphertext {
    const { ring, parameters } = this.context;
    const moduli = parameters.extendedModuli(a.level);
    const scalars = liftScalars(this.context, parameters.moduli(a.level), parameters.specialCount);
    const lift = (part: Poly): Poly => {
      const poly = ring.poly(moduli, "ntt");
      this.#kernels.zero(poly.limbs(0, parameters.specialCount));
      this.#kernels.multiplyScalar(poly.limbs(parameters.specialCount), part, scalars);
      return poly;
    };
    return new ExtendedCiphertext([lift(a.parts[0] as Poly), lift(a.parts[1] as Poly)], a.level, a.scale, a.slots);
  }

  /** Divides by P. */
  modDown(a: ExtendedCiphertext): Ciphertext {
    const { specialCount } = this.context.parameters;
    const parts = a.parts.map((part) => modDown(this.context, part, a.level, specialCount));
    return new Ciphertext(parts, a.level, a.scale, a.slots);
  }

  /** Divides by P and rescales by one level, with one rounding. */
  modDownRescale(a: ExtendedCiphertext): Ciphertext {
    const { parameters } = this.context;
    const parts = a.parts.map((part) => modDownRescale(this.context, part, a.level, parameters.specialCount));
    return new Ciphertext(parts, a.level - 1, a.scale / parameters.levelModulus(a.level), a.slots);
  }

  /**
   * Adds the rotation by `steps` of an extended ciphertext to `into`, over QP: one ModDown of
   * part 1, one key switch, no ModDown of the result.
   */
  accumulateRotated(into: ExtendedCiphertext, a: ExtendedCiphertext, steps: number): void {
    const { parameters } = this.context;
    const reduced = ((steps % a.slots) + a.slots) % a.slots;
    if (reduced === 0) {
      for (const k of [0, 1] as const) this.#kernels.add(into.parts[k], into.parts[k], a.parts[k]);
      return;
    }
    const element = rotationElement(reduced, parameters.degree);
    const key = this.#key(`galois-${element}`, a.level);
    using down = modDown(this.context, a.parts[1], a.level, parameters.specialCount);
    keySwitch(this.context, down, a.level, key, { added: a.parts[0], element, into: into.parts });
  }

  /**
   * Switches a ciphertext to another secret whose second part has coefficients far below P, such
   * as one that was raised from a small modulus: every gadget digit of it is that polynomial itself,
   * so there is no ModUp.
   * @param extended the second part over QP
   */
  switchSmall(a: Ciphertext, extended: Poly, name: KeyName): Ciphertext {
    const key = this.#key(name, a.level);
    const digits = this.context.parameters.digitsAt(a.level).map(() => extended);
    using product = new ExtendedCiphertext(keyProduct(this.context, digits, key, { lifted: [a.parts[0]] }), a.level, a.scale, a.slots);
    return this.modDown(product);
  }

  /** Switches to another secret with a named key, at the key's own special primes. */
  switchKey(a: Ciphertext, name: KeyName): Ciphertext {
    requireDegree("switchKey", a);
    const key = this.#key(name, a.level);
    const product = keySwitch(this.context, a.parts[1] as Poly, a.level, key, { lifted: [a.parts[0]] });
    const parts = product.map((part) => {
      using extended = part;
      return modDown(this.context, extended, a.level, key.specialCount);
    });
    return new Ciphertext(parts, a.level, a.scale, a.slots);
  }

  get #kernels() {
    return this.context.ring.kernels;
  }

  #key(name: KeyName, level: number): LoadedKey {
    return this.#keys.key(name, level);
  }

  #automorphism(a: Ciphertext, element: number): Ciphertext {
    requireDegree("rotate", a);
    const { ring } = this.context;
    const key = this.#key(`galois-${element}`, a.level);
    const product = keySwitch(this.context, a.parts[1] as Poly, a.level, key);
    const parts = product.map((part, k) => {
      using down = modDown(this.context, part, a.level, key.specialCount);
      part.dispose();
      if (k === 0) this.#kernels.add(down, down, a.parts[0] as Poly);
      const result = ring.poly(down.moduli, "ntt");
      this.#kernels.automorphism(result, down, element);
      return result;
    });
    return new Ciphertext(parts, a.level, a.scale, a.slots);
  }

  #relinearise(a: Ciphertext, rescale: boolean): Ciphertext {
    if (a.parts.length !== 3) {
      throw new AegisError("argument", `relinearise: expected a ciphertext of degree 2, got degree ${a.parts.length - 1}`, { operation: "relinearise" });
    }
    const { parameters } = this.context;
    const key = this.#key("relinearisation", a.level);
    const product = keySwitch(this.context, a.parts[2] as Poly, a.level, key, { lifted: [a.parts[0], a.parts[1]] });
    using extended = new ExtendedCiphertext(product, a.level, a.scale, a.slots);
    if (!rescale) return this.modDown(extended);
    const parts = extended.parts.map((part) => modDownRescale(this.context, part, a.level, key.specialCount));
    return new Ciphertext(parts, a.level - 1, a.scale / parameters.levelModulus(a.level), a.slots);
  }

  #sum(operation: "add" | "subtract", a: Ciphertext, b: Ciphertext): Ciphertext {
    this.#requireSameScale(operation, a, b);
    const { ring, parameters } = this.context;
    const level = Math.min(a.level, b.level);
    const limbs = parameters.limbs(level);
    const moduli = parameters.moduli(level);
    const parts: Poly[] = [];
    for (let k = 0; k < Math.max(a.parts.length, b.parts.length); k++) {
      const left = a.parts[k]?.limbs(0, limbs);
      const right = b.parts[k]?.limbs(0, limbs);
      const result = ring.poly(moduli, "ntt");
      if (left !== undefined && right !== undefined) this.#kernels[operation](result, left, right);
      else if (left !== undefined) this.#kernels.copy(result, left);
      else if (operation === "add") this.#kernels.copy(result, right as Limbs);
      else this.#kernels.negate(result, right as Limbs);
      parts.push(result);
    }
    return new Ciphertext(parts, level, a.scale, Math.max(a.slots, b.slots));
  }

  #map(a: Ciphertext, scale: number, apply: (dst: Poly, part: Poly) => void): Ciphertext {
    const parts = a.parts.map((part) => {
      const result = this.context.ring.poly(part.moduli, "ntt");
      apply(result, part);
      return result;
    });
    return new Ciphertext(parts, a.level, scale, a.slots);
  }

  /** Residues of a rounded number of any size. */
  #integerScalars(value: number, moduli: readonly number[]): Uint32Array {
    const integer = BigInt(Math.round(value));
    const { primes } = this.context.ring;
    return Uint32Array.from(moduli, (index) => bigModulo(integer, primes[index] as number));
  }

  #requireLevel(operation: string, a: Ciphertext): void {
    if (a.level > 0) return;
    throw new AegisError("level", `${operation}: the ciphertext is at level 0 (scale 2^${Math.log2(a.scale).toFixed(2)}): no level is left`, {
      operation,
      level: 0,
      logScale: Math.log2(a.scale),
      hint: "bootstrap it, or use parameters with more levels",
    });
  }

  #requireSameScale(operation: string, a: { scale: number; level: number }, b: { scale: number; level: number }): void {
    const ratio = a.scale / b.scale;
    if (Math.abs(ratio - 1) < scaleTolerance) return;
    const show = (x: { scale: number; level: number }): string => `2^${Math.log2(x.scale).toFixed(4)} at level ${x.level}`;
    throw new AegisError("scale", `${operation}: the scales differ: ${show(a)} and ${show(b)}`, {
      operation,
      level: Math.min(a.level, b.level),
      logScale: Math.log2(a.scale),
      hint: "rescale both alike, or multiply one by a constant whose scale makes up the ratio",
    });
  }
}

function requireDegree(operation: string, a: Ciphertext): void {
  if (a.parts.length === 2) return;
  throw new AegisError("argument", `${operation}: expected a ciphertext of degree 1, got degree ${a.parts.length - 1}`, {
    operation,
    level: a.level,
    hint: "relinearise it first",
  });
}

function requireScaleRatio(operation: string, ratio: number, level: number): void {
  if (Math.abs(ratio - 1) < scaleTolerance) return;
  throw new AegisError("scale", `${operation}: the products of a sum have scales whose ratio is 2^${Math.log2(ratio).toFixed(6)}`, { operation, level });
}
