/**
 * Kernels of a ring whose limbs are distributed over ranks. A kernel runs on the limbs that this
 * rank holds of its operands (see `layout.ts`), one by one, in the memory of the backend below; only
 * conversions couple limbs, and they alone communicate.
 */
import {
  type Backend,
  type ConversionTable,
  type KeyBasis,
  type KeyProduct,
  type Limbs,
  limbPadding,
  type ProductSums,
  type RingKernels,
  streamStateWords,
} from "../backend.ts";
import { keyProductsByLimbs, subtractTransformedByLimbs } from "../key-products.ts";
import { wordsOfLimb } from "../limbs.ts";
import type { Communicator } from "./communicator.ts";
import type { Exchanges, Limbwise, ShardedKernels } from "./exchanges.ts";
import { cutAt, productLayout, whole } from "./layout.ts";
import { collectLimbs, convertLimbs } from "./limb-conversion.ts";
import { LimbLoops, type ProductSum, type Step } from "./limb-loops.ts";
import { LimbMemory } from "./limb-memory.ts";
import type { PageTable } from "./pages.ts";
import type { Placement } from "./sharding.ts";

/** Runs on one limb of a result; the operands' limbs are looked up where they are held. */
type Pairwise = (to: Limbs, a: () => Limbs, b: () => Limbs, i: number) => void;

export class LimbRing implements ShardedKernels {
  readonly backend: Backend;
  readonly logN: number;
  readonly degree: number;
  readonly moduli: readonly number[];
  readonly limbStride: number;
  readonly #inner: RingKernels;
  readonly #memory: LimbMemory;
  readonly #loops: LimbLoops;
  readonly #share: number;

  constructor(
    backend: Backend,
    inner: RingKernels,
    pages: PageTable,
    placement: Placement,
    communicator: Communicator,
  ) {
    this.#inner = inner;
    this.#memory = new LimbMemory(inner, pages, placement, communicator);
    this.#loops = new LimbLoops(this.#memory);
    this.#share = placement.share;
    this.backend = backend;
    this.logN = inner.logN;
    this.degree = inner.degree;
    this.moduli = inner.moduli;
    this.limbStride = this.#memory.unit;
  }

  get exchanges(): Exchanges {
    return this.#memory;
  }

  allocate(limbs: number): number {
    return this.#memory.allocate(limbs);
  }

  release(address: number): void {
    this.#memory.release(address);
  }

  write(dst: Limbs, index: number, words: Uint32Array): void {
    for (let i = 0; i * this.degree < words.length; i++)
      this.#store(this.#one(dst, index + i), (limb) => this.#inner.write(limb, 0, wordsOfLimb(words, this.degree, i)));
  }

  /** Collective: every rank calls it and gets the words. */
  read(src: Limbs, index: number, into: Uint32Array): void {
    into.set(this.collect(this.#one(src, index))[0]);
  }

  get limbwise(): Limbwise {
    return { kind: (modulus) => this.#memory.placement.stored(modulus), stride: (logRun) => this.#unit(logRun) };
  }

  isPlain(x: Limbs): boolean {
    return this.#memory.isPlain(x);
  }

  collect(x: Limbs, root?: number): Uint32Array[] {
    return collectLimbs(this.#memory, x, root);
  }

  forwardNtt(x: Limbs): void {
    // Only polynomials of numbers that all ranks know are transformed without having been written.
    this.#memory.layouts(x, this.limbStride, (modulus) => this.#memory.known(modulus));
    this.#loops.map(x, x, (limb) => this.#inner.forwardNtt(limb));
  }

  inverseNtt(x: Limbs): void {
    this.#loops.map(x, x, (limb) => this.#inner.inverseNtt(limb));
  }

  inverseNttInto(dst: Limbs, a: Limbs): void {
    this.copy(dst, a);
    this.inverseNtt(dst);
  }

  copy(dst: Limbs, a: Limbs): void {
    this.#loops.map(dst, a, (to, from) => this.#inner.copy(to, from));
  }

  zero(dst: Limbs): void {
    this.#store(dst, (limb) => this.#inner.zero(limb));
  }

  add(dst: Limbs, a: Limbs, b: Limbs): void {
    this.#combine(dst, a, b, {
      both: (to, x, y) => this.#inner.add(to, x(), y()),
      first: (to, x) => this.#inner.copy(to, x()),
      second: (to, _, y) => this.#inner.copy(to, y()),
    });
  }

  subtract(dst: Limbs, a: Limbs, b: Limbs): void {
    this.#combine(dst, a, b, {
      both: (to, x, y) => this.#inner.subtract(to, x(), y()),
      first: (to, x) => this.#inner.copy(to, x()),
      second: (to, _, y) => this.#inner.negate(to, y()),
    });
  }

