/**
 * CKKS bootstrapping (Cheon et al., EUROCRYPT 2018; double-hoisted transforms and scale management
 * of Bossuat et al., EUROCRYPT 2021; ephemeral sparse secret, eprint 2022/024), with the
 * slots-to-coefficients transform first, at the lowest levels: the coefficients of the exhausted
 * ciphertext are then the slot values themselves. ModRaise adds multiples of q0 to them, the other
 * transform brings them back into slots, a sine removes the multiples. Errors of the sine are not
 * spread by a transform after it, and bounds on messages are bounds on slots.
 *
 * With n ≤ N/4 slots real and imaginary parts share one ciphertext of 2n slots, so that the sine
 * is evaluated once; with N/2 slots it is evaluated twice.
 *
 * The sine is the identity up to a cubic error: with r = `logMessageRatio`, a slot value m at the
 * default scale (real and imaginary part each) comes back as m·(1 − (2π·m·2^-r)²/6), for r = 13 with an
 * error of 2^-23.3·|m|³. Values of magnitude about 1 keep full precision; larger ones should be scaled
 * down, that is, be at a smaller scale than the default.
 */
import { AegisError, withPath } from "../../base/errors.ts";
import { powerOfTwo } from "../../base/validate.ts";
import type { BootstrappingSpec, Ciphertext, Context, Evaluator, Parameters } from "../../ckks/index.ts";
import { type EvalModPlan, evalModPlan } from "../approximation/index.ts";
import { type LinearTransform, transformRotations } from "../linear-transform.ts";
import { evaluateSines } from "./eval-mod.ts";
import { bootstrapLevels } from "./levels.ts";
import { toCoefficients, toSlots } from "./transforms.ts";
import { Unpacking } from "./unpack.ts";

/** Number of special primes of the dense → sparse switch: its modulus stays near 2^116. */
export const ephemeralSpecialCount = 2;

/** Fitted once for all contexts of the same parameters. */
const sines = new WeakMap<Parameters, EvalModPlan>();

function sineOf(parameters: Parameters): EvalModPlan {
  let sine = sines.get(parameters);
  if (sine === undefined) {
    const { range, doubleAngles, cosineDegree } = parameters.spec.bootstrapping as BootstrappingSpec;
    sine = evalModPlan({ K: range, doubleAngles, degree: cosineDegree, centred: true, domain: "interval" });
    sines.set(parameters, sine);
  }
  return sine;
}

/** A rotation key that bootstrapping asks for. */
export interface NeededRotation {
  readonly steps: number;
  readonly level: number;
}

export class Bootstrapper implements Disposable {
  readonly context: Context;
  /** Complex slots of the ciphertexts that are bootstrapped. */
  readonly slots: number;
  /** Lowest level of a ciphertext that can be bootstrapped: what is below is used up by it. */
  readonly inputLevel: number;
  /** Level of a fresh ciphertext after bootstrapping. */
  readonly outputLevel: number;
  readonly #toCoefficients: readonly LinearTransform[];
  readonly #toSlots: readonly LinearTransform[];
  readonly #sine: EvalModPlan;
  /** Where real and imaginary parts share one ciphertext. */
  readonly #packed: Unpacking | undefined;

