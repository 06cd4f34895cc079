/**
 * Matrix times encrypted vector by generalised diagonals, baby-step giant-step, double-hoisted
 * (Halevi–Shoup, eprint 2018/244; Bossuat et al., EUROCRYPT 2021, §5): baby rotations share one
 * ModUp, products are summed over QP, each giant step costs one ModDown and one key switch, and
 * one division by P and the level's primes ends it. Depth 1. Giant steps that are consecutive
 * multiples are a chain of one rotation (Horner's rule), which needs one key for all of them at the
 * same number of key switches.
 *
 * out[j] = Σ_k diagonal_k[j] · in[j + k], indices modulo the slot count.
 */
import { AegisError } from "../base/errors.ts";
import { powerOfTwo } from "../base/validate.ts";
import { type Ciphertext, type ComplexVector, type Context, Encoder, type Evaluator, ExtendedCiphertext, type Plaintext } from "../ckks/index.ts";
import type { Limbs } from "../kernels/backend.ts";
import { HoistedRotations } from "./hoisted-rotations.ts";

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
}

/** Relative cost of a giant step (one key switch) to a baby step (one hoisted product). */
const giantCost = 6;

/**
 * The split with the least key-switching work. Every rotation needs a key of its own, so a baby
 * step is charged for its key as well.
 */
export function splitDiagonals(indices: readonly number[], slots: number, babySteps?: number): BabyGiantSplit {
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
      const cost = split.babies.filter((k) => k !== 0).length + giantCost * split.giants.filter((k) => k !== 0).length + keys / 4;
      if (cost < bestCost) {
        bestCost = cost;
        best = split;
      }
    }
  }
  return best as BabyGiantSplit;
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
  return { stride, babySteps, babies: [...babies].sort((a, b) => a - b), giants: [...giants].sort((a, b) => a - b), chained };
}

/** The rotations that a transform asks keys for. */
export function transformRotations(split: BabyGiantSplit, slots: number): number[] {
  const width = split.stride * split.babySteps;
  const giants = split.chained ? split.giants.map((k) => Math.sign(k) * width) : split.giants;
  const steps = [...split.babies, ...giants].map((k) => modulo(k, slots));
  return [...new Set(steps)].filter((k) => k !== 0);
}

interface Term {
  readonly baby: number;
  readonly plaintext: Plaintext;
}

/** A matrix encoded for one level: plaintexts over QP, each in the smallest subring it fits. */
export class LinearTransform implements Disposable {
  readonly slots: number;
  readonly level: number;
  /** Scale of the plaintexts. */
  readonly scale: number;
  readonly split: BabyGiantSplit;
  readonly #rows: ReadonlyMap<number, readonly Term[]>;

  /**
   * @param level level of the ciphertexts it will be applied to, at least 1
   * @param scale of the plaintexts; with the level's modulus (the default) results keep their operand's scale
   */
  constructor(context: Context, matrix: DiagonalMatrix, level: number, options: { scale?: number; babySteps?: number } = {}) {
    this.slots = powerOfTwo("slots", matrix.slots, 2, context.parameters.maximumSlots);
    this.level = level;
    this.scale = options.scale ?? context.parameters.levelModulus(level);
    if (matrix.diagonals.size === 0) throw new AegisError("argument", "linear transform: the matrix has no diagonals");
    this.split = splitDiagonals([...matrix.diagonals.keys()], this.slots, options.babySteps);
    const encoder = new Encoder(context);
    const rows = new Map<number, Term[]>();
    const width = this.split.babySteps * this.split.stride;
    const centred = (this.split.giants[0] as number) < 0;
    for (const [index, vector] of mergeDiagonals(matrix)) {
      const k = centred ? centre(index, this.slots) : index;
      const giant = Math.floor(k / width) * width;
      const values = shortestPeriod(shift(vector, -giant));
      const plaintext = encoder.encode(values, { level, scale: this.scale, use: "product", extended: true });
      const row = rows.get(giant) ?? [];
      row.push({ baby: k - giant, plaintext });
      rows.set(giant, row);
    }
    this.#rows = rows;
  }

