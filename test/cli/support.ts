/** The aegis command as a process, and checkpoint directories to give it. */
import { spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { command } from "../support/build.ts";
import { modelFiles, type Shape, smallModel } from "../support/transformer.ts";

export interface Outcome {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs the command; its output is no terminal. */
export function aegis(
  args: readonly string[],
  environment: Record<string, string> = {},
  nodeOptions: readonly string[] = [],
): Promise<Outcome> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [...nodeOptions, command, ...args], {
      env: { PATH: process.env.PATH ?? "", ...environment },
      stdio: ["ignore", "pipe", "pipe"],
    });
    let stdout = "";
    let stderr = "";
    child.stdout.setEncoding("utf8").on("data", (text: string) => (stdout += text));
    child.stderr.setEncoding("utf8").on("data", (text: string) => (stderr += text));
    child.on("error", reject);
    child.on("close", (code) => resolve({ code, stdout, stderr }));
  });
}

export const shape: Shape = { hidden: 8, heads: 2, inner: 20 };

/** Files of a checkpoint by name; undefined leaves one out. */
export type Files = Record<string, Uint8Array | string | undefined>;

/** Temporary folders that end with the tests. */
export class Folders {
  readonly #root = mkdtempSync(join(tmpdir(), "aegis-cli-"));
  #count = 0;

  /** A new folder with a calibrated checkpoint, changed as given. */
  model(changes: Files = {}): string {
    const { config, model, tokenizer } = modelFiles(shape);
    const calibration = JSON.stringify(smallModel(shape).calibration);
    return this.folder({
      "config.json": config,
      "model.safetensors": model,
      "tokenizer.json": tokenizer,
      "calibration.json": calibration,
      ...changes,
    });
  }

  folder(files: Files): string {
    const folder = join(this.#root, String(this.#count++));
    mkdirSync(folder);
    for (const [name, bytes] of Object.entries(files))
      if (bytes !== undefined) writeFileSync(join(folder, name), bytes);
    return folder;
  }

  [Symbol.dispose](): void {
    rmSync(this.#root, { recursive: true });
  }
}
