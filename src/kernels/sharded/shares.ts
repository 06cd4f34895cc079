/** How much of polynomials and keys one rank holds, in limbs of the full degree: for plans of memory. */
import { asPartial, cutAt, isHeldBy } from "./layout.ts";
import { checkRanks, type Placement, placement, type Sharding } from "./sharding.ts";

/** Limbs modulo these primes that a rank holds of the key of one gadget digit. */
export function heldKeyLimbs(
  { aggregates, stored }: Placement,
  size: number,
  rank: number,
  moduli: readonly number[],
  digit: number,
): number {
  const loaded = aggregates ? asPartial(cutAt(digit % size)) : undefined;
  return moduli.filter((modulus) => isHeldBy(loaded ?? stored(modulus), rank)).length;
}

/** What one rank holds under a sharding. Of distributed coefficients it is a fraction of every limb. */
export class RankShare {
  readonly #placement: Placement | undefined;
  readonly #size: number;
  readonly #rank: number;

  /** @throws AegisError `plan` for a number of ranks that the sharding cannot have */
  constructor(sharding: Sharding, size: number, rank: number) {
    checkRanks(sharding, size);
    this.#placement = sharding.name === "coefficient" ? undefined : placement(sharding, size);
    this.#size = size;
    this.#rank = rank;
  }

  /** Of a polynomial with these limbs. */
  limbs(moduli: readonly number[]): number {
    const { stored } = this.#placement ?? {};
    if (stored === undefined) return moduli.length / this.#size;
    return moduli.filter((modulus) => isHeldBy(stored(modulus), this.#rank)).length;
  }

  /** Of a sum of products with the keys of `digits` gadget digits. */
  sumLimbs(moduli: readonly number[], digits: number): number {
    // Each rank with a digit of its own holds a summand of every limb.
    if (this.#placement?.aggregates === true) return this.#rank < digits ? moduli.length : 0;
    return this.limbs(moduli);
  }

  /** Of one half of the key of a gadget digit. */
  keyLimbs(moduli: readonly number[], digit: number): number {
    if (this.#placement === undefined) return this.limbs(moduli);
    return heldKeyLimbs(this.#placement, this.#size, this.#rank, moduli, digit);
  }
}
