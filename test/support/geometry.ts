/** Geometries of small cases, in either layout. */
import type { Geometry } from "../../src/program/index.ts";
import type { Shape } from "./transformer.ts";

export interface GeometryCase {
  readonly shape: Shape;
  readonly tokens: number;
  /** Lanes over the width of a hidden vector. */
  readonly spread: number;
  /** Long layout: lanes a token (in place of `spread`), token blocks, baby steps. */
  readonly long?: { readonly lanes: number; readonly blocks: number; readonly babySteps: number };
}

export function geometryOf({ shape, tokens, spread, long }: GeometryCase): Geometry {
  if (long !== undefined) {
    const width = 2 ** Math.max(1, Math.ceil(Math.log2(shape.heads)));
    return { layout: "long", tokens, width, heads: shape.heads, headSize: shape.hidden / shape.heads, ...long };
  }
  const width = 2 ** Math.ceil(Math.log2(shape.hidden));
  return {
    layout: "short",
    blocks: 1,
    tokens,
    lanes: width * spread,
    width,
    heads: shape.heads,
    headSize: shape.hidden / shape.heads,
    babySteps: 1,
  };
}

/** Long layouts that differ in what matters to operators: blocks, groups of lanes, padding. */
export const longCases = {
  blocksAndGroups: {
    shape: { hidden: 8, heads: 2, inner: 20, layers: 2, tokens: 32 },
    tokens: 16,
    length: 27,
    spread: 1,
    logN: 8,
    long: { lanes: 4, blocks: 2, babySteps: 2 },
  },
  oneGroup: {
    shape: { hidden: 8, heads: 4, inner: 12, tokens: 16 },
    tokens: 16,
    length: 16,
    spread: 1,
    logN: 8,
    long: { lanes: 4, blocks: 1, babySteps: 4 },
  },
  /** Linear layers that turn several inputs several times either way: more than are hoisted at a time. */
  turnedInputs: {
    shape: { hidden: 48, heads: 4, inner: 40, tokens: 8 },
    tokens: 8,
    length: 7,
    spread: 1,
    logN: 8,
    long: { lanes: 16, blocks: 1, babySteps: 1 },
  },
  /** Linear layers with so many outputs that their products are summed over Q. */
  manyOutputs: {
    shape: { hidden: 96, heads: 2, inner: 24, tokens: 32 },
    tokens: 32,
    length: 32,
    spread: 1,
    logN: 10,
    long: { lanes: 16, blocks: 1, babySteps: 2 },
  },
  /** A linear layer with so many inputs and outputs that its sums over Q are rotated. */
  rotatedSums: {
    shape: { hidden: 128, heads: 4, inner: 512, tokens: 8 },
    tokens: 8,
    length: 8,
    spread: 1,
    logN: 8,
    long: { lanes: 16, blocks: 1, babySteps: 1 },
  },
} as const satisfies Record<string, GeometryCase & { length: number; logN: number }>;
