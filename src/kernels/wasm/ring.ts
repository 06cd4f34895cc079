/**
 * The kernels of one ring over WebAssembly: walks the limbs and hands addresses and constants to
 * the module. Nothing here allocates once the tables of a prime, a Galois element or a base
 * conversion exist. Semantics: see `../backend.ts`.
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
import { limbOf, wordsOfLimb } from "../limbs.ts";
import { type ModulusConstants, powerModulo, residueSumPlan } from "../modulus.ts";
import { conversionConstants } from "./conversion.ts";
import { stagedValues, termWords, type WasmCore } from "./core.ts";

/**
 * Coefficients of each operand that many sums are worked through at a time: 8 KiB, so that the operands
 * of some fifty products fit an L2 cache.
 */
const blockLength = 2048;

/** Where a kernel is told that operands come from: what it does not know it guesses from their number. */
const fromAnywhere = 0;
const fromMemory = 1;
const fromCache = 2;

export class WasmRing implements RingKernels {
  readonly backend: Backend;
  readonly logN: number;
  readonly degree: number;
  readonly moduli: readonly number[];
  readonly limbStride: number;
  readonly #core: WasmCore;
  readonly #constants: readonly ModulusConstants[];
  /** Twiddle table and 1/N of each modulus; 0 until first needed (no table lies at address 0). */
  readonly #twiddles: Float64Array;
  readonly #scales: Uint32Array;
  readonly #permutations = new Map<number, number>();
  readonly #conversions = new WeakMap<ConversionTable, { address: number; kinds: number }>();

  constructor(backend: Backend, core: WasmCore, logN: number, moduli: readonly number[]) {
    this.backend = backend;
    this.logN = logN;
    this.degree = 2 ** logN;
    this.moduli = Object.freeze([...moduli]);
    this.limbStride = 4 * this.degree + limbPadding;
    this.#core = core;
    this.#constants = moduli.map((q) => core.modulus(q));
    this.#twiddles = new Float64Array(moduli.length);
    this.#scales = new Uint32Array(moduli.length);
  }

  allocate(limbs: number): number {
    return this.#core.allocator.allocate(limbs * this.limbStride);
  }

  release(address: number, limbs: number): void {
    this.#core.allocator.release(address, limbs * this.limbStride);
  }

  write(dst: Limbs, index: number, words: Uint32Array): void {
    const { degree } = this;
    for (let i = 0; i * degree < words.length; i++)
      this.#core.words.set(wordsOfLimb(words, degree, i), (dst.address + (index + i) * this.limbStride) / 4);
  }

  read(src: Limbs, index: number, into: Uint32Array): void {
    const start = (src.address + index * this.limbStride) / 4;
    into.set(this.#core.words.subarray(start, start + this.degree));
  }

  #prepareTransform(index: number): void {
    const q = this.moduli[index];
    this.#twiddles[index] = this.#core.twiddles(this.logN, q);
    this.#scales[index] = powerModulo(this.degree, q - 2, q);
  }

