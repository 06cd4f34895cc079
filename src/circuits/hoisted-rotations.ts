/**
 * Rotations of one ciphertext over QP, made when asked for and kept: what the baby steps of
 * several transforms of the same operand share.
 */
import { type Ciphertext, type Evaluator, ExtendedCiphertext, type Hoisted, reducedSteps } from "../ckks/index.ts";

export class HoistedRotations implements Disposable {
  readonly level: number;
  readonly scale: number;
  readonly slots: number;
  readonly #evaluator: Evaluator;
  /** Where it is over QP: the rotation by 0. */
  readonly #owned: ExtendedCiphertext | undefined;
  readonly #hoisted: Hoisted;
  readonly #made = new Map<number, ExtendedCiphertext>();
  readonly #hop: number;
  #next: HoistedRotations | undefined;

  /**
   * @param a a ciphertext, which stays as it is while this object lives; or one over QP at `level`, which this object
   *   then owns
   * @param level to work at, at most a.level
   * @param slots that rotations are modulo, at least a.slots
   * @param hop rotations from this one on are made from the operand rotated by it, hoisted again
   */
  constructor(
    evaluator: Evaluator,
    a: Ciphertext | ExtendedCiphertext,
    level: number,
    slots: number,
    hop = Number.POSITIVE_INFINITY,
  ) {
    this.#hop = hop;
    this.#evaluator = evaluator;
    this.level = level;
    this.scale = a.scale;
    this.slots = slots;
    if (a instanceof ExtendedCiphertext) {
      this.#owned = a;
      this.#hoisted = evaluator.hoistExtended(a, { transforms: "later" });
    } else this.#hoisted = evaluator.hoist(a.view({ slots }), { transforms: "later", level });
  }

  /** The rotation by `steps`; owned by this object. */
  get(steps: number): ExtendedCiphertext {
    const reduced = reducedSteps(steps, this.slots);
    if (reduced >= this.#hop) {
      this.#next ??= this.#after(this.#evaluator.rotateExtended(this.#hoisted, this.#hop));
      return this.#next.get(reduced - this.#hop);
    }
    if (reduced === 0 && this.#owned !== undefined) return this.#owned;
    let rotated = this.#made.get(reduced);
    if (rotated === undefined) {
      rotated = this.#evaluator.rotateExtended(this.#hoisted, reduced);
      this.#made.set(reduced, rotated);
    }
    return rotated;
  }

  /** Makes the rotations by these steps, those that are not there yet, in one pass over the digits. */
  make(steps: readonly number[]): void {
    const far = this.#makeNear(steps);
    if (far.length > 0) this.#next?.make(far);
  }

  /** {@link HoistedRotations.make}, and frees what making others would need. */
  makeOnly(steps: readonly number[]): void {
    const far = this.#makeNear(steps);
    this.#hoisted[Symbol.dispose]();
    this.#next?.makeOnly(far);
  }

  /** Steps of the others, from `hop` on, which is made as well where there are any. */
  #makeNear(steps: readonly number[]): number[] {
    const reduced = [...new Set(steps.map((k) => reducedSteps(k, this.slots)))];
    const far = reduced.filter((k) => k >= this.#hop);
    const missing = reduced.filter((k) => k > 0 && k < this.#hop && !this.#made.has(k));
    if (far.length > 0 && this.#next === undefined) missing.push(this.#hop);
    for (const [i, rotated] of this.#evaluator.rotateEach(this.#hoisted, missing).entries()) {
      const k = missing[i] as number;
      if (k === this.#hop) this.#next = this.#after(rotated);
      else this.#made.set(k, rotated);
    }
    return far.map((k) => k - this.#hop);
  }

  /** Rotations from here on are made from this one, which is by `hop`. */
  #after(rotated: ExtendedCiphertext): HoistedRotations {
    return new HoistedRotations(this.#evaluator, rotated, this.level, this.slots, this.#hop);
  }

  /** Frees the rotation by `steps`; asked for again, it is made again. */
  release(steps: number): void {
    const reduced = reducedSteps(steps, this.slots);
    if (reduced >= this.#hop) {
      this.#next?.release(reduced - this.#hop);
      return;
    }
    this.#made.get(reduced)?.[Symbol.dispose]();
    this.#made.delete(reduced);
  }

  [Symbol.dispose](): void {
    this.#next?.[Symbol.dispose]();
    for (const rotated of this.#made.values()) rotated[Symbol.dispose]();
    this.#hoisted[Symbol.dispose]();
    this.#owned?.[Symbol.dispose]();
  }
}
