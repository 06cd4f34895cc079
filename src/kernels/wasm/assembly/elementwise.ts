// Kernels that treat every coefficient alike. Inputs and outputs are canonical residues; the
// domain does not matter. n is a number of words and is rounded up to 8: limbs are padded.
import { liftOnce, montgomery, quotient, reduceOnce, shoup } from "./vector";

export function copy(dst: usize, a: usize, n: u32): void {
  memory.copy(dst, a, <usize>n << 2);
}

export function zero(dst: usize, n: u32): void {
  memory.fill(dst, 0, <usize>n << 2);
}

export function add(dst: usize, a: usize, b: usize, n: u32, q: u32): void {
  const qv = i32x4.splat(q);
  for (let i: u32 = 0; i < n; i += 8) {
    v128.store(dst, reduceOnce(i32x4.add(v128.load(a), v128.load(b)), qv));
    v128.store(dst, reduceOnce(i32x4.add(v128.load(a, 16), v128.load(b, 16)), qv), 16);
    dst += 32;
    a += 32;
    b += 32;
  }
}

export function subtract(dst: usize, a: usize, b: usize, n: u32, q: u32): void {
  const qv = i32x4.splat(q);
  for (let i: u32 = 0; i < n; i += 8) {
    v128.store(dst, liftOnce(i32x4.sub(v128.load(a), v128.load(b)), qv));
    v128.store(dst, liftOnce(i32x4.sub(v128.load(a, 16), v128.load(b, 16)), qv), 16);
    dst += 32;
    a += 32;
    b += 32;
  }
}

export function negate(dst: usize, a: usize, n: u32, q: u32): void {
  const qv = i32x4.splat(q);
  const none = i32x4.splat(0);
  for (let i: u32 = 0; i < n; i += 8) {
    v128.store(dst, liftOnce(i32x4.sub(none, v128.load(a)), qv));
    v128.store(dst, liftOnce(i32x4.sub(none, v128.load(a, 16)), qv), 16);
    dst += 32;
    a += 32;
  }
}

export function multiply(dst: usize, a: usize, b: usize, n: u32, q: u32, qi: u32): void {
  const qv = i32x4.splat(q);
  const qiv = i32x4.splat(qi);
  for (let i: u32 = 0; i < n; i += 8) {
    v128.store(dst, montgomery(v128.load(a), v128.load(b), qv, qiv));
    v128.store(dst, montgomery(v128.load(a, 16), v128.load(b, 16), qv, qiv), 16);
    dst += 32;
    a += 32;
    b += 32;
  }
}

export function multiplyScalar(dst: usize, a: usize, n: u32, q: u32, s: u32): void {
  const qv = i32x4.splat(q);
  const w = i32x4.splat(s);
  const ws = i32x4.splat(quotient(s, q));
  for (let i: u32 = 0; i < n; i += 8) {
    v128.store(dst, reduceOnce(shoup(v128.load(a), w, ws, qv), qv));
    v128.store(dst, reduceOnce(shoup(v128.load(a, 16), w, ws, qv), qv), 16);
    dst += 32;
    a += 32;
  }
}

export function multiplyScalarAdd(dst: usize, a: usize, n: u32, q: u32, s: u32): void {
  const qv = i32x4.splat(q);
  const w = i32x4.splat(s);
  const ws = i32x4.splat(quotient(s, q));
  for (let i: u32 = 0; i < n; i += 8) {
    const x0 = reduceOnce(shoup(v128.load(a), w, ws, qv), qv);
    const x1 = reduceOnce(shoup(v128.load(a, 16), w, ws, qv), qv);
    v128.store(dst, reduceOnce(i32x4.add(v128.load(dst), x0), qv));
    v128.store(dst, reduceOnce(i32x4.add(v128.load(dst, 16), x1), qv), 16);
    dst += 32;
    a += 32;
  }
}

export function addScalar(dst: usize, a: usize, n: u32, q: u32, s: u32): void {
  const qv = i32x4.splat(q);
  const sv = i32x4.splat(s);
  for (let i: u32 = 0; i < n; i += 8) {
    v128.store(dst, reduceOnce(i32x4.add(v128.load(a), sv), qv));
    v128.store(dst, reduceOnce(i32x4.add(v128.load(a, 16), sv), qv), 16);
    dst += 32;
    a += 32;
  }
}

export function subtractMultiplyScalar(dst: usize, a: usize, b: usize, n: u32, q: u32, s: u32): void {
  const qv = i32x4.splat(q);
  const w = i32x4.splat(s);
  const ws = i32x4.splat(quotient(s, q));
  for (let i: u32 = 0; i < n; i += 8) {
    // The difference plus q lies in (0, 2q); the product takes any word.
    const x0 = i32x4.add(i32x4.sub(v128.load(a), v128.load(b)), qv);
    const x1 = i32x4.add(i32x4.sub(v128.load(a, 16), v128.load(b, 16)), qv);
    v128.store(dst, reduceOnce(shoup(x0, w, ws, qv), qv));
    v128.store(dst, reduceOnce(shoup(x1, w, ws, qv), qv), 16);
    dst += 32;
    a += 32;
    b += 32;
  }
}

/** Writes each of the n >> logRun words at `a` 2^logRun times. */
export function expand(dst: usize, a: usize, n: u32, logRun: u32): void {
  const end = dst + (<usize>n << 2);
  if (logRun == 0) {
    memory.copy(dst, a, <usize>n << 2);
  } else if (logRun == 1) {
    for (let i: u32 = 0; i < n; i += 8) {
      const x = v128.load(a);
      v128.store(dst, v128.shuffle<u32>(x, x, 0, 0, 1, 1));
      v128.store(dst, v128.shuffle<u32>(x, x, 2, 2, 3, 3), 16);
      dst += 32;
      a += 16;
    }
  } else {
    const run = <usize>4 << logRun;
    while (dst < end) {
      const x = v128.load32_splat(a);
      for (let j: usize = 0; j < run; j += 16) v128.store(dst + j, x);
      dst += run;
      a += 4;
    }
  }
}
