/**
 * Kernels that are made of others, limb by limb, so that every limb of a key is read once and each step
 * finds in the cache what the one before it left: for backends that have no kernel of their own for them.
 *
 * This is the loop around the kernels that takes most of a run. Objects here have one shape whatever is
 * asked for: else compilers specialise it again and again, on cores that devices are working on.
 */
import type { DigitSource, KeyBasis, KeyProduct, Limbs, RingKernels, SwitchingKeyLimbs } from "./backend.ts";
import { limbOf } from "./limbs.ts";

/** {@link RingKernels.keyProducts} by the other kernels. */
export function keyProductsByLimbs(kernels: RingKernels, products: readonly KeyProduct[], basis: KeyBasis): void {
  const [first] = products;
  if (first === undefined) return;
  const { moduli } = first.digits[0] as Limbs;
  const factors = products.map((product) => new Factor(product));
  const scratch = kernels.allocate(scratchLimbs);
  try {
    const limbs = new LimbProducts(kernels, basis, scratch);
    for (let i = 0; i < moduli.length; i++) {
      limbs.begin(i);
      for (let f = 0; f < factors.length; f++) limbs.multiply(factors[f] as Factor);
    }
  } finally {
    kernels.release(scratch, scratchLimbs);
  }
}

/** {@link RingKernels.keyProducts} by the other kernels, each step for all limbs at once. */
export function keyProductsTogether(
  kernels: RingKernels,
  products: readonly KeyProduct[],
  { specialCount, liftScalars }: KeyBasis,
): void {
  const [first] = products;
  if (first === undefined) return;
  const { moduli: basis } = first.digits[0] as Limbs;
  const count = first.digits.length;
  const from = (view: Limbs, start: number, end: number): Limbs => ({
    address: view.address + start * kernels.limbStride,
    moduli: view.moduli.slice(start, end),
  });
  const held: number[] = [];
  const scratch = (): Limbs => {
    const address = kernels.allocate(basis.length);
    held.push(address);
    return { address, moduli: basis };
  };
  try {
    for (const { digits, source } of products)
      if (source !== undefined && !source.transformed) transformDigits(digits, source);
    // A key of a higher level has more limbs than the product.
    const half = (list: readonly Limbs[]): Limbs[] =>
      list.slice(0, count).map(({ address }) => ({ address, moduli: basis }));
    const sums = products.map(({ digits, key, element, accumulates, dst }) => ({
      dst: element === 1 && !accumulates ? dst : [scratch(), scratch()],
      a: digits,
      b: [half(key.b), half(key.a)],
    }));
    kernels.multiplySums(sums, false, 0);
    const own = basis.slice(specialCount);
    for (const [f, { lifted, added, element, accumulates, dst }] of products.entries()) {
      const parts = (sums[f] as (typeof sums)[number]).dst;
      for (const [k, part] of parts.entries()) {
        const poly = lifted[k];
        if (poly !== undefined)
          kernels.multiplyScalarAdd(
            from(part, specialCount, basis.length),
            { address: poly.address, moduli: own },
            liftScalars.subarray(0, own.length),
          );
        if (k === 0 && added !== undefined) kernels.add(part, part, { address: added.address, moduli: basis });
        const target = { address: (dst[k] as Limbs).address, moduli: basis };
        if (element === 1) {
          if (accumulates) kernels.add(target, target, part);
          continue;
        }
        const moved = accumulates ? scratch() : target;
        kernels.automorphism(moved, part, element);
        if (accumulates) kernels.add(target, target, moved);
      }
    }
  } finally {
    for (const address of held) kernels.release(address, basis.length);
  }

  function transformDigits(digits: readonly Limbs[], { poly, ranges }: DigitSource): void {
    for (const [d, digit] of digits.entries()) {
      const [start, end] = ranges[d] as readonly [number, number];
      kernels.forwardNtt(from(digit, 0, specialCount + start));
      kernels.forwardNtt(from(digit, specialCount + end, basis.length));
      kernels.copy(from(digit, specialCount + start, specialCount + end), from(poly, start, end));
    }
  }
}

/** {@link RingKernels.subtractTransformed} by the other kernels. */
export function subtractTransformedByLimbs(
  kernels: RingKernels,
  dst: Limbs,
  a: Limbs,
  b: Limbs,
  scalars: Uint32Array,
): void {
  for (let i = 0; i < dst.moduli.length; i++) {
    const limb = limbOf(kernels, b, i);
    kernels.forwardNtt(limb);
    kernels.subtractMultiplyScalar(limbOf(kernels, dst, i), limbOf(kernels, a, i), limb, scalars.subarray(i, i + 1));
  }
}

/** Two products and their two images under an automorphism. */
export const scratchLimbs = 4;

