/**
 * Modular arithmetic on plain numbers for table building. Moduli are below 2^30, so products
 * are taken in two halves that stay below 2^53. Not for hot loops: those are kernels.
 */
import { invariant } from "../base/validate.ts";

/** a·b mod q for a, b in [0, q), q < 2^30. */
export function multiplyModulo(a: number, b: number, q: number): number {
  const high = Math.floor(b / 32768);
  const low = b & 32767;
  return (((a * high) % q) * 32768 + a * low) % q;
}

/** base^exponent mod q; the exponent is a non-negative integer below 2^53. */
export function powerModulo(base: number, exponent: number, q: number): number {
  let result = 1;
  let square = base % q;
  let rest = exponent;
  while (rest > 0) {
    if (rest % 2 === 1) result = multiplyModulo(result, square, q);
    square = multiplyModulo(square, square, q);
    rest = Math.floor(rest / 2);
  }
  return result;
}

/** a^-1 modulo the prime q (Fermat). */
export function invertModulo(a: number, q: number): number {
  const reduced = a % q;
  invariant(reduced !== 0, `0 has no inverse modulo ${q}`);
  return powerModulo(reduced, q - 2, q);
}

/** The product of `factors` modulo q. */
export function productModulo(factors: readonly number[], q: number): number {
  let result = 1;
  for (const factor of factors) result = multiplyModulo(result, factor % q, q);
  return result;
}

/** A non-negative or negative big integer modulo q, in [0, q). */
export function bigModulo(value: bigint, q: number): number {
  const modulus = BigInt(q);
  const rest = value % modulus;
  return Number(rest < 0n ? rest + modulus : rest);
}
