/**
 * Time of each kernel of the WebGPU backend beside the WebAssembly one on one thread, in nanoseconds for a
 * coefficient: `node scripts/bench.mjs webgpu [log N] [options of the Node binding]`. Each figure is the best of some
 * runs of several calls, from the first command until the adapter has done the last.
 */
import {
  type Backend,
  type ConversionTable,
  createWasmBackend,
  createWebgpuBackend,
  type Limbs,
  type RingKernels,
  streamStateWords,
} from "../src/kernels/index.ts";
import { conversionTable } from "../src/ring/conversion.ts";

const limbs = 8;
const calls = 4;
const runs = 5;

function isPrime(n: number): boolean {
  for (let d = 3; d * d <= n; d += 2) if (n % d === 0) return false;
  return n % 2 === 1;
}

function primes(logN: number, count: number): number[] {
  const found: number[] = [];
  const step = 2 ** (logN + 1);
  for (let q = 2 ** 29 - step + 1; found.length < count; q -= step) if (isPrime(q)) found.push(q);
  return found;
}

interface Operands {
  readonly ring: RingKernels;
  readonly x: Limbs;
  readonly y: Limbs;
  readonly z: Limbs;
  readonly u: Limbs;
  readonly scalars: Uint32Array;
  readonly table: ConversionTable;
}

const half = limbs / 2;
const kernels: Record<string, (o: Operands) => void> = {
  add: ({ ring, x, y, z }) => ring.add(z, x, y),
  multiply: ({ ring, x, y, z }) => ring.multiply(z, x, y),
  multiplyScalarAdd: ({ ring, x, z, scalars }) => ring.multiplyScalarAdd(z, x, scalars),
  subtractMultiplyScalar: ({ ring, x, y, z, scalars }) => ring.subtractMultiplyScalar(z, x, y, scalars),
  automorphism: ({ ring, x, z }) => ring.automorphism(z, x, 5),
  forwardNtt: ({ ring, x }) => ring.forwardNtt(x),
  inverseNtt: ({ ring, x }) => ring.inverseNtt(x),
  "multiplySum, 8 terms": ({ ring, x, y, z }) =>
    ring.multiplySum(z, new Array<Limbs>(8).fill(x), new Array<Limbs>(8).fill(y), false, 0),
  "multiplySumPair, 3 terms": ({ ring, x, y, z, u }) =>
    ring.multiplySumPair(z, u, [x, y, x], [y, x, y], [x, x, y], false, 0),
  "convert, 4 to 4": ({ ring, x, z, table }) =>
    ring.convert(
      { address: z.address, moduli: table.to },
      { address: x.address + half * ring.limbStride, moduli: table.from },
      table,
    ),
};

function operands(backend: Backend, logN: number): Operands {
  const ring = backend.ring(logN, primes(logN, limbs));
  const all = Array.from({ length: limbs }, (_, i) => i);
  const made = (): Limbs => {
    const view = { address: ring.allocate(limbs), moduli: all };
    ring.uniform(
      view,
      Uint32Array.from({ length: streamStateWords * limbs }, (_, k) => k),
    );
    return view;
  };
  return {
    ring,
    x: made(),
    y: made(),
    z: made(),
    u: made(),
    scalars: Uint32Array.from(all, (i) => 12345 + i),
    table: conversionTable(ring.moduli, all.slice(half), all.slice(0, half)),
  };
}

function nanoseconds(o: Operands, kernel: (o: Operands) => void, wait: () => void): number {
  kernel(o);
  wait();
  let best = Number.POSITIVE_INFINITY;
  for (let run = 0; run < runs; run++) {
    const before = performance.now();
    for (let i = 0; i < calls; i++) kernel(o);
    wait();
    best = Math.min(best, performance.now() - before);
  }
  return (best * 1e6) / (calls * limbs * o.ring.degree);
}

const [logN = "13", ...nodeOptions] = process.argv.slice(2);
const webgpu = await createWebgpuBackend({
  maximumBytes: 2 ** 28,
  nodeOptions,
  ...(nodeOptions.includes("backend=opengles") ? { featureLevel: "compatibility" as const } : {}),
});
const [gpu, cpu] = [operands(webgpu, Number(logN)), operands(await createWasmBackend(), Number(logN))];
console.log(`${webgpu.adapter.name}, degree 2^${logN}, ${limbs} limbs; ns for a coefficient`);
for (const [name, kernel] of Object.entries(kernels)) {
  const figures = [nanoseconds(gpu, kernel, () => webgpu.statistics()), nanoseconds(cpu, kernel, () => undefined)];
  console.log(`${name.padEnd(26)}${figures.map((figure) => figure.toFixed(2).padStart(10)).join("")}`);
}
webgpu.dispose();
