/** Words of a base conversion table in the order in which `shaders/convert.ts` reads them. */
import { invariant } from "../../base/validate.ts";
import type { ConversionTable } from "../backend.ts";
import { conversionWords } from "../conversion-words.ts";
import type { ModulusConstants } from "../modulus.ts";
import { maximumSources } from "./shaders/convert.ts";

/** @param moduli constants of the ring's primes, by index */
export function shaderConversion(table: ConversionTable, moduli: readonly ModulusConstants[]): Uint32Array {
  const count = table.from.length;
  invariant(count <= maximumSources, `a base conversion of ${count} sources: at most ${maximumSources} are supported`);
  const { sources, targets, factors } = conversionWords(table, (m) => moduli[m] as ModulusConstants);
  const words = [...sources];
  for (const j of table.to.keys())
    words.push(...targets.subarray(5 * j, 5 * j + 5), ...factors.subarray(j * (count + 1), (j + 1) * (count + 1)));
  return Uint32Array.from(words);
}
