/**
 * Backends beside each other on one machine, in turns: kernels, one bootstrapping, a whole encrypted inference.
 * The first one named is what the others are compared with. Native kernels are measured on one thread, and on all.
 */
import { spawnSync } from "node:child_process";
import { availableParallelism } from "node:os";
import { Bootstrapper } from "../src/circuits/bootstrapping/bootstrapper.ts";
import { bootstrappingKeys } from "../src/circuits/bootstrapping/keys.ts";
import {
  type Ciphertext,
  Context,
  Encoder,
  Encryptor,
  Evaluator,
  KeyGenerator,
  KeyStore,
  preset,
} from "../src/ckks/index.ts";
import {
  type Backend,
  type DeviceSpec,
  describeDevice,
  type Limbs,
  openDevice,
  parseDevice,
} from "../src/kernels/index.ts";
import { SeededWords, seedBytes } from "../src/ring/index.ts";
import { measure, once } from "./measure.ts";

export const backendParts = ["kernels", "bootstrap", "run"] as const;
export type BackendPart = (typeof backendParts)[number];

interface Contestant {
  readonly name: string;
  readonly spec: DeviceSpec;
  readonly threads: number;
}

/** Figures of one measurement, by contestant; ratios say how many times faster than the first each is. */
export interface BackendRow {
  readonly what: string;
  readonly unit: "µs" | "s";
  readonly median: readonly number[];
  readonly minimum: readonly number[];
  /** Of medians. */
  readonly ratio: readonly number[];
}

export interface BackendsReport {
  readonly contestants: readonly string[];
  readonly rows: BackendRow[];
}

const preset128 = "bootstrap-16";
const bootstrapRounds = 4;
const runs = 1;

export async function benchBackends(
  names: readonly string[],
  parts: readonly BackendPart[],
  report: (what: string) => void,
): Promise<BackendsReport> {
  const contestants = names.flatMap((name): Contestant[] => {
    const spec = parseDevice(name, "--backends");
    const label = describeDevice(spec);
    const all = availableParallelism();
    if (spec.kind !== "native" || all === 1) return [{ name: label, spec, threads: 1 }];
    return [
      { name: label, spec, threads: 1 },
      { name: `${label}, ${all} threads`, spec, threads: all },
    ];
  });
  const rows: BackendRow[] = [];
  if (parts.includes("kernels")) rows.push(...(await kernelRows(contestants, report)));
  if (parts.includes("bootstrap")) rows.push(await bootstrapRow(contestants, report));
  if (parts.includes("run")) rows.push(runRow(contestants, report));
  return { contestants: contestants.map(({ name }) => name), rows };
}

function rowOf(what: string, unit: BackendRow["unit"], samples: readonly (readonly number[])[]): BackendRow {
  const sorted = samples.map((list) => [...list].sort((a, b) => a - b));
  const median = sorted.map((list) => list[list.length >> 1] as number);
  const minimum = sorted.map((list) => list[0] as number);
  return { what, unit, median, minimum, ratio: median.map((own) => (median[0] as number) / own) };
}

const limbs = 16;

/** Kernels by name on operands of 16 limbs. */
function kernelsOf(backend: Backend, logN: number): readonly (readonly [string, () => void])[] {
  const random = new SeededWords(new Uint8Array(seedBytes), 0, [0, 0]);
  const { primes } = new Context(preset(preset128).spec, backend).parameters;
  const ring = backend.ring(logN, primes);
  const all = primes.map((_, m) => m);
  const make = (moduli: readonly number[]): Limbs => {
    const made = { address: ring.allocate(moduli.length), moduli };
    const words = new Uint32Array(ring.degree);
    for (const [i, m] of moduli.entries()) {
      const q = primes[m] as number;
      ring.write(
        made,
        i,
        words.map(() => random.next() % q),
      );
    }
    return made;
  };
  const own = all.slice(0, limbs);
  const one = make([0]);
  const [a, b, c, d] = [make(own), make(own), make(own), make(own)];
  const scalars = new Uint32Array(limbs).fill(12345);
  const target = make(all.slice(limbs, 2 * limbs));
  const below = (m: number): number => random.next() % (primes[m] as number);
  const table = {
    from: own,
    to: target.moduli,
    inverses: Uint32Array.from(own, below),
    fractions: Uint32Array.from(own, (m) => Math.floor(2 ** 56 / (primes[m] as number))),
    factors: Uint32Array.from(target.moduli.flatMap((m) => own.map(() => below(m)))),
    products: Uint32Array.from(target.moduli, below),
  };
  const terms = [a, b, c];
  return [
    ["forward NTT, one limb", () => ring.forwardNtt(one)],
    ["inverse NTT, one limb", () => ring.inverseNtt(one)],
    ["forward NTT, 16 limbs", () => ring.forwardNtt(a)],
    ["inverse NTT, 16 limbs", () => ring.inverseNtt(a)],
    ["base conversion, 16 to 16 limbs", () => ring.convert(target, b, table)],
    [
      "key-switch product, 3 digits, 16 limbs",
      () => ring.multiplySumPair(c, d, terms.slice(0, 2).concat(b), terms.slice(0, 2).concat(a), [b, a, b], false, 0),
    ],
    ["Montgomery product, 16 limbs", () => ring.multiply(c, a, b)],
    ["rescale step, 16 limbs", () => ring.subtractMultiplyScalar(c, a, b, scalars)],
    ["addition, 16 limbs", () => ring.add(c, a, b)],
    ["automorphism, 16 limbs", () => ring.automorphism(c, a, 5)],
  ];
}

