/**
 * Runs a plan on thread devices: a worker for each, with backend memory of its own. Evaluation keys lie
 * once in memory that all devices of the host share, each device pages in those that it uses.
 */
import { AegisError } from "../base/errors.ts";
import { lengthIs } from "../base/validate.ts";
import type { EvaluationKey, KeyName, Parameters, WholeCiphertext } from "../ckks/index.ts";
import { collectiveNames, type DeviceKind, describeDevice } from "../kernels/index.ts";
import { bytesOf, inputNumbers, moduleNames, type Plan, usesOf } from "../placement/index.ts";
import {
  ciphertextsOf,
  describeOperation,
  type Operation,
  type Program,
  range,
  type Tensor,
} from "../program/index.ts";
import type { WeightSource } from "../transformer/index.ts";
import { CheckpointFolder } from "./checkpoint.ts";
import { damagedManifest, identityOf } from "./checkpoint-manifest.ts";
import type { KeyUses } from "./counting-keys.ts";
import { boundaries } from "./device/boundaries.ts";
import type { DeviceInput, DeviceMessage, DeviceResult, DeviceSetup, DeviceStart } from "./device/messages.ts";
import type { Activity } from "./device/recorder.ts";
import { keyBudget, type Requirements } from "./dry-run.ts";
import { type Progress, progress } from "./run.ts";
import { moduleUrl } from "./threads/module-url.ts";
import { ThreadPool } from "./threads/pool.ts";

/** Backend memory of a device by default: all that WebAssembly gives. */
export const defaultDeviceMemory = 2 ** 32;

/** So many WebAssembly devices, which run anywhere. */
export function wasmDevices(count: number, memoryBytes = defaultDeviceMemory): DeviceSetup[] {
  return range(count).map(() => ({ kind: "wasm", memoryBytes, threads: 1 }));
}

/** Shared memory for messages: of each device, and the most that there can be. */
const arenaBytes = 2 ** 28;
const largestArena = 2 ** 33;

/** An adapter finishes what it was given before it can be let go. */
const adapterMilliseconds = 30_000;

/** Failures that another try may not meet. */
const resumable: readonly string[] = ["aborted", "device", "memory"];

export interface PlanRun {
  readonly program: Program;
  readonly plan: Plan;
  readonly parameters: Parameters;
  readonly weights: WeightSource;
  /** From {@link shareKey}. */
  readonly keys: readonly EvaluationKey[];
  /** What each device needs, from the dry run. */
  readonly requirements: readonly Requirements[];
  /** As many as the plan has; by default {@link wasmDevices}. */
  readonly devices?: readonly DeviceSetup[];
  readonly signal?: AbortSignal;
  readonly onProgress?: (progress: Progress) => void;
  /** Seconds expected of each operation. */
  readonly forecast?: readonly number[];
  readonly stallSeconds?: number;
  /** Directory to keep what is done in, and to go on from. */
  readonly checkpoint?: string;
  /** Whether to note what devices do when. */
  readonly recording?: boolean;
}

/** One device's figures. */
export interface DeviceReport {
  readonly kind: DeviceKind;
  /** Such as `wasm` or `native:avx2`. */
  readonly device: string;
  readonly threads: number;
  readonly peakBytes: number;
  /** Most bytes beside keys: ciphertexts, weights, workspace. */
  readonly workBytes: number;
  /** Most bytes of ciphertexts and sums among them. */
  readonly activationBytes: number;
  /** Bytes of the keys that the device uses. */
  readonly keyBytes: number;
  /** From the beginning of the run to the device's first step: its thread, modules, tables, input. */
  readonly setupSeconds: number;
  /** Computing and communicating. */
  readonly busySeconds: number;
  readonly computeSeconds: number;
  /** Waiting for others, and copying what is sent and received. */
  readonly exposedCommSeconds: number;
  readonly bytesSent: number;
  /** Seconds of computing by operation. */
  readonly operationSeconds: readonly number[];
  /** What it did when, in seconds from the beginning of the run; empty unless it was asked for. */
  readonly activities: readonly Activity[];
}

