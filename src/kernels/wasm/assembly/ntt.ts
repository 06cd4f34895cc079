// Negacyclic NTT of one limb, in place. Forward: coefficient → NTT (Cooley–Tukey butterflies,
// bit-reversed result); inverse: NTT → coefficient (Gentleman–Sande). Lazy values are in [0, 4q)
// forward and [0, 2q) inverse, q < 2^30 (Harvey, "Faster arithmetic for number-theoretic
// transforms"; Longa–Naehrig, eprint 2016/504). Table layout: see tables.ts.
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

/** One stage on the `pairs` words from x and those from x + distance (bytes): one twiddle. */
// @ts-ignore: decorator
@inline
function forwardRun(x: usize, distance: usize, w: v128, ws: v128, q: v128, q2: v128): void {
  let y = x + distance;
  const end = y;
  while (x < end) {
    const x0 = reduceOnce(v128.load(x), q2);
    const t0 = shoup(v128.load(y), w, ws, q);
    v128.store(x, i32x4.add(x0, t0));
    v128.store(y, i32x4.sub(i32x4.add(x0, q2), t0));
    const x1 = reduceOnce(v128.load(x, 16), q2);
    const t1 = shoup(v128.load(y, 16), w, ws, q);
    v128.store(x, i32x4.add(x1, t1), 16);
    v128.store(y, i32x4.sub(i32x4.add(x1, q2), t1), 16);
    x += 32;
    y += 32;
  }
}

