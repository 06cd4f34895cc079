/** `aegis run`: one encrypted inference, client and server in one process. */
import { readFile } from "node:fs/promises";
import { Command, CommanderError, Option } from "commander";
import { AegisError } from "../../base/errors.ts";
import { collect, deviceOptionText } from "../devices.ts";
import { type InferenceOptions, type InferenceReport, infer } from "../inference.ts";
import { emphasise, formatBytes, formatSeconds, printJson, printLine } from "../output.ts";
import { defaultPreset } from "../session.ts";

const sampleText = "The staff was warm and friendly, and the food was absolutely wonderful.";

interface Options extends InferenceOptions {
  text?: string;
  file?: string;
  sample?: boolean;
  json?: boolean;
}

export function runCommand(): Command {
  return new Command("run")
    .description("classify a text under encryption")
    .requiredOption("--model <dir>", "checkpoint directory")
    .addOption(new Option("--text <text>", "the text").conflicts("file"))
    .option("--file <path>", "a file with the text")
    .option("--sample", "classify a sample sentence if no text is given")
    .option("--truncate", "cut a text that is too long")
    .option("--preset <name>", "encryption parameters (aegis params lists them)", defaultPreset)
    .addOption(new Option("--device <kind>", deviceOptionText).argParser(collect))
    .option("--devices <n>", "so many devices, threads with memory of their own (default 1)")
    .option("--threads <n>", "threads of a native device (default: the cores, shared out)")
    .option("--strategy <name>", "aegis, megatron, tensor, data, limb, limb-ib, limb-oa or coefficient", "aegis")
    .option("--no-overlap", "send only when something is asked for")
    .option("--memory <bytes>", "memory of a device, such as 2GiB (default: what it has)")
    .option("--program <file>", "a program from aegis compile --out")
    .addOption(
      new Option("--plan <file>", "a plan from aegis plan --out").conflicts(["devices", "strategy", "overlap"]),
    )
    .option("--checkpoint <dir>", "keep what is done in a folder, and go on from there")
    .option("--trace <file>", "write what devices did when, for Perfetto (ui.perfetto.dev)")
    .option("--insecure-seed <n>", "reproducible keys and noise: for comparing runs only")
    .option("--json", "print one JSON object")
    .action(async (options: Options, command: Command) => {
      const text = await textOf(options, command);
      const result = await infer(options, text);
      if (options.json === true) printJson(result);
      else print(text, result);
    });
}

async function textOf(options: Options, command: Command): Promise<string> {
  if (options.text !== undefined) return options.text;
  if (options.file !== undefined) {
    try {
      return await readFile(options.file, "utf8");
    } catch (error) {
      throw new AegisError("io", `${options.file}: cannot be read`, {
        hint: "check the path given with --file",
        cause: error,
      });
    }
  }
  if (options.sample === true) return sampleText;
  try {
    command.error("error: missing option '--text <text>' or '--file <path>'");
  } catch (error) {
    throw error instanceof CommanderError ? error : new CommanderError(2, "aegis.missingText", "missing text");
  }
}

function print(text: string, result: InferenceReport): void {
  const { reference, security, seconds, memory, counts, devices } = result;
  const agrees = reference.label === result.label;
  printLine(emphasise("dim", JSON.stringify(text.length > 100 ? `${text.slice(0, 100)}…` : text)));
  printLine();
  printLine(
    `  label        ${emphasise("bold", result.label)} (${(100 * result.probability).toFixed(2)} %), computed on ciphertexts`,
  );
  printLine(
    `  plain model  ${reference.label} ${agrees ? emphasise("green", "✓ same label") : emphasise("red", "✗ another label")}`,
  );
  printLine(`  logits       encrypted ${show(result.logits)}, plain ${show(reference.logits)}`);
  printLine(
    `  error        ${result.maxError.toExponential(1)} from encryption, ${reference.maxError.toExponential(1)} with the approximations`,
  );
  printLine(
    `  security     ${security.bits > 0 ? `${security.bits}-bit` : emphasise("red", "none")}: N = 2^${security.logN}, log QP = ${security.logQP.toFixed(0)}, ${security.secret} secret`,
  );
  printLine(
    `  time         ${formatSeconds(seconds.total)}: keys ${formatSeconds(seconds.keys)}, encrypt ${formatSeconds(seconds.encrypt)}, inference ${formatSeconds(seconds.inference)}, decrypt ${formatSeconds(seconds.decrypt)}`,
  );
  printLine(
    `  devices      ${devices.map(({ device, threads }) => (threads > 1 ? `${device}, ${threads} threads` : device)).join("; ")}`,
  );
  printLine(
    `  work         ${counts.bootstraps} bootstraps, ${counts.keySwitches} key switches, ${counts.multiplications} products, ${counts.rotations} rotations`,
  );
  printLine(`  memory       ${formatBytes(memory.peakBytes)} at most, of it ${formatBytes(memory.keyBytes)} keys`);
}

function show(logits: ArrayLike<number>): string {
  return `[${Array.from(logits, (x) => x.toFixed(4)).join(", ")}]`;
}
