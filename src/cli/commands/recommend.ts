/** `aegis recommend`: which devices, and how many, for a deadline or a budget. */
import { Command } from "commander";
import { AegisError, throwIfAborted } from "../../base/errors.ts";
import { maximumDevices } from "../../placement/index.ts";
import { digestOf } from "../../runtime/index.ts";
import { loadKernelSetting, loadProfile, type Profile, profileNames, recommend, Study } from "../../simulator/index.ts";
import { compile, referenceTimes } from "../../transformer/index.ts";
import { parseInteger } from "../arguments.ts";
import { defaultTokens, describeModel, modelHelp, tokenCount } from "../described-model.ts";
import { formatBytes, formatSeconds, interruptSignal, printJson, printLine, StatusLine, table } from "../output.ts";
import { defaultPreset, parametersFor } from "../session.ts";

interface Options {
  model: string;
  tokens?: string;
  deadline?: string;
  budget?: string;
  preset: string;
  json?: boolean;
}

export function recommendCommand(): Command {
  return new Command("recommend")
    .description("which devices, how many of them, and which strategy")
    .requiredOption("--model <name>", modelHelp)
    .option("--tokens <n>", `tokens of the text (default ${defaultTokens})`)
    .option("--deadline <time>", "longest that an inference may take, such as 90s, 10min or 2h")
    .option("--budget <devices>", 'devices that there are, such as "4x a100-40", or a .json profile')
    .option("--preset <name>", "encryption parameters", defaultPreset)
    .option("--json", "print one JSON object")
    .action(async (options: Options) => {
      const status = new StatusLine();
      try {
        const result = await recommended(options, status);
        status.clear();
        if (options.json === true) printJson(result);
        else print(result);
        if (result.recommendation === null) process.exitCode = 1;
      } finally {
        status.clear();
      }
    });
}

const units: Readonly<Record<string, number>> = { s: 1, min: 60, h: 3600 };
const longest = 365 * 24 * 3600;

function parseDuration(name: string, text: string): number {
  const match = /^\s*(\d+(?:\.\d+)?)\s*(s|min|h)\s*$/.exec(text);
  const seconds = match === null ? Number.NaN : Number(match[1]) * (units[match[2] as string] as number);
  if (!(seconds > 0 && seconds <= longest))
    throw new AegisError(
      "argument",
      `${name}: expected a time such as 90s, 10min or 2h, got ${JSON.stringify(text.slice(0, 60))}`,
    );
  return seconds;
}

async function parseBudget(text: string): Promise<{ profile: Profile; most: number }> {
  const match = /^\s*(\d+)\s*(?:x|×|\s)\s*(\S+)\s*$/i.exec(text);
  if (match === null)
    throw new AegisError(
      "argument",
      `--budget: expected devices such as "4x a100-40", got ${JSON.stringify(text.slice(0, 60))}`,
    );
  const most = parseInteger("--budget", match[1] as string, 1, maximumDevices);
  return { profile: await loadProfile(match[2] as string), most };
}

async function recommended({ model, tokens, deadline, budget, preset }: Options, status: StatusLine) {
  if (deadline === undefined && budget === undefined)
    throw new AegisError("argument", "neither --deadline nor --budget is given", {
      hint: 'such as --deadline 10min, or --budget "4x a100-40"',
    });
  const seconds = deadline === undefined ? undefined : parseDuration("--deadline", deadline);
  const machines = budget === undefined ? await allMachines() : [await parseBudget(budget)];
  const described = await describeModel(model);
  const { config, calibration, simplified } = described;
  const length = tokenCount(tokens, config.maximumTokens, described.tokens);
  const parameters = parametersFor(preset, config, length);
  const signal = interruptSignal();
  status.show("compiling");
  const { program } = compile(config, calibration, parameters, { length, times: referenceTimes });
  const kernels = await loadKernelSetting(32);
  const digest = digestOf(program);
  const studies = new Map<string, Study>();
  const found = await recommend({
    ...(seconds !== undefined && { deadline: seconds }),
    machines,
    study: (profile) => {
      const known =
        studies.get(profile.name) ??
        new Study({ program, digest, parameters, profile, kernels, memoryBytes: profile.memory.value });
      studies.set(profile.name, known);
      return known;
    },
    onProgress: async (what) => {
      await new Promise((resolve) => setImmediate(resolve));
      throwIfAborted(signal);
      status.show(`simulating ${what}`);
    },
  });
  const { choice, why, others, strategies } = found;
  return {
    model,
    tokens: program.length,
    ...(seconds !== undefined && { deadlineSeconds: seconds }),
    parameters: {
      preset: parameters.name,
      logN: parameters.logN,
      logQP: parameters.logQP,
      securityBits: parameters.securityBits,
      why:
        parameters.securityBits >= 128
          ? "128-bit security by the published tables, with bootstrapping and the levels that a layer needs between two of them"
          : "as asked for, without security",
    },
    recommendation: choice ?? null,
    why,
    others,
    strategies,
    simplified,
  };
}

async function allMachines(): Promise<{ profile: Profile; most: number }[]> {
  const profiles = await Promise.all((await profileNames()).map(loadProfile));
  return profiles
    .filter(({ kind }) => kind === "gpu")
    .map((profile) => ({ profile, most: 2 * profile.devicesPerHost.value }));
}

/** Options that are shown beside the choice. */
const shownOthers = 6;

function print(result: Awaited<ReturnType<typeof recommended>>): void {
  const { recommendation: choice, why, others, strategies, parameters, simplified } = result;
  const { preset, logN, logQP } = parameters;
  if (choice === null) printLine(`${result.model}, ${result.tokens} tokens: ${why}`);
  else {
    printLine(
      `${result.model}, ${result.tokens} tokens: ${choice.devices} × ${choice.profile}, strategy ${choice.strategy}, ${formatSeconds(choice.seconds)}`,
    );
    printLine(`why: ${why}`);
    printLine(
      `memory a device: ${formatBytes(choice.memoryPerDevice.total)}, of it keys ${formatBytes(choice.memoryPerDevice.keys)}`,
    );
    printLine(`parameters: ${preset}, N = 2^${logN}, log QP = ${logQP.toFixed(0)}: ${parameters.why}`);
    for (const { strategy, seconds, fits } of strategies)
      printLine(`${strategy} on the same: ${formatSeconds(seconds)}${fits ? "" : ", does not fit"}`);
  }
  if (others.length > 0) {
    printLine("what else was looked at:");
    printLine(
      table(
        ["devices", "time", "efficiency", "memory a device", ""],
        others
          .slice(0, shownOthers)
          .map((one) => [
            `${one.devices} × ${one.profile}`,
            formatSeconds(one.seconds),
            `${(100 * one.efficiency).toFixed(0)} %`,
            formatBytes(one.memoryPerDevice.total),
            one.meetsDeadline ? "" : "too slow",
          ]),
      ),
    );
  }
  for (const sentence of simplified) printLine(`planned as: ${sentence}`);
}
