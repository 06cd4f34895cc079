/** `aegis simulate`: a plan played on machines that are not at hand. */
import { Command } from "commander";
import { AegisError } from "../../base/errors.ts";
import type { Parameters } from "../../ckks/index.ts";
import { builtinConfigNames } from "../../model/index.ts";
import {
  type DeviceMemory,
  leastMemory,
  type ModuleName,
  makePlan,
  maximumDevices,
  moduleNames,
  moduleOf,
  planSettingOn,
  type StrategyName,
} from "../../placement/index.ts";
import type { Operation, Program } from "../../program/index.ts";
import { traceOf } from "../../report/index.ts";
import { digestOf } from "../../runtime/index.ts";
import {
  calibrationRows,
  type KernelSetting,
  loadKernelSetting,
  loadProfile,
  type MemoryTimeline,
  machineOf,
  memoryTimelines,
  type Profile,
  type Simulation,
  simulate,
  topologyOf,
  wordSizes,
} from "../../simulator/index.ts";
import { compile, referenceTimes } from "../../transformer/index.ts";
import { parseInteger } from "../arguments.ts";
import { defaultTokens, describeModel, tokenCount } from "../described-model.ts";
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
    .option("--model <name>", `checkpoint directory, config.json, or ${builtinConfigNames.join(", ")}`)
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
  const shown = (value: number, unit: string): string =>
    unit === "s" ? `${(1000 * value).toPrecision(3)} ms` : `${value.toFixed(2)} ${unit}`;
  printLine(
    table(
      ["", "simulated", "published", "error", ""],
      rows.map(({ what, predicted, reference, unit, error, role }) => [
        what,
        shown(predicted, unit),
        shown(reference, unit),
        `${error < 0 ? "−" : "+"}${(100 * Math.abs(error)).toFixed(1)} %`,
        role,
      ]),
    ),
  );
  for (const source of new Set(rows.map((row) => row.source))) {
    const whats = rows.filter((row) => row.source === source).map(({ what }) => what);
    printLine(`${source}: ${whats.join("; ")}`);
  }
}

/** What plans are made and played with. */
interface Setting {
  readonly program: Program;
  readonly digest: string;
  readonly parameters: Parameters;
  readonly profile: Profile;
  readonly kernels: KernelSetting;
  readonly memoryBytes: number;
  readonly overlap: boolean;
  readonly slack: number;
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
  const { config, calibration } = await describeModel(options.model);
  const length = tokenCount(options.tokens, config.maximumTokens);
  const parameters = parametersFor(options.preset, config, length);
  const { program } = compile(config, calibration, parameters, { length, times: referenceTimes });
  const setting: Setting = {
    program,
    digest: digestOf(program),
    parameters,
    profile,
    kernels: await loadKernelSetting(words),
    memoryBytes,
    overlap: options.overlap,
    slack,
  };
  if (options.trace !== undefined && strategies.length > 1)
    throw new AegisError("argument", "--trace: one strategy at a time");
  const play = player(setting);
  const leftOut: { strategy: StrategyName; reason: string }[] = [];
  const results = strategies.flatMap((strategy) => {
    try {
      return [{ strategy, ...compared(play(strategy, devices), play(strategy, 1), devices) }];
    } catch (error) {
      if (strategies.length === 1 || !(error instanceof AegisError && error.code === "plan")) throw error;
      leftOut.push({ strategy, reason: error.message });
      return [];
    }
  });
  if (options.trace !== undefined) {
    const { simulation, timelines } = play(strategies[0] as StrategyName, devices);
    const trace = traceOf(program, simulation, timelines);
    await writeWhole(options.trace, JSON.stringify(trace), "check the path given with --trace");
  }
  const about = {
    model: options.model,
    tokens: program.length,
    devices,
    profile: profile.name,
    words,
    preset: parameters.name,
    layout: program.geometry,
    memoryBytes,
  };
  return {
    ...about,
    ...(options.strategy === "all" ? {} : results[0]),
    strategies: results,
    ...(leftOut.length === 0 ? {} : { leftOut }),
  };
}

interface Played {
  readonly simulation: Simulation;
  readonly timelines: readonly MemoryTimeline[];
  readonly memory: readonly DeviceMemory[];
  readonly bytes: Readonly<Record<ModuleName | "total", number>>;
  readonly breakdown: Breakdown;
  readonly fits: boolean;
  readonly planSeconds: number;
  readonly simulateSeconds: number;
}

