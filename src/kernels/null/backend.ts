/**
 * The null backend: executes nothing and counts everything. The whole stack runs on it, key
 * switches, bootstrapping and all, so that levels, scales, keys, kernel work and peak memory of a
 * program come from the very code that will run it.
 */
import { AegisError } from "../../base/errors.ts";
import { Allocator } from "../allocator.ts";
import {
  type Backend,
  type ConversionTable,
  type KeyBasis,
  type KeyProduct,
  type Limbs,
  limbPadding,
  type MemoryReport,
  type ProductSums,
  type RingKernels,
} from "../backend.ts";
import { scratchLimbs } from "../key-products.ts";
import { emptyWork, type KernelName, type KernelWork } from "./work.ts";
import type { WorkByPrime } from "./work-by-prime.ts";

/** Runs of 2^this and more have a kernel of their own. */
const longRun = 4;

/** How a null backend keeps account of memory. */
type Memory = Pick<Allocator, "allocate" | "release" | "report" | "forgetPeak" | "apart" | "onPressure" | "onAllocate">;

/** No account at all: everything lies at address 0. */
const noMemory: Memory = {
  allocate: () => 0,
  release: () => undefined,
  report: () => ({ used: 0, peak: 0, limit: 0 }),
  forgetPeak: () => undefined,
  apart: (body) => body(),
  onPressure: () => () => undefined,
  onAllocate: () => () => undefined,
};

/** A backend that computes nothing; `work` is what a real one would have done. */
export class NullBackend implements Backend {
  readonly name = "null";
  readonly work: KernelWork = emptyWork();
  /** Kernels called so far, uploads left out. */
  calls = 0;
  /** Counted besides where it was set. */
  byPrime: WorkByPrime | undefined;
  readonly #allocator: Memory;
  readonly #rings = new Map<string, RingKernels>();

  /** @param maximumBytes the memory limit to plan against, or "uncounted"; by default all that is asked for is given */
  constructor(maximumBytes: number | "uncounted" = 2 ** 46) {
    this.#allocator = maximumBytes === "uncounted" ? noMemory : new Allocator(0, maximumBytes, () => true);
  }

  memory(): MemoryReport {
    return this.#allocator.report();
  }

  /** The peak counts from what is in use now. */
  forgetPeak(): void {
    this.#allocator.forgetPeak();
  }

  /** Runs `body`; what it takes or gives back counts neither as used nor at the peak. */
  apart<T>(body: () => T): T {
    return this.#allocator.apart(body);
  }

  /** Runs `body`; its kernels count neither as work nor as calls. */
  uncounted<T>(body: () => T): T {
    const { calls } = this;
    const work = { ...this.work };
    try {
      return body();
    } finally {
      this.calls = calls;
      Object.assign(this.work, work);
    }
  }

  onPressure(release: () => boolean): () => void {
    return this.#allocator.onPressure(release);
  }

  onAllocate(watch: () => void): () => void {
    return this.#allocator.onAllocate(watch);
  }

  ring(logN: number, moduli: readonly number[]): RingKernels {
    const key = `${logN}: ${moduli.join(" ")}`;
    let ring = this.#rings.get(key);
    if (ring === undefined) {
      ring = new NullRing(this, this.#allocator, logN, moduli);
      this.#rings.set(key, ring);
    }
    return ring;
  }

  dispose(): void {
    this.#rings.clear();
  }
}

class NullRing implements RingKernels {
  readonly backend: NullBackend;
  readonly logN: number;
  readonly degree: number;
  readonly moduli: readonly number[];
  readonly limbStride: number;
  readonly #allocator: Memory;

  constructor(backend: NullBackend, allocator: Memory, logN: number, moduli: readonly number[]) {
    this.backend = backend;
    this.logN = logN;
    this.degree = 2 ** logN;
    this.moduli = moduli;
    this.limbStride = 4 * this.degree + limbPadding;
    this.#allocator = allocator;
  }

  allocate(limbs: number): number {
    return this.#allocator.allocate(limbs * this.limbStride);
  }

  release(address: number, limbs: number): void {
    this.#allocator.release(address, limbs * this.limbStride);
  }

  write(_dst: Limbs, _index: number, words: Uint32Array): void {
    this.backend.work.upload += words.length;
  }

  read(): void {
    throw new AegisError("internal", "the null backend holds no values to read", { hint: "use it for planning only" });
  }

  forwardNtt(x: Limbs): void {
    this.#count("ntt", x, this.logN / 2);
    this.backend.byPrime?.countTransform(this.logN, x.moduli.length);
  }

