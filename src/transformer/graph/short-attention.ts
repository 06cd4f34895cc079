/**
 * Attention of the short layout: scores of all diagonals are packed into few ciphertexts for the
 * softmax and expanded again for the product with the values.
 */
import { polynomialDepth } from "../../circuits/index.ts";
import { expandedCount, scoreCount, type Tensor } from "../../program/index.ts";
import type { LayerCalibration } from "../calibration.ts";
import { type GraphBuilder, halfWidth } from "./builder.ts";

/** Context of layer `l`. */
export function shortAttention(builder: GraphBuilder, l: number, query: Tensor, key: Tensor, value: Tensor): Tensor {
  const { geometry } = builder;
  const calibration = builder.calibration.layers[l] as LayerCalibration;
  const path = [`layer ${l}`, "attention"];
  const softmax = [`layer ${l}`, "attention", "softmax"];
  const name = (suffix: string): string => `layer${l}.${suffix}`;
  const logits = halfWidth(calibration.exp);
  const scores = builder.tensor(name("scores"), logits.half, {
    content: "scores",
    count: scoreCount(geometry),
    axis: "diagonal",
    offset: logits.middle,
  });
  builder.push(path, {
    kind: "scores",
    inputs: [query.name, key.name],
    outputs: [scores.name],
    depth: 3,
    constant: -logits.middle / logits.half,
  });

  // exp(s − shift of the head), stored relative to its largest value.
  const largest = Math.exp(calibration.exp.interval[1] - Math.min(...calibration.headShifts));
  const exponentials = builder.tensor(name("exponentials"), largest, {
    content: "scores",
    count: scores.count,
    axis: "diagonal",
  });
  builder.push(softmax, {
    kind: "polynomial",
    function: "exp",
    inputs: [scores.name],
    outputs: [exponentials.name],
    depth: polynomialDepth(calibration.exp.coefficients.length - 1) + 1,
    coefficients: calibration.exp.coefficients.map((c) => c / largest),
    headFactors: calibration.headShifts.map((shift) => Math.exp(-shift)),
    mask: "keys",
  });

  // Expanded so that the sum over all keys is at most 1.
  const inverse = halfWidth(calibration.inverse);
  const greatest = calibration.inverse.interval[1];
  const expandedNorm = builder.length * greatest;
  const expanded = builder.tensor(name("expanded"), expandedNorm, {
    content: "expanded",
    count: expandedCount(geometry),
    axis: "diagonal",
    magnitude: Math.min(1, largest / expandedNorm),
  });
  builder.push(path, {
    kind: "expand",
    inputs: [exponentials.name],
    outputs: [expanded.name],
    depth: 1,
    factor: largest / expandedNorm,
  });

  const sums = builder.tensor(name("denominators"), inverse.half, { content: "partial", offset: inverse.middle });
  builder.push(softmax, {
    kind: "denominators",
    inputs: [expanded.name],
    outputs: [sums.name],
    depth: 1,
    factor: greatest / inverse.half,
    constant: -inverse.middle / inverse.half,
  });
  const context = builder.tensor(name("context.sum"), calibration.value * greatest, { content: "partial" });
  builder.push(path, { kind: "context", inputs: [expanded.name, value.name], outputs: [context.name], depth: 1 });

  // context = sum·(largest mean / mean), with the bound of the values.
  const inverseNorm = 1 / greatest;
  const inverted = builder.polynomial(
    softmax,
    sums,
    name("inverse"),
    "1/x",
    calibration.inverse,
    inverseNorm,
    "single",
    greatest / calibration.inverse.interval[0],
  );
  return builder.multiply(path, context, inverted, name("context"), calibration.value, 1, {});
}
