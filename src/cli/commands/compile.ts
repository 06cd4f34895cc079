/** `aegis compile`: the program, its levels, bootstraps, keys, memory and time, before anything runs. */
import { Command, Option } from "commander";
import { AegisError } from "../../base/errors.ts";
import { describeSecret } from "../../ckks/index.ts";
import { type Program, printProgram } from "../../program/index.ts";
import { defaultDeviceMemory, requirements } from "../../runtime/index.ts";
import { formatBytes, formatSeconds, printJson, printLine, StatusLine, writeWhole } from "../output.ts";
import { defaultPreset, loadModel, openBackend, pagingSeconds, prepare } from "../session.ts";

interface Options {
  model: string;
  text?: string;
  tokens?: string;
  truncate?: boolean;
  preset: string;
  out?: string;
  json?: boolean;
}

const defaultTokens = 32;

export function compileCommand(): Command {
  return new Command("compile")
    .description("compile a model and say what a run will need")
    .requiredOption("--model <dir>", "checkpoint directory")
    .option("--tokens <n>", `compile for a text of n tokens (default ${defaultTokens})`)
    .addOption(new Option("--text <text>", "compile for this text").conflicts("tokens"))
    .option("--truncate", "cut a text that is too long")
    .option("--preset <name>", "encryption parameters", defaultPreset)
    .option("--out <file>", "write the program as JSON")
    .option("--json", "print one JSON object")
    .action(async (options: Options) => {
      const status = new StatusLine();
      status.show("compiling");
      const result = await compileModel(options);
      status.clear();
      if (options.out !== undefined) await write(options.out, result.program);
      if (options.json === true) printJson(result);
      else print(result);
    });
}

async function compileModel(options: Options) {
  const model = await loadModel(options.model);
  const { config, tokenizer } = model.checkpoint;
  const length =
    options.text === undefined
      ? tokenCount(options.tokens, config.maximumTokens)
      : tokenizer.encode(options.text, { truncate: options.truncate === true }).length;
  const backend = await openBackend("wasm");
  try {
    const start = performance.now();
    const session = await prepare(model, options.preset, length, backend);
    const { context, compiled } = session;
    const { program } = compiled;
    const { parameters } = context;
    const needed = await requirements(program, parameters);
    const operations = compiled.seconds.reduce((sum, seconds) => sum + seconds, 0);
    const paging = pagingSeconds(session, needed, defaultDeviceMemory);
    const expected = { operations, paging, total: operations + paging };
    return {
      model: options.model,
      tokens: length,
      verified: true,
      security: {
        bits: parameters.securityBits,
        logN: parameters.logN,
        logQP: parameters.logQP,
        secret: describeSecret(parameters.spec.secret),
        preset: parameters.name,
      },
      expectedSeconds: expected.total,
      expected,
      compileSeconds: (performance.now() - start) / 1000,
      ciphertexts: Object.values(program.tensors).reduce((sum, tensor) => sum + tensor.count, 0),
      bootstraps: program.operations
        .filter((operation) => operation.kind === "bootstrap")
        .map((operation) => ({
          place: operation.path.join(" → "),
          refreshes: operation.inputs,
          from: operation.level,
          to: operation.target,
        })),
      counts: needed.counts,
      keys: needed.keys,
      memory: { workBytes: needed.workBytes, keyBytes: needed.keyBytes, compressedKeyBytes: needed.compressedKeyBytes },
      operations: program.operations.map((operation, i) => ({
        path: [...operation.path, operation.kind === "polynomial" ? operation.function : operation.kind],
        level: operation.level,
        depth: operation.depth,
        outputs: operation.outputs.map((name) => ({ name, ...pick(program, name) })),
        expectedSeconds: compiled.seconds[i],
      })),
      program,
    };
  } finally {
    backend.dispose();
  }
}

function pick(program: Program, name: string) {
  const tensor = program.tensors[name];
  return { ciphertexts: tensor?.count, content: tensor?.content, level: tensor?.level, logScale: tensor?.logScale };
}

function tokenCount(value: string | undefined, maximum: number): number {
  if (value === undefined) return Math.min(defaultTokens, maximum);
  const count = Number(value);
  if (!Number.isInteger(count) || count < 1 || count > maximum) {
    throw new AegisError("argument", `--tokens: expected 1 to ${maximum}, got ${JSON.stringify(value)}`);
  }
  return count;
}

async function write(path: string, program: Program): Promise<void> {
  try {
    await writeWhole(path, `${JSON.stringify(program, null, 1)}\n`);
  } catch (error) {
    throw new AegisError("io", `${path}: cannot be written`, { hint: "check the path given with --out", cause: error });
  }
}

function print(result: Awaited<ReturnType<typeof compileModel>>): void {
  const { security, counts, memory } = result;
  printLine(printProgram(result.program));
  printLine();
  printLine(
    `security    ${security.bits > 0 ? `${security.bits}-bit` : "none"}: N = 2^${security.logN}, log QP = ${security.logQP.toFixed(0)}, ${security.secret} secret (${security.preset})`,
  );
  printLine(`bootstraps  ${counts.bootstraps}`);
  for (const { place, refreshes, from, to } of result.bootstraps)
    printLine(`              ${place}: ${refreshes.join(", ")}, level ${from} → ${to}`);
  printLine(
    `work        ${counts.keySwitches} key switches, ${counts.multiplications} products, ${counts.rotations} rotations`,
  );
  printLine(
    `keys        ${result.keys.length}: ${formatBytes(memory.keyBytes)}, ${formatBytes(memory.compressedKeyBytes)} on the wire`,
  );
  printLine(`memory      ${formatBytes(memory.workBytes)} of ciphertexts, plaintexts and workspace, besides keys`);
  printLine(`time        about ${formatSeconds(result.expectedSeconds)} for the inference on this machine`);
}
