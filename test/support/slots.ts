/**
 * Tensors in slots, written a second time and for tests only: packs what the twin holds as rows
 * or scores into slot vectors, and says what each slot of a result must be.
 */
import {
  diagonalAt,
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
 * @param masked whether scores or values of keys beyond the text are zero
 */
export function slotVectors(
  tensor: Tensor,
  geometry: Geometry,
  rows: Rows,
  masked: boolean,
  undefinedAs: number,
): Float64Array[] {
  const { content, count } = tensor;
  if (geometry.layout === "long") {
    return Array.from({ length: tensor.blocks * count }, (_, index) =>
      longVector(tensor, geometry, rows, index, masked, undefinedAs),
    );
  }
  if (content === "scores" || content === "expanded") {
    return Array.from({ length: count }, (_, part) => scoreVector(content, geometry, rows, part, masked));
  }
  return Array.from({ length: count }, (_, part) => rowVector(content, geometry, rows, part, undefinedAs));
}

/** Ciphertext `index` in the long layout. `grouped` values are shared evenly among the groups. */
function longVector(
  { content, axis, count }: Tensor,
  geometry: Geometry,
  { data, length }: Rows,
  index: number,
  masked: boolean,
  undefinedAs: number,
): Float64Array {
  const { tokens, lanes, width, heads, headSize } = geometry;
  const groups = groupsOf(geometry);
  const columns = data.length / length;
  const block = Math.floor(index / count);
  const place = index % count;
  const turn = (token: number, by: number): number => (((token + by) % tokens) + tokens) % tokens;
  return Float64Array.from({ length: tokens * lanes }, (_, slot) => {
    const lane = slot % lanes;
    const token = Math.floor(slot / lanes);
    const group = Math.floor(lane / width);
    const head = lane % width;
    const row = (token: number, of = block): number => (of * tokens + token) % length;
    if (content === "wide") {
      const feature = place * lanes + lane;
      return feature < columns ? data[row(token) * columns + feature] : 0;
    }
    if (content === "single" && (group > 0 || head >= heads)) return 0;
    if (axis === "feature" && content === "replicated" && isConstant(data, columns)) return data[row(token) * columns];
    if (content === "grouped" && !Number.isNaN(undefinedAs) && group >= groups) return 0; // nothing to sum
    if (group >= groups || head >= heads) return undefinedAs;
    if (content === "diagonals") {
      const { keyBlock, giant, baby } = diagonalAt(geometry, place);
      const query = row(turn(token, -giant * geometry.babySteps * groups));
      const key = row(turn(token, baby * groups + group), keyBlock);
      return data[(head * length + query) * length + key];
    }
    const from = content === "offset" ? turn(token, group) : token;
    if (masked && axis === "dimension" && block * tokens + from >= length) return 0;
    const feature = head * headSize + (axis === "dimension" ? place : 0);
    const value = data[row(from) * columns + feature];
    return content === "grouped" ? value / groups : value;
  });
}

/** Whether all columns of every row are equal, as of statistics of whole hidden vectors. */
function isConstant(data: Float64Array, columns: number): boolean {
  return data.every((value, i) => value === data[i - (i % columns)]);
}

/** A `grouped` vector with the groups summed into the first; the others mean nothing. */
export function sumGroups(values: ArrayLike<number>, geometry: Geometry): Float64Array {
  const { tokens, lanes, width } = geometry;
  return Float64Array.from({ length: tokens * lanes }, (_, slot) => {
    if (slot % lanes >= width) return Number.NaN;
    let sum = 0;
    for (let group = 0; group < groupsOf(geometry); group++) sum += values[slot + group * width];
    return sum;
  });
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
