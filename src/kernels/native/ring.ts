/**
 * The kernels of one ring over the native addon: each call is one command for all limbs. Nothing here
 * allocates once the tables of a prime, a Galois element or a base conversion exist. Semantics: see
 * `../backend.ts`.
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
import { code, limbsAt, listAt, mailboxLength, maximumLimbs, operandsAt, perLimbAt } from "./commands.ts";
import type { NativeCore } from "./core.ts";

/** Terms of one sum that fit a command. */
const mostTerms = 2 ** 13;
/** From this degree on permutations have tables, and key switches are fused. */
const leastFusedLogN = 4;

export class NativeRing implements RingKernels {
  readonly backend: Backend;
  readonly logN: number;
  readonly degree: number;
  readonly moduli: readonly number[];
  readonly limbStride: number;
  readonly reach: ((words: Uint32Array) => number) | undefined;
  readonly #core: NativeCore;
  /** The machine's number of each modulus. */
  readonly #primes: Uint32Array;
  readonly #transforms: Uint8Array;

  constructor(backend: Backend, core: NativeCore, logN: number, moduli: readonly number[]) {
    this.backend = backend;
    this.logN = logN;
    this.degree = 2 ** logN;
    this.moduli = Object.freeze([...moduli]);
    this.limbStride = 4 * this.degree + limbPadding;
    // Small rings have no fused key switch, which alone takes such words.
    this.reach = logN < leastFusedLogN ? undefined : (words) => core.machine.reach(words);
    this.#core = core;
    this.#primes = Uint32Array.from(moduli, (q) => core.prime(q));
    this.#transforms = new Uint8Array(moduli.length);
  }

  allocate(limbs: number): number {
    return this.#core.allocator.allocate(limbs * this.limbStride);
  }

  release(address: number, limbs: number): void {
    this.#core.allocator.release(address, limbs * this.limbStride);
  }

  write(dst: Limbs, index: number, words: Uint32Array): void {
    this.#core.machine.write(dst.address + index * this.limbStride, words, this.logN);
  }

  read(src: Limbs, index: number, into: Uint32Array): void {
    this.#core.machine.read(src.address + index * this.limbStride, into, this.degree);
  }

  forwardNtt(x: Limbs): void {
    this.#transform(code.forwardTransform, x);
  }

  inverseNtt(x: Limbs): void {
    this.#transform(code.inverseTransform, x);
  }

  inverseNttInto(dst: Limbs, a: Limbs): void {
    this.#prepareTransforms(a.moduli);
    this.#run(code.inverseTransform, dst.moduli, dst.address, a.address);
  }

