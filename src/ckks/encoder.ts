/**
 * Encoding: complex or real slot vectors of any power-of-two length ↔ plaintext polynomials.
 * A vector of n slots lives in the subring X^(N/2n) and is encoded there: one FFT of size n,
 * 2n-point NTTs (a vector that repeats with period n costs n, not N/2).
 */
import { AegisError } from "../base/errors.ts";
import { lengthIs, powerOfTwo } from "../base/validate.ts";
import type { Poly } from "../ring/poly.ts";
import { Plaintext } from "./ciphertext.ts";
import type { Context } from "./context.ts";
import { limbsForScale, reconstruct } from "./reconstruct.ts";
import { SpecialFft } from "./special-fft.ts";

/** A complex vector as two arrays of equal length. */
export interface ComplexVector {
  readonly real: Float64Array;
  readonly imaginary: Float64Array;
}

/** Real numbers, or complex ones; the length is a power of two from 1 to N/2. */
export type SlotVector = ArrayLike<number> | ComplexVector;

export interface EncodeOptions {
  /** Level of the plaintext; default: the highest. */
  readonly level?: number;
  /** Scale; default: the parameters' scale. */
  readonly scale?: number;
  /** `product` plaintexts are in Montgomery form. Default `sum`. */
  readonly use?: "product" | "sum";
  /** Encode over the extended basis QP (special primes first). Default false. */
  readonly extended?: boolean;
}

/** Coefficients are integers in doubles: exact below 2^62 (the kernel's bound). */
const maximumCoefficient = 2 ** 62;

export class Encoder {
  readonly #context: Context;

  constructor(context: Context) {
    this.#context = context;
  }

  /**
   * Encodes slots into a plaintext (NTT domain). The rounding error is at most 1/2 in each
   * coefficient. Throws `scale` when coefficients would not fit.
   */
  encode(values: SlotVector, options: EncodeOptions = {}): Plaintext {
    const { parameters, ring } = this.#context;
    const level = options.level ?? parameters.maximumLevel;
    const scale = options.scale ?? parameters.scale;
    const extended = options.extended ?? false;
    const moduli = extended ? parameters.extendedModuli(level) : parameters.moduli(level);
    const length = isComplex(values) ? values.real.length : values.length;
    powerOfTwo("values.length", length, 1, parameters.maximumSlots);
    if (isComplex(values)) lengthIs("values.imaginary", values.imaginary, length);
    const slots = Math.max(length, 2);
    const subring = ring.subring(Math.log2(2 * slots));
    const poly = subring.poly(moduli, "coefficient");
    try {
      if (this.#context.backend.name !== "null") {
        subring.kernels.fromDoubles(poly, this.#coefficients(values, slots, scale));
      }
      poly.toNtt();
      const montgomery = options.use === "product";
      if (montgomery) subring.kernels.multiplyScalar(poly, poly, subring.montgomery(moduli));
      return new Plaintext({ poly, level, scale, slots, logRun: parameters.logN - subring.logN, montgomery, extended });
    } catch (error) {
      poly.dispose();
      throw error;
    }
  }

  /** Slot values of a plaintext. */
  decode(plaintext: Plaintext): ComplexVector {
    const { poly } = plaintext;
    const first = plaintext.extended ? this.#context.parameters.specialCount : 0;
    const moduli = poly.moduli.slice(first);
    return this.decodeLimbs(moduli, plaintext.scale, plaintext.slots, (limbs) => {
      const part = poly.clone(first, first + limbs);
      if (plaintext.montgomery) {
        poly.ring.kernels.multiplyScalar(part, part, poly.ring.montgomeryInverse(part.moduli));
      }
      return part;
    });
  }

  /**
   * Slot values of a polynomial of the ring or a subring that is made on demand, over as many
   * limbs as its coefficients fill: for a scale of 2^40 at any level usually three or four.
   *
   * @param moduli prime indices of all its limbs
   * @param make the first `limbs` limbs as a fresh polynomial, NTT domain; disposed of here
   */
  decodeLimbs(moduli: readonly number[], scale: number, slots: number, make: (limbs: number) => Poly): ComplexVector {
    const primes = moduli.map((index) => this.#context.ring.primes[index] as number);
    let coefficients: Float64Array | undefined;
    let limbs = limbsForScale(primes, scale);
    while (coefficients === undefined) {
      using part = make(limbs);
      coefficients = reconstruct(part, slots * 2, limbs === moduli.length);
      limbs = Math.min(2 * limbs, moduli.length);
    }
    const real = new Float64Array(slots);
    const imaginary = new Float64Array(slots);
    const unit = 1 / scale;
    for (let j = 0; j < slots; j++) {
      real[j] = (coefficients[j] as number) * unit;
      imaginary[j] = (coefficients[j + slots] as number) * unit;
    }
    SpecialFft.for(slots).forward(real, imaginary);
    return { real, imaginary };
  }

  #coefficients(values: SlotVector, slots: number, scale: number): Float64Array {
    const coefficients = new Float64Array(2 * slots);
    const real = coefficients.subarray(0, slots);
    const imaginary = coefficients.subarray(slots);
    fillPeriodic(real, isComplex(values) ? values.real : values);
    if (isComplex(values)) fillPeriodic(imaginary, values.imaginary);
    SpecialFft.for(slots).inverse(real, imaginary);
    const largest = scaleAndRound(coefficients, scale);
    if (!(largest < maximumCoefficient)) {
      const what = Number.isNaN(largest)
        ? "a value that is not a number"
        : `coefficients of 2^${Math.log2(largest).toFixed(1)}`;
      throw new AegisError("scale", `encode: ${what} at scale 2^${Math.log2(scale).toFixed(1)}; at most 2^62 fit`, {
        operation: "encode",
        logScale: Math.log2(scale),
        hint: "use smaller values or a smaller scale",
      });
    }
    return coefficients;
  }
}

/** Fills an array with repetitions of a shorter vector; its length is a multiple of the vector's. */
function fillPeriodic(into: Float64Array, values: ArrayLike<number>): void {
  into.set(values);
  for (let filled = values.length; filled < into.length; filled *= 2) into.copyWithin(filled, 0, filled);
}

/** Multiplies by `scale`, rounds to integers; the largest magnitude, NaN when there is a NaN. */
function scaleAndRound(values: Float64Array, scale: number): number {
  let least = 0;
  let largest = 0;
  let sum = 0;
  for (let j = 0; j < values.length; j++) {
    const rounded = Math.floor((values[j] as number) * scale + 0.5);
    values[j] = rounded;
    sum += rounded;
    if (rounded > largest) largest = rounded;
    if (rounded < least) least = rounded;
  }
  return Number.isNaN(sum) ? sum : Math.max(largest, -least);
}

export function isComplex(values: SlotVector): values is ComplexVector {
  return "real" in values;
}
