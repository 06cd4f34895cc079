/**
 * The suite that every backend passes: stored vectors, definitions computed on bigint, and the
 * same bytes as the reference on random and extreme inputs of all sizes.
 *
 * Long: one suite, so that backends and adapters are opened once and none can be forgotten.
 */
import { readFileSync } from "node:fs";
import fc from "fast-check";
import { afterAll, describe, expect, test } from "vitest";
import {
  availableBackends,
  conversionTable,
  type Filling,
  fill,
  fillingNames,
  fillings,
  indices,
  power,
  primes,
  random,
  readAll,
  runCase,
  type StoredCase,
  seed,
  syntheticTable,
  throughInverses,
} from "../../test/kernels/support.ts";
import {
  type Backend,
  type ConversionTable,
  createWasmBackend,
  type Limbs,
  type RingKernels,
  streamStateWords,
} from "./index.ts";

const { backends, missing } = await availableBackends();
const names = [...backends.keys()];
for (const [name, why] of missing) test.skip(`${name}: ${why}`, () => undefined);
afterAll(() => {
  for (const backend of backends.values()) backend.dispose();
});

/** Limbs that live until `body` returns. */
type Make = (ring: RingKernels, moduli: readonly number[], value: Filling) => Limbs;
function scoped<T>(body: (make: Make) => T): T {
  const held: [RingKernels, Limbs][] = [];
  try {
    return body((ring, moduli, value) => {
      const limbs = fill(ring, moduli, value);
      held.push([ring, limbs]);
      return limbs;
    });
  } finally {
    for (const [ring, limbs] of held) ring.release(limbs.address, limbs.moduli.length);
  }
}

function same(a: readonly number[][][], b: readonly number[][][]): boolean {
  return (
    a.length === b.length &&
    a.every(
      (limbs, p) =>
        limbs.length === b[p].length &&
        limbs.every((words, l) => words.length === b[p][l].length && words.every((word, i) => word === b[p][l][i])),
    )
  );
}

let cases = 0;

/** Runs `body` on every backend with the same random numbers; all give the words of the reference. */
function agree(logN: number, moduli: readonly number[], body: (ring: RingKernels, make: Make) => Limbs[]): void {
  const start = random();
  const results = (backend: Backend): number[][][] =>
    scoped((make) => {
      seed(start);
      const ring = backend.ring(logN, moduli);
      return body(ring, make).map((limbs) => readAll(ring, limbs));
    });
  const expected = results(backends.get("reference")!);
  for (const [name, backend] of backends) {
    // Software adapters are slow: they take every third case of each kind.
    if (name === "reference" || (name === "webgpu" && cases++ % 3 !== 0)) continue;
    const got = results(backend);
    // Comparing for a message takes long.
    if (!same(got, expected)) expect(got, name).toEqual(expected);
  }
}

const bitSizes = [25, 26, 27, 28, 29, 30];
const allSizes = (logN: number): number[] => bitSizes.flatMap((bits) => primes(logN, bits, 1));
const zero: Filling = () => 0;

