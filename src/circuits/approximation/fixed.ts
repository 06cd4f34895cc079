/**
 * Real numbers as BigInt fixed point, for coefficients that doubles cannot reach: π, cosine and sine,
 * Bessel functions, conversion with correct rounding.
 *
 * A value v is held as the integer ⌊v·2^bits⌋ up to a few units; each routine works with guard bits and
 * says how close it is. Series: Abramowitz and Stegun 4.3.65–66 (sine, cosine), 9.1.10 (Bessel); π by Machin's formula.
 */
import { finite } from "../../base/validate.ts";

/** v·2^bits for a double, exact when bits is large enough for its last bit, else rounded down. */
export function toFixed(value: number, bits: number): bigint {
  finite("value", value);
  let exponent = 0;
  let mantissa = value;
  while (!Number.isInteger(mantissa)) {
    mantissa *= 2;
    exponent++;
  }
  return shift(BigInt(mantissa), bits - exponent);
}

/** The double nearest to value/2^bits (ties to even), for results in the normal range. */
export function fromFixed(value: bigint, bits: number): number {
  const magnitude = value < 0n ? -value : value;
  const length = magnitude.toString(2).length;
  const excess = length - 64; // keep 64 bits and a sticky one; Number() rounds these correctly
  if (excess <= 0) return Number(value) * 2 ** -bits;
  let kept = magnitude >> BigInt(excess);
  if (kept << BigInt(excess) !== magnitude) kept |= 1n;
  return (value < 0n ? -1 : 1) * Number(kept) * 2 ** (excess - bits);
}

/** value·2^by, rounded down. */
function shift(value: bigint, by: number): bigint {
  return by >= 0 ? value << BigInt(by) : value >> BigInt(-by);
}

/** Product of two fixed-point values, rounded down. */
export function multiplyFixed(left: bigint, right: bigint, bits: number): bigint {
  return (left * right) >> BigInt(bits);
}

const pis = new Map<number, bigint>();

/** π to within 2^-bits: 16·atan(1/5) − 4·atan(1/239). */
export function piFixed(bits: number): bigint {
  const known = pis.get(bits);
  if (known !== undefined) return known;
  const guard = 16;
  const one = 1n << BigInt(bits + guard);
  const arctangent = (inverse: bigint): bigint => {
    let power = one / inverse;
    let sum = power;
    for (let k = 3n, sign = -1n; power > 0n; k += 2n, sign = -sign) {
      power /= inverse * inverse;
      sum += (sign * power) / k;
    }
    return sum;
  };
  const pi = (16n * arctangent(5n) - 4n * arctangent(239n)) >> BigInt(guard);
  pis.set(bits, pi);
  return pi;
}

/** cos and sin of a fixed-point angle in radians, to within a few 2^-bits·max(1, |angle|). */
export function cosineSine(angle: bigint, bits: number): { cosine: bigint; sine: bigint } {
  const guard = 24;
  const wide = bits + guard;
  const one = 1n << BigInt(wide);
  const turn = 2n * piFixed(wide);
  let reduced = (angle << BigInt(guard)) % turn;
  if (reduced * 2n > turn) reduced -= turn;
  if (reduced * 2n < -turn) reduced += turn;
  const square = multiplyFixed(reduced, reduced, wide);
  let cosine = 0n;
  let sine = 0n;
  let even = one;
  let odd = reduced;
  for (let k = 1n; even !== 0n || (odd !== 0n && odd !== -1n); k += 2n) {
    cosine += even;
    sine += odd;
    even = -multiplyFixed(even, square, wide) / (k * (k + 1n));
    odd = -multiplyFixed(odd, square, wide) / ((k + 1n) * (k + 2n));
  }
  return { cosine: cosine >> BigInt(guard), sine: sine >> BigInt(guard) };
}

/**
 * J_0(z) … J_count−1(z) for a fixed-point z ≥ 0, each to within a few 2^-bits. The alternating series
 * cancels about 2.9·z bits at worst, which are carried as guard bits.
 */
export function besselFixed(z: bigint, count: number, bits: number): bigint[] {
  const guard = 32 + Math.ceil(3 * fromFixed(z, bits));
  const wide = bits + guard;
  const half = z << BigInt(guard - 1);
  const square = multiplyFixed(half, half, wide);
  const values: bigint[] = [];
  let leading = 1n << BigInt(wide); // (z/2)^n / n!
  for (let n = 0; n < count; n++) {
    if (n > 0) leading = multiplyFixed(leading, half, wide) / BigInt(n);
    let term = leading;
    let sum = 0n;
    for (let k = 1n; term !== 0n; k++) {
      sum += term;
      term = -multiplyFixed(term, square, wide) / (k * (k + BigInt(n)));
    }
    values.push(sum >> BigInt(guard));
  }
  return values;
}
