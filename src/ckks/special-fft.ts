/**
 * The special FFT of CKKS: values of a real polynomial of degree 2n at ζ^(5^j), j < n, with
 * ζ = exp(πi/2n), and back (Cheon–Kim–Kim–Song, eprint 2016/421, §3; HEAAN's radix-2 form).
 * Complex vectors are two Float64Arrays, transformed in place.
 */
import { powerOfTwo } from "../base/validate.ts";

/** Twiddles of stage `half` (butterflies of distance half) start at index half. */
interface Twiddles {
  readonly real: Float64Array;
  readonly imaginary: Float64Array;
}

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
    const { real: wr, imaginary: wi } = this.#twiddles;
    const n = this.slots;
    for (let half = 1; half < n; half *= 2) {
      for (let start = 0; start < n; start += 2 * half) {
        for (let j = 0; j < half; j++) {
          const low = start + j;
          const high = low + half;
          const xr = real[high] as number;
          const xi = imaginary[high] as number;
          const cr = wr[half + j] as number;
          const ci = wi[half + j] as number;
          const vr = xr * cr - xi * ci;
          const vi = xr * ci + xi * cr;
          const ur = real[low] as number;
          const ui = imaginary[low] as number;
          real[low] = ur + vr;
          imaginary[low] = ui + vi;
          real[high] = ur - vr;
          imaginary[high] = ui - vi;
        }
      }
    }
  }

  /** Slot values → coefficients (c[j] + i·c[j+n]). */
  inverse(real: Float64Array, imaginary: Float64Array): void {
    const { real: wr, imaginary: wi } = this.#twiddles;
    const n = this.slots;
    for (let half = n / 2; half >= 1; half /= 2) {
      for (let start = 0; start < n; start += 2 * half) {
        for (let j = 0; j < half; j++) {
          const low = start + j;
          const high = low + half;
          const ur = real[low] as number;
          const ui = imaginary[low] as number;
          const vr = real[high] as number;
          const vi = imaginary[high] as number;
          const dr = ur - vr;
          const di = ui - vi;
          const cr = wr[half + j] as number;
          const ci = wi[half + j] as number;
          real[low] = ur + vr;
          imaginary[low] = ui + vi;
          real[high] = dr * cr + di * ci;
          imaginary[high] = di * cr - dr * ci;
        }
      }
    }
    this.#permute(real, imaginary);
    for (let j = 0; j < n; j++) {
      real[j] = (real[j] as number) / n;
      imaginary[j] = (imaginary[j] as number) / n;
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
