/** What encrypted operators work with, and the slot patterns they share. */
import type { Bootstrapper } from "../../circuits/index.ts";
import { Ciphertext, type Evaluator, ExtendedCiphertext } from "../../ckks/index.ts";
import type { Geometry } from "../../program/index.ts";
import type { Poly } from "../../ring/poly.ts";
import type { PartialSum } from "./sum.ts";

export class Environment {
  readonly evaluator: Evaluator;
  readonly geometry: Geometry;
  /** Real tokens. */
  readonly length: number;
  readonly bootstrapper: Bootstrapper | undefined;

  constructor(evaluator: Evaluator, geometry: Geometry, length: number, bootstrapper?: Bootstrapper) {
    this.evaluator = evaluator;
    this.geometry = geometry;
    this.length = length;
    this.bootstrapper = bootstrapper;
  }

  /** Scale that operators give their results. */
  get scale(): number {
    return this.evaluator.context.parameters.scale;
  }

  get slots(): number {
    return this.geometry.tokens * this.geometry.lanes;
  }

  /** The ciphertext at `level`; the caller disposes of it. */
  at(a: Ciphertext, level: number): Ciphertext {
    return this.evaluator.dropLevel(a, level);
  }

  /** Σ of rotations of one ciphertext: one ModUp, one ModDown. */
  sumRotations(a: Ciphertext, steps: readonly number[]): Ciphertext {
    const { evaluator } = this;
    if (steps.length === 1) return evaluator.rotate(a, steps[0] as number);
    using hoisted = evaluator.hoist(a);
    let sum: ExtendedCiphertext | undefined;
    for (const step of steps) {
      const rotated = evaluator.rotateExtended(hoisted, step);
      if (sum === undefined) sum = rotated;
      else {
        evaluator.addExtended(sum, rotated);
        rotated[Symbol.dispose]();
      }
    }
    using total = sum as ExtendedCiphertext;
    return evaluator.modDown(total);
  }

  /** Σ of rotations by 0, step, 2·step, …, (count − 1)·step; count is a power of two. Four at a time share a ModUp. */
  sumWindow(a: Ciphertext, step: number, count: number): Ciphertext {
    let sum = this.evaluator.copy(a);
    let done = 1;
    while (done < count) {
      const radix = Math.min(4, count / done);
      using previous = sum;
      sum = this.sumRotations(
        previous,
        Array.from({ length: radix }, (_, i) => i * done * step),
      );
      done *= radix;
    }
    return sum;
  }

  /** Zero over QP. */
  zeroExtended(level: number, scale: number): ExtendedCiphertext {
    return this.evaluator.zeroExtended(level, scale, this.slots);
  }

  /** Two polynomials of zeros over Q. */
  zeroSum(level: number): [Poly, Poly] {
    const { ring, parameters } = this.evaluator.context;
    const moduli = parameters.moduli(level);
    return [ring.zero(moduli, "ntt"), ring.zero(moduli, "ntt")];
  }

  /** Degree 2 → 1, rescaled by one level. The sum's memory stays its own. */
  relineariseSum(sum: PartialSum): Ciphertext {
    return this.evaluator.relineariseRescale(new Ciphertext(sum.parts, sum.level, sum.scale, this.slots));
  }

  /** Division of a sum of two polynomials by the level's modulus. The sum's memory stays its own. */
  rescaleSum(sum: PartialSum): Ciphertext {
    return this.evaluator.rescale(new Ciphertext(sum.parts, sum.level, sum.scale, this.slots));
  }

  /** Division of a sum over QP by P and the level's modulus. The sum's memory stays its own. */
  divideSum(sum: PartialSum): Ciphertext {
    const [part0, part1] = sum.parts as [Poly, Poly];
    return this.evaluator.modDownRescale(new ExtendedCiphertext([part0, part1], sum.level, sum.scale, this.slots));
  }

  /** a ⊙ values, rescaled, at the common scale. */
  multiplyVector(a: Ciphertext, values: Float64Array): Ciphertext {
    const { evaluator } = this;
    const scale = (this.scale * evaluator.context.parameters.levelModulus(a.level)) / a.scale;
    using plaintext = this.evaluator.encode(values, { level: a.level, scale, use: "product" });
    using product = evaluator.multiplyPlain(a, plaintext);
    return evaluator.rescale(product);
  }

  /** a + values. */
  addVector(a: Ciphertext, values: Float64Array): Ciphertext {
    using plaintext = this.evaluator.encode(values, { level: a.level, scale: a.scale });
    return this.evaluator.addPlain(a, plaintext);
  }

  /** A vector of one token's lanes. */
  lanes(value: (lane: number) => number): Float64Array {
    const vector = new Float64Array(this.geometry.lanes);
    for (let lane = 0; lane < vector.length; lane++) vector[lane] = value(lane);
    return vector;
  }

  /** 1 in the lanes of a hidden vector, 0 elsewhere, times `factor`. */
  singleMask(factor = 1): Float64Array {
    return this.lanes((lane) => (lane < this.geometry.width ? factor : 0));
  }
}
