/** The workload on one rank. */
import {
  type Ciphertext,
  Context,
  type EvaluationKey,
  KeyStore,
  Parameters,
  type ParametersSpec,
} from "../../../src/ckks/index.ts";
import { gatherCiphertext, scatterCiphertext, type WholeCiphertext } from "../../../src/ckks/whole-ciphertext.ts";
import { createWasmBackend } from "../../../src/kernels/index.ts";
import { shardedBackend } from "../../../src/kernels/sharded/backend.ts";
import type { CollectiveName } from "../../../src/kernels/sharded/communicator.ts";
import type { CountingCommunicator } from "../../../src/kernels/sharded/counting.ts";
import type { ShardingName } from "../../../src/kernels/sharded/sharding.ts";
import type { SharedCommunicator } from "./shared-communicator.ts";
import { type Step, Workload } from "./workload.ts";

export interface WorkloadTask {
  readonly sharding: ShardingName;
  readonly spec: ParametersSpec;
  readonly keys: readonly EvaluationKey[];
  readonly inputs: readonly WholeCiphertext[];
}

/** Bytes that one rank sent. */
export type SentBytes = Record<CollectiveName, number>;

export interface WorkloadResult {
  readonly bytes: Record<string, SentBytes>;
  /** Results of each step; their words on rank 0 alone. */
  readonly results: Record<string, readonly WholeCiphertext[]>;
  /** Backend memory that running some steps again left behind. */
  readonly leaked: number;
  /** Backend memory in use when all keys were loaded, kernels' own tables included. */
  readonly used: number;
}

export async function evaluate(communicator: SharedCommunicator, task: WorkloadTask): Promise<WorkloadResult> {
  const parameters = new Parameters(task.spec);
  const inner = await createWasmBackend();
  const context = new Context(
    parameters,
    shardedBackend(inner, communicator, { name: task.sharding, chain: parameters }),
  );
  const bytes: Record<string, SentBytes> = {};
  const results: Record<string, readonly WholeCiphertext[]> = {};
  using workload = new Workload(context);
  using keys = new KeyStore(context);
  for (const key of task.keys) keys.add(key);
  const inputs = task.inputs.map((input) => scatterCiphertext(context, input));
  const steps = workload.steps(keys, inputs);
  for (const step of steps) {
    bytes[step.name] = sentBy(communicator, step, (outputs) => {
      results[step.name] = outputs.map((output) => gatherCiphertext(output, 0));
    });
  }
  const before = inner.memory().used;
  for (const step of steps.slice(0, 3)) sentBy(communicator, step);
  return { bytes, results, leaked: inner.memory().used - before, used: before };
}

/** Runs a step; the bytes it sent. `use` gets the results before they are disposed of. */
export function sentBy(
  communicator: CountingCommunicator,
  step: Step,
  use: (outputs: readonly Ciphertext[]) => void = () => undefined,
): SentBytes {
  const before = { ...communicator.bytes };
  const outputs = step.run();
  const sent = { ...communicator.bytes };
  for (const name of Object.keys(before) as CollectiveName[]) sent[name] -= before[name];
  use(outputs);
  for (const output of outputs) output.dispose();
  return sent;
}
