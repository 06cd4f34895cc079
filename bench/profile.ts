/**
 * Where the time of an encrypted inference goes: seconds of each kind of operation by kernel. Kernels are timed from
 * outside, as they are called; what is left of an operation is everything else: planning its steps, encoding
 * plaintexts, collecting garbage.
 */
import { availableParallelism } from "node:os";
import { Context, preset } from "../src/ckks/index.ts";
import { loadModel } from "../src/cli/session.ts";
import { Client } from "../src/client/index.ts";
import {
  type Backend,
  type DeviceSpec,
  describeDevice,
  fastestDevice,
  openDevice,
  type RingKernels,
} from "../src/kernels/index.ts";
import type { Operation } from "../src/program/index.ts";
import { measureKernels, requirements } from "../src/runtime/index.ts";
import { Server } from "../src/server/index.ts";
import { compile } from "../src/transformer/index.ts";
import { table } from "./tables.ts";

const model = "models/sentiment-bert-tiny";
const text = "The staff was warm and friendly, and the food was absolutely wonderful.";
const presetName = "bootstrap-16";

/** Kernels that tell of the same work. */
const groups: Readonly<Record<string, readonly (keyof RingKernels)[]>> = {
  "key-switch products": ["keyProducts"],
  "base conversions": ["convert"],
  "sums of products": ["multiplySum", "multiplySumPair", "multiplySums"],
  "ModDown tails": ["subtractTransformed", "subtractMultiplyScalar"],
  "transforms alone": ["forwardNtt", "inverseNtt", "inverseNttInto"],
  "element by element": [
    "add",
    "subtract",
    "negate",
    "multiply",
    "multiplyScalar",
    "multiplyScalarAdd",
    "addScalar",
    "expand",
    "automorphism",
    "copy",
    "zero",
  ],
  "into and out of memory": ["write", "read", "fromInt32", "fromDoubles", "uniform"],
};
const elsewhere = "outside kernels";

/** Seconds of a kind of operation. */
export interface ProfileRow {
  readonly operation: string;
  readonly count: number;
  readonly seconds: number;
  /** By group of kernels, and outside of them. */
  readonly parts: Readonly<Record<string, number>>;
}

export interface ProfileResult {
  readonly model: string;
  readonly tokens: number;
  readonly device: string;
  readonly threads: number;
  /** Model read, program compiled and keys named; keys made; text encrypted; program run; answer decrypted. */
  readonly phases: Readonly<Record<"compile" | "keys" | "encrypt" | "inference" | "decrypt", number>>;
  /** Of the inference, what takes longest first. */
  readonly rows: readonly ProfileRow[];
}

/** Seconds by group of kernels since the last time it was asked. */
class KernelClock {
  readonly #groupOf = new Map<PropertyKey, string>();
  #seconds: Record<string, number> = {};

  constructor() {
    for (const [group, names] of Object.entries(groups)) for (const name of names) this.#groupOf.set(name, group);
  }

  take(): Record<string, number> {
    const taken = this.#seconds;
    this.#seconds = {};
    return taken;
  }

  /** The backend with its kernels timed. */
  watch(backend: Backend): Backend {
    const rings = new Map<RingKernels, RingKernels>();
    const watched: Backend = new Proxy(backend, {
      get: (target, name) => {
        const value: unknown = Reflect.get(target, name, target);
        if (typeof value !== "function") return value;
        if (name !== "ring") return value.bind(target);
        return (logN: number, moduli: readonly number[]): RingKernels => {
          const ring = target.ring(logN, moduli);
          const known = rings.get(ring) ?? this.#watchRing(ring, () => watched);
          rings.set(ring, known);
          return known;
        };
      },
    });
    return watched;
  }

  #watchRing(ring: RingKernels, backend: () => Backend): RingKernels {
    const timed = new Map<PropertyKey, unknown>();
    return new Proxy(ring, {
      get: (target, name) => {
        if (name === "backend") return backend();
        const known = timed.get(name);
        if (known !== undefined) return known;
        const value: unknown = Reflect.get(target, name, target);
        if (typeof value !== "function") return value;
        const bound = value.bind(target) as (...args: unknown[]) => unknown;
        const group = this.#groupOf.get(name);
        const made = group === undefined ? bound : this.#timed(group, bound);
        timed.set(name, made);
        return made;
      },
    });
  }

  #timed(group: string, kernel: (...args: unknown[]) => unknown): (...args: unknown[]) => unknown {
    return (...args) => {
      const start = performance.now();
      try {
        return kernel(...args);
      } finally {
        this.#seconds[group] = (this.#seconds[group] ?? 0) + (performance.now() - start) / 1000;
      }
    };
  }
}