/** Plans and plays; what is asked for twice is played once. */
function player({ program, digest, parameters, profile, kernels, ...choice }: Setting) {
  const settings = new Map<number, ReturnType<typeof planSettingOn>>();
  const known = new Map<string, Played>();
  return (strategy: StrategyName, devices: number): Played => {
    // On one device there is nothing to choose.
    const key = devices === 1 ? "1" : `${strategy} ${devices}`;
    const played = known.get(key);
    if (played !== undefined) return played;
    const start = performance.now();
    const setting =
      settings.get(devices) ??
      planSettingOn(program, parameters, digest, machineOf(profile, kernels, parameters, devices));
    settings.set(devices, setting);
    const { plan, memory, bytes } = makePlan(program, setting, {
      devices,
      strategy: devices === 1 ? "aegis" : strategy,
      ...choice,
    });
    const planned = performance.now();
    const simulation = simulate(program, plan, setting.costs, topologyOf(profile, devices));
    const result: Played = {
      simulation,
      timelines: memoryTimelines(program, plan, parameters, setting, simulation),
      memory,
      bytes,
      breakdown: breakdownOf(program, simulation),
      fits: memory.every((one) => leastMemory(one) <= choice.memoryBytes),
      planSeconds: (planned - start) / 1000,
      simulateSeconds: (performance.now() - planned) / 1000,
    };
    known.set(key, result);
    return result;
  };
}

function compared(many: Played, one: Played, devices: number) {
  const { seconds, devices: times } = many.simulation;
  const speedup = one.simulation.seconds / seconds;
  const bytesOf = ({ activations, workspace, keys, total }: DeviceMemory) => ({ activations, workspace, keys, total });
  const fullest = many.memory.reduce((a, b) => (b.total > a.total ? b : a));
  const [alone] = one.memory as [DeviceMemory];
  const work = ({ activations, workspace }: DeviceMemory): number => activations + workspace;
  return {
    seconds,
    speedup,
    efficiency: speedup / devices,
    oneDeviceSeconds: one.simulation.seconds,
    memoryPerDevice: bytesOf(fullest),
    oneDeviceMemory: bytesOf(alone),
    memoryReduction: 1 - fullest.total / alone.total,
    /** Without keys, which every device has that uses them. */
    workReduction: 1 - work(fullest) / work(alone),
    /** Of the fullest device, and when. */
    memoryPeak: peakOf(many.timelines),
    fits: many.fits,
    bytes: many.bytes,
    exposedCommFraction: Math.max(...times.map(({ exposed }) => exposed)) / seconds,
    breakdown: many.breakdown,
    planSeconds: many.planSeconds,
    simulateSeconds: many.simulateSeconds,
  };
}

/** The fullest moment of the fullest device. */
function peakOf(timelines: readonly MemoryTimeline[]) {
  const peaks = timelines.map(({ peak, keys, transforms }, device) => {
    const total = peak.ciphertexts + peak.sums + peak.workspace + transforms + keys;
    return { device, ...peak, transforms, keys, total };
  });
  return peaks.reduce((a, b) => (b.total > a.total ? b : a));
}

/** Seconds of the device that is done last. */
interface Breakdown {
  readonly device: number;
  readonly computeByModule: Readonly<Record<ModuleName, number>>;
  readonly computeByOperation: Readonly<Record<string, number>>;
  /** Waiting for what others send, and for collectives inside operations. */
  readonly exposed: number;
}

function breakdownOf(program: Program, { devices, events }: Simulation): Breakdown {
  const ends = devices.map(({ end }) => end);
  const device = ends.indexOf(Math.max(...ends));
  const computeByModule: Record<ModuleName, number> = { feedForward: 0, selfAttention: 0, other: 0 };
  const computeByOperation: Record<string, number> = {};
  for (const { operation: index, stream, devices: mine, begin, computed } of events) {
    if (stream !== "compute" || !mine.includes(device)) continue;
    const { kind, path } = program.operations[index] as Operation;
    const seconds = computed - begin;
    computeByModule[moduleOf(path)] += seconds;
    if (seconds > 0) computeByOperation[kind] = (computeByOperation[kind] ?? 0) + seconds;
  }
  return { device, computeByModule, computeByOperation, exposed: devices[device]?.exposed ?? 0 };
}

function print(result: Awaited<ReturnType<typeof simulated>>): void {
  const { layout } = result;
  printLine(
    `${result.model}, ${result.tokens} tokens on ${result.devices} × ${result.profile}, ${layout.layout} layout: ${layout.blocks} × ${layout.tokens} tokens of ${layout.lanes} lanes`,
  );
  const percent = (share: number): string => `${(100 * share).toFixed(1)} %`;
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
