/**
 * A polynomial in RNS form: consecutive limbs in backend memory, each tied to one prime of the
 * ring. Owns its memory; `dispose` (or `using`) gives it back.
 */
import type { Limbs } from "../kernels/backend.ts";
import type { Ring } from "./ring.ts";

/** Whether residues are coefficients in natural order or values of the NTT. */
export type Domain = "coefficient" | "ntt";

export class Poly implements Limbs, Disposable {
  readonly ring: Ring;
  readonly moduli: readonly number[];
  domain: Domain;
  #address: number;
  readonly #capacity: number;

  /** Use {@link Ring.poly}. */
  constructor(ring: Ring, moduli: readonly number[], domain: Domain) {
    this.ring = ring;
    this.moduli = moduli;
    this.domain = domain;
    this.#capacity = moduli.length;
    this.#address = ring.kernels.allocate(moduli.length);
  }

  get address(): number {
    return this.#address;
  }

  get isDisposed(): boolean {
    return this.#address < 0;
  }

  /** Bytes of memory that the limbs take. */
  get bytes(): number {
    return this.#capacity * this.ring.kernels.limbStride;
  }

  /** Limbs from (inclusive) to (exclusive) as a view; the memory stays this polynomial's. */
  limbs(from: number, to: number = this.moduli.length): Limbs {
    return {
      address: this.#address + from * this.ring.kernels.limbStride,
      moduli: this.moduli.slice(from, to),
    };
  }

  /** One limb as a view. */
  limb(i: number): Limbs {
    return this.ring.limb(this, i);
  }

  /** A copy in fresh memory of limbs [from, to). */
  clone(from = 0, to: number = this.moduli.length): Poly {
    const copy = this.ring.poly(this.moduli.slice(from, to), this.domain);
    this.ring.kernels.copy(copy, this.limbs(from, to));
    return copy;
  }

  /** Transforms to NTT domain in place if it is not there. Returns itself. */
  toNtt(): this {
    if (this.domain === "coefficient") {
      this.ring.kernels.forwardNtt(this);
      this.domain = "ntt";
    }
    return this;
  }

  /** Transforms to coefficient domain in place if it is not there. Returns itself. */
  toCoefficient(): this {
    if (this.domain === "ntt") {
      this.ring.kernels.inverseNtt(this);
      this.domain = "coefficient";
    }
    return this;
  }

  dispose(): void {
    if (this.#address < 0) return;
    this.ring.kernels.release(this.#address, this.#capacity);
    this.#address = -1;
  }

  [Symbol.dispose](): void {
    this.dispose();
  }
}
