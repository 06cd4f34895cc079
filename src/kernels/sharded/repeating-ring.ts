/**
 * Kernels of a rank that only counts, which leave out what was counted before (see `repeats.ts`). Most kernels
 * change nothing but values, those of limb shardings limb by limb: one limb stands for all of its kind.
 * Conversions, and what leads to them, depend on where limbs lie in memory as well and always run.
 */
import { invariant } from "../../base/validate.ts";
import type { Backend, ConversionTable, KeyBasis, KeyProduct, Limbs, ProductSums, RingKernels } from "../backend.ts";
import { nameOfModuli } from "../limbs.ts";
import { type Exchanges, isSharded, type Limbwise, noExchanges, type ShardedKernels } from "./exchanges.ts";
import { limbsOfProduct, placeInProduct, productKind, productOfLimb } from "./product-limbs.ts";
import type { Repeats } from "./repeats.ts";

/** What a kernel is to work on: all limbs, or one that stands for others. */
interface Pick {
  /** @param logRun of a polynomial of a subring */
  of(x: Limbs, logRun?: number): Limbs;
  /** Of one word for each limb. */
  words(words: Uint32Array): Uint32Array;
}

const all: Pick = { of: (x) => x, words: (words) => words };

/** Limbs of one kind: the first, and how many. */
interface Kind {
  readonly kind: number;
  readonly first: number;
  count: number;
}

export class RepeatingRing implements ShardedKernels {
  readonly backend: Backend;
  readonly logN: number;
  readonly degree: number;
  readonly moduli: readonly number[];
  readonly limbStride: number;
  readonly exchanges: Exchanges;
  readonly limbwise: Limbwise | undefined;
  readonly #repeats: Repeats;
  readonly #inner: RingKernels;
  readonly #isPlain: (x: Limbs) => boolean;
  /** By the names of moduli. */
  readonly #kinds = new Map<string, readonly Kind[]>();

  /** @param inner sharded, or of a subring that lies whole on every rank */
  constructor(inner: RingKernels, repeats: Repeats) {
    this.backend = inner.backend;
    this.logN = inner.logN;
    this.degree = inner.degree;
    this.moduli = inner.moduli;
    this.limbStride = inner.limbStride;
    this.#repeats = repeats;
    this.#inner = inner;
    this.#isPlain = isSharded(inner) ? (x) => inner.isPlain(x) : () => true;
    this.limbwise = isSharded(inner) ? inner.limbwise : undefined;
    this.exchanges = isSharded(inner) ? inner.exchanges : noExchanges;
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
    this.#each("forwardNtt", [x], ({ of }) => this.#inner.forwardNtt(of(x)));
  }

  inverseNtt(x: Limbs): void {
    this.#inner.inverseNtt(x);
  }

  inverseNttInto(dst: Limbs, a: Limbs): void {
    this.#inner.inverseNttInto(dst, a);
  }

  copy(dst: Limbs, a: Limbs): void {
    this.#inner.copy(dst, a);
  }

  zero(dst: Limbs): void {
    this.#each("zero", [dst], ({ of }) => this.#inner.zero(of(dst)));
  }

  add(dst: Limbs, a: Limbs, b: Limbs): void {
    this.#each("add", [dst, a, b], ({ of }) => this.#inner.add(of(dst), of(a), of(b)));
  }

  subtract(dst: Limbs, a: Limbs, b: Limbs): void {
    this.#each("subtract", [dst, a, b], ({ of }) => this.#inner.subtract(of(dst), of(a), of(b)));
  }

  negate(dst: Limbs, a: Limbs): void {
    this.#each("negate", [dst, a], ({ of }) => this.#inner.negate(of(dst), of(a)));
  }

  multiply(dst: Limbs, a: Limbs, b: Limbs): void {
    this.#each("multiply", [dst, a, b], ({ of }) => this.#inner.multiply(of(dst), of(a), of(b)));
  }

