/**
 * ModRaise: a ciphertext at the lowest modulus q0 read as one modulo the whole chain. Its phase
 * becomes the message plus q0 times a small integer polynomial I, |I| ≤ K with overwhelming
 * probability when the secret is sparse (eprint 2022/024).
 */
import { Ciphertext, type Context } from "../../ckks/index.ts";
import type { Poly } from "../../ring/index.ts";

/** @param a ciphertext at level 0 */
export function modRaise(context: Context, a: Ciphertext): Ciphertext {
  const { ring, parameters } = context;
  const top = parameters.maximumLevel;
  const base = parameters.limbs(0);
  const moduli = parameters.moduli(top);
  const raise = (part: Poly): Poly => {
    using low = part.clone().toCoefficient();
    const raised = ring.poly(moduli, "coefficient");
    ring.kernels.copy(raised.limbs(0, base), low);
    const upper = raised.limbs(base);
    ring.kernels.convert(upper, low, ring.conversion(low.moduli, upper.moduli));
    return raised.toNtt();
  };
  return new Ciphertext(a.parts.map(raise), top, a.scale, a.slots);
}
