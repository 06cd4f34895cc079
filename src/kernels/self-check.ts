/**
 * A check of a backend at start: every kernel once, on values that are random, near the primes and extreme,
 * against a digest that the reference backend gives. Takes some milliseconds.
 */
import { AegisError } from "../base/errors.ts";
import { type Backend, type ConversionTable, type Limbs, type RingKernels, streamStateWords } from "./backend.ts";
import { multiplyModulo, powerModulo } from "./modulus.ts";

/** Large enough for every way that a backend has of working on a limb, but for transforms. */
const logN = 9;
/** Of 30, 29, 28, 30 and 29 bits. */
const moduli = [1073738753, 536856577, 268409857, 1073732609, 536845313];
/** For conversions between many; 30 and 29 bits. */
const moreModuli = [1073707009, 1073698817, 1073692673, 1073682433, 536823809, 536819713, 536816641, 536813569];
/** Large transforms go over a polynomial in several ways. */
const largeLogN = 11;
/** Of 30 and 29 bits. */
const largeModuli = [1073692673, 536813569];

/** What the reference backend gives; a test computes it anew. */
export const expectedCheck = 3847518885;

/** Throws `device` when a kernel gives a wrong result, and what the backend throws when it cannot run. */
export function selfCheck(backend: Backend): void {
  const got = checkWord(backend);
  if (got === expectedCheck) return;
  throw new AegisError("device", `${backend.name}: a kernel gives wrong results`, {
    hint: "use another device (--device wasm), and report this",
    operation: "self-check",
  });
}

/** A digest of the results of all kernels: 32 bits of FNV-1a over words. */
export function checkWord(backend: Backend): number {
  let digest = 2166136261;
  const check = (ring: RingKernels, run: (checked: Checked) => void): void => {
    const checked = new Checked(ring, digest);
    try {
      run(checked);
      digest = checked.digest;
    } finally {
      checked.release();
    }
  };
  check(backend.ring(logN, moduli), (checked) => checked.all());
  check(backend.ring(logN, [...moduli, ...moreModuli]), (checked) => checked.conversion());
  check(backend.ring(largeLogN, largeModuli), (checked) => checked.transforms());
  return digest;
}

class Checked {
  readonly #ring: RingKernels;
  readonly #held: (readonly [RingKernels, Limbs])[] = [];
  readonly #words: Uint32Array;
  #random = 1;
  digest: number;

  constructor(ring: RingKernels, digest: number) {
    this.#ring = ring;
    this.#words = new Uint32Array(ring.degree);
    this.digest = digest;
  }

