/** Words of a base conversion table as `shaders/convert.ts` reads them. */
import { invariant } from "../../base/validate.ts";
import type { ConversionTable } from "../backend.ts";
import { type ModulusConstants, multiplyModulo, planSum } from "../modulus.ts";
import { quotient } from "./quotient.ts";
import { maximumSources } from "./shaders/convert.ts";

/** @param moduli constants of the ring's primes, by index */
export function conversionWords(table: ConversionTable, moduli: readonly ModulusConstants[]): Uint32Array {
  const sources = table.from.length;
  invariant(
    sources <= maximumSources,
    `a base conversion of ${sources} sources: at most ${maximumSources} are supported`,
  );
  const words: number[] = [];
  for (const [i, m] of table.from.entries()) {
    const { q } = moduli[m];
    words.push(q, table.inverses[i], quotient(table.inverses[i], moduli[m]), table.fractions[i]);
  }
  const largest = Math.max(...table.from.map((m) => moduli[m].q)) - 1;
  for (const [j, m] of table.to.entries()) {
    const { q, qInverse, radix } = moduli[m];
    // v, at most `sources`, is the last of the terms and smaller than any residue may be.
    const { interval, foldBy, steps } = planSum(sources + 1, largest * (q - 1), q);
    words.push(q, qInverse, interval, foldBy, steps);
    for (let i = 0; i < sources; i++) words.push(multiplyModulo(table.factors[j * sources + i], radix, q));
    words.push(multiplyModulo((q - table.products[j]) % q, radix, q));
  }
  return Uint32Array.from(words);
}
