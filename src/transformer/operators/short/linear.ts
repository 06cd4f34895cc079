/**
 * Linear layers, ciphertext × plaintext: a matrix that is the same for every token, so its
 * diagonals have the period of the lanes and encode into a small subring.
 *
 * Rotations never leave a token: a `replicated` operand holds each feature every `width` lanes, and
 * the copy inside the token is taken; of a `wide` operand each group of lanes is multiplied by itself
 * and the groups are summed afterwards.
 */
import { HoistedRotations, LinearTransform } from "../../../circuits/index.ts";
import type { Ciphertext, ComplexVector, ExtendedCiphertext } from "../../../ckks/index.ts";
import type { LinearOperation, Part, Program } from "../../../program/index.ts";
import type { FoldedWeights } from "../../weights.ts";
import type { Environment } from "../environment.ts";

/** Applies the layers of a part of the operation to its input; one list of ciphertexts per layer. */
export function linear(
  environment: Environment,
  program: Pick<Program, "tensors">,
  operation: LinearOperation,
  input: readonly Ciphertext[],
  part: Part,
  fold: (index: number) => FoldedWeights,
): Ciphertext[][] {
  const level = operation.level as number;
  const content = program.tensors[operation.inputs[0] as string]?.content;
  if (content === "wide")
    return part.outputs.map((indices, o) => indices.map(() => fromWide(environment, input, fold(o), level)));
  using rotations = new HoistedRotations(environment.evaluator, input[0] as Ciphertext, level, environment.slots);
  return part.outputs.map((indices, o) => {
    if (indices.length === 0) return [];
    const weights = fold(o);
    return indices.map((block) => fromReplicated(environment, rotations, weights, level, block));
  });
}

/** Output features block·lanes … (block + 1)·lanes − 1, one a lane. */
function fromReplicated(
  environment: Environment,
  rotations: HoistedRotations,
  weights: FoldedWeights,
  level: number,
  block: number,
): Ciphertext {
  const { lanes, width } = environment.geometry;
  const diagonals = new Diagonals(lanes, width);
  const first = block * lanes;
  for (let lane = 0; lane < lanes && first + lane < weights.rows; lane++) {
    let k = (width - (lane % width)) % width;
    for (let i = 0; i < weights.columns; i++) {
      diagonals.set(lane + k < lanes ? k : k - width, lane, weights.at(first + lane, i));
      if (++k === width) k = 0;
    }
  }
  using total = zeroTotal(environment, level);
  accumulate(environment, total, rotations, diagonals, level);
  using product = environment.evaluator.modDownRescale(total);
  return environment.addVector(
    product,
    environment.lanes((lane) => weights.bias[first + lane] ?? 0),
  );
}

/** Input features over the lanes of several ciphertexts, output in lanes [0, rows). */
function fromWide(
  environment: Environment,
  input: readonly Ciphertext[],
  weights: FoldedWeights,
  level: number,
): Ciphertext {
  const { evaluator } = environment;
  const { lanes, width } = environment.geometry;
  using total = zeroTotal(environment, level);
  for (const [block, a] of input.entries()) {
    const diagonals = new Diagonals(lanes, width);
    for (let lane = 0; lane < lanes; lane++) {
      const row = lane % width;
      if (row >= weights.rows) continue;
      const group = lane - row;
      for (let i = 0; i < width; i++) {
        const feature = block * lanes + group + i;
        if (feature < weights.columns) diagonals.set(i - row, lane, weights.at(row, feature));
      }
    }
    // One block's rotations at a time: they are the largest thing here.
    using rotations = new HoistedRotations(evaluator, a, level, environment.slots);
    accumulate(environment, total, rotations, diagonals, level);
  }
  using partial = evaluator.modDownRescale(total);
  const bias = environment.lanes((lane) => weights.bias[lane] ?? 0);
  if (lanes === width) return environment.addVector(partial, bias);
  using sum = environment.sumWindow(partial, width, lanes / width);
  using masked = environment.multiplyVector(sum, environment.singleMask());
  return environment.addVector(masked, bias);
}

/** Zero over QP, at the scale that makes the rescaled result's the common one. */
function zeroTotal(environment: Environment, level: number): ExtendedCiphertext {
  return environment.zeroExtended(
    level,
    environment.scale * environment.evaluator.context.parameters.levelModulus(level),
  );
}

/** total += matrix·operand over QP. */
function accumulate(
  environment: Environment,
  total: ExtendedCiphertext,
  operand: HoistedRotations,
  matrix: Diagonals,
  level: number,
): void {
  const { evaluator } = environment;
  const babySteps = babyStepsFor(environment.geometry.width);
  const scale = total.scale / operand.scale;
  using transform = new LinearTransform(
    evaluator.context,
    { slots: environment.slots, diagonals: matrix.vectors },
    level,
    { scale, babySteps, encoder: evaluator },
  );
  using product = transform.applyRotations(evaluator, operand);
  evaluator.addExtended(total, product);
}

/** One number for all layers of a width, so that they share rotation keys; baby steps are the cheaper ones. */
export function babyStepsFor(width: number): number {
  return 2 ** Math.min(Math.log2(width), Math.floor(Math.log2(width) / 2 + 1));
}

/** Diagonals with the period of the lanes, filled entry by entry. */
class Diagonals {
  readonly vectors = new Map<number, ComplexVector>();
  readonly #lanes: number;
  readonly #width: number;
  /** Real parts, diagonal k at k + width. */
  readonly #buffer: Float64Array;
  readonly #real: (Float64Array | undefined)[];
  /** Of all of them. */
  readonly #imaginary: Float64Array;

  /** @param width the k of diagonals are greater than −width and less than width */
  constructor(lanes: number, width: number) {
    this.#lanes = lanes;
    this.#width = width;
    this.#buffer = new Float64Array(2 * width * lanes);
    this.#real = new Array(2 * width);
    this.#imaginary = new Float64Array(lanes);
  }

  /** The entry that takes lane + k to `lane`. */
  set(k: number, lane: number, value: number): void {
    const place = k + this.#width;
    let real = this.#real[place];
    if (real === undefined) {
      real = this.#buffer.subarray(place * this.#lanes, (place + 1) * this.#lanes);
      this.#real[place] = real;
      this.vectors.set(k, { real, imaginary: this.#imaginary });
    }
    real[lane] = value;
  }
}
