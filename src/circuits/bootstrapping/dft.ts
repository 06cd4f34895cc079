/**
 * The homomorphic DFT: factors of the special FFT as sparse diagonal matrices, merged into a
 * few (Chen–Chillotti–Song, EUROCRYPT 2019; Han–Hhan–Cheon 2019). All factors leave out the bit
 * reversal: coefficients stand in bit-reversed order between the two transforms, where every slot
 * is treated alike.
 */
import { type ComplexVector, rotationGroup, stageTwiddle } from "../../ckks/index.ts";
import type { DiagonalMatrix } from "../linear-transform.ts";

/** Diagonals by signed index; entries whose partner index leaves [0, n) are zero. */
type Diagonals = Map<number, ComplexVector>;

/**
 * Factors in order of application of slots → coefficients of the inverse FFT (up to bit
 * reversal and without 1/n), `count` of them, for n slots.
 */
export function coefficientFactors(n: number, count: number): DiagonalMatrix[] {
  const stages: Diagonals[] = [];
  for (let half = n / 2; half >= 1; half /= 2) stages.push(stage(n, half, true));
  return mergeStages(n, stages, count);
}

/** Factors in order of application of coefficients → slots, for n slots. */
export function slotFactors(n: number, count: number): DiagonalMatrix[] {
  const stages: Diagonals[] = [];
  for (let half = 1; half < n; half *= 2) stages.push(stage(n, half, false));
  return mergeStages(n, stages, count);
}

/** Multiplies every entry. */
export function scaleMatrix(matrix: DiagonalMatrix, factor: number): DiagonalMatrix {
  const diagonals = new Map<number, ComplexVector>();
  for (const [k, { real, imaginary }] of matrix.diagonals) {
    diagonals.set(k, { real: real.map((x) => x * factor), imaginary: imaginary.map((x) => x * factor) });
  }
  return { slots: matrix.slots, diagonals };
}

/**
 * The matrix acting on both halves of 2n slots alike (it must not wrap around n: factors of the
 * forward transform do not), rows of the second half multiplied by `secondReal` + i·`secondImaginary`.
 */
export function doubleMatrix(matrix: DiagonalMatrix, secondReal: number, secondImaginary: number): DiagonalMatrix {
  const n = matrix.slots;
  const diagonals = new Map<number, ComplexVector>();
  for (const [k, vector] of matrix.diagonals) {
    const real = new Float64Array(2 * n);
    const imaginary = new Float64Array(2 * n);
    for (let j = 0; j < n; j++) {
      const re = vector.real[j] as number;
      const im = vector.imaginary[j] as number;
      real[j] = re;
      imaginary[j] = im;
      real[j + n] = re * secondReal - im * secondImaginary;
      imaginary[j + n] = re * secondImaginary + im * secondReal;
    }
    diagonals.set(k, { real, imaginary });
  }
  return { slots: 2 * n, diagonals };
}

/** Butterflies of distance `half` over n slots. */
function stage(n: number, half: number, inverse: boolean): Diagonals {
  const group = rotationGroup(Math.max(n / 2, 1), 4 * n);
  const zeros = (): ComplexVector => ({ real: new Float64Array(n), imaginary: new Float64Array(n) });
  const same = zeros();
  const up = zeros(); // reads slot j + half
  const down = zeros(); // reads slot j − half
  for (let start = 0; start < n; start += 2 * half) {
    for (let j = 0; j < half; j++) {
      const [re, im] = stageTwiddle(half, j, group);
      const low = start + j;
      const high = low + half;
      same.real[low] = 1;
      if (inverse) {
        // low ← low + high, high ← (low − high)·w̄
        up.real[low] = 1;
        down.real[high] = re;
        down.imaginary[high] = -im;
        same.real[high] = -re;
        same.imaginary[high] = im;
      } else {
        // low ← low + high·w, high ← low − high·w
        up.real[low] = re;
        up.imaginary[low] = im;
        down.real[high] = 1;
        same.real[high] = -re;
        same.imaginary[high] = -im;
      }
    }
  }
  return new Map([
    [0, same],
    [half, up],
    [-half, down],
  ]);
}

/** Merges consecutive stages into `count` products, larger groups first. */
function mergeStages(n: number, stages: readonly Diagonals[], count: number): DiagonalMatrix[] {
  const matrices: DiagonalMatrix[] = [];
  let next = 0;
  for (let group = 0; group < count; group++) {
    const size = Math.ceil((stages.length - next) / (count - group));
    let product = stages[next] as Diagonals;
    for (let i = 1; i < size; i++) product = multiply(n, stages[next + i] as Diagonals, product);
    next += size;
    matrices.push({ slots: n, diagonals: product });
  }
  return matrices;
}

/** second · first: out[j] = Σ second_a[j] · first_b[j + a] · in[j + a + b]. */
function multiply(n: number, second: Diagonals, first: Diagonals): Diagonals {
  const product: Diagonals = new Map();
  for (const [a, x] of second) {
    for (const [b, y] of first) {
      let target = product.get(a + b);
      if (target === undefined) {
        target = { real: new Float64Array(n), imaginary: new Float64Array(n) };
        product.set(a + b, target);
      }
      const low = Math.max(0, -a);
      const high = Math.min(n, n - a);
      for (let j = low; j < high; j++) {
        const xr = x.real[j] as number;
        const xi = x.imaginary[j] as number;
        const yr = y.real[j + a] as number;
        const yi = y.imaginary[j + a] as number;
        target.real[j] = (target.real[j] as number) + xr * yr - xi * yi;
        target.imaginary[j] = (target.imaginary[j] as number) + xr * yi + xi * yr;
      }
    }
  }
  return product;
}