/** The sentiment model at 128 bits on the fastest device here, on one thread and, if it has more, on all. */
export async function benchProfile(report: (what: string) => void): Promise<ProfileResult[]> {
  const device = await fastestDevice();
  const all = device.kind === "native" ? availableParallelism() : 1;
  const results: ProfileResult[] = [];
  for (const threads of all > 1 ? [1, all] : [1]) results.push(await profileOn(device, threads, report));
  return results;
}

async function profileOn(device: DeviceSpec, threads: number, report: (what: string) => void): Promise<ProfileResult> {
  const clock = new KernelClock();
  const since = (from: number): number => (performance.now() - from) / 1000;
  let mark = performance.now();
  const lap = (): number => {
    const seconds = since(mark);
    mark = performance.now();
    return seconds;
  };
  const { checkpoint, calibration } = await loadModel(model);
  const context = new Context(preset(presetName).spec, clock.watch(await openDevice(device, { threads })));
  const { backend, parameters } = context;
  try {
    const ids = checkpoint.tokenizer.encode(text);
    const times = measureKernels(backend, parameters.logN, parameters.primes);
    const { program } = compile(checkpoint.config, calibration, parameters, { length: ids.length, times });
    const needed = await requirements(program, parameters);
    const compiled = lap();
    using client = new Client(context, checkpoint);
    using server = new Server(context, checkpoint, program, { residentBytes: 2.5 * 2 ** 30 });
    for (const key of client.keys(needed.keys)) {
      report(`keys, ${threads} threads`);
      server.addKey(key);
    }
    const keys = lap();
    const input = client.encrypt(program, ids);
    const encrypt = lap();

    clock.take();
    const rows = new Map<string, { count: number; seconds: number; parts: Record<string, number> }>();
    let running: { kind: string; from: number } | undefined;
    const close = (): void => {
      const parts = clock.take();
      if (running === undefined) return;
      const seconds = since(running.from);
      const row = rows.get(running.kind) ?? { count: 0, seconds: 0, parts: {} };
      rows.set(running.kind, row);
      row.count++;
      row.seconds += seconds;
      let inKernels = 0;
      for (const [group, spent] of Object.entries(parts)) {
        row.parts[group] = (row.parts[group] ?? 0) + spent;
        inKernels += spent;
      }
      row.parts[elsewhere] = (row.parts[elsewhere] ?? 0) + seconds - inKernels;
    };
    const { output } = await server.infer(input, {
      onProgress: ({ done, operation }) => {
        close();
        running = { kind: (program.operations[done] as Operation).kind, from: performance.now() };
        report(`${operation}, ${threads} threads`);
      },
    });
    close();
    const inference = lap();
    client.decrypt(program, output);
    const decrypt = lap();
    return {
      model,
      tokens: ids.length,
      device: describeDevice(device),
      threads,
      phases: { compile: compiled, keys, encrypt, inference, decrypt },
      rows: [...rows].map(([operation, row]) => ({ operation, ...row })).sort((a, b) => b.seconds - a.seconds),
    };
  } finally {
    backend.dispose();
  }
}

export function showProfile(results: readonly ProfileResult[]): string {
  return results.map(show).join("\n\n");
}

function show({ model, tokens, device, threads, phases, rows }: ProfileResult): string {
  const columns = [...Object.keys(groups), elsewhere];
  const all = rows.reduce((sum, { seconds }) => sum + seconds, 0);
  const inColumn = (column: string): number => rows.reduce((sum, { parts }) => sum + (parts[column] ?? 0), 0);
  const share = (seconds: number): string => `${((100 * seconds) / all).toFixed(1)} %`;
  const named = Object.entries(phases).map(([phase, seconds]) => `${phase} ${seconds.toFixed(2)} s`);
  const title = `${model}, ${tokens} tokens, 128 bits, ${device}, ${threads} ${threads === 1 ? "thread" : "threads"}: ${named.join(", ")}`;
  return table(
    title,
    ["operation", "count", "seconds", "share", ...columns],
    [
      ...rows.map(({ operation, count, seconds, parts }) => [
        operation,
        String(count),
        seconds.toFixed(2),
        share(seconds),
        ...columns.map((column) => (parts[column] ?? 0).toFixed(2)),
      ]),
      ["all", "", all.toFixed(2), "", ...columns.map((column) => share(inColumn(column)))],
    ],
  );
}
