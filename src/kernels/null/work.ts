/** What the null backend counts. */

/**
 * Kinds of kernel work. The unit is one residue, but for transforms (residue · log2 N / 2 butterflies), conversions
 * and sums of products (one multiply-accumulate; two in a pair that shares its first factor). Many sums together
 * (`multiplySums`) are `runSums` where first factors stand for long runs, and `productSums` where not.
 */
export const kernelNames = [
  "ntt",
  "elementwise",
  "product",
  "scalarProduct",
  "multiplySum",
  "multiplySumPair",
  "productSums",
  "runSums",
  "automorphism",
  "convert",
  "upload",
] as const;

export type KernelName = (typeof kernelNames)[number];

/** Work done so far, by kind. */
export type KernelWork = Record<KernelName, number>;

export function emptyWork(): KernelWork {
  return Object.fromEntries(kernelNames.map((name) => [name, 0])) as KernelWork;
}
