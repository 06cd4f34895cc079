/**
 * Turns the weight expressions of a program into numbers: layer norm's γ and β, centring and the
 * norms of stored values are folded into the linear layers.
 */
import { AegisError } from "../base/errors.ts";
import type { Checkpoint, LayerWeights, LinearWeights, NormWeights } from "../model/index.ts";
import type { WeightExpression } from "../program/index.ts";
import type { Constants } from "./operators/execute.ts";

/** y = matrix·x + bias; a matrix of rows × columns. */
export interface FoldedWeights {
  readonly rows: number;
  readonly columns: number;
  /** An entry of the matrix. */
  readonly at: (row: number, column: number) => number;
  readonly bias: Float64Array;
}

/** Those of a checkpoint, with the matrix row by row. */
export interface DenseWeights extends FoldedWeights {
  readonly matrix: Float64Array;
}

/** What of a checkpoint the operators read. Can be posted to another thread. */
export interface WeightSource extends Pick<Checkpoint, "layers" | "pooler" | "classifier"> {
  readonly config: Pick<Checkpoint["config"], "hiddenSize">;
}

/** Weights for operators, those of the operation that asked last kept. */
export function weightsOf(source: WeightSource): Constants {
  let id = -1;
  let folded: (FoldedWeights | undefined)[] = [];
  return {
    weights: (operation, index) => {
      if (operation.id !== id) {
        id = operation.id;
        folded = [];
      }
      folded[index] ??= foldWeights(operation.weights[index] as WeightExpression, source);
      return folded[index] as FoldedWeights;
    },
  };
}

/** The numbers that an expression stands for. */
export function foldWeights(expression: WeightExpression, checkpoint: WeightSource): DenseWeights {
  const { matrix, bias, rows, columns } = startingWeights(expression, checkpoint);
  if (expression.inputNorm !== null) {
    const norm = lookup(checkpoint, expression.inputNorm) as NormWeights;
    for (let i = 0; i < rows; i++) {
      let shift = 0;
      for (let j = 0; j < columns; j++) {
        const w = matrix[i * columns + j] as number;
        shift += w * (norm.bias[j] as number);
        matrix[i * columns + j] = w * (norm.weight[j] as number);
      }
      bias[i] = (bias[i] as number) + shift;
    }
  }
  if (expression.centre) centre(matrix, bias, rows, columns);
  for (let k = 0; k < matrix.length; k++)
    matrix[k] = ((matrix[k] as number) * expression.inputScale) / expression.outputNorm;
  for (let i = 0; i < rows; i++) bias[i] = ((bias[i] as number) - expression.outputOffset) / expression.outputNorm;
  return { rows, columns, matrix, at: (row, column) => matrix[row * columns + column] as number, bias };
}

function startingWeights(expression: WeightExpression, checkpoint: WeightSource): Omit<DenseWeights, "at"> {
  if (expression.parameter === "identity") {
    const size = checkpoint.config.hiddenSize;
    const matrix = new Float64Array(size * size);
    for (let i = 0; i < size; i++) matrix[i * size + i] = 1;
    return { rows: size, columns: size, matrix, bias: new Float64Array(size) };
  }
  const weights = lookup(checkpoint, expression.parameter) as LinearWeights;
  const rows = weights.bias.length;
  return {
    rows,
    columns: weights.weight.length / rows,
    matrix: Float64Array.from(weights.weight),
    bias: Float64Array.from(weights.bias),
  };
}

/** Subtracts from every row the mean of all rows. */
function centre(matrix: Float64Array, bias: Float64Array, rows: number, columns: number): void {
  for (let j = 0; j < columns; j++) {
    let mean = 0;
    for (let i = 0; i < rows; i++) mean += matrix[i * columns + j] as number;
    mean /= rows;
    for (let i = 0; i < rows; i++) matrix[i * columns + j] = (matrix[i * columns + j] as number) - mean;
  }
  const mean = bias.reduce((sum, x) => sum + x, 0) / rows;
  for (let i = 0; i < rows; i++) bias[i] = (bias[i] as number) - mean;
}

/** `layers.0.query`, `pooler`, `embeddings.layerNorm`, … */
function lookup(checkpoint: WeightSource, name: string): LinearWeights | NormWeights {
  const parts = name.split(".");
  let found: unknown;
  if (parts[0] === "layers") {
    const layer = checkpoint.layers[Number(parts[1])];
    if (layer !== undefined && Object.hasOwn(layer, parts[2] ?? "")) found = layer[parts[2] as keyof LayerWeights];
  } else if (name === "pooler") found = checkpoint.pooler;
  else if (name === "classifier") found = checkpoint.classifier;
  if (found === undefined) throw new AegisError("program", `the checkpoint has no parameter ${name}`);
  return found as LinearWeights | NormWeights;
}
