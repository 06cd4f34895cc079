/**
 * The graph of an encrypted BERT classifier: which operations, with what folded into them. Levels
 * and bootstraps come later (schedule.ts).
 *
 * Normalisation: every linear layer produces the argument of the polynomial that follows it in
 * [−1, 1] already. Layer norm: the linear layers before it subtract the mean (centre) and scale, so
 * that Σ x² over the features is the variance mapped to the interval of the 1/√x polynomial; γ and β
 * go into the layers that read the result.
 */
import type { ModelConfig } from "../../model/index.ts";
import type { Geometry, Mask, Tensor } from "../../program/index.ts";
import type { Calibration, FittedFunction, LayerCalibration } from "../calibration.ts";
import { GraphBuilder, halfWidth, likeTensor, type UnscheduledProgram } from "./builder.ts";
import { longAttention } from "./long-attention.ts";
import { shortAttention } from "./short-attention.ts";

/** Norm of layer norms' results: their magnitude is at most √hidden, in practice about 6. */
const normalisedNorm = 8;

/** Builds the graph. `length` tokens are real, at most as many as the geometry holds. */
export function buildGraph(
  config: ModelConfig,
  calibration: Calibration,
  geometry: Geometry,
  length: number,
): UnscheduledProgram {
  const builder = new GraphBuilder(config, calibration, geometry, length);
  let state = builder.tensor("embeddings", calibration.embeddings, builder.hidden());
  builder.push(["client"], { kind: "input", inputs: [], outputs: [state.name], depth: 0 });
  let inputNorm: string | null = null;
  for (let l = 0; l < config.layers; l++) {
    state = layer(builder, l, state, inputNorm, l === config.layers - 1);
    inputNorm = `layers.${l}.outputLayerNorm`;
  }
  const output = head(builder, state, inputNorm);
  return {
    format: 1,
    checkpoint: calibration.checkpoint,
    geometry,
    length,
    classes: config.labels.length,
    tensors: builder.tensors,
    operations: builder.operations,
    input: "embeddings",
    output: output.name,
  };
}

function layer(builder: GraphBuilder, l: number, state: Tensor, inputNorm: string | null, last: boolean): Tensor {
  const { config } = builder;
  const calibration = builder.calibration.layers[l] as LayerCalibration;
  const path = [`layer ${l}`, "attention"];
  const name = (suffix: string): string => `layer${l}.${suffix}`;
  const parameter = (suffix: string): string => `layers.${l}.${suffix}`;
  const copies = builder.copies(path, state, name("input"));
  // The head reads the first token: of the last layer, only the first block of queries is of use.
  const blocks = last ? 1 : builder.geometry.blocks;
  const hidden = { ...builder.hidden(), blocks };
  const heads = builder.isLong ? ({ axis: "dimension", count: config.headSize } as const) : {};

  // Scores arrive in the interval of exp: the queries' norm makes up for the interval and 1/√d.
  const logits = halfWidth(calibration.exp);
  const queryNorm = (logits.half * Math.sqrt(config.headSize)) / calibration.key;
  const residualNorm = centredNorm(config, calibration.attentionNorm);
  const [query, key, value, residual] = builder.linear(path, copies, inputNorm, [
    {
      parameter: parameter("query"),
      output: name("query"),
      norm: queryNorm,
      magnitude: calibration.query / queryNorm,
      ...heads,
      ...(builder.isLong ? { content: "replicated" } : {}),
      blocks,
    },
    { parameter: parameter("key"), output: name("key"), norm: calibration.key, ...heads },
    { parameter: parameter("value"), output: name("value"), norm: calibration.value, ...heads },
    { parameter: "identity", output: name("attention.residual"), norm: residualNorm, centre: true, ...hidden },
  ]) as [Tensor, Tensor, Tensor, Tensor];
  const attend = builder.isLong ? longAttention : shortAttention;
  const context = attend(builder, l, query, key, value);
  const contextCopies = builder.copies(path, context, name("context.copies"));
  const [projected] = builder.linear(path, contextCopies, null, [
    {
      parameter: parameter("attentionOutput"),
      output: name("attention.projected"),
      norm: residualNorm,
      centre: true,
      ...hidden,
    },
  ]) as [Tensor];
  const attention = normalise(
    builder,
    [`layer ${l}`, "attention norm"],
    name("attention"),
    projected,
    residual,
    calibration.attentionNorm,
    "none",
  );

  const forward = [`layer ${l}`, "feed-forward"];
  const attentionNorm = parameter("attentionLayerNorm");
  const attentionCopies = builder.copies(forward, attention, name("attention.copies"));
  const argument = halfWidth(calibration.activation);
  const outputNorm = centredNorm(config, calibration.outputNorm);
  const [inner, innerResidual] = builder.linear(forward, attentionCopies, attentionNorm, [
    {
      parameter: parameter("intermediate"),
      output: name("inner"),
      norm: argument.half,
      offset: argument.middle,
      ...builder.wide(config.intermediateSize),
      blocks,
    },
    { parameter: "identity", output: name("output.residual"), norm: outputNorm, centre: true, ...hidden },
  ]) as [Tensor, Tensor];
  const activated = builder.polynomial(
    forward,
    inner,
    name("activated"),
    config.activation,
    calibration.activation,
    argument.half,
    "none",
  );
  const [output] = builder.linear(forward, activated, null, [
    { parameter: parameter("output"), output: name("output.projected"), norm: outputNorm, centre: true, ...hidden },
  ]) as [Tensor];
  return normalise(
    builder,
    [`layer ${l}`, "output norm"],
    name("output"),
    output,
    innerResidual,
    calibration.outputNorm,
    last ? "first-token" : "none",
  );
}

