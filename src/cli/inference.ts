/** One encrypted inference from text to label, with everything that is worth telling about it. */
import { basename } from "node:path";
import { AegisError } from "../base/errors.ts";
import {
  describeSecret,
  type EvaluationKey,
  gatherCiphertext,
  insecureRandomness,
  type Parameters,
  type Randomness,
  scatterCiphertext,
  secureRandomness,
} from "../ckks/index.ts";
import { Client } from "../client/index.ts";
import { embed, referenceForward } from "../model/index.ts";
import { checkStrategy, parsePlan } from "../placement/index.ts";
import { type Program, parseProgram } from "../program/index.ts";
import { traceOfRun } from "../report/index.ts";
import {
  checkCheckpoint,
  digestOf,
  digestOfCiphertexts,
  type RunIdentity,
  runIdentity,
  runPlan,
  sharedWords,
} from "../runtime/index.ts";
import { type KernelTimes, Twin } from "../transformer/index.ts";
import { parseInteger, readParsed } from "./arguments.ts";
import { chooseDevices, type DeviceChoice, measureDevices, openClientBackend } from "./devices.ts";
import { emphasise, interruptSignal, StatusLine, warn, writeWhole } from "./output.ts";
import { place } from "./placing.ts";
import { forgetRandomness, resumableRandomness } from "./resumable.ts";
import { loadModel, prepare } from "./session.ts";

export interface InferenceOptions extends DeviceChoice {
  /** Checkpoint directory. */
  readonly model: string;
  readonly preset: string;
  /** Cut a text that is too long. */
  readonly truncate?: boolean;
  /** Reproducible keys and noise. */
  readonly insecureSeed?: string;
  readonly strategy?: string;
  /** Send only when something is asked for. */
  readonly overlap?: boolean;
  /** A compiled program, from `aegis compile --out`. */
  readonly program?: string;
  /** A plan, from `aegis plan --out`. */
  readonly plan?: string;
  /** Folder to keep what is done in. */
  readonly checkpoint?: string;
  /** File for what devices did when. */
  readonly trace?: string;
}

export type InferenceReport = Awaited<ReturnType<typeof infer>>;