// @ts-ignore: decorator
@inline
function forwardTail(x: usize, tail: usize, q: v128, q2: v128): void {
  let v0 = v128.load(x);
  let v1 = v128.load(x, 16);
  let v2 = v128.load(x, 32);
  let v3 = v128.load(x, 48);
  // distance 8
  let w = v128.load32_splat(tail);
  let ws = v128.load32_splat(tail, 4);
  let t = shoup(v2, w, ws, q);
  v0 = reduceOnce(v0, q2);
  v2 = i32x4.sub(i32x4.add(v0, q2), t);
  v0 = i32x4.add(v0, t);
  t = shoup(v3, w, ws, q);
  v1 = reduceOnce(v1, q2);
  v3 = i32x4.sub(i32x4.add(v1, q2), t);
  v1 = i32x4.add(v1, t);
  // distance 4
  t = shoup(v1, v128.load32_splat(tail, 8), v128.load32_splat(tail, 12), q);
  v0 = reduceOnce(v0, q2);
  v1 = i32x4.sub(i32x4.add(v0, q2), t);
  v0 = i32x4.add(v0, t);
  t = shoup(v3, v128.load32_splat(tail, 16), v128.load32_splat(tail, 20), q);
  v2 = reduceOnce(v2, q2);
  v3 = i32x4.sub(i32x4.add(v2, q2), t);
  v2 = i32x4.add(v2, t);
  // transpose: c0..c3 hold the first..fourth words of the four groups
  let a = lowPairs(v0, v1);
  let b = lowPairs(v2, v3);
  let c = highPairs(v0, v1);
  let d = highPairs(v2, v3);
  v0 = lowHalves(a, b);
  v1 = highHalves(a, b);
  v2 = lowHalves(c, d);
  v3 = highHalves(c, d);
  // distance 2
  w = v128.load(tail, 32);
  ws = v128.load(tail, 48);
  t = shoup(v2, w, ws, q);
  v0 = reduceOnce(v0, q2);
  v2 = i32x4.sub(i32x4.add(v0, q2), t);
  v0 = i32x4.add(v0, t);
  t = shoup(v3, w, ws, q);
  v1 = reduceOnce(v1, q2);
  v3 = i32x4.sub(i32x4.add(v1, q2), t);
  v1 = i32x4.add(v1, t);
  // distance 1, then from [0, 4q) to [0, q)
  t = shoup(v1, v128.load(tail, 64), v128.load(tail, 80), q);
  v0 = reduceOnce(v0, q2);
  v1 = reduceOnce(reduceOnce(i32x4.sub(i32x4.add(v0, q2), t), q2), q);
  v0 = reduceOnce(reduceOnce(i32x4.add(v0, t), q2), q);
  t = shoup(v3, v128.load(tail, 96), v128.load(tail, 112), q);
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

/** Forward transform; n ≥ 16. */
export function forwardNtt(x: usize, table: usize, logN: u32, modulus: u32): void {
  if (logN < 4) {
    forwardSmall(x, table, logN, modulus);
    return;
  }
  const q = i32x4.splat(modulus);
  const q2 = i32x4.splat(modulus << 1);
  const n: u32 = 1 << logN;
  const bytes = <usize>n << 2;
  let m: u32 = 1;
  let distance: u32 = n >> 1;
  while (distance >> logBlock != 0) {
    let p = x;
    for (let i: u32 = 0; i < m; i++) {
      const w = table + (<usize>(m + i) << 3);
      forwardRun(p, <usize>distance << 2, v128.load32_splat(w), v128.load32_splat(w, 4), q, q2);
      p += <usize>distance << 3;
    }
    m <<= 1;
    distance >>= 1;
  }
  const blockBytes = bytes / <usize>m;
  let tail = table + (<usize>n >> 1);
  for (let block: u32 = 0; block < m; block++) {
    const start = x + <usize>block * blockBytes;
    let groups: u32 = 1;
    let d = distance;
    while (d >= 16) {
      let p = start;
      let w = table + (<usize>((m + block) * groups) << 3);
      for (let i: u32 = 0; i < groups; i++) {
        forwardRun(p, <usize>d << 2, v128.load32_splat(w), v128.load32_splat(w, 4), q, q2);
        p += <usize>d << 3;
        w += 8;
      }
      groups <<= 1;
      d >>= 1;
    }
    let p = start;
    const pieces = <u32>(blockBytes >> 6);
    for (let i: u32 = 0; i < pieces; i++) {
      forwardTail(p, tail, q, q2);
      p += 64;
      tail += 128;
    }
  }
}

// @ts-ignore: decorator
@inline
function inverseRun(x: usize, distance: usize, w: v128, ws: v128, q: v128, q2: v128): void {
  let y = x + distance;
  const end = y;
  while (x < end) {
    const x0 = v128.load(x);
    const y0 = v128.load(y);
    v128.store(x, reduceOnce(i32x4.add(x0, y0), q2));
    v128.store(y, shoup(i32x4.add(i32x4.sub(y0, x0), q2), w, ws, q));
    const x1 = v128.load(x, 16);
    const y1 = v128.load(y, 16);
    v128.store(x, reduceOnce(i32x4.add(x1, y1), q2), 16);
    v128.store(y, shoup(i32x4.add(i32x4.sub(y1, x1), q2), w, ws, q), 16);
    x += 32;
    y += 32;
  }
}

/** The last stage with the factor 1/n worked in (s for the sums, w for the differences). */
// @ts-ignore: decorator
@inline
function inverseLast(x: usize, distance: usize, s: v128, ss: v128, w: v128, ws: v128, q: v128, q2: v128): void {
  let y = x + distance;
  const end = y;
  while (x < end) {
    const x0 = v128.load(x);
    const y0 = v128.load(y);
    v128.store(x, reduceOnce(shoup(i32x4.add(x0, y0), s, ss, q), q));
    v128.store(y, reduceOnce(shoup(i32x4.add(i32x4.sub(y0, x0), q2), w, ws, q), q));
    x += 16;
    y += 16;
  }
}

/**
 * `tail` belongs to the mirrored piece. The vectors are loaded in reverse order, so that lane l
 * of a transposed vector is group 3 − l, which is how the mirrored twiddles lie.
 */
// @ts-ignore: decorator
@inline
function inverseTail(x: usize, tail: usize, q: v128, q2: v128): void {
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
  // distance 1
  let t = i32x4.add(i32x4.sub(v1, v0), q2);
  v0 = reduceOnce(i32x4.add(v0, v1), q2);
  v1 = shoup(t, v128.load(tail, 96), v128.load(tail, 112), q);
  t = i32x4.add(i32x4.sub(v3, v2), q2);
  v2 = reduceOnce(i32x4.add(v2, v3), q2);
  v3 = shoup(t, v128.load(tail, 64), v128.load(tail, 80), q);
  // distance 2
  let w = v128.load(tail, 32);
  let ws = v128.load(tail, 48);
  t = i32x4.add(i32x4.sub(v2, v0), q2);
  v0 = reduceOnce(i32x4.add(v0, v2), q2);
  v2 = shoup(t, w, ws, q);
  t = i32x4.add(i32x4.sub(v3, v1), q2);
  v1 = reduceOnce(i32x4.add(v1, v3), q2);
  v3 = shoup(t, w, ws, q);
  // transpose back; a..d name the groups 0..3 again
  a = lowPairs(v0, v1);
  b = lowPairs(v2, v3);
  c = highPairs(v0, v1);
  d = highPairs(v2, v3);
  v3 = lowHalves(a, b);
  v2 = highHalves(a, b);
  v1 = lowHalves(c, d);
  v0 = highHalves(c, d);
  // distance 4
  t = i32x4.add(i32x4.sub(v1, v0), q2);
  v0 = reduceOnce(i32x4.add(v0, v1), q2);
  v1 = shoup(t, v128.load32_splat(tail, 16), v128.load32_splat(tail, 20), q);
  t = i32x4.add(i32x4.sub(v3, v2), q2);
  v2 = reduceOnce(i32x4.add(v2, v3), q2);
  v3 = shoup(t, v128.load32_splat(tail, 8), v128.load32_splat(tail, 12), q);
  // distance 8
  w = v128.load32_splat(tail);
  ws = v128.load32_splat(tail, 4);
  v128.store(x, reduceOnce(i32x4.add(v0, v2), q2));
  v128.store(x, reduceOnce(i32x4.add(v1, v3), q2), 16);
  v128.store(x, shoup(i32x4.add(i32x4.sub(v2, v0), q2), w, ws, q), 32);
  v128.store(x, shoup(i32x4.add(i32x4.sub(v3, v1), q2), w, ws, q), 48);
}

/** Inverse transform; `scale` is 1/n mod q. */
export function inverseNtt(x: usize, table: usize, logN: u32, modulus: u32, scale: u32): void {
  if (logN < 4) {
    inverseSmall(x, table, logN, modulus, scale);
    return;
  }
  const q = i32x4.splat(modulus);
  const q2 = i32x4.splat(modulus << 1);
  const n: u32 = 1 << logN;
  const bytes = <usize>n << 2;
  const s = i32x4.splat(scale);
  const ss = i32x4.splat(quotient(scale, modulus));
  let blocks: u32 = 1;
  if (logN > logBlock + 1) blocks = 1 << (logN - logBlock - 1);
  const blockBytes = bytes / <usize>blocks;
  let tail = table + (<usize>n >> 1) + (<usize>n << 3) - 128;
  for (let block: u32 = 0; block < blocks; block++) {
    const start = x + <usize>block * blockBytes;
    const pieces = <u32>(blockBytes >> 6);
    let p = start;
    for (let i: u32 = 0; i < pieces; i++) {
      inverseTail(p, tail, q, q2);
      p += 64;
      tail -= 128;
    }
    let groups = pieces >> 1;
    let d: u32 = 16;
    while (groups != 0) {
      // The stage has blocks·groups twiddles; this block's are mirrored to the far end.
      const m = blocks * groups;
      if (m == 1) break;
      let w = table + (<usize>(2 * m - 1 - block * groups) << 3);
      p = start;
      for (let i: u32 = 0; i < groups; i++) {
        inverseRun(p, <usize>d << 2, v128.load32_splat(w), v128.load32_splat(w, 4), q, q2);
        p += <usize>d << 3;
        w -= 8;
      }
      groups >>= 1;
      d <<= 1;
    }
  }
  for (let m = blocks >> 1; m > 1; m >>= 1) {
    const distance = bytes / <usize>(2 * m);
    let w = table + (<usize>(2 * m - 1) << 3);
    let p = x;
    for (let i: u32 = 0; i < m; i++) {
      inverseRun(p, distance, v128.load32_splat(w), v128.load32_splat(w, 4), q, q2);
      p += distance << 1;
      w -= 8;
    }
  }
  if (logN == 4) {
    // Distance 8 was the last stage; only the factor is left.
    for (let i: usize = 0; i < 64; i += 16) {
      v128.store(x + i, reduceOnce(shoup(v128.load(x + i), s, ss, q), q));
    }
    return;
  }
  const last = <u32>((<u64>load<u32>(table, 8) * <u64>scale) % <u64>modulus);
  inverseLast(x, bytes >> 1, s, ss, i32x4.splat(last), i32x4.splat(quotient(last, modulus)), q, q2);
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
