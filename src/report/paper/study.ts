/** What the report on the paper is made of: plans of BERT-Base on the paper's machines, played. */
import { throwIfAborted } from "../../base/errors.ts";
import type { Parameters } from "../../ckks/index.ts";
import { builtinConfig } from "../../model/index.ts";
import { cutStrategies, type StrategyName, strategyNames } from "../../placement/index.ts";
import type { Program } from "../../program/index.ts";
import {
  type CalibrationRow,
  type Comparison,
  calibrationRows,
  loadKernelSetting,
  loadProfile,
  type PaperStyle,
  type Played,
  type Profile,
  paperStyleMemory,
  Study,
  type StudySetting,
} from "../../simulator/index.ts";
import { compile, referenceTimes, typicalCalibration } from "../../transformer/index.ts";

export interface PaperOptions {
  readonly parameters: Parameters;
  /** The paper's model, and lengths of texts up to the paper's, ascending, unless others are asked for. */
  readonly model?: string;
  readonly lengths?: readonly number[];
  /** Numbers of devices beyond the paper's four. */
  readonly more?: readonly number[];
  /** The simulator beside published figures, where it is at hand. */
  readonly calibration?: readonly CalibrationRow[];
  /** SHA-256 of a program. */
  readonly digest: (program: Program) => string;
  /** Called before each part. */
  readonly onProgress?: (what: string) => void;
  readonly signal?: AbortSignal;
}

/** Memory of the fullest device, by what fills it. */
export interface MemoryBar {
  readonly tokens: number;
  readonly devices: number;
  readonly activations: number;
  readonly workspace: number;
  readonly keys: number;
  readonly total: number;
  readonly fits: boolean;
  /** Of an inference. */
  readonly seconds: number;
}

/** One matrix product between ciphertexts' features on two devices. */
export interface MatrixProduct {
  readonly strategy: StrategyName;
  readonly compute: number;
  /** Waiting for others, before and inside. */
  readonly exposed: number;
}

export interface AblationStep {
  readonly name: string;
  readonly comparison: Comparison;
}

export interface PaperStudy {
  readonly parameters: Parameters;
  readonly program: Program;
  readonly machines: readonly Profile[];
  readonly calibration: readonly CalibrationRow[];
  readonly memory: readonly MemoryBar[];
  readonly matrix: readonly MatrixProduct[];
  /** By strategy on the paper's larger machine. */
  readonly strategies: readonly Comparison[];
  /** The fastest plan, whatever it sends. */
  readonly fastest: Comparison;
  readonly scaling: readonly { readonly profile: string; readonly comparison: Comparison }[];
  readonly ablation: readonly AblationStep[];
  readonly paperStyle: PaperStyle | undefined;
  readonly timeline: Played;
}

export const paperModel = "bert-base";
export const paperDevices = 4;
const paperLengths = [128, 256, 512, 1024, 2048] as const;
const beyondPaper = [8, 16, 64] as const;

/** All of it; about a minute. Throws `aborted` when asked to stop. */
export async function paperStudy({
  parameters,
  digest,
  model = paperModel,
  lengths = paperLengths,
  more = beyondPaper,
  calibration: given,
  onProgress,
  signal,
}: PaperOptions): Promise<PaperStudy> {
  const step = async (what: string): Promise<void> => {
    // So that a status can be drawn, and an interrupt be seen.
    await new Promise((resolve) => setImmediate(resolve));
    throwIfAborted(signal);
    onProgress?.(what);
  };
  const [large, pair] = [await loadProfile("a100-40"), await loadProfile("a6000")];
  const kernels = await loadKernelSetting(32);
  const settingOf = (program: Program, profile: Profile, others: Partial<StudySetting> = {}): StudySetting => ({
    program,
    digest: digest(program),
    parameters,
    profile,
    kernels,
    memoryBytes: profile.memory.value,
    ...others,
  });
  const tokens = lengths.at(-1) as number;
  const config = builtinConfig(model, tokens);
  const calibrated = typicalCalibration(config);
  const programOf = (length: number, lower = true): Program =>
    compile(config, calibrated, parameters, { length, times: referenceTimes, layout: "long", lower }).program;

  const memory: MemoryBar[] = [];
  let study: Study | undefined;
  for (const length of lengths) {
    await step(`${length} tokens on one device and on ${paperDevices}`);
    study = new Study(settingOf(programOf(length), large));
    for (const devices of [1, paperDevices]) {
      const { memoryPerDevice, fits, seconds } = study.compare("aegis", devices);
      memory.push({ tokens: length, devices, ...memoryPerDevice, fits, seconds });
    }
  }
  const main = study as Study;
  const { program } = main.setting;

  const strategies: Comparison[] = [];
  for (const strategy of strategyNames) {
    await step(`${strategy} on ${paperDevices} × ${large.title}`);
    strategies.push(main.compare(strategy, paperDevices));
  }
  await step("the fastest plan");
  const fastest = new Study({ ...main.setting, slack: 0 }).compare("aegis", paperDevices);

  await step(`a matrix product on two ${pair.title}`);
  const onPair = new Study(settingOf(program, pair));
  const matrix = matrixProduct(onPair);

  const scaling: { profile: string; comparison: Comparison }[] = [];
  for (const devices of [1, 2]) scaling.push({ profile: pair.name, comparison: onPair.compare("aegis", devices) });
  for (const devices of [1, 2, paperDevices, ...more]) {
    await step(`${devices} × ${large.title}`);
    scaling.push({ profile: large.name, comparison: main.compare("aegis", devices) });
  }

  await step("what each part of the design gains");
  const ablation = ablate(programOf(tokens, false), main, settingOf);
  await step("the simulator beside published figures");
  const calibration = given ?? (await calibrationRows());
  const { keys } = (strategies[0] as Comparison).memoryPerDevice;
  return {
    parameters,
    program,
    machines: [pair, large],
    calibration,
    memory,
    matrix,
    strategies,
    fastest,
    scaling,
    ablation,
    paperStyle: paperStyleMemory(program, parameters, paperDevices, keys),
    timeline: main.play("aegis", paperDevices),
  };
}

