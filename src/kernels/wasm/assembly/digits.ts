// Base conversion by 15-bit digits, for primes below 2^29: one instruction multiplies eight pairs
// of signed 16-bit words and adds neighbours, where a 32-bit product takes three for two.
//
// Residues are centred, |x| < 2^28, and split into x = x1·2^15 + x0 with x0 in [−2^14, 2^14),
// |x1| ≤ 2^13. Digits of two sources share a word, so that one product instruction serves both. A
// sum Σ y·f is kept as A·2^30 + M·2^15 + D in 32-bit lanes. A holds any 25 sources (2^26 each); D
// and M are carried upwards as often as the digits of the factors ask for, which are known when
// the table is laid out: |D| grows by 2^14·|f0|, |M| by 2^14·|f1| + 2^13·|f0| (conversion.ts).
import { accumulateHigh, accumulateLow } from "./sums";
import { liftOnce, mulHigh, reduceOnce, shoup } from "./vector";

/** Coefficients of a block, and the bytes from one row of scratch to the next (one line of padding). */
export const block: u32 = 256;
export const rowBytes: usize = 4 * 256 + 64;

/** y in [0, q) to (−q/2, q/2]; `above` is −1 in the lanes that change. */
// @ts-ignore: decorator
@inline
function centre(y: v128, above: v128, q: v128): v128 {
  return i32x4.sub(y, v128.and(above, q));
}

/** The low digits of two residues, the first in the low half of each word. */
// @ts-ignore: decorator
@inline
function lowDigits(a: v128, b: v128): v128 {
  // Both moved to the top of their halves; the 16-bit shift back extends their signs.
  return i16x8.shr_s(v128.or(v128.and(i32x4.shl(a, 1), i32x4.splat(0xffff)), i32x4.shl(b, 17)), 1);
}

/** The high digits, likewise. */
// @ts-ignore: decorator
@inline
function highDigits(a: v128, b: v128): v128 {
  const half = i32x4.splat(1 << 14);
  const x = i32x4.shr_u(i32x4.shl(i32x4.add(a, half), 1), 16);
  const y = i32x4.shl(i32x4.add(b, half), 1);
  return v128.or(x, v128.and(y, i32x4.splat(0xffff0000)));
}

/**
 * Two rows for each pair of sources, the low and the high digits of the centred y_i; v, less one
 * for every y_i that was centred by −q_i, is the source after the last.
 * `constants`: as for the wide way.
 */
export function prepareDigits(
  scratch: usize, src: usize, srcStride: usize, constants: usize, sources: u32, n: u32,
): void {
  for (let i: u32 = 0; i < n; i += 4) {
    let v0 = i64x2.splat(1 << 55);
    let v1 = v0;
    let moved = i32x4.splat(0);
    let x = src;
    let row = scratch;
    let c = constants;
    const end = c + (<usize>(sources & ~1) << 4);
    while (c < end) {
      const q0 = v128.load32_splat(c);
      let y0 = reduceOnce(shoup(v128.load(x), v128.load32_splat(c, 4), v128.load32_splat(c, 8), q0), q0);
      const f0 = v128.load32_splat(c, 12);
      v0 = accumulateLow(v0, y0, f0);
      v1 = accumulateHigh(v1, y0, f0);
      let above = i32x4.gt_s(y0, i32x4.shr_u(q0, 1));
      moved = i32x4.add(moved, above);
      y0 = centre(y0, above, q0);
      x += srcStride;
      const q1 = v128.load32_splat(c, 16);
      let y1 = reduceOnce(shoup(v128.load(x), v128.load32_splat(c, 20), v128.load32_splat(c, 24), q1), q1);
      const f1 = v128.load32_splat(c, 28);
      v0 = accumulateLow(v0, y1, f1);
      v1 = accumulateHigh(v1, y1, f1);
      above = i32x4.gt_s(y1, i32x4.shr_u(q1, 1));
      moved = i32x4.add(moved, above);
      y1 = centre(y1, above, q1);
      x += srcStride;
      v128.store(row, lowDigits(y0, y1));
      v128.store(row + rowBytes, highDigits(y0, y1));
      row += rowBytes << 1;
      c += 32;
    }
    let last = i32x4.splat(0);
    if (sources & 1) {
      const q = v128.load32_splat(c);
      last = reduceOnce(shoup(v128.load(x), v128.load32_splat(c, 4), v128.load32_splat(c, 8), q), q);
      const f = v128.load32_splat(c, 12);
      v0 = accumulateLow(v0, last, f);
      v1 = accumulateHigh(v1, last, f);
      const above = i32x4.gt_s(last, i32x4.shr_u(q, 1));
      moved = i32x4.add(moved, above);
      last = centre(last, above, q);
    }
    const v = i32x4.add(v128.shuffle<u32>(i64x2.shr_u(v0, 56), i64x2.shr_u(v1, 56), 0, 2, 4, 6), moved);
    if (sources & 1) {
      v128.store(row, lowDigits(last, v));
      v128.store(row + rowBytes, highDigits(last, v));
    } else {
      v128.store(row, lowDigits(v, last));
      v128.store(row + rowBytes, highDigits(v, last));
    }
    src += 16;
    scratch += 16;
  }
}

