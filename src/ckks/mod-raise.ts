/** Residues modulo one prime read as integers: polynomials of a short modulus as ones of a long one. */
import type { Poly } from "../ring/poly.ts";
import type { Context } from "./context.ts";

/**
 * A polynomial over the lowest modulus read as one over `moduli`, centred integers each; NTT domain.
 *
 * @param part NTT domain; left unchanged
 * @param moduli with those of `part` side by side among them
 */
export function raise({ exchanges, ring }: Context, part: Poly, moduli: readonly number[]): Poly {
  using low = part.clone().toCoefficient();
  exchanges.replicate(low);
  const raised = ring.poly(moduli, "coefficient");
  const base = moduli.indexOf(low.moduli[0] as number);
  ring.kernels.copy(raised.limbs(base, base + low.moduli.length), low);
  if (base > 0) {
    const special = raised.limbs(0, base);
    ring.kernels.convert(special, low, ring.conversion(low.moduli, special.moduli));
  }
  const upper = raised.limbs(base + low.moduli.length);
  ring.kernels.convert(upper, low, ring.conversion(low.moduli, upper.moduli));
  return raised.toNtt();
}
