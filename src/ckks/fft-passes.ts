/** Passes of the special FFT over complex data in two arrays, one or two radix-2 stages at a time. */

/** Below this distance the twiddles of a pass are few and each serves many butterflies in a row. */
const shortDistance = 16;

/** Twiddles of stage `half` (butterflies of distance half) start at index half. */
export interface Twiddles {
  readonly real: Float64Array;
  readonly imaginary: Float64Array;
}

/** The last stage of a forward transform on its own: butterflies of distance `half` = n/2. */
export function forwardStage(real: Float64Array, imaginary: Float64Array, w: Twiddles, half: number): void {
  for (let j = 0; j < half; j++) {
    const cr = w.real[half + j] as number;
    const ci = w.imaginary[half + j] as number;
    const xr = real[j + half] as number;
    const xi = imaginary[j + half] as number;
    const vr = xr * cr - xi * ci;
    const vi = xr * ci + xi * cr;
    const ur = real[j] as number;
    const ui = imaginary[j] as number;
    real[j] = ur + vr;
    imaginary[j] = ui + vi;
    real[j + half] = ur - vr;
    imaginary[j + half] = ui - vi;
  }
}

/** The first stage of an inverse transform on its own: butterflies of distance `half` = n/2. */
export function inverseStage(real: Float64Array, imaginary: Float64Array, w: Twiddles, half: number): void {
  for (let j = 0; j < half; j++) {
    const cr = w.real[half + j] as number;
    const ci = w.imaginary[half + j] as number;
    const ur = real[j] as number;
    const ui = imaginary[j] as number;
    const vr = real[j + half] as number;
    const vi = imaginary[j + half] as number;
    const dr = ur - vr;
    const di = ui - vi;
    real[j] = ur + vr;
    imaginary[j] = ui + vi;
    real[j + half] = dr * cr + di * ci;
    imaginary[j + half] = di * cr - dr * ci;
  }
}

/** Forward stages of distance `half` and 2·half in one pass over the data. */
export function forwardPair(real: Float64Array, imaginary: Float64Array, w: Twiddles, half: number, n: number): void {
  const wr = w.real;
  const wi = w.imaginary;
  // The longer of the two loops runs inside; few long strides keep neighbours in the cache.
  const blocks = half < shortDistance;
  const outerStep = blocks ? 1 : 4 * half;
  const innerStep = blocks ? 4 * half : 1;
  const outerEnd = blocks ? half : n;
  const innerLength = blocks ? n : half;
  for (let outer = 0; outer < outerEnd; outer += outerStep) {
    for (let inner = 0; inner < innerLength; inner += innerStep) {
      const i0 = outer + inner;
      const j = blocks ? outer : inner;
      const ar = wr[half + j] as number;
      const ai = wi[half + j] as number;
      const br = wr[2 * half + j] as number;
      const bi = wi[2 * half + j] as number;
      const cr = wr[3 * half + j] as number;
      const ci = wi[3 * half + j] as number;
      const i1 = i0 + half;
      const i2 = i1 + half;
      const i3 = i2 + half;
      const x1r = real[i1] as number;
      const x1i = imaginary[i1] as number;
      const x3r = real[i3] as number;
      const x3i = imaginary[i3] as number;
      const t1r = x1r * ar - x1i * ai;
      const t1i = x1r * ai + x1i * ar;
      const t3r = x3r * ar - x3i * ai;
      const t3i = x3r * ai + x3i * ar;
      const x0r = real[i0] as number;
      const x0i = imaginary[i0] as number;
      const x2r = real[i2] as number;
      const x2i = imaginary[i2] as number;
      const y2r = x2r + t3r;
      const y2i = x2i + t3i;
      const y3r = x2r - t3r;
      const y3i = x2i - t3i;
      const v2r = y2r * br - y2i * bi;
      const v2i = y2r * bi + y2i * br;
      const v3r = y3r * cr - y3i * ci;
      const v3i = y3r * ci + y3i * cr;
      real[i0] = x0r + t1r + v2r;
      imaginary[i0] = x0i + t1i + v2i;
      real[i1] = x0r - t1r + v3r;
      imaginary[i1] = x0i - t1i + v3i;
      real[i2] = x0r + t1r - v2r;
      imaginary[i2] = x0i + t1i - v2i;
      real[i3] = x0r - t1r - v3r;
      imaginary[i3] = x0i - t1i - v3i;
    }
  }
}

/** Inverse stages of distance 2·half and `half` in one pass over the data. */
export function inversePair(real: Float64Array, imaginary: Float64Array, w: Twiddles, half: number, n: number): void {
  const wr = w.real;
  const wi = w.imaginary;
  // The longer of the two loops runs inside; few long strides keep neighbours in the cache.
  const blocks = half < shortDistance;
  const outerStep = blocks ? 1 : 4 * half;
  const innerStep = blocks ? 4 * half : 1;
  const outerEnd = blocks ? half : n;
  const innerLength = blocks ? n : half;
  for (let outer = 0; outer < outerEnd; outer += outerStep) {
    for (let inner = 0; inner < innerLength; inner += innerStep) {
      const i0 = outer + inner;
      const j = blocks ? outer : inner;
      const ar = wr[half + j] as number;
      const ai = wi[half + j] as number;
      const br = wr[2 * half + j] as number;
      const bi = wi[2 * half + j] as number;
      const cr = wr[3 * half + j] as number;
      const ci = wi[3 * half + j] as number;
      const i1 = i0 + half;
      const i2 = i1 + half;
      const i3 = i2 + half;
      const x0r = real[i0] as number;
      const x0i = imaginary[i0] as number;
      const x1r = real[i1] as number;
      const x1i = imaginary[i1] as number;
      const x2r = real[i2] as number;
      const x2i = imaginary[i2] as number;
      const x3r = real[i3] as number;
      const x3i = imaginary[i3] as number;
      const s0r = x0r + x2r;
      const s0i = x0i + x2i;
      const s1r = x1r + x3r;
      const s1i = x1i + x3i;
      const d0r = x0r - x2r;
      const d0i = x0i - x2i;
      const d1r = x1r - x3r;
      const d1i = x1i - x3i;
      const t2r = d0r * br + d0i * bi;
      const t2i = d0i * br - d0r * bi;
      const t3r = d1r * cr + d1i * ci;
      const t3i = d1i * cr - d1r * ci;
      const e0r = s0r - s1r;
      const e0i = s0i - s1i;
      const e1r = t2r - t3r;
      const e1i = t2i - t3i;
      real[i0] = s0r + s1r;
      imaginary[i0] = s0i + s1i;
      real[i1] = e0r * ar + e0i * ai;
      imaginary[i1] = e0i * ar - e0r * ai;
      real[i2] = t2r + t3r;
      imaginary[i2] = t2i + t3i;
      real[i3] = e1r * ar + e1i * ai;
      imaginary[i3] = e1i * ar - e1r * ai;
    }
  }
}
