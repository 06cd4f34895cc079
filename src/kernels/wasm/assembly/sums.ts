// Lazy sums of products and their reduction. A sum is kept in 64-bit lanes; its high word is
// folded by a multiple of q when it could pass 2^64 (t·2^32 ≡ 0 mod q for t a multiple of q, so
// subtracting t from the high word alone keeps the residue), brought below q by `steps`
// conditional subtractions of 2^j·q and then Montgomery-reduced once.
import { liftOnce, mulHigh, reduceOnce } from "./vector";

/** acc + a·b on the low, respectively high, two words. */
// @ts-ignore: decorator
@inline
export function accumulateLow(acc: v128, a: v128, b: v128): v128 {
  return i64x2.add(acc, i64x2.extmul_low_i32x4_u(a, b));
}
// @ts-ignore: decorator
@inline
export function accumulateHigh(acc: v128, a: v128, b: v128): v128 {
  return i64x2.add(acc, i64x2.extmul_high_i32x4_u(a, b));
}

/** High words above t lose t; low words are compared with themselves. t = (0, t, 0, t). */
// @ts-ignore: decorator
@inline
export function fold(acc: v128, t: v128): v128 {
  return i32x4.min_u(acc, i32x4.sub(acc, t));
}

/** Four sums below 2^steps·q·2^32, times 2^-32, in [0, q). */
// @ts-ignore: decorator
@inline
export function reduceSum(low: v128, high: v128, q: v128, qi: v128, steps: u32): v128 {
  let h = v128.shuffle<u32>(low, high, 1, 3, 5, 7);
  const m = i32x4.mul(v128.shuffle<u32>(low, high, 0, 2, 4, 6), qi);
  while (steps > 2) {
    steps--;
    h = reduceOnce(h, i32x4.shl(q, steps));
  }
  // The usual ones without a computed shift.
  if (steps > 1) h = reduceOnce(h, i32x4.shl(q, 1));
  if (steps > 0) h = reduceOnce(h, q);
  return liftOnce(i32x4.sub(h, mulHigh(m, q)), q);
}

/** The vector (0, t, 0, t). */
// @ts-ignore: decorator
@inline
export function foldVector(t: u32): v128 {
  return i64x2.splat((<u64>t) << 32);
}

// The operand `a` for eight coefficients in each of the three layouts: plain, runs of two, and
// runs of four or more. `first` names the first or second four of them.
// @ts-ignore: decorator
@inline
function loadFirst(layout: u32, a: usize, i: u32, logRun: u32): v128 {
  if (layout == 0) return v128.load(a + (<usize>i << 2));
  if (layout == 1) {
    const x = v128.load64_zero(a + (<usize>i << 1));
    return v128.shuffle<u32>(x, x, 0, 0, 1, 1);
  }
  return v128.load32_splat(a + (<usize>(i >> logRun) << 2));
}
// @ts-ignore: decorator
@inline
function loadSecond(layout: u32, a: usize, i: u32, logRun: u32): v128 {
  if (layout == 0) return v128.load(a + (<usize>i << 2), 16);
  if (layout == 1) {
    const x = v128.load64_zero(a + (<usize>i << 1), 8);
    return v128.shuffle<u32>(x, x, 0, 0, 1, 1);
  }
  return v128.load32_splat(a + (<usize>((i + 4) >> logRun) << 2));
}

/**
 * Coefficients that are brought into the cache at a time, and from how many terms on (fewer are
 * followed by the hardware unless they come from main memory, which the caller knows).
 */
const ahead: u32 = 256;
const manyTerms: u32 = 5;
let touched: u32 = 0;

/** A word of every cache line of `bytes` bytes, a power of two. */
// @ts-ignore: decorator
@inline
function touchLines(address: usize, bytes: usize): u32 {
  let all: u32 = 0;
  if (bytes < 256) {
    for (let line: usize = 0; line < bytes; line += 64) all |= load<u32>(address + line);
    return all;
  }
  for (let line: usize = 0; line < bytes; line += 256) {
    const at = address + line;
    all |= load<u32>(at) | load<u32>(at, 64) | load<u32>(at, 128) | load<u32>(at, 192);
  }
  return all;
}

/**
 * Reads a word of every cache line of the next block of each term: keys, digits and rotations come
 * from memory, and more streams than the hardware follows would be waited for line by line. A term
 * is `words` addresses, the first of an operand whose words stand for runs of 2^logRun.
 */
function touch(terms: usize, count: u32, words: u32, start: u32, logRun: u32): void {
  let all: u32 = 0;
  const whole = <usize>ahead << 2;
  for (let p = terms, end = terms + (<usize>(count * words) << 2); p < end; p += <usize>words << 2) {
    all |= touchLines(load<u32>(p) + (<usize>(start >> logRun) << 2), whole >> logRun);
    all |= touchLines(load<u32>(p, 4) + (<usize>start << 2), whole);
    if (words > 2) all |= touchLines(load<u32>(p, 8) + (<usize>start << 2), whole);
  }
  touched = all;
}

