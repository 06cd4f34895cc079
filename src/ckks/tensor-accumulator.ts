/**
 * Sums of many products of ciphertexts before one relinearisation, where each operand takes part in
 * several sums: one side is brought into Montgomery form once, products are added as they come.
 */
import { AegisError } from "../base/errors.ts";
import type { Limbs, ProductSums } from "../kernels/backend.ts";
import type { Poly } from "../ring/poly.ts";
import { requireDegree, requireScaleRatio } from "./checks.ts";
import { Ciphertext } from "./ciphertext.ts";
import type { Context } from "./context.ts";

/** A ciphertext in Montgomery form, a factor of {@link TensorAccumulator} sums. */
export class Multiplier implements Disposable {
  readonly parts: readonly [Poly, Poly];
  readonly level: number;
  readonly scale: number;
  readonly slots: number;

  /** @param level to multiply at, at most a.level */
  constructor({ ring, parameters }: Context, a: Ciphertext, level: number) {
    requireDegree("multiply", a);
    const moduli = parameters.moduli(level);
    const lift = (part: Poly): Poly => {
      const lifted = ring.poly(moduli, "ntt");
      ring.kernels.multiplyScalar(lifted, part.limbs(0, moduli.length), ring.montgomery(moduli));
      return lifted;
    };
    this.parts = [lift(a.parts[0] as Poly), lift(a.parts[1] as Poly)];
    this.level = level;
    this.scale = a.scale;
    this.slots = a.slots;
  }

  [Symbol.dispose](): void {
    for (const part of this.parts) part.dispose();
  }
}

/** Products that are added to a sum. */
export interface TensorProducts {
  readonly sum: TensorAccumulator;
  readonly a: readonly Multiplier[];
  readonly b: readonly Ciphertext[];
}

/** {@link TensorAccumulator.add} for many sums at one level, which read what they have in common once. */
export function addTensors({ ring }: Context, products: readonly TensorProducts[]): void {
  const prepared = products.map(({ sum, a, b }) => sum.prepare(a, b));
  for (const accumulate of [false, true]) {
    const sums = prepared.filter((one) => one.accumulate === accumulate).flatMap((one) => one.sums);
    if (sums.length > 0) ring.kernels.multiplySums(sums, accumulate, 0);
  }
}

/** Σ a·b as one degree-2 ciphertext, added to product by product. */
export class TensorAccumulator implements Disposable {
  readonly #context: Context;
  readonly #level: number;
  #parts: readonly [Poly, Poly, Poly] | undefined;
  #scale = 0;
  #slots = 0;

  constructor(context: Context, level: number) {
    this.#context = context;
    this.#level = level;
  }

  /**
   * += Σ_t a[t]·b[t]. The b[t] are at this accumulator's level or higher, the a[t] at exactly it.
   * Throws `scale` when products have different scales.
   */
  add(a: readonly Multiplier[], b: readonly Ciphertext[]): void {
    addTensors(this.#context, [{ sum: this, a, b }]);
  }

  /** The sums of products that {@link TensorAccumulator.add} makes, and whether they are added to others. */
  prepare(a: readonly Multiplier[], b: readonly Ciphertext[]): { sums: ProductSums[]; accumulate: boolean } {
    const limbs = this.#context.parameters.limbs(this.#level);
    const scale = (a[0]?.scale ?? 0) * (b[0]?.scale ?? 0);
    const known = this.#parts === undefined ? scale : this.#scale;
    for (const [t, factor] of a.entries()) {
      const other = b[t] as Ciphertext;
      requireDegree("multiply", other);
      requireScaleRatio("multiply", (factor.scale * other.scale) / known, this.#level);
      if (factor.level !== this.#level || other.level < this.#level)
        throw new AegisError(
          "level",
          `multiply: factors at levels ${factor.level} and ${other.level}, sum at ${this.#level}`,
        );
      this.#slots = Math.max(this.#slots, factor.slots, other.slots);
    }
    const low = b.map((x): Limbs => (x.parts[0] as Poly).limbs(0, limbs));
    const high = b.map((x): Limbs => (x.parts[1] as Poly).limbs(0, limbs));
    const first = a.map((x): Limbs => x.parts[0]);
    const second = a.map((x): Limbs => x.parts[1]);
    const fresh = this.#parts === undefined;
    this.#scale = known;
    this.#parts ??= this.#allocate();
    const [c0, c1, c2] = this.#parts;
    const sums = [
      { dst: [c0], a: first, b: [low] },
      { dst: [c1], a: [...first, ...second], b: [[...high, ...low]] },
      { dst: [c2], a: second, b: [high] },
    ];
    return { sums, accumulate: !fresh };
  }

  /** The sum; it is the caller's from here on. */
  take(): Ciphertext {
    if (this.#parts === undefined) throw new AegisError("internal", "multiply: a sum of no products");
    const result = new Ciphertext(this.#parts, this.#level, this.#scale, this.#slots);
    this.#parts = undefined;
    return result;
  }

  #allocate(): readonly [Poly, Poly, Poly] {
    const { ring, parameters } = this.#context;
    const moduli = parameters.moduli(this.#level);
    return [ring.poly(moduli, "ntt"), ring.poly(moduli, "ntt"), ring.poly(moduli, "ntt")];
  }

  [Symbol.dispose](): void {
    for (const part of this.#parts ?? []) part.dispose();
  }
}