/**
 * The sum A·2^30 + M·2^15 + D times 2^-32, in [0, q), for carried M and D. With at most 24 sources
 * below 2^29 its size is below 0.76·q·2^32.
 */
// @ts-ignore: decorator
@inline
function reduceDigits(d: v128, m: v128, a: v128, q: v128, q2: v128, qi: v128): v128 {
  const low = v128.or(i32x4.shl(a, 30), v128.or(i32x4.shl(m, 15), d));
  const r = i32x4.sub(i32x4.shr_s(a, 2), mulHigh(i32x4.mul(low, qi), q));
  return reduceOnce(liftOnce(r, q2), q);
}

/**
 * One target of one block. `factors` holds for each pair of sources the low digits and the high
 * digits of their factors, laid out as the rows are; `interval` pairs may be added between two
 * carries.
 */
export function digitTarget(
  dst: usize, scratch: usize, factors: usize, pairs: u32, n: u32, modulus: u32, qi: u32, interval: u32,
): void {
  const q = i32x4.splat(modulus);
  const q2 = i32x4.splat(modulus << 1);
  const qiv = i32x4.splat(qi);
  const mask = i32x4.splat(0x7fff);
  const lastEnd = factors + (<usize>pairs << 3);
  const step = <usize>interval << 3;
  for (let i: u32 = 0; i < n; i += 8) {
    let d0 = i32x4.splat(0);
    let m0 = i32x4.splat(0);
    let a0 = i32x4.splat(0);
    let d1 = i32x4.splat(0);
    let m1 = i32x4.splat(0);
    let a1 = i32x4.splat(0);
    let y = scratch;
    let f = factors;
    do {
      const end = min(f + step, lastEnd);
      // A loop of one pair: the compiler hoists the loads of longer pieces and spills.
      do {
        const low = v128.load32_splat(f);
        const high = v128.load32_splat(f, 4);
        const z = y + rowBytes;
        const x0 = v128.load(y);
        const x1 = v128.load(z);
        d0 = i32x4.add(d0, i32x4.dot_i16x8_s(x0, low));
        m0 = i32x4.add(m0, i32x4.dot_i16x8_s(x0, high));
        m0 = i32x4.add(m0, i32x4.dot_i16x8_s(x1, low));
        a0 = i32x4.add(a0, i32x4.dot_i16x8_s(x1, high));
        const x2 = v128.load(y, 16);
        const x3 = v128.load(z, 16);
        d1 = i32x4.add(d1, i32x4.dot_i16x8_s(x2, low));
        m1 = i32x4.add(m1, i32x4.dot_i16x8_s(x2, high));
        m1 = i32x4.add(m1, i32x4.dot_i16x8_s(x3, low));
        a1 = i32x4.add(a1, i32x4.dot_i16x8_s(x3, high));
        y = z + rowBytes;
        f += 8;
      } while (f < end);
      m0 = i32x4.add(m0, i32x4.shr_s(d0, 15));
      d0 = v128.and(d0, mask);
      a0 = i32x4.add(a0, i32x4.shr_s(m0, 15));
      m0 = v128.and(m0, mask);
      m1 = i32x4.add(m1, i32x4.shr_s(d1, 15));
      d1 = v128.and(d1, mask);
      a1 = i32x4.add(a1, i32x4.shr_s(m1, 15));
      m1 = v128.and(m1, mask);
    } while (f < lastEnd);
    v128.store(dst, reduceDigits(d0, m0, a0, q, q2, qiv));
    v128.store(dst, reduceDigits(d1, m1, a1, q, q2, qiv), 16);
    dst += 32;
    scratch += 32;
  }
}
