/**
 * Matrices as generalised diagonals, and how these are split into baby and giant steps
 * (Halevi–Shoup, eprint 2018/244).
 */
import type { ComplexVector } from "../ckks/index.ts";

/** A matrix as its non-zero diagonals; each vector's length divides `slots`. */
export interface DiagonalMatrix {
  readonly slots: number;
  /** Keys are any integers; those equal modulo `slots` are summed. */
  readonly diagonals: ReadonlyMap<number, ComplexVector>;
}

/** How the diagonals of a matrix are split: index = stride·(giant·babySteps + baby). */
export interface BabyGiantSplit {
  readonly stride: number;
  readonly babySteps: number;
  /** stride·baby for every baby step that occurs. */
  readonly babies: readonly number[];
  /** stride·babySteps·giant for every giant step that occurs. */
  readonly giants: readonly number[];
  /** Whether giant steps are reached by repeated rotations by ±stride·babySteps. */
  readonly chained: boolean;
  /**
   * Babies from this one on are rotations of the operand rotated by it, which is hoisted again:
   * fewer keys than rotating them all directly, less work than more giant steps.
   */
  readonly hop?: number;
}

/** Relative cost of a giant step (one key switch) to a baby step (one hoisted product). */
const giantCost = 6;

/**
 * The split with the least key-switching work. Every rotation needs a key of its own, so a baby
 * step is charged for its key as well.
 */
export function splitDiagonals(
  indices: readonly number[],
  slots: number,
  babySteps?: number,
  hoistedSteps?: number,
): BabyGiantSplit {
  const positive = [...new Set(indices.map((k) => modulo(k, slots)))].sort((a, b) => a - b);
  const centred = [...new Set(indices.map((k) => centre(k, slots)))].sort((a, b) => a - b);
  let stride = slots;
  for (const k of centred) stride = greatestCommonDivisor(stride, Math.abs(k));
  const candidates = babySteps === undefined ? powersOfTwo(Math.max(1, slots / stride)) : [babySteps];
  let best: BabyGiantSplit | undefined;
  let bestCost = Number.POSITIVE_INFINITY;
  for (const steps of candidates) {
    for (const representatives of [positive, centred]) {
      const split = splitBy(representatives, stride, steps);
      const keys = split.chained ? new Set(split.giants.map(Math.sign)).size : split.giants.length;
      const cost =
        split.babies.filter((k) => k !== 0).length + giantCost * split.giants.filter((k) => k !== 0).length + keys / 4;
      if (cost < bestCost) {
        bestCost = cost;
        best = split;
      }
    }
  }
  const split = best as BabyGiantSplit;
  const hop = stride * (hoistedSteps ?? split.babySteps);
  return split.babies.some((k) => k >= hop) ? { ...split, hop } : split;
}

function splitBy(indices: readonly number[], stride: number, babySteps: number): BabyGiantSplit {
  const width = babySteps * stride;
  const giants = new Set<number>();
  const babies = new Set<number>();
  for (const k of indices) {
    const giant = Math.floor(k / width) * width;
    giants.add(giant);
    babies.add(k - giant);
  }
  const chained = [...giants].every((k) => k === 0 || Math.abs(k) === width || giants.has(k - Math.sign(k) * width));
  return {
    stride,
    babySteps,
    babies: [...babies].sort((a, b) => a - b),
    giants: [...giants].sort((a, b) => a - b),
    chained,
  };
}

/** The rotations that a transform asks keys for. */
export function transformRotations(split: BabyGiantSplit, slots: number): number[] {
  const width = split.stride * split.babySteps;
  const giants = split.chained ? split.giants.map((k) => Math.sign(k) * width) : split.giants;
  const { hop = Number.POSITIVE_INFINITY } = split;
  const babies = split.babies.flatMap((k) => (k < hop ? [k] : [k % hop, hop]));
  const steps = [...babies, ...giants].map((k) => modulo(k, slots));
  return [...new Set(steps)].filter((k) => k !== 0);
}

/** Diagonals by index in [0, slots), those that are equal modulo the slot count summed. */
export function mergeDiagonals(matrix: DiagonalMatrix): Map<number, ComplexVector> {
  const merged = new Map<number, ComplexVector>();
  for (const [k, vector] of matrix.diagonals) {
    const index = modulo(k, matrix.slots);
    const present = merged.get(index);
    merged.set(index, present === undefined ? vector : addVectors(present, vector));
  }
  return merged;
}

/** The sum of two vectors, of the longer one's period. */
export function addVectors(a: ComplexVector, b: ComplexVector): ComplexVector {
  const length = Math.max(a.real.length, b.real.length);
  const sum = (x: Float64Array, y: Float64Array): Float64Array => {
    const result = new Float64Array(length);
    const [xMask, yMask] = [x.length - 1, y.length - 1];
    for (let j = 0; j < length; j++) result[j] = (x[j & xMask] as number) + (y[j & yMask] as number);
    return result;
  };
  return { real: sum(a.real, b.real), imaginary: sum(a.imaginary, b.imaginary) };
}

/** result[j] = vector[j + steps]. */
export function shift(vector: ComplexVector, steps: number): ComplexVector {
  const n = vector.real.length;
  const offset = modulo(steps, n);
  if (offset === 0) return vector;
  const turn = (values: Float64Array): Float64Array => {
    const result = new Float64Array(n);
    result.set(values.subarray(offset), 0);
    result.set(values.subarray(0, offset), n - offset);
    return result;
  };
  return { real: turn(vector.real), imaginary: turn(vector.imaginary) };
}

/** The vector cut to its shortest power-of-two period. */
export function shortestPeriod(vector: ComplexVector): ComplexVector {
  let period = vector.real.length;
  const repeats = (values: Float64Array, half: number): boolean => {
    for (let j = 0; j < half; j++) if (values[j] !== values[j + half]) return false;
    return true;
  };
  while (period > 1 && repeats(vector.real, period / 2) && repeats(vector.imaginary, period / 2)) period /= 2;
  return { real: vector.real.subarray(0, period), imaginary: vector.imaginary.subarray(0, period) };
}

/** The representative of k modulo slots in [−slots/2, slots/2). */
export function centre(k: number, slots: number): number {
  const reduced = modulo(k, slots);
  return reduced >= slots / 2 ? reduced - slots : reduced;
}

/** The representative of k modulo slots in [0, slots). */
function modulo(k: number, slots: number): number {
  return ((k % slots) + slots) % slots;
}

function greatestCommonDivisor(a: number, b: number): number {
  return b === 0 ? a : greatestCommonDivisor(b, a % b);
}

function powersOfTwo(maximum: number): number[] {
  const powers: number[] = [];
  for (let power = 1; power <= maximum; power *= 2) powers.push(power);
  return powers;
}
