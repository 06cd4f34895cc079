/**
 * From residues back to centred integers, as doubles: balanced mixed-radix digits (Garner), which
 * are zero from the point on where the integer ends, so that small integers cost few limbs. The
 * digits are made by the kernels: digit k, centred, is subtracted from the limbs above it, which
 * are then divided by prime k.
 */

import { invertModulo } from "../ring/modular.ts";
import type { Poly } from "../ring/poly.ts";

/** Bits of a coefficient beyond its scale that are provided for at first: messages up to 2^10. */
const messageBits = 10;

/**
 * Limbs to look at first for coefficients of about `scale`: enough for them, and one whose digit
 * shows by being zero that they were enough.
 *
 * @param primes of the limbs in order
 * @param scale of the polynomial
 */
export function limbsForScale(primes: readonly number[], scale: number): number {
  let bits = Math.log2(scale) + messageBits + 1;
  let limbs = 0;
  while (limbs < primes.length && bits > 0) bits -= Math.log2(primes[limbs++] as number);
  return Math.min(limbs + 1, primes.length);
}

/**
 * Coefficients 0, gap, 2·gap, … (`count` of them) of a polynomial as doubles with relative error
 * 2^-50, or undefined when these limbs are too few: the last digit is not zero somewhere.
 *
 * @param poly changed: brought to coefficient domain and overwritten with its digits
 * @param complete whether `poly` has all limbs there are: the last digit then may be anything
 */
export function reconstruct(poly: Poly, count: number, complete: boolean): Float64Array | undefined {
  const { ring } = poly;
  const { kernels } = ring;
  poly.toCoefficient();
  const limbs = poly.moduli.length;
  for (let k = 0; k + 1 < limbs; k++) {
    const above = poly.limbs(k + 1);
    const own = poly.moduli[k] as number;
    const prime = ring.primes[own] as number;
    using lifted = ring.poly(above.moduli, "coefficient");
    kernels.convert(lifted, poly.limbs(k, k + 1), ring.conversion([own], above.moduli));
    const inverses = ring.scalars(`1/${own}`, above.moduli, (q) => invertModulo(prime, q));
    kernels.subtractMultiplyScalar(above, above, lifted, inverses);
  }
  const gap = ring.degree / count;
  const words = new Uint32Array(ring.degree);
  if (!complete) {
    kernels.read(poly, limbs - 1, words);
    for (let j = 0; j < words.length; j += gap) if (words[j] !== 0) return undefined;
  }
  const result = new Float64Array(count);
  for (let k = complete ? limbs - 1 : limbs - 2; k >= 0; k--) {
    kernels.read(poly, k, words);
    horner(result, words, gap, ring.primes[poly.moduli[k] as number] as number);
  }
  words.fill(0); // of a decryption
  return result;
}

/** result = result·q + digit, where digits from `first` on stand for digit − q. */
function horner(result: Float64Array, words: Uint32Array, gap: number, q: number): void {
  const first = firstNegative(q);
  for (let i = 0, j = 0; i < result.length; i++, j += gap) {
    const word = words[j] as number;
    result[i] = (result[i] as number) * q + (word < first ? word : word - q);
  }
}

/**
 * The least residue that base conversion from the single prime q takes for a negative number: it
 * rounds y·floor(2^56/q) to multiples of 2^56.
 */
function firstNegative(q: number): number {
  const fraction = (1n << 56n) / BigInt(q);
  return Number(((1n << 55n) + fraction - 1n) / fraction);
}
