/**
 * Kernels of a rank that only counts, which leave out what was counted before (see `repeats.ts`). Alone, those
 * kernels are repeats that change nothing but values; conversions, and what leads to them, depend on where limbs
 * lie in memory as well and always run, unless all that they are part of is a repeat.
 */
import { invariant } from "../../base/validate.ts";
import type {
  Backend,
  ConversionTable,
  KeyProduct,
  Limbs,
  ProductSums,
  RingKernels,
  SwitchingKeyLimbs,
} from "../backend.ts";
import { nameOfModuli } from "../limbs.ts";
import { type Exchanges, isSharded, noExchanges, type ShardedKernels } from "./exchanges.ts";
import type { Repeats } from "./repeats.ts";

export class RepeatingRing implements ShardedKernels {
  readonly backend: Backend;
  readonly logN: number;
  readonly degree: number;
  readonly moduli: readonly number[];
  readonly limbStride: number;
  readonly exchanges: Exchanges;
  readonly repeats: Repeats;
  readonly #inner: RingKernels;
  readonly #isPlain: (x: Limbs) => boolean;

  /** @param inner sharded, or of a subring that lies whole on every rank */
  constructor(inner: RingKernels, repeats: Repeats) {
    this.backend = inner.backend;
    this.logN = inner.logN;
    this.degree = inner.degree;
    this.moduli = inner.moduli;
    this.limbStride = inner.limbStride;
    this.repeats = repeats;
    this.#inner = inner;
    this.#isPlain = isSharded(inner) ? (x) => inner.isPlain(x) : () => true;
    const exchanges = isSharded(inner) ? inner.exchanges : noExchanges;
    this.exchanges = {
      inTransforms: exchanges.inTransforms,
      beforeModUp: (x) => this.#run(() => exchanges.beforeModUp(x)),
      afterModDown: (x) => this.#run(() => exchanges.afterModDown(x)),
      replicate: (x) => this.#run(() => exchanges.replicate(x)),
      ofDigit: (digit, load) => exchanges.ofDigit(digit, load),
      keyLimbs: (moduli, digit) => exchanges.keyLimbs(moduli, digit),
    };
  }

  isPlain(x: Limbs): boolean {
    return this.#isPlain(x);
  }

  allocate(limbs: number): number {
    return this.#inner.allocate(limbs);
  }

  release(address: number, limbs: number): void {
    this.#inner.release(address, limbs);
  }

  write(dst: Limbs, index: number, words: Uint32Array): void {
    this.#inner.write(dst, index, words);
  }

  read(src: Limbs, index: number, into: Uint32Array): void {
    this.#inner.read(src, index, into);
  }

