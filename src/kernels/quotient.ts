import { type ModulusConstants, multiplyModulo } from "./modulus.ts";

/** floor(w·2^32/q) for w < q: w·2^32 less its residue is divided by q exactly, which modulo 2^32 is a product. */
export function quotient(w: number, { q, qInverse, radix }: ModulusConstants): number {
  return Math.imul(-multiplyModulo(w, radix, q), qInverse) >>> 0;
}
