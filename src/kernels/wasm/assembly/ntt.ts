// Negacyclic NTT of one limb, in place. Forward: coefficient → NTT (Cooley–Tukey butterflies,
// bit-reversed result); inverse: NTT → coefficient (Gentleman–Sande) (Harvey, "Faster arithmetic
// for number-theoretic transforms"; Longa–Naehrig, eprint 2016/504). Table layout: see tables.ts.
//
// Lazy values. q < 2^30: a forward stage brings its upper operand below 2q and leaves values below
// 4q; an inverse stage keeps values below 2q. q < 2^29 ("narrow"): there is room up to 8q, so that
// about every other forward stage leaves its upper operand as it is (values below 6q become values
// below 8q) and the others bring it below 4q; an inverse stage keeps values below 4q.
//
// Stages of distance 16 and more are radix-2 passes; the last four stages work on 16
// coefficients in registers, those of distance 2 and 1 after a 4×4 transposition. Stages whose
// blocks fit the L1 cache are done block by block.
import { quotient, reduceOnce, shoup } from "./vector";

/** Coefficients of a block that stays in the L1 cache. */
const logBlock: u32 = 12;

// Unpacking steps of the transposition of four vectors.
// @ts-ignore: decorator
@inline
function lowPairs(a: v128, b: v128): v128 {
  return v128.shuffle<u32>(a, b, 0, 4, 1, 5);
}
// @ts-ignore: decorator
@inline
function highPairs(a: v128, b: v128): v128 {
  return v128.shuffle<u32>(a, b, 2, 6, 3, 7);
}
// @ts-ignore: decorator
@inline
function lowHalves(a: v128, b: v128): v128 {
  return v128.shuffle<u64>(a, b, 0, 2);
}
// @ts-ignore: decorator
@inline
function highHalves(a: v128, b: v128): v128 {
  return v128.shuffle<u64>(a, b, 1, 3);
}

/** One stage on the words from x up to x + distance (bytes) and those behind: one twiddle. */
// @ts-ignore: decorator
@inline
function forwardRun(
  reduce: bool, x: usize, distance: usize, w: v128, ws: v128, q: v128, q2: v128, limit: v128,
): void {
  let y = x + distance;
  const end = y;
  while (x < end) {
    let x0 = v128.load(x);
    if (reduce) x0 = reduceOnce(x0, limit);
    const t0 = shoup(v128.load(y), w, ws, q);
    v128.store(x, i32x4.add(x0, t0));
    v128.store(y, i32x4.sub(i32x4.add(x0, q2), t0));
    let x1 = v128.load(x, 16);
    if (reduce) x1 = reduceOnce(x1, limit);
    const t1 = shoup(v128.load(y, 16), w, ws, q);
    v128.store(x, i32x4.add(x1, t1), 16);
    v128.store(y, i32x4.sub(i32x4.add(x1, q2), t1), 16);
    x += 32;
    y += 32;
  }
}

/** `runs` runs of one stage with consecutive twiddles. */
// @ts-ignore: decorator
@inline
function forwardStage(
  reduce: bool, x: usize, distance: usize, runs: u32, w: usize, q: v128, q2: v128, limit: v128,
): void {
  for (let i: u32 = 0; i < runs; i++) {
    forwardRun(reduce, x, distance, v128.load32_splat(w), v128.load32_splat(w, 4), q, q2, limit);
    x += distance << 1;
    w += 8;
  }
}

