/**
 * Eager CKKS operations on ciphertexts. Results are fresh ciphertexts, operands are left
 * unchanged; no scratch is kept between calls. Scales are exact: a sum checks them, a product
 * multiplies them, a rescale divides by the dropped primes.
 */
import { AegisError } from "../base/errors.ts";
import type { Poly } from "../ring/poly.ts";
import { Arithmetic } from "./arithmetic.ts";
import { requireDegree, requireLevel } from "./checks.ts";
import { Ciphertext } from "./ciphertext.ts";
import type { Context } from "./context.ts";
import { ExtendedCiphertext, Hoisted, type HoistOptions } from "./extended.ts";
import { conjugationElement, reducedSteps, rotationElement } from "./galois.ts";
import type { KeySource, LoadedKey } from "./key-store.ts";
import {
  Decomposed,
  decompose,
  decomposeLater,
  keyProduct,
  keyProducts,
  keySwitch,
  liftScalars,
  modDown,
  modDownRescale,
} from "./key-switch.ts";
import type { KeyName } from "./keys.ts";
import { raise } from "./mod-raise.ts";
import { type PlainTerm, shapeOfSum, sumPlain } from "./plain-sums.ts";

export { scaleTolerance } from "./checks.ts";
export { ExtendedCiphertext, Hoisted, type HoistOptions } from "./extended.ts";

export class Evaluator extends Arithmetic {
  readonly #keys: KeySource;

  constructor(context: Context, keys: KeySource) {
    super(context);
    this.#keys = keys;
  }

  /** Degree 2 → degree 1. */
  relinearise(a: Ciphertext): Ciphertext {
    return this.#relinearise(a, false);
  }

  /** Relinearise and rescale with one division for both. */
  relineariseRescale(a: Ciphertext): Ciphertext {
    requireLevel("rescale", a);
    return this.#relinearise(a, true);
  }

