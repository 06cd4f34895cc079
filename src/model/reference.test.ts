import { fileURLToPath } from "node:url";
import { beforeAll, describe, expect, test } from "vitest";
import { microFiles } from "../../test/vectors/model/micro.ts";
import { type Checkpoint, loadCheckpoint, parseCheckpoint } from "./checkpoint.ts";
import { type Example, loadTestSet } from "./dataset.ts";
import { embed, embedWithVariances } from "./embed.ts";
import { loadRanges, RangeRecorder } from "./ranges.ts";
import { referenceForward } from "./reference.ts";

const folder = (name: string) => fileURLToPath(new URL(`../../models/${name}/`, import.meta.url));

/** Runs the model on a row and holds its logits to the stored ones; the class it chose. */
function compare(model: Checkpoint, row: Example, tolerance: number): number {
  const ids = model.tokenizer.encode(row.text, { truncate: true });
  expect(ids.length, row.id).toBe(row.tokens);
  const { logits, labelIndex } = referenceForward(model, ids);
  const difference = Math.max(...row.logits.map((value, i) => Math.abs(value - logits[i])));
  expect(difference, row.id).toBeLessThan(tolerance);
  return labelIndex;
}

describe("sentiment-bert-tiny", () => {
  const directory = folder("sentiment-bert-tiny");
  let model: Checkpoint;
  let rows: Example[];
  beforeAll(async () => {
    [model, rows] = await Promise.all([loadCheckpoint(directory), loadTestSet(directory)]);
  });

  test("every stored logit within 1e-5, accuracy as published", () => {
    const right = rows.filter((row) => compare(model, row, 1e-5) === row.label).length;
    expect(rows.length).toBe(611);
    expect(right / rows.length).toBeCloseTo(0.8592471358428805, 12);
  });

  test("observed ranges are those of the single-precision original", async () => {
    const { test: stored } = await loadRanges(directory);
    const recorder = new RangeRecorder((name) => Object.hasOwn(stored, name));
    for (const row of rows) referenceForward(model, model.tokenizer.encode(row.text), { observe: recorder.observe });
    const recorded = recorder.ranges();
    const names = Object.keys(stored).filter((name) => !name.endsWith("_after_constant"));
    expect(Object.keys(recorded)).toEqual(names.sort());
    for (const name of names) {
      expect(recorded[name].min, name).toBeCloseTo(stored[name].min, 4);
      expect(recorded[name].max, name).toBeCloseTo(stored[name].max, 4);
      for (const quantile of ["p0.1", "p50", "p99.9"] as const) {
        const slack = 0.01 + 0.03 * Math.abs(stored[name][quantile]);
        expect(Math.abs(recorded[name][quantile] - stored[name][quantile]), `${name} ${quantile}`).toBeLessThan(slack);
      }
    }
  });

  test("predictions have names and probabilities", () => {
    const result = referenceForward(model, model.tokenizer.encode("A wonderful film, I loved it."));
    expect(result.label).toBe("POSITIVE");
    expect(result.probabilities[0] + result.probabilities[1]).toBeCloseTo(1, 14);
  });
});

describe("spam-bert-tiny-2048", () => {
  test("stored logits within 1e-4, from short to 2048 tokens", { timeout: 60_000 }, async () => {
    const directory = folder("spam-bert-tiny-2048");
    const [model, rows] = await Promise.all([loadCheckpoint(directory), loadTestSet(directory)]);
    expect(rows.length).toBe(141);
    const sorted = [...rows].sort((a, b) => a.tokens - b.tokens);
    expect(sorted[140].tokens).toBe(2048);
    for (let i = 0; i < sorted.length; i += 14) compare(model, sorted[i], 1e-4);
  });
});

describe("observer", () => {
  const model = parseCheckpoint(microFiles());
  const ids = [2, 6, 8, 9, 3];

  test("reports every tensor with its shape and does not change the result", () => {
    const seen = new Map<string, string[]>();
    const watched = referenceForward(model, ids, {
      observe(name, values, { shape, head }) {
        expect(values.length, name).toBe(shape.reduce((product, n) => product * n, 1));
        expect(values.every(Number.isFinite), name).toBe(true);
        seen.set(name, [...(seen.get(name) ?? []), `${head ?? "-"}:${shape.join("x")}`]);
      },
    });
    expect([...watched.logits]).toEqual([...referenceForward(model, ids).logits]);
    expect(seen.get("embeddings")).toEqual(["-:5x4"]);
    expect(seen.get("layer0.attention_logit")).toEqual(["0:5x5", "1:5x5"]);
    expect(seen.get("layer0.cls_row.attention_logit")).toEqual(["0:1x5", "1:1x5"]);
    expect(seen.get("layer0.head1.log_row_sum_exp")).toEqual(["1:5"]);
    expect(seen.get("layer0.ffn_activation")).toEqual(["-:5x6"]);
    expect(seen.get("layer0.cls_row.output.ln.var")).toEqual(["-:1"]);
    expect(seen.get("pooler_input")).toEqual(["-:4"]);
    expect(seen.get("logits")).toEqual(["-:2"]);
  });
});

describe("embed", () => {
  const model = parseCheckpoint(microFiles());

  test("word + position + type, normalised", () => {
    const { word, position, tokenType, layerNorm } = model.embeddings;
    const sum = [0, 1, 2, 3].map((i) => word[6 * 4 + i] + position[4 + i] + tokenType[i]);
    const mean = sum.reduce((a, b) => a + b) / 4;
    const variance = sum.reduce((a, b) => a + (b - mean) ** 2, 0) / 4;
    const { values, variances } = embedWithVariances(model, [2, 6]);
    expect(variances[1]).toBeCloseTo(variance, 14);
    for (let i = 0; i < 4; i++) {
      const expected = ((sum[i] - mean) / Math.sqrt(variance + 1e-12)) * layerNorm.weight[i] + layerNorm.bias[i];
      expect(values[4 + i]).toBeCloseTo(expected, 12);
    }
  });

  test("refuses what is not a text of the model", () => {
    expect(() => embed(model, [])).toThrow("expected 1 to 8 tokens, got 0");
    expect(() => embed(model, Array(9).fill(2))).toThrow("got 9");
    expect(() => embed(model, [2, 10])).toThrow("ids[1]: expected 0 to 9, got 10");
    expect(() => embed(model, [2.5])).toThrow(TypeError);
  });
});