function normalise(
  builder: GraphBuilder,
  path: string[],
  name: string,
  a: Tensor,
  b: Tensor,
  fitted: FittedFunction,
  mask: Mask,
): Tensor {
  const { geometry } = builder;
  const centred = builder.tensor(`${name}.centred`, a.norm, { ...likeTensor(a), magnitude: 2 });
  builder.push(path, { kind: "add", inputs: [a.name, b.name], outputs: [centred.name], depth: 0 });
  const { half, middle } = halfWidth(fitted);
  const variance = builder.tensor(`${name}.variance`, half, {
    content: builder.isLong ? "replicated" : "partial",
    blocks: a.blocks,
    offset: middle,
  });
  const spareLanes = !builder.isLong && geometry.lanes > geometry.width;
  builder.push(path, {
    kind: "square-sum",
    inputs: [centred.name],
    outputs: [variance.name],
    depth: spareLanes ? 1 : 2,
    constant: -middle / half,
  });
  const norm = normalisedNorm / a.norm;
  const inverse = builder.polynomial(
    path,
    variance,
    `${name}.inverse`,
    "1/√x",
    fitted,
    norm,
    mask,
    1 / (Math.sqrt(fitted.interval[0]) * norm),
  );
  return builder.multiply(path, centred, inverse, `${name}.normalised`, normalisedNorm, 1.5, likeTensor(a));
}

function head(builder: GraphBuilder, state: Tensor, inputNorm: string | null): Tensor {
  const { calibration, config } = builder;
  const path = ["head"];
  const { half } = halfWidth(calibration.pooler);
  const copies = builder.copies(path, state, "head.input");
  const hidden = { ...builder.hidden(), blocks: 1 };
  const [argument] = builder.linear(path, copies, inputNorm, [
    { parameter: "pooler", output: "head.pooler", norm: half, ...hidden },
  ]) as [Tensor];
  const mask = builder.isLong ? "none" : "single";
  const pooled = builder.polynomial(path, argument, "head.pooled", "tanh", calibration.pooler, 1, mask);
  const pooledCopies = builder.copies(path, pooled, "head.pooled.copies");
  const classes = builder.isLong ? { ...builder.wide(config.labels.length), blocks: 1 } : {};
  const [logits] = builder.linear(path, pooledCopies, null, [
    { parameter: "classifier", output: "logits", norm: calibration.logits, ...classes },
  ]) as [Tensor];
  // Logits of all tokens stand beside those of the first: their sum may pass the base modulus, so that
  // the long layout keeps a level above it.
  builder.push(path, { kind: "output", inputs: [logits.name], outputs: [], depth: builder.isLong ? 1 : 0 });
  return logits;
}

/** Norm that makes Σ x² over the features the variance in units of half the interval. */
function centredNorm(config: ModelConfig, fitted: FittedFunction): number {
  return Math.sqrt(config.hiddenSize * halfWidth(fitted).half);
}
