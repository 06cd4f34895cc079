/**
 * The exact model in double precision: what encrypted runs and polynomial approximations are
 * measured against, and where the ranges of activations are observed.
 */
import type { Checkpoint, LayerWeights } from "./checkpoint.ts";
import { embedWithVariances } from "./embed.ts";
import { activationFunction, argmax, layerNormInPlace, softmax, softmaxInPlace } from "./functions.ts";
import { linear, multiplyTransposed } from "./linear.ts";

/** Shape of an observed tensor, and the head it belongs to where there is one. */
export interface ObservedTensor {
  readonly shape: readonly number[];
  readonly head?: number;
}

/**
 * Called with a named activation. `values` is valid only during the call: copy what is kept.
 *
 * Names, n tokens, H hidden, I inner features (`layerL` for every layer):
 * - `embeddings.ln.var` [n], `embeddings` [n, H]
 * - `layerL.query`, `layerL.key`, `layerL.value` [n, H]
 * - per head: `layerL.attention_logit` [n, n] after the 1/√d scale, `layerL.attention_rowmax` [n],
 *   `layerL.attention_rowmax_minus_rowmin` [n], `layerL.headA.log_row_sum_exp` [n] and
 *   `layerL.headA.log_row_mean_exp` [n] (over the keys), `layerL.attention_probability` [n, n]
 * - `layerL.context` [n, H], `layerL.attention.ln.input` [n, H], `layerL.attention.ln.var` [n],
 *   `layerL.attention.ln.output` [n, H]
 * - `layerL.ffn_preactivation` [n, I], `layerL.ffn_activation` [n, I]
 * - `layerL.output.ln.input` [n, H], `layerL.output.ln.var` [n], `layerL.output.ln.output` [n, H]
 * - `pooler_input` [H] before the tanh, `pooled` [H] after it, `logits` [labels]
 *
 * In the last layer only the [CLS] row reaches the result; its share is reported again as
 * `layerL.cls_row.…` with the first dimension 1.
 */
export type Observer = (name: string, values: Float64Array, tensor: ObservedTensor) => void;

export interface ReferenceOptions {
  readonly observe?: Observer;
}

/** What the model says about one text. */
export interface Prediction {
  /** One per class. */
  readonly logits: Float64Array;
  /** Softmax of the logits. */
  readonly probabilities: Float64Array;
  readonly labelIndex: number;
  /** Name of the most probable class. */
  readonly label: string;
}

/** Rows of the attention matrix that are held at a time when nobody observes it. */
const rowBlock = 128;

/**
 * Runs the model on token ids (with [CLS] and [SEP], without padding). Throws what
 * {@link embedWithVariances} throws.
 */
export function referenceForward(
  checkpoint: Checkpoint,
  ids: ArrayLike<number>,
  options: ReferenceOptions = {},
): Prediction {
  const { config } = checkpoint;
  const { observe } = options;
  const hidden = config.hiddenSize;
  const embedded = embedWithVariances(checkpoint, ids);
  observe?.("embeddings.ln.var", embedded.variances, { shape: [ids.length] });
  observe?.("embeddings", embedded.values, { shape: [ids.length, hidden] });
  let state = embedded.values;
  checkpoint.layers.forEach((layer, index) => {
    state = encoderLayer(checkpoint, layer, state, layerObserver(observe, index, index === config.layers - 1));
  });
  const pooled = linear(state.subarray(0, hidden), hidden, checkpoint.pooler);
  observe?.("pooler_input", pooled, { shape: [hidden] });
  for (let i = 0; i < hidden; i++) pooled[i] = Math.tanh(pooled[i]);
  observe?.("pooled", pooled, { shape: [hidden] });
  const logits = linear(pooled, hidden, checkpoint.classifier);
  observe?.("logits", logits, { shape: [logits.length] });
  return prediction(logits, config.labels);
}

/** The prediction that a model's logits stand for. */
export function prediction(logits: ArrayLike<number>, labels: readonly string[]): Prediction {
  const labelIndex = argmax(logits);
  return { logits: Float64Array.from(logits), probabilities: softmax(logits), labelIndex, label: labels[labelIndex] };
}

type LayerObserver = (name: string, values: Float64Array, rows: number, width: number, head?: number) => void;

/** Prefixes names with the layer and repeats the [CLS] row of the last layer under its own name. */
function layerObserver(observe: Observer | undefined, index: number, last: boolean): LayerObserver | undefined {
  if (observe === undefined) return undefined;
  return (name, values, rows, width, head) => {
    const shape = (n: number): ObservedTensor => {
      const dimensions = width === 0 ? [n] : [n, width];
      return head === undefined ? { shape: dimensions } : { shape: dimensions, head };
    };
    observe(`layer${index}.${name}`, values, shape(rows));
    if (last) observe(`layer${index}.cls_row.${name}`, values.subarray(0, Math.max(1, width)), shape(1));
  };
}

