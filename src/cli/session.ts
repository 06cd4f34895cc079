/** What several commands start from: a model with its calibration, parameters, a compiled program. */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { AegisError } from "../base/errors.ts";
import { bootstrapLevels } from "../circuits/index.ts";
import { Context, Parameters, preset } from "../ckks/index.ts";
import type { Backend } from "../kernels/index.ts";
import { type Checkpoint, loadCheckpoint, type ModelConfig } from "../model/index.ts";
import { type Program, verifyProgram } from "../program/index.ts";
import { keyBudget, keyTraffic, measurePaging, type Requirements } from "../runtime/index.ts";
import {
  type Calibration,
  type Compiled,
  calibrationFile,
  chooseGeometry,
  compile,
  forecastSeconds,
  type KernelTimes,
  longTokens,
  parseCalibration,
} from "../transformer/index.ts";
import { warn } from "./output.ts";

export const defaultPreset = "bootstrap-16";
const insecurePreset = "insecure-test";

export interface Model {
  readonly checkpoint: Checkpoint;
  readonly calibration: Calibration;
}

/** A checkpoint and the calibration beside it. */
export async function loadModel(directory: string): Promise<Model> {
  const checkpoint = await loadCheckpoint(directory);
  return { checkpoint, calibration: await loadCalibration(directory, checkpoint) };
}

async function loadCalibration(directory: string, checkpoint: Checkpoint): Promise<Calibration> {
  const path = join(directory, calibrationFile);
  let text: string;
  try {
    text = await readFile(path, "utf8");
  } catch (error) {
    throw new AegisError("model", `${path}: cannot be read`, {
      hint: `run aegis calibrate --model ${directory} first`,
      cause: error,
    });
  }
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (error) {
    throw new AegisError("format", `${path}: not JSON`, {
      hint: `run aegis calibrate --model ${directory} to write it anew`,
      cause: error,
    });
  }
  return parseCalibration(json, checkpoint);
}

/** Throws `argument` for a name that no preset has; warns of one without security. */
export function checkPreset(name: string): void {
  preset(name);
  if (name === insecurePreset) warn("parameters insecure-test give no security: for tests only");
}

/**
 * Parameters of a preset for texts of `length` tokens. The insecure test preset takes the smallest
 * ring that they fit, so that any command runs on it.
 */
export function parametersFor(name: string, config: ModelConfig, length: number): Parameters {
  checkPreset(name);
  const { spec } = preset(name);
  if (name !== insecurePreset) return new Parameters(spec);
  // The long layout fits on any ring.
  if (length >= longTokens) return new Parameters(spec);
  const { tokens, width } = chooseGeometry(config, length, Number.POSITIVE_INFINITY);
  const logN = Math.min(16, Math.max(spec.logN, Math.log2(tokens * width) + 2));
  return new Parameters({ ...spec, logN });
}

/** Throws `program` when a program from outside is of another model, length or preset. */
export function checkProgram(program: Program, checkpoint: string, parameters: Parameters, length: number): void {
  const hint = "compile the model again for this text (aegis compile --text … --out FILE)";
  if (program.checkpoint !== checkpoint)
    throw new AegisError("program", "--program: compiled for another model (its checkpoint differs)", { hint });
  if (program.preset !== parameters.name)
    throw new AegisError("program", `--program: compiled for parameters ${program.preset}, not ${parameters.name}`, {
      hint,
    });
  if (program.length !== length)
    throw new AegisError("program", `--program: compiled for ${program.length} tokens, the text has ${length}`, {
      hint,
    });
  const levels = bootstrapLevels(parameters);
  verifyProgram(program, {
    maximumSlots: parameters.maximumSlots,
    maximumLevel: parameters.maximumLevel,
    bootstrapLevel: levels.output,
    bootstrapInput: levels.input,
  });
}

export interface Session {
  readonly context: Context;
  readonly times: KernelTimes;
  readonly compiled: Compiled;
}

/**
 * Compiles for a text of `length` tokens.
 *
 * @param timesOf measures the device that will run it, for parameters of this ring
 * @param given a program that was compiled before; throws `program` when it is not for this model, length and preset
 */
export async function prepare(
  model: Model,
  presetName: string,
  length: number,
  backend: Backend,
  timesOf: (parameters: Parameters) => Promise<KernelTimes>,
  given?: Program,
): Promise<Session> {
  const { config } = model.checkpoint;
  const parameters = parametersFor(presetName, config, length);
  if (parameters.spec.bootstrapping === undefined) {
    throw new AegisError("parameters", `preset ${presetName} cannot bootstrap, which encrypted Transformers need`, {
      hint: `use ${defaultPreset}`,
    });
  }
  if (given !== undefined) checkProgram(given, model.checkpoint.digest, parameters, length);
  const context = new Context(parameters, backend);
  const times = await timesOf(parameters);
  const compiled =
    given === undefined
      ? compile(config, model.calibration, parameters, { length, times })
      : { program: given, seconds: forecastSeconds(given, parameters, times) };
  return { context, times, compiled };
}

/** Seconds that a device is expected to page keys into its memory for. */
export function pagingSeconds({ context }: Session, needed: Requirements, memoryBytes: number): number {
  return keyTraffic(needed, keyBudget(memoryBytes, needed)) * measurePaging(context);
}
