/** The one suite that every backend passes; the reference is held to naive definitions, the rest to the reference. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Backend, ConversionTable, Limbs, RingKernels } from "./backend.ts";
import { backendNames, createBackend } from "./index.ts";

function isPrime(n: number): boolean {
  for (let d = 3; d * d <= n; d += 2) if (n % d === 0) return false;
  return n % 2 === 1;
}

/** The `count` largest primes below 2^bits that are 1 mod 2^(logN+1), without those in `taken`. */
function primes(logN: number, bits: number, count: number, taken: readonly number[] = []): number[] {
  const found: number[] = [];
  const step = 2 ** (logN + 1);
  for (let q = 2 ** bits - step + 1; found.length < count; q -= step) {
    if (isPrime(q) && !taken.includes(q)) found.push(q);
  }
  return found;
}

let seed = 1;
function random(): number {
  seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0;
  return seed;
}

type Fill = (i: number, q: number, limb: number) => number;
const uniform: Fill = (_, q) => Math.floor((random() / 2 ** 32) * q);
const extremes: Record<string, Fill> = {
  uniform,
  largest: (_, q) => q - 1,
  alternating: (i, q) => (i % 2 === 0 ? 0 : q - 1),
  half: (_, q) => (q - 1) / 2,
  mixed: (i, q, limb) => [q - 1, 0, 1, q - 2, (q - 1) / 2, (q + 1) / 2][(i + 3 * limb + (random() % 6)) % 6],
};

function fill(ring: RingKernels, moduli: readonly number[], value: Fill): Limbs {
  const limbs = { address: ring.allocate(moduli.length), moduli };
  moduli.forEach((m, index) => {
    ring.write(limbs, index, Uint32Array.from({ length: ring.degree }, (_, i) => value(i, ring.moduli[m], index)));
  });
  return limbs;
}

function readAll(ring: RingKernels, limbs: Limbs): Uint32Array[] {
  return limbs.moduli.map((_, index) => {
    const words = new Uint32Array(ring.degree);
    ring.read(limbs, index, words);
    return words;
  });
}

const backends: Backend[] = [];
beforeAll(async () => {
  for (const name of backendNames) backends.push(await createBackend(name));
});
afterAll(() => {
  for (const backend of backends) backend.dispose();
});

/** Runs `body` on every backend with the same random numbers; all must give the same words. */
function agree(logN: number, moduli: readonly number[], body: (ring: RingKernels) => Limbs[]): Uint32Array[][] {
  const start = seed;
  let expected: Uint32Array[][] | undefined;
  for (const backend of [...backends].reverse()) {
    seed = start;
    const ring = backend.ring(logN, moduli);
    const results = body(ring).map((limbs) => readAll(ring, limbs));
    if (expected === undefined) expected = results;
    else expect(results, backend.name).toEqual(expected);
  }
  return expected!;
}

const indices = (count: number, first = 0): number[] => Array.from({ length: count }, (_, i) => first + i);

const power = (base: bigint, e: bigint, q: bigint): bigint =>
  e === 0n ? 1n : (power((base * base) % q, e / 2n, q) * (e % 2n === 1n ? base : 1n)) % q;

