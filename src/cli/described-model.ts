/** What commands that run nothing need to know of a model: a configuration alone will do. */
import { stat } from "node:fs/promises";
import { join } from "node:path";
import { AegisError } from "../base/errors.ts";
import { builtinModel, builtinModelNames, type DescribedModel, describedModel } from "../model/index.ts";
import { type Calibration, typicalCalibration } from "../transformer/index.ts";
import { parseInteger, readText } from "./arguments.ts";
import { loadModel } from "./session.ts";

export const defaultTokens = 128;
/** Most tokens of a model that is known by its name. */
const mostTokens = 8192;

/** How `--model` is explained. */
export const modelHelp = `checkpoint directory, config.json, or ${builtinModelNames.join(", ")}`;

/** A model to plan for. */
export type PlannedModel = DescribedModel & { readonly calibration: Calibration };

/** A checkpoint with its calibration, or a configuration with typical ranges. */
export async function describeModel(model: string): Promise<PlannedModel> {
  const alone = (described: DescribedModel): PlannedModel => ({
    ...described,
    calibration: typicalCalibration(described.config),
  });
  if (builtinModelNames.includes(model)) return alone(builtinModel(model, mostTokens));
  if (model.endsWith(".json")) return alone(await configFile(model));
  const exists = async (name: string): Promise<boolean> =>
    stat(join(model, name)).then(
      () => true,
      () => false,
    );
  if ((await exists("config.json")) && !(await exists("model.safetensors")))
    return alone(await configFile(join(model, "config.json")));
  const { checkpoint, calibration } = await loadModel(model);
  return { config: checkpoint.config, calibration, simplified: [] };
}

async function configFile(path: string): Promise<DescribedModel> {
  const text = await readText(path, "--model");
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (cause) {
    throw new AegisError("format", `${path}: not JSON`, { cause });
  }
  return describedModel(json, path);
}

/** As told; otherwise as many as the program or the model is for, or a middling text. */
export function tokenCount(value: string | undefined, maximum: number, given?: number): number {
  return value === undefined ? Math.min(given ?? defaultTokens, maximum) : parseInteger("--tokens", value, 1, maximum);
}
