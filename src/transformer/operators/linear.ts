/**
 * Linear layers, ciphertext × plaintext: a matrix that is the same for every token, so its
 * diagonals have the period of the lanes and encode into a small subring.
 *
 * Rotations never leave a token: a `replicated` operand holds each feature every `width` lanes, and
 * the copy inside the token is taken; of a `wide` operand each group of lanes is multiplied by itself
 * and the groups are summed afterwards.
 */
import { HoistedRotations, LinearTransform } from "../../circuits/index.ts";
import type { Ciphertext, ComplexVector } from "../../ckks/index.ts";
import type { LinearOperation, Program } from "../../program/index.ts";
import type { FoldedWeights } from "../weights.ts";
import type { Environment } from "./environment.ts";

/** Applies all layers of the operation to its input; one list of ciphertexts per layer. */
export function linear(
  environment: Environment,
  program: Pick<Program, "tensors">,
  operation: LinearOperation,
  input: readonly Ciphertext[],
  fold: (index: number) => FoldedWeights,
): Ciphertext[][] {
  const level = operation.level as number;
  const content = program.tensors[operation.inputs[0] as string]?.content;
  const rotations = input.map((a) => new HoistedRotations(environment.evaluator, a, level, environment.slots));
  try {
    return operation.outputs.map((name, index) => {
      const weights = fold(index);
      const output = program.tensors[name];
      return Array.from({ length: output?.count ?? 1 }, (_, block) =>
        content === "wide"
          ? fromWide(environment, rotations, weights, level)
          : fromReplicated(environment, rotations[0] as HoistedRotations, weights, level, block),
      );
    });
  } finally {
    for (const rotation of rotations) rotation[Symbol.dispose]();
  }
}

/** Output features block·lanes … (block + 1)·lanes − 1, one a lane. */
function fromReplicated(environment: Environment, rotations: HoistedRotations, weights: FoldedWeights, level: number, block: number): Ciphertext {
  const { lanes, width } = environment.geometry;
  const diagonals = new Diagonals(lanes);
  const first = block * lanes;
  for (let lane = 0; lane < lanes && first + lane < weights.rows; lane++) {
    for (let i = 0; i < weights.columns; i++) {
      let k = (((i - lane) % width) + width) % width;
      if (lane + k >= lanes) k -= width;
      diagonals.set(k, lane, weights.matrix[(first + lane) * weights.columns + i] as number);
    }
  }
  using product = apply(environment, [rotations], [diagonals], level);
  return environment.addVector(
    product,
    environment.lanes((lane) => weights.bias[first + lane] ?? 0),
  );
}

/** Input features over the lanes of several ciphertexts, output in lanes [0, rows). */
function fromWide(environment: Environment, rotations: readonly HoistedRotations[], weights: FoldedWeights, level: number): Ciphertext {
  const { lanes, width } = environment.geometry;
  const blocks = rotations.map((_, block) => {
    const diagonals = new Diagonals(lanes);
    for (let lane = 0; lane < lanes; lane++) {
      const row = lane % width;
      if (row >= weights.rows) continue;
      const group = lane - row;
      for (let i = 0; i < width; i++) {
        const feature = block * lanes + group + i;
        if (feature < weights.columns) diagonals.set(i - row, lane, weights.matrix[row * weights.columns + feature] as number);
      }
    }
    return diagonals;
  });
  using partial = apply(environment, rotations, blocks, level);
  const groups = lanes / width;
  const bias = environment.lanes((lane) => weights.bias[lane] ?? 0);
  if (groups === 1) return environment.addVector(partial, bias);
  using sum = environment.sumWindow(partial, width, groups);
  using masked = environment.multiplyVector(sum, environment.singleMask());
  return environment.addVector(masked, bias);
}

/** Σ matrices[b]·operands[b], at the common scale. */
function apply(environment: Environment, operands: readonly HoistedRotations[], matrices: readonly Diagonals[], level: number): Ciphertext {
  const { evaluator } = environment;
  const { parameters } = evaluator.context;
  const babySteps = babyStepsFor(environment.geometry.width);
  using total = environment.zeroExtended(level, environment.scale * parameters.levelModulus(level));
  for (const [block, matrix] of matrices.entries()) {
    const operand = operands[block] as HoistedRotations;
    const scale = (environment.scale * parameters.levelModulus(level)) / operand.scale;
    using transform = new LinearTransform(evaluator.context, { slots: environment.slots, diagonals: matrix.vectors }, level, { scale, babySteps });
    using product = transform.applyRotations(evaluator, operand);
    environment.addExtended(total, product);
  }
  return evaluator.modDownRescale(total);
}

/** One number for all layers of a width, so that they share rotation keys; baby steps are the cheaper ones. */
export function babyStepsFor(width: number): number {
  return 2 ** Math.min(Math.log2(width), Math.round(Math.log2(width) / 2 + 1));
}

/** Diagonals with the period of the lanes, filled entry by entry. */
class Diagonals {
  readonly vectors = new Map<number, ComplexVector>();
  readonly #lanes: number;

  constructor(lanes: number) {
    this.#lanes = lanes;
  }

  /** The entry that takes lane + k to `lane`. */
  set(k: number, lane: number, value: number): void {
    let vector = this.vectors.get(k);
    if (vector === undefined) {
      vector = { real: new Float64Array(this.#lanes), imaginary: new Float64Array(this.#lanes) };
      this.vectors.set(k, vector);
    }
    vector.real[lane] = value;
  }
}
