/**
 * The special FFT of CKKS: values of a real polynomial of degree 2n at ζ^(5^j), j < n, with
 * ζ = exp(πi/2n), and back (Cheon–Kim–Kim–Song, eprint 2016/421, §3; HEAAN's radix-2 form).
 * Complex vectors are two Float64Arrays, transformed in place.
 */
import { powerOfTwo } from "../base/validate.ts";
import { forwardPair, forwardStage, inversePair, inverseStage, type Twiddles } from "./fft-passes.ts";

const cache = new Map<number, SpecialFft>();

export class SpecialFft {
  readonly slots: number;
  readonly #twiddles: Twiddles;
  readonly #reversed: Uint32Array;

  private constructor(slots: number) {
    this.slots = slots;
    this.#twiddles = twiddles(slots);
    this.#reversed = bitReversal(slots);
  }

  /** The transform for a power-of-two slot count, cached. */
  static for(slots: number): SpecialFft {
    let fft = cache.get(slots);
    if (fft === undefined) {
      fft = new SpecialFft(powerOfTwo("slots", slots, 1, 2 ** 17));
      cache.set(slots, fft);
    }
    return fft;
  }

  /** Coefficients (c[j] + i·c[j+n]) → slot values. */
  forward(real: Float64Array, imaginary: Float64Array): void {
    this.#permute(real, imaginary);
    const n = this.slots;
    let half = 1;
    for (; 2 * half < n; half *= 4) forwardPair(real, imaginary, this.#twiddles, half, n);
    if (half < n) forwardStage(real, imaginary, this.#twiddles, half);
  }

  /** Slot values → coefficients (c[j] + i·c[j+n]). */
  inverse(real: Float64Array, imaginary: Float64Array): void {
    const n = this.slots;
    let half = n / 2;
    if (Math.log2(n) % 2 === 1) {
      inverseStage(real, imaginary, this.#twiddles, half);
      half /= 2;
    }
    for (; half > 1; half /= 4) inversePair(real, imaginary, this.#twiddles, half / 2, n);
    this.#permute(real, imaginary);
    const unit = 1 / n; // a power of two: exact
    for (let j = 0; j < n; j++) {
      real[j] = (real[j] as number) * unit;
      imaginary[j] = (imaginary[j] as number) * unit;
    }
  }

  #permute(real: Float64Array, imaginary: Float64Array): void {
    const reversed = this.#reversed;
    for (let i = 0; i < reversed.length; i++) {
      const j = reversed[i] as number;
      if (j <= i) continue;
      const r = real[i] as number;
      real[i] = real[j] as number;
      real[j] = r;
      const m = imaginary[i] as number;
      imaginary[i] = imaginary[j] as number;
      imaginary[j] = m;
    }
  }
}

/** 5^j mod modulus for j < count. */
export function rotationGroup(count: number, modulus: number): Uint32Array {
  const powers = new Uint32Array(count);
  let power = 1 % modulus;
  for (let j = 0; j < count; j++) {
    powers[j] = power;
    power = (power * 5) % modulus;
  }
  return powers;
}

/** Bit reversal of log2(n)-bit indices. */
export function bitReversal(n: number): Uint32Array {
  const reversed = new Uint32Array(n);
  for (let i = 1; i < n; i++) reversed[i] = ((reversed[i >> 1] as number) >> 1) | (i & 1 ? n >> 1 : 0);
  return reversed;
}

/** exp(2πi·(5^j mod 8·half)/(8·half)) for every stage, stage `half` from index half. */
export function stageTwiddle(half: number, j: number, group: Uint32Array): readonly [number, number] {
  const angle = (2 * Math.PI * ((group[j] as number) % (8 * half))) / (8 * half);
  return [Math.cos(angle), Math.sin(angle)];
}

function twiddles(slots: number): Twiddles {
  const real = new Float64Array(Math.max(slots, 2));
  const imaginary = new Float64Array(Math.max(slots, 2));
  const group = rotationGroup(Math.max(slots / 2, 1), 4 * slots);
  for (let half = 1; half < slots; half *= 2) {
    for (let j = 0; j < half; j++) {
      const [re, im] = stageTwiddle(half, j, group);
      real[half + j] = re;
      imaginary[half + j] = im;
    }
  }
  return { real, imaginary };
}