/** A product whose absent fields are there, as undefined. */
class Factor {
  readonly digits: readonly Limbs[];
  readonly source: DigitSource | undefined;
  readonly key: SwitchingKeyLimbs;
  readonly lifted0: Limbs | undefined;
  readonly lifted1: Limbs | undefined;
  readonly added: Limbs | undefined;
  readonly element: number;
  readonly accumulates: boolean;
  readonly dst0: Limbs;
  readonly dst1: Limbs;

  constructor({ digits, source, key, lifted, added, element, accumulates, dst }: KeyProduct) {
    this.digits = digits;
    this.source = source;
    this.key = key;
    this.lifted0 = lifted[0];
    this.lifted1 = lifted[1];
    this.added = added;
    this.element = element;
    this.accumulates = accumulates;
    this.dst0 = dst[0];
    this.dst1 = dst[1];
  }
}

/** Works one limb at a time; lists of operands are the same ones for every limb. */
class LimbProducts {
  readonly #kernels: RingKernels;
  readonly #basis: KeyBasis;
  readonly #scratch: number;
  readonly #digits: Limbs[];
  readonly #keyB: Limbs[];
  readonly #keyA: Limbs[];
  #limb = 0;
  /** The key whose present limbs are listed. */
  #key: SwitchingKeyLimbs | undefined;
  #moduli: readonly number[] = [];

  /** @param scratch address of {@link scratchLimbs} limbs */
  constructor(kernels: RingKernels, basis: KeyBasis, scratch: number) {
    this.#kernels = kernels;
    this.#basis = basis;
    this.#scratch = scratch;
    this.#digits = [];
    this.#keyB = [];
    this.#keyA = [];
  }

  /** Goes on to limb i. */
  begin(i: number): void {
    this.#limb = i;
    this.#key = undefined;
  }

  multiply(factor: Factor): void {
    const kernels = this.#kernels;
    const i = this.#limb;
    const count = factor.digits.length;
    this.#digits.length = count;
    const streamed = this.#key !== factor.key;
    if (streamed) this.#list(factor.key, count);
    for (let d = 0; d < count; d++) this.#digits[d] = this.#digit(factor, d);
    this.#moduli = (this.#keyB[0] as Limbs).moduli;
    const target0 = limbOf(kernels, factor.dst0, i);
    const target1 = limbOf(kernels, factor.dst1, i);
    const direct = factor.element === 1 && !factor.accumulates;
    const product0 = direct ? target0 : this.#at(0);
    const product1 = direct ? target1 : this.#at(1);
    kernels.multiplySumPair(product0, product1, this.#digits, this.#keyB, this.#keyA, false, 0, streamed);
    this.#lift(product0, factor.lifted0);
    this.#lift(product1, factor.lifted1);
    if (factor.added !== undefined) kernels.add(product0, product0, limbOf(kernels, factor.added, i));
    if (direct) return;
    this.#place(target0, product0, factor, 2);
    this.#place(target1, product1, factor, 3);
  }

  /** The present limbs of a key, which may have more digits when it serves higher levels. */
  #list(key: SwitchingKeyLimbs, count: number): void {
    this.#key = key;
    this.#keyB.length = this.#keyA.length = count;
    for (let d = 0; d < count; d++) {
      this.#keyB[d] = limbOf(this.#kernels, key.b[d] as Limbs, this.#limb);
      this.#keyA[d] = limbOf(this.#kernels, key.a[d] as Limbs, this.#limb);
    }
  }

  /** The present limb of digit d, in NTT domain. */
  #digit({ digits, source }: Factor, d: number): Limbs {
    const i = this.#limb;
    if (source === undefined) return limbOf(this.#kernels, digits[d] as Limbs, i);
    const range = source.ranges[d] as readonly [number, number];
    const own = i - this.#basis.specialCount;
    if (own >= range[0] && own < range[1]) return limbOf(this.#kernels, source.poly, own);
    const limb = limbOf(this.#kernels, digits[d] as Limbs, i);
    if (!source.transformed) this.#kernels.forwardNtt(limb);
    return limb;
  }

  /** Adds P times a polynomial over Q. */
  #lift(product: Limbs, lifted: Limbs | undefined): void {
    const { specialCount, liftScalars } = this.#basis;
    const own = this.#limb - specialCount;
    if (lifted === undefined || own < 0) return;
    this.#kernels.multiplyScalarAdd(product, limbOf(this.#kernels, lifted, own), liftScalars.subarray(own, own + 1));
  }

  /** The automorphism, and the sum. */
  #place(target: Limbs, product: Limbs, { element, accumulates }: Factor, scratch: number): void {
    let source = product;
    if (element !== 1) {
      source = accumulates ? this.#at(scratch) : target;
      this.#kernels.automorphism(source, product, element);
    }
    if (accumulates) this.#kernels.add(target, target, source);
  }

  /** Limb k of the workspace, with the modulus of the present limb. */
  #at(k: number): Limbs {
    return { address: this.#scratch + k * this.#kernels.limbStride, moduli: this.#moduli };
  }
}