describe.each(names)("%s: definitions", (name) => {
  const ringOf = (logN: number, moduli: readonly number[]): RingKernels => backends.get(name)!.ring(logN, moduli);

  test.each(["transforms", "elementwise", "encoding", "sums", "conversion"])("stored %s", (file) => {
    const url = new URL(`../../test/vectors/kernels/${file}.json`, import.meta.url);
    for (const stored of JSON.parse(readFileSync(url, "utf8")) as StoredCase[]) {
      expect(runCase(ringOf, stored), `${stored.kernel} 2^${stored.logN}`).toEqual(stored.results);
    }
  });

  test.each([2, 3, 4, 5, 6])("forward transform at degree 2^%i evaluates at the agreed roots", (logN) => {
    for (const q of allSizes(logN)) {
      const ring = ringOf(logN, [q]);
      const Q = BigInt(q);
      const order = (g: bigint): boolean => {
        for (let d = 2n, rest = Q - 1n; rest > 1n; d++) {
          if (rest % d !== 0n) continue;
          if (power(g, (Q - 1n) / d, Q) === 1n) return false;
          while (rest % d === 0n) rest /= d;
        }
        return true;
      };
      let g = 2n;
      while (!order(g)) g++;
      const psi = power(g, (Q - 1n) / BigInt(2 * ring.degree), Q);
      scoped((make) => {
        const x = make(ring, [0], fillings.uniform);
        const coefficients = readAll(ring, x)[0].map(BigInt);
        ring.forwardNtt(x);
        const values = readAll(ring, x)[0];
        values.forEach((value, i) => {
          const reversed = Number.parseInt(i.toString(2).padStart(logN, "0").split("").reverse().join(""), 2);
          const point = power(psi, BigInt(2 * reversed + 1), Q);
          expect(BigInt(value)).toBe(coefficients.reduceRight((sum, c) => (sum * point + c) % Q, 0n));
        });
      });
    }
  });

  test("a subring polynomial transforms to runs of equal values", () => {
    for (const [logN, logRun] of [
      [5, 1],
      [6, 2],
      [8, 5],
    ]) {
      const moduli = allSizes(logN);
      const ring = ringOf(logN, moduli);
      const small = ringOf(logN - logRun, moduli);
      scoped((make) => {
        const wide = make(ring, indices(6), zero);
        const compact = make(small, indices(6), fillings.uniform);
        readAll(small, compact).forEach((words, index) => {
          const spread = new Uint32Array(ring.degree);
          words.forEach((word, i) => {
            spread[i << logRun] = word;
          });
          ring.write(wide, index, spread);
        });
        small.forwardNtt(compact);
        ring.forwardNtt(wide);
        const expanded = make(ring, indices(6), zero);
        ring.expand(expanded, compact, logRun);
        expect(readAll(ring, expanded)).toEqual(readAll(ring, wide));
      });
    }
  });

  test("products of values are products modulo X^N + 1; automorphisms are substitutions", () => {
    const logN = 4;
    const q = primes(logN, 29, 1)[0];
    const ring = ringOf(logN, [q]);
    const n = ring.degree;
    const residues = fc.array(fc.oneof(fc.integer({ min: 0, max: q - 1 }), fc.constantFrom(0, 1, q - 1)), {
      minLength: n,
      maxLength: n,
    });
    fc.assert(
      fc.property(residues, residues, fc.integer({ min: 0, max: n - 1 }), (a, b, half) => {
        const product = new Array<bigint>(n).fill(0n);
        const substituted = new Array<number>(n).fill(0);
        const g = 2 * half + 1;
        a.forEach((x, i) => {
          b.forEach((y, j) => {
            const sign = i + j < n ? 1n : -1n;
            product[(i + j) % n] += sign * BigInt(x) * BigInt(y);
          });
          const target = (i * g) % (2 * n);
          substituted[target % n] = target < n ? x : (q - x) % q;
        });
        scoped((make) => {
          const x = make(ring, [0], (i) => a[i]);
          const y = make(ring, [0], (i) => b[i]);
          const rotated = make(ring, [0], zero);
          ring.forwardNtt(x);
          ring.forwardNtt(y);
          ring.automorphism(rotated, x, g);
          ring.inverseNtt(rotated);
          expect(readAll(ring, rotated)[0]).toEqual(substituted);
          ring.multiply(x, x, y);
          ring.multiplyScalar(x, x, Uint32Array.of(2 ** 32 % q));
          ring.inverseNtt(x);
          const Q = BigInt(q);
          expect(readAll(ring, x)[0]).toEqual(product.map((value) => Number(((value % Q) + Q) % Q)));
        });
      }),
      { numRuns: 50 },
    );
  });

  test("element-wise kernels and conversions from numbers on arbitrary values", () => {
    const logN = 2;
    const moduli = allSizes(logN);
    const ring = ringOf(logN, moduli);
    const word = fc.integer({ min: 0, max: 2 ** 30 });
    const double = fc
      .tuple(fc.maxSafeInteger(), fc.integer({ min: 0, max: 8 }))
      .map(([mantissa, shift]) => mantissa * 2 ** shift);
    const int = fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 });
    const four = <T>(one: fc.Arbitrary<T>) => fc.array(one, { minLength: 4, maxLength: 4 });
    fc.assert(
      fc.property(
        fc.nat(5),
        four(word),
        four(word),
        word,
        four(double),
        four(int),
        (m, a, b, scalar, doubles, ints) => {
          const q = moduli[m];
          const Q = BigInt(q);
          const s = scalar % q;
          scoped((make) => {
            const x = make(ring, [m], (i) => a[i] % q);
            const y = make(ring, [m], (i) => b[i] % q);
            const [xs, ys] = [x, y].map((limbs) => readAll(ring, limbs)[0].map(BigInt));
            const dst = make(ring, [m], zero);
            const check = (call: () => void, value: (i: number) => bigint): void => {
              call();
              expect(readAll(ring, dst)[0].map(BigInt)).toEqual(indices(4).map((i) => ((value(i) % Q) + Q) % Q));
            };
            const S = Uint32Array.of(s);
            const big = BigInt(s);
            const radixInverse = power(2n ** 32n, Q - 2n, Q);
            check(
              () => ring.add(dst, x, y),
              (i) => xs[i] + ys[i],
            );
            check(
              () => ring.multiplyScalarAdd(dst, x, S),
              (i) => xs[i] + ys[i] + xs[i] * big,
            );
            check(
              () => ring.subtract(dst, x, y),
              (i) => xs[i] - ys[i],
            );
            check(
              () => ring.negate(dst, x),
              (i) => -xs[i],
            );
            check(
              () => ring.multiply(dst, x, y),
              (i) => xs[i] * ys[i] * radixInverse,
            );
            check(
              () => ring.multiplyScalar(dst, x, S),
              (i) => xs[i] * big,
            );
            check(
              () => ring.addScalar(dst, x, S),
              (i) => xs[i] + big,
            );
            check(
              () => ring.subtractMultiplyScalar(dst, x, y, S),
              (i) => (xs[i] - ys[i]) * big,
            );
            check(
              () => ring.fromDoubles(dst, Float64Array.from(doubles)),
              (i) => BigInt(doubles[i]),
            );
            check(
              () => ring.fromInt32(dst, Int32Array.from(ints)),
              (i) => BigInt(ints[i]),
            );
            check(
              () => ring.copy(dst, y),
              (i) => ys[i],
            );
            check(
              () => ring.zero(dst),
              () => 0n,
            );
          });
        },
      ),
      // Reading back from an adapter takes its time.
      { numRuns: name === "webgpu" ? 60 : 300 },
    );
  });

  test("base conversion gives the residues of the centred integer", () => {
    const logN = 3;
    const to = [25, 29, 30].flatMap((bits) => primes(logN, bits, 1));
    const from = primes(logN, 29, 5, to);
    const ring = ringOf(logN, [...to, ...from]);
    const table = conversionTable(ring, indices(5, 3), indices(3));
    const product = from.reduce((p, q) => p * BigInt(q), 1n);
    const inside = fc.bigInt({ min: -(product * 499n) / 1000n, max: (product * 499n) / 1000n });
    const small = fc.bigInt({ min: -(2n ** 40n), max: 2n ** 40n });
    fc.assert(
      fc.property(fc.array(fc.oneof(inside, small), { minLength: 8, maxLength: 8 }), (values) => {
        const residue = (i: number, q: number): number => Number(((values[i] % BigInt(q)) + BigInt(q)) % BigInt(q));
        scoped((make) => {
          const src = make(ring, table.from, residue);
          const dst = make(ring, table.to, zero);
          ring.convert(dst, src, table);
          expect(readAll(ring, dst)).toEqual(to.map((p) => values.map((_, i) => residue(i, p))));
        });
      }),
    );
  });

  test("refuses rings it cannot hold and reports memory", () => {
    const backend = backends.get(name)!;
    const q = primes(10, 29, 1)[0];
    expect(() => backend.ring(1, [q])).toThrow("logN");
    expect(() => backend.ring(10, [q + 2])).toThrow("modulus");
    expect(() => backend.ring(10, [q, q])).toThrow("distinct");
    expect(() => backend.ring(10, [2 ** 31 + 1])).toThrow("modulus");
    expect(backend.ring(10, [q])).toBe(backend.ring(10, [q]));
    const before = backend.memory().used;
    const address = backend.ring(10, [q]).allocate(3);
    expect(backend.memory().used - before).toBe(3 * (4096 + 64));
    backend.ring(10, [q]).release(address, 3);
    expect(backend.memory().used).toBe(before);
    expect(backend.memory().peak).toBeGreaterThanOrEqual(before + 3 * (4096 + 64));
  });
});

