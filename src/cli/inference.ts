/** One encrypted inference from text to label, with everything that is worth telling about it. */
import { basename } from "node:path";
import { AegisError } from "../base/errors.ts";
import { describeSecret, insecureRandomness, secureRandomness } from "../ckks/index.ts";
import { Client } from "../client/index.ts";
import { embed, referenceForward } from "../model/index.ts";
import { Server } from "../server/index.ts";
import { Twin } from "../transformer/index.ts";
import { emphasise, interruptSignal, StatusLine, warn } from "./output.ts";
import { loadModel, openBackend, prepare } from "./session.ts";

export interface InferenceOptions {
  /** Checkpoint directory. */
  readonly model: string;
  readonly preset: string;
  readonly backend: string;
  /** Cut a text that is too long. */
  readonly truncate?: boolean;
  /** Reproducible keys and noise. */
  readonly insecureSeed?: string;
}

export type InferenceReport = Awaited<ReturnType<typeof infer>>;

/** Runs client and server in this process. Throws what loading, compiling and running throw. */
export async function infer(options: InferenceOptions, text: string) {
  const start = performance.now();
  const since = (from: number): number => (performance.now() - from) / 1000;
  const signal = interruptSignal();
  const status = new StatusLine();
  const backend = await openBackend(options.backend);
  try {
    status.show("loading the model");
    const model = await loadModel(options.model);
    const { checkpoint } = model;
    const ids = checkpoint.tokenizer.encode(text, { truncate: options.truncate === true });
    status.show("compiling");
    const { context, compiled, needed, residentBytes, expectedSeconds } = await prepare(
      model,
      options.preset,
      ids.length,
      backend,
    );
    const { program } = compiled;
    const { parameters } = context;
    const randomness = options.insecureSeed === undefined ? secureRandomness() : seeded(options.insecureSeed);
    using client = new Client(context, checkpoint, randomness);
    const keysStart = performance.now();
    using server = new Server(context, checkpoint, program, { residentBytes });
    let made = 0;
    for (const key of client.keys(needed.keys)) {
      server.addKey(key);
      status.show(`${emphasise("dim", `[${++made}/${needed.keys.length}]`, process.stderr)} evaluation keys`);
      if (signal.aborted) throw new AegisError("aborted", "the run was cancelled");
      await new Promise((resolve) => setImmediate(resolve));
    }
    const keys = since(keysStart);
    const encryptStart = performance.now();
    const input = client.encrypt(program, ids);
    const encrypt = since(encryptStart);
    const inferenceStart = performance.now();
    server.expectKeys(needed.keySequence.map(({ name }) => name));
    const { output, seconds } = await server.infer(input, {
      signal,
      forecast: compiled.seconds,
      onProgress: (progress) => status.progress(progress),
    });
    const inference = since(inferenceStart);
    const decryptStart = performance.now();
    const decrypted = client.decrypt(program, output);
    const decrypt = since(decryptStart);
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
        keys,
        encrypt,
        inference,
        decrypt,
        total: since(start),
        expectedInference: expectedSeconds.total,
      },
      counts: { bootstraps: needed.counts.bootstraps, ...server.counts },
      memory: {
        peakBytes: process.resourceUsage().maxRSS * 1024,
        keyBytes: server.keyBytes,
        backendPeakBytes: backend.memory().peak,
      },
      backend: backend.name,
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

function seeded(value: string) {
  const seed = Number(value);
  if (!Number.isSafeInteger(seed))
    throw new AegisError("argument", `--insecure-seed: expected an integer, got ${JSON.stringify(value)}`);
  warn("--insecure-seed makes keys predictable: for comparing runs only");
  return insecureRandomness(seed);
}

function difference(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let most = 0;
  for (let i = 0; i < a.length; i++) most = Math.max(most, Math.abs((a[i] as number) - (b[i] as number)));
  return most;
}
