/**
 * Products of gadget digits with a switching key, limb by limb, so that every limb of the key is read
 * once and what follows a product finds it in the cache.
 *
 * This is the loop around the kernels that takes most of a run. Objects here have one shape whatever is
 * asked for: else compilers specialise it again and again, on cores that devices are working on.
 */
import type { Limbs, RingKernels } from "../kernels/backend.ts";
import type { Poly } from "../ring/poly.ts";
import type { Ring } from "../ring/ring.ts";
import type { Context } from "./context.ts";
import type { LoadedKey } from "./key-store.ts";

/** What else happens to a product with a key while its limbs are in the cache. */
export interface ProductSteps {
  /** Polynomials over Q: P times them is added to the parts. */
  readonly lifted?: readonly (Limbs | undefined)[];
  /** An extended polynomial added to part 0. */
  readonly added?: Limbs;
  /** Galois element of an automorphism after that. */
  readonly element?: number;
  /** Sum that the parts are added to at last; otherwise they are fresh. */
  readonly into?: readonly [Poly, Poly];
}

/** What a polynomial was decomposed from, where its digits are transformed only when they are read. */
export interface DigitSource {
  /** Over Q, in NTT domain: a digit's own limbs. */
  readonly poly: Limbs;
  /** Limbs of each digit, from (inclusive) to (exclusive). */
  readonly ranges: readonly (readonly [number, number])[];
  readonly specialCount: number;
}

/** Gadget digits over QP; with a source, in coefficient domain up to where their limbs are read, once each. */
export class Digits {
  readonly #ring: Ring;
  readonly #polys: readonly Poly[];
  readonly #source: DigitSource | undefined;

  constructor(ring: Ring, polys: readonly Poly[], source?: DigitSource) {
    this.#ring = ring;
    this.#polys = polys;
    this.#source = source;
  }

  get basis(): readonly number[] {
    return (this.#polys[0] as Poly).moduli;
  }

  get count(): number {
    return this.#polys.length;
  }

  /** Limb i of digit d, in NTT domain. */
  limb(d: number, i: number): Limbs {
    const source = this.#source;
    if (source === undefined) return this.#ring.limb(this.#polys[d] as Poly, i);
    const range = source.ranges[d] as readonly [number, number];
    const own = i - source.specialCount;
    if (own >= range[0] && own < range[1]) return this.#ring.limb(source.poly, own);
    const limb = this.#ring.limb(this.#polys[d] as Poly, i);
    this.#ring.kernels.forwardNtt(limb);
    return limb;
  }
}

/** Digits to be multiplied, with what follows; fields that are absent are undefined, the identity's element is 1. */
class Factor {
  readonly digits: Digits;
  readonly lifted0: Limbs | undefined;
  readonly lifted1: Limbs | undefined;
  readonly added: Limbs | undefined;
  readonly element: number;
  readonly accumulates: boolean;
  readonly result: readonly [Poly, Poly];

  constructor(ring: Ring, digits: Digits, { lifted, added, element, into }: ProductSteps) {
    this.digits = digits;
    this.lifted0 = lifted?.[0];
    this.lifted1 = lifted?.[1];
    this.added = added;
    this.element = element ?? 1;
    this.accumulates = into !== undefined;
    this.result = into ?? [ring.poly(digits.basis, "ntt"), ring.poly(digits.basis, "ntt")];
  }
}

/** Σ_d digit_d · key_d of every factor: two extended polynomials (parts 0 and 1) each. All have one basis. */
export function productsByLimbs(
  context: Context,
  factors: readonly { readonly digits: Digits; readonly steps: ProductSteps }[],
  key: LoadedKey,
  liftScalars: Uint32Array,
): (readonly [Poly, Poly])[] {
  const { ring } = context;
  const all = factors.map(({ digits, steps }) => new Factor(ring, digits, steps));
  const { basis, count } = (all[0] as Factor).digits;
  using scratch = ring.poly(new Array<number>(4).fill(basis[0] as number), "ntt");
  const limbs = new LimbProducts(ring, key, count, scratch, liftScalars);
  for (let i = 0; i < basis.length; i++) {
    limbs.begin(i, basis[i] as number);
    for (let f = 0; f < all.length; f++) limbs.multiply(all[f] as Factor, f === 0);
  }
  return all.map(({ result }) => result);
}

/** Works one limb at a time; lists of operands are the same ones for every limb. */
class LimbProducts {
  readonly #ring: Ring;
  readonly #kernels: RingKernels;
  readonly #key: LoadedKey;
  readonly #scratch: Poly;
  readonly #liftScalars: Uint32Array;
  readonly #digits: Limbs[];
  readonly #keyB: Limbs[];
  readonly #keyA: Limbs[];
  #limb = 0;
  #moduli: readonly number[] = [];

  /** @param scratch four limbs, of whatever moduli */
  constructor(ring: Ring, key: LoadedKey, digits: number, scratch: Poly, liftScalars: Uint32Array) {
    this.#ring = ring;
    this.#kernels = ring.kernels;
    this.#key = key;
    this.#scratch = scratch;
    this.#liftScalars = liftScalars;
    this.#digits = new Array<Limbs>(digits);
    this.#keyB = new Array<Limbs>(digits);
    this.#keyA = new Array<Limbs>(digits);
  }

  /** Goes on to limb i, of this modulus. */
  begin(i: number, modulus: number): void {
    const ring = this.#ring;
    const { a, b } = this.#key;
    this.#limb = i;
    this.#moduli = ring.singles[modulus] as readonly number[];
    for (let d = 0; d < this.#digits.length; d++) {
      this.#keyB[d] = ring.limb(b[d] as Poly, i);
      this.#keyA[d] = ring.limb(a[d] as Poly, i);
    }
  }

  /** @param streamed whether the key's limbs are read for the first time */
  multiply(factor: Factor, streamed: boolean): void {
    const ring = this.#ring;
    const kernels = this.#kernels;
    const i = this.#limb;
    for (let d = 0; d < this.#digits.length; d++) this.#digits[d] = factor.digits.limb(d, i);
    const target0 = ring.limb(factor.result[0], i);
    const target1 = ring.limb(factor.result[1], i);
    const direct = factor.element === 1 && !factor.accumulates;
    const product0 = direct ? target0 : this.#at(0);
    const product1 = direct ? target1 : this.#at(1);
    kernels.multiplySumPair(product0, product1, this.#digits, this.#keyB, this.#keyA, false, 0, streamed);
    this.#lift(product0, factor.lifted0);
    this.#lift(product1, factor.lifted1);
    if (factor.added !== undefined) kernels.add(product0, product0, ring.limb(factor.added, i));
    if (direct) return;
    this.#place(target0, product0, factor, 2);
    this.#place(target1, product1, factor, 3);
  }

  /** Adds P times a polynomial over Q. */
  #lift(product: Limbs, lifted: Limbs | undefined): void {
    const own = this.#limb - this.#key.specialCount;
    if (lifted === undefined || own < 0) return;
    this.#kernels.multiplyScalarAdd(product, this.#ring.limb(lifted, own), this.#liftScalars.subarray(own, own + 1));
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

  /** Limb k of the workspace, with the moduli of the present limb. */
  #at(k: number): Limbs {
    return { address: this.#scratch.address + k * this.#kernels.limbStride, moduli: this.#moduli };
  }
}