  get bytes(): number {
    let bytes = 0;
    for (const row of this.#rows.values()) for (const { plaintext } of row) bytes += plaintext.bytes;
    return bytes;
  }

  /** matrix · a over QP at `level`, scale a.scale · this.scale, before ModDown and rescale. */
  applyExtended(evaluator: Evaluator, a: Ciphertext): ExtendedCiphertext {
    if (a.level < this.level) {
      throw new AegisError("level", `linear transform: encoded for level ${this.level}, ciphertext at level ${a.level}`, { operation: "linear transform", level: a.level });
    }
    using rotations = new HoistedRotations(evaluator, a, this.level, this.slots);
    return this.applyRotations(evaluator, rotations);
  }

  /** As {@link applyExtended}, on rotations that several transforms of one operand share. */
  applyRotations(evaluator: Evaluator, rotations: HoistedRotations): ExtendedCiphertext {
    const scale = rotations.scale * this.scale;
    return this.split.chained ? this.#sumChained(evaluator, rotations, scale) : this.#sumDirect(evaluator, rotations, scale);
  }

  /** matrix · a, rescaled: one level lower, scale a.scale · this.scale / level modulus. */
  apply(evaluator: Evaluator, a: Ciphertext): Ciphertext {
    using product = this.applyExtended(evaluator, a);
    return evaluator.modDownRescale(product);
  }

  /** Horner's rule from both ends: row + rotation of what lies further out. */
  #sumChained(evaluator: Evaluator, rotations: HoistedRotations, scale: number): ExtendedCiphertext {
    const width = this.split.babySteps * this.split.stride;
    let total = this.#row(evaluator.context, 0, rotations, scale);
    for (const sign of [1, -1]) {
      let giant = sign * Math.max(0, ...this.split.giants.map((k) => sign * k));
      if (giant === 0) continue;
      let sum = this.#row(evaluator.context, giant, rotations, scale) as ExtendedCiphertext;
      for (giant -= sign * width; giant !== 0; giant -= sign * width) {
        using outer = sum;
        sum = this.#row(evaluator.context, giant, rotations, scale) as ExtendedCiphertext;
        evaluator.accumulateRotated(sum, outer, sign * width);
      }
      using outer = sum;
      total ??= this.#zero(evaluator.context, scale);
      evaluator.accumulateRotated(total, outer, sign * width);
    }
    return total as ExtendedCiphertext;
  }

  #sumDirect(evaluator: Evaluator, rotations: HoistedRotations, scale: number): ExtendedCiphertext {
    const total = this.#row(evaluator.context, 0, rotations, scale) ?? this.#zero(evaluator.context, scale);
    for (const giant of this.split.giants) {
      if (giant === 0) continue;
      using partial = this.#row(evaluator.context, giant, rotations, scale) as ExtendedCiphertext;
      evaluator.accumulateRotated(total, partial, giant);
    }
    return total;
  }

  #zero({ ring, parameters }: Context, scale: number): ExtendedCiphertext {
    const moduli = parameters.extendedModuli(this.level);
    return new ExtendedCiphertext([ring.zero(moduli, "ntt"), ring.zero(moduli, "ntt")], this.level, scale, this.slots);
  }

  /** Σ plaintext · baby rotation of one giant step. */
  #row({ ring, parameters }: Context, giant: number, rotations: HoistedRotations, scale: number): ExtendedCiphertext | undefined {
    const row = this.#rows.get(giant);
    if (row === undefined) return undefined;
    const byRun = new Map<number, { a: Limbs[]; b0: Limbs[]; b1: Limbs[] }>();
    for (const { baby, plaintext } of row) {
      const group = byRun.get(plaintext.logRun) ?? { a: [], b0: [], b1: [] };
      const { parts } = rotations.get(baby);
      group.a.push(plaintext.poly);
      group.b0.push(parts[0]);
      group.b1.push(parts[1]);
      byRun.set(plaintext.logRun, group);
    }
    const moduli = parameters.extendedModuli(this.level);
    const parts = [ring.poly(moduli, "ntt"), ring.poly(moduli, "ntt")] as const;
    let accumulate = false;
    for (const [logRun, { a, b0, b1 }] of byRun) {
      ring.kernels.multiplySumPair(parts[0], parts[1], a, b0, b1, accumulate, logRun);
      accumulate = true;
    }
    return new ExtendedCiphertext(parts, this.level, scale, this.slots);
  }

  [Symbol.dispose](): void {
    for (const row of this.#rows.values()) for (const { plaintext } of row) plaintext.dispose();
  }
}

/** Diagonals by index in [0, slots), those that are equal modulo the slot count summed. */
function mergeDiagonals(matrix: DiagonalMatrix): Map<number, ComplexVector> {
  const merged = new Map<number, ComplexVector>();
  for (const [k, vector] of matrix.diagonals) {
    const index = modulo(k, matrix.slots);
    const present = merged.get(index);
    merged.set(index, present === undefined ? vector : addVectors(present, vector));
  }
  return merged;
}

function addVectors(a: ComplexVector, b: ComplexVector): ComplexVector {
  const length = Math.max(a.real.length, b.real.length);
  const sum = (x: Float64Array, y: Float64Array): Float64Array =>
    Float64Array.from({ length }, (_, j) => (x[j % x.length] as number) + (y[j % y.length] as number));
  return { real: sum(a.real, b.real), imaginary: sum(a.imaginary, b.imaginary) };
}

/** result[j] = vector[j + steps]. */
function shift(vector: ComplexVector, steps: number): ComplexVector {
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
function centre(k: number, slots: number): number {
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