describe.each([2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13])("agreement at degree 2^%i", (logN) => {
  test.each(fillingNames.filter((name) => logN <= 10 || ["uniform", "mixed", "largest"].includes(name)))(
    "transforms, %s",
    (name) => {
      const moduli = logN <= 10 ? allSizes(logN) : [25, 29, 30].flatMap((bits) => primes(logN, bits, 1));
      const limbs = indices(moduli.length);
      agree(logN, moduli, (ring, make) => {
        const forward = make(ring, limbs, fillings[name]);
        const inverse = make(ring, limbs, zero);
        ring.copy(inverse, forward);
        ring.forwardNtt(forward);
        ring.inverseNtt(inverse);
        return [forward, inverse];
      });
    },
  );

  test("words of several limbs at once, and residues of key streams", () => {
    const moduli = allSizes(logN);
    const limbs = indices(moduli.length);
    agree(logN, moduli, (ring, make) => {
      const written = make(ring, limbs, zero);
      const counted = moduli.slice(1).flatMap((q, i) => indices(ring.degree).map((k) => (7 * k + i) % q));
      ring.write(written, 1, Uint32Array.from(counted));
      const drawn = make(ring, limbs, zero);
      // Not from the beginning of an array's memory.
      const states = Uint32Array.from({ length: streamStateWords * (limbs.length + 1) }, (_, k) => 2654435761 * k);
      ring.uniform(drawn, states.subarray(streamStateWords));
      return [written, drawn];
    });
  });

  test.each(fillingNames.filter((name) => logN <= 10 || ["uniform", "mixed", "largest"].includes(name)))(
    "element-wise kernels, also in place, %s",
    (name) => {
      const moduli = logN <= 8 ? allSizes(logN) : primes(logN, 30, 1);
      const limbs = indices(moduli.length);
      agree(logN, moduli, (ring, make) => {
        const a = make(ring, limbs, fillings[name]);
        const b = make(ring, limbs, fillings[name]);
        const scalars = Uint32Array.from(moduli, (q) => fillings[name](1, q, 0));
        const results: Limbs[] = [];
        const run = (kernel: (dst: Limbs, a: Limbs, b: Limbs) => void): void => {
          const copyOf = (x: Limbs): Limbs => {
            const copied = make(ring, limbs, fillings.uniform);
            ring.copy(copied, x);
            return copied;
          };
          const fresh = make(ring, limbs, fillings.uniform);
          kernel(fresh, a, b);
          const [first, second, both] = [copyOf(a), copyOf(b), copyOf(a)];
          kernel(first, first, b);
          kernel(second, a, second);
          kernel(both, both, both);
          results.push(fresh, first, second, both);
        };
        run((dst, x, y) => ring.add(dst, x, y));
        run((dst, x, y) => ring.subtract(dst, x, y));
        run((dst, x, y) => ring.multiply(dst, x, y));
        run((dst, x, y) => ring.subtractMultiplyScalar(dst, x, y, scalars));
        run((dst, x) => ring.negate(dst, x));
        run((dst, x) => ring.multiplyScalar(dst, x, scalars));
        run((dst, x) => ring.multiplyScalarAdd(dst, x, scalars));
        run((dst, x) => ring.addScalar(dst, x, scalars));
        run((dst, x) => ring.copy(dst, x));
        return results;
      });
    },
  );

  test("automorphisms and conversions from numbers", () => {
    const moduli = primes(logN, 29, 2);
    agree(logN, moduli, (ring, make) => {
      const a = make(ring, [0, 1], fillings.uniform);
      const results = indices(8).map(() => make(ring, [0, 1], zero));
      [1, 3, 5, 25, 2 ** (logN + 1) - 1, 2 ** logN + 1].forEach((g, i) => {
        ring.automorphism(results[i], a, g % 2 ** (logN + 1));
      });
      ring.fromInt32(
        results[6],
        Int32Array.from({ length: ring.degree }, () => random() | 0),
      );
      ring.fromDoubles(
        results[7],
        Float64Array.from({ length: ring.degree }, () => (random() | 0) * 2 ** (random() % 31)),
      );
      return results;
    });
  });
});

