/** `aegis plan`: where every ciphertext lives and what travels, before anything runs. */
import { Command } from "commander";
import { AegisError } from "../../base/errors.ts";
import { maximumRanks } from "../../kernels/index.ts";
import {
  defaultSpare,
  describeMode,
  explain,
  fragmentation,
  isCut,
  leastMemory,
  makePlan,
  maximumDevices,
  type Planned,
  planSetting,
  printPlan,
  type Spare,
  type StrategyName,
  shardingsFor,
  spares,
} from "../../placement/index.ts";
import { type Operation, type Program, parseProgram } from "../../program/index.ts";
import { digestOf } from "../../runtime/index.ts";
import { compile, referenceTimes } from "../../transformer/index.ts";
import { parseInteger, readParsed } from "../arguments.ts";
import { defaultTokens, describeModel, modelHelp, tokenCount } from "../described-model.ts";
import { formatBytes, formatSeconds, printJson, printLine, table, withStatus, writeWhole } from "../output.ts";
import { defaultSlackPercent, parseMemory, parseSlack, parseStrategies, strategyHelp } from "../plan-options.ts";
import { checkProgram, defaultPreset, parametersFor } from "../session.ts";

interface Options {
  model: string;
  tokens?: string;
  devices: string;
  strategy: string;
  preset: string;
  program?: string;
  memory?: string;
  overlap: boolean;
  slack: string;
  spare: string;
  explain?: boolean;
  out?: string;
  json?: boolean;
}

/** Default memory of a planned device. */
const defaultMemory = 80 * 2 ** 30;
/** For finding out how many devices would do. */
const patienceMilliseconds = 10_000;

export function planCommand(): Command {
  return new Command("plan")
    .description("say where every ciphertext would live and what would travel")
    .requiredOption("--model <name>", modelHelp)
    .option("--tokens <n>", `tokens of the text (default ${defaultTokens})`)
    .option("--devices <n>", "devices", "2")
    .option("--strategy <name>", strategyHelp, "aegis")
    .option("--preset <name>", "encryption parameters", defaultPreset)
    .option("--program <file>", "plan this program in place of compiling one")
    .option("--memory <bytes>", "memory of a device, such as 40GiB (default 80GiB)")
    .option("--no-overlap", "send only when something is asked for")
    .option(
      "--slack <percent>",
      "how much slower than the fastest plan one may be that sends less or needs less memory",
      defaultSlackPercent,
    )
    .option(
      "--spare <what>",
      `what a slower plan may spare: ${spares.join(" or ")}; aegis run spares memory`,
      defaultSpare,
    )
    .option("--explain", "say for every operation what was chosen, and by how much the rest is slower")
    .option("--out <file>", "write the plan for aegis run --plan")
    .option("--json", "print one JSON object")
    .action(async (options: Options) => {
      const result = await withStatus("planning", () => plan(options));
      if (options.json === true) printJson(result);
      else print(result);
    });
}

function checkSpare(name: string): Spare {
  const spare = spares.find((one) => one === name);
  if (spare !== undefined) return spare;
  throw new AegisError("argument", `--spare: expected ${spares.join(" or ")}, got ${JSON.stringify(name)}`);
}

async function plan(options: Options) {
  const devices = parseInteger("--devices", options.devices, 1, maximumDevices);
  const strategies = parseStrategies(options.strategy);
  if (options.explain === true && isCut(strategies[0] as StrategyName))
    throw new AegisError("argument", `--explain: strategy ${options.strategy} runs everything on every device`);
  const memoryBytes = parseMemory(options.memory, defaultMemory);
  const slack = parseSlack(options.slack);
  const spare = checkSpare(options.spare);
  const choice = { overlap: options.overlap ? undefined : false, memoryBytes, slack, spare };
  const start = performance.now();
  const { config, calibration, simplified, tokens } = await describeModel(options.model);
  const given =
    options.program === undefined ? undefined : await readParsed(options.program, "--program", "program", parseProgram);
  const length = tokenCount(options.tokens, config.maximumTokens, given?.length ?? tokens);
  const parameters = parametersFor(options.preset, config, length);
  if (given !== undefined) checkProgram(given, calibration.checkpoint, parameters, length);
  const program = given ?? compile(config, calibration, parameters, { length, times: referenceTimes }).program;
  const compileSeconds = (performance.now() - start) / 1000;
  const settingStart = performance.now();
  const setting = planSetting(program, parameters, digestOf(program), referenceTimes);
  const settingSeconds = (performance.now() - settingStart) / 1000;
  const leftOut: { strategy: StrategyName; reason: string }[] = [];
  const plans = strategies.flatMap((strategy) => {
    const began = performance.now();
    try {
      const planned = makePlan(program, setting, { devices, strategy, ...choice });
      return [{ strategy, planned, seconds: (performance.now() - began) / 1000 }];
    } catch (error) {
      if (strategies.length === 1 || !(error instanceof AegisError && error.code === "plan")) throw error;
      leftOut.push({ strategy, reason: error.message });
      return [];
    }
  });
  const [chosen] = plans as [(typeof plans)[number]];
  requireFit(chosen.planned, memoryBytes, chosen.strategy, (more) =>
    makePlan(program, setting, { devices: more, strategy: chosen.strategy, ...choice }),
  );
  if (options.out !== undefined) await writeWhole(options.out, printPlan(chosen.planned.plan));
  return {
    model: options.model,
    tokens: program.length,
    devices,
    preset: parameters.name,
    layout: program.geometry,
    ...(simplified.length > 0 && { simplified }),
    scoresBootstrapped: program.operations.some(
      ({ kind, inputs }) =>
        kind === "bootstrap" && inputs.some((name) => program.tensors[name]?.content === "diagonals"),
    ),
    compileSeconds,
    settingSeconds,
    strategies: plans.map(({ strategy, planned, seconds }) => ({
      strategy,
      bytes: planned.bytes,
      memoryPerDevice: planned.memory.map(({ activations, workspace, keys, total }) => ({
        activations,
        workspace,
        keys,
        total,
      })),
      criticalPathSeconds: planned.timeline.seconds,
      computeSeconds: planned.timeline.devices.map(({ compute }) => compute),
      exposedCommSeconds: planned.timeline.devices.map(({ exposed }) => exposed),
      steps: planned.plan.steps.length,
      planSeconds: seconds,
    })),
    ...(leftOut.length === 0 ? {} : { leftOut }),
    ...(options.explain === true
      ? { explanation: explained(program, chosen.planned, setting, devices, chosen.strategy) }
      : {}),
  };
}

