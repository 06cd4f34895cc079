/** `aegis params`: the presets, and a suggestion for a wanted depth and precision. */
import { Command } from "commander";
import { AegisError } from "../../base/errors.ts";
import { bootstrapLevels } from "../../circuits/index.ts";
import {
  describeSecret,
  Parameters,
  type Preset,
  presets,
  type Suggestion,
  suggestParameters,
} from "../../ckks/index.ts";
import { formatBytes, printJson, printLine, table } from "../output.ts";
import { checkPreset } from "../session.ts";

interface Options {
  preset?: string;
  depth?: string;
  precision?: string;
  json?: boolean;
}

export function paramsCommand(): Command {
  return new Command("params")
    .description("list the presets; with --depth, suggest parameters and say why")
    .option("--preset <name>", "show this preset only")
    .option("--depth <n>", "products in a row that a circuit needs")
    .option("--precision <bits>", "bits of precision that results need (default 20)")
    .option("--json", "print one JSON object")
    .action((options: Options) => {
      if (options.preset !== undefined) checkPreset(options.preset);
      const all = Object.entries(presets as Record<string, Preset>);
      const rows = all.filter(([name]) => (options.preset ?? name) === name).map(([, found]) => describe(found));
      const suggestion = options.depth === undefined ? undefined : suggest(options);
      if (options.json === true) printJson({ presets: rows, ...(suggestion === undefined ? {} : { suggestion }) });
      else print(rows, suggestion);
    });
}

function suggest(options: Options): Suggestion {
  const depth = Number(options.depth);
  const precision = options.precision === undefined ? 20 : Number(options.precision);
  if (!Number.isInteger(depth) || depth < 1)
    throw new AegisError("argument", `--depth: expected a positive integer, got ${JSON.stringify(options.depth)}`);
  if (!(precision > 0))
    throw new AegisError(
      "argument",
      `--precision: expected a positive number of bits, got ${JSON.stringify(options.precision)}`,
    );
  return suggestParameters(depth, precision);
}

function describe(preset: Preset) {
  const parameters = new Parameters(preset.spec);
  const boot = parameters.spec.bootstrapping === undefined ? undefined : bootstrapLevels(parameters);
  return {
    name: parameters.name,
    summary: preset.summary,
    security: {
      bits: parameters.securityBits,
      logN: parameters.logN,
      logQP: parameters.logQP,
      secret: describeSecret(parameters.spec.secret),
    },
    logQ: parameters.logQ,
    logP: parameters.logP,
    levels: boot === undefined ? parameters.maximumLevel : boot.output - boot.input,
    logScale: parameters.spec.logScale,
    slots: parameters.maximumSlots,
    digits: parameters.digits.length,
    keyBytes: parameters.keyBytes(parameters.maximumLevel),
    ...(boot === undefined
      ? {}
      : {
          bootstrapping: {
            inputLevel: boot.input,
            outputLevel: boot.output,
            bits: preset.bootstrappingBits,
            logFailure: preset.logFailure,
          },
        }),
  };
}

function print(rows: readonly ReturnType<typeof describe>[], suggestion: Suggestion | undefined): void {
  printLine(
    table(
      ["preset", "security", "N", "log QP", "levels", "scale", "a key", "bootstrapping"],
      rows.map((row) => [
        row.name,
        row.security.bits > 0 ? `${row.security.bits}-bit` : "none",
        `2^${row.security.logN}`,
        row.security.logQP.toFixed(0),
        row.levels,
        `2^${row.logScale}`,
        formatBytes(row.keyBytes.compressed),
        row.bootstrapping === undefined ? "–" : describeBootstrapping(row.bootstrapping),
      ]),
    ),
  );
  for (const row of rows) printLine(`${row.name}: ${row.summary}`);
  if (suggestion === undefined) return;
  printLine();
  printLine(`suggestion: ${suggestion.name}`);
  for (const reason of suggestion.reasons) printLine(`  ${reason}`);
}

function describeBootstrapping({
  bits,
  logFailure,
}: {
  bits: number | undefined;
  logFailure: number | undefined;
}): string {
  return `${bits} bits${logFailure === undefined ? "" : `, fails 2^${logFailure}`}`;
}
