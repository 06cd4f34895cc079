/** Single limbs of products with keys: what tells them apart, and the product of one limb alone. */
import type { KeyBasis, KeyProduct, Limbs } from "../backend.ts";
import { singleModulus } from "../limbs.ts";

/** What decides which kernels work on limbs of a product, besides their place. */
export function productKind({ digits, source, lifted, added, element, accumulates }: KeyProduct): string {
  const lifts = lifted.map((poly) => poly !== undefined).join();
  return `${digits.length} ${source?.transformed} ${lifts} ${added !== undefined} ${element === 1} ${accumulates}`;
}

/** The place of limb i: among the special ones (−2), in the digit of this index, or in none (−1). */
export function placeInProduct({ source }: KeyProduct, { specialCount }: KeyBasis, i: number): number {
  const own = i - specialCount;
  if (own < 0) return -2;
  return source === undefined ? -1 : source.ranges.findIndex(([from, to]) => own >= from && own < to);
}

/** Operands and results of a product. */
export function limbsOfProduct({ digits, source, key, lifted, added, dst }: KeyProduct): Limbs[] {
  const some = [source?.poly, ...lifted, added].filter((x) => x !== undefined);
  return [...digits, ...key.b, ...key.a, ...dst, ...some];
}

/** The same for limb i alone. */
export function productOfLimb(
  products: readonly KeyProduct[],
  basis: KeyBasis,
  i: number,
  stride: number,
): { products: KeyProduct[]; basis: KeyBasis } {
  const own = i - basis.specialCount;
  const at = (x: Limbs, k: number): Limbs => ({
    address: x.address + k * stride,
    moduli: singleModulus(x.moduli[k]),
  });
  const ownOf = (x: Limbs | undefined): Limbs | undefined => (x === undefined || own < 0 ? undefined : at(x, own));
  return {
    products: products.map(({ digits, source, key, lifted, added, element, accumulates, dst }) => ({
      digits: digits.map((x) => at(x, i)),
      source: source && {
        poly: own < 0 ? source.poly : at(source.poly, own),
        ranges: source.ranges.map(([from, to]) => (own >= from && own < to ? [0, 1] : [0, 0])),
        transformed: source.transformed,
      },
      key: { ...key, b: key.b.map((x) => at(x, i)), a: key.a.map((x) => at(x, i)) },
      lifted: [ownOf(lifted[0]), ownOf(lifted[1])],
      added: added && at(added, i),
      element,
      accumulates,
      dst: [at(dst[0], i), at(dst[1], i)],
    })),
    basis: {
      specialCount: own < 0 ? 1 : 0,
      liftScalars: basis.liftScalars.subarray(Math.max(0, own), Math.max(0, own) + 1),
    },
  };
}
