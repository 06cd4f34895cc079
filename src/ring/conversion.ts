/**
 * Constants for base conversion between sets of primes
 * (Halevi–Polyakov–Shoup, eprint 2018/117, §2), computed once per pair of sets.
 */
import type { ConversionTable } from "../kernels/backend.ts";
import { invertModulo, productModulo } from "./modular.ts";

/** Table for x mod Π from → x mod each of `to`; indices into `primes`. */
export function conversionTable(
  primes: readonly number[],
  from: readonly number[],
  to: readonly number[],
): ConversionTable {
  const inverses = new Uint32Array(from.length);
  const fractions = new Uint32Array(from.length);
  const factors = new Uint32Array(from.length * to.length);
  const products = new Uint32Array(to.length);
  for (let i = 0; i < from.length; i++) {
    const q = primes[from[i] as number] as number;
    const others = from.filter((_, k) => k !== i).map((k) => primes[k] as number);
    inverses[i] = invertModulo(productModulo(others, q), q);
    fractions[i] = Number((1n << 56n) / BigInt(q));
    for (let j = 0; j < to.length; j++) {
      factors[j * from.length + i] = productModulo(others, primes[to[j] as number] as number);
    }
  }
  const all = from.map((k) => primes[k] as number);
  for (let j = 0; j < to.length; j++) products[j] = productModulo(all, primes[to[j] as number] as number);
  return { from, to, inverses, fractions, factors, products };
}