describe.each(["uniform", "largest", "alternating", "mixed"] as const)("sums of products, %s", (name) => {
  // The largest prime below 2^30 leaves the least room; 40 terms fold several times.
  // Extremes at every number of terms, other fillings around those that fold.
  const counts = name === "uniform" || name === "largest" ? [...indices(24, 1), 40] : [1, 2, 3, 8, 12, 13, 23, 24, 40];
  test.each(counts)("%i terms", (terms) => {
    for (const [logN, logRuns] of [
      [2, [0, 1, 2]],
      [3, [0, 1]],
      [5, [0, 1, 2, 3]],
      ...(terms % 8 === 0 ? ([[8, [0, 3, 4, 5]]] as const) : []),
    ] as const) {
      const moduli = allSizes(logN);
      const limbs = indices(moduli.length);
      for (const logRun of logRuns) {
        // Below degree 4 there is no ring: one compact limb in the memory of another ring will do.
        const compact = logN - logRun >= 2;
        const used = compact ? limbs : [limbs.length - 1];
        agree(logN, moduli, (ring, make) => {
          const small = compact ? ring.backend.ring(logN - logRun, moduli) : ring;
          const a = indices(terms).map(() => make(small, used, fillings[name]));
          const b = indices(terms).map(() => make(ring, used, fillings[name]));
          const c = indices(terms).map(() => make(ring, used, fillings[name]));
          const results = indices(12).map(() => make(ring, used, fillings[name]));
          ring.multiplySum(results[0], a, b, false, logRun);
          ring.multiplySum(results[1], a, b, true, logRun);
          ring.multiplySumPair(results[2], results[3], a, b, c, false, logRun);
          ring.multiplySumPair(results[4], results[5], a, b, c, true, logRun);
          ring.expand(results[6], a[0], logRun);
          const sums = [
            { dst: [results[7]], a, b: [b] },
            { dst: [results[8], results[9]], a, b: [c, b] },
            { dst: [results[10], results[11]], a: a.slice(1), b: [b.slice(1), b.slice(1)] },
          ];
          ring.multiplySums(sums, terms % 2 === 0, logRun);
          const scaled = indices(3).map(() => make(ring, used, fillings[name]));
          const [one, ...two] = scaled;
          const scalars = Uint32Array.from(used, (m) => fillings[name](1, moduli[m], 0));
          const products = [
            { dst: [one], a, b: [b] },
            { dst: two, a, b: [c, b] },
          ];
          ring.multiplySums(products, false, logRun, scalars);
          return [...results, ...scaled];
        });
      }
    }
  });
});

