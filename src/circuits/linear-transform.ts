/**
 * Matrix times encrypted vector by generalised diagonals, baby-step giant-step, double-hoisted
 * (Halevi–Shoup, eprint 2018/244; Bossuat et al., EUROCRYPT 2021, §5): baby rotations share one
 * ModUp, products are summed over QP, each giant step costs one ModDown and one key switch, and
 * one division by P and the level's primes ends it. Depth 1.
 *
 * out[j] = Σ_k diagonal_k[j] · in[j + k], indices modulo the slot count.
 */
import { AegisError } from "../base/errors.ts";
import { powerOfTwo } from "../base/validate.ts";
import { type Ciphertext, type ComplexVector, type Context, Encoder, type Evaluator, ExtendedCiphertext, type Plaintext } from "../ckks/index.ts";
import type { Limbs } from "../kernels/backend.ts";

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
}

/** Relative cost of a giant step (one key switch) to a baby step (one hoisted product). */
const giantCost = 6;

/**
 * The split with the least key-switching work. Every rotation needs a key of its own, so a baby
 * step is charged for its key as well.
 */
export function splitDiagonals(indices: readonly number[], slots: number, babySteps?: number): BabyGiantSplit {
  const centred = [...new Set(indices.map((k) => centre(k, slots)))].sort((a, b) => a - b);
  let stride = slots;
  for (const k of centred) stride = greatestCommonDivisor(stride, Math.abs(k));
  let best: BabyGiantSplit | undefined;
  let bestCost = Number.POSITIVE_INFINITY;
  const candidates = babySteps === undefined ? powersOfTwo(Math.max(1, slots / stride)) : [babySteps];
  for (const steps of candidates) {
    const babies = new Set<number>();
    const giants = new Set<number>();
    for (const k of centred) {
      const index = k / stride;
      const giant = Math.floor(index / steps);
      giants.add(giant * steps * stride);
      babies.add((index - giant * steps) * stride);
    }
    const cost = [...babies].filter((k) => k !== 0).length + giantCost * [...giants].filter((k) => k % slots !== 0).length;
    if (cost < bestCost) {
      bestCost = cost;
      best = { stride, babySteps: steps, babies: [...babies].sort((a, b) => a - b), giants: [...giants].sort((a, b) => a - b) };
    }
  }
  return best as BabyGiantSplit;
}

/** The rotations that a transform asks keys for. */
export function transformRotations(split: BabyGiantSplit, slots: number): number[] {
  const steps = [...split.babies, ...split.giants].map((k) => ((k % slots) + slots) % slots);
  return [...new Set(steps)].filter((k) => k !== 0);
}

/** A matrix encoded for one level: plaintexts over QP, each in the smallest subring it fits. */
export class LinearTransform implements Disposable {
  readonly slots: number;
  readonly level: number;
  /** Scale of the plaintexts. */
  readonly scale: number;
  readonly split: BabyGiantSplit;
  readonly #terms: ReadonlyMap<number, readonly { baby: number; plaintext: Plaintext }[]>;

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
    const merged = mergeDiagonals(matrix);
    const terms = new Map<number, { baby: number; plaintext: Plaintext }[]>();
    const width = this.split.babySteps * this.split.stride;
    for (const [k, vector] of merged) {
      const giant = Math.floor(k / width) * width;
      const values = shortestPeriod(shift(vector, -giant));
      const plaintext = encoder.encode(values, { level, scale: this.scale, use: "product", extended: true });
      const row = terms.get(giant) ?? [];
      row.push({ baby: k - giant, plaintext });
      terms.set(giant, row);
    }
    this.#terms = terms;
  }

  get bytes(): number {
    let bytes = 0;
    for (const row of this.#terms.values()) for (const { plaintext } of row) bytes += plaintext.bytes;
    return bytes;
  }

  /** matrix · a over QP at `level`, scale a.scale · this.scale, before ModDown and rescale. */
  applyExtended(evaluator: Evaluator, a: Ciphertext): ExtendedCiphertext {
    if (a.level < this.level) {
      throw new AegisError("level", `linear transform: encoded for level ${this.level}, ciphertext at level ${a.level}`, { operation: "linear transform", level: a.level });
    }
    const { context } = evaluator;
    using operand = a.level === this.level ? a.clone() : evaluator.dropLevel(a, this.level);
    const source = operand.view({ slots: this.slots });
    const rotated = new Map<number, ExtendedCiphertext>();
    {
      using hoisted = evaluator.hoist(source);
      for (const baby of this.split.babies) rotated.set(baby, evaluator.rotateExtended(hoisted, baby));
    }
    const moduli = context.parameters.extendedModuli(this.level);
    const scale = a.scale * this.scale;
    const fresh = (): ExtendedCiphertext =>
      new ExtendedCiphertext([context.ring.zero(moduli, "ntt"), context.ring.zero(moduli, "ntt")], this.level, scale, this.slots);
    const total = fresh();
    for (const [giant, row] of this.#terms) {
      if (giant === 0) {
        this.#accumulate(context, total, row, rotated);
        continue;
      }
      using partial = fresh();
      this.#accumulate(context, partial, row, rotated);
      evaluator.accumulateRotated(total, partial, giant);
    }
    for (const ciphertext of rotated.values()) ciphertext[Symbol.dispose]();
    return total;
  }

  /** matrix · a, rescaled: one level lower, scale a.scale · this.scale / level modulus. */
  apply(evaluator: Evaluator, a: Ciphertext): Ciphertext {
    using product = this.applyExtended(evaluator, a);
    return evaluator.modDownRescale(product);
  }

  #accumulate(
    context: Context,
    into: ExtendedCiphertext,
    row: readonly { baby: number; plaintext: Plaintext }[],
    rotated: ReadonlyMap<number, ExtendedCiphertext>,
  ): void {
    const byRun = new Map<number, { a: Limbs[]; b0: Limbs[]; b1: Limbs[] }>();
    for (const { baby, plaintext } of row) {
      const group = byRun.get(plaintext.logRun) ?? { a: [], b0: [], b1: [] };
      const { parts } = rotated.get(baby) as ExtendedCiphertext;
      group.a.push(plaintext.poly);
      group.b0.push(parts[0]);
      group.b1.push(parts[1]);
      byRun.set(plaintext.logRun, group);
    }
    for (const [logRun, { a, b0, b1 }] of byRun) {
      context.ring.kernels.multiplySumPair(into.parts[0], into.parts[1], a, b0, b1, true, logRun);
    }
  }

  [Symbol.dispose](): void {
    for (const row of this.#terms.values()) for (const { plaintext } of row) plaintext.dispose();
  }
}

/** Diagonals by centred index, those that are equal modulo the slot count summed. */
function mergeDiagonals(matrix: DiagonalMatrix): Map<number, ComplexVector> {
  const merged = new Map<number, ComplexVector>();
  for (const [k, vector] of matrix.diagonals) {
    const index = centre(k, matrix.slots);
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
  const offset = ((steps % n) + n) % n;
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
  const reduced = ((k % slots) + slots) % slots;
  return reduced >= slots / 2 ? reduced - slots : reduced;
}

function greatestCommonDivisor(a: number, b: number): number {
  return b === 0 ? a : greatestCommonDivisor(b, a % b);
}

function powersOfTwo(maximum: number): number[] {
  const powers: number[] = [];
  for (let power = 1; power <= maximum; power *= 2) powers.push(power);
  return powers;
}
