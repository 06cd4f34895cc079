/** Plans of the long model for one and two devices, run in turns, and what is measured of them. */
import { readFileSync } from "node:fs";
import {
  Context,
  type EvaluationKey,
  gatherCiphertext,
  insecureRandomness,
  Parameters,
  preset,
  type WholeCiphertext,
} from "../src/ckks/index.ts";
import { type Placed, place } from "../src/cli/placing.ts";
import { loadModel, type Session } from "../src/cli/session.ts";
import { Client } from "../src/client/index.ts";
import { createBackend } from "../src/kernels/index.ts";
import type { Checkpoint } from "../src/model/index.ts";
import { checkStrategy, type DeviceMemory, planMemory, planSetting } from "../src/placement/index.ts";
import { describeOperation, type Program } from "../src/program/index.ts";
import {
  digestOf,
  digestOfCiphertexts,
  measureKernels,
  type PlanRunResult,
  runPlan,
  shareKey,
  wasmDevices,
} from "../src/runtime/index.ts";
import { compile } from "../src/transformer/index.ts";
import { measurePace, type Pace } from "./ceiling.ts";

const model = "models/spam-bert-tiny-2048";
/** Keys and noise of the bench: the same in every run, so that outputs can be compared. */
const seed = 1;

export interface DevicesOptions {
  readonly tokens: number;
  readonly repeats: number;
  readonly preset: string;
  /** Ring of the insecure preset. */
  readonly logN: number;
  readonly strategy: string;
}

/** One device in the runs of a variant: medians over the runs. */
export interface DeviceFigures {
  /** Worker start to first step: modules, tables, keys. */
  readonly setupSeconds: number;
  readonly computeSeconds: number;
  readonly exposedCommSeconds: number;
  /** Waiting and copying over the wall time. */
  readonly exposedShare: number;
  readonly peakBytes: number;
  readonly workBytes: number;
  /** What the dry run says that `workBytes` will be. */
  readonly forecastWorkBytes: number;
  /** `workBytes` (ciphertexts, weights, workspace) over those of the single device. */
  readonly relativeWork: number;
  /** Ciphertexts and sums that are alive, at most: measured, and from the dry run. */
  readonly activationBytes: number;
  readonly forecastActivationBytes: number;
  /** `activationBytes` over those of the single device. */
  readonly relativeActivations: number;
  /** Ciphertexts and workspace of the plan at the fullest moment, over those of the single device. */
  readonly relativePlanned: number;
  readonly bytesSent: number;
}

export interface Variant {
  readonly name: string;
  readonly devices: number;
  readonly overlap: boolean;
  readonly strategy: string;
  /** Of the inference, by run: from input ciphertexts to output ciphertexts, without key generation. */
  readonly wallSeconds: readonly number[];
  readonly medianSeconds: number;
  /** From the kernels' times on this machine. */
  readonly forecastSeconds: number;
  /** One device's time over this one's and the devices: median over the repetitions. */
  readonly efficiency: number;
  readonly speedup: number;
  /** Largest share of the wall time that a device waited or copied. */
  readonly exposedShare: number;
  /** CPU seconds of the process over the devices' busy seconds: below 1, others used the cores. */
  readonly cpuShare: number;
  readonly plannedBytes: number;
  readonly measuredBytes: number;
  readonly perDevice: readonly DeviceFigures[];
}

/** Seconds of one operation: alone and on each of two devices, medians. */
export interface OperationSeconds {
  readonly operation: string;
  readonly one: number;
  readonly two: readonly number[];
  /** Computed twice: what both devices took together beyond the single one. */
  readonly extra: number;
  /** Half of what the faster device took less than the slower one. */
  readonly uneven: number;
}

export interface DevicesReport {
  readonly model: string;
  readonly tokens: number;
  readonly preset: string;
  readonly securityBits: number;
  readonly logN: number;
  readonly layout: Program["geometry"];
  /** Ciphertexts of one layer's attention scores. */
  readonly scoreCiphertexts: number;
  readonly repeats: number;
  readonly keySeconds: number;
  readonly outputDigest: string;
  /** Pace of kernels in two threads at once over one alone, without any plan: median over the repetitions. */
  readonly ceiling: number;
  /**
   * Pace of two inferences of one device each, at once, over one alone, median: what this machine gives to two devices
   * that neither share, send nor repeat anything.
   */
  readonly separate: number;
  readonly variants: readonly Variant[];
  readonly operations: readonly OperationSeconds[];
}

interface Case {
  readonly name: string;
  readonly devices: number;
  /** Left to the planner where undefined. */
  readonly overlap: boolean | undefined;
}