  forwardNtt(x: Limbs): void {
    for (let i = 0, at = x.address; i < x.moduli.length; i++, at += this.limbStride) {
      const m = x.moduli[i];
      if (this.#twiddles[m] === 0) this.#prepareTransform(m);
      this.#core.kernels.forwardNtt(at, this.#twiddles[m], this.logN, this.moduli[m]);
    }
  }

  inverseNtt(x: Limbs): void {
    for (let i = 0, at = x.address; i < x.moduli.length; i++, at += this.limbStride) {
      const m = x.moduli[i];
      if (this.#twiddles[m] === 0) this.#prepareTransform(m);
      this.#core.kernels.inverseNtt(at, this.#twiddles[m], this.logN, this.moduli[m], this.#scales[m]);
    }
  }

  inverseNttInto(dst: Limbs, a: Limbs): void {
    this.copy(dst, a);
    this.inverseNtt(dst);
  }

  copy(dst: Limbs, a: Limbs): void {
    const { kernels } = this.#core;
    for (let i = 0, offset = 0; i < dst.moduli.length; i++, offset += this.limbStride) {
      kernels.copy(dst.address + offset, a.address + offset, this.degree);
    }
  }

  zero(dst: Limbs): void {
    const { kernels } = this.#core;
    for (let i = 0; i < dst.moduli.length; i++) kernels.zero(dst.address + i * this.limbStride, this.degree);
  }

  add(dst: Limbs, a: Limbs, b: Limbs): void {
    const { kernels } = this.#core;
    for (let i = 0, offset = 0; i < dst.moduli.length; i++, offset += this.limbStride) {
      const q = this.moduli[dst.moduli[i]];
      kernels.add(dst.address + offset, a.address + offset, b.address + offset, this.degree, q);
    }
  }

  subtract(dst: Limbs, a: Limbs, b: Limbs): void {
    const { kernels } = this.#core;
    for (let i = 0, offset = 0; i < dst.moduli.length; i++, offset += this.limbStride) {
      const q = this.moduli[dst.moduli[i]];
      kernels.subtract(dst.address + offset, a.address + offset, b.address + offset, this.degree, q);
    }
  }

  negate(dst: Limbs, a: Limbs): void {
    const { kernels } = this.#core;
    for (let i = 0, offset = 0; i < dst.moduli.length; i++, offset += this.limbStride) {
      kernels.negate(dst.address + offset, a.address + offset, this.degree, this.moduli[dst.moduli[i]]);
    }
  }

  multiply(dst: Limbs, a: Limbs, b: Limbs): void {
    const { kernels } = this.#core;
    for (let i = 0, offset = 0; i < dst.moduli.length; i++, offset += this.limbStride) {
      const { q, qInverse } = this.#constants[dst.moduli[i]];
      kernels.multiply(dst.address + offset, a.address + offset, b.address + offset, this.degree, q, qInverse);
    }
  }

  multiplyScalar(dst: Limbs, a: Limbs, scalars: Uint32Array): void {
    const { kernels } = this.#core;
    for (let i = 0, offset = 0; i < dst.moduli.length; i++, offset += this.limbStride) {
      const q = this.moduli[dst.moduli[i]];
      kernels.multiplyScalar(dst.address + offset, a.address + offset, this.degree, q, scalars[i]);
    }
  }

  multiplyScalarAdd(dst: Limbs, a: Limbs, scalars: Uint32Array): void {
    const { kernels } = this.#core;
    for (let i = 0, offset = 0; i < dst.moduli.length; i++, offset += this.limbStride) {
      const q = this.moduli[dst.moduli[i]];
      kernels.multiplyScalarAdd(dst.address + offset, a.address + offset, this.degree, q, scalars[i]);
    }
  }

  addScalar(dst: Limbs, a: Limbs, scalars: Uint32Array): void {
    const { kernels } = this.#core;
    for (let i = 0, offset = 0; i < dst.moduli.length; i++, offset += this.limbStride) {
      const q = this.moduli[dst.moduli[i]];
      kernels.addScalar(dst.address + offset, a.address + offset, this.degree, q, scalars[i]);
    }
  }

  subtractMultiplyScalar(dst: Limbs, a: Limbs, b: Limbs, scalars: Uint32Array): void {
    const { kernels } = this.#core;
    for (let i = 0, offset = 0; i < dst.moduli.length; i++, offset += this.limbStride) {
      const q = this.moduli[dst.moduli[i]];
      kernels.subtractMultiplyScalar(
        dst.address + offset,
        a.address + offset,
        b.address + offset,
        this.degree,
        q,
        scalars[i],
      );
    }
  }

  multiplySum(dst: Limbs, a: readonly Limbs[], b: readonly Limbs[], accumulate: boolean, logRun: number): void {
    if (a.length === 0 && !accumulate) this.zero(dst);
    for (let i = 0; i < dst.moduli.length; i++) this.#sum(dst, a, b, i, 0, this.degree, accumulate, logRun);
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
    if (a.length === 0 && !accumulate) {
      this.zero(dst0);
      this.zero(dst1);
    }
    for (let i = 0; i < dst0.moduli.length; i++)
      this.#sumPair(dst0, dst1, a, b0, b1, i, 0, this.degree, accumulate, logRun, streamed ? fromMemory : fromAnywhere);
  }

  multiplySums(sums: readonly ProductSums[], accumulate: boolean, logRun: number, scalars?: Uint32Array): void {
    for (const { dst, a } of sums) if (a.length === 0 && !accumulate) for (const limbs of dst) this.zero(limbs);
    const limbs = sums.length === 0 ? 0 : sums[0].dst[0].moduli.length;
    const length = Math.min(this.degree, blockLength);
    for (let i = 0; i < limbs; i++) {
      for (let start = 0; start < this.degree; start += length) {
        for (const { dst, a, b } of sums) {
          if (dst.length === 1) this.#sum(dst[0], a, b[0], i, start, length, accumulate, logRun);
          else this.#sumPair(dst[0], dst[1], a, b[0], b[1], i, start, length, accumulate, logRun, fromCache);
        }
      }
      if (scalars === undefined) continue;
      for (const { dst } of sums) {
        for (const x of dst) {
          const limb = limbOf(this, x, i);
          this.multiplyScalar(limb, limb, scalars.subarray(i, i + 1));
        }
      }
    }
  }

  /** Coefficients `start` to `start + length` of limb i of a sum. */
  #sum(
    dst: Limbs,
    a: readonly Limbs[],
    b: readonly Limbs[],
    i: number,
    start: number,
    length: number,
    accumulate: boolean,
    logRun: number,
  ): void {
    const { kernels, termList, termAddress } = this.#core;
    const compact = i * (4 * (this.degree >>> logRun) + limbPadding) + 4 * (start >>> logRun);
    const offset = i * this.limbStride + 4 * start;
    const constants = this.#constants[dst.moduli[i]];
    const most = Math.floor(termWords / 2);
    for (let first = 0; first < a.length; first += most) {
      const count = Math.min(most, a.length - first);
      for (let t = 0, at = 0; t < count; t++) {
        termList[at++] = a[first + t].address + compact;
        termList[at++] = b[first + t].address + offset;
      }
      const { interval, foldBy, steps } = residueSumPlan(constants, count);
      kernels.multiplySum(
        dst.address + offset,
        termAddress,
        count,
        length,
        constants.q,
        constants.qInverse,
        interval,
        foldBy,
        steps,
        accumulate || first > 0 ? 1 : 0,
        logRun,
      );
    }
  }

  #sumPair(
    dst0: Limbs,
    dst1: Limbs,
    a: readonly Limbs[],
    b0: readonly Limbs[],
    b1: readonly Limbs[],
    i: number,
    start: number,
    length: number,
    accumulate: boolean,
    logRun: number,
    source: number,
  ): void {
    const { kernels, termList, termAddress } = this.#core;
    const compact = i * (4 * (this.degree >>> logRun) + limbPadding) + 4 * (start >>> logRun);
    const offset = i * this.limbStride + 4 * start;
    const constants = this.#constants[dst0.moduli[i]];
    const most = Math.floor(termWords / 3);
    for (let first = 0; first < a.length; first += most) {
      const count = Math.min(most, a.length - first);
      for (let t = 0, at = 0; t < count; t++) {
        termList[at++] = a[first + t].address + compact;
        termList[at++] = b0[first + t].address + offset;
        termList[at++] = b1[first + t].address + offset;
      }
      const { interval, foldBy, steps } = residueSumPlan(constants, count);
      kernels.multiplySumPair(
        dst0.address + offset,
        dst1.address + offset,
        termAddress,
        count,
        length,
        constants.q,
        constants.qInverse,
        interval,
        foldBy,
        steps,
        accumulate || first > 0 ? 1 : 0,
        logRun,
        source,
      );
    }
  }