/** Strategies that stand for each other in a matrix product are left out. */
const matrixStrategies: readonly StrategyName[] = ["aegis", "tensor", ...cutStrategies];

/** The matrix product after attention, in the second layer, as each strategy's plan has it. */
function matrixProduct(study: Study): MatrixProduct[] {
  const { operations } = study.setting.program;
  const index = operations.findIndex(
    ({ kind, path, outputs }) =>
      kind === "linear" && path[0] === "layer 1" && path[1] === "attention" && outputs.length === 1,
  );
  return matrixStrategies.flatMap((strategy): MatrixProduct[] => {
    const played = study.tryPlay(strategy, 2);
    if (played === undefined) return [];
    const { events, devices } = played.simulation;
    return [{ strategy, ...timesOf(index, events, devices.length) }];
  });
}

/** Seconds of one operation on the device that takes longest over it. */
function timesOf(operation: number, events: Played["simulation"]["events"], devices: number) {
  const compute = new Float64Array(devices);
  const exposed = new Float64Array(devices);
  const free = new Float64Array(devices);
  for (const event of events) {
    if (event.stream !== "compute") continue;
    for (const device of event.devices) {
      if (event.operation === operation) {
        compute[device] = (compute[device] as number) + event.computed - event.begin;
        exposed[device] =
          (exposed[device] as number) + event.end - event.computed + event.begin - (free[device] as number);
      }
      free[device] = event.end;
    }
  }
  const sums = Array.from(compute, (seconds, device) => seconds + (exposed[device] as number));
  const slowest = sums.indexOf(Math.max(...sums));
  return { compute: compute[slowest] as number, exposed: exposed[slowest] as number };
}

/**
 * One part of the design after another: placement alone, ciphertexts sent with the limbs that their readers need,
 * communication beside computation, weights in subrings. Each is planned anew.
 */
function ablate(
  unlowered: Program,
  main: Study,
  settingOf: (program: Program, profile: Profile, others?: Partial<StudySetting>) => StudySetting,
): AblationStep[] {
  const { program, profile } = main.setting;
  // Sums of products whose plaintexts have a coefficient for every slot.
  const dense: StudySetting["times"] = (times) => ({ ...times, runSums: times.productSums });
  const of = (setting: StudySetting): Comparison => new Study(setting).compare("aegis", paperDevices);
  return [
    { name: "placement", comparison: of(settingOf(unlowered, profile, { overlap: false, times: dense })) },
    { name: "+ slice reduction", comparison: of(settingOf(program, profile, { overlap: false, times: dense })) },
    { name: "+ reordering", comparison: of(settingOf(program, profile, { times: dense })) },
    { name: "+ subring weights", comparison: main.compare("aegis", paperDevices) },
  ];
}

/** The best design that cuts every ciphertext, by what it sends for a part of the model. */
export function bestCut(strategies: readonly Comparison[], module: "feedForward" | "selfAttention"): Comparison {
  const cut = strategies.filter(({ strategy }) => (cutStrategies as readonly string[]).includes(strategy));
  return cut.reduce((best, one) => (one.bytes[module] < best.bytes[module] ? one : best));
}
