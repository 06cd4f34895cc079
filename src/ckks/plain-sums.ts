/** Sums of products of ciphertexts with plaintexts, in few passes over their operands. */
import type { Limbs, ProductSums, RingKernels } from "../kernels/backend.ts";
import { requireScaleRatio } from "./checks.ts";
import type { Ciphertext, Plaintext } from "./ciphertext.ts";
import type { ExtendedCiphertext } from "./extended.ts";

/** A product that is summed. The plaintext is encoded for products, over the basis of the operand. */
export type PlainTerm<Operand extends Ciphertext | ExtendedCiphertext> = readonly [
  operand: Operand,
  plaintext: Plaintext,
];

/** One sum: what two polynomials become. */
export interface PlainSum {
  /** Over as many primes as the plaintexts. */
  readonly into: readonly [Limbs, Limbs];
  readonly terms: readonly PlainTerm<Ciphertext | ExtendedCiphertext>[];
}

/** Scale of a sum of products. Throws `scale` when theirs differ. */
export function scaleOfTerms(terms: PlainSum["terms"]): number {
  const [[a, plaintext]] = terms as [PlainSum["terms"][number]];
  const scale = a.scale * plaintext.scale;
  for (const [b, { scale: factor, level }] of terms)
    requireScaleRatio("multiplyPlain", (b.scale * factor) / scale, level);
  return scale;
}

/** Σ operand·plaintext of each sum. Plaintexts of different subrings are summed one kind after the other. */
export function sumPlain(kernels: RingKernels, sums: readonly PlainSum[]): void {
  const kinds = sums.map(productsByRun);
  for (let round = 0; kinds.some((list) => list.length > round); round++) {
    const together = new Map<number, ProductSums[]>();
    for (const list of kinds) {
      const kind = list[round];
      if (kind !== undefined) together.set(kind.logRun, [...(together.get(kind.logRun) ?? []), kind.products]);
    }
    for (const [logRun, products] of together) kernels.multiplySums(products, round > 0, logRun);
  }
}

/** The products of a sum, by the runs of their plaintexts. */
function productsByRun({ into, terms }: PlainSum): { readonly logRun: number; readonly products: ProductSums }[] {
  const { moduli } = into[0];
  const byRun = new Map<number, { a: Limbs[]; b0: Limbs[]; b1: Limbs[] }>();
  for (const [{ parts }, { poly, logRun }] of terms) {
    let group = byRun.get(logRun);
    if (group === undefined) byRun.set(logRun, (group = { a: [], b0: [], b1: [] }));
    group.a.push(poly);
    // Operands may be at a higher level: their first limbs are those of the sum.
    group.b0.push({ address: (parts[0] as Limbs).address, moduli });
    group.b1.push({ address: (parts[1] as Limbs).address, moduli });
  }
  return [...byRun].map(([logRun, { a, b0, b1 }]) => ({ logRun, products: { dst: into, a, b: [b0, b1] } }));
}
