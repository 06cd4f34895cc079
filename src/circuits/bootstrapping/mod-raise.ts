/**
 * ModRaise: a ciphertext at the lowest modulus q0 read as one modulo the whole chain. Its phase
 * becomes the message plus q0 times a small integer polynomial I, |I| ≤ K with overwhelming
 * probability when the secret is sparse (eprint 2022/024): the ciphertext goes through an ephemeral
 * sparse secret for it.
 */
import { Ciphertext, type Evaluator } from "../../ckks/index.ts";
import type { Poly } from "../../ring/index.ts";

/** @param a ciphertext at level 0; the result is at the highest level, under the same secret */
export function modRaise(evaluator: Evaluator, a: Ciphertext): Ciphertext {
  const { exchanges, ring, parameters } = evaluator.context;
  const top = parameters.maximumLevel;
  const raise = (part: Poly, moduli: readonly number[]): Poly => {
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
  };
  using sparse = evaluator.switchKey(a, "dense-to-sparse");
  using part0 = raise(sparse.parts[0] as Poly, parameters.moduli(top));
  using part1 = raise(sparse.parts[1] as Poly, parameters.extendedModuli(top));
  return evaluator.switchSmall(new Ciphertext([part0], top, a.scale, a.slots), part1, "sparse-to-dense");
}