const cases: readonly Case[] = [
  { name: "1 device", devices: 1, overlap: undefined },
  { name: "2 devices", devices: 2, overlap: undefined },
  { name: "2 devices, overlap", devices: 2, overlap: true },
  { name: "2 devices, no overlap", devices: 2, overlap: false },
];

interface Run {
  readonly seconds: number;
  readonly cpuSeconds: number;
  readonly result: PlanRunResult;
}

export async function runDevices(options: DevicesOptions, report: (what: string) => void): Promise<DevicesReport> {
  const backend = await createBackend("wasm");
  try {
    report("compiling");
    const { checkpoint, calibration } = await loadModel(model);
    const { spec } = preset(options.preset);
    const insecure = "insecure" in spec && spec.insecure === true;
    const parameters = new Parameters(insecure ? { ...spec, logN: options.logN } : spec);
    const context = new Context(parameters, backend);
    const times = measureKernels(backend, parameters.logN, parameters.primes);
    const compiled = compile(checkpoint.config, calibration, parameters, {
      length: options.tokens,
      times,
      layout: "long",
    });
    const { program } = compiled;
    const session: Session = { context, times, compiled };
    report("planning");
    const placed: Placed[] = [];
    for (const { devices, overlap } of cases) {
      const strategy = checkStrategy(devices === 1 ? "aegis" : options.strategy);
      placed.push(await place(session, { devices: wasmDevices(devices), strategy, overlap }));
    }
    const setting = planSetting(program, parameters, digestOf(program), times);
    const planned = placed.map(({ plan }) => planMemory(program, plan, parameters, setting.samples));
    using client = new Client(context, checkpoint, insecureRandomness(seed));
    const keysStart = performance.now();
    const names = new Map(placed.flatMap(({ keys }) => keys).map((key) => [`${key.name} ${key.level}`, key]));
    const keys: EvaluationKey[] = [];
    for (const key of client.keys([...names.values()])) {
      keys.push(shareKey(key));
      report(`key ${keys.length} of ${names.size}`);
    }
    const keySeconds = (performance.now() - keysStart) / 1000;
    const input = client.encrypt(program, textOf(checkpoint, options.tokens)).map((ciphertext) => {
      using a = ciphertext;
      return gatherCiphertext(a);
    });
    const inference = { program, parameters, checkpoint, keys, input };
    const runs: Run[][] = cases.map(() => []);
    const paces: Pace[] = [];
    const separate: number[] = [];
    for (let repeat = 0; repeat < options.repeats; repeat++) {
      report("two threads on their own");
      paces.push(await measurePace(parameters.logN));
      for (const [i, { name }] of cases.entries()) {
        report(`run ${repeat + 1} of ${options.repeats}, ${name}`);
        runs[i]?.push(await runOnce(placed[i] as Placed, inference));
      }
      report(`run ${repeat + 1} of ${options.repeats}, two of one device at once`);
      const both = await Promise.all([0, 1].map(() => runOnce(placed[0] as Placed, inference)));
      separate.push(
        (2 * ((runs[0] as Run[])[repeat] as Run).seconds) / Math.max(...both.map(({ seconds }) => seconds)),
      );
    }
    const digest = sameOutput(runs.flat());
    const alone = runs[0] as Run[];
    return {
      model,
      tokens: options.tokens,
      preset: parameters.name,
      securityBits: parameters.securityBits,
      logN: parameters.logN,
      layout: program.geometry,
      scoreCiphertexts: Math.max(
        ...Object.values(program.tensors).map(({ content, count }) => (content === "diagonals" ? count : 0)),
      ),
      repeats: options.repeats,
      keySeconds,
      outputDigest: digest,
      ceiling: median(paces.map(({ one, two }) => two / one)),
      separate: median(separate),
      variants: cases.map((one, i) => variant(one, placed[i] as Placed, runs[i] as Run[], alone, relative(planned, i))),
      operations: operationSeconds(program, alone, runs[1] as Run[]),
    };
  } finally {
    backend.dispose();
  }
}

async function runOnce(
  placed: Placed,
  {
    program,
    parameters,
    checkpoint,
    keys,
    input,
  }: {
    program: Program;
    parameters: Parameters;
    checkpoint: Checkpoint;
    keys: readonly EvaluationKey[];
    input: readonly WholeCiphertext[];
  },
): Promise<Run> {
  const { plan, requirements } = placed;
  const cpu = process.cpuUsage();
  const start = performance.now();
  const result = await runPlan({ program, plan, parameters, weights: checkpoint, keys, requirements }, input);
  const seconds = (performance.now() - start) / 1000;
  const { user, system } = process.cpuUsage(cpu);
  const { plannedBytes, measuredBytes } = result.communication;
  if (plannedBytes !== measuredBytes) throw new Error(`${measuredBytes} bytes were sent, ${plannedBytes} planned`);
  return { seconds, cpuSeconds: (user + system) / 1e6, result };
}