describe.each([2, 3, 4, 5, 6, 7, 10, 13, 14, 15])("degree 2^%i", (logN) => {
  const moduli = [25, 28, 29, 30].flatMap((bits) => primes(logN, bits, 1));

  test.each(Object.keys(extremes))("transforms, %s", (name) => {
    agree(logN, moduli, (ring) => {
      const x = fill(ring, indices(4), extremes[name]);
      const back = fill(ring, indices(4), () => 0);
      ring.copy(back, x);
      ring.forwardNtt(back);
      const values = fill(ring, indices(4), () => 0);
      ring.copy(values, back);
      ring.inverseNtt(back);
      expect(readAll(ring, back)).toEqual(readAll(ring, x));
      return [values];
    });
  });

  test.each(Object.keys(extremes))("element-wise kernels, %s", (name) => {
    if (logN > 10) return;
    agree(logN, moduli, (ring) => {
      const a = fill(ring, indices(4), extremes[name]);
      const b = fill(ring, indices(4), extremes[name]);
      const s = Uint32Array.from(moduli, (q) => extremes[name](1, q, 0));
      const run = (kernel: (dst: Limbs) => void): Limbs => {
        const dst = fill(ring, indices(4), uniform);
        kernel(dst);
        return dst;
      };
      return [
        run((dst) => ring.add(dst, a, b)),
        run((dst) => ring.subtract(dst, a, b)),
        run((dst) => ring.negate(dst, a)),
        run((dst) => ring.multiply(dst, a, b)),
        run((dst) => ring.multiplyScalar(dst, a, s)),
        run((dst) => ring.multiplyScalarAdd(dst, a, s)),
        run((dst) => ring.addScalar(dst, a, s)),
        run((dst) => ring.subtractMultiplyScalar(dst, a, b, s)),
        run((dst) => ring.zero(dst)),
        run((dst) => ring.automorphism(dst, a, 5)),
        run((dst) => ring.automorphism(dst, a, 2 ** (logN + 1) - 1)),
        run((dst) => ring.automorphism(dst, a, 3)),
        run((dst) => ring.fromInt32(dst, Int32Array.from({ length: ring.degree }, () => random() | 0))),
        run((dst) =>
          ring.fromDoubles(
            dst,
            Float64Array.from({ length: ring.degree }, () => (random() % 2 ? 1 : -1) * random() * 2 ** (random() % 30)),
          ),
        ),
      ];
    });
  });

  test.each([1, 2, 3, 5, 6, 7, 13, 17, 24, 33])("sums of %i products", (terms) => {
    if (logN > 7) return;
    for (const name of ["uniform", "largest", "mixed"]) {
      for (let logRun = 0; logRun <= Math.min(logN - 2, 5); logRun++) {
        agree(logN, moduli, (ring) => {
          const small = ring.backend.ring(logN - logRun, moduli);
          const a = indices(terms).map(() => fill(small, indices(4), extremes[name]));
          const b = indices(terms).map(() => fill(ring, indices(4), extremes[name]));
          const c = indices(terms).map(() => fill(ring, indices(4), extremes[name]));
          const results = indices(6).map(() => fill(ring, indices(4), extremes[name]));
          ring.multiplySum(results[0], a, b, false, logRun);
          ring.multiplySum(results[1], a, b, true, logRun);
          ring.multiplySumPair(results[2], results[3], a, b, c, false, logRun);
          ring.multiplySumPair(results[4], results[5], a, b, c, true, logRun);
          const wide = fill(ring, indices(4), uniform);
          ring.expand(wide, a[0], logRun);
          return [...results, wide];
        });
      }
    }
  });
});

describe.each([25, 28, 29, 30])("base conversion, %i bits", (bits) => {
  test.each(indices(24, 1))("%i sources", (sources) => {
    for (const logN of [3, 6]) {
      const from = primes(logN, bits, sources);
      const to = [25, 27, 29, 30].flatMap((size) => primes(logN, size, 1, from));
      const table = conversion(from, to);
      for (const name of Object.keys(extremes)) {
        agree(logN, [...to, ...from], (ring) => {
          const src = fill(ring, table.from, extremes[name]);
          const dst = fill(ring, table.to, uniform);
          ring.convert(dst, src, table);
          return [dst];
        });
      }
    }
  });
});

function conversion(from: readonly number[], to: readonly number[]): ConversionTable {
  const product = from.reduce((p, q) => p * BigInt(q), 1n);
  return {
    from: indices(from.length, to.length),
    to: indices(to.length),
    inverses: Uint32Array.from(from, (q) => Number(power((product / BigInt(q)) % BigInt(q), BigInt(q) - 2n, BigInt(q)))),
    fractions: Uint32Array.from(from, (q) => Math.floor(2 ** 56 / q)),
    factors: Uint32Array.from(to.flatMap((p) => from.map((q) => Number((product / BigInt(q)) % BigInt(p))))),
    products: Uint32Array.from(to, (p) => Number(product % BigInt(p))),
  };
}