/** The stages of distance 8 and 4 on 16 words; narrow: from below 6q to below 6q. */
// @ts-ignore: decorator
@inline
function forwardMiddle(narrow: bool, x: usize, tail: usize, q: v128, q2: v128, limit: v128): void {
  let v0 = v128.load(x);
  let v1 = v128.load(x, 16);
  let v2 = v128.load(x, 32);
  let v3 = v128.load(x, 48);
  // distance 8; narrow: to below 8q
  const w = v128.load32_splat(tail);
  const ws = v128.load32_splat(tail, 4);
  let t = shoup(v2, w, ws, q);
  if (!narrow) v0 = reduceOnce(v0, limit);
  v2 = i32x4.sub(i32x4.add(v0, q2), t);
  v0 = i32x4.add(v0, t);
  t = shoup(v3, w, ws, q);
  if (!narrow) v1 = reduceOnce(v1, limit);
  v3 = i32x4.sub(i32x4.add(v1, q2), t);
  v1 = i32x4.add(v1, t);
  // distance 4; narrow: to below 6q
  t = shoup(v1, v128.load32_splat(tail, 8), v128.load32_splat(tail, 12), q);
  v0 = reduceOnce(v0, limit);
  v1 = i32x4.sub(i32x4.add(v0, q2), t);
  v0 = i32x4.add(v0, t);
  t = shoup(v3, v128.load32_splat(tail, 16), v128.load32_splat(tail, 20), q);
  v2 = reduceOnce(v2, limit);
  v3 = i32x4.sub(i32x4.add(v2, q2), t);
  v2 = i32x4.add(v2, t);
  v128.store(x, v0);
  v128.store(x, v1, 16);
  v128.store(x, v2, 32);
  v128.store(x, v3, 48);
}

/** The stages of distance 2 and 1 on 16 words, to [0, q); narrow: from below 6q. */
// @ts-ignore: decorator
@inline
function forwardTail(narrow: bool, x: usize, tail: usize, q: v128, q2: v128, limit: v128): void {
  let v0 = v128.load(x);
  let v1 = v128.load(x, 16);
  let v2 = v128.load(x, 32);
  let v3 = v128.load(x, 48);
  // transpose: v0..v3 then hold the first..fourth words of the four groups
  let a = lowPairs(v0, v1);
  let b = lowPairs(v2, v3);
  let c = highPairs(v0, v1);
  let d = highPairs(v2, v3);
  v0 = lowHalves(a, b);
  v1 = highHalves(a, b);
  v2 = lowHalves(c, d);
  v3 = highHalves(c, d);
  // distance 2; narrow: to below 8q
  const w = v128.load(tail, 32);
  const ws = v128.load(tail, 48);
  let t = shoup(v2, w, ws, q);
  if (!narrow) v0 = reduceOnce(v0, limit);
  v2 = i32x4.sub(i32x4.add(v0, q2), t);
  v0 = i32x4.add(v0, t);
  t = shoup(v3, w, ws, q);
  if (!narrow) v1 = reduceOnce(v1, limit);
  v3 = i32x4.sub(i32x4.add(v1, q2), t);
  v1 = i32x4.add(v1, t);
  // distance 1: to below 4q, then [0, q)
  t = shoup(v1, v128.load(tail, 64), v128.load(tail, 80), q);
  if (narrow) v0 = reduceOnce(v0, limit);
  v0 = reduceOnce(v0, q2);
  v1 = reduceOnce(reduceOnce(i32x4.sub(i32x4.add(v0, q2), t), q2), q);
  v0 = reduceOnce(reduceOnce(i32x4.add(v0, t), q2), q);
  t = shoup(v3, v128.load(tail, 96), v128.load(tail, 112), q);
  if (narrow) v2 = reduceOnce(v2, limit);
  v2 = reduceOnce(v2, q2);
  v3 = reduceOnce(reduceOnce(i32x4.sub(i32x4.add(v2, q2), t), q2), q);
  v2 = reduceOnce(reduceOnce(i32x4.add(v2, t), q2), q);
  // transpose back
  a = lowPairs(v0, v1);
  b = lowPairs(v2, v3);
  c = highPairs(v0, v1);
  d = highPairs(v2, v3);
  v128.store(x, lowHalves(a, b));
  v128.store(x, highHalves(a, b), 16);
  v128.store(x, lowHalves(c, d), 32);
  v128.store(x, highHalves(c, d), 48);
}

