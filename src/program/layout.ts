/**
 * How values lie in the slots of one ciphertext. Token-major: slot = token·lanes + lane, so that
 * a rotation by r·lanes turns the tokens cyclically.
 */
import { AegisError } from "../base/errors.ts";

/** Geometry shared by all tensors of a program. */
export interface Geometry {
  /** Tokens in one ciphertext, a power of two; shorter texts are filled up. */
  readonly tokens: number;
  /** Slots of one token, a power of two. */
  readonly lanes: number;
  /** Lanes that a hidden vector takes, a power of two dividing `lanes`. */
  readonly width: number;
  /** Attention heads and the features of one, a power of two. */
  readonly heads: number;
  readonly headSize: number;
}

/**
 * What the lanes of a token hold.
 * - `single`: features in lanes [0, width), zero elsewhere
 * - `replicated`: features with period `width` over all lanes
 * - `wide`: features over all lanes of several ciphertexts (axis `feature`)
 * - `scores`: ciphertext b, group g, head h, block j: diagonal g + groups·(j + b·blocks) of the
 *   scores at lane g·width + h·headSize + j·headSize/blocks; zero elsewhere
 * - `expanded`: ciphertext j, group g, head h: diagonal g + groups·j in all lanes of the head
 * - `partial`: features in lanes [0, width), other lanes undefined (bounded)
 */
export type Content = "single" | "replicated" | "wide" | "scores" | "expanded" | "partial";

/** Slots that a program's ciphertexts use. */
export function slotsOf(geometry: Geometry): number {
  return geometry.tokens * geometry.lanes;
}

/** Copies of a hidden vector that fit beside each other: groups of diagonals in attention. */
export function groupsOf(geometry: Geometry): number {
  return Math.min(geometry.lanes / geometry.width, geometry.tokens);
}

/** Ciphertexts of an `expanded` tensor: one for each group of diagonals. */
export function expandedCount(geometry: Geometry): number {
  return geometry.tokens / groupsOf(geometry);
}

/** Blocks of a head's lanes that diagonals share in one ciphertext of scores. */
export function scoreBlocks(geometry: Geometry): number {
  return Math.min(expandedCount(geometry), geometry.headSize);
}

/** Ciphertexts of a `scores` tensor. */
export function scoreCount(geometry: Geometry): number {
  return expandedCount(geometry) / scoreBlocks(geometry);
}

/** Checks a geometry against the slots of a ring; throws `program`. */
export function checkGeometry(geometry: Geometry, maximumSlots: number): void {
  const { tokens, lanes, width, heads, headSize } = geometry;
  const sizes = {
    tokens: [tokens, 1, 2 ** 16],
    lanes: [lanes, 2, 2 ** 16],
    width: [width, 2, lanes],
    headSize: [headSize, 1, width],
  } as const;
  for (const [name, [value, least, most]] of Object.entries(sizes)) {
    if (value < least || value > most || !Number.isInteger(Math.log2(value))) {
      throw new AegisError("program", `layout: ${name} must be a power of two from ${least} to ${most}, got ${value}`);
    }
  }
  if (!(Number.isInteger(heads) && heads >= 1 && heads * headSize <= width)) {
    throw new AegisError("program", `layout: ${heads} heads of ${headSize} features do not fit into ${width} lanes`);
  }
  if (slotsOf(geometry) > maximumSlots) {
    throw new AegisError(
      "program",
      `layout: ${tokens} tokens of ${lanes} lanes need ${slotsOf(geometry)} slots, the ring has ${maximumSlots}`,
      {
        hint: "use a larger ring, fewer tokens or fewer lanes",
      },
    );
  }
}