  #transform(command: number, x: Limbs): void {
    this.#prepareTransforms(x.moduli);
    this.#run(command, x.moduli, x.address, x.address);
  }

  #prepareTransforms(moduli: readonly number[]): void {
    for (const m of moduli) {
      if (this.#transforms[m] !== 0) continue;
      this.#core.prepareTransform(this.logN, this.moduli[m] as number);
      this.#transforms[m] = 1;
    }
  }

  copy(dst: Limbs, a: Limbs): void {
    this.#run(code.copy, dst.moduli, dst.address, a.address);
  }

  zero(dst: Limbs): void {
    this.#run(code.zero, dst.moduli, dst.address);
  }

  add(dst: Limbs, a: Limbs, b: Limbs): void {
    this.#run(code.add, dst.moduli, dst.address, a.address, b.address);
  }

  subtract(dst: Limbs, a: Limbs, b: Limbs): void {
    this.#run(code.subtract, dst.moduli, dst.address, a.address, b.address);
  }

  negate(dst: Limbs, a: Limbs): void {
    this.#run(code.negate, dst.moduli, dst.address, a.address);
  }

  multiply(dst: Limbs, a: Limbs, b: Limbs): void {
    this.#run(code.multiply, dst.moduli, dst.address, a.address, b.address);
  }

  multiplyScalar(dst: Limbs, a: Limbs, scalars: Uint32Array): void {
    this.#core.mailbox.set(scalars, perLimbAt);
    this.#run(code.multiplyScalar, dst.moduli, dst.address, a.address);
  }

  multiplyScalarAdd(dst: Limbs, a: Limbs, scalars: Uint32Array): void {
    this.#core.mailbox.set(scalars, perLimbAt);
    this.#run(code.multiplyScalarAdd, dst.moduli, dst.address, a.address);
  }

  addScalar(dst: Limbs, a: Limbs, scalars: Uint32Array): void {
    this.#core.mailbox.set(scalars, perLimbAt);
    this.#run(code.addScalar, dst.moduli, dst.address, a.address);
  }

  subtractMultiplyScalar(dst: Limbs, a: Limbs, b: Limbs, scalars: Uint32Array): void {
    this.#core.mailbox.set(scalars, perLimbAt);
    this.#run(code.subtractMultiplyScalar, dst.moduli, dst.address, a.address, b.address);
  }

  multiplySum(dst: Limbs, a: readonly Limbs[], b: readonly Limbs[], accumulate: boolean, logRun: number): void {
    this.multiplySums([{ dst: [dst], a, b: [b] }], accumulate, logRun);
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
    this.multiplySums([{ dst: [dst0, dst1], a, b: [b0, b1] }], accumulate, logRun);
  }

  multiplySums(sums: readonly ProductSums[], accumulate: boolean, logRun: number, scalars?: Uint32Array): void {
    const { mailbox } = this.#core;
    if (scalars !== undefined) mailbox.set(scalars, perLimbAt);
    let at = listAt;
    let count = 0;
    const flush = (moduli: readonly number[], add: boolean): void => {
      if (count > 0) this.#run(code.sums, moduli, add ? 1 : 0, logRun, count, scalars === undefined ? 0 : 1);
      at = listAt;
      count = 0;
    };
    for (const { dst, a, b } of sums) {
      const { moduli } = dst[0] as Limbs;
      if (a.length === 0 && !accumulate) for (const limbs of dst) this.zero(limbs);
      for (let first = 0; first < a.length; first += mostTerms) {
        const terms = Math.min(mostTerms, a.length - first);
        const words = 2 + dst.length + terms * (1 + dst.length);
        // What does not fit goes into a command of its own, and so does what adds to what came before.
        if (at + words > mailboxLength || first > 0) flush(moduli, accumulate);
        mailbox[at++] = dst.length;
        mailbox[at++] = terms;
        for (const limbs of dst) mailbox[at++] = limbs.address;
        for (let t = first; t < first + terms; t++) {
          mailbox[at++] = (a[t] as Limbs).address;
          for (const list of b) mailbox[at++] = (list[t] as Limbs).address;
        }
        count++;
        if (first > 0) flush(moduli, true);
      }
    }
    if (sums.length > 0) flush(((sums[0] as ProductSums).dst[0] as Limbs).moduli, accumulate);
  }

  keyProducts(products: readonly KeyProduct[], basis: KeyBasis): void {
    const { mailbox } = this.#core;
    const [first] = products;
    if (first === undefined) return;
    const { moduli } = first.digits[0] as Limbs;
    const count = first.digits.length;
    if (this.logN < leastFusedLogN) {
      keyProductsByLimbs(this, products, basis);
      return;
    }
    const most = Math.floor((mailboxLength - listAt) / (5 * count + 11));
    if (products.length > most) {
      this.keyProducts(products.slice(0, most), basis);
      this.keyProducts(products.slice(most), basis);
      return;
    }
    this.#prepareTransforms(moduli);
    const tables = products.map(({ element }) => (element === 1 ? 0 : this.#core.permutation(this.logN, element)));
    mailbox.set(basis.liftScalars, perLimbAt);
    let at = listAt;
    for (const [f, { digits, source, key, lifted, added, element, accumulates, dst }] of products.entries()) {
      for (let d = 0; d < count; d++) {
        mailbox[at++] = (digits[d] as Limbs).address;
        mailbox[at++] = (key.b[d] as Limbs).address;
        mailbox[at++] = (key.a[d] as Limbs).address;
        mailbox[at++] = source?.ranges[d]?.[0] ?? 0;
        mailbox[at++] = source?.ranges[d]?.[1] ?? 0;
      }
      mailbox[at++] = (key.bStride ?? this.limbStride) / 4;
      mailbox[at++] = source?.poly.address ?? -1;
      mailbox[at++] = source === undefined || source.transformed ? 0 : 1;
      mailbox[at++] = lifted[0]?.address ?? -1;
      mailbox[at++] = lifted[1]?.address ?? -1;
      mailbox[at++] = added?.address ?? -1;
      mailbox[at++] = element;
      mailbox[at++] = tables[f] as number;
      mailbox[at++] = accumulates ? 1 : 0;
      mailbox[at++] = dst[0].address;
      mailbox[at++] = dst[1].address;
    }
    this.#run(code.keyProducts, moduli, products.length, count, basis.specialCount);
  }

  subtractTransformed(dst: Limbs, a: Limbs, b: Limbs, scalars: Uint32Array): void {
    this.#prepareTransforms(b.moduli);
    this.#core.mailbox.set(scalars, perLimbAt);
    this.#run(code.subtractTransformed, dst.moduli, dst.address, a.address, b.address);
  }

  expand(dst: Limbs, a: Limbs, logRun: number): void {
    this.#run(code.expand, dst.moduli, dst.address, a.address, logRun);
  }

  automorphism(dst: Limbs, a: Limbs, galoisElement: number): void {
    const table = this.#core.permutation(this.logN, galoisElement);
    this.#run(code.permute, dst.moduli, dst.address, a.address, table, galoisElement);
  }

  convert(dst: Limbs, src: Limbs, table: ConversionTable): void {
    const conversion = this.#core.conversion(table, this.moduli);
    this.#run(code.convert, dst.moduli, dst.address, src.address, conversion);
  }

  uniform(dst: Limbs, states: Uint32Array): void {
    this.#core.mailbox.set(states.subarray(0, streamStateWords * dst.moduli.length), listAt);
    this.#run(code.uniform, dst.moduli, dst.address);
  }

  fromInt32(dst: Limbs, values: Int32Array): void {
    this.#core.machine.fromInt32(dst.address, values, this.logN, this.#numbers(dst.moduli));
  }

  fromDoubles(dst: Limbs, values: Float64Array): void {
    this.#core.machine.fromDoubles(dst.address, values, this.logN, this.#numbers(dst.moduli));
  }

  #numbers(moduli: readonly number[]): Uint32Array {
    return Uint32Array.from(moduli, (m) => this.#primes[m] as number);
  }

  #run(command: number, moduli: readonly number[], a: number, b = 0, c = 0, d = 0): void {
    const { mailbox } = this.#core;
    if (moduli.length > maximumLimbs)
      throw new RangeError(`limbs: expected at most ${maximumLimbs}, got ${moduli.length}`);
    for (let i = 0; i < moduli.length; i++) mailbox[limbsAt + i] = this.#primes[moduli[i] as number] as number;
    this.#send(command, moduli.length, a, b, c, d);
  }

  #send(command: number, limbs: number, a: number, b = 0, c = 0, d = 0): void {
    const { mailbox, machine } = this.#core;
    mailbox[0] = command;
    mailbox[1] = this.logN;
    mailbox[2] = limbs;
    mailbox[operandsAt] = a;
    mailbox[operandsAt + 1] = b;
    mailbox[operandsAt + 2] = c;
    mailbox[operandsAt + 3] = d;
    machine.run();
  }
}