  negate(dst: Limbs, a: Limbs): void {
    this.#loops.map(dst, a, (to, from) => this.#inner.negate(to, from));
  }

  multiply(dst: Limbs, a: Limbs, b: Limbs): void {
    const left = this.#memory.layouts(a);
    const right = this.#memory.layouts(b);
    const layouts = left.map((layout, i) => productLayout(layout, right[i]));
    this.#loops.create(dst, layouts, (to, i) =>
      this.#inner.multiply(to, this.#memory.limb(a, i), this.#memory.limb(b, i)),
    );
  }

  multiplyScalar(dst: Limbs, a: Limbs, scalars: Uint32Array): void {
    this.#loops.map(dst, a, (to, from, i) => this.#inner.multiplyScalar(to, from, scalars.subarray(i, i + 1)));
  }

  multiplyScalarAdd(dst: Limbs, a: Limbs, scalars: Uint32Array): void {
    this.#combine(dst, dst, a, {
      both: (to, _, y, i) => this.#inner.multiplyScalarAdd(to, y(), scalars.subarray(i, i + 1)),
      first: () => undefined,
      second: (to, _, y, i) => this.#inner.multiplyScalar(to, y(), scalars.subarray(i, i + 1)),
    });
  }

  addScalar(dst: Limbs, a: Limbs, scalars: Uint32Array): void {
    const layouts = this.#memory.layouts(a);
    const { home } = this.#memory.placement;
    // All ranks know the constant; it counts once.
    const constants = layouts.map((layout, i) => (layout === whole ? whole : cutAt(home(a.moduli[i]))));
    const constant = (i: number): Uint32Array => scalars.subarray(i, i + 1);
    this.#loops.combine(dst, layouts, constants, {
      both: (to, i) => this.#inner.addScalar(to, this.#memory.limb(a, i), constant(i)),
      first: (to, i) => this.#inner.copy(to, this.#memory.limb(a, i)),
      second: (to, i) => {
        this.#inner.zero(to);
        this.#inner.addScalar(to, to, constant(i));
      },
    });
  }

  subtractMultiplyScalar(dst: Limbs, a: Limbs, b: Limbs, scalars: Uint32Array): void {
    const negated = (i: number): Uint32Array =>
      Uint32Array.of(scalars[i] === 0 ? 0 : this.moduli[dst.moduli[i]] - scalars[i]);
    this.#combine(dst, a, b, {
      both: (to, x, y, i) => this.#inner.subtractMultiplyScalar(to, x(), y(), scalars.subarray(i, i + 1)),
      first: (to, x, _, i) => this.#inner.multiplyScalar(to, x(), scalars.subarray(i, i + 1)),
      second: (to, _, y, i) => this.#inner.multiplyScalar(to, y(), negated(i)),
    });
  }

  multiplySum(dst: Limbs, a: readonly Limbs[], b: readonly Limbs[], accumulate: boolean, logRun: number): void {
    this.#products([{ dst, b }], a, accumulate, logRun, false);
  }

  multiplySumPair(
    dst0: Limbs,
    dst1: Limbs,
    a: readonly Limbs[],
    b0: readonly Limbs[],
    b1: readonly Limbs[],
    accumulate: boolean,
    logRun: number,
    streamed = false,
  ): void {
    const sums = [
      { dst: dst0, b: b0 },
      { dst: dst1, b: b1 },
    ];
    this.#products(sums, a, accumulate, logRun, streamed);
  }

  multiplySums(sums: readonly ProductSums[], accumulate: boolean, logRun: number, scalars?: Uint32Array): void {
    for (const { dst, a, b } of sums) {
      this.#products(
        dst.map((limbs, k) => ({ dst: limbs, b: b[k] })),
        a,
        accumulate,
        logRun,
        false,
      );
      if (scalars !== undefined) for (const limbs of dst) this.multiplyScalar(limbs, limbs, scalars);
    }
  }

  keyProducts(products: readonly KeyProduct[], basis: KeyBasis): void {
    keyProductsByLimbs(this, products, basis);
  }

  subtractTransformed(dst: Limbs, a: Limbs, b: Limbs, scalars: Uint32Array): void {
    subtractTransformedByLimbs(this, dst, a, b, scalars);
  }

  expand(dst: Limbs, a: Limbs, logRun: number): void {
    this.#loops.map(dst, a, (to, from) => this.#inner.expand(to, from, logRun), this.#unit(logRun));
  }

  automorphism(dst: Limbs, a: Limbs, galoisElement: number): void {
    this.#loops.map(dst, a, (to, from) => this.#inner.automorphism(to, from, galoisElement));
  }

  convert(dst: Limbs, src: Limbs, table: ConversionTable): void {
    convertLimbs(this.#memory, dst, src, table);
  }

  uniform(dst: Limbs, states: Uint32Array): void {
    for (const i of dst.moduli.keys())
      this.#store(this.#one(dst, i), (limb) => this.#inner.uniform(limb, wordsOfLimb(states, streamStateWords, i)));
  }

  fromInt32(dst: Limbs, values: Int32Array): void {
    this.#know(dst, (limb) => this.#inner.fromInt32(limb, values));
  }

  fromDoubles(dst: Limbs, values: Float64Array): void {
    this.#know(dst, (limb) => this.#inner.fromDoubles(limb, values));
  }

  /** Distance of limbs of the subring with runs of 2^logRun. */
  #unit(logRun: number): number {
    return Math.ceil((4 * (this.degree >>> logRun) + limbPadding) * this.#share);
  }

  #one(x: Limbs, index: number): Limbs {
    return { address: x.address + index * this.limbStride, moduli: this.#memory.single(x.moduli[index]) };
  }

  #store(dst: Limbs, step: Step): void {
    const layouts = dst.moduli.map((modulus) => this.#memory.stored(modulus));
    this.#loops.create(dst, layouts, step);
  }

  #know(dst: Limbs, step: Step): void {
    const layouts = dst.moduli.map((modulus) => this.#memory.known(modulus));
    this.#loops.create(dst, layouts, step);
  }

  #combine(dst: Limbs, a: Limbs, b: Limbs, steps: { both: Pairwise; first: Pairwise; second: Pairwise }): void {
    const memory = this.#memory;
    const step =
      (run: Pairwise): Step =>
      (to, i) =>
        run(
          to,
          () => memory.limb(a, i),
          () => memory.limb(b, i),
          i,
        );
    this.#loops.combine(dst, memory.layouts(a), memory.layouts(b), {
      both: step(steps.both),
      first: step(steps.first),
      second: step(steps.second),
    });
  }

  #products(sums: readonly ProductSum[], a: readonly Limbs[], onto: boolean, logRun: number, streamed: boolean): void {
    if (a.length === 0) {
      if (!onto) for (const { dst } of sums) this.zero(dst);
      return;
    }
    this.#loops.products(sums, a, this.#unit(logRun), onto, (dst, factors, b, accumulate) => {
      if (dst.length === 1) this.#inner.multiplySum(dst[0], factors, b[0], accumulate, logRun);
      else this.#inner.multiplySumPair(dst[0], dst[1], factors, b[0], b[1], accumulate, logRun, streamed);
    });
  }
}
