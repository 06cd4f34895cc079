/**
 * From residues back to centred integers, as doubles: balanced mixed-radix digits (Garner), which
 * are zero from the point on where the integer ends, so that small integers cost few limbs.
 */
import type { Poly } from "../ring/poly.ts";
import { invertModulo, multiplyModulo, productModulo } from "../ring/modular.ts";

/** Limbs tried first: covers coefficients up to about 2^85. */
const firstLimbs = 4;

/**
 * Coefficients 0, gap, 2·gap, … (`count` of them) of a polynomial as doubles with relative error
 * 2^-52. `poly` is left unchanged.
 */
export function reconstruct(poly: Poly, count: number): Float64Array {
  const total = poly.moduli.length;
  let limbs = Math.min(firstLimbs, total);
  for (;;) {
    const result = fromDigits(poly, count, limbs);
    if (result !== undefined) return result;
    limbs = Math.min(2 * limbs, total);
  }
}

/** Undefined when the last of fewer than all digits is not zero somewhere: more limbs are needed. */
function fromDigits(poly: Poly, count: number, limbs: number): Float64Array | undefined {
  const { ring } = poly;
  const gap = ring.degree / count;
  using part = poly.clone(0, limbs);
  part.toCoefficient();
  const primes = part.moduli.map((index) => ring.primes[index] as number);
  const words = primes.map((_, i) => {
    const limb = new Uint32Array(ring.degree);
    ring.kernels.read(part, i, limb);
    return limb;
  });
  const result = new Float64Array(count);
  const digits: Int32Array[] = [];
  let weight = 1;
  for (let k = 0; k < limbs; k++) {
    const q = primes[k] as number;
    const inverse = invertModulo(productModulo(primes.slice(0, k), q), q);
    const factors = primes.slice(0, k).map((_, i) => multiplyModulo(productModulo(primes.slice(0, i), q), inverse, q));
    const source = words[k] as Uint32Array;
    const digit = new Int32Array(count);
    let any = false;
    for (let j = 0; j < count; j++) {
      let value = multiplyModulo(source[j * gap] as number, inverse, q);
      for (let i = 0; i < k; i++) {
        const previous = (digits[i] as Int32Array)[j] as number;
        if (previous === 0) continue;
        value -= multiplyModulo(previous < 0 ? previous + q * Math.ceil(-previous / q) : previous % q, factors[i] as number, q);
        if (value < 0) value += q;
      }
      digit[j] = value > q / 2 ? value - q : value;
      if (value !== 0) any = true;
    }
    if (any && k === limbs - 1 && limbs < poly.moduli.length) return undefined;
    for (let j = 0; j < count; j++) result[j] = (result[j] as number) + (digit[j] as number) * weight;
    digits.push(digit);
    weight *= q;
  }
  return result;
}
