// Residues of signed integers: any integer first becomes non-negative by an offset, whose
// residue is subtracted at the end. Coefficient domain.
import { liftOnce, mulHigh, quotient, reduceOnce, shoup } from "./vector";

/** dst = values mod q for n signed words. */
export function fromInt32(dst: usize, values: usize, n: u32, q: u32): void {
  const qv = i32x4.splat(q);
  const one = i32x4.splat(1);
  const ws = i32x4.splat(quotient(1, q));
  const bias = i32x4.splat(0x80000000);
  const biasResidue = i32x4.splat(<u32>0x80000000 % q);
  for (let i: u32 = 0; i < n; i += 4) {
    const x = reduceOnce(shoup(i32x4.add(v128.load(values), bias), one, ws, qv), qv);
    v128.store(dst, liftOnce(i32x4.sub(x, biasResidue), qv));
    dst += 16;
    values += 16;
  }
}

/** Replaces n doubles that hold integers x, |x| < 2^62, by the 64-bit words x + 2^62. */
export function biasDoubles(values: usize, n: u32): void {
  for (let i: u32 = 0; i < n; i++) {
    store<u64>(values, <u64>(<i64>load<f64>(values)) + 0x4000000000000000);
    values += 8;
  }
}

/**
 * dst = x mod q from the words x + 2^62 < 2^63 of {@link biasDoubles}: a Montgomery reduction,
 * which leaves a word below 2^31 + q, and a product with 2^32 mod q that undoes its factor.
 */
export function fromBiased(dst: usize, values: usize, n: u32, q: u32, qi: u32): void {
  const qv = i32x4.splat(q);
  const qiv = i32x4.splat(qi);
  const radix = <u32>((<u64>1 << 32) % (<u64>q));
  const w = i32x4.splat(radix);
  const ws = i32x4.splat(quotient(radix, q));
  const biasResidue = i32x4.splat(<u32>((<u64>1 << 62) % (<u64>q)));
  for (let i: u32 = 0; i < n; i += 4) {
    const x0 = v128.load(values);
    const x1 = v128.load(values, 16);
    const m = i32x4.mul(v128.shuffle<u32>(x0, x1, 0, 2, 4, 6), qiv);
    const high = i32x4.add(v128.shuffle<u32>(x0, x1, 1, 3, 5, 7), qv);
    const x = reduceOnce(shoup(i32x4.sub(high, mulHigh(m, qv)), w, ws, qv), qv);
    v128.store(dst, liftOnce(i32x4.sub(x, biasResidue), qv));
    dst += 16;
    values += 32;
  }
}
