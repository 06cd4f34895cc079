#!/usr/bin/env node
/** The aegis command. Exit codes: 0 done, 1 failed, 2 wrong usage. */
import { createRequire } from "node:module";
import { Command, CommanderError } from "commander";
import { AegisError } from "../base/errors.ts";
import { accuracyCommand } from "./commands/accuracy.ts";
import { calibrateCommand } from "./commands/calibrate.ts";
import { compileCommand } from "./commands/compile.ts";
import { devicesCommand } from "./commands/devices.ts";
import { paramsCommand } from "./commands/params.ts";
import { planCommand } from "./commands/plan.ts";
import { profileCommand } from "./commands/profile.ts";
import { recommendCommand } from "./commands/recommend.ts";
import { reportCommand } from "./commands/report.ts";
import { runCommand } from "./commands/run.ts";
import { simulateCommand } from "./commands/simulate.ts";
import { emphasise } from "./output.ts";

const { version } = createRequire(import.meta.url)("../../package.json") as { version: string };

const program = new Command("aegis")
  .description("Encrypted Transformer inference: the server never sees a word.")
  .version(version)
  .option("--debug", "show stack traces")
  .showHelpAfterError("(aegis --help lists the commands)")
  .exitOverride();

for (const make of [
  runCommand,
  compileCommand,
  calibrateCommand,
  accuracyCommand,
  planCommand,
  simulateCommand,
  recommendCommand,
  reportCommand,
  devicesCommand,
  profileCommand,
  paramsCommand,
]) {
  program.addCommand(make().exitOverride().option("--debug", "show stack traces"));
}

// Whoever reads may stop reading, as `| head` does.
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code !== "EPIPE") throw error;
  process.exit();
});

try {
  await program.parseAsync();
} catch (error) {
  process.exitCode = report(error);
}

function report(error: unknown): number {
  if (error instanceof CommanderError) {
    return error.exitCode === 0 ? 0 : 2; // commander has printed it
  }
  const debug = process.argv.includes("--debug");
  const text = error instanceof AegisError ? error.describe() : error instanceof Error ? error.message : String(error);
  process.stderr.write(`${emphasise("red", "error:", process.stderr)} ${text}\n`);
  if (debug && error instanceof Error) process.stderr.write(`${error.stack}\n`);
  return 1;
}
