/** What key switching shares between operations: hoisted digits, and ciphertexts over QP. */
import type { Poly } from "../ring/poly.ts";
import type { Ciphertext } from "./ciphertext.ts";
import type { Decomposed } from "./key-switch.ts";

/** Gadget digits of a ciphertext's second part, shared by its rotations. The ciphertext is not owned. */
export class Hoisted implements Disposable {
  readonly ciphertext: Ciphertext | ExtendedCiphertext;
  /** Of the rotations, at most the ciphertext's. */
  readonly level: number;
  readonly decomposed: Decomposed;
  readonly #down: Poly | undefined;

  /** @param down what the digits were made of, where it is no part of the ciphertext; owned from here on */
  constructor(ciphertext: Ciphertext | ExtendedCiphertext, level: number, decomposed: Decomposed, down?: Poly) {
    this.ciphertext = ciphertext;
    this.level = level;
    this.decomposed = decomposed;
    this.#down = down;
  }

  [Symbol.dispose](): void {
    this.decomposed[Symbol.dispose]();
    this.#down?.dispose();
  }
}

/** How a ciphertext is hoisted. */
export interface HoistOptions {
  /**
   * When its digits are transformed: at once, or by the first rotations, while the digits are in the cache. Then the
   * ciphertext stays as it is until the last rotation.
   */
  readonly transforms?: "now" | "later";
  /** Of the rotations; default: the ciphertext's. */
  readonly level?: number;
}

/** A degree-1 ciphertext times P over the basis QP: what rotations are before their ModDown. */
export class ExtendedCiphertext implements Disposable {
  readonly parts: readonly [Poly, Poly];
  readonly level: number;
  readonly scale: number;
  readonly slots: number;

  constructor(parts: readonly [Poly, Poly], level: number, scale: number, slots: number) {
    this.parts = parts;
    this.level = level;
    this.scale = scale;
    this.slots = slots;
  }

  [Symbol.dispose](): void {
    this.parts[0].dispose();
    this.parts[1].dispose();
  }
}