  inverseNtt(x: Limbs): void {
    this.forwardNtt(x); // for the count it is the same
    this.backend.byPrime?.countInverse(this.logN, x.moduli);
  }

  inverseNttInto(dst: Limbs): void {
    this.copy(dst);
    this.inverseNtt(dst);
  }

  copy(dst: Limbs): void {
    this.#count("elementwise", dst);
  }

  zero(dst: Limbs): void {
    this.#count("elementwise", dst);
  }

  add(dst: Limbs): void {
    this.#count("elementwise", dst);
  }

  subtract(dst: Limbs): void {
    this.#count("elementwise", dst);
  }

  negate(dst: Limbs): void {
    this.#count("elementwise", dst);
  }

  multiply(dst: Limbs): void {
    this.#count("product", dst);
  }

  multiplyScalar(dst: Limbs): void {
    this.#count("scalarProduct", dst);
  }

  multiplyScalarAdd(dst: Limbs): void {
    this.#count("scalarProduct", dst);
  }

  addScalar(dst: Limbs): void {
    this.#count("elementwise", dst);
  }

  subtractMultiplyScalar(dst: Limbs): void {
    this.#count("scalarProduct", dst);
  }

  multiplySum(dst: Limbs, a: readonly Limbs[]): void {
    this.#count("multiplySum", dst, a.length);
  }

  multiplySumPair(dst0: Limbs, _dst1: Limbs, a: readonly Limbs[]): void {
    this.#count("multiplySumPair", dst0, a.length);
  }

  multiplySums(sums: readonly ProductSums[], _accumulate: boolean, logRun: number, scalars?: Uint32Array): void {
    const name = logRun < longRun ? "productSums" : "runSums";
    for (const { dst, a } of sums) {
      this.#count(name, dst[0] as Limbs, dst.length * a.length);
      if (scalars !== undefined) this.#count("scalarProduct", dst[0] as Limbs, dst.length);
    }
  }

  /** What `keyProductsByLimbs` would do, counted for all limbs at once. */
  keyProducts(products: readonly KeyProduct[], { specialCount }: KeyBasis): void {
    const [first] = products;
    if (first === undefined) return;
    this.release(this.allocate(scratchLimbs), scratchLimbs);
    const { moduli } = first.digits[0] as Limbs;
    const limbs = moduli.length;
    for (const { digits, source, lifted, added, element, accumulates } of products) {
      const transformed = source === undefined || source.transformed;
      for (let d = 0; !transformed && d < digits.length; d++) {
        const [from, to] = source.ranges[d] as readonly [number, number];
        this.#countLimbs("ntt", moduli, 0, specialCount + from, this.logN / 2);
        this.#countLimbs("ntt", moduli, specialCount + to, limbs, this.logN / 2);
        this.backend.byPrime?.countTransform(this.logN, limbs - (to - from));
      }
      this.#countLimbs("multiplySumPair", moduli, 0, limbs, digits.length);
      for (const poly of lifted) if (poly !== undefined) this.#countLimbs("scalarProduct", moduli, specialCount, limbs);
      if (added !== undefined) this.#countLimbs("elementwise", moduli, 0, limbs);
      if (element !== 1) this.#countLimbs("automorphism", moduli, 0, limbs, 2);
      if (accumulates) this.#countLimbs("elementwise", moduli, 0, limbs, 2);
    }
  }

  /** What `subtractTransformedByLimbs` would do. */
  subtractTransformed(dst: Limbs): void {
    this.forwardNtt(dst);
    this.#count("scalarProduct", dst);
  }

  expand(dst: Limbs): void {
    this.#count("elementwise", dst);
  }

  automorphism(dst: Limbs): void {
    this.#count("automorphism", dst);
  }

  convert(dst: Limbs, src: Limbs, _table: ConversionTable): void {
    this.#count("convert", dst, src.moduli.length);
  }

  uniform(dst: Limbs): void {
    this.#count("upload", dst);
  }

  fromInt32(dst: Limbs): void {
    this.#count("upload", dst);
  }

  fromDoubles(dst: Limbs): void {
    this.#count("upload", dst);
  }

  #count(name: KernelName, { moduli }: Limbs, factor = 1): void {
    this.#countLimbs(name, moduli, 0, moduli.length, factor);
  }

  /** Work on limbs [from, to) of a list. */
  #countLimbs(name: KernelName, moduli: readonly number[], from: number, to: number, factor = 1): void {
    const { backend } = this;
    backend.work[name] += (to - from) * this.degree * factor;
    backend.calls++;
    backend.byPrime?.count(name, moduli, from, to, this.degree * factor);
  }
}
