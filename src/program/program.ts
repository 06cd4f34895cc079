/**
 * The intermediate representation: a graph of operations over ciphertext tensors. A tensor is an
 * array of ciphertexts with named application axes; an operation says what it computes in terms of
 * the model, not of ciphertexts. Serialisable as JSON; weights are named, not contained.
 *
 * Values are stored normalised: stored = (true − offset)/norm, so that they fit the interval of the
 * polynomial or the bound of the bootstrapping that follows.
 */
import type { Content, Geometry } from "./layout.ts";

/**
 * Application axes: what the ciphertexts of a tensor are indexed by, next to `block`. `dimension` is
 * a feature within each head, `diagonal` a generalised diagonal of the scores.
 */
export type Axis = "feature" | "dimension" | "diagonal";

/** A ciphertext tensor. */
export interface Tensor {
  readonly name: string;
  readonly axis: Axis;
  /** Token blocks; ciphertext i of block b has number b·count + i. */
  readonly blocks: number;
  /** Ciphertexts of one block: along the axis. */
  readonly count: number;
  readonly content: Content;
  /** Features of a token that a `wide` tensor holds; the lanes after them are of no use. */
  readonly features?: number;
  /** Bound on the magnitude of stored values, from calibration. */
  readonly magnitude: number;
  readonly norm: number;
  readonly offset: number;
  /** Filled in by the scheduler: level of the ciphertexts. */
  level?: number;
  /** log2 of the scale. */
  logScale?: number;
}

/** A linear map of the model, with what is folded into it. out = scale·C·(W·(γ⊙in)) + …, biases alike. */
export interface WeightExpression {
  /** Checkpoint parameter, such as `layers.0.query`; `identity` for the residual path. */
  readonly parameter: string;
  /** Layer norm whose γ and β are applied to the input first, such as `layers.0.outputLayerNorm`. */
  readonly inputNorm: string | null;
  /** Subtract the mean over features from the output (the layer norm that follows asks for it). */
  readonly centre: boolean;
  readonly inputScale: number;
  readonly outputNorm: number;
  readonly outputOffset: number;
}

/** Slots in which a polynomial's result is kept; elsewhere it is zero. */
export type Mask = "none" | "keys" | "single" | "first-token";

interface Common {
  readonly id: number;
  /** Where in the model: `layer 0`, `attention`, `softmax`. */
  readonly path: readonly string[];
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  /** Levels it consumes. */
  readonly depth: number;
  /** Filled in by the scheduler: level at which it is evaluated. */
  level?: number;
}

/** The client's embedding, encrypted. */
export interface InputOperation extends Common {
  readonly kind: "input";
}

/** Copies the features of each token into all groups of lanes. */
export interface ReplicateOperation extends Common {
  readonly kind: "replicate";
}

/** One or more linear layers of the same input. */
export interface LinearOperation extends Common {
  readonly kind: "linear";
  readonly weights: readonly WeightExpression[];
}

export interface AddOperation extends Common {
  readonly kind: "add";
}

/** Products of queries (first input) and keys (second) for all diagonals, summed over each head's features, plus `constant`. */
export interface ScoresOperation extends Common {
  readonly kind: "scores";
  readonly constant: number;
}

/** Σ coefficients[k]·T_k of every value; times `headFactors` by head for scores. */
export interface PolynomialOperation extends Common {
  readonly kind: "polynomial";
  /** What it stands for: `exp`, `1/x`, `1/√x`, `gelu`, `tanh`. */
  readonly function: string;
  readonly coefficients: readonly number[];
  readonly mask: Mask;
  readonly headFactors?: readonly number[];
}

/** Group g of the result holds the features of token t + g. */
export interface OffsetOperation extends Common {
  readonly kind: "offset";
}

/** Values of real tokens times `headFactors` by head; zero for the others. */
export interface MaskOperation extends Common {
  readonly kind: "mask";
  readonly headFactors: readonly number[];
}

/** Copies each probability to all lanes of its head, times `factor`. */
export interface ExpandOperation extends Common {
  readonly kind: "expand";
  readonly factor: number;
}

/**
 * Sums scores over all keys: factor·Σ + constant in the features' lanes. `diagonals` are masked and
 * weighted by `headFactors` on the way, `expanded` scores were before.
 */
export interface DenominatorsOperation extends Common {
  readonly kind: "denominators";
  readonly factor: number;
  readonly constant: number;
  readonly headFactors?: readonly number[];
}

/** Σ over keys of scores (first input) times values (second). */
export interface ContextOperation extends Common {
  readonly kind: "context";
}

export interface MultiplyOperation extends Common {
  readonly kind: "multiply";
}

/** Sum of squares over the features of each token, plus `constant`, in all features' lanes. */
export interface SquareSumOperation extends Common {
  readonly kind: "square-sum";
  readonly constant: number;
}

/** Refreshes its inputs; real ones travel in pairs. */
export interface BootstrapOperation extends Common {
  readonly kind: "bootstrap";
  /** Level that the results are dropped to. */
  readonly target: number;
}

export interface OutputOperation extends Common {
  readonly kind: "output";
}

export type Operation =
  | InputOperation
  | ReplicateOperation
  | LinearOperation
  | AddOperation
  | ScoresOperation
  | PolynomialOperation
  | OffsetOperation
  | MaskOperation
  | ExpandOperation
  | DenominatorsOperation
  | ContextOperation
  | MultiplyOperation
  | SquareSumOperation
  | BootstrapOperation
  | OutputOperation;

export type OperationKind = Operation["kind"];

/** A compiled model. */
export interface Program {
  readonly format: 1;
  /** SHA-256 of the checkpoint. */
  readonly checkpoint: string;
  readonly preset: string;
  readonly geometry: Geometry;
  /** Real tokens of the text; the rest of the rows repeats them. */
  readonly length: number;
  readonly classes: number;
  readonly tensors: Readonly<Record<string, Tensor>>;
  /** In order of execution. */
  readonly operations: readonly Operation[];
  readonly input: string;
  readonly output: string;
}

/** Ciphertexts of a tensor, all blocks. */
export function ciphertextsOf(tensor: Pick<Tensor, "blocks" | "count">): number {
  return tensor.blocks * tensor.count;
}

/** `layer 0 → attention → scores`. */
export function describeOperation(operation: Operation): string {
  const name = operation.kind === "polynomial" ? operation.function : operation.kind;
  return [...operation.path, name].join(" → ");
}
