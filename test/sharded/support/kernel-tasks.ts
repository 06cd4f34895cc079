/** Every kernel on inputs that any number of ranks draws alike; results as whole limbs. */

import type { ConversionTable, Limbs, RingKernels } from "../../../src/kernels/index.ts";
import { createBackend, streamStateWords } from "../../../src/kernels/index.ts";
import { shardedBackend } from "../../../src/kernels/sharded/backend.ts";
import type { ShardingName } from "../../../src/kernels/sharded/sharding.ts";
import {
  conversionTable,
  type FillingName,
  fillings,
  indices,
  primes,
  random,
  readAll,
  seed,
} from "../../kernels/support.ts";
import type { SharedCommunicator } from "./shared-communicator.ts";

export interface KernelCase {
  readonly logN: number;
  readonly filling: FillingName;
}

export interface KernelRun extends KernelCase {
  readonly inner: "wasm" | "reference";
}

export interface KernelTask {
  readonly sharding: ShardingName;
  readonly runs: readonly KernelRun[];
}

export interface KernelResults {
  readonly results: Record<string, number[][]>;
  /** Bytes in use after all was released, without what kernels keep. */
  readonly leaked: number;
}

const specialCount = 3;
const count = 9;
const digits = [
  [0, 3],
  [3, 5],
  [5, 6],
] as const;

export function moduliOf(logN: number): number[] {
  const moduli: number[] = [];
  for (let i = 0; i < count; i++) moduli.push(...primes(logN, [25, 30, 29][i % 3], 1, moduli));
  return moduli;
}

/** Backends keep what they make of a table. */
const tables = new Map<string, ConversionTable>();

function tableOf(ring: RingKernels, from: readonly number[], to: readonly number[]): ConversionTable {
  const key = `${ring.moduli} ${from} ${to}`;
  const table = tables.get(key) ?? conversionTable(ring, from, to);
  tables.set(key, table);
  return table;
}

/** All kernels on one rank. */
export async function kernels(communicator: SharedCommunicator, task: KernelTask): Promise<KernelResults[]> {
  const results: KernelResults[] = [];
  for (const run of task.runs) {
    const chain = { logN: run.logN, specialCount, digits };
    const backend = shardedBackend(await createBackend(run.inner), communicator, { name: task.sharding, chain });
    const moduli = moduliOf(run.logN);
    const once = (): Record<string, number[][]> => runKernels((logN) => backend.ring(logN, moduli), run);
    once(); // makes what kernels keep
    const before = backend.memory().used;
    results.push({ results: once(), leaked: backend.memory().used - before });
    backend.dispose();
  }
  return results;
}

