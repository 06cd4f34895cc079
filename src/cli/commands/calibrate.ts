/** `aegis calibrate`: observes a model on texts and writes calibration.json beside it. */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { Command } from "commander";
import { AegisError } from "../../base/errors.ts";
import {
  type Checkpoint,
  calibrationTexts,
  loadCheckpoint,
  loadRanges,
  loadTestSet,
  RangeRecorder,
  type RangeTable,
  referenceForward,
} from "../../model/index.ts";
import {
  bootstrapPlaces,
  type Calibration,
  calibrate,
  calibrationFile,
  compile,
  type FittedFunction,
  referenceTimes,
} from "../../transformer/index.ts";
import { interruptSignal, printJson, printLine, StatusLine, table, writeWhole } from "../output.ts";
import { defaultPreset, parametersFor } from "../session.ts";

/** Length that bootstrap positions are written down for. */
const scheduledTokens = 32;

interface Options {
  model: string;
  texts?: string;
  limit?: string;
  preset: string;
  json?: boolean;
}

export function calibrateCommand(): Command {
  return new Command("calibrate")
    .description("observe activations, fit polynomials, write calibration.json beside the checkpoint")
    .requiredOption("--model <dir>", "checkpoint directory")
    .option("--texts <file>", "one text a line; default: the training part of the model's data set")
    .option("--limit <n>", "use at most n texts")
    .option("--preset <name>", "encryption parameters to place bootstraps for", defaultPreset)
    .option("--json", "print the calibration")
    .action(async (options: Options) => {
      const calibration = await calibrateModel(options);
      const path = join(options.model, calibrationFile);
      await writeWhole(path, `${JSON.stringify(calibration, null, 1)}\n`, "check that the directory is writable");
      if (options.json === true) printJson(calibration);
      else print(calibration, path);
    });
}

async function calibrateModel(options: Options): Promise<Calibration> {
  const checkpoint = await loadCheckpoint(options.model);
  const signal = interruptSignal();
  const { texts, source, known } = await textsFor(options);
  const limit = options.limit === undefined ? texts.length : Number(options.limit);
  if (!Number.isInteger(limit) || limit < 1)
    throw new AegisError("argument", `--limit: expected a positive integer, got ${JSON.stringify(options.limit)}`);
  const used = texts.slice(0, limit);
  if (used.length === 0)
    throw new AegisError("input", "no texts to calibrate on", { hint: "give some with --texts FILE, one a line" });
  const ranges = await observe(checkpoint, used, signal);
  const calibration = calibrate(checkpoint, { ...ranges, ...known }, { texts: used.length, source });
  const schedule = scheduleOf(checkpoint, calibration, options.preset);
  return schedule === undefined ? calibration : { ...calibration, schedule };
}

/** Bootstrap positions for a text of the default length; none where it does not fit one ciphertext. */
function scheduleOf(checkpoint: Checkpoint, calibration: Calibration, presetName: string): Calibration["schedule"] {
  const { config } = checkpoint;
  const tokens = Math.min(scheduledTokens, config.maximumTokens);
  try {
    const parameters = parametersFor(presetName, config, tokens);
    const { program } = compile(config, calibration, parameters, { length: tokens, times: referenceTimes });
    return { preset: presetName, tokens, bootstraps: bootstrapPlaces(program) };
  } catch (error) {
    if (error instanceof AegisError && error.code === "program") return undefined;
    throw error;
  }
}

/**
 * The training part where it is at hand. Where only test texts are (their training part is not
 * shipped), the stored ranges of the training part stand for what they cover.
 */
async function textsFor(options: Options): Promise<{ texts: readonly string[]; source: string; known: RangeTable }> {
  if (options.texts !== undefined) {
    try {
      const lines = (await readFile(options.texts, "utf8")).split("\n").filter((line) => line.trim() !== "");
      return { texts: lines, source: "given texts", known: {} };
    } catch (error) {
      throw new AegisError("io", `${options.texts}: cannot be read`, {
        hint: "check the path given with --texts",
        cause: error,
      });
    }
  }
  const texts = await calibrationTexts(options.model);
  if (texts.length > 0) return { texts, source: "training part", known: {} };
  const { train } = await loadRanges(options.model);
  const test = await loadTestSet(options.model);
  return {
    texts: test.map((example) => example.text),
    source: "stored ranges of the training part, bounds from test texts",
    known: train,
  };
}

async function observe(checkpoint: Checkpoint, texts: readonly string[], signal: AbortSignal): Promise<RangeTable> {
  const recorder = new RangeRecorder();
  const status = new StatusLine();
  for (const [index, text] of texts.entries()) {
    if (signal.aborted) throw new AegisError("aborted", "calibration was cancelled; nothing was written");
    if (index % 16 === 0) {
      status.show(`observing text ${index + 1} of ${texts.length}`);
      await new Promise((resolve) => setImmediate(resolve));
    }
    referenceForward(checkpoint, checkpoint.tokenizer.encode(text, { truncate: true }), { observe: recorder.observe });
  }
  status.clear();
  return recorder.ranges();
}

function print(calibration: Calibration, path: string): void {
  const rows: (string | number)[][] = [];
  const add = (name: string, { interval, degree, depth, maximumError, measure }: FittedFunction): void => {
    rows.push([
      name,
      `[${interval[0].toFixed(3)}, ${interval[1].toFixed(3)}]`,
      degree,
      depth,
      `2^${Math.log2(maximumError).toFixed(1)} ${measure}`,
    ]);
  };
  for (const [l, layer] of calibration.layers.entries()) {
    add(`layer ${l}: exp`, layer.exp);
    add(`layer ${l}: 1/x of the softmax`, layer.inverse);
    add(`layer ${l}: 1/√x of the attention norm`, layer.attentionNorm);
    add(`layer ${l}: activation`, layer.activation);
    add(`layer ${l}: 1/√x of the output norm`, layer.outputNorm);
  }
  add("pooler: tanh", calibration.pooler);
  printLine(table(["function", "interval", "degree", "levels", "largest error"], rows));
  for (const { before, refreshes, from, to } of calibration.schedule?.bootstraps ?? []) {
    printLine(`bootstrap before ${before}: ${refreshes.join(", ")}, level ${from} → ${to}`);
  }
  printLine(`${calibration.texts} texts (${calibration.source}); written to ${path}`);
}