/** Forward transform. */
export function forwardNtt(x: usize, table: usize, logN: u32, modulus: u32): void {
  if (logN < 4) {
    forwardSmall(x, table, logN, modulus);
    return;
  }
  const narrow = modulus < 1 << 29;
  const q = i32x4.splat(modulus);
  const q2 = i32x4.splat(modulus << 1);
  const limit = i32x4.splat(narrow ? modulus << 2 : modulus << 1);
  const n: u32 = 1 << logN;
  // The first `whole` stages go over all of x, the others over one block after another. Stages
  // before the tail whose number is even skip the reduction when narrow, and so do the first
  // ones, while values are small enough for the next stage that reduces (the last is number 1).
  const whole = logN > logBlock ? logN - logBlock : 0;
  const firstReduced = (logN - 4) & 1 ? logN - 6 : logN - 7;
  let stage = logN - 4;
  for (let s: u32 = 0; s < whole; s++) {
    const distance = (<usize>n << 1) >> s;
    const w = table + (<usize>8 << s);
    if (!narrow || (stage & 1 && <i32>stage <= <i32>firstReduced)) {
      forwardStage(true, x, distance, 1 << s, w, q, q2, limit);
    } else {
      forwardStage(false, x, distance, 1 << s, w, q, q2, limit);
    }
    stage--;
  }
  const logSize = logN - whole;
  const pieces: u32 = 1 << (logSize - 4);
  let tail = table + (<usize>n >> 1);
  for (let block: u32 = 0; block < 1 << whole; block++) {
    const start = x + (<usize>block << (logSize + 2));
    for (let s: u32 = 0; s + 4 < logSize; s++) {
      const distance = <usize>2 << (logSize - s);
      const w = table + (<usize>((1 << whole) + block) << (s + 3));
      const number = stage - s;
      if (!narrow || (number & 1 && <i32>number <= <i32>firstReduced)) {
        forwardStage(true, start, distance, 1 << s, w, q, q2, limit);
      } else {
        forwardStage(false, start, distance, 1 << s, w, q, q2, limit);
      }
    }
    let p = start;
    if (narrow) {
      for (let i: u32 = 0; i < pieces; i++) {
        forwardMiddle(true, p, tail, q, q2, limit);
        p += 64;
        tail += 128;
      }
      p = start;
      tail -= <usize>pieces << 7;
      for (let i: u32 = 0; i < pieces; i++) {
        forwardTail(true, p, tail, q, q2, limit);
        p += 64;
        tail += 128;
      }
    } else {
      for (let i: u32 = 0; i < pieces; i++) {
        forwardMiddle(false, p, tail, q, q2, limit);
        p += 64;
        tail += 128;
      }
      p = start;
      tail -= <usize>pieces << 7;
      for (let i: u32 = 0; i < pieces; i++) {
        forwardTail(false, p, tail, q, q2, limit);
        p += 64;
        tail += 128;
      }
    }
  }
}

/** One stage with one twiddle; `limit` (2q, or 4q when narrow) bounds the values. */
// @ts-ignore: decorator
@inline
function inverseRun(x: usize, distance: usize, w: v128, ws: v128, q: v128, limit: v128): void {
  let y = x + distance;
  const end = y;
  while (x < end) {
    const x0 = v128.load(x);
    const y0 = v128.load(y);
    v128.store(x, reduceOnce(i32x4.add(x0, y0), limit));
    v128.store(y, shoup(i32x4.add(i32x4.sub(y0, x0), limit), w, ws, q));
    const x1 = v128.load(x, 16);
    const y1 = v128.load(y, 16);
    v128.store(x, reduceOnce(i32x4.add(x1, y1), limit), 16);
    v128.store(y, shoup(i32x4.add(i32x4.sub(y1, x1), limit), w, ws, q), 16);
    x += 32;
    y += 32;
  }
}

/** `runs` runs of one stage; twiddles are read backwards from w. */
// @ts-ignore: decorator
@inline
function inverseStage(x: usize, distance: usize, runs: u32, w: usize, q: v128, limit: v128): void {
  for (let i: u32 = 0; i < runs; i++) {
    inverseRun(x, distance, v128.load32_splat(w), v128.load32_splat(w, 4), q, limit);
    x += distance << 1;
    w -= 8;
  }
}

/** The last stage with the factor 1/n worked in (s for the sums, w for the differences). */
// @ts-ignore: decorator
@inline
function inverseLast(x: usize, distance: usize, s: v128, ss: v128, w: v128, ws: v128, q: v128, limit: v128): void {
  let y = x + distance;
  const end = y;
  while (x < end) {
    const x0 = v128.load(x);
    const y0 = v128.load(y);
    v128.store(x, reduceOnce(shoup(i32x4.add(x0, y0), s, ss, q), q));
    v128.store(y, reduceOnce(shoup(i32x4.add(i32x4.sub(y0, x0), limit), w, ws, q), q));
    x += 16;
    y += 16;
  }
}

