// Four-lane helpers shared by the kernels. A "word" is one u32 lane; q < 2^30 throughout.

/** High words of the four 64-bit products a·b: two widening products and one shuffle. */
// @ts-ignore: decorator
@inline
export function mulHigh(a: v128, b: v128): v128 {
  return v128.shuffle<u32>(i64x2.extmul_low_i32x4_u(a, b), i64x2.extmul_high_i32x4_u(a, b), 1, 3, 5, 7);
}

/**
 * y·w mod q in [0, 2q) for any u32 y, with ws = floor(w·2^32/q)
 * (Harvey, "Faster arithmetic for number-theoretic transforms", §3).
 */
// @ts-ignore: decorator
@inline
export function shoup(y: v128, w: v128, ws: v128, q: v128): v128 {
  return i32x4.sub(i32x4.mul(y, w), i32x4.mul(mulHigh(y, ws), q));
}

/** x in [0, 2c) to [0, c): the difference wraps to a larger word when x < c. Needs 2c ≤ 2^32. */
// @ts-ignore: decorator
@inline
export function reduceOnce(x: v128, c: v128): v128 {
  return i32x4.min_u(x, i32x4.sub(x, c));
}

/** x in (−c, c), as a wrapped word, to [0, c). */
// @ts-ignore: decorator
@inline
export function liftOnce(x: v128, c: v128): v128 {
  return i32x4.min_u(x, i32x4.add(x, c));
}

/** Montgomery product a·b·2^-32 mod q in [0, q); a·b < q·2^32, qi = q^-1 mod 2^32. */
// @ts-ignore: decorator
@inline
export function montgomery(a: v128, b: v128, q: v128, qi: v128): v128 {
  const low = i64x2.extmul_low_i32x4_u(a, b);
  const high = i64x2.extmul_high_i32x4_u(a, b);
  const m = i32x4.mul(v128.shuffle<u32>(low, high, 0, 2, 4, 6), qi);
  return liftOnce(i32x4.sub(v128.shuffle<u32>(low, high, 1, 3, 5, 7), mulHigh(m, q)), q);
}

/** floor(w·2^32/q). */
// @ts-ignore: decorator
@inline
export function quotient(w: u32, q: u32): u32 {
  return <u32>(((<u64>w) << 32) / (<u64>q));
}
