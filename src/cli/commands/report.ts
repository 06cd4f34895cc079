/** `aegis report paper`: what the paper shows, reproduced. */
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { Command } from "commander";
import { AegisError } from "../../base/errors.ts";
import { Parameters, preset } from "../../ckks/index.ts";
import {
  figuresOf,
  formatFigure,
  headlines,
  htmlOf,
  type PaperStudy,
  pageOf,
  paperModel,
  paperStudy,
  traceOf,
} from "../../report/index.ts";
import { digestOf } from "../../runtime/index.ts";
import { formatSeconds, interruptSignal, printJson, printLine, StatusLine, table, writeWhole } from "../output.ts";
import { defaultPreset } from "../session.ts";

interface Options {
  out: string;
  json?: boolean;
}

export function reportCommand(): Command {
  return new Command("report")
    .description("reports for people to look at: a page, drawings, data")
    .argument("<what>", "paper: what the AEGIS paper shows, reproduced by simulation")
    .option("--out <dir>", "folder to write to", "report")
    .option("--json", "print one JSON object")
    .action(async (what: string, { out, json }: Options) => {
      if (what !== "paper")
        throw new AegisError("argument", `report: expected paper, got ${JSON.stringify(what.slice(0, 40))}`);
      await mkdir(out, { recursive: true }).catch((cause: unknown) => {
        throw new AegisError("io", `--out: ${out} cannot be made`, { cause });
      });
      const start = performance.now();
      const status = new StatusLine();
      let study: PaperStudy;
      try {
        study = await paperStudy({
          parameters: new Parameters(preset(defaultPreset).spec),
          digest: digestOf,
          onProgress: (part) => status.show(`simulating ${part}`),
          signal: interruptSignal(),
        });
      } finally {
        status.clear();
      }
      const data = dataOf(study);
      const files = await write(out, study, data);
      if (json === true) return printJson({ ...data, files });
      print(study, files, (performance.now() - start) / 1000);
    });
}

/** All figures of the report. */
function dataOf(study: PaperStudy) {
  const { parameters, program, calibration, memory, matrix, strategies, fastest, scaling, ablation, paperStyle } =
    study;
  return {
    model: paperModel,
    tokens: program.length,
    preset: parameters.name,
    layout: program.geometry,
    headlines: headlines(study),
    memory,
    matrixProduct: matrix,
    strategies,
    fastest,
    scaling,
    ablation,
    paperStyle: paperStyle ?? null,
    calibration,
  };
}

async function write(out: string, study: PaperStudy, data: ReturnType<typeof dataOf>): Promise<string[]> {
  const figures = await figuresOf(study);
  const hint = "check the path given with --out";
  const files: string[] = [];
  const add = async (name: string, text: string): Promise<void> => {
    await writeWhole(join(out, name), text, hint);
    files.push(join(out, name));
  };
  await add("index.html", htmlOf(pageOf(study, figures)));
  for (const { name, svg } of figures) await add(`${name}.svg`, `${svg}\n`);
  await add("report.json", `${JSON.stringify(data, null, 2)}\n`);
  await add("trace.json", JSON.stringify(traceOf(study.program, study.timeline.simulation)));
  return files;
}

function print(study: PaperStudy, files: readonly string[], seconds: number): void {
  printLine(
    table(
      ["", "here", "paper", "aim", ""],
      headlines(study).map(({ what, ours, paper, aim, better, reached, unit }) => [
        what,
        formatFigure(ours, unit),
        paper === null ? "" : formatFigure(paper, unit),
        aim === null ? "" : `${better === "more" ? "≥" : "≤"} ${formatFigure(aim, unit)}`,
        reached === null ? "" : reached ? "reached" : "missed",
      ]),
    ),
  );
  const forecasts = study.calibration.filter(({ role }) => role === "forecast");
  const worst = Math.max(...forecasts.map(({ error }) => Math.abs(error)));
  printLine(`simulated: kernels fitted to published figures, forecasts of others within ${(100 * worst).toFixed(0)} %`);
  printLine(`written in ${formatSeconds(seconds)}: ${files.join(", ")}`);
}