/**
 * The stages of distance 1 and 2 on 16 words in [0, q). `tail` belongs to the mirrored piece. The vectors
 * are loaded in reverse order, so that lane l of a transposed vector is group 3 − l, which is how
 * the mirrored twiddles lie.
 */
// @ts-ignore: decorator
@inline
function inverseTail(narrow: bool, x: usize, tail: usize, q: v128, q2: v128, limit: v128): void {
  let v0 = v128.load(x, 48);
  let v1 = v128.load(x, 32);
  let v2 = v128.load(x, 16);
  let v3 = v128.load(x);
  let a = lowPairs(v0, v1);
  let b = lowPairs(v2, v3);
  let c = highPairs(v0, v1);
  let d = highPairs(v2, v3);
  v0 = lowHalves(a, b);
  v1 = highHalves(a, b);
  v2 = lowHalves(c, d);
  v3 = highHalves(c, d);
  // distance 1: sums of canonical words are below 2q
  let t = i32x4.add(i32x4.sub(v1, v0), q);
  v0 = i32x4.add(v0, v1);
  v1 = shoup(t, v128.load(tail, 96), v128.load(tail, 112), q);
  t = i32x4.add(i32x4.sub(v3, v2), q);
  v2 = i32x4.add(v2, v3);
  v3 = shoup(t, v128.load(tail, 64), v128.load(tail, 80), q);
  // distance 2: sums below 4q, which is the limit when narrow
  let w = v128.load(tail, 32);
  let ws = v128.load(tail, 48);
  t = i32x4.add(i32x4.sub(v2, v0), q2);
  v0 = i32x4.add(v0, v2);
  if (!narrow) v0 = reduceOnce(v0, limit);
  v2 = shoup(t, w, ws, q);
  t = i32x4.add(i32x4.sub(v3, v1), q2);
  v1 = i32x4.add(v1, v3);
  if (!narrow) v1 = reduceOnce(v1, limit);
  v3 = shoup(t, w, ws, q);
  // transpose back, reversed again
  a = lowPairs(v0, v1);
  b = lowPairs(v2, v3);
  c = highPairs(v0, v1);
  d = highPairs(v2, v3);
  v128.store(x, highHalves(c, d));
  v128.store(x, lowHalves(c, d), 16);
  v128.store(x, highHalves(a, b), 32);
  v128.store(x, lowHalves(a, b), 48);
}

/** The stages of distance 4 and 8 on 16 words below the limit. */
// @ts-ignore: decorator
@inline
function inverseMiddle(x: usize, tail: usize, q: v128, limit: v128): void {
  let v0 = v128.load(x);
  let v1 = v128.load(x, 16);
  let v2 = v128.load(x, 32);
  let v3 = v128.load(x, 48);
  // distance 4
  let t = i32x4.add(i32x4.sub(v1, v0), limit);
  v0 = reduceOnce(i32x4.add(v0, v1), limit);
  v1 = shoup(t, v128.load32_splat(tail, 16), v128.load32_splat(tail, 20), q);
  t = i32x4.add(i32x4.sub(v3, v2), limit);
  v2 = reduceOnce(i32x4.add(v2, v3), limit);
  v3 = shoup(t, v128.load32_splat(tail, 8), v128.load32_splat(tail, 12), q);
  // distance 8
  const w = v128.load32_splat(tail);
  const ws = v128.load32_splat(tail, 4);
  v128.store(x, reduceOnce(i32x4.add(v0, v2), limit));
  v128.store(x, reduceOnce(i32x4.add(v1, v3), limit), 16);
  v128.store(x, shoup(i32x4.add(i32x4.sub(v2, v0), limit), w, ws, q), 32);
  v128.store(x, shoup(i32x4.add(i32x4.sub(v3, v1), limit), w, ws, q), 48);
}

