/**
 * How values lie in the slots of one ciphertext. Token-major: slot = token·lanes + lane, so that
 * a rotation by r·lanes turns the tokens cyclically.
 */
import { AegisError } from "../base/errors.ts";

/**
 * Geometry shared by all tensors of a program.
 *
 * `short`: one ciphertext holds whole hidden vectors of all tokens. `long`: the tokens fill the slots
 * and leave few lanes, so features go over ciphertexts; heads lie on lanes.
 */
export interface Geometry {
  readonly layout: "short" | "long";
  /** Token blocks: ciphertexts that the tokens are spread over; 1 in the short layout. */
  readonly blocks: number;
  /** Tokens in one ciphertext, a power of two; shorter texts are filled up. */
  readonly tokens: number;
  /** Slots of one token, a power of two. */
  readonly lanes: number;
  /**
   * Lanes of one group, a power of two dividing `lanes`: of a hidden vector in the short layout, of
   * one feature of all heads in the long one.
   */
  readonly width: number;
  /** Attention heads and the features of one; in the short layout a power of two. */
  readonly heads: number;
  readonly headSize: number;
  /** Diagonals of scores that share a rotation of the queries: baby steps, a power of two; 1 in the short layout. */
  readonly babySteps: number;
}

/**
 * What the lanes of a token hold. In the long layout tensors of the axis `dimension` have ciphertext
 * d hold feature d of every head h, at lane h of each group.
 * - `single`: features in the lanes of the first group, zero elsewhere
 * - `replicated`: the same features in all groups
 * - `wide`: features over all lanes of several ciphertexts (axis `feature`)
 * - `scores`: ciphertext b, group g, head h, block j: diagonal g + groups·(j + b·blocks) of the
 *   scores at lane g·width + h·headSize + j·headSize/blocks; zero elsewhere
 * - `expanded`: ciphertext j, group g, head h: diagonal g + groups·j in all lanes of the head
 * - `partial`: features in the lanes of the first group, other lanes undefined (bounded)
 * - `offset`: group g holds the features of token t + g
 * - `diagonals`: see {@link diagonalAt}
 * - `grouped`: the sum over all groups is the value
 */
export type Content =
  | "single"
  | "replicated"
  | "wide"
  | "scores"
  | "expanded"
  | "partial"
  | "offset"
  | "diagonals"
  | "grouped";

/** All contents, for parsers. */
export const contents = [
  "single",
  "replicated",
  "wide",
  "scores",
  "expanded",
  "partial",
  "offset",
  "diagonals",
  "grouped",
] as const satisfies readonly Content[];

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

/** Tokens that a program has room for. */
export function sequenceOf(geometry: Geometry): number {
  return geometry.blocks * geometry.tokens;
}

/** Ciphertexts of a `diagonals` tensor for one block of queries: all blocks of keys, all diagonals. */
export function diagonalCount(geometry: Geometry): number {
  return geometry.blocks * (geometry.tokens / groupsOf(geometry));
}

/** What ciphertext `index` of a block of `diagonals` pairs. */
export interface DiagonalPlace {
  /** Block of keys. */
  readonly keyBlock: number;
  /** Row: giant step, in multiples of babySteps. */
  readonly giant: number;
  /** Baby step. */
  readonly baby: number;
}

/**
 * Ciphertext `index` at token t, group g: the query of token t − giant·babySteps·groups with the key
 * of token t + baby·groups + g of block `keyBlock`, indices modulo the tokens. Keys are rotated by
 * baby steps and queries by giant ones; scores are never rotated back, since all that is done to them
 * is the same for every token, and the sum over the keys rotates once for each giant step.
 */
export function diagonalAt(geometry: Geometry, index: number): DiagonalPlace {
  const { babySteps } = geometry;
  const giants = geometry.tokens / groupsOf(geometry) / babySteps;
  const row = Math.floor(index / babySteps);
  return { keyBlock: Math.floor(row / giants), giant: row % giants, baby: index % babySteps };
}

/** Checks a geometry against the slots of a ring; throws `program`. */
export function checkGeometry(geometry: Geometry, maximumSlots: number): void {
  const { layout, blocks, tokens, lanes, width, heads, headSize, babySteps } = geometry;
  const long = layout === "long";
  const sizes = {
    tokens: [tokens, 1, 2 ** 16],
    lanes: [lanes, 2, 2 ** 16],
    width: [width, 2, lanes],
    babySteps: [babySteps, 1, long ? tokens / groupsOf(geometry) : 1],
    ...(long ? {} : { headSize: [headSize, 1, width] }),
  } as Record<string, [number, number, number]>;
  for (const [name, [value, least, most]] of Object.entries(sizes)) {
    if (!(value >= least && value <= most && Number.isInteger(Math.log2(value)))) {
      throw new AegisError("program", `layout: ${name} must be a power of two from ${least} to ${most}, got ${value}`);
    }
  }
  const counts = { blocks: [blocks, long ? 2 ** 10 : 1], headSize: [headSize, 2 ** 12] } as Record<
    string,
    [number, number]
  >;
  for (const [name, [value, most]] of Object.entries(counts)) {
    if (!(Number.isInteger(value) && value >= 1 && value <= most))
      throw new AegisError("program", `layout: ${name} must be from 1 to ${most}, got ${value}`);
  }
  const used = long ? heads : heads * headSize;
  if (!(Number.isInteger(heads) && heads >= 1 && used <= width)) {
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
