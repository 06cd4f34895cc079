/**
 * Runs a program on one device: operation by operation, tensors freed after their last reader. The
 * device is whatever backend stands behind the environment, real or null.
 */
import { throwIfAborted, withPath } from "../base/errors.ts";
import type { Ciphertext } from "../ckks/index.ts";
import { describeOperation, type Program } from "../program/index.ts";
import { type Constants, type Environment, executeOperation } from "../transformer/index.ts";

/** Where a run is. */
export interface Progress {
  /** Operations done and in all. */
  readonly done: number;
  readonly total: number;
  /** The operation that is about to run. */
  readonly operation: string;
  readonly elapsedSeconds: number;
  /** From the forecast, corrected by the pace so far; undefined without a forecast. */
  readonly secondsLeft: number | undefined;
}

export interface RunOptions {
  readonly onProgress?: (progress: Progress) => void;
  readonly signal?: AbortSignal;
  /** Seconds expected of each operation, for the time left. */
  readonly forecast?: readonly number[];
}

export interface RunResult {
  /** The program's output; the caller disposes of it. */
  readonly output: Ciphertext[];
  /** Seconds of each operation. */
  readonly seconds: readonly number[];
}

/**
 * @param input the encrypted input, left unchanged
 * @throws whatever an operation throws, with its place in the model in front; `aborted`
 */
export async function runProgram(
  program: Program,
  environment: Environment,
  constants: Constants,
  input: readonly Ciphertext[],
  options: RunOptions = {},
): Promise<RunResult> {
  const tensors = new Map<string, readonly Ciphertext[]>();
  const reads = remainingReads(program);
  const seconds: number[] = [];
  const start = performance.now();
  const free = (name: string): void => {
    if (name !== program.input) for (const a of tensors.get(name) ?? []) a.dispose();
    tensors.delete(name);
  };
  try {
    for (const [index, operation] of program.operations.entries()) {
      throwIfAborted(options.signal);
      options.onProgress?.(progress(program, index, (performance.now() - start) / 1000, options.forecast));
      const began = performance.now();
      if (operation.kind === "input") tensors.set(operation.outputs[0] as string, input);
      else if (operation.kind !== "output") {
        const inputs = operation.inputs.map((name) => tensors.get(name) as readonly Ciphertext[]);
        const results = withPath(describeOperation(operation), () =>
          executeOperation(environment, program, operation, inputs, constants),
        );
        for (const [i, name] of operation.outputs.entries()) tensors.set(name, results[i] as Ciphertext[]);
      }
      for (const name of new Set(operation.inputs)) {
        const left = (reads.get(name) as number) - 1;
        reads.set(name, left);
        if (left === 0 && name !== program.output) free(name);
      }
      seconds.push((performance.now() - began) / 1000);
      await new Promise((resolve) => setImmediate(resolve)); // lets signals and progress through
    }
    const output = tensors.get(program.output) as Ciphertext[];
    tensors.delete(program.output);
    return { output, seconds };
  } catch (error) {
    for (const name of [...tensors.keys()]) free(name);
    throw error;
  }
}

function remainingReads(program: Program): Map<string, number> {
  const reads = new Map<string, number>();
  for (const operation of program.operations) {
    for (const name of new Set(operation.inputs)) reads.set(name, (reads.get(name) ?? 0) + 1);
  }
  return reads;
}

function progress(program: Program, index: number, elapsed: number, forecast: readonly number[] | undefined): Progress {
  const operation = program.operations[index];
  let secondsLeft: number | undefined;
  if (forecast !== undefined) {
    const sum = (from: number, to: number): number => forecast.slice(from, to).reduce((total, s) => total + s, 0);
    const before = sum(0, index);
    const pace = before > 1 && elapsed > 1 ? elapsed / before : 1;
    secondsLeft = sum(index, forecast.length) * pace;
  }
  return {
    done: index,
    total: program.operations.length,
    operation: operation === undefined ? "" : describeOperation(operation),
    elapsedSeconds: elapsed,
    secondsLeft,
  };
}
