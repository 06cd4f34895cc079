/** The scalar and row functions of a Transformer, exact to double precision. */
import { erf } from "./erf.ts";

/** Feed-forward activations: `gelu` is the erf form, `gelu_new` its tanh approximation. */
export type Activation = "gelu" | "gelu_new" | "relu";

/** x·Φ(x) with the normal distribution function Φ; absolute error at most 1e-15·|x|. */
export function gelu(x: number): number {
  return 0.5 * x * (1 + erf(x * Math.SQRT1_2));
}

const geluNewScale = Math.sqrt(2 / Math.PI);

/** The tanh form of GELU: 0.5·x·(1 + tanh(√(2/π)·(x + 0.044715·x³))). */
export function geluNew(x: number): number {
  return 0.5 * x * (1 + Math.tanh(geluNewScale * (x + 0.044715 * x * x * x)));
}

/** max(x, 0). */
export function relu(x: number): number {
  return x > 0 ? x : 0;
}

/** The function behind a name in config.json. */
export function activationFunction(name: Activation): (x: number) => number {
  return name === "gelu" ? gelu : name === "gelu_new" ? geluNew : relu;
}

/** log Σ exp(v) over `values`, without overflow; −∞ for no values. */
export function logSumExp(values: Float64Array): number {
  let maximum = Number.NEGATIVE_INFINITY;
  for (let i = 0; i < values.length; i++) if (values[i] > maximum) maximum = values[i];
  if (maximum === Number.NEGATIVE_INFINITY) return maximum;
  let sum = 0;
  for (let i = 0; i < values.length; i++) sum += Math.exp(values[i] - maximum);
  return maximum + Math.log(sum);
}

/** Softmax of `values` in place. Returns log Σ exp of what they were. */
export function softmaxInPlace(values: Float64Array): number {
  let maximum = Number.NEGATIVE_INFINITY;
  for (let i = 0; i < values.length; i++) if (values[i] > maximum) maximum = values[i];
  let sum = 0;
  for (let i = 0; i < values.length; i++) {
    const e = Math.exp(values[i] - maximum);
    values[i] = e;
    sum += e;
  }
  const scale = 1 / sum;
  for (let i = 0; i < values.length; i++) values[i] *= scale;
  return maximum + Math.log(sum);
}

/** Softmax of `values` as a new array. */
export function softmax(values: ArrayLike<number>): Float64Array {
  const result = Float64Array.from(values);
  softmaxInPlace(result);
  return result;
}

/** Index of the largest value, the first of equals. */
export function argmax(values: ArrayLike<number>): number {
  let best = 0;
  for (let i = 1; i < values.length; i++) if (values[i] > values[best]) best = i;
  return best;
}

/**
 * LayerNorm of each row of `x` [rows × width], in place: (x − mean)/√(variance + epsilon)·weight + bias
 * with the population variance. Returns the variance of every row.
 */
export function layerNormInPlace(x: Float64Array, width: number, norm: NormWeights, epsilon: number): Float64Array {
  const rows = x.length / width;
  const variances = new Float64Array(rows);
  for (let row = 0; row < rows; row++) {
    const start = row * width;
    let sum = 0;
    for (let i = start; i < start + width; i++) sum += x[i];
    const mean = sum / width;
    let squares = 0;
    for (let i = start; i < start + width; i++) squares += (x[i] - mean) ** 2;
    variances[row] = squares / width;
    const scale = 1 / Math.sqrt(variances[row] + epsilon);
    for (let i = 0; i < width; i++) x[start + i] = (x[start + i] - mean) * scale * norm.weight[i] + norm.bias[i];
  }
  return variances;
}

/** γ (`weight`) and β (`bias`) of a LayerNorm, one of each per feature. */
export interface NormWeights {
  readonly weight: Float32Array;
  readonly bias: Float32Array;
}