test("sums of no products, and of more than the list of addresses holds", () => {
  const moduli = [28, 30].flatMap((bits) => primes(4, bits, 1));
  for (const terms of [0, 512, 513, 1000]) {
    agree(4, moduli, (ring, make) => {
      const a = make(ring, [0, 1], fillings.largest);
      const list = new Array<Limbs>(terms).fill(a);
      const results = indices(4).map(() => make(ring, [0, 1], fillings.uniform));
      ring.multiplySum(results[0], list, list, false, 0);
      ring.multiplySum(results[1], list, list, true, 0);
      ring.multiplySumPair(results[2], results[3], list, list, list, terms === 513, 0);
      return results;
    });
  }
});

describe.each(bitSizes)("base conversion from %i bits", (bits) => {
  // Sums have least room at 30 bits, digits at 29; the others are told apart by few.
  const counts = bits >= 29 ? indices(24, 1) : [1, 2, 3, 8, 15, 16, 23, 24];
  test.each(counts)("%i sources", (sources) => {
    for (const [logN, targetSizes] of [
      [5, [25, 28, 29, 30]],
      [2, [25, 26, 27, 28, 29, 29, 29, 29, 29, 29, 29, 29, 29, 30]],
    ] as const) {
      const to: number[] = [];
      for (const size of targetSizes) to.push(...primes(logN, size, 1, to));
      const moduli = [...to, ...primes(logN, bits, sources, to)];
      const [from, targets] = [indices(sources, to.length), indices(to.length)];
      const converted = (table: ConversionTable, filling: Filling): void =>
        agree(logN, moduli, (ring, make) => {
          const src = make(ring, from, filling);
          const dst = make(ring, targets, zero);
          ring.convert(dst, src, table);
          return [dst, src];
        });
      const table = conversionTable({ moduli }, from, targets);
      for (const name of fillingNames) {
        converted(table, fillings[name]);
        converted(table, throughInverses(table, fillings[name]));
        if (bits < 30) continue;
        const synthetic = syntheticTable({ moduli }, from, targets, fillings[name]);
        converted(synthetic, throughInverses(synthetic, fillings.largest));
        converted(synthetic, throughInverses(synthetic, fillings.mixed));
      }
    }
  });

  test("mixed sizes, and blocks that are not full", () => {
    for (const logN of [7, 9, 10]) {
      const to = [25, 30].flatMap((size) => primes(logN, size, 1)).concat(primes(logN, 29, 12));
      const from = [25, 26, 27, 28, 29, bits].flatMap((size) => primes(logN, size, 14, to).slice(-2)).slice(0, 11);
      const moduli = [...to, ...new Set(from)];
      const table = conversionTable({ moduli }, indices(moduli.length - 14, 14), indices(14));
      agree(logN, moduli, (ring, make) => {
        const dst = make(ring, table.to, zero);
        ring.convert(dst, make(ring, table.from, fillings.uniform), table);
        return [dst];
      });
    }
  });
});