/** Results of every kernel, by name. */
export function runKernels(
  ringOf: (logN: number) => RingKernels,
  { logN, filling }: KernelCase,
): Record<string, number[][]> {
  seed(7);
  const ring = ringOf(logN);
  const { degree } = ring;
  const all = indices(count);
  const held: [RingKernels, Limbs][] = [];
  const results: Record<string, number[][]> = {};
  const blank = (moduli: readonly number[] = all, of: RingKernels = ring): Limbs => {
    const limbs = { address: of.allocate(moduli.length), moduli };
    held.push([of, limbs]);
    return limbs;
  };
  const values = (of: RingKernels, moduli: readonly number[] = all): Limbs => {
    const limbs = blank(moduli, of);
    for (const [i, m] of moduli.entries()) {
      const words = Uint32Array.from({ length: of.degree }, (_, k) => fillings[filling](k, ring.moduli[m], i));
      of.write(limbs, i, words);
    }
    return limbs;
  };
  /** Numbers every rank knows, in coefficient domain. */
  const numbers = (moduli: readonly number[] = all): Limbs => {
    const limbs = blank(moduli);
    for (const [i, m] of moduli.entries()) {
      const own = { address: limbs.address + i * ring.limbStride, moduli: [m] };
      ring.fromInt32(
        own,
        Int32Array.from({ length: degree }, (_, k) => fillings[filling](k, ring.moduli[m], i)),
      );
    }
    return limbs;
  };
  const note = (name: string, limbs: Limbs): void => {
    results[name] = readAll(ring, limbs);
  };
  const [a, b, c] = [values(ring), values(ring), values(ring)];
  const scalars = Uint32Array.from(ring.moduli, (q, i) => fillings[filling](i, q, i));
  note("write", a);
  const apply = (name: string, kernel: (dst: Limbs, a: Limbs, b: Limbs) => void): void => {
    const [fresh, first, second] = [blank(), blank(), blank()];
    ring.copy(first, a);
    ring.copy(second, b);
    // Kernels that add to their result find something there.
    ring.copy(fresh, c);
    kernel(fresh, a, b);
    kernel(first, first, b);
    kernel(second, a, second);
    note(name, fresh);
    note(`${name}, in place of the first`, first);
    note(`${name}, in place of the second`, second);
  };
  apply("add", (dst, x, y) => ring.add(dst, x, y));
  apply("subtract", (dst, x, y) => ring.subtract(dst, x, y));
  apply("multiply", (dst, x, y) => ring.multiply(dst, x, y));
  apply("subtractMultiplyScalar", (dst, x, y) => ring.subtractMultiplyScalar(dst, x, y, scalars));
  apply("negate", (dst, x) => ring.negate(dst, x));
  apply("multiplyScalar", (dst, x) => ring.multiplyScalar(dst, x, scalars));
  apply("multiplyScalarAdd", (dst, x) => ring.multiplyScalarAdd(dst, x, scalars));
  apply("addScalar", (dst, x) => ring.addScalar(dst, x, scalars));
  apply("zero", (dst) => ring.zero(dst));

  const coefficients = numbers();
  note("fromInt32", coefficients);
  ring.forwardNtt(coefficients);
  note("forwardNtt", coefficients);
  const back = blank();
  ring.copy(back, a);
  ring.inverseNtt(back);
  note("inverseNtt", back);
  const mixed = blank();
  ring.add(mixed, a, coefficients);
  note("stored and known", mixed);
  const doubles = blank();
  ring.fromDoubles(
    doubles,
    Float64Array.from({ length: degree }, () => (random() | 0) * 2 ** (random() % 31)),
  );
  note("fromDoubles", doubles);

  for (const logRun of [0, 1, 3, logN - 2]) {
    const small = ringOf(logN - logRun);
    const terms = indices(3).map(() => values(small));
    const sums = indices(7).map(() => values(ring));
    ring.multiplySum(sums[0], terms, [a, b, c], false, logRun);
    ring.multiplySum(sums[1], terms, [c, a, b], true, logRun);
    ring.multiplySumPair(sums[2], sums[3], terms, [a, b, c], [b, c, a], logRun === 1, logRun);
    const many = [
      { dst: [sums[4]], a: terms, b: [[b, c, a]] },
      { dst: [sums[5], sums[6]], a: terms, b: [[a, b, c], [c, b, a]] }, // biome-ignore format: one sum a line
    ];
    ring.multiplySums(many, logRun === 1, logRun);
    for (const [k, sum] of sums.entries()) note(`sum ${k} of runs of 2^${logRun}`, sum);
    const expanded = blank();
    ring.expand(expanded, terms[0], logRun);
    note(`expand runs of 2^${logRun}`, expanded);
  }
  for (const element of [1, 5, 25, 2 * degree - 1, degree + 1, 9]) {
    const rotated = blank();
    ring.automorphism(rotated, a, element);
    note(`automorphism ${element}`, rotated);
  }
  for (const [from, to] of [
    [
      [0, 1, 2],
      [3, 4, 5, 6, 7, 8],
    ],
    [
      [3, 4, 5],
      [0, 1, 2, 6, 7, 8],
    ],
    [[8], [0, 3, 4]],
    [[5, 6, 7, 8], [4]],
  ]) {
    const converted = blank(to);
    ring.convert(converted, numbers(from), tableOf(ring, from, to));
    note(`convert ${from} to ${to}`, converted);
    const source = values(ring, from);
    ring.inverseNtt(source);
    ring.convert(converted, source, tableOf(ring, from, to));
    note(`convert stored ${from} to ${to}`, converted);
  }
  const drawn = blank();
  ring.uniform(
    drawn,
    Uint32Array.from({ length: streamStateWords * all.length }, (_, k) => 1000 + k),
  );
  note("uniform", drawn);
  for (const [owner, { address, moduli }] of held) owner.release(address, moduli.length);
  return results;
}
