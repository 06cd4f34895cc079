/**
 * Time of each kernel of the WebAssembly backend on one thread. A kernel runs in slices of about
 * two milliseconds; the minimum over the slices is what the machine can do, the median what it did.
 */
import {
  type Backend,
  type ConversionTable,
  createWasmBackend,
  type Limbs,
  type RingKernels,
} from "../src/kernels/index.ts";
import { SeededWords, seedBytes } from "../src/ring/index.ts";

export interface KernelTiming {
  readonly name: string;
  readonly logN: number;
  /** Per coefficient of the result, or per multiply-accumulate for the base conversion. */
  readonly nsPerCoefficient: number;
  /** One call on one limb (the base conversion: one call). */
  readonly microseconds: number;
  readonly medianMicroseconds: number;
  /** The figure aimed at, in the unit of `nsPerCoefficient` (microseconds for transforms). */
  readonly designFigure?: number;
  readonly ratio?: number;
}

const slices = 60;

function isPrime(n: number): boolean {
  for (let d = 3; d * d <= n; d += 2) if (n % d === 0) return false;
  return n % 2 === 1;
}

function primes(logN: number, bits: number, count: number): number[] {
  const found: number[] = [];
  const step = 2 ** (logN + 1);
  for (let q = 2 ** bits - step + 1; found.length < count; q -= step) if (isPrime(q)) found.push(q);
  return found;
}

/** Minimum and median time of one call in microseconds. */
function time(body: () => void): { minimum: number; median: number } {
  for (let i = 0; i < 20; i++) body();
  const started = performance.now();
  body();
  const calls = Math.max(1, Math.ceil(2 / Math.max(performance.now() - started, 1e-3)));
  const times: number[] = [];
  for (let slice = 0; slice < slices; slice++) {
    const before = performance.now();
    for (let i = 0; i < calls; i++) body();
    times.push(((performance.now() - before) * 1000) / calls);
  }
  times.sort((x, y) => x - y);
  return { minimum: times[0], median: times[slices >> 1] };
}

/** The same operands in every run. */
const random = new SeededWords(new Uint8Array(seedBytes), 0, [0, 0]);

const indices = (count: number): number[] => Array.from({ length: count }, (_, i) => i);

function randomLimbs(ring: RingKernels, moduli: readonly number[]): Limbs {
  const limbs = { address: ring.allocate(moduli.length), moduli };
  moduli.forEach((m, i) => {
    ring.write(
      limbs,
      i,
      Uint32Array.from({ length: ring.degree }, () => random.next() % ring.moduli[m]),
    );
  });
  return limbs;
}

/** A table of random constants: the time of a conversion does not depend on them. */
function conversion(ring: RingKernels, sources: number): ConversionTable {
  const from = indices(sources);
  const to = indices(ring.moduli.length).slice(sources);
  const below = (m: number): number => random.next() % ring.moduli[m];
  return {
    from,
    to,
    inverses: Uint32Array.from(from, below),
    fractions: Uint32Array.from(from, (m) => Math.floor(2 ** 56 / ring.moduli[m])),
    factors: Uint32Array.from(to.flatMap((m) => from.map(() => below(m)))),
    products: Uint32Array.from(to, below),
  };
}

function benchRing(
  backend: Backend,
  logN: number,
  transforms: number | undefined,
  report: (timing: KernelTiming) => void,
): void {
  const n = 2 ** logN;
  const record = (
    name: string,
    unit: number,
    designFigure: number | undefined,
    inMicroseconds: boolean,
    body: () => void,
  ) => {
    const { minimum, median } = time(body);
    const nsPerCoefficient = (minimum * 1000) / unit;
    report({
      name,
      logN,
      nsPerCoefficient,
      microseconds: minimum,
      medianMicroseconds: median,
      ...(designFigure === undefined
        ? {}
        : { designFigure, ratio: (inMicroseconds ? minimum : nsPerCoefficient) / designFigure }),
    });
  };
  const ring = backend.ring(logN, primes(logN, 29, 1));
  const [a, b, c, dst, dst1] = indices(5).map(() => randomLimbs(ring, [0]));
  record("forward transform", n, transforms, true, () => ring.forwardNtt(a));
  record("inverse transform", n, transforms, true, () => ring.inverseNtt(a));
  const s = Uint32Array.of(12345678);
  record("Montgomery product", n, 0.37, false, () => ring.multiply(dst, a, b));
  record("scalar (Shoup) product", n, 0.24, false, () => ring.multiplyScalar(dst, a, s));
  record("rescale step", n, 0.27, false, () => ring.subtractMultiplyScalar(dst, a, b, s));
  record("addition", n, 0.12, false, () => ring.add(dst, a, b));
  record("automorphism", n, 0.15, false, () => ring.automorphism(dst, a, 5));
  for (const [terms, figure] of [
    [3, 1.44],
    [4, 1.69],
    [8, undefined],
    [16, undefined],
  ] as const) {
    const as = indices(terms).map(() => randomLimbs(ring, [0]));
    const bs = indices(terms).map(() => randomLimbs(ring, [0]));
    const cs = indices(terms).map(() => randomLimbs(ring, [0]));
    record(`pair of sums of ${terms}`, n, figure, false, () => ring.multiplySumPair(dst, dst1, as, bs, cs, false, 0));
    record(`pair of sums of ${terms}, runs of 16`, n, undefined, false, () =>
      ring.multiplySumPair(dst, dst1, as, bs, cs, false, 4),
    );
    record(`sum of ${terms}`, n, undefined, false, () => ring.multiplySum(dst, as, bs, false, 0));
    for (const limbs of [...as, ...bs, ...cs]) ring.release(limbs.address, 1);
  }
  for (const limbs of [a, b, c, dst, dst1]) ring.release(limbs.address, 1);
  for (const [bits, sources, targets] of [
    [29, 4, 12],
    [29, 8, 24],
    [29, 12, 36],
    [29, 16, 32],
    [30, 16, 32],
  ] as const) {
    if (sources > 8 && logN < 15) continue;
    const wide = backend.ring(logN, primes(logN, bits, sources + targets));
    const table = conversion(wide, sources);
    const src = randomLimbs(wide, table.from);
    const target = randomLimbs(wide, table.to);
    record(
      `base conversion ${sources} to ${targets}, ${bits} bits`,
      n * sources * targets,
      sources < 8 ? undefined : 0.175,
      false,
      () => wide.convert(target, src, table),
    );
    wide.release(src.address, sources);
    wide.release(target.address, targets);
  }
}

/** Measures all kernels; `report` sees each figure as it comes. */
export async function benchKernels(report: (timing: KernelTiming) => void = () => {}): Promise<KernelTiming[]> {
  const backend = await createWasmBackend();
  const timings: KernelTiming[] = [];
  for (const [logN, transforms] of [
    [13, 15.8],
    [15, 70.6],
    [16, 150],
  ] as const) {
    benchRing(backend, logN, transforms, (timing) => {
      timings.push(timing);
      report(timing);
    });
  }
  backend.dispose();
  return timings;
}
