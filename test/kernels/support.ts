/** What the tests of the kernels share: primes, fillings, conversion tables and stored cases. */
import { AegisError } from "../../src/base/errors.ts";
import {
  availableInstructionSets,
  type Backend,
  type ConversionTable,
  createBackend,
  createNativeBackend,
  createWebgpuBackend,
  type Limbs,
  type RingKernels,
  type WebgpuBackend,
} from "../../src/kernels/index.ts";

/** A WebGPU backend with little memory, in chunks so small that operands lie in several; or why there is none. */
export async function webgpuForTests(chunkBytes = 2 ** 20): Promise<WebgpuBackend | string> {
  try {
    return await createWebgpuBackend({ maximumBytes: 2 ** 26, chunkBytes });
  } catch (error) {
    if (error instanceof AegisError && error.code === "device") return error.message;
    throw error;
  }
}

/** Every backend that this machine can run, and why it cannot run the others. */
export async function availableBackends(): Promise<{
  readonly backends: ReadonlyMap<string, Backend>;
  readonly missing: ReadonlyMap<string, string>;
}> {
  const backends = new Map<string, Backend>();
  const missing = new Map<string, string>();
  for (const name of ["reference", "wasm"] as const) backends.set(name, await createBackend(name));
  try {
    for (const instructions of await availableInstructionSets())
      backends.set(`native:${instructions}`, await createNativeBackend({ instructions, maximumBytes: 2 ** 30 }));
    backends.set("native, 3 threads", await createNativeBackend({ threads: 3, maximumBytes: 2 ** 30 }));
  } catch (error) {
    missing.set("native", (error as Error).message);
  }
  const webgpu = await webgpuForTests();
  if (typeof webgpu === "string") missing.set("webgpu", webgpu);
  else backends.set("webgpu", webgpu);
  return { backends, missing };
}

export function isPrime(n: number): boolean {
  for (let d = 3; d * d <= n; d += 2) if (n % d === 0) return false;
  return n % 2 === 1;
}

/** The `count` largest primes below 2^bits that are 1 mod 2^(logN+1) and not in `taken`. */
export function primes(logN: number, bits: number, count: number, taken: readonly number[] = []): number[] {
  const found: number[] = [];
  const step = 2 ** (logN + 1);
  for (let q = 2 ** bits - step + 1; found.length < count; q -= step) {
    if (isPrime(q) && !taken.includes(q)) found.push(q);
  }
  return found;
}

export const indices = (count: number, first = 0): number[] => Array.from({ length: count }, (_, i) => first + i);

let state = 1;
/** A reproducible 32-bit word; `seed` starts the sequence anew. */
export function random(): number {
  state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
  // The low bits of such a generator have short periods.
  return (state ^ (state >>> 15)) >>> 0;
}
export function seed(value: number): void {
  state = value;
}

export type Filling = (i: number, q: number, limb: number) => number;
/** Residues that random tests miss, and random ones. */
export const fillings = {
  uniform: (_i, q) => Math.floor((random() / 2 ** 32) * q),
  largest: (_i, q) => q - 1,
  alternating: (i, q) => (i % 2 === 0 ? 0 : q - 1),
  half: (_i, q) => (q - 1) / 2,
  aboveHalf: (_i, q) => (q + 1) / 2,
  /** Largest digits of both signs in a split of the centred residue at 2^15. */
  digits: (i, q) =>
    (i % 2 === 0 ? 0 : q) + (i % 2 === 0 ? 1 : -1) * ((Math.floor(q / 2 ** 16) - 1) * 2 ** 15 + 2 ** 14),
  mixed: (i, q, limb) => [q - 1, 0, 1, q - 2, (q - 1) / 2, (q + 1) / 2][(i + 3 * limb + random()) % 6],
} satisfies Record<string, Filling>;
export type FillingName = keyof typeof fillings;
export const fillingNames = Object.keys(fillings) as FillingName[];

/** New limbs with the given values. The caller releases them. */
export function fill(ring: RingKernels, moduli: readonly number[], value: Filling): Limbs {
  const limbs = { address: ring.allocate(moduli.length), moduli };
  moduli.forEach((m, limb) => {
    ring.write(
      limbs,
      limb,
      Uint32Array.from({ length: ring.degree }, (_, i) => value(i, ring.moduli[m], limb)),
    );
  });
  return limbs;
}

export function readAll(ring: RingKernels, limbs: Limbs): number[][] {
  return limbs.moduli.map((_, index) => {
    const words = new Uint32Array(ring.degree);
    ring.read(limbs, index, words);
    return Array.from(words);
  });
}

export function power(base: bigint, exponent: bigint, q: bigint): bigint {
  let result = 1n;
  for (let e = exponent, b = base; e > 0n; e >>= 1n, b = (b * b) % q) if (e & 1n) result = (result * b) % q;
  return result;
}

/** Table of a conversion between the moduli at the given indices of a ring. */
export function conversionTable(
  ring: { readonly moduli: readonly number[] },
  from: readonly number[],
  to: readonly number[],
): ConversionTable {
  const sources = from.map((m) => BigInt(ring.moduli[m]));
  const targets = to.map((m) => BigInt(ring.moduli[m]));
  const product = sources.reduce((p, q) => p * q, 1n);
  return {
    from,
    to,
    inverses: Uint32Array.from(sources, (q) => Number(power((product / q) % q, q - 2n, q))),
    fractions: Uint32Array.from(sources, (q) => Number(2n ** 56n / q)),
    factors: Uint32Array.from(targets.flatMap((p) => sources.map((q) => Number((product / q) % p)))),
    products: Uint32Array.from(targets, (p) => Number(product % p)),
  };
}