/** Runs client and server in this process. Throws what loading, compiling and running throw. */
export async function infer(options: InferenceOptions, text: string) {
  const start = performance.now();
  const since = (from: number): number => (performance.now() - from) / 1000;
  // What is wrong with the options is said before any work.
  const plan = options.plan === undefined ? undefined : await readParsed(options.plan, "--plan", "plan", parsePlan);
  const devices = await chooseDevices(plan === undefined ? options : { ...options, devices: String(plan.devices) });
  const strategy = checkStrategy(options.strategy ?? "aegis");
  const seed = seedOf(options);
  const signal = interruptSignal();
  const status = new StatusLine();
  const backend = await openClientBackend(devices);
  try {
    status.show("loading the model");
    const model = await loadModel(options.model);
    const { checkpoint } = model;
    const ids = checkpoint.tokenizer.encode(text, { truncate: options.truncate === true });
    status.show("compiling");
    let paces: readonly number[] | undefined;
    const timesOf = async (parameters: Parameters): Promise<KernelTimes> => {
      const measured = await measureDevices(devices, parameters);
      paces = measured.paces;
      return measured.times;
    };
    const session = await prepare(model, options.preset, ids.length, backend, timesOf, await programFile(options));
    const { context, compiled } = session;
    const { program } = compiled;
    const { parameters } = context;
    status.show("planning");
    const placed = await place(session, {
      devices,
      // Measured paces differ from run to run, and a run that is taken up again must have the same plan.
      paces: options.checkpoint === undefined ? paces : undefined,
      strategy,
      overlap: options.overlap === false ? false : undefined,
      ...(plan === undefined ? {} : { plan }),
    });
    const randomness = await randomnessOf(options, seed, ids, runIdentity(program, placed.plan, parameters.spec));
    using client = new Client(context, checkpoint, randomness, { allocate: sharedWords });
    const keysStart = performance.now();
    const keys: EvaluationKey[] = [];
    for (const key of client.keys(placed.keys)) {
      keys.push(key);
      status.show(`${emphasise("dim", `[${keys.length}/${placed.keys.length}]`, process.stderr)} evaluation keys`);
      if (signal.aborted) throw new AegisError("aborted", "the run was cancelled");
      await new Promise((resolve) => setImmediate(resolve));
    }
    const keySeconds = since(keysStart);
    const encryptStart = performance.now();
    const input = client.encrypt(program, ids).map((ciphertext) => {
      using a = ciphertext;
      return gatherCiphertext(a);
    });
    const encrypt = since(encryptStart);
    const inferenceStart = performance.now();
    const result = await runPlan(
      {
        program,
        plan: placed.plan,
        parameters,
        weights: checkpoint,
        keys,
        requirements: placed.requirements,
        devices: placed.devices,
        signal,
        forecast: placed.seconds,
        onProgress: (progress) => status.progress(progress),
        recording: options.trace !== undefined,
        ...(options.checkpoint === undefined ? {} : { checkpoint: options.checkpoint }),
      },
      input,
    );
    const inference = since(inferenceStart);
    if (options.trace !== undefined) {
      const trace = traceOfRun(program, result.devices);
      await writeWhole(options.trace, JSON.stringify(trace), "check the path given with --trace");
    }
    const { seconds } = result;
    const output = result.output.map((whole) => scatterCiphertext(context, whole));
    const decryptStart = performance.now();
    const decrypted = client.decrypt(program, output);
    const decrypt = since(decryptStart);
    if (options.checkpoint !== undefined) await forgetRandomness(options.checkpoint);
    const reference = referenceForward(checkpoint, ids);
    const twin = new Twin(checkpoint).run(program, embed(checkpoint, ids));
    return {
      model: basename(options.model),
      text: text.length > 200 ? `${text.slice(0, 200)}…` : text,
      tokens: ids.length,
      label: decrypted.label,
      probability: decrypted.probabilities[decrypted.labelIndex] as number,
      logits: decrypted.logits,
      reference: {
        label: reference.label,
        logits: reference.logits,
        maxError: difference(decrypted.logits, reference.logits),
      },
      twin: { logits: twin.logits },
      maxError: difference(decrypted.logits, twin.logits),
      security: {
        bits: parameters.securityBits,
        logN: parameters.logN,
        logQP: parameters.logQP,
        secret: describeSecret(parameters.spec.secret),
        preset: parameters.name,
      },
      seconds: {
        keys: keySeconds,
        encrypt,
        inference,
        decrypt,
        total: since(start),
        expectedInference: placed.expectedSeconds,
      },
      counts: { bootstraps: placed.bootstraps, ...result.counts },
      memory: {
        peakBytes: process.resourceUsage().maxRSS * 1024,
        keyBytes: keys.reduce((sum, key) => sum + key.b.reduce((bytes, half) => bytes + half.byteLength, 0), 0),
        backendPeakBytes: Math.max(...result.devices.map(({ peakBytes }) => peakBytes)),
      },
      backend: backend.name,
      strategy: placed.plan.strategy,
      devices: result.devices.map(({ operationSeconds: _, activities: __, ...device }, rank) => ({
        ...device,
        ...placed.forecast[rank],
      })),
      communication: result.communication,
      outputDigest: digestOfCiphertexts(result.output),
      operations: program.operations.map((operation, i) => ({
        path: [...operation.path, operation.kind === "polynomial" ? operation.function : operation.kind],
        level: operation.level,
        seconds: seconds[i],
        expected: compiled.seconds[i],
      })),
    };
  } finally {
    status.clear();
    backend.dispose();
  }
}

/** Fresh randomness; with a checkpoint, the same as before, so that keys and ciphertexts go on to fit. */
async function randomnessOf(
  { checkpoint }: InferenceOptions,
  seed: number | undefined,
  ids: readonly number[],
  run: RunIdentity,
): Promise<Randomness> {
  const begun = checkpoint !== undefined && (await checkCheckpoint(checkpoint, run));
  if (seed !== undefined) {
    warn("--insecure-seed makes keys predictable: for comparing runs only");
    return insecureRandomness(seed);
  }
  if (checkpoint === undefined) return secureRandomness();
  return resumableRandomness({ directory: checkpoint, begun, ids, run: digestOf(run) });
}

function seedOf({ insecureSeed }: InferenceOptions): number | undefined {
  return insecureSeed === undefined
    ? undefined
    : parseInteger("--insecure-seed", insecureSeed, 0, Number.MAX_SAFE_INTEGER);
}

async function programFile({ program: path }: InferenceOptions): Promise<Program | undefined> {
  return path === undefined ? undefined : readParsed(path, "--program", "program", parseProgram);
}

function difference(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let most = 0;
  for (let i = 0; i < a.length; i++) most = Math.max(most, Math.abs((a[i] as number) - (b[i] as number)));
  return most;
}
