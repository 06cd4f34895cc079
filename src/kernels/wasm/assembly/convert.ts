// Base conversion, coefficient domain (Halevi–Polyakov–Shoup, eprint 2018/117, §2). A block of
// coefficients at a time: the words y_i and v go to scratch that stays in the L1 cache, then each
// target is a sum over them with factors in Montgomery form. v is one more source whose factor is
// −Q. Two ways to the sums: lazy 64-bit products here ("wide", any primes) and products of 15-bit
// digits in digits.ts ("narrow", sources and target below 2^29), which take half the operations.
import { block, digitTarget, prepareDigits, rowBytes } from "./digits";
import { accumulateHigh, accumulateLow, fold, foldVector, reduceSum } from "./sums";
import { reduceOnce, shoup } from "./vector";

/**
 * Rows y_i = x_i·inverse_i mod q_i and v of one block. `constants` holds for each source the
 * words q, inverse, its Shoup quotient, floor(2^56/q).
 */
function prepare(scratch: usize, src: usize, srcStride: usize, constants: usize, sources: u32, n: u32): void {
  const half = i64x2.splat(1 << 55);
  for (let i: u32 = 0; i < n; i += 8) {
    let v0 = half;
    let v1 = half;
    let v2 = half;
    let v3 = half;
    let x = src;
    let y = scratch;
    let c = constants;
    for (let k: u32 = 0; k < sources; k++) {
      const q = v128.load32_splat(c);
      const w = v128.load32_splat(c, 4);
      const ws = v128.load32_splat(c, 8);
      const f = v128.load32_splat(c, 12);
      const y0 = reduceOnce(shoup(v128.load(x), w, ws, q), q);
      const y1 = reduceOnce(shoup(v128.load(x, 16), w, ws, q), q);
      v128.store(y, y0);
      v128.store(y, y1, 16);
      v0 = accumulateLow(v0, y0, f);
      v1 = accumulateHigh(v1, y0, f);
      v2 = accumulateLow(v2, y1, f);
      v3 = accumulateHigh(v3, y1, f);
      x += srcStride;
      y += rowBytes;
      c += 16;
    }
    v128.store(y, v128.shuffle<u32>(i64x2.shr_u(v0, 56), i64x2.shr_u(v1, 56), 0, 2, 4, 6));
    v128.store(y, v128.shuffle<u32>(i64x2.shr_u(v2, 56), i64x2.shr_u(v3, 56), 0, 2, 4, 6), 16);
    src += 32;
    scratch += 32;
  }
}

/** One target of one block; `factors` holds `terms` words. */
// @ts-ignore: decorator
@inline
function target(
  dst: usize, scratch: usize, factors: usize, terms: u32, n: u32,
  modulus: u32, qi: u32, interval: u32, t: u32, steps: u32,
): void {
  const q = i32x4.splat(modulus);
  const qiv = i32x4.splat(qi);
  const tv = foldVector(t);
  for (let i: u32 = 0; i < n; i += 16) {
    let s0 = i64x2.splat(0);
    let s1 = i64x2.splat(0);
    let s2 = i64x2.splat(0);
    let s3 = i64x2.splat(0);
    let s4 = i64x2.splat(0);
    let s5 = i64x2.splat(0);
    let s6 = i64x2.splat(0);
    let s7 = i64x2.splat(0);
    let y = scratch;
    let f = factors;
    let rest = terms;
    while (true) {
      const part = min(rest, interval);
      const end = f + (<usize>part << 2);
      do {
        const w = v128.load32_splat(f);
        const y0 = v128.load(y);
        s0 = accumulateLow(s0, y0, w);
        s1 = accumulateHigh(s1, y0, w);
        const y1 = v128.load(y, 16);
        s2 = accumulateLow(s2, y1, w);
        s3 = accumulateHigh(s3, y1, w);
        const y2 = v128.load(y, 32);
        s4 = accumulateLow(s4, y2, w);
        s5 = accumulateHigh(s5, y2, w);
        const y3 = v128.load(y, 48);
        s6 = accumulateLow(s6, y3, w);
        s7 = accumulateHigh(s7, y3, w);
        y += rowBytes;
        f += 4;
      } while (f < end);
      rest -= part;
      if (rest == 0) break;
      s0 = fold(s0, tv);
      s1 = fold(s1, tv);
      s2 = fold(s2, tv);
      s3 = fold(s3, tv);
      s4 = fold(s4, tv);
      s5 = fold(s5, tv);
      s6 = fold(s6, tv);
      s7 = fold(s7, tv);
    }
    v128.store(dst, reduceSum(s0, s1, q, qiv, steps));
    v128.store(dst, reduceSum(s2, s3, q, qiv, steps), 16);
    v128.store(dst, reduceSum(s4, s5, q, qiv, steps), 32);
    v128.store(dst, reduceSum(s6, s7, q, qiv, steps), 48);
    dst += 64;
    scratch += 64;
  }
}

/** Bytes of scratch for up to `sources` sources. */
export function convertScratchBytes(sources: u32): u32 {
  return (sources + 2) * <u32>rowBytes;
}

/**
 * `constants`: 4 words for each source, see {@link prepare}; then for each target the words
 * q, q^-1 mod 2^32, fold interval (0: narrow), fold word (narrow: carry interval), steps and the factors of
 * the sources and of v, with a zero behind when that makes their number even.
 * `kinds`: 1 when there are narrow targets, 2 when there are wide ones, 3 when there are both.
 */
export function convert(
  dst: usize, dstStride: usize, src: usize, srcStride: usize,
  constants: usize, sources: u32, targets: u32, n: u32, scratch: usize, kinds: u32,
): void {
  const pairs = (sources + 2) >> 1;
  const targetBytes = <usize>(5 + 2 * pairs) << 2;
  const first = constants + (<usize>sources << 4);
  for (let start: u32 = 0; start < n; start += block) {
    const size = min(block, n - start);
    const offset = <usize>start << 2;
    if (kinds & 1) {
      prepareDigits(scratch, src + offset, srcStride, constants, sources, size);
      let c = first;
      let d = dst + offset;
      for (let j: u32 = 0; j < targets; j++) {
        if (load<u32>(c, 8) == 0) {
          digitTarget(d, scratch, c + 20, pairs, size, load<u32>(c), load<u32>(c, 4), load<u32>(c, 12));
        }
        c += targetBytes;
        d += dstStride;
      }
    }
    if (kinds & 2) {
      prepare(scratch, src + offset, srcStride, constants, sources, size);
      let c = first;
      let d = dst + offset;
      for (let j: u32 = 0; j < targets; j++) {
        const interval = load<u32>(c, 8);
        if (interval != 0) {
          target(
            d, scratch, c + 20, sources + 1, size,
            load<u32>(c), load<u32>(c, 4), interval, load<u32>(c, 12), load<u32>(c, 16),
          );
        }
        c += targetBytes;
        d += dstStride;
      }
    }
  }
}