export interface CommunicationReport {
  readonly plannedBytes: number;
  readonly measuredBytes: number;
  readonly byModule: Readonly<Record<string, number>>;
  readonly byCollective: Readonly<Record<string, number>>;
}

export interface PlanRunResult {
  readonly output: readonly WholeCiphertext[];
  /** Seconds of each operation: the most that a device computed for it. */
  readonly seconds: readonly number[];
  readonly devices: readonly DeviceReport[];
  readonly communication: CommunicationReport;
  readonly counts: KeyUses;
}

/** Memory that all threads of the process can read: for {@link KeyGeneratorOptions.allocate}. */
export function sharedWords(words: number): Uint32Array {
  return new Uint32Array(new SharedArrayBuffer(4 * words));
}

/** A key whose words can be read by all threads of the process. */
export function shareKey(key: EvaluationKey): EvaluationKey {
  const shared = (words: Uint32Array): Uint32Array => {
    if (words.buffer instanceof SharedArrayBuffer) return words;
    const copy = sharedWords(words.length);
    copy.set(words);
    return copy;
  };
  return { ...key, b: key.b.map(shared) };
}

/**
 * @param input the encrypted input, all of it
 * @throws `device` when a device dies or stalls; `aborted`; `io` and `format` from checkpoints; what operations
 *   throw, `memory` where a device has too little, with the device and the operation
 */
export async function runPlan(run: PlanRun, input: readonly WholeCiphertext[]): Promise<PlanRunResult> {
  const { program, plan, parameters, weights, devices = wasmDevices(plan.devices) } = run;
  lengthIs("requirements", run.requirements, plan.devices);
  lengthIs("devices", devices, plan.devices);
  let failure: AegisError | undefined;
  const folder =
    run.checkpoint === undefined
      ? undefined
      : await CheckpointFolder.open(run.checkpoint, identityOf(program, plan, parameters.spec, input), (error) => {
          failure = error;
          void pool.terminate();
        });
  const resume = folder?.resume;
  if (folder !== undefined && resume !== undefined && !boundaries(program, plan).includes(resume.step))
    throw damagedManifest(folder.directory, `damaged: nothing is saved before step ${resume.step}`);
  const started = performance.now();
  const first = plan.steps[resume?.step ?? 0]?.operation ?? 0;
  let furthest = first;
  const signal = run.signal;
  const pool = new ThreadPool({
    size: plan.devices,
    module: moduleUrl(import.meta.url, "./device/thread"),
    deviceName: (rank) => describeDevice(devices[rank] as DeviceSetup),
    describeOperation: (id) => describeOperation(program.operations[id] as Operation),
    lingerMilliseconds: devices.some(({ kind }) => kind === "webgpu") ? adapterMilliseconds : 0,
    fabric: { arenaBytes: Math.min(largestArena, plan.devices * arenaBytes) },
    data: (rank): DeviceStart => ({
      device: devices[rank] as DeviceSetup,
      spec: parameters.spec,
      program,
      plan,
      weights: {
        config: { hiddenSize: weights.config.hiddenSize },
        layers: weights.layers,
        pooler: weights.pooler,
        classifier: weights.classifier,
      },
      ...deviceKeys(run, rank, (devices[rank] as DeviceSetup).memoryBytes),
      releaseTransforms: (run.requirements[rank] as Requirements).releaseTransforms,
      began: performance.timeOrigin + started,
      recording: run.recording === true,
    }),
    ...(signal === undefined ? {} : { signal }),
    ...(run.stallSeconds === undefined ? {} : { stallSeconds: run.stallSeconds }),
  });
  try {
    pool.onMessage((rank, message) => {
      const told = message as DeviceMessage;
      if (told.kind === "checkpoint") folder?.saved(rank, told);
      else {
        const { kind, operation } = plan.steps[told.index] as Plan["steps"][number];
        // Transfers name who will read them, which may be far ahead.
        if (kind === "transfer" || operation < furthest) return;
        furthest = operation;
        run.onProgress?.(progress(program, operation, (performance.now() - started) / 1000, run.forecast, first));
      }
    });
    const results = await pool.callAll<DeviceResult>("run", (rank): DeviceInput => {
      const numbers = resume === undefined ? inputNumbers(program, usesOf(program, plan.steps, rank)) : [];
      return {
        numbers,
        ciphertexts: numbers.map((number) => input[number] as WholeCiphertext),
        ...(resume === undefined ? {} : { resume: { step: resume.step, path: resume.paths[rank] as string } }),
        ...(folder === undefined ? {} : { checkpoint: folder.directory }),
      };
    });
    await folder?.finish();
    return report(run, devices, results, resume?.step ?? 0);
  } catch (error) {
    await pool.terminate();
    await folder?.settle();
    const thrown = failure ?? error;
    if (folder?.kept && thrown instanceof AegisError && resumable.includes(thrown.code)) {
      const hint = `what is done is kept in ${folder.directory}: run again to go on from there`;
      thrown.hint = thrown.hint === undefined ? hint : `${thrown.hint}; ${hint}`;
    }
    throw thrown;
  } finally {
    await pool.terminate();
  }
}

