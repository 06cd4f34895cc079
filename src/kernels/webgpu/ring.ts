/**
 * The kernels of one ring over WebGPU: each call is one or two commands for all limbs at once. Semantics:
 * see `../backend.ts`.
 */
import { invariant } from "../../base/validate.ts";
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
import { keyProductsTogether } from "../key-products.ts";
import { wordsOfLimb } from "../limbs.ts";
import { type ModulusConstants, powerModulo, residueSumPlan } from "../modulus.ts";
import { quotient } from "../quotient.ts";
import { shaderConversion } from "./conversion.ts";
import type { WebgpuCore } from "./core.ts";
import { parameterWords } from "./protocol.ts";
import { convertValues } from "./shaders/convert.ts";
import { blockThreads, type ElementwiseKernel } from "./shaders/elementwise.ts";
import type { Kernel } from "./shaders/kernels.ts";
import { tileLog } from "./shaders/transform.ts";
import { uniformResidues } from "./uniform.ts";

/** Parameter words before those of the limbs, and for each limb. */
const headWords = 8;
const limbWords = 4;
/** For each term of a sum. */
const termWords = 4;
/** Most limbs of one polynomial. */
const mostLimbs = (parameterWords - headWords) / limbWords;
/** Targets that a workgroup of a conversion works on when coefficients alone are too few to fill an adapter. */
const fewTargets = 8;
const manyCoefficients = 2 ** 14;

/** Most words that are read at once when limbs are small. */
const readAhead = 2 ** 16;

interface Transform {
  readonly twiddles: number;
  readonly scale: number;
  readonly scaleQuotient: number;
}

export class WebgpuRing implements RingKernels {
  readonly backend: Backend;
  readonly logN: number;
  readonly degree: number;
  readonly moduli: readonly number[];
  readonly limbStride: number;
  readonly #core: WebgpuCore;
  readonly #constants: readonly ModulusConstants[];
  readonly #transforms: (Transform | undefined)[];
  readonly #conversions = new WeakMap<ConversionTable, number>();

  constructor(backend: Backend, core: WebgpuCore, logN: number, moduli: readonly number[]) {
    this.backend = backend;
    this.logN = logN;
    this.degree = 2 ** logN;
    this.moduli = Object.freeze([...moduli]);
    this.limbStride = 4 * this.degree + limbPadding;
    this.#core = core;
    this.#constants = moduli.map((q) => core.modulus(q));
    this.#transforms = new Array<Transform | undefined>(moduli.length);
  }

  allocate(limbs: number): number {
    return this.#core.allocate(limbs * this.limbStride);
  }

  release(address: number, limbs: number): void {
    this.#core.allocator.release(address, limbs * this.limbStride);
  }

  write(dst: Limbs, index: number, words: Uint32Array): void {
    const { degree } = this;
    for (let i = 0; i * degree < words.length; i++)
      this.#core.upload("arena", dst.address + (index + i) * this.limbStride, wordsOfLimb(words, degree, i));
  }

  read(src: Limbs, index: number, into: Uint32Array): void {
    const rest = ((src.moduli.length - 1 - index) * this.limbStride) / 4;
    const behind = this.degree + rest <= readAhead ? rest : 0;
    this.#core.read(src.address + index * this.limbStride, into, this.degree, behind);
  }