// @ts-ignore: decorator
@inline
function sumLoop(
  layout: u32, dst: usize, terms: usize, count: u32, n: u32, q: u32, qi: u32,
  interval: u32, t: u32, steps: u32, add: u32, logRun: u32,
): void {
  const qv = i32x4.splat(q);
  const qiv = i32x4.splat(qi);
  const tv = foldVector(t);

  for (let i: u32 = 0; i < n; i += 8) {

    let s0 = i64x2.splat(0);
    let s1 = i64x2.splat(0);
    let s2 = i64x2.splat(0);
    let s3 = i64x2.splat(0);
    let p = terms;
    let rest = count;
    while (true) {
      const part = min(rest, interval);
      const end = p + <usize>part * 8;
      do {
        const a = load<u32>(p);
        const b = load<u32>(p, 4) + (<usize>i << 2);
        const a0 = loadFirst(layout, a, i, logRun);
        const b0 = v128.load(b);
        s0 = accumulateLow(s0, a0, b0);
        s1 = accumulateHigh(s1, a0, b0);
        const a1 = loadSecond(layout, a, i, logRun);
        const b1 = v128.load(b, 16);
        s2 = accumulateLow(s2, a1, b1);
        s3 = accumulateHigh(s3, a1, b1);
        p += 8;
      } while (p < end);
      rest -= part;
      if (rest == 0) break;
      s0 = fold(s0, tv);
      s1 = fold(s1, tv);
      s2 = fold(s2, tv);
      s3 = fold(s3, tv);
    }
    let r0 = reduceSum(s0, s1, qv, qiv, steps);
    let r1 = reduceSum(s2, s3, qv, qiv, steps);
    if (add) {
      r0 = reduceOnce(i32x4.add(r0, v128.load(dst)), qv);
      r1 = reduceOnce(i32x4.add(r1, v128.load(dst, 16)), qv);
    }
    v128.store(dst, r0);
    v128.store(dst, r1, 16);
    dst += 32;
  }
}

/** `terms` points to `count` pairs of addresses (a, b). See the ring interface for the meaning. */
export function multiplySum(
  dst: usize, terms: usize, count: u32, n: u32, q: u32, qi: u32,
  interval: u32, t: u32, steps: u32, add: u32, logRun: u32,
): void {
  if (logRun == 0) sumLoop(0, dst, terms, count, n, q, qi, interval, t, steps, add, logRun);
  else if (logRun == 1) sumLoop(1, dst, terms, count, n, q, qi, interval, t, steps, add, logRun);
  else sumLoop(2, dst, terms, count, n, q, qi, interval, t, steps, add, logRun);
}

// @ts-ignore: decorator
@inline
function pairLoop(
  layout: u32, dst0: usize, dst1: usize, terms: usize, count: u32, n: u32, q: u32, qi: u32,
  interval: u32, t: u32, steps: u32, add: u32, logRun: u32, streamed: u32,
): void {
  const qv = i32x4.splat(q);
  const qiv = i32x4.splat(qi);
  const tv = foldVector(t);
  const far = (streamed == 0 ? count >= manyTerms : streamed == 1) && n >= ahead;
  for (let i: u32 = 0; i < n; i += 8) {
    if (far && (i & (ahead - 1)) == 0) touch(terms, count, 3, i, logRun);
    let s0 = i64x2.splat(0);
    let s1 = i64x2.splat(0);
    let s2 = i64x2.splat(0);
    let s3 = i64x2.splat(0);
    let u0 = i64x2.splat(0);
    let u1 = i64x2.splat(0);
    let u2 = i64x2.splat(0);
    let u3 = i64x2.splat(0);
    let p = terms;
    let rest = count;
    while (true) {
      const part = min(rest, interval);
      const end = p + <usize>part * 12;
      do {
        const a = load<u32>(p);
        const b = load<u32>(p, 4) + (<usize>i << 2);
        const c = load<u32>(p, 8) + (<usize>i << 2);
        const a0 = loadFirst(layout, a, i, logRun);
        const b0 = v128.load(b);
        s0 = accumulateLow(s0, a0, b0);
        s1 = accumulateHigh(s1, a0, b0);
        const c0 = v128.load(c);
        u0 = accumulateLow(u0, a0, c0);
        u1 = accumulateHigh(u1, a0, c0);
        const a1 = loadSecond(layout, a, i, logRun);
        const b1 = v128.load(b, 16);
        s2 = accumulateLow(s2, a1, b1);
        s3 = accumulateHigh(s3, a1, b1);
        const c1 = v128.load(c, 16);
        u2 = accumulateLow(u2, a1, c1);
        u3 = accumulateHigh(u3, a1, c1);
        p += 12;
      } while (p < end);
      rest -= part;
      if (rest == 0) break;
      s0 = fold(s0, tv);
      s1 = fold(s1, tv);
      s2 = fold(s2, tv);
      s3 = fold(s3, tv);
      u0 = fold(u0, tv);
      u1 = fold(u1, tv);
      u2 = fold(u2, tv);
      u3 = fold(u3, tv);
    }
    let r0 = reduceSum(s0, s1, qv, qiv, steps);
    let r1 = reduceSum(s2, s3, qv, qiv, steps);
    let r2 = reduceSum(u0, u1, qv, qiv, steps);
    let r3 = reduceSum(u2, u3, qv, qiv, steps);
    if (add) {
      r0 = reduceOnce(i32x4.add(r0, v128.load(dst0)), qv);
      r1 = reduceOnce(i32x4.add(r1, v128.load(dst0, 16)), qv);
      r2 = reduceOnce(i32x4.add(r2, v128.load(dst1)), qv);
      r3 = reduceOnce(i32x4.add(r3, v128.load(dst1, 16)), qv);
    }
    v128.store(dst0, r0);
    v128.store(dst0, r1, 16);
    v128.store(dst1, r2);
    v128.store(dst1, r3, 16);
    dst0 += 32;
    dst1 += 32;
  }
}