async function kernelRows(contestants: readonly Contestant[], report: (what: string) => void): Promise<BackendRow[]> {
  const rows: BackendRow[] = [];
  for (const logN of [13, 15, 16]) {
    const backends = await Promise.all(
      contestants.map(({ spec, threads }) => openDevice(spec, { threads, maximumBytes: 2 ** 30 })),
    );
    const lists = backends.map((backend) => kernelsOf(backend, logN));
    for (const [k, [name]] of (lists[0] ?? []).entries()) {
      const what = `${name}, N = 2^${logN}`;
      report(what);
      const measured = measure(
        lists.map((list) => list[k]?.[1] as () => void),
        { rounds: 5, roundMs: 30, iterations: 5 },
      );
      const times = measured.map(({ median, minimum }) => ({ median: 1000 * median, minimum: 1000 * minimum }));
      const median = times.map((time) => time.median);
      rows.push({
        what,
        unit: "µs",
        median,
        minimum: times.map((time) => time.minimum),
        ratio: median.map((own) => (median[0] as number) / own),
      });
    }
    for (const backend of backends) backend.dispose();
  }
  return rows;
}

/** A ciphertext of full slots at 128 bits, keys and transforms in place. */
async function bootstrapRow(contestants: readonly Contestant[], report: (what: string) => void): Promise<BackendRow> {
  const sides: { backend: Backend; bootstrap: () => Ciphertext }[] = [];
  for (const { name, spec, threads } of contestants) {
    report(`keys of ${preset128} on ${name}`);
    const backend = await openDevice(spec, { threads });
    const context = new Context(preset(preset128).spec, backend);
    const slots = context.parameters.maximumSlots;
    const bootstrapper = new Bootstrapper(context, slots);
    const generator = new KeyGenerator(context);
    const secret = generator.secretKey();
    const keys = new KeyStore(context, { residentBytes: 2.5 * 2 ** 30 }); // all of them
    for (const key of bootstrappingKeys(context, generator, secret, bootstrapper.rotations())) keys.add(key);
    const real = Float64Array.from({ length: slots }, (_, j) => Math.sin(1 + 7 * j));
    using plain = new Encoder(context).encode({ real, imaginary: real }, { level: bootstrapper.inputLevel });
    const exhausted = new Encryptor(context, secret).encrypt(plain);
    const evaluator = new Evaluator(context, keys);
    const bootstrap = (): Ciphertext => bootstrapper.bootstrap(evaluator, exhausted);
    // Keys are brought into the backend's memory, and code is compiled for speed.
    bootstrap().dispose();
    sides.push({ backend, bootstrap });
  }
  const samples: number[][] = sides.map(() => []);
  for (let round = 0; round < bootstrapRounds; round++) {
    for (const [i, { bootstrap }] of sides.entries()) {
      report(`bootstrapping ${round + 1} of ${bootstrapRounds} on ${contestants[i]?.name}`);
      const { ms, result } = once(bootstrap);
      result.dispose();
      samples[i]?.push(ms / 1000);
    }
  }
  for (const { backend } of sides) backend.dispose();
  return rowOf(`bootstrapping at 128 bits, N = 2^16, ${2 ** 15} slots`, "s", samples);
}

/** `aegis run` of the sentiment model at 128 bits, start to label, in processes of their own; all give the same label. */
function runRow(contestants: readonly Contestant[], report: (what: string) => void): BackendRow {
  const samples: number[][] = contestants.map(() => []);
  const digests = new Set<string>();
  const command = new URL("../cli/main.js", import.meta.url).pathname;
  for (let round = 0; round < runs; round++) {
    for (const [i, { name, spec, threads }] of contestants.entries()) {
      report(`aegis run ${round + 1} of ${runs} on ${name}`);
      const device = describeDevice(spec);
      const args = ["run", "--model", "models/sentiment-bert-tiny", "--sample", "--insecure-seed", "1", "--json"];
      const { status, stdout, stderr } = spawnSync(
        process.execPath,
        [command, ...args, "--device", device, "--threads", String(threads)],
        { encoding: "utf8" },
      );
      if (status !== 0) throw new Error(`aegis run --device ${device} failed: ${stderr}`);
      const { seconds, outputDigest } = JSON.parse(stdout) as { seconds: { total: number }; outputDigest: string };
      digests.add(outputDigest);
      samples[i]?.push(seconds.total);
    }
  }
  if (digests.size !== 1) throw new Error("backends give different results");
  return rowOf("aegis run, sentiment-bert-tiny, 128 bits, start to label", "s", samples);
}

export function showBackends({ contestants, rows }: BackendsReport): string {
  const width = Math.max(...rows.map(({ what }) => what.length));
  const lines = rows.map(({ what, unit, median, ratio }) => {
    const figures = median.map((own, i) => {
      const time = `${own.toFixed(unit === "s" ? 2 : 1)} ${unit}`;
      return i === 0 ? time.padStart(12) : `${time.padStart(12)} = ${(ratio[i] as number).toFixed(2)}×`;
    });
    return `${what.padEnd(width)} ${figures.join("  ")}`;
  });
  return [`medians: ${contestants.join(" | ")}`, ...lines].join("\n");
}
