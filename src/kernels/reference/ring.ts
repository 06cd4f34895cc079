/** Kernels of one ring by their definitions, one coefficient after another. See `../backend.ts`. */
import { chacha20 } from "@noble/ciphers/chacha.js";
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
import { evaluate, interpolate, inverse, modulo, primitiveRoot, reverseBits } from "./arithmetic.ts";
import type { ReferenceMemory } from "./memory.ts";

export class ReferenceRing implements RingKernels {
  readonly backend: Backend;
  readonly logN: number;
  readonly degree: number;
  readonly moduli: readonly number[];
  readonly limbStride: number;
  readonly #memory: ReferenceMemory;
  readonly #roots = new Map<number, bigint>();

  constructor(backend: Backend, memory: ReferenceMemory, logN: number, moduli: readonly number[]) {
    this.backend = backend;
    this.logN = logN;
    this.degree = 2 ** logN;
    this.moduli = Object.freeze([...moduli]);
    this.limbStride = 4 * this.degree + limbPadding;
    this.#memory = memory;
  }

  allocate(limbs: number): number {
    return this.#memory.allocator.allocate(limbs * this.limbStride);
  }

  release(address: number, limbs: number): void {
    this.#memory.allocator.release(address, limbs * this.limbStride);
  }

  write(dst: Limbs, index: number, words: Uint32Array): void {
    const { degree } = this;
    for (let i = 0; i * degree < words.length; i++)
      this.#memory.words.set(wordsOfLimb(words, degree, i), (dst.address + (index + i) * this.limbStride) / 4);
  }

  read(src: Limbs, index: number, into: Uint32Array): void {
    for (let i = 0; i < this.degree; i++) into[i] = Number(this.#get(src, index, i));
  }

  /** Coefficient or value i of limb `index`; `degree` when the limb is of a smaller ring. */
  #get(limbs: Limbs, index: number, i: number, degree = this.degree): bigint {
    return BigInt(this.#memory.words[(limbs.address + index * (4 * degree + limbPadding)) / 4 + i]);
  }

  /** Sets every word of every limb to a function of its place, reduced modulo the limb's prime. */
  #fill(dst: Limbs, value: (index: number, i: number, q: bigint) => bigint): void {
    for (let index = 0; index < dst.moduli.length; index++) {
      const q = BigInt(this.moduli[dst.moduli[index]]);
      const results: number[] = [];
      for (let i = 0; i < this.degree; i++) results.push(Number(modulo(value(index, i, q), q)));
      this.#memory.words.set(results, (dst.address + index * this.limbStride) / 4);
    }
  }

