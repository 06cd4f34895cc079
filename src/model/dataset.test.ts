import { cp, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { AegisError } from "../base/errors.ts";
import { calibrationTexts, isTestKey, loadTestSet, splitKey } from "./dataset.ts";
import { loadRanges, RangeRecorder } from "./ranges.ts";

const sentiment = fileURLToPath(new URL("../../models/sentiment-bert-tiny/", import.meta.url));
const spam = fileURLToPath(new URL("../../models/spam-bert-tiny-2048/", import.meta.url));
let empty = "";
beforeAll(async () => {
  empty = await mkdtemp(join(tmpdir(), "aegis-data-"));
});
afterAll(() => rm(empty, { recursive: true, force: true }));

const failure = async (promise: Promise<unknown>): Promise<AegisError> => {
  const error = await promise.catch((e: unknown) => e);
  expect(error).toBeInstanceOf(AegisError);
  return error as AegisError;
};

describe("test sets", () => {
  test("texts by reference, every hash right", async () => {
    const rows = await loadTestSet(sentiment);
    expect(rows).toHaveLength(611);
    expect(rows[0]).toMatchObject({ id: "amazon/39", label: 0, tokens: 5 });
    expect(rows.every((row) => isTestKey(splitKey(row.text)))).toBe(true);
  });

  test("texts in the rows", async () => {
    const rows = await loadTestSet(spam);
    expect(rows).toHaveLength(141);
    expect(rows[0]).toMatchObject({ id: "spam-2/01027", label: 1, tokens: 81 });
  });

  test("the package is absent", async () => {
    const error = await failure(loadTestSet(sentiment, { fixtures: empty }));
    expect(error.code).toBe("io");
    expect(error.message).toContain("npm package sentiment");
    expect(error.hint).toContain("npm install --save-dev sentiment@5.0.2");
  });

  test("texts that are not the original ones", async () => {
    const fixtures = await mkdtemp(join(empty, "f-"));
    const other = JSON.stringify(Array.from({ length: 1001 }, () => ({ text: "other", class: 1 })));
    for (const name of ["amazon", "imdb", "yelp"]) await writeFile(join(fixtures, `${name}.json`), other);
    const error = await failure(loadTestSet(sentiment, { fixtures }));
    expect(error.code).toBe("format");
    expect(error.message).toContain("amazon/39 has another SHA-256");
  });

  test.each([
    ["{", "not valid JSON"],
    ["7", "line 2"],
    ['{"source":"../../etc/passwd","index":0}', "source"],
    ['{"group":"a","id":"b","text":"c","label":0,"tokens":3,"logits":[1]}', "logits"],
  ])("a bad row: %s", async (line, message) => {
    const directory = await mkdtemp(join(empty, "r-"));
    await writeFile(join(directory, "test.jsonl"), `\n${line}\n`);
    const error = await failure(loadTestSet(directory));
    expect(error.code).toBe("format");
    expect(error.message).toContain("test.jsonl line 2");
    expect(error.message).toContain(message);
  });

  test("no test.jsonl", async () => expect((await failure(loadTestSet(empty))).code).toBe("io"));
});

describe("calibration", () => {
  test("training and validation sentences, none of the test part", async () => {
    const [texts, rows] = await Promise.all([calibrationTexts(sentiment), loadTestSet(sentiment)]);
    expect(texts).toHaveLength(2361);
    const held = new Set(rows.map((row) => splitKey(row.text)));
    expect(texts.some((text) => held.has(splitKey(text)))).toBe(false);
  });

  test("stored ranges where there are no training texts", async () => {
    expect(await calibrationTexts(spam)).toEqual([]);
    const { train } = await loadRanges(spam);
    expect(train["layer1.attention_logit"].max).toBeCloseTo(5.904, 3);
    expect(train["layer0.head0.softmax_row_sum_after_constant"].constant).toBeCloseTo(5.288, 3);
  });

  test("a ranges.json that is none", async () => {
    const directory = await mkdtemp(join(empty, "g-"));
    expect((await failure(loadRanges(directory))).code).toBe("io");
    await writeFile(join(directory, "ranges.json"), '{"train":{"x":{"min":"0"}},"test":{}}');
    expect((await failure(loadRanges(directory))).message).toContain("train.x.min");
    await cp(join(sentiment, "ranges.json"), join(directory, "ranges.json"));
    expect(Object.keys((await loadRanges(directory)).test).length).toBeGreaterThan(30);
  });

  test("RangeRecorder: exact extremes, quantiles within 1 %", () => {
    const recorder = new RangeRecorder();
    const values = Float64Array.from({ length: 10_001 }, (_, i) => i / 1000 - 5);
    recorder.observe("x", values, { shape: [10_001] });
    recorder.observe("x", Float64Array.of(7, 0, 1e-9), { shape: [3] });
    const { x } = recorder.ranges();
    expect([x.min, x.max]).toEqual([-5, 7]);
    expect(Math.abs(x["p0.1"] + 4.99)).toBeLessThan(0.05);
    expect(Math.abs(x.p50)).toBeLessThan(0.002);
    expect(Math.abs(x["p99.9"] - 4.99)).toBeLessThan(0.05);
  });
});
