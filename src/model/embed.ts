/** The client's share of a forward pass: token ids to the encoder's input. */
import { AegisError } from "../base/errors.ts";
import { integerIn } from "../base/validate.ts";
import type { EmbeddingModel } from "./checkpoint.ts";
import { layerNormInPlace } from "./functions.ts";

/** The encoder's input, and the variances that its LayerNorm divided by. */
export interface Embedded {
  /** [tokens × hidden], row-major. */
  readonly values: Float64Array;
  /** Variance of every row before the LayerNorm. */
  readonly variances: Float64Array;
}

/**
 * Sum of word, position and type embedding, normalised. Throws an `input` error when there are
 * no ids or more than the model has positions, a TypeError or RangeError for an id outside the
 * vocabulary.
 */
export function embedWithVariances(model: EmbeddingModel, ids: ArrayLike<number>): Embedded {
  const { config, embeddings } = model;
  const { hiddenSize: hidden } = config;
  if (ids.length < 1 || ids.length > config.maximumTokens) {
    throw new AegisError("input", `expected 1 to ${config.maximumTokens} tokens, got ${ids.length}`);
  }
  const values = new Float64Array(ids.length * hidden);
  for (let token = 0; token < ids.length; token++) {
    const word = integerIn(`ids[${token}]`, ids[token], 0, config.vocabularySize - 1) * hidden;
    const row = token * hidden;
    for (let i = 0; i < hidden; i++) {
      values[row + i] = embeddings.word[word + i] + embeddings.position[row + i] + embeddings.tokenType[i];
    }
  }
  return { values, variances: layerNormInPlace(values, hidden, embeddings.layerNorm, config.layerNormEpsilon) };
}

/** The encoder's input [tokens × hidden]; see {@link embedWithVariances}. */
export function embed(model: EmbeddingModel, ids: ArrayLike<number>): Float64Array {
  return embedWithVariances(model, ids).values;
}
