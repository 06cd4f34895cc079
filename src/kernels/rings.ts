/** The rings of a backend: checked when they are asked for first, and kept. */
import type { RingKernels } from "./backend.ts";
import { checkRing } from "./check.ts";

export class Rings<Ring extends RingKernels> {
  readonly #made = new Map<string, Ring>();
  readonly #make: (logN: number, moduli: readonly number[]) => Ring;

  constructor(make: (logN: number, moduli: readonly number[]) => Ring) {
    this.#make = make;
  }

  /** As {@link Backend.ring}; throws a RangeError for what no ring can be made from. */
  get(logN: number, moduli: readonly number[]): Ring {
    const key = `${logN}: ${moduli.join(" ")}`;
    let ring = this.#made.get(key);
    if (ring === undefined) {
      checkRing(logN, moduli);
      ring = this.#make(logN, moduli);
      this.#made.set(key, ring);
    }
    return ring;
  }

  clear(): void {
    this.#made.clear();
  }
}