describe("wasm", () => {
  test("gives the same words above 2 GiB", async () => {
    const logN = 12;
    const moduli = primes(logN, 29, 4);
    const all = [0, 1, 2, 3];
    const run = (backend: Backend): number[][][] =>
      scoped((make) => {
        seed(7);
        const ring = backend.ring(logN, moduli);
        const [x, y, z] = indices(3).map(() => make(ring, all, fillings.uniform));
        const small = make(backend.ring(logN - 3, moduli), all, fillings.uniform);
        const results = indices(8).map(() => make(ring, all, zero));
        ring.forwardNtt(x);
        ring.inverseNtt(y);
        ring.multiply(results[0], x, y);
        ring.automorphism(results[1], x, 5);
        ring.multiplySumPair(results[2], results[3], [x, y], [y, z], [z, x], false, 0);
        ring.multiplySum(results[4], [small], [z], false, 3);
        ring.expand(results[5], small, 3);
        const half = { address: results[6].address, moduli: [0, 1] };
        const upper = { address: x.address + 2 * ring.limbStride, moduli: [2, 3] };
        ring.convert(half, upper, conversionTable(ring, [2, 3], [0, 1]));
        ring.fromDoubles(
          results[7],
          Float64Array.from({ length: ring.degree }, () => (random() | 0) * 2 ** 20),
        );
        return [x, y, ...results].map((limbs) => readAll(ring, limbs));
      });
    const [low, high] = [await createWasmBackend(), await createWasmBackend()];
    // Memory that nobody touches costs nothing; the tables come to lie above it as well.
    const ring = high.ring(logN, moduli);
    const count = Math.ceil(2 ** 31 / ring.limbStride);
    const below = ring.allocate(count);
    const probe = ring.allocate(1);
    expect(probe).toBeGreaterThan(2 ** 31);
    ring.release(probe, 1);
    expect(run(high)).toEqual(run(low));
    ring.release(below, count);
    low.dispose();
    high.dispose();
  });

  test("says what it wanted when memory runs out, and can go on", async () => {
    const backend = await createWasmBackend({ maximumBytes: 2 ** 22 });
    const ring = backend.ring(12, primes(12, 29, 1));
    expect(() => ring.allocate(300)).toThrow(/wanted 4\.7 MiB, 0\.\d MiB of 4\.0 MiB/);
    const address = ring.allocate(200);
    expect(() => ring.allocate(100)).toThrow(expect.objectContaining({ code: "memory" }));
    ring.release(address, 200);
    ring.release(ring.allocate(230), 230);
    backend.dispose();
    expect(() => ring.forwardNtt({ address, moduli: [0] })).toThrow("disposed");
  });
});