function explained(
  program: Program,
  { modes, chunks, plan: { overlap } }: Planned,
  setting: ReturnType<typeof planSetting>,
  devices: number,
  strategy: StrategyName,
) {
  const { parameters: ring, bootstrapInput, costs } = setting;
  const shardings = strategy === "aegis" ? shardingsFor(ring, devices) : [];
  const options = { devices, strategy, overlap, ring, ...chunks, bootstrapInput, costs, shardings };
  return explain(program, modes, options).map((entry) => {
    const operation = program.operations[entry.index] as Operation;
    return {
      operation: entry.operation,
      times: entry.times,
      chosen: describeMode(program, operation, entry.chosen),
      rejected: entry.rejected.map(({ mode, slowerBy, moreBytes }) => ({
        mode: describeMode(program, operation, mode),
        slowerBySeconds: slowerBy,
        moreBytes,
      })),
    };
  });
}

/** Throws `plan` with what fills the memory, and with how many devices it would do. */
function requireFit(
  planned: Planned,
  limit: number,
  strategy: StrategyName,
  withDevices: (devices: number) => Planned,
): void {
  const most = planned.memory.reduce((a, b) => (leastMemory(b) > leastMemory(a) ? b : a));
  if (leastMemory(most) <= limit) return;
  const workspace = most.workspace - most.releasable;
  const work = most.activations + workspace;
  const gaps = fragmentation(work);
  const parts = `${formatBytes(most.activations)} of ciphertexts, ${formatBytes(workspace)} of workspace, ${formatBytes(gaps)} between them, ${formatBytes(leastMemory(most) - work - gaps)} for keys, which are paged`;
  let enough: number | undefined;
  const start = performance.now();
  let devices = planned.plan.devices * 2;
  const maximum = isCut(strategy) ? maximumRanks : maximumDevices;
  for (; devices <= maximum && performance.now() - start < patienceMilliseconds; devices *= 2) {
    if (withDevices(devices).memory.some((one) => leastMemory(one) > limit)) continue;
    enough = devices;
    break;
  }
  throw new AegisError(
    "plan",
    `strategy ${strategy} needs ${formatBytes(leastMemory(most))} on a device (${parts}), it has ${formatBytes(limit)}`,
    {
      hint: enough === undefined ? `${Math.floor(devices / 2)} devices are not enough` : `${enough} devices would do`,
    },
  );
}

function print(result: Awaited<ReturnType<typeof plan>>): void {
  const { layout } = result;
  printLine(
    `${result.model}, ${result.tokens} tokens on ${result.devices} devices, ${layout.layout} layout: ${layout.blocks} × ${layout.tokens} tokens of ${layout.lanes} lanes`,
  );
  for (const sentence of result.simplified ?? []) printLine(`planned as: ${sentence}`);
  printLine(
    table(
      ["strategy", "time", "sent", "feed-forward", "self-attention", "memory a device", "planned in"],
      result.strategies.map(({ strategy, criticalPathSeconds, bytes, memoryPerDevice, planSeconds }) => [
        strategy,
        formatSeconds(criticalPathSeconds),
        formatBytes(bytes.total),
        formatBytes(bytes.feedForward),
        formatBytes(bytes.selfAttention),
        formatBytes(Math.max(...memoryPerDevice.map(({ total }) => total))),
        formatSeconds(planSeconds),
      ]),
    ),
  );
  for (const { strategy, reason } of result.leftOut ?? []) printLine(`no plan for ${strategy}: ${reason}`);
  for (const { operation, times, chosen, rejected } of result.explanation ?? []) {
    printLine(`${operation}${times > 1 ? ` (${times} times)` : ""}: ${chosen}`);
    for (const { mode, slowerBySeconds, moreBytes } of rejected) {
      const seconds = `${slowerBySeconds >= 0 ? "+" : "−"}${Math.abs(slowerBySeconds).toFixed(2)} s`;
      const bytes = `${moreBytes >= 0 ? "+" : "−"}${formatBytes(Math.abs(moreBytes))}`;
      printLine(`    ${seconds}, ${bytes}: ${mode}`);
    }
  }
}
