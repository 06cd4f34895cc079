/**
 * The domain of every limb, by address. Kernels do not say it, and where coefficients are distributed
 * the words of a limb lie on other ranks in one domain than in the other.
 */
import type { Limbs } from "../backend.ts";

export type LimbDomain = "coefficient" | "ntt";

export class LimbDomains {
  readonly #stride: number;
  /** Addresses of the limbs in coefficient domain: the few. */
  readonly #coefficient = new Set<number>();

  /** @param stride bytes from one limb to the next */
  constructor(stride: number) {
    this.#stride = stride;
  }

  /** Domain of the first limb of a view. */
  of(x: Limbs): LimbDomain {
    return this.#coefficient.has(x.address) ? "coefficient" : "ntt";
  }

  /** Whether all limbs of a view are in NTT domain. */
  isNtt(x: Limbs): boolean {
    if (this.#coefficient.size === 0) return true;
    return x.moduli.every((_, i) => !this.#coefficient.has(x.address + i * this.#stride));
  }

  set(x: Limbs, domain: LimbDomain): void {
    for (const i of x.moduli.keys()) {
      if (domain === "coefficient") this.#coefficient.add(x.address + i * this.#stride);
      else this.#coefficient.delete(x.address + i * this.#stride);
    }
  }

  /** The result of a kernel that works in both domains is in that of its operand. */
  follow(dst: Limbs, a: Limbs): void {
    for (const i of dst.moduli.keys()) {
      const offset = i * this.#stride;
      if (this.#coefficient.has(a.address + offset)) this.#coefficient.add(dst.address + offset);
      else this.#coefficient.delete(dst.address + offset);
    }
  }

  forget(address: number, limbs: number): void {
    if (this.#coefficient.size === 0) return;
    for (let i = 0; i < limbs; i++) this.#coefficient.delete(address + i * this.#stride);
  }
}
