/** `aegis accuracy`: the plaintext twin against the exact model on a data set. */
import { Command } from "commander";
import { AegisError } from "../../base/errors.ts";
import { argmax, embed, loadTestSet, referenceForward } from "../../model/index.ts";
import { buildGraph, chooseGeometry, Twin } from "../../transformer/index.ts";
import { interruptSignal, printJson, printLine, StatusLine, table } from "../output.ts";
import { checkPreset, defaultPreset, loadModel } from "../session.ts";

interface Options {
  model: string;
  limit?: string;
  preset: string;
  json?: boolean;
}

export function accuracyCommand(): Command {
  return new Command("accuracy")
    .description("accuracy of the plaintext twin (the encrypted computation without encryption) and of the exact model")
    .requiredOption("--model <dir>", "checkpoint directory")
    .option("--limit <n>", "use the first n texts of the test split")
    .option("--preset <name>", "encryption parameters (they do not change the result)", defaultPreset)
    .option("--json", "print one JSON object")
    .action(async (options: Options) => {
      const result = await accuracy(options);
      if (options.json === true) printJson(result);
      else print(result);
    });
}

async function accuracy(options: Options) {
  const start = performance.now();
  checkPreset(options.preset);
  const { checkpoint, calibration } = await loadModel(options.model);
  const all = await loadTestSet(options.model);
  const limit = options.limit === undefined ? all.length : Number(options.limit);
  if (!Number.isInteger(limit) || limit < 1)
    throw new AegisError("argument", `--limit: expected a positive integer, got ${JSON.stringify(options.limit)}`);
  const examples = all.slice(0, limit);
  const signal = interruptSignal();
  const status = new StatusLine();
  const twin = new Twin(checkpoint);
  const { config } = checkpoint;
  let exact = 0;
  let approximate = 0;
  let agreeing = 0;
  let largestError = 0;
  let outside = 0;
  for (const [index, example] of examples.entries()) {
    if (signal.aborted) throw new AegisError("aborted", "cancelled");
    if (index % 8 === 0) {
      status.show(`text ${index + 1} of ${examples.length}`);
      await new Promise((resolve) => setImmediate(resolve));
    }
    const ids = checkpoint.tokenizer.encode(example.text, { truncate: true });
    const reference = referenceForward(checkpoint, ids);
    const geometry = chooseGeometry(config, ids.length, Number.POSITIVE_INFINITY);
    const result = twin.run(buildGraph(config, calibration, geometry, ids.length), embed(checkpoint, ids));
    const label = argmax(result.logits);
    if (reference.labelIndex === example.label) exact++;
    if (label === example.label) approximate++;
    if (label === reference.labelIndex) agreeing++;
    if (result.excursions.length > 0) outside++;
    for (const [i, logit] of result.logits.entries())
      largestError = Math.max(largestError, Math.abs(logit - (reference.logits[i] as number)));
  }
  status.clear();
  return {
    model: options.model,
    texts: examples.length,
    exact: exact / examples.length,
    twin: approximate / examples.length,
    lostPoints: (100 * (exact - approximate)) / examples.length,
    agreement: agreeing / examples.length,
    largestLogitError: largestError,
    /** Texts on which some value left its calibrated interval. */
    outsideCalibration: outside,
    seconds: (performance.now() - start) / 1000,
  };
}

function print(result: Awaited<ReturnType<typeof accuracy>>): void {
  const percent = (share: number): string => `${(100 * share).toFixed(2)} %`;
  printLine(
    table(
      ["", "accuracy"],
      [
        ["exact model", percent(result.exact)],
        ["plaintext twin", percent(result.twin)],
      ],
    ),
  );
  printLine(
    `same label on ${percent(result.agreement)} of ${result.texts} texts; largest difference of a logit ${result.largestLogitError.toExponential(1)}`,
  );
  if (result.outsideCalibration > 0)
    printLine(`${result.outsideCalibration} texts have values outside of the calibrated intervals`);
}
