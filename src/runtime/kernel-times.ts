/**
 * Seconds per unit of kernel work, measured on the backend at hand: what turns the null backend's
 * counts into a forecast. Takes about a third of a second.
 */
import { type Context, KeyStore, residentKeyBytes } from "../ckks/index.ts";
import type { Backend, KernelName, Limbs } from "../kernels/index.ts";
import { Ring, seedBytes } from "../ring/index.ts";
import type { KernelTimes } from "../transformer/index.ts";

/** Limbs in the operands of the measurement: together larger than the L2 cache, as in real work. */
const limbs = 16;
const terms = 8;
const rounds = 9;
const warmMilliseconds = 10;
/** A call that takes longer is measured once. */
const slowMilliseconds = 50;
/** Sums that share their operands. */
const rows = 8;
/** Runs of a polynomial that is the same in every token: two for each of some lanes. */
const logRuns = 4;

/**
 * Measures each kind of kernel at the ring's degree: the median of several rounds, as a run will meet it.
 *
 * @param primes at least 2·16 of the ring's primes
 */
export function measureKernels(backend: Backend, logN: number, primes: readonly number[]): KernelTimes {
  const ring = new Ring(backend, logN, primes);
  const { kernels, degree } = ring;
  const moduli = Array.from({ length: limbs }, (_, i) => i);
  const others = moduli.map((i) => i + limbs);
  const zero = (indices: readonly number[]) => ring.zero(indices, "ntt");
  using a = zero(moduli);
  using b = zero(moduli);
  using c = zero(moduli);
  using d = zero(moduli);
  using target = zero(others);
  // Sums read more streams than caches hold: every operand has memory of its own.
  const streams = Array.from({ length: 3 * terms }, () => zero(moduli));
  const scalars = new Uint32Array(limbs).fill(12345);
  const table = ring.conversion(moduli, others);
  const list = (from: number): Limbs[] => streams.slice(from * terms, (from + 1) * terms);
  const many = Array.from({ length: rows }, (_, row) => ({
    dst: row % 2 === 0 ? [c, d] : [a, b],
    a: list(0),
    b: [list(1), list(2)],
  }));
  const words = new Uint32Array(degree);
  const units = limbs * degree;
  const measure = (unitsPerCall: number, kernel: () => void): number => {
    const body = (): void => {
      kernel();
      backend.finish?.();
    };
    // Until the engine has compiled for speed what it runs.
    const begin = performance.now();
    let calls = 0;
    do {
      body();
      calls++;
    } while (performance.now() - begin < warmMilliseconds);
    const slow = (performance.now() - begin) / calls > slowMilliseconds;
    const samples: number[] = [];
    for (let round = 0; round < (slow ? 1 : rounds); round++) {
      const start = performance.now();
      body();
      samples.push(performance.now() - start);
    }
    samples.sort((x, y) => x - y);
    return (samples[samples.length >> 1] as number) / 1000 / unitsPerCall;
  };
  const times: Record<KernelName, number> = {
    ntt: measure((units * logN) / 2, () => kernels.forwardNtt(a)),
    elementwise: measure(units, () => kernels.add(c, a, b)),
    product: measure(units, () => kernels.multiply(c, a, b)),
    scalarProduct: measure(units, () => kernels.multiplyScalarAdd(c, a, scalars)),
    multiplySum: measure(units * terms, () => kernels.multiplySum(c, list(0), list(1), true, 0)),
    multiplySumPair: measure(units * terms, () => kernels.multiplySumPair(c, d, list(0), list(1), list(2), true, 0)),
    productSums: measure(2 * units * terms * rows, () => kernels.multiplySums(many, true, 0)),
    runSums: measure(2 * units * terms * rows, () => kernels.multiplySums(many, true, logN - logRuns)),
    automorphism: measure(units, () => kernels.automorphism(c, a, 5)),
    convert: measure(units * limbs, () => kernels.convert(target, a, table)),
    upload: measure(degree, () => kernels.write(c, 0, words)),
  };
  for (const poly of streams) poly.dispose();
  return times;
}

/** Level of the key that is paged in to measure paging: a few megabytes. */
const pagedLevel = 4;

/** Seconds per byte of a key that is paged into backend memory. */
export function measurePaging(context: Context): number {
  const { parameters } = context;
  const level = Math.min(pagedLevel, parameters.maximumLevel);
  const { specialCount } = parameters;
  const words = (parameters.limbs(level) + specialCount) * parameters.degree;
  const b = parameters.digitsAt(level).map(() => new Uint32Array(words));
  const name = "galois-5";
  let best = Number.POSITIVE_INFINITY;
  for (let round = 0; round < 3; round++) {
    using keys = new KeyStore(context);
    keys.add({ name, level, specialCount, seed: new Uint8Array(seedBytes), b });
    const start = performance.now();
    keys.key(name, level);
    best = Math.min(best, performance.now() - start);
  }
  return best / 1000 / residentKeyBytes(context, level, specialCount);
}