  multiplyScalar(dst: Limbs, a: Limbs, scalars: Uint32Array): void {
    this.#each("multiplyScalar", [dst, a], ({ of, words }) =>
      this.#inner.multiplyScalar(of(dst), of(a), words(scalars)),
    );
  }

  multiplyScalarAdd(dst: Limbs, a: Limbs, scalars: Uint32Array): void {
    this.#each("multiplyScalarAdd", [dst, a], ({ of, words }) =>
      this.#inner.multiplyScalarAdd(of(dst), of(a), words(scalars)),
    );
  }

  addScalar(dst: Limbs, a: Limbs, scalars: Uint32Array): void {
    this.#each("addScalar", [dst, a], ({ of, words }) => this.#inner.addScalar(of(dst), of(a), words(scalars)));
  }

  subtractMultiplyScalar(dst: Limbs, a: Limbs, b: Limbs, scalars: Uint32Array): void {
    this.#each("subtractMultiplyScalar", [dst, a, b], ({ of, words }) =>
      this.#inner.subtractMultiplyScalar(of(dst), of(a), of(b), words(scalars)),
    );
  }

  multiplySum(dst: Limbs, a: readonly Limbs[], b: readonly Limbs[], accumulate: boolean, logRun: number): void {
    this.#each(`multiplySum ${a.length} ${accumulate} ${logRun}`, [dst, ...a, ...b], ({ of }) =>
      this.#inner.multiplySum(
        of(dst),
        a.map((x) => of(x, logRun)),
        b.map((x) => of(x)),
        accumulate,
        logRun,
      ),
    );
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
    const limbs = [dst0, dst1, ...a, ...b0, ...b1];
    this.#each(`multiplySumPair ${a.length} ${accumulate} ${logRun}`, limbs, ({ of }) =>
      this.#inner.multiplySumPair(
        of(dst0),
        of(dst1),
        a.map((x) => of(x, logRun)),
        b0.map((x) => of(x)),
        b1.map((x) => of(x)),
        accumulate,
        logRun,
        streamed,
      ),
    );
  }

  /** One by one, as the kernels below make them. */
  multiplySums(sums: readonly ProductSums[], accumulate: boolean, logRun: number, scalars?: Uint32Array): void {
    for (const { dst, a, b } of sums) {
      const name = `multiplySums ${dst.length} ${a.length} ${accumulate} ${logRun} ${scalars !== undefined}`;
      this.#each(name, [...dst, ...a, ...b.flat()], ({ of, words }) => {
        const sum = {
          dst: dst.map((x) => of(x)),
          a: a.map((x) => of(x, logRun)),
          b: b.map((l) => l.map((x) => of(x))),
        };
        this.#inner.multiplySums([sum], accumulate, logRun, scalars && words(scalars));
      });
    }
  }

  keyProducts(products: readonly KeyProduct[], basis: KeyBasis): void {
    const limbs = products.flatMap(limbsOfProduct);
    if (this.limbwise === undefined || !limbs.every(this.#isPlain)) {
      this.#inner.keyProducts(products, basis);
      return;
    }
    const { moduli } = products[0].digits[0];
    const kinds = new Map<string, Kind>();
    const name = products.map(productKind).join();
    for (const [i, modulus] of moduli.entries()) {
      const kind = this.limbwise.kind(modulus);
      const key = `${name} of ${kind} in ${products.map((product) => placeInProduct(product, basis, i))}`;
      const known = kinds.get(key);
      if (known === undefined) kinds.set(key, { kind, first: i, count: 1 });
      else known.count++;
    }
    for (const [name, { first, count }] of kinds)
      this.#repeats.kernel(`keyProducts ${name}`, this.#isPlain, limbs, count, () => {
        const one = productOfLimb(products, basis, first, this.limbStride);
        this.#inner.keyProducts(one.products, one.basis);
      });
  }

  subtractTransformed(dst: Limbs, a: Limbs, b: Limbs, scalars: Uint32Array): void {
    this.#each("subtractTransformed", [dst, a, b], ({ of, words }) =>
      this.#inner.subtractTransformed(of(dst), of(a), of(b), words(scalars)),
    );
  }

  expand(dst: Limbs, a: Limbs, logRun: number): void {
    this.#each(`expand ${logRun}`, [dst, a], ({ of }) => this.#inner.expand(of(dst), of(a, logRun), logRun));
  }

  automorphism(dst: Limbs, a: Limbs, galoisElement: number): void {
    this.#inner.automorphism(dst, a, galoisElement);
  }

  convert(dst: Limbs, src: Limbs, table: ConversionTable): void {
    this.#inner.convert(dst, src, table);
  }

  uniform(dst: Limbs, states: Uint32Array): void {
    this.#inner.uniform(dst, states);
  }

  fromInt32(dst: Limbs, values: Int32Array): void {
    this.#inner.fromInt32(dst, values);
  }

  fromDoubles(dst: Limbs, values: Float64Array): void {
    this.#inner.fromDoubles(dst, values);
  }

  /**
   * A kernel that changes values only.
   *
   * @param limbs over the primes of the first, or over more
   */
  #each(name: string, limbs: readonly Limbs[], body: (pick: Pick) => void): void {
    if (!limbs.every(this.#isPlain)) {
      body(all);
      return;
    }
    const { moduli } = limbs[0];
    const named = nameOfModuli(moduli);
    if (this.limbwise === undefined) {
      this.#repeats.kernel(`${name} ${this.logN} ${named}`, this.#isPlain, limbs, 1, () => body(all));
      return;
    }
    let kinds = this.#kinds.get(named);
    if (kinds === undefined) this.#kinds.set(named, (kinds = kindsOf(moduli, this.limbwise)));
    for (const { kind, first, count } of kinds)
      this.#repeats.kernel(`${name} ${this.logN} of ${kind}`, this.#isPlain, limbs, count, () =>
        body(this.#pick(first)),
      );
  }

  /** Limb i. */
  #pick(i: number): Pick {
    const { stride } = this.limbwise as Limbwise;
    return {
      of: (x, logRun = 0) => ({ address: x.address + i * stride(logRun), moduli: x.moduli.slice(i, i + 1) }),
      words: (words) => words.subarray(i, i + 1),
    };
  }
}

function kindsOf(moduli: readonly number[], { kind }: Limbwise): Kind[] {
  const kinds = new Map<number, Kind>();
  for (const [i, modulus] of moduli.entries()) {
    const known = kinds.get(kind(modulus));
    if (known === undefined) kinds.set(kind(modulus), { kind: kind(modulus), first: i, count: 1 });
    else known.count++;
  }
  return [...kinds.values()];
}