  #root(modulus: number): bigint {
    let root = this.#roots.get(modulus);
    if (root === undefined) {
      root = primitiveRoot(this.logN, BigInt(this.moduli[modulus]));
      this.#roots.set(modulus, root);
    }
    return root;
  }

  #limb(x: Limbs, index: number): bigint[] {
    return Array.from({ length: this.degree }, (_, i) => this.#get(x, index, i));
  }

  forwardNtt(x: Limbs): void {
    const values = x.moduli.map((m, index) => evaluate(this.#limb(x, index), this.#root(m), BigInt(this.moduli[m])));
    this.#fill(x, (index, i) => values[index][reverseBits(i, this.logN)]);
  }

  inverseNtt(x: Limbs): void {
    const coefficients = x.moduli.map((m, index) => {
      const values = this.#limb(x, index);
      const ordered = values.map((_, k) => values[reverseBits(k, this.logN)]);
      return interpolate(ordered, this.#root(m), BigInt(this.moduli[m]));
    });
    this.#fill(x, (index, i) => coefficients[index][i]);
  }

  inverseNttInto(dst: Limbs, a: Limbs): void {
    this.copy(dst, a);
    this.inverseNtt(dst);
  }

  copy(dst: Limbs, a: Limbs): void {
    this.#fill(dst, (index, i) => this.#get(a, index, i));
  }

  zero(dst: Limbs): void {
    this.#fill(dst, () => 0n);
  }

  add(dst: Limbs, a: Limbs, b: Limbs): void {
    this.#fill(dst, (index, i) => this.#get(a, index, i) + this.#get(b, index, i));
  }

  subtract(dst: Limbs, a: Limbs, b: Limbs): void {
    this.#fill(dst, (index, i) => this.#get(a, index, i) - this.#get(b, index, i));
  }

  negate(dst: Limbs, a: Limbs): void {
    this.#fill(dst, (index, i) => -this.#get(a, index, i));
  }

  multiply(dst: Limbs, a: Limbs, b: Limbs): void {
    this.multiplySum(dst, [a], [b], false, 0);
  }

  multiplyScalar(dst: Limbs, a: Limbs, scalars: Uint32Array): void {
    this.#fill(dst, (index, i) => this.#get(a, index, i) * BigInt(scalars[index]));
  }

  multiplyScalarAdd(dst: Limbs, a: Limbs, scalars: Uint32Array): void {
    this.#fill(dst, (index, i) => this.#get(dst, index, i) + this.#get(a, index, i) * BigInt(scalars[index]));
  }

  addScalar(dst: Limbs, a: Limbs, scalars: Uint32Array): void {
    this.#fill(dst, (index, i) => this.#get(a, index, i) + BigInt(scalars[index]));
  }

  subtractMultiplyScalar(dst: Limbs, a: Limbs, b: Limbs, scalars: Uint32Array): void {
    this.#fill(dst, (index, i) => (this.#get(a, index, i) - this.#get(b, index, i)) * BigInt(scalars[index]));
  }

  multiplySum(dst: Limbs, a: readonly Limbs[], b: readonly Limbs[], accumulate: boolean, logRun: number): void {
    const degree = this.degree >> logRun;
    const radixInverses = dst.moduli.map((m) => inverse(2n ** 32n, BigInt(this.moduli[m])));
    this.#fill(dst, (index, i) => {
      let sum = 0n;
      for (let t = 0; t < a.length; t++) sum += this.#get(a[t], index, i >> logRun, degree) * this.#get(b[t], index, i);
      return sum * radixInverses[index] + (accumulate ? this.#get(dst, index, i) : 0n);
    });
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
    this.multiplySum(dst0, a, b0, accumulate, logRun);
    this.multiplySum(dst1, a, b1, accumulate, logRun);
  }

  multiplySums(sums: readonly ProductSums[], accumulate: boolean, logRun: number, scalars?: Uint32Array): void {
    for (const { dst, a, b } of sums) for (const k of dst.keys()) this.multiplySum(dst[k], a, b[k], accumulate, logRun);
    if (scalars !== undefined)
      for (const { dst } of sums) for (const limbs of dst) this.multiplyScalar(limbs, limbs, scalars);
  }

  keyProducts(products: readonly KeyProduct[], basis: KeyBasis): void {
    keyProductsByLimbs(this, products, basis);
  }

  subtractTransformed(dst: Limbs, a: Limbs, b: Limbs, scalars: Uint32Array): void {
    subtractTransformedByLimbs(this, dst, a, b, scalars);
  }

  expand(dst: Limbs, a: Limbs, logRun: number): void {
    this.#fill(dst, (index, i) => this.#get(a, index, i >> logRun, this.degree >> logRun));
  }

  automorphism(dst: Limbs, a: Limbs, galoisElement: number): void {
    // The value of a(X^g) at ψ^e is that of a at ψ^(e·g).
    this.#fill(dst, (index, i) => {
      const exponent = ((2 * reverseBits(i, this.logN) + 1) * galoisElement) % (2 * this.degree);
      return this.#get(a, index, reverseBits((exponent - 1) / 2, this.logN));
    });
  }

  convert(dst: Limbs, src: Limbs, table: ConversionTable): void {
    const sources = table.from.length;
    const y = table.from.map((m, k) => {
      const q = BigInt(this.moduli[m]);
      return this.#limb(src, k).map((x) => (x * BigInt(table.inverses[k])) % q);
    });
    this.#fill(dst, (j, i) => {
      let sum = 0n;
      let fraction = 2n ** 55n;
      for (let k = 0; k < sources; k++) {
        sum += y[k][i] * BigInt(table.factors[j * sources + k]);
        fraction += y[k][i] * BigInt(table.fractions[k]);
      }
      return sum - (fraction >> 56n) * BigInt(table.products[j]);
    });
  }

  uniform(dst: Limbs, states: Uint32Array): void {
    for (const i of dst.moduli.keys()) this.#uniformLimb(dst, i, wordsOfLimb(states, streamStateWords, i));
  }

  #uniformLimb(dst: Limbs, index: number, state: Uint32Array): void {
    const bytes = new Uint8Array(state.buffer, state.byteOffset, state.byteLength);
    const q = this.moduli[dst.moduli[index]];
    const limit = Math.floor(2 ** 32 / q) * q;
    const residues: number[] = [];
    for (let block = 0; residues.length < this.degree; block++) {
      const words = new Uint32Array(
        chacha20(bytes.slice(0, 32), bytes.slice(32), new Uint8Array(64), undefined, block).buffer,
      );
      for (const word of words) if (word < limit) residues.push(word % q);
    }
    this.#memory.words.set(residues.slice(0, this.degree), (dst.address + index * this.limbStride) / 4);
  }

  fromInt32(dst: Limbs, values: Int32Array): void {
    this.#fill(dst, (_, i) => BigInt(values[i]));
  }

  fromDoubles(dst: Limbs, values: Float64Array): void {
    this.#fill(dst, (_, i) => BigInt(values[i]));
  }
}
