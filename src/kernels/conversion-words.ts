/** A base conversion table as lazy sums need it; native and WebGPU kernels say how it is worked through. */
import type { ConversionTable } from "./backend.ts";
import { type ModulusConstants, multiplyModulo, planSum } from "./modulus.ts";
import { quotient } from "./quotient.ts";

export interface ConversionWords {
  /** For each source q, inverse, its Shoup quotient, floor(2^56/q). */
  readonly sources: Uint32Array;
  /** For each target q, q^-1 mod 2^32, fold interval, fold word, steps. */
  readonly targets: Uint32Array;
  /** For each target the factors of the sources and that of v, −Q, in Montgomery form. */
  readonly factors: Uint32Array;
}

export function conversionWords(table: ConversionTable, constantsOf: (m: number) => ModulusConstants): ConversionWords {
  const sources: number[] = [];
  const targets: number[] = [];
  const factors: number[] = [];
  const count = table.from.length;
  table.from.forEach((m, i) => {
    const constants = constantsOf(m);
    const inverse = table.inverses[i] as number;
    sources.push(constants.q, inverse, quotient(inverse, constants), table.fractions[i] as number);
  });
  const largest = Math.max(...table.from.map((m) => constantsOf(m).q)) - 1;
  table.to.forEach((m, j) => {
    const { q, qInverse, radix } = constantsOf(m);
    // v, at most `count`, is the last of the terms and smaller than any residue may be.
    const { interval, foldBy, steps } = planSum(count + 1, largest * (q - 1), q);
    targets.push(q, qInverse >>> 0, interval, foldBy, steps);
    for (let i = 0; i < count; i++) {
      factors.push(multiplyModulo(table.factors[j * count + i] as number, radix, q));
    }
    factors.push(multiplyModulo((q - (table.products[j] as number)) % q, radix, q));
  });
  return {
    sources: Uint32Array.from(sources),
    targets: Uint32Array.from(targets),
    factors: Uint32Array.from(factors),
  };
}
