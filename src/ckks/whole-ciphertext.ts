/**
 * Ciphertexts as words outside of backend memory, which mean the same on one device and on several: how they come to
 * devices that share the work, and back.
 */
import { isSharded } from "../kernels/sharded/exchanges.ts";
import type { Poly } from "../ring/poly.ts";
import { Ciphertext } from "./ciphertext.ts";
import type { Context } from "./context.ts";

/** All words of a ciphertext, NTT domain. */
export interface WholeCiphertext {
  /** N words for each limb of each part. */
  readonly parts: readonly (readonly Uint32Array[])[];
  readonly level: number;
  readonly scale: number;
  readonly slots: number;
}

/** The ciphertext in backend memory. Of several devices each is given the whole and keeps its share; nothing is sent. */
export function scatterCiphertext(context: Context, whole: WholeCiphertext): Ciphertext {
  const { ring, parameters } = context;
  const parts = whole.parts.map((limbs): Poly => {
    const poly = ring.poly(parameters.moduli(whole.level), "ntt");
    for (const [i, words] of limbs.entries()) ring.kernels.write(poly, i, words);
    return poly;
  });
  return new Ciphertext(parts, whole.level, whole.scale, whole.slots);
}

/**
 * The words of a ciphertext. Of several devices all call it, for it exchanges their shares.
 *
 * @param root the device that gets the words, the others get limbs of none; without one, all do
 */
export function gatherCiphertext(ciphertext: Ciphertext, root?: number): WholeCiphertext {
  const { level, scale, slots } = ciphertext;
  const parts = ciphertext.parts.map((part) => {
    const { kernels, degree } = part.ring;
    if (isSharded(kernels)) return kernels.collect(part, root);
    return part.moduli.map((_, i) => {
      const words = new Uint32Array(degree);
      kernels.read(part, i, words);
      return words;
    });
  });
  return { parts, level, scale, slots };
}
