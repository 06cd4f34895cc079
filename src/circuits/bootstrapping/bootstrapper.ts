/**
 * CKKS bootstrapping: coefficients of an exhausted ciphertext are moved into slots, reduced
 * modulo q0 by a sine, and moved back (Cheon et al., EUROCRYPT 2018; double-hoisted transforms
 * and scale management of Bossuat et al., EUROCRYPT 2021; ephemeral sparse secret,
 * eprint 2022/024).
 *
 * With n ≤ N/4 slots, real and imaginary parts of the coefficients share one ciphertext of 2n
 * slots, so that the sine is evaluated once; with N/2 slots it is evaluated twice.
 */
import { AegisError, withPath } from "../../base/errors.ts";
import type { Ciphertext, Context, Evaluator } from "../../ckks/index.ts";
import { type EvalModPlan, evalModPlan } from "../approximation/index.ts";
import { LinearTransform, transformRotations } from "../linear-transform.ts";
import { evaluateChebyshev, polynomialDepth } from "../polynomial.ts";
import { coefficientFactors, doubleMatrix, scaleMatrix, slotFactors } from "./dft.ts";
import { modRaise } from "./mod-raise.ts";

/** Number of special primes of the dense → sparse switch: its modulus stays near 2^116. */
export const ephemeralSpecialCount = 2;

/** A rotation key that bootstrapping asks for. */
export interface NeededRotation {
  readonly steps: number;
  readonly level: number;
}

export class Bootstrapper implements Disposable {
  readonly context: Context;
  /** Complex slots of the ciphertexts that are bootstrapped. */
  readonly slots: number;
  /** Level of a fresh ciphertext after bootstrapping. */
  readonly outputLevel: number;
  readonly #packed: boolean;
  readonly #toCoefficients: LinearTransform[] = [];
  readonly #toSlots: LinearTransform[] = [];
  readonly #sine: EvalModPlan;

