/** Single limbs of a view, without a list of moduli made for each, and the words that belong to one. */
import type { Limbs, RingKernels } from "./backend.ts";

const singles: (readonly number[])[] = [];

/** `[m]`, the same object for every call. */
export function singleModulus(m: number): readonly number[] {
  let single = singles[m];
  if (single === undefined) {
    single = Object.freeze([m]);
    singles[m] = single;
  }
  return single;
}

/** Limb i of a view. */
export function limbOf(kernels: RingKernels, view: Limbs, i: number): Limbs {
  return { address: view.address + i * kernels.limbStride, moduli: singleModulus(view.moduli[i] as number) };
}

/** What belongs to limb i where `length` words of each limb follow one another. */
export function wordsOfLimb(words: Uint32Array, length: number, i: number): Uint32Array {
  return words.subarray(i * length, (i + 1) * length);
}

/** Indices of primes as text; those that follow one another, which most do, by the first and their number. */
export function nameOfModuli(moduli: readonly number[]): string {
  const first = moduli[0] as number;
  for (let i = 1; i < moduli.length; i++) if (moduli[i] !== first + i) return moduli.join();
  return `${first}+${moduli.length}`;
}