/**
 * One of the two sums of {@link multiplySumPair} for runs of 16 or more: its second operands are at
 * offset `half` of the triples. Sixteen coefficients at a time share one first operand.
 */
function runLoop(
  dst: usize, terms: usize, half: usize, count: u32, n: u32, q: u32, qi: u32,
  interval: u32, t: u32, steps: u32, add: u32, logRun: u32,
): void {
  const qv = i32x4.splat(q);
  const qiv = i32x4.splat(qi);
  const tv = foldVector(t);
  for (let i: u32 = 0; i < n; i += 16) {
    const run = <usize>(i >> logRun) << 2;
    const at = <usize>i << 2;
    let s0 = i64x2.splat(0);
    let s1 = i64x2.splat(0);
    let s2 = i64x2.splat(0);
    let s3 = i64x2.splat(0);
    let s4 = i64x2.splat(0);
    let s5 = i64x2.splat(0);
    let s6 = i64x2.splat(0);
    let s7 = i64x2.splat(0);
    let p = terms;
    let rest = count;
    while (true) {
      const part = min(rest, interval);
      const end = p + <usize>part * 12;
      do {
        const a = v128.load32_splat(load<u32>(p) + run);
        const b = load<u32>(p + half) + at;
        const b0 = v128.load(b);
        s0 = accumulateLow(s0, a, b0);
        s1 = accumulateHigh(s1, a, b0);
        const b1 = v128.load(b, 16);
        s2 = accumulateLow(s2, a, b1);
        s3 = accumulateHigh(s3, a, b1);
        const b2 = v128.load(b, 32);
        s4 = accumulateLow(s4, a, b2);
        s5 = accumulateHigh(s5, a, b2);
        const b3 = v128.load(b, 48);
        s6 = accumulateLow(s6, a, b3);
        s7 = accumulateHigh(s7, a, b3);
        p += 12;
      } while (p < end);
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
    let r0 = reduceSum(s0, s1, qv, qiv, steps);
    let r1 = reduceSum(s2, s3, qv, qiv, steps);
    let r2 = reduceSum(s4, s5, qv, qiv, steps);
    let r3 = reduceSum(s6, s7, qv, qiv, steps);
    if (add) {
      r0 = reduceOnce(i32x4.add(r0, v128.load(dst)), qv);
      r1 = reduceOnce(i32x4.add(r1, v128.load(dst, 16)), qv);
      r2 = reduceOnce(i32x4.add(r2, v128.load(dst, 32)), qv);
      r3 = reduceOnce(i32x4.add(r3, v128.load(dst, 48)), qv);
    }
    v128.store(dst, r0);
    v128.store(dst, r1, 16);
    v128.store(dst, r2, 32);
    v128.store(dst, r3, 48);
    dst += 64;
  }
}

/**
 * As {@link multiplySum} with `count` triples of addresses (a, b0, b1) and two results. `streamed`: operands
 * come from main memory (1), from a cache (2), or it is not known (0).
 */
export function multiplySumPair(
  dst0: usize, dst1: usize, terms: usize, count: u32, n: u32, q: u32, qi: u32,
  interval: u32, t: u32, steps: u32, add: u32, logRun: u32, streamed: u32,
): void {
  if (logRun >= 4) {
    runLoop(dst0, terms, 4, count, n, q, qi, interval, t, steps, add, logRun);
    runLoop(dst1, terms, 8, count, n, q, qi, interval, t, steps, add, logRun);
  } else if (logRun == 0) pairLoop(0, dst0, dst1, terms, count, n, q, qi, interval, t, steps, add, logRun, streamed);
  else if (logRun == 1) pairLoop(1, dst0, dst1, terms, count, n, q, qi, interval, t, steps, add, logRun, streamed);
  else pairLoop(2, dst0, dst1, terms, count, n, q, qi, interval, t, steps, add, logRun, streamed);
}
