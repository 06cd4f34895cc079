/** `aegis compile`: the program, its levels, bootstraps, keys, memory and time, before anything runs. */
import { Command, Option } from "commander";
import { describeSecret } from "../../ckks/index.ts";
import { type Program, printProgram } from "../../program/index.ts";
import { defaultDeviceMemory, requirements } from "../../runtime/index.ts";
import { parseInteger, readText } from "../arguments.ts";
import {
  chooseDevices,
  collect,
  type DeviceChoice,
  deviceOptionText,
  measureDevices,
  openClientBackend,
} from "../devices.ts";
import { formatBytes, formatSeconds, printJson, printLine, withStatus, writeWhole } from "../output.ts";
import { defaultPreset, loadModel, pagingSeconds, prepare } from "../session.ts";

interface Options extends DeviceChoice {
  model: string;
  text?: string;
  file?: string;
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
    .addOption(new Option("--text <text>", "compile for this text").conflicts(["tokens", "file"]))
    .addOption(new Option("--file <path>", "compile for the text of a file").conflicts("tokens"))
    .option("--truncate", "cut a text that is too long")
    .option("--preset <name>", "encryption parameters", defaultPreset)
    .addOption(new Option("--device <kind>", deviceOptionText).argParser(collect))
    .option("--threads <n>", "threads of a native device (default: all cores)")
    .option("--out <file>", "write the program as JSON")
    .option("--json", "print one JSON object")
    .action(async (options: Options) => {
      const result = await withStatus("compiling", () => compileModel(options));
      if (options.out !== undefined) await writeWhole(options.out, `${JSON.stringify(result.program, null, 1)}\n`);
      if (options.json === true) printJson(result);
      else print(result);
    });
}

async function compileModel(options: Options) {
  const model = await loadModel(options.model);
  const { config, tokenizer } = model.checkpoint;
  const text = options.file === undefined ? options.text : await readText(options.file, "--file");
  const length =
    text === undefined
      ? tokenCount(options.tokens, config.maximumTokens)
      : tokenizer.encode(text, { truncate: options.truncate === true }).length;
  const devices = await chooseDevices(options);
  const backend = await openClientBackend(devices);
  try {
    const start = performance.now();
    const session = await prepare(
      model,
      options.preset,
      length,
      backend,
      async (ring) => (await measureDevices(devices, ring)).times,
    );
    const { context, compiled } = session;
    const { program } = compiled;
    const { parameters } = context;
    const needed = await requirements(program, parameters);
    const operations = compiled.seconds.reduce((sum, seconds) => sum + seconds, 0);
    const paging = pagingSeconds(session, needed, devices[0]?.memoryBytes ?? defaultDeviceMemory);
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
  return value === undefined ? Math.min(defaultTokens, maximum) : parseInteger("--tokens", value, 1, maximum);
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
