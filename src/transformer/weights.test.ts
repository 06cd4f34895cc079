/** What is folded into linear layers, against doing it step by step. */
import { describe, expect, test } from "vitest";
import { uniforms } from "../../test/support/ckks.ts";
import { modelFiles } from "../../test/support/transformer.ts";
import { parseCheckpoint } from "../model/index.ts";
import type { WeightExpression } from "../program/index.ts";
import { foldWeights } from "./weights.ts";

const checkpoint = parseCheckpoint(modelFiles({ hidden: 12, heads: 3, inner: 20 }));
const next = uniforms(4);
const vector = (n: number): Float64Array => Float64Array.from({ length: n }, () => 2 * next() - 1);
const plain: WeightExpression = {
  parameter: "layers.0.query",
  inputNorm: null,
  centre: false,
  inputScale: 1,
  outputNorm: 1,
  outputOffset: 0,
};

function apply(expression: WeightExpression, x: Float64Array): Float64Array {
  const { rows, columns, matrix, bias } = foldWeights(expression, checkpoint);
  expect([matrix.length, bias.length, x.length]).toEqual([rows * columns, rows, columns]);
  return bias.map((b, i) => x.reduce((sum, value, j) => sum + matrix[i * columns + j] * value, b));
}

/** The same from the definition: true input, γ, β, layer, centring, then stored units. */
function stepByStep(expression: WeightExpression, stored: Float64Array): Float64Array {
  let x: Float64Array = stored.map((value) => value * expression.inputScale);
  const { attentionLayerNorm, query, intermediate, output } = checkpoint.layers[0];
  if (expression.inputNorm !== null)
    x = x.map((value, i) => value * attentionLayerNorm.weight[i] + attentionLayerNorm.bias[i]);
  const layer = { "layers.0.query": query, "layers.0.intermediate": intermediate, "layers.0.output": output }[
    expression.parameter
  ];
  let y: Float64Array = x;
  if (layer !== undefined) {
    y = Float64Array.from(layer.bias, (b, i) =>
      x.reduce((sum, value, j) => sum + layer.weight[i * x.length + j] * value, b),
    );
  }
  if (expression.centre) {
    const mean = y.reduce((sum, value) => sum + value, 0) / y.length;
    y = y.map((value) => value - mean);
  }
  return y.map((value) => (value - expression.outputOffset) / expression.outputNorm);
}

const norm = "layers.0.attentionLayerNorm";
const cases: readonly [string, Partial<WeightExpression>, number][] = [
  ["nothing", {}, 12],
  ["γ and β", { inputNorm: norm }, 12],
  ["centring", { centre: true }, 12],
  ["norms of what is stored", { inputScale: 8, outputNorm: 3, outputOffset: 0.7 }, 12],
  ["all of it", { inputNorm: norm, centre: true, inputScale: 8, outputNorm: 0.3, outputOffset: -1 }, 12],
  [
    "all of it on the residual path",
    { parameter: "identity", inputNorm: norm, centre: true, inputScale: 8, outputNorm: 5 },
    12,
  ],
  [
    "all of it, wide output",
    { parameter: "layers.0.intermediate", inputNorm: norm, inputScale: 8, outputNorm: 4, outputOffset: 0.5 },
    12,
  ],
  ["centring, wide input", { parameter: "layers.0.output", centre: true, inputScale: 2, outputNorm: 6 }, 20],
];

describe("folded into a layer", () => {
  test.each(cases)("%s", (_, change, columns) => {
    const expression = { ...plain, ...change };
    const x = vector(columns);
    const expected = stepByStep(expression, x);
    const got = apply(expression, x);
    expect(got.length).toBe(expected.length);
    for (const [i, value] of expected.entries()) expect(got[i]).toBeCloseTo(value, 12);
  });

  test("a centred output has mean zero whatever the input", () => {
    const y = apply({ ...plain, centre: true, inputNorm: norm }, vector(12));
    expect(y.reduce((sum, value) => sum + value, 0)).toBeCloseTo(0, 12);
  });

  test("the checkpoint is left as it is", () => {
    const before = Float64Array.from(checkpoint.layers[0].query.weight);
    foldWeights({ ...plain, inputNorm: norm, centre: true, inputScale: 3 }, checkpoint);
    expect(Float64Array.from(checkpoint.layers[0].query.weight)).toEqual(before);
  });
});

test.each(["layers.7.query", "layers.0.nothing", "decoder", "layers", "__proto__", "layers.0.constructor"])(
  "there is no parameter %s",
  (parameter) => {
    expect(() => foldWeights({ ...plain, parameter }, checkpoint)).toThrow(/no parameter/);
  },
);
