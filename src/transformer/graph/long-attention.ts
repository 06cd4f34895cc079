/**
 * Attention of the long layout: one score ciphertext for every diagonal (of every block of keys). No
 * score is ever bootstrapped, masked or normalised: padding and the heads' shifts go into the values and
 * the denominators, and the division is done on the context, where ciphertexts are few.
 */
import { diagonalCount, groupsOf, type Tensor } from "../../program/index.ts";
import type { LayerCalibration } from "../calibration.ts";
import { type GraphBuilder, halfWidth, likeTensor } from "./builder.ts";

/** Context of layer `l`; the sum over the groups of lanes is left to the layer that reads it. */
export function longAttention(builder: GraphBuilder, l: number, query: Tensor, key: Tensor, value: Tensor): Tensor {
  const { geometry, length } = builder;
  const calibration = builder.calibration.layers[l] as LayerCalibration;
  const path = [`layer ${l}`, "attention"];
  const softmax = [`layer ${l}`, "attention", "softmax"];
  const name = (suffix: string): string => `layer${l}.${suffix}`;
  const { blocks } = query;
  const largest = Math.exp(calibration.exp.interval[1]);
  // Means over the real keys of exp(s − shift of the head).
  const means = calibration.headShifts.map((shift) => (largest * Math.exp(-shift)) / length);
  const inverse = halfWidth(calibration.inverse);
  const greatest = calibration.inverse.interval[1];
  // Values so small that their sum over all keys is at most 1. They are read at a low level: first, as what waits
  // through the scores is then small.
  const factors = means.map((mean) => mean / greatest);
  const masked = builder.tensor(name("value.masked"), value.norm, {
    ...likeTensor(value),
    magnitude: value.magnitude * Math.max(...factors),
  });
  builder.push(path, {
    kind: "mask",
    inputs: [value.name],
    outputs: [masked.name],
    depth: 1,
    headFactors: factors,
  });
  const offsetValue = offset(builder, path, masked, name("value.offset"));
  const logits = halfWidth(calibration.exp);
  const scores = builder.tensor(name("scores"), logits.half, {
    content: "diagonals",
    axis: "diagonal",
    blocks,
    count: diagonalCount(geometry),
    offset: logits.middle,
  });
  const offsetKey = offset(builder, path, key, name("key.offset"));
  builder.push(path, {
    kind: "scores",
    inputs: [query.name, offsetKey.name],
    outputs: [scores.name],
    depth: 1,
    constant: -logits.middle / logits.half,
  });

  // exp(s), stored relative to its largest value.
  const exponentials = builder.polynomial(
    softmax,
    scores,
    name("exponentials"),
    "exp",
    calibration.exp,
    largest,
    "none",
    1,
  );

  const sums = builder.tensor(name("denominators"), inverse.half, {
    content: "replicated",
    blocks,
    offset: inverse.middle,
  });
  builder.push(softmax, {
    kind: "denominators",
    inputs: [exponentials.name],
    outputs: [sums.name],
    depth: groupsOf(geometry) > 1 ? 2 : 1,
    factor: 1 / inverse.half,
    constant: -inverse.middle / inverse.half,
    headFactors: means,
  });

  const context = builder.tensor(name("context.sum"), calibration.value * greatest, {
    content: "grouped",
    axis: "dimension",
    blocks,
    count: builder.config.headSize,
  });
  builder.push(path, {
    kind: "context",
    inputs: [exponentials.name, offsetValue.name],
    outputs: [context.name],
    depth: 1,
  });
  const inverted = builder.polynomial(
    softmax,
    sums,
    name("inverse"),
    "1/x",
    calibration.inverse,
    1 / greatest,
    "none",
    greatest / calibration.inverse.interval[0],
  );
  return builder.multiply(path, context, inverted, name("context"), calibration.value, 1, likeTensor(context));
}

/** One group of lanes has nothing to be offset. */
function offset(builder: GraphBuilder, path: readonly string[], input: Tensor, output: string): Tensor {
  if (groupsOf(builder.geometry) === 1) return input;
  const shifted = builder.tensor(output, input.norm, {
    ...likeTensor(input),
    content: "offset",
    magnitude: input.magnitude,
  });
  builder.push(path, { kind: "offset", inputs: [input.name], outputs: [shifted.name], depth: 0 });
  return shifted;
}
