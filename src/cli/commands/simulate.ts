/** `aegis simulate`: a plan played on machines that are not at hand. */
import { Command } from "commander";
import { AegisError } from "../../base/errors.ts";
import { maximumDevices, moduleNames, type StrategyName } from "../../placement/index.ts";
import { formatCalibration, percent, traceOf } from "../../report/index.ts";
import { digestOf } from "../../runtime/index.ts";
import {
  calibrationRows,
  loadKernelSetting,
  loadProfile,
  memoryPeak,
  paperStyleMemory,
  Study,
  wordSizes,
} from "../../simulator/index.ts";
import { compile, referenceTimes } from "../../transformer/index.ts";
import { parseInteger } from "../arguments.ts";
import { defaultTokens, describeModel, modelHelp, tokenCount } from "../described-model.ts";
import { formatBytes, formatSeconds, printJson, printLine, table, withStatus, writeWhole } from "../output.ts";
import { defaultSlackPercent, parseMemory, parseSlack, parseStrategies, strategyHelp } from "../plan-options.ts";
import { defaultPreset, parametersFor } from "../session.ts";

interface Options {
  model?: string;
  tokens?: string;
  devices: string;
  strategy: string;
  preset: string;
  profile: string;
  memory?: string;
  overlap: boolean;
  slack: string;
  words: string;
  calibration?: boolean;
  trace?: string;
  json?: boolean;
}

export function simulateCommand(): Command {
  return new Command("simulate")
    .description("play a plan on machines that are not at hand")
    .option("--model <name>", modelHelp)
    .option("--tokens <n>", `tokens of the text (default ${defaultTokens})`)
    .option("--devices <n>", "devices", "4")
    .option("--profile <name>", "machine: a name or a .json file, see profiles/", "a100-40")
    .option("--strategy <name>", strategyHelp, "aegis")
    .option("--preset <name>", "encryption parameters", defaultPreset)
    .option("--memory <bytes>", "memory of a device, such as 40GiB (default: the profile's)")
    .option("--no-overlap", "send only when something is asked for")
    .option(
      "--slack <percent>",
      "how much slower than the fastest plan one may be that sends less",
      defaultSlackPercent,
    )
    .option("--words <bits>", "words that kernels work on: 32, as ours, or 64", "32")
    .option("--calibration", "say what the simulator makes of figures that others have published")
    .option("--trace <file>", "write the timeline of one strategy for Perfetto (ui.perfetto.dev)")
    .option("--json", "print one JSON object")
    .action(async (options: Options) => {
      if (options.calibration === true) return await calibrate(options);
      const result = await withStatus("simulating", () => simulated(options));
      if (options.json === true) printJson(result);
      else print(result);
    });
}

async function calibrate({ json }: Options): Promise<void> {
  const rows = await withStatus("calibrating", () => calibrationRows());
  if (json === true) return printJson({ rows });
  printLine(
    table(
      ["", "simulated", "reference", "error", ""],
      rows.map((row) => {
        const { simulated, reference, error } = formatCalibration(row);
        return [row.what, simulated, reference, error, row.role];
      }),
    ),
  );
  for (const source of new Set(rows.map((row) => row.source))) {
    const whats = rows.filter((row) => row.source === source).map(({ what }) => what);
    printLine(`${source}: ${whats.join("; ")}`);
  }
}

async function simulated(options: Options) {
  if (options.model === undefined)
    throw new AegisError("argument", "--model is not given", { hint: "or ask for --calibration" });
  const words = wordSizes.find((size) => String(size) === options.words);
  if (words === undefined)
    throw new AegisError(
      "argument",
      `--words: expected ${wordSizes.join(" or ")}, got ${JSON.stringify(options.words)}`,
    );
  const devices = parseInteger("--devices", options.devices, 1, maximumDevices);
  const strategies = parseStrategies(options.strategy);
  const slack = parseSlack(options.slack);
  const profile = await loadProfile(options.profile);
  const memoryBytes = parseMemory(options.memory, profile.memory.value);
  const { config, calibration, simplified, tokens } = await describeModel(options.model);
  const length = tokenCount(options.tokens, config.maximumTokens, tokens);
  const parameters = parametersFor(options.preset, config, length);
  const { program } = compile(config, calibration, parameters, { length, times: referenceTimes });
  const study = new Study({
    program,
    digest: digestOf(program),
    parameters,
    profile,
    kernels: await loadKernelSetting(words),
    memoryBytes,
    overlap: options.overlap,
    slack,
  });
  if (options.trace !== undefined && strategies.length > 1)
    throw new AegisError("argument", "--trace: one strategy at a time");
  const leftOut: { strategy: StrategyName; reason: string }[] = [];
  const results = strategies.flatMap((strategy) => {
    try {
      const one = study.compare(strategy, devices);
      return [{ ...one, memoryPeak: memoryPeak(study.memory(strategy, devices)) }];
    } catch (error) {
      if (strategies.length === 1 || !(error instanceof AegisError && error.code === "plan")) throw error;
      leftOut.push({ strategy, reason: error.message });
      return [];
    }
  });
  if (options.trace !== undefined) {
    const [strategy] = strategies as readonly [StrategyName];
    const { simulation } = study.play(strategy, devices);
    const trace = traceOf(program, simulation, study.memory(strategy, devices));
    await writeWhole(options.trace, JSON.stringify(trace), "check the path given with --trace");
  }
  const paperStyle = paperStyleMemory(program, parameters, devices, results[0]?.memoryPerDevice.keys ?? 0);
  const about = {
    model: options.model,
    tokens: program.length,
    devices,
    profile: profile.name,
    words,
    preset: parameters.name,
    layout: program.geometry,
    ...(simplified.length > 0 && { simplified }),
    memoryBytes,
    ...(paperStyle && { paperStyle }),
  };
  return {
    ...about,
    ...(options.strategy === "all" ? {} : results[0]),
    strategies: results,
    ...(leftOut.length === 0 ? {} : { leftOut }),
  };
}

function print(result: Awaited<ReturnType<typeof simulated>>): void {
  const { layout } = result;
  printLine(
    `${result.model}, ${result.tokens} tokens on ${result.devices} × ${result.profile}, ${layout.layout} layout: ${layout.blocks} × ${layout.tokens} tokens of ${layout.lanes} lanes`,
  );
  for (const sentence of result.simplified ?? []) printLine(`planned as: ${sentence}`);
  printLine(
    table(
      [
        "strategy",
        "time",
        "speed-up",
        "efficiency",
        "exposed",
        "feed-forward",
        "self-attention",
        "memory a device",
        "",
      ],
      result.strategies.map((one) => [
        one.strategy,
        formatSeconds(one.seconds),
        `${one.speedup.toFixed(2)}×`,
        percent(one.efficiency),
        percent(one.exposedCommFraction),
        formatBytes(one.bytes.feedForward),
        formatBytes(one.bytes.selfAttention),
        formatBytes(one.memoryPerDevice.total),
        one.fits ? "" : "does not fit",
      ]),
    ),
  );
  for (const { strategy, breakdown } of result.strategies) {
    const { device, computeByModule, exposed } = breakdown;
    const parts = moduleNames.map((name) => `${name} ${formatSeconds(computeByModule[name])}`);
    printLine(`${strategy}, device ${device}: ${parts.join(", ")}, waiting ${formatSeconds(exposed)}`);
  }
  for (const { strategy, reason } of result.leftOut ?? []) printLine(`no plan for ${strategy}: ${reason}`);
}
