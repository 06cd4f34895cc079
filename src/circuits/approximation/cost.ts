/**
 * What a polynomial in Chebyshev basis costs on ciphertexts, by Paterson–Stockmeyer with baby steps
 * T_1 … T_{k−1} and giant steps T_k, T_2k, … (k a power of two), and splits p = q·T_m + r.
 *
 * Depth: ⌈log2(degree + 1)⌉ levels, the product with the leaf coefficients included
 * (Bossuat, Mouchet, Troncoso-Pastoriza, Hubaux, eprint 2020/1203). The affine map of the
 * argument to [−1, 1] is not counted: it folds into whatever makes the argument.
 */
import { integerIn } from "../../base/validate.ts";
import { maximumSeriesDegree } from "./chebyshev.ts";
import type { Parity } from "./parity.ts";

/** Levels that a polynomial of this degree uses: ⌈log2(degree + 1)⌉, 0 for a constant. */
export function depthOf(degree: number): number {
  return 32 - Math.clz32(integerIn("degree", degree, 0, maximumSeriesDegree));
}

/** The largest degree that fits into `depth` levels: 2^depth − 1. */
export function degreeForDepth(depth: number): number {
  return 2 ** integerIn("depth", depth, 0, 10) - 1;
}

/**
 * Products of two ciphertexts for a dense polynomial of this degree and parity, at the best k.
 * An even polynomial is one of half the degree in T_2; an odd one needs only the odd baby steps.
 */
export function multiplicationsOf(degree: number, parity: Parity = "none"): number {
  integerIn("degree", degree, 0, maximumSeriesDegree);
  if (degree <= 1) return 0;
  if (parity === "even") return 1 + multiplicationsOf(degree >> 1);
  let best = Number.POSITIVE_INFINITY;
  for (let k = 2; k < 2 * (degree + 1); k *= 2) {
    const recombinations = Math.ceil(degree / k) - 1; // a product with a constant quotient is not counted
    const doublings = 31 - Math.clz32(degree); // T_2, T_4, … up to the degree
    const giants = Math.max(0, doublings - Math.log2(k) + 1);
    const powers = parity === "odd" ? k / 2 - 1 + doublings : Math.min(k - 1, degree) - 1 + giants;
    best = Math.min(best, powers + recombinations);
  }
  return best;
}
