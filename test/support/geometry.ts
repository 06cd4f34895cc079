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
