/** The aegis command for a list of arguments. Loads no more than the command that is asked for. */
import { createRequire } from "node:module";
import { Command, CommanderError } from "commander";
import { AegisError } from "../base/errors.ts";
import { emphasise } from "./output.ts";

const { version } = createRequire(import.meta.url)("../../package.json") as { version: string };

/** In the order of the help. */
const commands: Readonly<Record<string, () => Promise<Command>>> = {
  run: async () => (await import("./commands/run.ts")).runCommand(),
  compile: async () => (await import("./commands/compile.ts")).compileCommand(),
  calibrate: async () => (await import("./commands/calibrate.ts")).calibrateCommand(),
  accuracy: async () => (await import("./commands/accuracy.ts")).accuracyCommand(),
  plan: async () => (await import("./commands/plan.ts")).planCommand(),
  simulate: async () => (await import("./commands/simulate.ts")).simulateCommand(),
  recommend: async () => (await import("./commands/recommend.ts")).recommendCommand(),
  report: async () => (await import("./commands/report.ts")).reportCommand(),
  devices: async () => (await import("./commands/devices.ts")).devicesCommand(),
  profile: async () => (await import("./commands/profile.ts")).profileCommand(),
  params: async () => (await import("./commands/params.ts")).paramsCommand(),
};

/** The exit code: 0 done, 1 failed, 2 wrong usage. */
export async function runCommandLine(args: readonly string[]): Promise<number> {
  process.exitCode = 0;
  try {
    const program = new Command("aegis")
      .description("Encrypted Transformer inference: the server never sees a word.")
      .version(version)
      .option("--debug", "show stack traces")
      .showHelpAfterError("(aegis --help lists the commands)")
      .exitOverride();
    for (const command of await asked(args))
      program.addCommand(command.exitOverride().option("--debug", "show stack traces"));
    await program.parseAsync(args, { from: "user" });
    // Commands may have done what they were asked for and still answer no.
    return process.exitCode;
  } catch (error) {
    return report(error, args.includes("--debug"));
  }
}

/** The command that is called, or all of them when help or a wrong name needs to know them. */
function asked(args: readonly string[]): Promise<Command[]> {
  const name = args.find((arg) => !arg.startsWith("-"));
  const wanted = name !== undefined && Object.hasOwn(commands, name) ? [commands[name]] : Object.values(commands);
  return Promise.all(wanted.map((make) => (make as () => Promise<Command>)()));
}

function report(error: unknown, debug: boolean): number {
  if (error instanceof CommanderError) {
    return error.exitCode === 0 ? 0 : 2; // commander has printed it
  }
  const text = error instanceof AegisError ? error.describe() : error instanceof Error ? error.message : String(error);
  process.stderr.write(`${emphasise("red", "error:", process.stderr)} ${text}\n`);
  if (debug && error instanceof Error) process.stderr.write(`${error.stack}\n`);
  return 1;
}
