/**
 * Dense products in double precision, blocked for the cache. One kernel serves everything: both
 * factors lie row by row along the inner dimension, and a tile of 4 × 2 results is kept in
 * registers.
 */
import { lengthIs } from "../base/validate.ts";

/** Doubles of the right factor held in cache at a time (128 KB). */
const blockElements = 16_384;

/** A dense layer: `weight` is [out × in] row-major, `bias` [out]. */
export interface LinearWeights {
  readonly weight: Float32Array;
  readonly bias: Float32Array;
}

/**
 * x·weightᵀ + bias for x [rows × inner]: the result is [rows × out]. Throws a RangeError when
 * sizes do not fit together.
 */
export function linear(x: Float64Array, inner: number, layer: LinearWeights): Float64Array {
  const columns = layer.bias.length;
  lengthIs("weight", layer.weight, columns * inner);
  const rows = x.length / inner;
  const out = new Float64Array(rows * columns);
  multiplyTransposed(x, layer.weight, inner, out);
  for (let i = 0, row = 0; row < rows; row++) {
    for (let o = 0; o < columns; o++, i++) out[i] += layer.bias[o];
  }
  return out;
}

/**
 * out = a·bᵀ for a [rows × inner] and b [columns × inner], all row-major. Every element of `out`
 * is written; it may not share memory with a or b.
 */
export function multiplyTransposed(
  a: Float64Array,
  b: Float32Array | Float64Array,
  inner: number,
  out: Float64Array,
): void {
  const rows = a.length / inner;
  const columns = b.length / inner;
  lengthIs("out", out, rows * columns);
  const step = Math.max(4, Math.floor(blockElements / inner));
  const block = b instanceof Float64Array ? undefined : new Float64Array(Math.min(step, columns) * inner);
  for (let from = 0; from < columns; from += step) {
    const to = Math.min(columns, from + step);
    const part = b.subarray(from * inner, to * inner);
    if (part instanceof Float64Array) tiles(a, rows, part, inner, out, columns, from, to);
    else if (block !== undefined) {
      block.set(part); // f32 to f64 once per block instead of once per product
      tiles(a, rows, block, inner, out, columns, from, to);
    }
  }
}

function tiles(
  a: Float64Array,
  rows: number,
  b: Float64Array,
  inner: number,
  out: Float64Array,
  columns: number,
  from: number,
  to: number,
): void {
  for (let row = 0; row < rows; row += 4) {
    // At an edge the last row (column) is computed again in place of one that does not exist.
    const r1 = Math.min(row + 1, rows - 1);
    const r2 = Math.min(row + 2, rows - 1);
    const r3 = Math.min(row + 3, rows - 1);
    const p0 = row * inner;
    const p1 = r1 * inner;
    const p2 = r2 * inner;
    const p3 = r3 * inner;
    for (let column = from; column < to; column += 2) {
      const next = Math.min(column + 1, to - 1);
      const q0 = (column - from) * inner;
      const q1 = (next - from) * inner;
      let [s00, s01, s10, s11, s20, s21, s30, s31] = [0, 0, 0, 0, 0, 0, 0, 0];
      for (let k = 0; k < inner; k++) {
        const b0 = b[q0 + k];
        const b1 = b[q1 + k];
        const a0 = a[p0 + k];
        s00 += a0 * b0;
        s01 += a0 * b1;
        const a1 = a[p1 + k];
        s10 += a1 * b0;
        s11 += a1 * b1;
        const a2 = a[p2 + k];
        s20 += a2 * b0;
        s21 += a2 * b1;
        const a3 = a[p3 + k];
        s30 += a3 * b0;
        s31 += a3 * b1;
      }
      out[row * columns + column] = s00;
      out[row * columns + next] = s01;
      out[r1 * columns + column] = s10;
      out[r1 * columns + next] = s11;
      out[r2 * columns + column] = s20;
      out[r2 * columns + next] = s21;
      out[r3 * columns + column] = s30;
      out[r3 * columns + next] = s31;
    }
  }
}