describe.each([2, 3, 5, 9])("key-switch products at degree 2^%i", (logN) => {
  const special = 2;
  test.each(["uniform", "largest", "mixed"] as const)("%s", (name) => {
    const moduli = primes(logN, 30, 7);
    const all = indices(moduli.length);
    const own = all.slice(special);
    const ranges = [
      [0, 3],
      [3, 5],
    ] as const;
    agree(logN, moduli, (ring, make) => {
      const polys = (count: number, of = all): Limbs[] => indices(count).map(() => make(ring, of, fillings[name]));
      // A key of a higher level has a digit more.
      const [b, a] = [polys(3), polys(3)];
      const liftScalars = Uint32Array.from(own, (m) => fillings[name](1, moduli[m], 0));
      // Where a backend reads keys where they are, all products are made with such a key too.
      const stored = b.map((limbs) => Uint32Array.from(readAll(ring, limbs).flatMap((words) => [...words])));
      const basis = { specialCount: special, liftScalars };
      const key = { a, b };
      const other = { a: polys(2), b: polys(2) };
      const reached =
        ring.reach === undefined
          ? key
          : {
              ...key,
              b: stored.map((words) => ({ address: ring.reach?.(words) as number, moduli: all })),
              bStride: 4 * ring.degree,
            };
      const results: Limbs[] = [];
      const product = (changes: object) => {
        const dst = polys(2) as [Limbs, Limbs];
        results.push(...dst);
        const none = { lifted: [undefined, undefined] as const, added: undefined, element: 1, accumulates: false };
        return { digits: polys(2), key, ...none, dst, ...changes };
      };
      const [poly] = polys(1, own);
      const [lifted0, lifted1] = polys(2, own);
      const [added] = polys(1);
      const source = { poly, ranges, transformed: false };
      for (const element of [1, 5, 2 ** (logN + 1) - 1]) {
        for (const accumulates of [false, true]) {
          const shared = { digits: polys(2), source, accumulates };
          const after = { ...shared, source: { ...source, transformed: true } };
          ring.keyProducts(
            [
              product({ element, accumulates }),
              product({ element: 5, accumulates, source, lifted: [lifted0, lifted1], added }),
              product({ ...shared, element }),
              product({ ...after, element: 3, key: other, added }),
              product({ ...after, element: 1 }),
              product({ element: 1, accumulates, lifted: [lifted0, undefined] }),
              product({ element, accumulates, added }),
            ],
            basis,
          );
          // Digits stay transformed after the call.
          ring.keyProducts([product({ ...after, element, lifted: [lifted0, lifted1] })], basis);
          const at = { element, accumulates, key: reached };
          ring.keyProducts([product(at), product({ ...at, added })], basis);
        }
      }
      const [x, y, z] = [...polys(1), ...polys(1), ...polys(1)];
      const scalars = Uint32Array.from(moduli, (q) => fillings[name](2, q, 0));
      ring.subtractTransformed(z, x, y, scalars);
      const [again] = polys(1);
      ring.subtractTransformed(x, x, again, scalars);
      const [minuend, same] = polys(2);
      ring.subtractTransformed(same, minuend, same, scalars);
      const [from, into] = polys(2);
      ring.inverseNttInto(into, from);
      return [...results, z, x, same, from, into];
    });
  });
});