function sameOutput(runs: readonly Run[]): string {
  const digests = new Set(runs.map(({ result }) => digestOfCiphertexts(result.output)));
  const [first] = digests;
  if (digests.size !== 1 || first === undefined) throw new Error("the runs gave different ciphertexts");
  return first;
}

/** Bytes of a plan's devices at their fullest moments over those of the single device, without keys. */
function relative(planned: readonly (readonly DeviceMemory[])[], index: number): number[] {
  const bytes = planned.map((devices) => devices.map(({ activations, workspace }) => activations + workspace));
  return (bytes[index] as number[]).map((all) => all / (bytes[0]?.[0] as number));
}

function variant(one: Case, placed: Placed, runs: readonly Run[], alone: readonly Run[], planned: number[]): Variant {
  const wallSeconds = runs.map(({ seconds }) => seconds);
  const speedups = runs.map(({ seconds }, i) => (alone[i] as Run).seconds / seconds);
  const aloneWork = median(alone.map(({ result }) => result.devices[0]?.workBytes as number));
  const aloneActivations = median(alone.map(({ result }) => result.devices[0]?.activationBytes as number));
  const perDevice = placed.forecast.map(({ forecastWorkBytes, forecastActivationBytes }, rank): DeviceFigures => {
    const of = (pick: (device: PlanRunResult["devices"][number], run: Run) => number): number =>
      median(runs.map((run) => pick(run.result.devices[rank] as PlanRunResult["devices"][number], run)));
    const workBytes = of((device) => device.workBytes);
    const activationBytes = of((device) => device.activationBytes);
    return {
      setupSeconds: of((device) => device.setupSeconds),
      computeSeconds: of((device) => device.computeSeconds),
      exposedCommSeconds: of((device) => device.exposedCommSeconds),
      exposedShare: of((device, { seconds }) => device.exposedCommSeconds / seconds),
      peakBytes: of((device) => device.peakBytes),
      workBytes,
      forecastWorkBytes,
      relativeWork: workBytes / aloneWork,
      activationBytes,
      forecastActivationBytes,
      relativeActivations: activationBytes / aloneActivations,
      relativePlanned: planned[rank] as number,
      bytesSent: of((device) => device.bytesSent),
    };
  });
  const busy = ({ result }: Run): number => result.devices.reduce((sum, { computeSeconds }) => sum + computeSeconds, 0);
  const { plannedBytes, measuredBytes } = (runs[0] as Run).result.communication;
  return {
    ...one,
    overlap: placed.plan.overlap,
    strategy: placed.plan.strategy,
    wallSeconds,
    medianSeconds: median(wallSeconds),
    forecastSeconds: placed.expectedSeconds,
    efficiency: median(speedups) / one.devices,
    speedup: median(speedups),
    exposedShare: Math.max(...perDevice.map(({ exposedShare }) => exposedShare)),
    cpuShare: median(runs.map((run) => run.cpuSeconds / busy(run))),
    plannedBytes,
    measuredBytes,
    perDevice,
  };
}

function operationSeconds(program: Program, alone: readonly Run[], pairs: readonly Run[]): OperationSeconds[] {
  return program.operations.map((operation, i) => {
    const of = (runs: readonly Run[], rank: number): number =>
      median(runs.map(({ result }) => result.devices[rank]?.operationSeconds[i] as number));
    const one = of(alone, 0);
    const two = [of(pairs, 0), of(pairs, 1)] as const;
    return {
      operation: describeOperation(operation),
      one,
      two,
      extra: two[0] + two[1] - one,
      uneven: Math.abs(two[0] - two[1]) / 2,
    };
  });
}

/** Tokens of the model's test mails, as many as wanted. */
function textOf({ tokenizer }: Checkpoint, tokens: number): number[] {
  const lines = readFileSync(`${model}/test.jsonl`, "utf8").trim().split("\n").slice(0, 100);
  const text = lines.map((line) => (JSON.parse(line) as { text: string }).text).join(" ");
  const ids = [...tokenizer.encode(text, { truncate: true })];
  return [...ids.slice(0, tokens - 1), ids.at(-1) as number];
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  const upper = sorted[middle] as number;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] as number) + upper) / 2;
}
