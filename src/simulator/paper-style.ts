/**
 * Memory of the schedule that published systems for one device follow, for comparison: plaintexts of weights encoded
 * with a coefficient for every slot, and every score of a layer alive until the softmax has been taken. Ours
 * encodes weights into subrings and works on scores chunk by chunk.
 *
 * The schedule is given the benefit of the doubt: weights are those of one output ciphertext at a time, scores lie at
 * the level that they are made at, and nothing is counted for rotations and sums.
 */
import type { Parameters } from "../ckks/index.ts";
import { ciphertextsOf, type LinearOperation, type Operation, type Program, type Tensor } from "../program/index.ts";
import { LinearCounts } from "../transformer/index.ts";

/** Bytes. */
export interface PaperStyle {
  /** Plaintexts of the largest output ciphertext of a linear layer. */
  readonly weights: number;
  /** Plaintexts of all layers of the model at once: what a schedule would need that encodes them ahead. */
  readonly allWeights: number;
  /** Scores, queries, keys, values and what is added after attention. */
  readonly activations: number;
  readonly keys: number;
  readonly total: number;
  readonly oneDevice: number;
  /** 1 − total / oneDevice */
  readonly reduction: number;
}

const wordBytes = 4;

/**
 * @param keys bytes of keys that a device uses
 * @returns undefined for a program without scores of the long layout
 */
export function paperStyleMemory(
  program: Program,
  parameters: Parameters,
  devices: number,
  keys: number,
): PaperStyle | undefined {
  const { operations, tensors } = program;
  const tensor = (name: string): Tensor => tensors[name] as Tensor;
  const poly = (level: number): number => parameters.degree * wordBytes * parameters.limbs(level);
  const held = (name: string): number => ciphertextsOf(tensor(name)) * 2 * poly(tensor(name).level as number);
  const scores = operations.find(({ kind }) => kind === "scores");
  if (scores === undefined || program.geometry.layout !== "long") return undefined;
  let weights = 0;
  let allWeights = 0;
  for (const operation of operations) {
    if (operation.kind !== "linear") continue;
    const { terms, count } = plaintexts(program, operation);
    allWeights += terms * poly(operation.level as number);
    weights = Math.max(weights, (terms / count) * poly(operation.level as number));
  }
  // What attention reads after the scores, and what it is added to, stays on every device that has scores.
  const attention = besides(operations, scores);
  const stays = attention.reduce((sum, name) => sum + held(name), 0);
  const all = held(scores.outputs[0] as string);
  const activations = stays + all / devices;
  const total = activations + weights + keys;
  const oneDevice = stays + all + weights + keys;
  return { weights, allWeights, activations, keys, total, oneDevice, reduction: 1 - total / oneDevice };
}

/** Diagonals of a linear layer, and ciphertexts that it makes. */
function plaintexts(program: Program, operation: LinearOperation): { terms: number; count: number } {
  const outputs = operation.outputs.map((name) => program.tensors[name] as Tensor);
  const part = { outputs: outputs.map((output) => Array.from({ length: ciphertextsOf(output) }, (_, i) => i)) };
  const { terms } = new LinearCounts(program, operation).of(part);
  return { terms, count: part.outputs.flat().length };
}

/** Tensors that were made before the scores and are read by them or later. */
function besides(operations: readonly Operation[], scores: Operation): string[] {
  const at = operations.indexOf(scores);
  const made = new Set(operations.slice(0, at).flatMap(({ outputs }) => outputs));
  return [...new Set(operations.slice(at).flatMap(({ inputs }) => inputs))].filter((name) => made.has(name));
}
