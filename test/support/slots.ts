/**
 * Tensors in slots, written a second time and for tests only: packs what the twin holds as rows
 * or scores into slot vectors, and says what each slot of a result must be.
 */
import {
  expandedCount,
  type Geometry,
  groupsOf,
  scoreBlocks,
  scoreCount,
  type Tensor,
} from "../../src/program/index.ts";

/** What the twin holds: [length × columns], or [heads × length × length] for scores. */
export interface Rows {
  readonly data: Float64Array;
  readonly length: number;
}

/**
 * Slot vectors of a tensor, one a ciphertext. Rows beyond the text repeat it. Slots without a
 * meaning become what `undefinedAs` says: NaN marks them in expectations, junk in inputs.
 *
 * @param masked whether scores of keys beyond the text are zero (they are after the softmax's exp)
 */
export function slotVectors(
  tensor: Tensor,
  geometry: Geometry,
  rows: Rows,
  masked: boolean,
  undefinedAs: number,
): Float64Array[] {
  const { content, count } = tensor;
  if (content === "scores" || content === "expanded") {
    return Array.from({ length: count }, (_, part) => scoreVector(content, geometry, rows, part, masked));
  }
  return Array.from({ length: count }, (_, part) => rowVector(content, geometry, rows, part, undefinedAs));
}

function rowVector(
  content: Tensor["content"],
  geometry: Geometry,
  { data, length }: Rows,
  part: number,
  undefinedAs: number,
): Float64Array {
  const { tokens, lanes, width } = geometry;
  const columns = data.length / length;
  return Float64Array.from({ length: tokens * lanes }, (_, slot) => {
    const lane = slot % lanes;
    const row = (Math.floor(slot / lanes) % length) * columns;
    const feature = content === "replicated" ? lane % width : content === "wide" ? part * lanes + lane : lane;
    if (feature < columns && (content === "replicated" || content === "wide" || lane < width))
      return data[row + feature];
    return content === "partial" ? undefinedAs : 0;
  });
}

function scoreVector(
  content: "scores" | "expanded",
  geometry: Geometry,
  { data, length }: Rows,
  part: number,
  masked: boolean,
): Float64Array {
  const { tokens, lanes, width, heads, headSize } = geometry;
  const groups = groupsOf(geometry);
  const blocks = scoreBlocks(geometry);
  const size = headSize / blocks;
  return Float64Array.from({ length: tokens * lanes }, (_, slot) => {
    const lane = slot % lanes;
    const token = Math.floor(slot / lanes);
    const group = Math.floor(lane / width);
    const head = Math.floor((lane % width) / headSize);
    if (group >= groups || head >= heads) return 0;
    const inHead = (lane % width) % headSize;
    if (content === "scores" && inHead % size !== 0) return 0;
    const diagonal = group + groups * (content === "expanded" ? part : Math.floor(inHead / size) + part * blocks);
    const key = (token + diagonal) % tokens;
    if (key >= length && masked) return 0;
    return data[(head * length + (token % length)) * length + (key % length)];
  });
}

/** Diagonals, groups and blocks cover every pair of tokens exactly once. */
export function coveredDiagonals(geometry: Geometry): number[] {
  const groups = groupsOf(geometry);
  const blocks = scoreBlocks(geometry);
  const found: number[] = [];
  for (let part = 0; part < scoreCount(geometry); part++) {
    for (let block = 0; block < blocks; block++) {
      for (let group = 0; group < groups; group++) found.push(group + groups * (block + part * blocks));
    }
  }
  if (scoreCount(geometry) * blocks !== expandedCount(geometry))
    throw new Error("blocks do not fill the expanded ciphertexts");
  return found.sort((a, b) => a - b);
}

/** Largest difference in slots that mean something; infinite where a result is not a number. */
export function largestDifference(expected: Float64Array, got: ArrayLike<number>): number {
  let most = 0;
  for (const [i, value] of expected.entries()) {
    if (Number.isNaN(value)) continue;
    const error = Math.abs(value - (got[i] as number));
    most = Number.isNaN(error) ? Number.POSITIVE_INFINITY : Math.max(most, error);
  }
  return most;
}