  collect(x: Limbs, root?: number): Uint32Array[] {
    invariant(isSharded(this.#inner), "polynomials of this ring lie whole on every rank");
    return this.#inner.collect(x, root);
  }

  forwardNtt(x: Limbs): void {
    this.#once("forwardNtt", [x], () => this.#inner.forwardNtt(x));
  }

  inverseNtt(x: Limbs): void {
    this.#run(() => this.#inner.inverseNtt(x));
  }

  inverseNttInto(dst: Limbs, a: Limbs): void {
    this.#run(() => this.#inner.inverseNttInto(dst, a));
  }

  copy(dst: Limbs, a: Limbs): void {
    this.#run(() => this.#inner.copy(dst, a));
  }

  zero(dst: Limbs): void {
    this.#once("zero", [dst], () => this.#inner.zero(dst));
  }

  add(dst: Limbs, a: Limbs, b: Limbs): void {
    this.#once("add", [dst, a, b], () => this.#inner.add(dst, a, b));
  }

  subtract(dst: Limbs, a: Limbs, b: Limbs): void {
    this.#run(() => this.#inner.subtract(dst, a, b));
  }

  negate(dst: Limbs, a: Limbs): void {
    this.#run(() => this.#inner.negate(dst, a));
  }

  multiply(dst: Limbs, a: Limbs, b: Limbs): void {
    this.#run(() => this.#inner.multiply(dst, a, b));
  }

  multiplyScalar(dst: Limbs, a: Limbs, scalars: Uint32Array): void {
    this.#once("multiplyScalar", [dst, a], () => this.#inner.multiplyScalar(dst, a, scalars));
  }

  multiplyScalarAdd(dst: Limbs, a: Limbs, scalars: Uint32Array): void {
    this.#run(() => this.#inner.multiplyScalarAdd(dst, a, scalars));
  }

  addScalar(dst: Limbs, a: Limbs, scalars: Uint32Array): void {
    this.#run(() => this.#inner.addScalar(dst, a, scalars));
  }

  subtractMultiplyScalar(dst: Limbs, a: Limbs, b: Limbs, scalars: Uint32Array): void {
    this.#run(() => this.#inner.subtractMultiplyScalar(dst, a, b, scalars));
  }

  multiplySum(dst: Limbs, a: readonly Limbs[], b: readonly Limbs[], accumulate: boolean, logRun: number): void {
    this.#run(() => this.#inner.multiplySum(dst, a, b, accumulate, logRun));
  }

  multiplySumPair(
    dst0: Limbs,
    dst1: Limbs,
    a: readonly Limbs[],
    b0: readonly Limbs[],
    b1: readonly Limbs[],
    accumulate: boolean,
    logRun: number,
    streamed?: boolean,
  ): void {
    this.#once(`multiplySumPair ${a.length} ${logRun} ${accumulate}`, [dst0, dst1, ...a, ...b0, ...b1], () =>
      this.#inner.multiplySumPair(dst0, dst1, a, b0, b1, accumulate, logRun, streamed),
    );
  }

  multiplySums(sums: readonly ProductSums[], accumulate: boolean, logRun: number): void {
    if (this.repeats.quiet) return;
    // One by one, as the kernels below make them.
    for (const one of sums) {
      const { dst, a, b } = one;
      this.#once(`multiplySums ${dst.length} ${a.length} ${logRun} ${accumulate}`, [...dst, ...a, ...b.flat()], () =>
        this.#inner.multiplySums([one], accumulate, logRun),
      );
    }
  }

  keyProducts(products: readonly KeyProduct[], key: SwitchingKeyLimbs): void {
    this.#run(() => this.#inner.keyProducts(products, key));
  }

  subtractTransformed(dst: Limbs, a: Limbs, b: Limbs, scalars: Uint32Array): void {
    this.#run(() => this.#inner.subtractTransformed(dst, a, b, scalars));
  }

  expand(dst: Limbs, a: Limbs, logRun: number): void {
    this.#run(() => this.#inner.expand(dst, a, logRun));
  }

  automorphism(dst: Limbs, a: Limbs, galoisElement: number): void {
    this.#run(() => this.#inner.automorphism(dst, a, galoisElement));
  }

  convert(dst: Limbs, src: Limbs, table: ConversionTable): void {
    this.#run(() => this.#inner.convert(dst, src, table));
  }

  uniform(dst: Limbs, states: Uint32Array): void {
    this.#run(() => this.#inner.uniform(dst, states));
  }

  fromInt32(dst: Limbs, values: Int32Array): void {
    this.#run(() => this.#inner.fromInt32(dst, values));
  }

  fromDoubles(dst: Limbs, values: Float64Array): void {
    this.#run(() => this.#inner.fromDoubles(dst, values));
  }

  #run(body: () => void): void {
    if (!this.repeats.quiet) body();
  }

  /** All limbs are over the primes of the first, or over more. */
  #once(name: string, limbs: readonly Limbs[], body: () => void): void {
    if (this.repeats.quiet) return;
    const { moduli } = limbs[0];
    this.repeats.once(
      `${name} ${this.logN} ${nameOfModuli(moduli)}`,
      this.#isPlain,
      () => limbs,
      () => this.#run(body),
    );
  }
}

export function isRepeating(kernels: object): kernels is RepeatingRing {
  return kernels instanceof RepeatingRing;
}
