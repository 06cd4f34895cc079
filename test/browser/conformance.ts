/**
 * Runs in a worker of a page: the stored cases of the conformance suite, and the same words as the WebAssembly
 * kernels on random and extreme inputs. Posts one {@link Outcome}.
 */
import {
  type Backend,
  createWasmBackend,
  createWebgpuBackend,
  type Limbs,
  streamStateWords,
} from "../../src/kernels/index.ts";
import {
  conversionTable,
  fill,
  fillings,
  indices,
  primes,
  random,
  readAll,
  runCase,
  type StoredCase,
  seed,
} from "../kernels/support.ts";

export interface Outcome {
  readonly adapter?: string;
  /** Cases that were compared, and descriptions of those that differ. */
  readonly compared?: number;
  readonly different?: readonly string[];
  /** Why nothing could be compared. */
  readonly error?: string;
  readonly code?: string;
}

/** Words of every kernel of one ring. */
function kernelWords(backend: Backend, logN: number, filling: (typeof fillings)[keyof typeof fillings]): number[][][] {
  seed(17 * logN);
  const moduli = [25, 29, 30].flatMap((bits) => primes(logN, bits, 1));
  const ring = backend.ring(logN, moduli);
  const all = indices(3);
  const made = (): Limbs => fill(ring, all, filling);
  const [x, y, z, r0, r1] = [made(), made(), made(), made(), made()];
  const numbers = made();
  const words: number[][][] = [];
  const keep = (limbs: Limbs): void => void words.push(readAll(ring, limbs));
  ring.forwardNtt(x);
  keep(x);
  ring.inverseNtt(y);
  keep(y);
  ring.subtract(z, x, z);
  ring.multiply(z, z, y);
  keep(z);
  ring.multiplySumPair(r0, r1, [x, y, z], [y, z, x], [z, x, y], true, 0);
  keep(r0);
  ring.subtractMultiplyScalar(
    r1,
    r1,
    r0,
    Uint32Array.from(moduli, (q) => q - 1),
  );
  keep(r1);
  ring.automorphism(r0, x, 5);
  keep(r0);
  const single = { address: r0.address + 2 * ring.limbStride, moduli: [2] };
  ring.convert(single, { address: y.address, moduli: [0, 1] }, conversionTable(ring, [0, 1], [2]));
  keep(r0);
  ring.fromDoubles(
    numbers,
    Float64Array.from({ length: ring.degree }, () => (random() | 0) * 2 ** (random() % 31)),
  );
  keep(numbers);
  ring.uniform(numbers, Uint32Array.from(indices(3 * streamStateWords)));
  keep(numbers);
  for (const limbs of [x, y, z, r0, r1, numbers]) ring.release(limbs.address, 3);
  return words;
}

async function run(): Promise<Outcome> {
  const webgpu = await createWebgpuBackend({ maximumBytes: 2 ** 24, chunkBytes: 2 ** 22 });
  const wasm = await createWasmBackend();
  const different: string[] = [];
  let compared = 0;
  const compare = (name: string, got: unknown, expected: unknown): void => {
    compared++;
    if (JSON.stringify(got) !== JSON.stringify(expected)) different.push(name);
  };
  for (const file of ["transforms", "elementwise", "encoding", "sums", "conversion"]) {
    const cases = (await (await fetch(`/test/vectors/kernels/${file}.json`)).json()) as StoredCase[];
    for (const stored of cases) {
      const got = runCase((logN, moduli) => webgpu.ring(logN, moduli), stored);
      compare(`stored ${stored.kernel} 2^${stored.logN}`, got, stored.results);
    }
  }
  for (const logN of [2, 5, 8, 12]) {
    for (const [name, filling] of Object.entries(fillings)) {
      compare(`2^${logN}, ${name}`, kernelWords(webgpu, logN, filling), kernelWords(wasm, logN, filling));
    }
  }
  const outcome = { adapter: webgpu.adapter.name, compared, different };
  webgpu.dispose();
  return outcome;
}

run().then(
  (outcome) => postMessage(outcome),
  (error: Error & { code?: string; hint?: string }) =>
    postMessage({ error: `${error.message} ${error.hint ?? ""}`, code: error.code }),
);
