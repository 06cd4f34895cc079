/**
 * Kernels of a ring whose coefficients are distributed over n ranks, a power of two. Rank r holds of
 * every limb, in coefficient domain, the coefficients i ≡ r mod n; in NTT domain, the positions r·N/n to
 * (r+1)·N/n of the bit-reversed order. Most kernels are those of the ring of degree N/n. Operands of
 * subrings (see `RingKernels.multiplySum`) lie whole on every rank.
 *
 * `write` and `uniform` take values of the NTT domain: what is stored and sent is in it.
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
import { keyProductsByLimbs } from "../key-products.ts";
import { wordsOfLimb } from "../limbs.ts";
import { CoefficientExchange } from "./coefficient-exchange.ts";
import type { Communicator } from "./communicator.ts";
import { type Exchanges, noExchanges, type ShardedKernels } from "./exchanges.ts";
import { LimbDomains } from "./limb-domains.ts";

export class CoefficientRing implements ShardedKernels {
  readonly backend: Backend;
  readonly logN: number;
  readonly degree: number;
  readonly moduli: readonly number[];
  readonly limbStride: number;
  readonly limbwise = undefined;
  readonly exchanges: Exchanges = { ...noExchanges, inTransforms: true };
  readonly #part: RingKernels;
  readonly #full: RingKernels;
  readonly #communicator: Communicator;
  readonly #exchange: CoefficientExchange;
  readonly #domains: LimbDomains;

  /**
   * @param part kernels of degree N/n below
   * @param full kernels of degree N below
   */
  constructor(backend: Backend, part: RingKernels, full: RingKernels, communicator: Communicator) {
    this.backend = backend;
    this.logN = full.logN;
    this.degree = full.degree;
    this.moduli = full.moduli;
    this.limbStride = part.limbStride;
    this.#part = part;
    this.#full = full;
    this.#communicator = communicator;
    this.#exchange = new CoefficientExchange(part, communicator);
    this.#domains = new LimbDomains(part.limbStride);
  }

  allocate(limbs: number): number {
    return this.#part.allocate(limbs);
  }

  release(address: number, limbs: number): void {
    this.#domains.forget(address, limbs);
    this.#part.release(address, limbs);
  }

  write(dst: Limbs, index: number, words: Uint32Array): void {
    const { degree } = this.#part;
    for (let i = 0; i * this.degree < words.length; i++) {
      const own = wordsOfLimb(wordsOfLimb(words, this.degree, i), degree, this.#communicator.rank);
      this.#part.write(dst, index + i, own);
      this.#domains.set(this.#limb(dst, index + i), "ntt");
    }
  }

  /** Collective: every rank calls it and gets the words. */
  read(src: Limbs, index: number, into: Uint32Array): void {
    into.set(this.collect(this.#limb(src, index))[0]);
  }

  isPlain(x: Limbs): boolean {
    return this.#domains.isNtt(x);
  }

  collect(x: Limbs, root?: number): Uint32Array[] {
    const { rank, size, moves } = this.#communicator;
    const parts = this.#exchange.collect(x, root);
    if (root !== undefined && root !== rank) return [];
    const { degree } = this.#part;
    return x.moduli.map((_, i) => {
      const words = new Uint32Array(this.degree);
      if (!moves) return words;
      const strided = this.#domains.of(this.#limb(x, i)) === "coefficient";
      for (const [r, part] of parts.entries()) {
        const own = part.subarray(i * degree, (i + 1) * degree);
        if (strided) for (const [k, word] of own.entries()) words[k * size + r] = word;
        else words.set(own, r * degree);
      }
      return words;
    });
  }

  forwardNtt(x: Limbs): void {
    this.#exchange.forwardNtt(x);
    this.#domains.set(x, "ntt");
  }

  inverseNtt(x: Limbs): void {
    this.#exchange.inverseNtt(x);
    this.#domains.set(x, "coefficient");
  }

  inverseNttInto(dst: Limbs, a: Limbs): void {
    this.copy(dst, a);
    this.inverseNtt(dst);
  }

  copy(dst: Limbs, a: Limbs): void {
    this.#part.copy(dst, a);
    this.#domains.follow(dst, a);
  }

  zero(dst: Limbs): void {
    this.#part.zero(dst);
    this.#domains.set(dst, "ntt");
  }

  add(dst: Limbs, a: Limbs, b: Limbs): void {
    this.#part.add(dst, a, b);
    this.#domains.follow(dst, a);
  }

  subtract(dst: Limbs, a: Limbs, b: Limbs): void {
    this.#part.subtract(dst, a, b);
    this.#domains.follow(dst, a);
  }

  negate(dst: Limbs, a: Limbs): void {
    this.#part.negate(dst, a);
    this.#domains.follow(dst, a);
  }

  multiply(dst: Limbs, a: Limbs, b: Limbs): void {
    this.#part.multiply(dst, a, b);
    this.#domains.follow(dst, a);
  }

  multiplyScalar(dst: Limbs, a: Limbs, scalars: Uint32Array): void {
    this.#part.multiplyScalar(dst, a, scalars);
    this.#domains.follow(dst, a);
  }

  multiplyScalarAdd(dst: Limbs, a: Limbs, scalars: Uint32Array): void {
    this.#part.multiplyScalarAdd(dst, a, scalars);
    this.#domains.follow(dst, a);
  }

  addScalar(dst: Limbs, a: Limbs, scalars: Uint32Array): void {
    this.#part.addScalar(dst, a, scalars);
    this.#domains.follow(dst, a);
  }

  subtractMultiplyScalar(dst: Limbs, a: Limbs, b: Limbs, scalars: Uint32Array): void {
    this.#part.subtractMultiplyScalar(dst, a, b, scalars);
    this.#domains.follow(dst, a);
  }

  multiplySum(dst: Limbs, a: readonly Limbs[], b: readonly Limbs[], accumulate: boolean, logRun: number): void {
    this.#domains.set(dst, "ntt");
    if (logRun === 0) {
      this.#part.multiplySum(dst, a, b, accumulate, 0);
      return;
    }
    for (const i of dst.moduli.keys()) {
      const compact = a.map((limbs) => this.#compact(limbs, i, logRun));
      const limbs = b.map((operand) => this.#limb(operand, i));
      this.#part.multiplySum(this.#limb(dst, i), compact, limbs, accumulate, this.#run(logRun));
    }
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
    this.#domains.set(dst0, "ntt");
    this.#domains.set(dst1, "ntt");
    if (logRun === 0) {
      this.#part.multiplySumPair(dst0, dst1, a, b0, b1, accumulate, 0, streamed);
      return;
    }
    for (const i of dst0.moduli.keys()) {
      this.#part.multiplySumPair(
        this.#limb(dst0, i),
        this.#limb(dst1, i),
        a.map((limbs) => this.#compact(limbs, i, logRun)),
        b0.map((limbs) => this.#limb(limbs, i)),
        b1.map((limbs) => this.#limb(limbs, i)),
        accumulate,
        this.#run(logRun),
        streamed,
      );
    }
  }

  multiplySums(sums: readonly ProductSums[], accumulate: boolean, logRun: number, scalars?: Uint32Array): void {
    for (const { dst, a, b } of sums) {
      if (dst.length === 1) this.multiplySum(dst[0], a, b[0], accumulate, logRun);
      else this.multiplySumPair(dst[0], dst[1], a, b[0], b[1], accumulate, logRun);
      if (scalars !== undefined) for (const limbs of dst) this.multiplyScalar(limbs, limbs, scalars);
    }
  }

  keyProducts(products: readonly KeyProduct[], basis: KeyBasis): void {
    keyProductsByLimbs(this, products, basis);
  }

  /** Limbs are transformed together, in one exchange. */
  subtractTransformed(dst: Limbs, a: Limbs, b: Limbs, scalars: Uint32Array): void {
    this.forwardNtt(b);
    this.subtractMultiplyScalar(dst, a, b, scalars);
  }

  expand(dst: Limbs, a: Limbs, logRun: number): void {
    this.#domains.set(dst, "ntt");
    for (const i of dst.moduli.keys()) {
      const compact = logRun === 0 ? this.#limb(a, i) : this.#compact(a, i, logRun);
      this.#part.expand(this.#limb(dst, i), compact, this.#run(logRun));
    }
  }

  automorphism(dst: Limbs, a: Limbs, galoisElement: number): void {
    this.#exchange.automorphism(dst, a, galoisElement);
    this.#domains.set(dst, "ntt");
  }

  convert(dst: Limbs, src: Limbs, table: ConversionTable): void {
    this.#part.convert(dst, src, table);
    this.#domains.set(dst, "coefficient");
  }

  uniform(dst: Limbs, states: Uint32Array): void {
    // The stream skips words, so that a block of it cannot be drawn by itself.
    const address = this.#full.allocate(1);
    for (const i of dst.moduli.keys()) {
      const limb = this.#limb(dst, i);
      this.#full.uniform({ address, moduli: limb.moduli }, wordsOfLimb(states, streamStateWords, i));
      const own = { address: address + 4 * this.#communicator.rank * this.#part.degree, moduli: limb.moduli };
      this.#part.copy(limb, own);
    }
    this.#full.release(address, 1);
    this.#domains.set(dst, "ntt");
  }

  fromInt32(dst: Limbs, values: Int32Array): void {
    const { rank, size } = this.#communicator;
    const own = Int32Array.from({ length: this.#part.degree }, (_, i) => values[i * size + rank]);
    this.#part.fromInt32(dst, own);
    this.#domains.set(dst, "coefficient");
  }

  fromDoubles(dst: Limbs, values: Float64Array): void {
    const { rank, size } = this.#communicator;
    const own = Float64Array.from({ length: this.#part.degree }, (_, i) => values[i * size + rank]);
    this.#part.fromDoubles(dst, own);
    this.#domains.set(dst, "coefficient");
  }

  #limb(x: Limbs, i: number): Limbs {
    return { address: x.address + i * this.limbStride, moduli: [x.moduli[i]] };
  }

  /** The own values of limb i of a subring polynomial, which lies whole in memory. */
  #compact(a: Limbs, i: number, logRun: number): Limbs {
    const address = a.address + i * (4 * (this.degree >>> logRun) + limbPadding);
    const first = Math.floor((this.#communicator.rank * this.#part.degree) / 2 ** logRun);
    return { address: address + 4 * first, moduli: [a.moduli[i]] };
  }

  /** A run may be longer than what this rank holds. */
  #run(logRun: number): number {
    return Math.min(logRun, this.#part.logN);
  }
}