  /**
   * Encodes the transforms.
   * @param slots power of two, 8 or more; ciphertexts of fewer slots may be bootstrapped as well
   * @param like one of the same parameters and slots, in place of computing its matrices again: for contexts
   *   that only count, as the values are others
   * @throws `parameters` when they have no bootstrapping part
   */
  constructor(context: Context, slots: number = context.parameters.maximumSlots, like?: Bootstrapper) {
    const { parameters } = context;
    const { input, reduced, output } = bootstrapLevels(parameters);
    const spec = parameters.spec.bootstrapping as BootstrappingSpec;
    this.context = context;
    this.slots = powerOfTwo("slots", slots, 8, parameters.maximumSlots);
    this.inputLevel = input;
    this.outputLevel = output;
    const packed = slots < parameters.maximumSlots;
    this.#packed = packed ? new Unpacking(context, slots, reduced) : undefined;
    this.#sine = sineOf(parameters);
    const q0 = 2 ** parameters.logModulus(0);
    this.#toCoefficients = toCoefficients(
      context,
      slots,
      this.inputLevel,
      q0 / 2 ** spec.logMessageRatio / parameters.scale,
      like === undefined ? undefined : like.#toCoefficients,
    );
    // 1/n of the inverse FFT, 1/2 of the real part, the sine's interval, the factor of the trace.
    // Values count in multiples of q0; the sine wants a scale near its levels' moduli.
    const factor = 1 / (slots * 2 * this.#sine.series.interval[1] * (parameters.maximumSlots / slots));
    const gain = parameters.levelModulus(parameters.maximumLevel - spec.coefficientsToSlots) / q0;
    this.#toSlots = toSlots(
      context,
      slots,
      spec.coefficientsToSlots,
      factor,
      gain,
      packed,
      like === undefined ? undefined : like.#toSlots,
    );
  }

  /** Bytes of the encoded transforms. */
  get bytes(): number {
    return [...this.#toCoefficients, ...this.#toSlots].reduce((sum, transform) => sum + transform.bytes, 0);
  }

  /** Bytes of all plaintexts, those that stay where transforms are freed among them. */
  get plaintextBytes(): number {
    return this.bytes + (this.#packed?.bytes ?? 0);
  }

  /** Frees the encoded transforms, which are encoded again when they are asked for: seconds at full size, most of a GiB. */
  release(): void {
    for (const transform of [...this.#toCoefficients, ...this.#toSlots]) transform.release();
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
    return [...levels].map(([steps, level]) => ({ steps, level })).sort((a, b) => a.steps - b.steps);
  }

  /**
   * The same message at {@link outputLevel}.
   *
   * @param a at {@link inputLevel} or higher; values of magnitude about 1 at the default scale, see above
   * @param scale of the result; default: the parameters' scale
   */
  bootstrap(evaluator: Evaluator, a: Ciphertext, scale: number = this.context.parameters.scale): Ciphertext {
    return withPath("bootstrap", () => {
      const [first, second] = this.#reduced(evaluator, a, this.#sineScale(a, scale), this.#packed === undefined);
      using real = first as Ciphertext;
      if (this.#packed !== undefined) {
        using complex = this.#packed.complex(evaluator, real);
        return this.#finish(evaluator, complex, a, scale);
      }
      using imaginary = second;
      using turned = evaluator.multiplyByI(imaginary as Ciphertext);
      evaluator.addTo(turned, real);
      return this.#finish(evaluator, turned, a, scale);
    });
  }

  /** As {@link bootstrap} for a message whose values are real; imaginary parts are dropped. Half the sines at full slots. */
  bootstrapReal(evaluator: Evaluator, a: Ciphertext, scale: number = this.context.parameters.scale): Ciphertext {
    if (this.#packed !== undefined) {
      const [real, imaginary] = withPath("bootstrap", () => this.#bootstrapParts(evaluator, a, scale));
      imaginary.dispose();
      return real;
    }
    return withPath("bootstrap", () => {
      const [first] = this.#reduced(evaluator, a, this.#sineScale(a, scale), false);
      using real = first as Ciphertext;
      return this.#finish(evaluator, real, a, scale);
    });
  }

  /** Two ciphertexts with real values for the price of one: they travel as real and imaginary part. */
  bootstrapPair(
    evaluator: Evaluator,
    a: Ciphertext,
    b: Ciphertext,
    scale: number = this.context.parameters.scale,
  ): [Ciphertext, Ciphertext] {
    return withPath("bootstrap", () => {
      using turned = evaluator.multiplyByI(b);
      using pair = evaluator.add(a, turned);
      return this.#bootstrapParts(evaluator, pair, scale);
    });
  }

  /** Real and imaginary part as two ciphertexts. */
  #bootstrapParts(evaluator: Evaluator, a: Ciphertext, scale: number): [Ciphertext, Ciphertext] {
    const sineScale = this.#sineScale(a, scale);
    let parts: readonly Ciphertext[];
    if (this.#packed === undefined) parts = this.#reduced(evaluator, a, sineScale, true);
    else {
      const [first] = this.#reduced(evaluator, a, sineScale / 2, false);
      using halves = first as Ciphertext;
      parts = this.#packed.doubledParts(evaluator, halves);
    }
    const [first, second] = parts as readonly [Ciphertext, Ciphertext];
    using real = first;
    using imaginary = second;
    return [this.#finish(evaluator, real, a, scale), this.#finish(evaluator, imaginary, a, scale)];
  }

  /** Values of the slots plus multiples of q0, in units of q0 times the sine's interval. */
  #raise(evaluator: Evaluator, a: Ciphertext): Ciphertext {
    const { parameters } = this.context;
    if (a.slots > this.slots) {
      throw new AegisError("argument", `bootstrap: made for up to ${this.slots} slots, the ciphertext has ${a.slots}`, {
        operation: "bootstrap",
      });
    }
    if (a.level < this.inputLevel) {
      throw new AegisError(
        "level",
        `bootstrap: takes ciphertexts at level ${this.inputLevel} or higher, got level ${a.level}`,
        {
          operation: "bootstrap",
          level: a.level,
          hint: "bootstrap earlier: the levels below move slots into coefficients",
        },
      );
    }
    using low = applyAll(evaluator, a, this.#toCoefficients);
    let raised = evaluator.modRaise(low);
    for (let steps = this.slots; steps < parameters.maximumSlots; steps *= 2) {
      using partial = raised;
      using rotated = evaluator.rotate(partial.view({ slots: parameters.maximumSlots }), steps);
      raised = evaluator.add(partial, rotated);
    }
    using traced = raised;
    return applyAll(evaluator, traced.view({ scale: 2 ** parameters.logModulus(0), slots: this.slots }), this.#toSlots);
  }

  /** Real parts of the slots without the multiples of q0; imaginary ones as well if they are wanted, reduced together. */
  #reduced(evaluator: Evaluator, a: Ciphertext, scale: number, both: boolean): readonly Ciphertext[] {
    using values = this.#raise(evaluator, a);
    using conjugate = evaluator.conjugate(values);
    using real = evaluator.add(values, conjugate);
    if (!both) return evaluateSines(evaluator, this.#sine, [real], scale);
    using difference = evaluator.subtract(conjugate, values);
    using imaginary = evaluator.multiplyByI(difference);
    return evaluateSines(evaluator, this.#sine, [real, imaginary], scale);
  }

  /** Scale of the sine with which the value, 2π·a.scale/(2^r·parameters.scale) times the sine's argument, has scale `scale`. */
  #sineScale(a: Ciphertext, scale: number): number {
    const { parameters } = this.context;
    const { logMessageRatio } = parameters.spec.bootstrapping as BootstrappingSpec;
    return (scale * 2 ** logMessageRatio * parameters.scale) / (2 * Math.PI * a.scale);
  }

  #finish(evaluator: Evaluator, result: Ciphertext, a: Ciphertext, scale: number): Ciphertext {
    return evaluator.dropLevel(result.view({ scale, slots: a.slots }), this.outputLevel);
  }

  [Symbol.dispose](): void {
    for (const transform of [...this.#toCoefficients, ...this.#toSlots]) transform[Symbol.dispose]();
    this.#packed?.[Symbol.dispose]();
  }
}

function applyAll(evaluator: Evaluator, a: Ciphertext, transforms: readonly LinearTransform[]): Ciphertext {
  let result: Ciphertext | undefined;
  for (const transform of transforms) {
    using previous = result;
    result = transform.apply(evaluator, previous ?? a);
  }
  return result as Ciphertext;
}