  /**
   * Encodes the transforms.
   * @param slots power of two; ciphertexts of fewer slots may be bootstrapped as well
   * @throws `parameters` when they have no bootstrapping part
   */
  constructor(context: Context, slots: number = context.parameters.maximumSlots) {
    const { parameters } = context;
    const spec = parameters.spec.bootstrapping;
    if (spec === undefined) {
      throw new AegisError("parameters", `parameters ${parameters.name} have no bootstrapping part`, { hint: "use a preset with bootstrapping" });
    }
    this.context = context;
    this.slots = slots;
    this.#packed = slots < parameters.maximumSlots;
    const top = parameters.maximumLevel;
    const modDepth = polynomialDepth(spec.cosineDegree) + spec.doubleAngles;
    this.outputLevel = top - spec.coefficientsToSlots - modDepth - spec.slotsToCoefficients;
    if (this.outputLevel < 1) {
      throw new AegisError("parameters", `parameters ${parameters.name}: bootstrapping takes all of the ${top} levels`, { hint: "add levels" });
    }
    this.#sine = evalModPlan({ K: spec.range, doubleAngles: spec.doubleAngles, degree: spec.cosineDegree, centred: true });

    // Slots → coefficients of the inverse FFT; the constants 1/n, 1/2 (real part), 1/K and the
    // inverse of the trace's factor are spread evenly over the factors.
    const trace = parameters.maximumSlots / slots;
    const inverse = coefficientFactors(slots, spec.coefficientsToSlots);
    const share = (1 / (slots * 2 * this.#interval * trace)) ** (1 / inverse.length);
    for (const [i, factor] of inverse.entries()) {
      const last = i === inverse.length - 1;
      const scaled = scaleMatrix(factor, share);
      const matrix = last && this.#packed ? doubleMatrix(scaled, 0, -1) : scaled;
      this.#toCoefficients.push(new LinearTransform(context, matrix, top - i));
    }
    const forward = slotFactors(slots, spec.slotsToCoefficients);
    for (const [i, factor] of forward.entries()) {
      const last = i === forward.length - 1;
      const matrix = this.#packed ? doubleMatrix(factor, last ? 0 : 1, last ? 1 : 0) : factor;
      const level = this.outputLevel + forward.length - i;
      this.#toSlots.push(new LinearTransform(context, matrix, level, { scale: parameters.levelModulus(level) / (last ? 2 * Math.PI : 1) }));
    }
  }

  /** Bytes of the encoded transforms. */
  get bytes(): number {
    return [...this.#toCoefficients, ...this.#toSlots].reduce((sum, transform) => sum + transform.bytes, 0);
  }

  /** Half the width of the interval that the cosine's series is made for. */
  get #interval(): number {
    return this.#sine.series.interval[1];
  }

  /** Rotations that need keys, each with the highest level it is used at. */
  rotations(): NeededRotation[] {
    const { parameters } = this.context;
    const levels = new Map<number, number>();
    const note = (steps: number, level: number): void => {
      levels.set(steps, Math.max(level, levels.get(steps) ?? 0));
    };
    for (let steps = this.slots; steps < parameters.maximumSlots; steps *= 2) note(steps, parameters.maximumLevel);
    for (const transform of [...this.#toCoefficients, ...this.#toSlots]) {
      for (const steps of transformRotations(transform.split, transform.slots)) note(steps, transform.level);
    }
    if (this.#packed) note(this.slots, this.outputLevel);
    return [...levels].map(([steps, level]) => ({ steps, level })).sort((a, b) => a.steps - b.steps);
  }

  /**
   * The same message at {@link outputLevel}.
   *
   * @param a values of magnitude at most about q0/scale/2^8 (1 at the default scale); any level
   * @param scale of the result; default: the parameters' scale
   */
  bootstrap(evaluator: Evaluator, a: Ciphertext, scale: number = this.context.parameters.scale): Ciphertext {
    if (a.slots > this.slots) {
      throw new AegisError("argument", `bootstrap: made for up to ${this.slots} slots, the ciphertext has ${a.slots}`, { operation: "bootstrap" });
    }
    const sineScale = (scale * 2 ** this.context.parameters.logModulus(0)) / a.scale;
    return withPath("bootstrap", () => {
      using raised = this.#raise(evaluator, a);
      using coefficients = this.#applyAll(evaluator, raised, this.#toCoefficients);
      if (this.#packed) {
        using conjugate = evaluator.conjugate(coefficients);
        using real = evaluator.add(coefficients, conjugate);
        using reduced = this.#evalMod(evaluator, real, sineScale);
        return this.#backToSlots(evaluator, reduced, a);
      }
      using conjugate = evaluator.conjugate(coefficients);
      using real = evaluator.add(coefficients, conjugate);
      using difference = evaluator.subtract(conjugate, coefficients);
      using imaginary = evaluator.multiplyByI(difference);
      using low = this.#evalMod(evaluator, real, sineScale);
      using high = this.#evalMod(evaluator, imaginary, sineScale);
      using turned = evaluator.multiplyByI(high);
      using reduced = evaluator.add(low, turned);
      return this.#backToSlots(evaluator, reduced, a);
    });
  }

  /**
   * Two ciphertexts with real values for the price of one: they travel as real and imaginary part.
   */
  bootstrapPair(evaluator: Evaluator, a: Ciphertext, b: Ciphertext, scale: number = this.context.parameters.scale): [Ciphertext, Ciphertext] {
    using turned = evaluator.multiplyByI(b);
    using pair = evaluator.add(a, turned);
    using fresh = this.bootstrap(evaluator, pair, scale / 2);
    using conjugate = evaluator.conjugate(fresh);
    using difference = evaluator.subtract(conjugate, fresh);
    using real = evaluator.add(fresh, conjugate);
    using imaginary = evaluator.multiplyByI(difference);
    return [real.clone(scale), imaginary.clone(scale)]; // 2·a at half the scale
  }

  /** Level 0 → top level, under the ephemeral sparse secret in between; traced to the slots' subring. */
  #raise(evaluator: Evaluator, a: Ciphertext): Ciphertext {
    const { parameters } = this.context;
    using low = evaluator.dropLevel(a, 0);
    using sparse = evaluator.switchKey(low, "dense-to-sparse");
    using raised = modRaise(this.context, sparse);
    let result = evaluator.switchKey(raised, "sparse-to-dense");
    for (let steps = this.slots; steps < parameters.maximumSlots; steps *= 2) {
      using partial = result;
      using rotated = evaluator.rotate(partial.view({ slots: parameters.maximumSlots }), steps);
      result = evaluator.add(partial, rotated);
    }
    // From here on values count in multiples of q0.
    return result.view({ scale: 2 ** parameters.logModulus(0), slots: this.slots });
  }

  #applyAll(evaluator: Evaluator, a: Ciphertext, transforms: readonly LinearTransform[]): Ciphertext {
    let result = a.clone();
    for (const transform of transforms) {
      using previous = result;
      result = transform.apply(evaluator, previous);
    }
    return result;
  }

  /** u = x/K → sin(2πx) at the given scale, as cos(2π(x − 1/4)) by double angles. */
  #evalMod(evaluator: Evaluator, u: Ciphertext, scale: number): Ciphertext {
    const { parameters } = this.context;
    const { series, doubleAngles, offset } = this.#sine;
    // Each double angle squares the scale and divides it by a level's modulus: choose the first
    // so that the last is exact.
    const cosineLevel = u.level - polynomialDepth(series.coefficients.length - 1);
    let cosineScale = scale;
    for (let step = doubleAngles - 1; step >= 0; step--) {
      cosineScale = Math.sqrt(cosineScale * parameters.levelModulus(cosineLevel - step));
    }
    using shifted = evaluator.addConstant(u, -offset / this.#interval);
    let result = evaluateChebyshev(evaluator, shifted, series.coefficients, { scale: cosineScale });
    for (let step = 0; step < doubleAngles; step++) {
      using previous = result;
      using square = evaluator.tensor(previous, previous);
      evaluator.accumulate(square, square, 1);
      using doubled = evaluator.addConstant(square, -1);
      result = evaluator.relineariseRescale(doubled);
    }
    return result;
  }

  /**
   * sin(2πx) is 2πΔ/q0 times the coefficient: a matter of scale, but for the 1/2π that the last
   * transform's plaintexts make up.
   */
  #backToSlots(evaluator: Evaluator, sine: Ciphertext, a: Ciphertext): Ciphertext {
    const q0 = 2 ** this.context.parameters.logModulus(0);
    using slots = this.#applyAll(evaluator, sine.view({ scale: (sine.scale * 2 * Math.PI * a.scale) / q0 }), this.#toSlots);
    if (!this.#packed) return slots.clone();
    using rotated = evaluator.rotate(slots, this.slots);
    return evaluator.add(slots, rotated).view({ slots: a.slots });
  }

  [Symbol.dispose](): void {
    for (const transform of [...this.#toCoefficients, ...this.#toSlots]) transform[Symbol.dispose]();
  }
}
