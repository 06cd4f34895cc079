/** Calibration: margins, fits, and what is read back from a file. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { evaluateSeries } from "../../test/support/series.ts";
import { modelFiles, smallModel } from "../../test/support/transformer.ts";
import { AegisError } from "../base/errors.ts";
import { parseCheckpoint, RangeRecorder, referenceForward } from "../model/index.ts";
import { type Calibration, calibrate, defaultTargets, parseCalibration } from "./calibration.ts";

const shape = { hidden: 8, heads: 2, inner: 20 };
const { checkpoint, calibration, ids } = smallModel(shape);
const copy = (): Calibration => JSON.parse(JSON.stringify(calibration)) as Calibration;

describe("what is fitted", () => {
  const recorder = new RangeRecorder();
  for (let length = 1; length <= 16; length++) referenceForward(checkpoint, ids(length), { observe: recorder.observe });
  const ranges = recorder.ranges();
  const full = calibrate(checkpoint, ranges, { texts: 16, source: "test" }, defaultTargets);
  const layer = full.layers[0];

  test("intervals hold what was observed, with a margin", () => {
    const wider = ([low, high]: readonly number[], name: string): void => {
      const { min, max } = ranges[name];
      const slack = 0.05 * (max - min);
      expect(low, name).toBeLessThan(min - slack);
      expect(high, name).toBeGreaterThan(max + slack);
    };
    wider(layer.exp.interval, "layer0.attention_logit");
    wider(layer.activation.interval, "layer0.ffn_preactivation");
    wider(full.pooler.interval, "pooler_input");
    for (const name of ["query", "key", "value"] as const) {
      const { min, max } = ranges[`layer0.${name}`];
      expect(layer[name]).toBeCloseTo(1.15 * Math.max(-min, max), 12);
    }
    const variance = ranges["layer0.attention.ln.var"];
    expect(layer.attentionNorm.interval[0]).toBeLessThan(variance.min / 1.3);
    expect(layer.attentionNorm.interval[1]).toBeGreaterThan(1.3 * variance.max);
  });

  test.each([
    ["exp", layer.exp, Math.exp],
    ["1/x", layer.inverse, (x: number) => 1 / x],
    ["1/√x", layer.attentionNorm, (x: number) => 1 / Math.sqrt(x)],
    ["tanh", full.pooler, Math.tanh],
  ] as const)("%s is as near as it says", (_, { interval, coefficients, maximumError, measure, degree }, f) => {
    const [low, high] = interval;
    let most = 0;
    for (let i = 0; i <= 1000; i++) {
      const x = low + ((high - low) * i) / 1000;
      const error = Math.abs(evaluateSeries(coefficients, (2 * i) / 1000 - 1) - f(x));
      most = Math.max(most, measure === "relative" ? error / Math.abs(f(x)) : error);
    }
    expect(most).toBeLessThanOrEqual(maximumError * 1.001);
    expect(most).toBeGreaterThan(maximumError * 0.5);
    expect(coefficients.length).toBe(degree + 1);
  });

  test("a range that was not observed is named", () => {
    const { "layer0.query": _, ...fewer } = ranges;
    expect(() => calibrate(checkpoint, fewer, { texts: 1, source: "test" })).toThrow(/no range of layer0.query/);
  });
});

describe("a stored calibration", () => {
  const read = (json: unknown): Calibration => parseCalibration(json, checkpoint);
  const refused = (json: unknown): AegisError => {
    try {
      read(json);
    } catch (error) {
      expect(error).toBeInstanceOf(AegisError);
      return error as AegisError;
    }
    throw new Error("expected a refusal");
  };

  test("comes back from JSON as it was", () => {
    expect(read(copy())).toEqual(calibration);
  });

  test("of another checkpoint is refused", () => {
    const other = parseCheckpoint(modelFiles(shape, 2));
    expect(() => parseCalibration(copy(), other)).toThrow(/belongs to another checkpoint/);
    expect(refused({ ...copy(), checkpoint: "" }).code).toBe("model");
  });

  const change = (edit: (json: Calibration) => unknown): unknown => {
    const json = copy();
    edit(json);
    return json;
  };

  test.each<[string, unknown]>([
    ["nothing", null],
    ["a list", []],
    ["another format", { ...copy(), format: 2 }],
    ["no layers", { ...copy(), layers: undefined }],
    ["too few layers", { ...copy(), layers: [] }],
    ["a negative bound", { ...copy(), logits: -1 }],
    ["an infinite bound", { ...copy(), embeddings: Number.POSITIVE_INFINITY }],
    ["a bound that is text", { ...copy(), logits: "1" }],
    ["no coefficients", change((json) => json.layers[0].exp.coefficients.splice(0))],
    [
      "too many coefficients",
      change((json) => json.layers[0].exp.coefficients.push(...new Array<number>(300).fill(0))),
    ],
    ["NaN", change((json) => json.layers[0].exp.coefficients.splice(0, 1, Number.NaN))],
    ["null for a number", change((json) => (json.layers[0].headShifts[0] = null as unknown as number))],
    ["too few heads", change((json) => json.layers[0].headShifts.pop())],
    ["an empty interval", change((json) => (json.pooler.interval = [1, 1]))],
    ["a reversed interval", change((json) => json.layers[0].exp.interval.reverse())],
    ["an interval of 1/x that reaches zero", change((json) => (json.layers[0].inverse.interval[0] = 0))],
  ])("%s: one line, and what to do", (_, json) => {
    const error = refused(json);
    expect(error.code).toBe("format");
    expect(error.message).toMatch(/^calibration\.json: /);
    expect(error.message).not.toContain("\n");
    expect(error.hint).toContain("aegis calibrate");
  });

  test("anything else is refused as well", () => {
    fc.assert(
      fc.property(fc.jsonValue(), (json) => {
        expect(refused(json).message.length).toBeLessThan(300);
      }),
      { seed: 5 },
    );
  });
});