/** A filling of the sources that gives the words y_i = x_i·inverses[i] of a conversion the values of another. */
export function throughInverses(table: ConversionTable, filling: Filling): Filling {
  return (i, q, limb) => {
    const Q = BigInt(q);
    return Number((BigInt(filling(i, q, limb)) * power(BigInt(table.inverses[limb]), Q - 2n, Q)) % Q);
  };
}

/**
 * A table that belongs to no product, with factors whose products with 2^32 are given by a
 * filling. Only for sources above 2^29: smaller ones may be centred, which a true table allows.
 */
export function syntheticTable(
  ring: { readonly moduli: readonly number[] },
  from: readonly number[],
  to: readonly number[],
  filling: Filling,
): ConversionTable {
  const factor = (i: number, m: number, limb: number): number => {
    const p = BigInt(ring.moduli[m]);
    return Number((BigInt(filling(i, ring.moduli[m], limb)) * power(2n ** 32n, p - 2n, p)) % p);
  };
  return {
    ...conversionTable(ring, from, to),
    factors: Uint32Array.from(to.flatMap((m, j) => from.map((_, i) => factor(i, m, j)))),
    products: Uint32Array.from(to, (m, j) => factor(0, m, j)),
  };
}

/** One stored call: operands in, words out. */
export interface StoredCase {
  readonly kernel: string;
  readonly logN: number;
  readonly moduli: readonly number[];
  /** Words of each limb of each operand; operands of a smaller ring are shorter. */
  readonly operands: readonly (readonly (readonly number[])[])[];
  /** Scalars, signed values, or [accumulate, logRun], or [Galois element]. */
  readonly numbers?: readonly number[];
  readonly results: readonly (readonly (readonly number[])[])[];
}

/** Runs a stored case; the first modulus of a conversion's ring belongs to its targets. */
export function runCase(
  backendRing: (logN: number, moduli: readonly number[]) => RingKernels,
  stored: StoredCase,
): number[][][] {
  const ring = backendRing(stored.logN, stored.moduli);
  const held: [RingKernels, Limbs][] = [];
  const all = indices(stored.moduli.length);
  const place = (limbs: readonly (readonly number[])[], moduli = all): Limbs => {
    const owner = backendRing(Math.log2(limbs[0].length), stored.moduli);
    const view = { address: owner.allocate(limbs.length), moduli };
    limbs.forEach((words, i) => owner.write(view, i, Uint32Array.from(words)));
    held.push([owner, view]);
    return view;
  };
  const numbers = stored.numbers ?? [];
  const scalars = Uint32Array.from(numbers);
  const blank = (moduli = all): Limbs =>
    place(
      moduli.map(() => new Array<number>(ring.degree).fill(0)),
      moduli,
    );
  const dst = blank();
  let results: Limbs[] = [dst];
  if (stored.kernel === "convert") {
    const sources = stored.operands[0].length;
    const to = indices(stored.moduli.length - sources);
    const from = indices(sources, to.length);
    results = [blank(to)];
    ring.convert(results[0], place(stored.operands[0], from), conversionTable(ring, from, to));
  } else {
    const x = stored.operands.map((limbs) => place(limbs));
    const [accumulate, logRun] = numbers;
    const third = (part: number): Limbs[] => x.slice(2).filter((_, i) => i % 3 === part);
    switch (stored.kernel) {
      case "forwardNtt":
      case "inverseNtt":
        ring[stored.kernel](x[0]);
        results = [x[0]];
        break;
      case "add":
      case "subtract":
      case "multiply":
        ring[stored.kernel](dst, x[0], x[1]);
        break;
      case "negate":
        ring.negate(dst, x[0]);
        break;
      case "multiplyScalar":
      case "addScalar":
        ring[stored.kernel](dst, x[0], scalars);
        break;
      case "multiplyScalarAdd":
        ring.multiplyScalarAdd(x[0], x[1], scalars);
        results = [x[0]];
        break;
      case "subtractMultiplyScalar":
        ring.subtractMultiplyScalar(dst, x[0], x[1], scalars);
        break;
      case "multiplySumPair": // operands: both results' old values, then (a, b0, b1) of each term
        ring.multiplySumPair(x[0], x[1], third(0), third(1), third(2), accumulate === 1, logRun);
        results = [x[0], x[1]];
        break;
      case "multiplySum":
        ring.multiplySum(x[0], third(0), third(1), accumulate === 1, logRun);
        results = [x[0]];
        break;
      case "expand":
        ring.expand(dst, x[0], numbers[0]);
        break;
      case "automorphism":
        ring.automorphism(dst, x[0], numbers[0]);
        break;
      case "fromInt32":
        ring.fromInt32(dst, Int32Array.from(numbers));
        break;
      case "fromDoubles":
        ring.fromDoubles(dst, Float64Array.from(numbers));
        break;
      default:
        throw new Error(`unknown kernel ${stored.kernel}`);
    }
  }
  const words = results.map((limbs) => readAll(ring, limbs));
  for (const [owner, view] of held) owner.release(view.address, view.moduli.length);
  return words;
}
