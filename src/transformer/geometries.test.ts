/** Geometries that models and texts of many sizes may take. */
import { describe, expect, test } from "vitest";
import type { ModelConfig } from "../model/index.ts";
import { checkGeometry, sequenceOf, slotsOf } from "../program/index.ts";
import { candidateGeometries, chooseGeometry, longGeometry, otherSteps } from "./geometries.ts";

const slots = 2 ** 15;

function model(hiddenSize: number, heads: number, intermediateSize: number): ModelConfig {
  return { hiddenSize, heads, headSize: hiddenSize / heads, intermediateSize } as ModelConfig;
}

const tiny = model(128, 2, 512);
const base = model(768, 12, 3072);

describe.each([
  ["two heads of 64", tiny],
  ["twelve heads of 64", base],
  ["three heads of 20", model(60, 3, 100)],
])("%s", (_, config) => {
  test.each([1, 7, 128, 433, 512, 1100, 2048])("%i tokens: every candidate has room for them", (length) => {
    const candidates = candidateGeometries(config, length, slots);
    expect(candidates.length).toBeGreaterThan(0);
    for (const geometry of candidates.flatMap((one) => [one, ...otherSteps(one)])) {
      const fits = slotsOf(geometry) <= slots;
      if (!fits) continue; // named by the error of compiling
      expect(() => checkGeometry(geometry, slots)).not.toThrow();
      expect(sequenceOf(geometry)).toBeGreaterThanOrEqual(length);
    }
  });
});

test("short texts are tried in the short layout alone, texts that do not fit it in the long one", () => {
  const layouts = (config: ModelConfig, length: number): string[] => [
    ...new Set(candidateGeometries(config, length, slots).map(({ layout }) => layout)),
  ];
  expect(layouts(tiny, 16)).toEqual(["short"]);
  expect(layouts(tiny, 200)).toEqual(["short", "long"]);
  expect(layouts(tiny, 300)).toEqual(["long"]);
  expect(layouts(base, 512)).toEqual(["long"]);
});

test("a layout that is asked for is the only one", () => {
  for (const layout of ["short", "long"] as const)
    expect(new Set(candidateGeometries(tiny, 200, slots, layout).map((one) => one.layout))).toEqual(new Set([layout]));
});

test("long texts are tried in more blocks than they need", () => {
  const blocks = candidateGeometries(base, 2048, slots).map((geometry) => geometry.blocks);
  expect(blocks).toEqual([1, 2, 4]);
  // Blocks that would hold only padding are left out.
  expect(longGeometry(tiny, 1100, slots, 512)).toMatchObject({ blocks: 3, tokens: 512, lanes: 64 });
});

test("baby steps go through the powers of two, without those of the geometry itself", () => {
  const geometry = longGeometry(base, 2048, slots);
  expect(geometry.babySteps).toBe(32);
  expect(otherSteps(geometry).map(({ babySteps }) => babySteps)).toEqual([1, 2, 4, 8, 16, 64]);
  expect(otherSteps(chooseGeometry(tiny, 16, slots))).toEqual([]);
});
