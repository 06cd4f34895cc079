/**
 * The homomorphic DFT: factors of the special FFT as sparse diagonal matrices, merged into a
 * few (Chen–Chillotti–Song, EUROCRYPT 2019; Han–Hhan–Cheon 2019). All factors leave out the bit
 * reversal: coefficients stand in bit-reversed order between the two transforms, where every slot
 * is treated alike.
 */
import { type ComplexVector, rotationGroup, stageTwiddle } from "../../ckks/index.ts";
import { addVectors, type DiagonalMatrix } from "../diagonals.ts";

/**
 * Diagonals by signed index; entries whose partner index leaves [0, n) are zero. Butterflies of short distances repeat:
 * their vectors have one period.
 */
type Diagonals = Map<number, ComplexVector>;

/**
 * Factors of the inverse FFT (up to bit reversal and without 1/n) in order of application: they
 * bring the coefficients of a polynomial of n slots into its slots. Larger factors come first: the
 * first one wraps around, which halves its diagonals.
 */
export function coefficientFactors(n: number, count: number): DiagonalMatrix[] {
  const stages: Diagonals[] = [];
  const group = rotationGroup(Math.max(n / 2, 1), 4 * n);
  for (let half = n / 2; half >= 1; half /= 2) stages.push(stage(half, group, true));
  return mergeStages(n, stages, groupSizes(stages.length, count));
}

/**
 * Factors of the FFT in order of application, the inverse of {@link coefficientFactors}: they
 * bring slots into the coefficients. With equal counts both use rotations by the same steps.
 */
export function slotFactors(n: number, count: number): DiagonalMatrix[] {
  const stages: Diagonals[] = [];
  const group = rotationGroup(Math.max(n / 2, 1), 4 * n);
  for (let half = 1; half < n; half *= 2) stages.push(stage(half, group, false));
  return mergeStages(n, stages, groupSizes(stages.length, count).reverse());
}

/**
 * The same product of matrices with factors whose indices are not negative, so that their giant
 * steps are one chain of equal rotations: each takes over a rotation from its neighbour, the
 * factor at `wrapping` (the first or the last), whose indices count modulo n anyway, the rest.
 */
export function withoutNegativeIndices(
  factors: readonly DiagonalMatrix[],
  wrapping: "first" | "last",
): DiagonalMatrix[] {
  const order = factors.map((_, i) => i);
  if (wrapping === "first") order.reverse();
  const shifted = [...factors];
  let carry = 0;
  for (const [step, i] of order.entries()) {
    const factor = factors[i] as DiagonalMatrix;
    const neighbour = factors[order[step + 1] as number];
    let offset = 0;
    if (neighbour !== undefined) {
      const stride = strideOf(neighbour);
      offset = stride * Math.ceil(Math.max(0, -carry - Math.min(...factor.diagonals.keys())) / stride);
    }
    shifted[i] = wrapping === "first" ? turn(factor, carry, offset) : turn(factor, offset, carry);
    carry = -offset;
  }
  return shifted;
}

/** (rotation by `after`) · matrix · (rotation by `before`). */
function turn(matrix: DiagonalMatrix, after: number, before: number): DiagonalMatrix {
  const diagonals = new Map<number, ComplexVector>();
  for (const [k, { real, imaginary }] of matrix.diagonals) {
    diagonals.set(k + after + before, { real: turnLeft(real, after), imaginary: turnLeft(imaginary, after) });
  }
  return { slots: matrix.slots, diagonals };
}

function turnLeft(values: Float64Array, steps: number): Float64Array {
  const n = values.length;
  const offset = ((steps % n) + n) % n;
  if (offset === 0) return values;
  const result = new Float64Array(n);
  result.set(values.subarray(offset), 0);
  result.set(values.subarray(0, offset), n - offset);
  return result;
}

/** Smallest distance of two indices: a power of two. */
function strideOf(matrix: DiagonalMatrix): number {
  let stride = matrix.slots;
  for (const k of matrix.diagonals.keys()) if (k !== 0) stride = Math.min(stride, k & -k);
  return stride;
}

/** `stages` split into `count` groups, larger ones first. */
function groupSizes(stages: number, count: number): number[] {
  return Array.from({ length: count }, (_, i) => Math.floor(stages / count) + (i < stages % count ? 1 : 0));
}

/** Multiplies every entry. */
export function scaleMatrix(matrix: DiagonalMatrix, factor: number): DiagonalMatrix {
  const diagonals = new Map<number, ComplexVector>();
  for (const [k, { real, imaginary }] of matrix.diagonals) {
    diagonals.set(k, { real: real.map((x) => x * factor), imaginary: imaginary.map((x) => x * factor) });
  }
  return { slots: matrix.slots, diagonals };
}

