/**
 * Sums over an axis before what follows them: partial results of an operation whose terms lie on
 * several devices. Exact modulo every prime, so that the total does not depend on how the terms are
 * shared out.
 */
import type { Context } from "../../ckks/index.ts";
import type { Poly } from "../../ring/poly.ts";

/** Polynomials that are added one by one to those of other partial sums. */
export class PartialSum implements Disposable {
  readonly parts: readonly Poly[];
  readonly level: number;
  readonly scale: number;

  constructor(parts: readonly Poly[], level: number, scale: number) {
    this.parts = parts;
    this.level = level;
    this.scale = scale;
  }

  /** += other, polynomial by polynomial. */
  add({ ring: { kernels } }: Context, other: PartialSum): void {
    for (const [k, part] of this.parts.entries()) kernels.add(part, part, other.parts[k] as Poly);
  }

  [Symbol.dispose](): void {
    for (const part of this.parts) part.dispose();
  }
}