function encoderLayer(
  model: Checkpoint,
  layer: LayerWeights,
  input: Float64Array,
  observe: LayerObserver | undefined,
): Float64Array {
  const { hiddenSize: hidden, intermediateSize: inner, layerNormEpsilon: epsilon, activation } = model.config;
  const tokens = input.length / hidden;
  const context = attention(model, layer, input, observe);
  observe?.("context", context, tokens, hidden);

  const attended = linear(context, hidden, layer.attentionOutput);
  addInPlace(attended, input);
  observe?.("attention.ln.input", attended, tokens, hidden);
  const attentionVariances = layerNormInPlace(attended, hidden, layer.attentionLayerNorm, epsilon);
  observe?.("attention.ln.var", attentionVariances, tokens, 0);
  observe?.("attention.ln.output", attended, tokens, hidden);

  const expanded = linear(attended, hidden, layer.intermediate);
  observe?.("ffn_preactivation", expanded, tokens, inner);
  const f = activationFunction(activation);
  for (let i = 0; i < expanded.length; i++) expanded[i] = f(expanded[i]);
  observe?.("ffn_activation", expanded, tokens, inner);

  const result = linear(expanded, inner, layer.output);
  addInPlace(result, attended);
  observe?.("output.ln.input", result, tokens, hidden);
  const outputVariances = layerNormInPlace(result, hidden, layer.outputLayerNorm, epsilon);
  observe?.("output.ln.var", outputVariances, tokens, 0);
  observe?.("output.ln.output", result, tokens, hidden);
  return result;
}

function addInPlace(x: Float64Array, y: Float64Array): void {
  for (let i = 0; i < x.length; i++) x[i] += y[i];
}

/** softmax(q·kᵀ/√d)·v of all heads: [tokens × hidden]. */
function attention(
  model: Checkpoint,
  layer: LayerWeights,
  input: Float64Array,
  observe: LayerObserver | undefined,
): Float64Array {
  const { hiddenSize: hidden, heads, headSize } = model.config;
  const tokens = input.length / hidden;
  const query = linear(input, hidden, layer.query);
  const key = linear(input, hidden, layer.key);
  const value = linear(input, hidden, layer.value);
  observe?.("query", query, tokens, hidden);
  observe?.("key", key, tokens, hidden);
  observe?.("value", value, tokens, hidden);

  const context = new Float64Array(tokens * hidden);
  const scale = 1 / Math.sqrt(headSize);
  const block = observe === undefined ? Math.min(rowBlock, tokens) : tokens;
  const scores = new Float64Array(block * tokens);
  const products = new Float64Array(block * headSize);
  for (let head = 0; head < heads; head++) {
    const q = headRows(query, hidden, head, headSize, scale);
    const k = headRows(key, hidden, head, headSize, 1);
    const valueColumns = headColumns(value, hidden, head, headSize);
    for (let from = 0; from < tokens; from += block) {
      const rows = Math.min(block, tokens - from);
      const part = scores.subarray(0, rows * tokens);
      multiplyTransposed(q.subarray(from * headSize, (from + rows) * headSize), k, headSize, part);
      if (observe !== undefined) observeLogits(part, tokens, head, observe);
      for (let row = 0; row < rows; row++) softmaxInPlace(part.subarray(row * tokens, (row + 1) * tokens));
      observe?.("attention_probability", part, rows, tokens, head);
      const out = products.subarray(0, rows * headSize);
      multiplyTransposed(part, valueColumns, tokens, out);
      for (let row = 0; row < rows; row++) {
        context.set(out.subarray(row * headSize, (row + 1) * headSize), (from + row) * hidden + head * headSize);
      }
    }
  }
  return context;
}

/** The lanes of one head as [tokens × headSize], times `scale`. */
function headRows(x: Float64Array, hidden: number, head: number, headSize: number, scale: number): Float64Array {
  const tokens = x.length / hidden;
  const rows = new Float64Array(tokens * headSize);
  for (let token = 0; token < tokens; token++) {
    for (let i = 0; i < headSize; i++) rows[token * headSize + i] = x[token * hidden + head * headSize + i] * scale;
  }
  return rows;
}

/** The lanes of one head as [headSize × tokens]. */
function headColumns(x: Float64Array, hidden: number, head: number, headSize: number): Float64Array {
  const tokens = x.length / hidden;
  const columns = new Float64Array(headSize * tokens);
  for (let token = 0; token < tokens; token++) {
    for (let i = 0; i < headSize; i++) columns[i * tokens + token] = x[token * hidden + head * headSize + i];
  }
  return columns;
}

function observeLogits(logits: Float64Array, tokens: number, head: number, observe: LayerObserver): void {
  const rowMaximum = new Float64Array(tokens);
  const spread = new Float64Array(tokens);
  const logSum = new Float64Array(tokens);
  for (let row = 0; row < tokens; row++) {
    let low = Number.POSITIVE_INFINITY;
    let high = Number.NEGATIVE_INFINITY;
    for (let i = row * tokens; i < (row + 1) * tokens; i++) {
      if (logits[i] < low) low = logits[i];
      if (logits[i] > high) high = logits[i];
    }
    let sum = 0;
    for (let i = row * tokens; i < (row + 1) * tokens; i++) sum += Math.exp(logits[i] - high);
    rowMaximum[row] = high;
    spread[row] = high - low;
    logSum[row] = high + Math.log(sum);
  }
  observe("attention_logit", logits, tokens, tokens, head);
  observe("attention_rowmax", rowMaximum, tokens, 0, head);
  observe("attention_rowmax_minus_rowmin", spread, tokens, 0, head);
  observe(`head${head}.log_row_sum_exp`, logSum, tokens, 0, head);
  observe(
    `head${head}.log_row_mean_exp`,
    logSum.map((v) => v - Math.log(tokens)),
    tokens,
    0,
    head,
  );
}