  /**
   * Begins a kernel over all limbs of a view with the eight head words and the two constants of every
   * limb written; returns the place of the parameters of limb 0.
   */
  #begin(
    kernel: Kernel,
    blocks: number,
    dst: Limbs,
    head: readonly [number, number, number, number, number, number, number, number],
    more = 0,
    sums = 1,
  ): number {
    const limbs = dst.moduli.length;
    invariant(limbs <= mostLimbs, `a polynomial of ${limbs} limbs: at most ${mostLimbs} are supported`);
    const at = this.#core.dispatch(kernel, blocks, limbs, sums, headWords + limbWords * limbs + more);
    const { words } = this.#core.queue;
    for (let i = 0; i < headWords; i++) words[at + i] = head[i] as number;
    for (let i = 0, place = at + headWords; i < limbs; i++, place += limbWords) {
      const { q, qInverse } = this.#constants[dst.moduli[i]];
      words[place] = q;
      words[place + 1] = qInverse;
      words[place + 2] = 0;
      words[place + 3] = 0;
    }
    return at + headWords;
  }

  get #blocks(): number {
    return Math.ceil(this.degree / blockThreads);
  }

  #elementwise(kernel: ElementwiseKernel, dst: Limbs, a: Limbs, b: Limbs, scalars?: Uint32Array): void {
    if (dst.moduli.length === 0) return;
    const stride = this.limbStride / 4;
    const place = this.#begin(kernel, this.#blocks, dst, [
      dst.address / 4,
      a.address / 4,
      b.address / 4,
      this.degree,
      stride,
      stride,
      0,
      0,
    ]);
    if (scalars !== undefined) {
      const { words } = this.#core.queue;
      for (let i = 0, at = place + 2; i < dst.moduli.length; i++, at += limbWords) {
        words[at] = scalars[i];
        words[at + 1] = quotient(scalars[i], this.#constants[dst.moduli[i]]);
      }
    }
    this.#core.queue.publish();
  }

  inverseNttInto(dst: Limbs, a: Limbs): void {
    this.copy(dst, a);
    this.inverseNtt(dst);
  }

  copy(dst: Limbs, a: Limbs): void {
    if (dst.address !== a.address) this.#elementwise("copy", dst, a, a);
  }

  zero(dst: Limbs): void {
    this.#elementwise("zero", dst, dst, dst);
  }

  add(dst: Limbs, a: Limbs, b: Limbs): void {
    this.#elementwise("add", dst, a, b);
  }

  subtract(dst: Limbs, a: Limbs, b: Limbs): void {
    this.#elementwise("subtract", dst, a, b);
  }

  negate(dst: Limbs, a: Limbs): void {
    this.#elementwise("negate", dst, a, a);
  }

  multiply(dst: Limbs, a: Limbs, b: Limbs): void {
    this.#elementwise("multiply", dst, a, b);
  }

  multiplyScalar(dst: Limbs, a: Limbs, scalars: Uint32Array): void {
    this.#elementwise("multiplyScalar", dst, a, a, scalars);
  }

  multiplyScalarAdd(dst: Limbs, a: Limbs, scalars: Uint32Array): void {
    this.#elementwise("multiplyScalarAdd", dst, a, a, scalars);
  }

  addScalar(dst: Limbs, a: Limbs, scalars: Uint32Array): void {
    this.#elementwise("addScalar", dst, a, a, scalars);
  }

  subtractMultiplyScalar(dst: Limbs, a: Limbs, b: Limbs, scalars: Uint32Array): void {
    this.#elementwise("subtractMultiplyScalar", dst, a, b, scalars);
  }

  /** Each step for all limbs at once: a command costs more than what a cache would spare. */
  keyProducts(products: readonly KeyProduct[], basis: KeyBasis): void {
    keyProductsTogether(this, products, basis);
  }

  subtractTransformed(dst: Limbs, a: Limbs, b: Limbs, scalars: Uint32Array): void {
    this.forwardNtt(b);
    this.subtractMultiplyScalar(dst, a, b, scalars);
  }

  expand(dst: Limbs, a: Limbs, logRun: number): void {
    this.#move("expand", dst, a, (4 * (this.degree >>> logRun) + limbPadding) / 4, logRun, 0);
  }

  automorphism(dst: Limbs, a: Limbs, galoisElement: number): void {
    this.#move("automorphism", dst, a, this.limbStride / 4, this.logN, galoisElement);
  }

  #move(kernel: ElementwiseKernel, dst: Limbs, a: Limbs, aStride: number, log: number, element: number): void {
    if (dst.moduli.length === 0) return;
    this.#begin(kernel, this.#blocks, dst, [
      dst.address / 4,
      a.address / 4,
      0,
      this.degree,
      this.limbStride / 4,
      aStride,
      log,
      element,
    ]);
    this.#core.queue.publish();
  }

  #transform(index: number): Transform {
    let transform = this.#transforms[index];
    if (transform === undefined) {
      const constants = this.#constants[index];
      const twiddles = this.#core.twiddles(this.logN, constants.q) / 4;
      const scale = powerModulo(this.degree, constants.q - 2, constants.q);
      transform = { twiddles, scale, scaleQuotient: quotient(scale, constants) };
      this.#transforms[index] = transform;
    }
    return transform;
  }

  forwardNtt(x: Limbs): void {
    const outer = Math.max(0, this.logN - tileLog);
    if (outer > 0) this.#pass("forwardNtt", x, 0, outer);
    this.#pass("forwardNtt", x, outer, this.logN - outer);
  }

  inverseNtt(x: Limbs): void {
    const outer = Math.max(0, this.logN - tileLog);
    this.#pass("inverseNtt", x, outer, this.logN - outer);
    if (outer > 0) this.#pass("inverseNtt", x, 0, outer);
  }

  /** `stages` stages of a transform from stage `first` on. */
  #pass(kernel: "forwardNtt" | "inverseNtt", x: Limbs, first: number, stages: number): void {
    if (x.moduli.length === 0) return;
    // Tables are made before the command is begun that names them.
    for (const m of x.moduli) this.#transform(m);
    const columnLog = Math.min(tileLog - stages, this.logN - first - stages);
    const tiles = 2 ** (this.logN - stages - columnLog);
    const head = [x.address / 4, this.logN, first, stages, this.limbStride / 4, columnLog, 0, 0] as const;
    const place = this.#begin(kernel, tiles, x, head);
    const { words } = this.#core.queue;
    for (let i = 0, at = place + 1; i < x.moduli.length; i++, at += limbWords) {
      const { twiddles, scale, scaleQuotient } = this.#transform(x.moduli[i]);
      words[at] = twiddles;
      words[at + 1] = scale;
      words[at + 2] = scaleQuotient;
    }
    this.#core.queue.publish();
  }

  multiplySum(dst: Limbs, a: readonly Limbs[], b: readonly Limbs[], accumulate: boolean, logRun: number): void {
    this.#sums("multiplySum", [{ dst: [dst], a, b: [b] }], accumulate, logRun);
  }

  multiplySumPair(
    dst0: Limbs,
    dst1: Limbs,
    a: readonly Limbs[],
    b0: readonly Limbs[],
    b1: readonly Limbs[],
    accumulate: boolean,
    logRun: number,
  ): void {
    this.#sums("multiplySumPair", [{ dst: [dst0, dst1], a, b: [b0, b1] }], accumulate, logRun);
  }

  multiplySums(sums: readonly ProductSums[], accumulate: boolean, logRun: number, scalars?: Uint32Array): void {
    this.#sums(
      "multiplySum",
      sums.filter(({ dst }) => dst.length === 1),
      accumulate,
      logRun,
    );
    this.#sums(
      "multiplySumPair",
      sums.filter(({ dst }) => dst.length === 2),
      accumulate,
      logRun,
    );
    if (scalars !== undefined)
      for (const { dst } of sums) for (const limbs of dst) this.multiplyScalar(limbs, limbs, scalars);
  }

  /** Sums with equal numbers of results, as many in one dispatch as its parameters hold. */
  #sums(
    kernel: "multiplySum" | "multiplySumPair",
    sums: readonly ProductSums[],
    accumulate: boolean,
    logRun: number,
  ): void {
    if (sums.length === 0) return;
    const limbs = sums[0].dst[0].moduli.length;
    if (limbs === 0) return;
    const room = parameterWords - headWords - limbWords * (limbs + 1);
    const mostTerms = Math.floor(room / termWords);
    for (let next = 0; next < sums.length; ) {
      const { dst, a, b } = sums[next];
      if (a.length > mostTerms) {
        // More terms than fit: the later ones are added to the sum of the first.
        const cut = (from: number, to?: number): ProductSums[] => [
          { dst, a: a.slice(from, to), b: b.map((list) => list.slice(from, to)) },
        ];
        this.#sums(kernel, cut(0, mostTerms), accumulate, logRun);
        this.#sums(kernel, cut(mostTerms), true, logRun);
        next++;
        continue;
      }
      let last = next;
      for (let left = room + limbWords; last < sums.length; last++) {
        left -= limbWords + termWords * sums[last].a.length;
        if (left < 0) break;
      }
      this.#sumsOnce(kernel, sums.slice(next, last), accumulate, logRun);
      next = last;
    }
  }

  #sumsOnce(
    kernel: "multiplySum" | "multiplySumPair",
    sums: readonly ProductSums[],
    accumulate: boolean,
    logRun: number,
  ): void {
    const view = sums[0].dst[0];
    const limbs = view.moduli.length;
    let terms = 0;
    let most = 0;
    for (const { a } of sums) {
      terms += a.length;
      most = Math.max(most, a.length);
    }
    const compact = (4 * (this.degree >>> logRun) + limbPadding) / 4;
    const head = [this.degree, this.limbStride / 4, compact, logRun, limbs, accumulate ? 1 : 0, 0, 0] as const;
    const more = limbWords * sums.length + termWords * terms;
    const place = this.#begin(kernel, this.#blocks, view, head, more, sums.length);
    const { words } = this.#core.queue;
    for (let i = 0, at = place + 2; i < limbs; i++, at += limbWords) {
      // The plan of the longest sum is good for shorter ones too.
      const { interval, foldBy, steps } = residueSumPlan(this.#constants[view.moduli[i]], most);
      words[at] = interval + steps * 2 ** 16;
      words[at + 1] = foldBy;
    }
    let row = place + limbWords * limbs;
    let term = row + limbWords * sums.length;
    const origin = place - headWords;
    for (const { dst, a, b } of sums) {
      words[row] = dst[0].address / 4;
      words[row + 1] = dst[dst.length - 1].address / 4;
      words[row + 2] = (term - origin) / 4;
      words[row + 3] = a.length;
      row += limbWords;
      for (let t = 0; t < a.length; t++) {
        words[term] = a[t].address / 4;
        for (let k = 0; k < b.length; k++) words[term + 1 + k] = b[k][t].address / 4;
        term += termWords;
      }
    }
    this.#core.queue.publish();
  }

  convert(dst: Limbs, src: Limbs, table: ConversionTable): void {
    const targets = table.to.length;
    if (targets === 0) return;
    let address = this.#conversions.get(table);
    if (address === undefined) {
      const words = shaderConversion(table, this.#constants);
      address = this.#core.allocate(4 * words.length);
      this.#core.upload("arena", address, words);
      this.#conversions.set(table, address);
    }
    const share = this.degree >= manyCoefficients ? targets : Math.min(targets, fewTargets);
    const core = this.#core;
    const blocks = Math.ceil(this.degree / convertValues);
    const at = core.dispatch("convert", blocks, Math.ceil(targets / share), 1, headWords);
    const { words } = core.queue;
    words[at] = dst.address / 4;
    words[at + 1] = src.address / 4;
    words[at + 2] = this.degree;
    words[at + 3] = this.limbStride / 4;
    words[at + 4] = table.from.length;
    words[at + 5] = targets;
    words[at + 6] = address / 4;
    words[at + 7] = share;
    core.queue.publish();
  }

  uniform(dst: Limbs, states: Uint32Array): void {
    for (const [i, m] of dst.moduli.entries())
      this.write(dst, i, uniformResidues(this.degree, this.moduli[m], wordsOfLimb(states, streamStateWords, i)));
  }

  fromInt32(dst: Limbs, values: Int32Array): void {
    const numbers = values.subarray(0, this.degree);
    this.#fromNumbers("fromInt32", dst, new Uint32Array(numbers.buffer, numbers.byteOffset, numbers.length));
  }

  fromDoubles(dst: Limbs, values: Float64Array): void {
    const numbers = values.subarray(0, this.degree);
    this.#fromNumbers("fromDoubles", dst, new Uint32Array(numbers.buffer, numbers.byteOffset, 2 * numbers.length));
  }

  #fromNumbers(kernel: "fromInt32" | "fromDoubles", dst: Limbs, numbers: Uint32Array): void {
    if (dst.moduli.length === 0) return;
    this.#core.upload("stage", 0, numbers);
    const head = [dst.address / 4, this.degree, this.limbStride / 4, 0, 0, 0, 0, 0] as const;
    const place = this.#begin(kernel, this.#blocks, dst, head);
    const { words } = this.#core.queue;
    for (let i = 0, at = place + 2; i < dst.moduli.length; i++, at += limbWords) {
      const { q } = this.#constants[dst.moduli[i]];
      words[at] = powerModulo(2, 64, q);
    }
    this.#core.queue.publish();
  }
}