/** Inverse transform; `scale` is 1/n mod q. */
export function inverseNtt(x: usize, table: usize, logN: u32, modulus: u32, scale: u32): void {
  if (logN < 4) {
    inverseSmall(x, table, logN, modulus, scale);
    return;
  }
  const narrow = modulus < 1 << 29;
  const q = i32x4.splat(modulus);
  const q2 = i32x4.splat(modulus << 1);
  const limit = i32x4.splat(narrow ? modulus << 2 : modulus << 1);
  const n: u32 = 1 << logN;
  const s = i32x4.splat(scale);
  const ss = i32x4.splat(quotient(scale, modulus));
  // The last stage, of distance n/2, is not among these.
  const whole = logN > logBlock ? logN - logBlock : 0;
  const logSize = logN - whole;
  const pieces: u32 = 1 << (logSize - 4);
  let tail = table + (<usize>n >> 1) + (<usize>n << 3) - 128;
  for (let block: u32 = 0; block < 1 << whole; block++) {
    const start = x + (<usize>block << (logSize + 2));
    let p = start;
    if (narrow) {
      for (let i: u32 = 0; i < pieces; i++) {
        inverseTail(true, p, tail, q, q2, limit);
        p += 64;
        tail -= 128;
      }
    } else {
      for (let i: u32 = 0; i < pieces; i++) {
        inverseTail(false, p, tail, q, q2, limit);
        p += 64;
        tail -= 128;
      }
    }
    p = start;
    tail += <usize>pieces << 7;
    for (let i: u32 = 0; i < pieces; i++) {
      inverseMiddle(p, tail, q, limit);
      p += 64;
      tail -= 128;
    }
    // Stages of 2^(whole + g) twiddles, of which this block's are mirrored to the far end.
    for (let g = <i32>logSize - 5; g >= 0; g--) {
      if (whole + g == 0) break;
      const last = (2 << (whole + g)) - 1 - (block << g);
      inverseStage(start, <usize>2 << (logSize - g), 1 << g, table + (<usize>last << 3), q, limit);
    }
  }
  for (let g = <i32>whole - 1; g > 0; g--) {
    inverseStage(x, (<usize>n << 1) >> g, 1 << g, table + (<usize>((2 << g) - 1) << 3), q, limit);
  }
  if (logN == 4) {
    // Distance 8 was the last stage; only the factor is left.
    for (let i: usize = 0; i < 64; i += 16) {
      v128.store(x + i, reduceOnce(shoup(v128.load(x + i), s, ss, q), q));
    }
    return;
  }
  const last = <u32>((<u64>load<u32>(table, 8) * <u64>scale) % <u64>modulus);
  inverseLast(x, <usize>n << 1, s, ss, i32x4.splat(last), i32x4.splat(quotient(last, modulus)), q, limit);
}

// Degrees 4 and 8, one word at a time and without laziness.
function forwardSmall(x: usize, table: usize, logN: u32, q: u32): void {
  const n: u32 = 1 << logN;
  for (let m: u32 = 1; m < n; m <<= 1) {
    const distance = n / (2 * m);
    for (let i: u32 = 0; i < m; i++) {
      const w = <u64>load<u32>(table + (<usize>(m + i) << 3));
      for (let j: u32 = 0; j < distance; j++) {
        const p = x + (<usize>(2 * i * distance + j) << 2);
        const r = p + (<usize>distance << 2);
        const u = load<u32>(p);
        const t = <u32>((<u64>load<u32>(r) * w) % <u64>q);
        store<u32>(p, (u + t) % q);
        store<u32>(r, (u + q - t) % q);
      }
    }
  }
}

function inverseSmall(x: usize, table: usize, logN: u32, q: u32, scale: u32): void {
  const n: u32 = 1 << logN;
  for (let m: u32 = n >> 1; m != 0; m >>= 1) {
    const distance = n / (2 * m);
    for (let i: u32 = 0; i < m; i++) {
      const w = <u64>load<u32>(table + (<usize>(2 * m - 1 - i) << 3));
      for (let j: u32 = 0; j < distance; j++) {
        const p = x + (<usize>(2 * i * distance + j) << 2);
        const r = p + (<usize>distance << 2);
        const u = load<u32>(p);
        const v = load<u32>(r);
        store<u32>(p, (u + v) % q);
        store<u32>(r, <u32>((<u64>(v + q - u) * w) % <u64>q));
      }
    }
  }
  for (let i: u32 = 0; i < n; i++) {
    const p = x + (<usize>i << 2);
    store<u32>(p, <u32>((<u64>load<u32>(p) * <u64>scale) % <u64>q));
  }
}
