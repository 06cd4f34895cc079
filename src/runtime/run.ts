/** Runs a program on one device, in this thread. */
import { throwIfAborted } from "../base/errors.ts";
import type { Ciphertext } from "../ckks/index.ts";
import { singlePlan } from "../placement/index.ts";
import { describeOperation, type Program } from "../program/index.ts";
import type { Constants, Environment } from "../transformer/index.ts";
import { Runner } from "./device/runner.ts";
import { createLocalFabric, type LocalEndpoint } from "./fabric/local.ts";

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
 * Runs a program on the device behind an environment, in this thread: a plan of one device.
 *
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
  const plan = singlePlan(program, environment.evaluator.context.parameters);
  const [endpoint] = createLocalFabric(1) as [LocalEndpoint];
  const runner = new Runner({ program, plan, environment, constants, endpoint });
  const start = performance.now();
  try {
    for (const number of runner.inputNumbers()) runner.lend(number, input[number] as Ciphertext);
    for (const [index, { operation }] of plan.steps.entries()) {
      throwIfAborted(options.signal);
      options.onProgress?.(progress(program, operation, (performance.now() - start) / 1000, options.forecast));
      runner.step(index);
      await new Promise((resolve) => setImmediate(resolve)); // lets signals and progress through
    }
    return {
      output: runner.takeOutput().map(({ ciphertext }) => ciphertext),
      seconds: Array.from(runner.clock.operations),
    };
  } finally {
    runner.dispose();
  }
}

/**
 * Where a run is when operation `index` is about to run.
 *
 * @param first the operation that it began with
 */
export function progress(
  program: Program,
  index: number,
  elapsed: number,
  forecast: readonly number[] | undefined,
  first = 0,
): Progress {
  const operation = program.operations[index];
  let secondsLeft: number | undefined;
  if (forecast !== undefined) {
    const sum = (from: number, to: number): number => forecast.slice(from, to).reduce((total, s) => total + s, 0);
    const before = sum(first, index);
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
