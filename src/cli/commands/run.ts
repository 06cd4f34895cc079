/** `aegis run`: one encrypted inference, client and server in one process. */
import { readFile } from "node:fs/promises";
import { basename } from "node:path";
import { Command, CommanderError, Option } from "commander";
import { AegisError } from "../../base/errors.ts";
import { describeSecret, insecureRandomness, secureRandomness } from "../../ckks/index.ts";
import { Client } from "../../client/index.ts";
import { embed, referenceForward } from "../../model/index.ts";
import { requirements } from "../../runtime/index.ts";
import { Server } from "../../server/index.ts";
import { Twin } from "../../transformer/index.ts";
import { emphasise, formatBytes, formatSeconds, interruptSignal, printJson, printLine, StatusLine, warn } from "../output.ts";
import { defaultPreset, loadModel, openBackend, prepare } from "../session.ts";

const sampleText = "The staff was warm and friendly, and the food was absolutely wonderful.";

interface Options {
  model: string;
  text?: string;
  file?: string;
  sample?: boolean;
  truncate?: boolean;
  preset: string;
  backend: string;
  insecureSeed?: string;
  json?: boolean;
}

export function runCommand(): Command {
  return new Command("run")
    .description("classify a text under encryption")
    .requiredOption("--model <dir>", "checkpoint directory")
    .addOption(new Option("--text <text>", "the text").conflicts("file"))
    .option("--file <path>", "a file with the text")
    .option("--sample", "classify a sample sentence if no text is given")
    .option("--truncate", "cut a text that is too long")
    .option("--preset <name>", "encryption parameters (aegis params lists them)", defaultPreset)
    .option("--backend <name>", "wasm or reference", "wasm")
    .option("--insecure-seed <n>", "reproducible keys and noise: for comparing runs only")
    .option("--json", "print one JSON object")
    .action(async (options: Options, command: Command) => {
      const text = await textOf(options, command);
      const result = await run(options, text);
      if (options.json === true) printJson(result);
      else print(text, result);
    });
}

async function textOf(options: Options, command: Command): Promise<string> {
  if (options.text !== undefined) return options.text;
  if (options.file !== undefined) {
    try {
      return await readFile(options.file, "utf8");
    } catch (error) {
      throw new AegisError("io", `${options.file}: cannot be read`, { hint: "check the path given with --file", cause: error });
    }
  }
  if (options.sample === true) return sampleText;
  try {
    command.error("error: missing option '--text <text>' or '--file <path>'");
  } catch (error) {
    throw error instanceof CommanderError ? error : new CommanderError(2, "aegis.missingText", "missing text");
  }
}

async function run(options: Options, text: string) {
  const start = performance.now();
  const since = (from: number): number => (performance.now() - from) / 1000;
  const signal = interruptSignal();
  const status = new StatusLine();
  status.show("loading the model");
  const model = await loadModel(options.model);
  const { checkpoint } = model;
  const ids = checkpoint.tokenizer.encode(text, { truncate: options.truncate === true });
  const backend = await openBackend(options.backend);
  status.show("compiling");
  const { context, compiled } = await prepare(model, options.preset, ids.length, backend);
  const { program } = compiled;
  const { parameters } = context;
  const needed = await requirements(program, parameters);
  const randomness = options.insecureSeed === undefined ? secureRandomness() : seeded(options.insecureSeed);
  try {
    using client = new Client(context, checkpoint, randomness);
    const keysStart = performance.now();
    using server = new Server(context, checkpoint, program);
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
      reference: { label: reference.label, logits: reference.logits, maxError: difference(decrypted.logits, reference.logits) },
      twin: { logits: twin.logits },
      maxError: difference(decrypted.logits, twin.logits),
      security: {
        bits: parameters.securityBits,
        logN: parameters.logN,
        logQP: parameters.logQP,
        secret: describeSecret(parameters.spec.secret),
        preset: parameters.name,
      },
      seconds: { keys, encrypt, inference, decrypt, total: since(start), expectedInference: compiled.seconds.reduce((a, b) => a + b, 0) },
      counts: { bootstraps: needed.counts.bootstraps, ...server.counts },
      memory: { peakBytes: process.resourceUsage().maxRSS * 1024, keyBytes: server.keyBytes, backendPeakBytes: backend.memory().peak },
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
  if (!Number.isSafeInteger(seed)) throw new AegisError("argument", `--insecure-seed: expected an integer, got ${JSON.stringify(value)}`);
  warn("--insecure-seed makes keys predictable: for comparing runs only");
  return insecureRandomness(seed);
}

function difference(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let most = 0;
  for (let i = 0; i < a.length; i++) most = Math.max(most, Math.abs((a[i] as number) - (b[i] as number)));
  return most;
}

function print(text: string, result: Awaited<ReturnType<typeof run>>): void {
  const { reference, security, seconds, memory, counts } = result;
  const agrees = reference.label === result.label;
  printLine(emphasise("dim", JSON.stringify(text.length > 100 ? `${text.slice(0, 100)}…` : text)));
  printLine();
  printLine(`  label        ${emphasise("bold", result.label)} (${(100 * result.probability).toFixed(2)} %), computed on ciphertexts`);
  printLine(`  plain model  ${reference.label} ${agrees ? emphasise("green", "✓ same label") : emphasise("red", "✗ another label")}`);
  printLine(`  logits       encrypted ${show(result.logits)}, plain ${show(reference.logits)}`);
  printLine(`  error        ${result.maxError.toExponential(1)} from encryption, ${reference.maxError.toExponential(1)} with the approximations`);
  printLine(
    `  security     ${security.bits > 0 ? `${security.bits}-bit` : emphasise("red", "none")}: N = 2^${security.logN}, log QP = ${security.logQP.toFixed(0)}, ${security.secret} secret`,
  );
  printLine(
    `  time         ${formatSeconds(seconds.total)}: keys ${formatSeconds(seconds.keys)}, encrypt ${formatSeconds(seconds.encrypt)}, inference ${formatSeconds(seconds.inference)}, decrypt ${formatSeconds(seconds.decrypt)}`,
  );
  printLine(`  work         ${counts.bootstraps} bootstraps, ${counts.keySwitches} key switches, ${counts.multiplications} products, ${counts.rotations} rotations`);
  printLine(`  memory       ${formatBytes(memory.peakBytes)} at most, of it ${formatBytes(memory.keyBytes)} keys`);
}

function show(logits: ArrayLike<number>): string {
  return `[${Array.from(logits, (x) => x.toFixed(4)).join(", ")}]`;
}