  release(): void {
    for (const [ring, limbs] of this.#held) ring.release(limbs.address, limbs.moduli.length);
  }

  all(): void {
    const ring = this.#ring;
    const all = ring.moduli.map((_, m) => m);
    const [a, b, c] = [this.#filled(all), this.#filled(all), this.#filled(all)];
    const scalars = Uint32Array.from(ring.moduli, (q) => q - 2);
    const result = this.#filled(all);
    const second = this.#filled(all);
    const note = (run: () => void, ...results: Limbs[]): void => {
      run();
      for (const limbs of results) this.#note(limbs);
    };
    note(() => ring.forwardNtt(a), a);
    note(() => ring.inverseNtt(b), b);
    note(() => ring.inverseNttInto(result, a), result, a);
    note(() => ring.add(result, a, b), result);
    note(() => ring.subtract(result, a, b), result);
    note(() => ring.negate(result, a), result);
    note(() => ring.multiply(result, a, b), result);
    note(() => ring.multiplyScalar(result, a, scalars), result);
    note(() => ring.multiplyScalarAdd(result, b, scalars), result);
    note(() => ring.addScalar(result, a, scalars), result);
    note(() => ring.subtractMultiplyScalar(result, a, b, scalars), result);
    note(() => ring.automorphism(result, a, 5), result);
    note(() => ring.copy(result, c), result);
    const many = Array.from({ length: 18 }, (_, t) => [a, b, c][t % 3] as Limbs);
    note(() => ring.multiplySum(result, many, many, true, 0), result);
    note(() => ring.multiplySumPair(result, second, many, many, [...many].reverse(), false, 0), result, second);
    const small = ring.backend.ring(logN - 3, ring.moduli);
    const compact = this.#filled(all, small);
    note(() => ring.multiplySums([{ dst: [result, second], a: [compact], b: [[b], [c]] }], true, 3), result, second);
    note(() => ring.multiplySums([{ dst: [result], a: many, b: [many] }], false, 0, scalars), result);
    note(() => ring.expand(result, compact, 3), result);
    const from = [0, 1, 2];
    const to = [3, 4];
    const converted: Limbs = { address: result.address, moduli: to };
    note(
      () => ring.convert(converted, { address: b.address, moduli: from }, tableOf(ring.moduli, from, to)),
      converted,
    );
    note(
      () =>
        ring.uniform(
          { address: result.address, moduli: result.moduli.slice(0, 1) },
          Uint32Array.from({ length: streamStateWords }, (_, i) => 77 * i),
        ),
      result,
    );
    const doubles = Float64Array.from(this.#words, (_, i) => (i % 2 === 0 ? 1 : -1) * (2 ** 61 - 2 ** 20 * i));
    note(() => ring.fromDoubles(result, doubles), result);
    note(
      () =>
        ring.fromInt32(
          result,
          Int32Array.from(this.#words, (_, i) => (i - 100) * 2 ** 22),
        ),
      result,
    );
    this.#keyProducts(a, b, c);
  }

  /** From as many primes as are left over by five. */
  conversion(): void {
    const ring = this.#ring;
    const all = ring.moduli.map((_, m) => m);
    const [to, from] = [all.slice(0, 5), all.slice(5)];
    const [source, result] = [this.#filled(from), this.#filled(to)];
    ring.convert(result, source, tableOf(ring.moduli, from, to));
    this.#note(result);
  }

  /** Both directions, and what ends a ModDown. */
  transforms(): void {
    const ring = this.#ring;
    const all = ring.moduli.map((_, m) => m);
    const [a, b, c] = [this.#filled(all), this.#filled(all), this.#filled(all)];
    ring.forwardNtt(a);
    ring.inverseNttInto(b, c);
    this.#note(a);
    this.#note(b);
    ring.subtractTransformed(
      a,
      a,
      c,
      Uint32Array.from(ring.moduli, (q) => q - 5),
    );
    ring.inverseNtt(a);
    this.#note(a);
  }

  /** A key switch of two special primes and two digits, with all that may follow it. */
  #keyProducts(a: Limbs, b: Limbs, c: Limbs): void {
    const ring = this.#ring;
    const all = ring.moduli.map((_, m) => m);
    const own = all.slice(2);
    const overQ: Limbs = { address: c.address, moduli: own };
    const digits = [this.#filled(all), this.#filled(all)];
    const [dst, again] = [this.#filledPair(all), this.#filledPair(all)];
    const source = { poly: overQ, ranges: [[0, 2] as const, [2, 3] as const], transformed: false };
    const liftScalars = Uint32Array.from(own, (m) => (ring.moduli[m] as number) - 3);
    const key = { b: [a, b], a: [b, c] };
    const product = {
      digits,
      source,
      key,
      lifted: [overQ, undefined] as const,
      added: a,
      element: 5,
      accumulates: true,
    };
    // Once more with another key, on digits that are transformed.
    const other = { source: { ...source, transformed: true }, key: { b: key.a, a: key.b }, element: 3, dst: again };
    ring.keyProducts(
      [
        { ...product, dst },
        { ...product, ...other },
      ],
      { specialCount: 2, liftScalars },
    );
    for (const limbs of [...dst, ...again]) this.#note(limbs);
    ring.subtractTransformed(
      dst[0],
      a,
      b,
      Uint32Array.from(ring.moduli, (q) => q - 5),
    );
    this.#note(dst[0]);
  }

  #filledPair(moduli: readonly number[]): readonly [Limbs, Limbs] {
    return [this.#filled(moduli), this.#filled(moduli)];
  }

  /** New limbs of values that random tests miss, and random ones. */
  #filled(moduli: readonly number[], ring = this.#ring): Limbs {
    const limbs = { address: ring.allocate(moduli.length), moduli };
    this.#held.push([ring, limbs]);
    const words = this.#words.subarray(0, ring.degree);
    for (const [i, m] of moduli.entries()) {
      const q = ring.moduli[m] as number;
      const extremes = [q - 1, 0, 1, (q - 1) / 2];
      for (let j = 0; j < words.length; j++) {
        this.#random = (Math.imul(this.#random, 1664525) + 1013904223) >>> 0;
        words[j] = j % 3 === 0 ? (extremes[(this.#random >>> 16) & 3] as number) : this.#random % q;
      }
      ring.write(limbs, i, words);
    }
    return limbs;
  }

  #note(limbs: Limbs): void {
    for (const i of limbs.moduli.keys()) {
      this.#ring.read(limbs, i, this.#words);
      for (const word of this.#words) this.digest = Math.imul(this.digest ^ word, 16777619) >>> 0;
    }
  }
}

/** Constants of a conversion, see {@link ConversionTable}; few primes, so that plain loops do. */
function tableOf(primes: readonly number[], from: readonly number[], to: readonly number[]): ConversionTable {
  const productOf = (others: readonly number[], q: number): number =>
    others.reduce((product, m) => multiplyModulo(product, (primes[m] as number) % q, q), 1);
  const inverse = (x: number, q: number): number => powerModulo(x, q - 2, q);
  const without = (m: number): number[] => from.filter((other) => other !== m);
  return {
    from,
    to,
    inverses: Uint32Array.from(from, (m) => inverse(productOf(without(m), primes[m] as number), primes[m] as number)),
    fractions: Uint32Array.from(from, (m) => Math.floor(2 ** 56 / (primes[m] as number))),
    factors: Uint32Array.from(to.flatMap((j) => from.map((m) => productOf(without(m), primes[j] as number)))),
    products: Uint32Array.from(to, (j) => productOf(from, primes[j] as number)),
  };
}
