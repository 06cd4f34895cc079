/** Sums of products of ciphertexts with plaintexts, in few passes over their operands. */
import { AegisError } from "../base/errors.ts";
import type { Limbs, ProductSums, RingKernels } from "../kernels/backend.ts";
import { requireDegree, requireScaleRatio } from "./checks.ts";
import { Ciphertext, type Plaintext } from "./ciphertext.ts";
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

/**
 * Level, scale and slots of a sum of products.
 *
 * @param extended over QP, or over Q
 * @throws `argument` for none, and for plaintexts that are not for such products or differ in level, `level` for operands
 *   below them, `scale` when the products' scales differ
 */
export function shapeOfSum(
  terms: PlainSum["terms"],
  extended: boolean,
): { level: number; scale: number; slots: number } {
  const [first] = terms;
  if (first === undefined)
    throw new AegisError("argument", "plainSum: expected at least one term, got none", { operation: "plainSum" });
  const { level } = first[1];
  const scale = first[0].scale * first[1].scale;
  for (const [a, plaintext] of terms) {
    if (!plaintext.montgomery || plaintext.extended !== extended || plaintext.level !== level)
      throw new AegisError(
        "argument",
        `plainSum: expected plaintexts for products over ${extended ? "QP" : "Q"} at level ${level}, got one ${plaintext.montgomery ? "for products" : "for sums"} over ${plaintext.extended ? "QP" : "Q"} at level ${plaintext.level}`,
        { operation: "plainSum", level, hint: "encode all with use: 'product' at one level" },
      );
    if (a instanceof Ciphertext) requireDegree("plainSum", a);
    if (a.level < level)
      throw new AegisError("level", `plainSum: plaintexts at level ${level}, a ciphertext at level ${a.level}`, {
        operation: "plainSum",
        level: a.level,
      });
    requireScaleRatio("plainSum", (a.scale * plaintext.scale) / scale, level);
  }
  return { level, scale, slots: Math.max(...terms.map(([{ slots }]) => slots)) };
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
