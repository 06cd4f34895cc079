/** The plaintext twin against the exact model. */

import { readFile } from "node:fs/promises";
import { describe, expect, test } from "vitest";
import { geometryOf } from "../../test/support/geometry.ts";
import { smallModel } from "../../test/support/transformer.ts";
import { embed, loadCheckpoint, loadTestSet, referenceForward } from "../model/index.ts";
import { calibrationFile, defaultTargets, parseCalibration } from "./calibration.ts";
import { chooseGeometry } from "./geometries.ts";
import { buildGraph } from "./graph/index.ts";
import { Twin } from "./twin.ts";

describe("a small model", () => {
  const shape = { hidden: 12, heads: 3, inner: 40, layers: 2 };
  const model = smallModel(shape, defaultTargets);
  const twin = new Twin(model.checkpoint);
  const run = (length: number, tokens: number, spread: number) => {
    const graph = buildGraph(model.checkpoint.config, model.calibration, geometryOf({ shape, tokens, spread }), length);
    return twin.run(graph, embed(model.checkpoint, model.ids(length)));
  };

  test.each([1, 2, 5, 8, 13, 16])("%i tokens: as the exact model", (length) => {
    const { logits, excursions } = run(length, 16, 2);
    const reference = referenceForward(model.checkpoint, model.ids(length));
    expect(excursions).toEqual([]);
    expect(logits.length).toBe(2);
    for (const [i, logit] of reference.logits.entries())
      expect(Math.abs(logits[i] - logit) / model.calibration.logits).toBeLessThan(0.01);
  });

  test("the layout makes no difference", () => {
    const [a, b, c] = [run(5, 8, 1), run(5, 8, 4), run(5, 16, 2)];
    for (const [i, logit] of a.logits.entries()) {
      expect(b.logits[i]).toBeCloseTo(logit, 12);
      expect(c.logits[i]).toBeCloseTo(logit, 12);
    }
  });

  test("values that leave a polynomial's interval are reported with their place", () => {
    const graph = buildGraph(
      model.checkpoint.config,
      model.calibration,
      geometryOf({ shape, tokens: 4, spread: 1 }),
      3,
    );
    const large = embed(model.checkpoint, model.ids(3)).map((x) => 4 * x);
    const { excursions } = twin.run(graph, large);
    expect(excursions.map(({ operation }) => operation)).toContain("layer 0 → attention → softmax → exp");
    for (const { by } of excursions) expect(by).toBeGreaterThan(0);
  });
});

test("the sentiment model: labels and logits of test texts", async () => {
  const directory = "models/sentiment-bert-tiny";
  const checkpoint = await loadCheckpoint(directory);
  const calibration = parseCalibration(
    JSON.parse(await readFile(`${directory}/${calibrationFile}`, "utf8")),
    checkpoint,
  );
  const twin = new Twin(checkpoint);
  const texts = (await loadTestSet(directory)).filter(({ tokens }) => tokens <= 24).slice(0, 12);
  expect(texts.length).toBe(12);
  for (const { text } of texts) {
    const ids = checkpoint.tokenizer.encode(text);
    const reference = referenceForward(checkpoint, ids);
    const graph = buildGraph(
      checkpoint.config,
      calibration,
      chooseGeometry(checkpoint.config, ids.length, 2 ** 15),
      ids.length,
    );
    const { logits, excursions } = twin.run(graph, embed(checkpoint, ids));
    expect(excursions, text).toEqual([]);
    for (const [i, logit] of reference.logits.entries())
      expect(Math.abs(logits[i] - logit), text).toBeLessThan(2 ** -5);
  }
});
