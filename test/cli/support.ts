/** The aegis command as a process, and checkpoint directories to give it. */
import { type ChildProcess, fork, spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
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

interface Waiting {
  readonly resolve: (outcome: Outcome) => void;
  readonly reject: (cause: Error) => void;
}

/**
 * The command in one process that takes calls in turn, for tests of what a command says: most of a short call's time
 * is a new process that loads its code. What is left in a process by one call must not matter to the next.
 */
export class CallsInTurn {
  #child: ChildProcess | undefined;
  readonly #waiting = new Map<number, Waiting>();
  #count = 0;

  call(args: readonly string[]): Promise<Outcome> {
    const child = (this.#child ??= this.#start());
    const id = this.#count++;
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject });
      child.send({ id, args });
    });
  }

  #start(): ChildProcess {
    const entry = join(command, "../command.js");
    const child = fork(fileURLToPath(new URL("in-turn.mjs", import.meta.url)), [entry], {
      execArgv: [],
      env: { PATH: process.env.PATH ?? "" },
      stdio: ["ignore", "pipe", "pipe", "ipc"],
    });
    let raw = "";
    for (const stream of [child.stdout, child.stderr])
      stream?.setEncoding("utf8").on("data", (text: string) => (raw += text));
    child.on("message", ({ id, outcome }: { id: number; outcome: Outcome }) => {
      this.#waiting.get(id)?.resolve(outcome);
      this.#waiting.delete(id);
    });
    child.on("exit", (code, signal) => {
      for (const { reject } of this.#waiting.values()) reject(new Error(`ended with ${code ?? signal}: ${raw}`));
    });
    return child;
  }

  [Symbol.dispose](): void {
    this.#child?.kill();
  }
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