  /** {@link relineariseRescale} of several at one level: their key is read once. */
  relineariseRescaleTogether(list: readonly Ciphertext[]): Ciphertext[] {
    for (const a of list) requireLevel("rescale", a);
    return this.#relinearisedTogether(list).map((product) => {
      using extended = product;
      return this.modDownRescale(extended);
    });
  }

  /** Degree 2 → degree 1 over QP, before its ModDown. */
  relineariseExtended(a: Ciphertext): ExtendedCiphertext {
    return this.#relinearisedTogether([a])[0] as ExtendedCiphertext;
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

  /** Rotates the slots to the left by `steps`. */
  rotate(a: Ciphertext, steps: number): Ciphertext {
    const reduced = reducedSteps(steps, a.slots);
    return reduced === 0 ? a.clone() : this.#automorphism(a, rotationElement(reduced, this.context.parameters.degree));
  }

  /** Complex conjugate of every slot. */
  conjugate(a: Ciphertext): Ciphertext {
    return this.#automorphism(a, conjugationElement(this.context.parameters.degree));
  }

  /** Shares the ModUp of all rotations of one ciphertext. */
  hoist(a: Ciphertext, { transforms = "now", level = a.level }: HoistOptions = {}): Hoisted {
    requireDegree("hoist", a);
    if (level > a.level) {
      throw new AegisError("level", `hoist: expected a level from 0 to ${a.level}, got ${level}`, {
        operation: "hoist",
        level: a.level,
      });
    }
    return new Hoisted(a, level, this.#decompose(a.parts[1] as Poly, level, transforms));
  }

  /**
   * Shares the ModUp of all rotations of a ciphertext over QP, such as a rotation that is to be rotated
   * further: one ModDown, of part 1; part 0 stays over QP. Of `a` the rotations need part 0 alone.
   */
  hoistExtended(a: ExtendedCiphertext, { transforms = "now" }: Pick<HoistOptions, "transforms"> = {}): Hoisted {
    const down = modDown(this.context, a.parts[1], a.level, this.context.parameters.specialCount);
    const decomposed = this.#decompose(down, a.level, transforms);
    if (transforms === "later") return new Hoisted(a, a.level, decomposed, down);
    down.dispose();
    return new Hoisted(a, a.level, decomposed);
  }

  #decompose(poly: Poly, level: number, transforms: "now" | "later"): Decomposed {
    const { parameters } = this.context;
    const own = poly.limbs(0, parameters.limbs(level));
    return (transforms === "now" ? decompose : decomposeLater)(this.context, own, level, parameters.specialCount);
  }

  /** A rotation of a hoisted ciphertext. */
  rotateHoisted(hoisted: Hoisted, steps: number): Ciphertext {
    using rotated = this.rotateExtended(hoisted, steps);
    return this.modDown(rotated);
  }

  /** {@link rotateHoisted} of several at one level by the same steps. */
  rotateHoistedTogether(hoisted: readonly Hoisted[], steps: number): Ciphertext[] {
    return this.rotateTogether(hoisted, steps).map((rotated) => {
      using extended = rotated;
      return this.modDown(extended);
    });
  }

  /** A rotation of a hoisted ciphertext over QP, before its ModDown. */
  rotateExtended(hoisted: Hoisted, steps: number): ExtendedCiphertext {
    return this.rotateTogether([hoisted], steps)[0] as ExtendedCiphertext;
  }

  /** {@link rotateExtended} of several at one level by the same steps: their key is read once. */
  rotateTogether(hoisted: readonly Hoisted[], steps: number): ExtendedCiphertext[] {
    const [first] = hoisted as [Hoisted];
    const reduced = reducedSteps(steps, first.ciphertext.slots);
    if (reduced === 0) return hoisted.map((one) => this.#unrotated(one));
    const key = this.#key(this.#rotationKey(reduced), first.level);
    return this.#rotated(hoisted.map((one) => ({ hoisted: one, steps: reduced, key })));
  }

  /** {@link rotateExtended} by each of these steps, none a multiple of the slots: the digits are read once. */
  rotateEach(hoisted: Hoisted, steps: readonly number[]): ExtendedCiphertext[] {
    const { level, ciphertext } = hoisted;
    const reduced = steps.map((k) => reducedSteps(k, ciphertext.slots));
    const results: ExtendedCiphertext[] = [];
    while (results.length < reduced.length) {
      const left = reduced.slice(results.length);
      const keys = this.#keys.keys(
        left.map((k) => this.#rotationKey(k)),
        level,
      );
      results.push(...this.#rotated(keys.map((key, i) => ({ hoisted, steps: left[i] as number, key }))));
    }
    return results;
  }

  /** Rotations at one level by steps that are no multiples of the slots. */
  #rotated(
    rotations: readonly { readonly hoisted: Hoisted; readonly steps: number; readonly key: LoadedKey }[],
  ): ExtendedCiphertext[] {
    const [first] = rotations as [(typeof rotations)[number]];
    const { level } = first.hoisted;
    const { slots } = first.hoisted.ciphertext;
    const limbs = this.context.parameters.limbs(level);
    const factors = rotations.map(({ hoisted, steps, key }) => {
      const { ciphertext, decomposed } = hoisted;
      if (hoisted.level !== level || ciphertext.slots !== slots)
        throw new AegisError("internal", "rotate: ciphertexts that are rotated together differ in level or slots");
      const part = ciphertext.parts[0] as Poly;
      const unswitched =
        ciphertext instanceof ExtendedCiphertext ? { added: part } : { lifted: [part.limbs(0, limbs)] };
      const element = rotationElement(steps, this.context.parameters.degree);
      return { decomposed, key, steps: { ...unswitched, element } };
    });
    return keyProducts(this.context, factors).map((parts, i) => {
      const { scale } = (rotations[i] as (typeof rotations)[number]).hoisted.ciphertext;
      return new ExtendedCiphertext(parts, level, scale, slots);
    });
  }

  #rotationKey(steps: number): KeyName {
    return `galois-${rotationElement(steps, this.context.parameters.degree)}`;
  }

  #unrotated({ ciphertext: a, level }: Hoisted): ExtendedCiphertext {
    if (!(a instanceof ExtendedCiphertext)) return this.extend(a, level);
    return new ExtendedCiphertext([a.parts[0].clone(), a.parts[1].clone()], a.level, a.scale, a.slots);
  }

  /** Zero over QP, to accumulate into. */
  zeroExtended(level: number, scale: number, slots: number): ExtendedCiphertext {
    const { ring, parameters } = this.context;
    const moduli = parameters.extendedModuli(level);
    return new ExtendedCiphertext([ring.zero(moduli, "ntt"), ring.zero(moduli, "ntt")], level, scale, slots);
  }

  /** into += a over QP, at one level. */
  addExtended(into: ExtendedCiphertext, a: ExtendedCiphertext): void {
    if (a.level !== into.level)
      throw new AegisError("level", `addExtended: expected level ${into.level}, got level ${a.level}`, {
        operation: "addExtended",
        level: a.level,
      });
    for (const k of [0, 1] as const) this.#kernels.add(into.parts[k], into.parts[k], a.parts[k]);
  }

  /** {@link plainSum} of ciphertexts over QP, several sums of one level: operands that they share are read once. */
  plainSums(sums: readonly (readonly PlainTerm<ExtendedCiphertext>[])[]): ExtendedCiphertext[] {
    const { ring, parameters } = this.context;
    const shapes = sums.map((terms) => shapeOfSum(terms, true));
    const results = shapes.map(({ level, scale, slots }) => {
      const moduli = parameters.extendedModuli(level);
      return new ExtendedCiphertext([ring.poly(moduli, "ntt"), ring.poly(moduli, "ntt")], level, scale, slots);
    });
    sumPlain(
      this.#kernels,
      sums.map((terms, i) => ({ into: (results[i] as ExtendedCiphertext).parts, terms })),
    );
    return results;
  }

  /** P·a over QP, at `level`, at most a.level. */
  extend(a: Ciphertext, level: number = a.level): ExtendedCiphertext {
    const { ring, parameters } = this.context;
    const moduli = parameters.extendedModuli(level);
    const own = parameters.moduli(level);
    const scalars = liftScalars(this.context, own, parameters.specialCount);
    const lift = (part: Poly): Poly => {
      const poly = ring.poly(moduli, "ntt");
      this.#kernels.zero(poly.limbs(0, parameters.specialCount));
      this.#kernels.multiplyScalar(poly.limbs(parameters.specialCount), part.limbs(0, own.length), scalars);
      return poly;
    };
    return new ExtendedCiphertext([lift(a.parts[0] as Poly), lift(a.parts[1] as Poly)], level, a.scale, a.slots);
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
   * Adds the rotation by `steps` of a ciphertext over QP, or of P times one over Q, to `into`, over QP: one key
   * switch, no ModDown of the result. Over QP the operand takes a ModDown of part 1.
   */
  accumulateRotated(into: ExtendedCiphertext, a: ExtendedCiphertext | Ciphertext, steps: number): void {
    const { parameters } = this.context;
    const reduced = reducedSteps(steps, a.slots);
    if (reduced === 0) {
      this.#accumulate(into, a);
      return;
    }
    const element = rotationElement(reduced, parameters.degree);
    const key = this.#key(`galois-${element}`, a.level);
    if (a instanceof Ciphertext) {
      const [lifted, switched] = a.parts as [Poly, Poly];
      keySwitch(this.context, switched, a.level, key, { lifted: [lifted], element, into: into.parts });
      return;
    }
    using down = modDown(this.context, a.parts[1], a.level, parameters.specialCount);
    keySwitch(this.context, down, a.level, key, { added: a.parts[0], element, into: into.parts });
  }

  #accumulate(into: ExtendedCiphertext, a: ExtendedCiphertext | Ciphertext): void {
    using extended = a instanceof Ciphertext ? this.extend(a) : undefined;
    this.addExtended(into, extended ?? (a as ExtendedCiphertext));
  }

  /**
   * ModRaise: a ciphertext at level 0 read as one at the highest level, under the same secret. Its phase becomes the
   * message plus q0 times a small integer polynomial I, |I| ≤ K with overwhelming probability when the secret is
   * sparse: the ciphertext goes through an ephemeral sparse secret for it (Bossuat, Troncoso-Pastoriza, Hubaux, eprint
   * 2022/024).
   */
  modRaise(a: Ciphertext): Ciphertext {
    if (a.level !== 0)
      throw new AegisError("level", `modRaise: expected a ciphertext at level 0, got level ${a.level}`, {
        operation: "modRaise",
        level: a.level,
        hint: "drop its levels first",
      });
    const { parameters } = this.context;
    const top = parameters.maximumLevel;
    using sparse = this.switchKey(a, "dense-to-sparse");
    using part0 = raise(this.context, sparse.parts[0] as Poly, parameters.moduli(top));
    using part1 = raise(this.context, sparse.parts[1] as Poly, parameters.extendedModuli(top));
    return this.#switchSmall(new Ciphertext([part0], top, a.scale, a.slots), part1, "sparse-to-dense");
  }

  /**
   * Switches a ciphertext to another secret whose second part has coefficients far below P, such
   * as one that was raised from a small modulus: every gadget digit of it is that polynomial itself,
   * so there is no ModUp.
   * @param extended the second part over QP
   */
  #switchSmall(a: Ciphertext, extended: Poly, name: KeyName): Ciphertext {
    const key = this.#key(name, a.level);
    const ranges = this.context.parameters.digitsAt(a.level);
    const decomposed = new Decomposed(
      ranges.map(() => extended),
      ranges,
    );
    using product = new ExtendedCiphertext(
      keyProduct(this.context, { decomposed, key, steps: { lifted: [a.parts[0]] } }),
      a.level,
      a.scale,
      a.slots,
    );
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
    return this.#keys.keys([name], level)[0] as LoadedKey;
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

  /** Of ciphertexts at one level. */
  #relinearisedTogether(list: readonly Ciphertext[]): ExtendedCiphertext[] {
    const { level } = list[0] as Ciphertext;
    for (const a of list) {
      if (a.parts.length !== 3) {
        throw new AegisError(
          "argument",
          `relinearise: expected a ciphertext of degree 2, got degree ${a.parts.length - 1}`,
          { operation: "relinearise" },
        );
      }
      if (a.level !== level) throw new AegisError("internal", "relinearise: ciphertexts differ in level");
    }
    const key = this.#key("relinearisation", level);
    const factors = list.map(({ parts: [part0, part1, part2] }) => {
      const decomposed = decomposeLater(this.context, part2 as Poly, level, key.specialCount);
      return { decomposed, key, steps: { lifted: [part0, part1] } };
    });
    const products = keyProducts(this.context, factors);
    for (const { decomposed } of factors) decomposed[Symbol.dispose]();
    return products.map((parts, i) => {
      const { scale, slots } = list[i] as Ciphertext;
      return new ExtendedCiphertext(parts, level, scale, slots);
    });
  }

  #relinearise(a: Ciphertext, rescale: boolean): Ciphertext {
    using extended = this.relineariseExtended(a);
    return rescale ? this.modDownRescale(extended) : this.modDown(extended);
  }
}