  keyProducts(products: readonly KeyProduct[], basis: KeyBasis): void {
    keyProductsByLimbs(this, products, basis);
  }

  subtractTransformed(dst: Limbs, a: Limbs, b: Limbs, scalars: Uint32Array): void {
    subtractTransformedByLimbs(this, dst, a, b, scalars);
  }

  expand(dst: Limbs, a: Limbs, logRun: number): void {
    const { kernels } = this.#core;
    const aStride = 4 * (this.degree >>> logRun) + limbPadding;
    for (let i = 0; i < dst.moduli.length; i++) {
      kernels.expand(dst.address + i * this.limbStride, a.address + i * aStride, this.degree, logRun);
    }
  }

  automorphism(dst: Limbs, a: Limbs, galoisElement: number): void {
    const { kernels } = this.#core;
    let table = this.#permutations.get(galoisElement);
    if (table === undefined) {
      table = this.#core.permutation(this.logN, galoisElement);
      this.#permutations.set(galoisElement, table);
    }
    for (let i = 0, offset = 0; i < dst.moduli.length; i++, offset += this.limbStride) {
      kernels.permute(dst.address + offset, a.address + offset, this.degree, table);
    }
  }

  convert(dst: Limbs, src: Limbs, table: ConversionTable): void {
    const { address, kinds } = this.#conversions.get(table) ?? this.#prepareConversion(table);
    this.#core.kernels.convert(
      dst.address,
      this.limbStride,
      src.address,
      this.limbStride,
      address,
      table.from.length,
      table.to.length,
      this.degree,
      this.#core.convertAddress,
      kinds,
    );
  }

  #prepareConversion(table: ConversionTable): { address: number; kinds: number } {
    const { words, kinds } = conversionConstants(table, this.#constants);
    const prepared = { address: this.#core.allocator.allocate(4 * words.length), kinds };
    this.#core.words.set(words, prepared.address / 4);
    this.#conversions.set(table, prepared);
    return prepared;
  }

  uniform(dst: Limbs, states: Uint32Array): void {
    const { kernels, termList, termAddress } = this.#core;
    for (let i = 0; i < dst.moduli.length; i++) {
      termList.set(wordsOfLimb(states, streamStateWords, i));
      const q = this.moduli[dst.moduli[i]];
      kernels.uniform(dst.address + i * this.limbStride, this.degree, q, termAddress);
    }
  }

  fromInt32(dst: Limbs, values: Int32Array): void {
    const { kernels, stagedInts, stagedAddress } = this.#core;
    for (let start = 0; start < this.degree; start += stagedValues) {
      const count = Math.min(stagedValues, this.degree - start);
      stagedInts.set(values.subarray(start, start + count));
      for (let i = 0; i < dst.moduli.length; i++) {
        const q = this.moduli[dst.moduli[i]];
        kernels.fromInt32(dst.address + i * this.limbStride + 4 * start, stagedAddress, count, q);
      }
    }
  }

  fromDoubles(dst: Limbs, values: Float64Array): void {
    const { kernels, stagedDoubles, stagedAddress } = this.#core;
    for (let start = 0; start < this.degree; start += stagedValues) {
      const count = Math.min(stagedValues, this.degree - start);
      stagedDoubles.set(values.subarray(start, start + count));
      kernels.biasDoubles(stagedAddress, count);
      for (let i = 0; i < dst.moduli.length; i++) {
        const { q, qInverse } = this.#constants[dst.moduli[i]];
        kernels.fromBiased(dst.address + i * this.limbStride + 4 * start, stagedAddress, count, q, qInverse);
      }
    }
  }
}