/** Keys of a device and the memory that they may take of it: whole and in shares by what there is of each. */
function deviceKeys({ keys, requirements }: PlanRun, rank: number, memoryBytes: number) {
  const needed = requirements[rank] as Requirements;
  const names = new Set<KeyName>(needed.keys.map(({ name }) => name));
  const budget = keyBudget(memoryBytes, needed);
  const forms = [...new Set(needed.keys.map(({ form }) => form))];
  return {
    keys: keys.filter(({ name }) => names.has(name)),
    keyUses: forms.map((form) => {
      const mine = needed.keys.filter((key) => key.form === form);
      const bytes = mine.reduce((sum, key) => sum + key.bytes, 0);
      const least = 2 * Math.max(0, ...mine.map((key) => key.bytes));
      return {
        form,
        names: needed.keySequence.filter((use) => use.form === form).map(({ name }) => name),
        residentBytes: Math.max(least, (budget * bytes) / needed.keyBytes),
      };
    }),
  };
}

function report(
  { plan, program, requirements }: PlanRun,
  devices: readonly DeviceSetup[],
  results: readonly DeviceResult[],
  from: number,
): PlanRunResult {
  const output = range(ciphertextsOf(program.tensors[program.output] as Tensor)).map((number) => {
    for (const { numbers, output: list } of results) {
      const at = numbers.indexOf(number);
      if (at >= 0) return list[at] as WholeCiphertext;
    }
    throw new AegisError("internal", `no device gave ciphertext ${number} of the result`);
  });
  const sum = (pick: (result: DeviceResult) => number): number =>
    results.reduce((total, result) => total + pick(result), 0);
  return {
    output,
    seconds: program.operations.map((_, i) => Math.max(...results.map(({ operations }) => operations[i] as number))),
    devices: results.map((result, rank) => ({
      kind: (devices[rank] as DeviceSetup).kind,
      device: describeDevice(devices[rank] as DeviceSetup),
      threads: devices[rank]?.threads ?? 1,
      peakBytes: result.peakBytes,
      workBytes: result.workBytes,
      activationBytes: result.activationBytes,
      keyBytes: (requirements[rank] as Requirements).keyBytes,
      setupSeconds: result.setupSeconds,
      busySeconds: result.computeSeconds + result.exposedSeconds,
      computeSeconds: result.computeSeconds,
      exposedCommSeconds: result.exposedSeconds,
      bytesSent: result.sent.total,
      operationSeconds: result.operations,
      activities: result.activities,
    })),
    communication: {
      plannedBytes: plan.steps.slice(from).reduce((total, step) => total + bytesOf(step), 0),
      measuredBytes: sum(({ sent }) => sent.total),
      byModule: Object.fromEntries(moduleNames.map((name) => [name, sum(({ sent }) => sent.byModule[name] ?? 0)])),
      byCollective: Object.fromEntries(
        collectiveNames.map((name) => [name, sum(({ sent }) => sent.byCollective[name])]),
      ),
    },
    counts: {
      keySwitches: sum(({ uses }) => uses.keySwitches),
      multiplications: sum(({ uses }) => uses.multiplications),
      rotations: sum(({ uses }) => uses.rotations),
    },
  };
}