/** The matrix with indices in [0, period), equal to the given one on operands of that period. */
export function moduloIndices(matrix: DiagonalMatrix, period: number): DiagonalMatrix {
  const diagonals: Diagonals = new Map();
  for (const [k, vector] of matrix.diagonals) {
    const index = ((k % period) + period) % period;
    const present = diagonals.get(index);
    diagonals.set(index, present === undefined ? vector : addVectors(present, vector));
  }
  return { slots: matrix.slots, diagonals };
}

/**
 * The matrix acting on both halves of 2n slots alike, rows of the second half multiplied by
 * `secondReal` + i·`secondImaginary`. Either its indices do not wrap around n, as in all factors
 * but one, or its operand has period n.
 */
export function doubleMatrix(matrix: DiagonalMatrix, secondReal: number, secondImaginary: number): DiagonalMatrix {
  const n = matrix.slots;
  if (secondReal === 1 && secondImaginary === 0) return { slots: 2 * n, diagonals: matrix.diagonals };
  const diagonals = new Map<number, ComplexVector>();
  for (const [k, vector] of matrix.diagonals) {
    const period = vector.real.length;
    const real = new Float64Array(2 * n);
    const imaginary = new Float64Array(2 * n);
    for (let j = 0; j < n; j++) {
      const re = vector.real[j % period] as number;
      const im = vector.imaginary[j % period] as number;
      real[j] = re;
      imaginary[j] = im;
      real[j + n] = re * secondReal - im * secondImaginary;
      imaginary[j + n] = re * secondImaginary + im * secondReal;
    }
    diagonals.set(k, { real, imaginary });
  }
  return { slots: 2 * n, diagonals };
}

/** Butterflies of distance `half`, one period of them. */
function stage(half: number, group: Uint32Array, inverse: boolean): Diagonals {
  const zeros = (): ComplexVector => ({ real: new Float64Array(2 * half), imaginary: new Float64Array(2 * half) });
  const same = zeros();
  const up = zeros(); // reads slot j + half
  const down = zeros(); // reads slot j − half
  for (let low = 0; low < half; low++) {
    const [re, im] = stageTwiddle(half, low, group);
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
  return new Map([
    [0, same],
    [half, up],
    [-half, down],
  ]);
}

/** Merges consecutive stages into products. */
function mergeStages(n: number, stages: readonly Diagonals[], sizes: readonly number[]): DiagonalMatrix[] {
  let next = 0;
  return sizes.map((size) => {
    let product = stages[next] as Diagonals;
    for (let i = 1; i < size; i++) product = multiply(stages[next + i] as Diagonals, product);
    next += size;
    return { slots: n, diagonals: product };
  });
}

/** second · first: out[j] = Σ second_a[j] · first_b[j + a] · in[j + a + b]. `second` is one stage, zero where j + a leaves [0, n). */
function multiply(second: Diagonals, first: Diagonals): Diagonals {
  const product: Diagonals = new Map();
  const period = Math.max(periodOf(second), periodOf(first));
  for (const [a, x] of second) {
    for (const [b, y] of first) {
      let target = product.get(a + b);
      if (target === undefined) {
        target = { real: new Float64Array(period), imaginary: new Float64Array(period) };
        product.set(a + b, target);
      }
      accumulateProduct(target, x, y, a);
    }
  }
  return product;
}

function periodOf(diagonals: Diagonals): number {
  return Math.max(...[...diagonals.values()].map(({ real }) => real.length));
}

/** target[j] += x[j] · y[j + a], periods are powers of two. */
function accumulateProduct(target: ComplexVector, x: ComplexVector, y: ComplexVector, a: number): void {
  const { real, imaginary } = target;
  const { real: xReal, imaginary: xImaginary } = x;
  const { real: yReal, imaginary: yImaginary } = y;
  const xMask = xReal.length - 1;
  const yMask = yReal.length - 1;
  for (let j = 0; j < real.length; j++) {
    const xr = xReal[j & xMask] as number;
    const xi = xImaginary[j & xMask] as number;
    const yr = yReal[(j + a) & yMask] as number;
    const yi = yImaginary[(j + a) & yMask] as number;
    real[j] = (real[j] as number) + xr * yr - xi * yi;
    imaginary[j] = (imaginary[j] as number) + xr * yi + xi * yr;
  }
}
