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
import {
  type Ciphertext,
  type ComplexVector,
  type Context,
  Encoder,
  type Evaluator,
  type ExtendedCiphertext,
  type Plaintext,
} from "../ckks/index.ts";
import {
  type BabyGiantSplit,
  centre,
  type DiagonalMatrix,
  mergeDiagonals,
  shift,
  shortestPeriod,
  splitDiagonals,
} from "./diagonals.ts";
import { HoistedRotations } from "./hoisted-rotations.ts";

export {
  type BabyGiantSplit,
  type DiagonalMatrix,
  shortestPeriod,
  splitDiagonals,
  transformRotations,
} from "./diagonals.ts";

/** How a matrix is encoded. */
export interface LinearTransformOptions {
  /** Of the plaintexts; with the level's modulus (the default) results keep their operand's scale. */
  readonly scale?: number;
  /** Babies of a giant step, a power of two; default: what takes the least work. */
  readonly babySteps?: number;
  /** Babies that share one hoisting, see {@link BabyGiantSplit.hop}; default: all of them. */
  readonly hoistedSteps?: number;
  /** What encodes the plaintexts, in its context; default: an encoder of its own. */
  readonly encoder?: Pick<Encoder, "encode">;
}

/** Rows of giant steps that are made together: more would take more memory, for less and less time. */
const rowsTogether = 8;

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
  readonly #encoder: Pick<Encoder, "encode">;
  readonly #matrix: DiagonalMatrix;
  #encoded: ReadonlyMap<number, readonly Term[]> | undefined;

  /**
   * @param level level of the ciphertexts it will be applied to, at least 1
   */
  constructor(context: Context, matrix: DiagonalMatrix, level: number, options: LinearTransformOptions = {}) {
    this.slots = powerOfTwo("slots", matrix.slots, 2, context.parameters.maximumSlots);
    this.level = level;
    this.scale = options.scale ?? context.parameters.levelModulus(level);
    if (matrix.diagonals.size === 0) throw new AegisError("argument", "linear transform: the matrix has no diagonals");
    this.split = splitDiagonals([...matrix.diagonals.keys()], this.slots, options.babySteps, options.hoistedSteps);
    this.#encoder = options.encoder ?? new Encoder(context);
    this.#matrix = matrix;
    this.#encoded = this.#encode();
  }

  /** Frees the plaintexts; they are encoded again when the transform is applied next. */
  release(): void {
    for (const row of this.#encoded?.values() ?? []) for (const { plaintext } of row) plaintext.dispose();
    this.#encoded = undefined;
  }

  get #rows(): ReadonlyMap<number, readonly Term[]> {
    this.#encoded ??= this.#encode();
    return this.#encoded;
  }

  #encode(): ReadonlyMap<number, readonly Term[]> {
    const { level } = this;
    const matrix = this.#matrix;
    const rows = new Map<number, Term[]>();
    const width = this.split.babySteps * this.split.stride;
    const centred = (this.split.giants[0] as number) < 0;
    for (const [index, vector] of mergeDiagonals(matrix)) {
      const k = centred ? centre(index, this.slots) : index;
      const giant = Math.floor(k / width) * width;
      const values = shift(shortestPeriod(vector), -giant); // all shifts have one period
      const plaintext = this.#encoder.encode(values, { level, scale: this.scale, use: "product", extended: true });
      const row = rows.get(giant) ?? [];
      row.push({ baby: k - giant, plaintext });
      rows.set(giant, row);
    }
    return rows;
  }

  get bytes(): number {
    let bytes = 0;
    for (const row of this.#rows.values()) for (const { plaintext } of row) bytes += plaintext.bytes;
    return bytes;
  }

  /** A matrix with diagonals of the same periods as this one's and other values: for counting, where no value matters. */
  outline(): DiagonalMatrix {
    const diagonals = new Map<number, ComplexVector>();
    const ramp = new Float64Array(this.slots).map((_, j) => j);
    for (const [giant, row] of this.#rows) {
      for (const { baby, plaintext } of row) {
        const values = ramp.subarray(0, plaintext.slots); // does not repeat
        diagonals.set(giant + baby, { real: values, imaginary: values });
      }
    }
    return { slots: this.slots, diagonals };
  }

  /** matrix · a over QP at `level`, scale a.scale · this.scale, before ModDown and rescale. */
  applyExtended(evaluator: Evaluator, a: Ciphertext): ExtendedCiphertext {
    if (a.level < this.level) {
      throw new AegisError(
        "level",
        `linear transform: encoded for level ${this.level}, ciphertext at level ${a.level}`,
        { operation: "linear transform", level: a.level },
      );
    }
    using rotations = new HoistedRotations(evaluator, a, this.level, this.slots, this.split.hop);
    rotations.makeOnly(this.split.babies);
    return this.applyRotations(evaluator, rotations);
  }

  /** As {@link applyExtended}, on rotations that several transforms of one operand share. */
  applyRotations(evaluator: Evaluator, rotations: HoistedRotations): ExtendedCiphertext {
    const scale = rotations.scale * this.scale;
    rotations.make(this.split.babies);
    return this.split.chained
      ? this.#sumChained(evaluator, rotations, scale)
      : this.#sumDirect(evaluator, rotations, scale);
  }

  /** matrix · a, rescaled: one level lower, scale a.scale · this.scale / level modulus. */
  apply(evaluator: Evaluator, a: Ciphertext): Ciphertext {
    using product = this.applyExtended(evaluator, a);
    return evaluator.modDownRescale(product);
  }

  /** Horner's rule from both ends: row + rotation of what lies further out. */
  #sumChained(evaluator: Evaluator, rotations: HoistedRotations, scale: number): ExtendedCiphertext {
    const width = this.split.babySteps * this.split.stride;
    const sides = [1, -1].map((sign) => ({
      sign,
      giants: this.split.giants.filter((k) => sign * k > 0).sort((a, b) => sign * (b - a)),
    }));
    const rows = this.#sums(evaluator, [0, ...sides.flatMap(({ giants }) => giants)], rotations);
    try {
      let total = this.#rows.has(0) ? next(rows) : undefined;
      for (const { sign, giants } of sides) {
        let sum: ExtendedCiphertext | undefined;
        for (const _ of giants) {
          using outer = sum;
          sum = next(rows);
          if (outer !== undefined) evaluator.accumulateRotated(sum, outer, sign * width);
        }
        using outer = sum;
        if (outer === undefined) continue;
        total ??= evaluator.zeroExtended(this.level, scale, this.slots);
        evaluator.accumulateRotated(total, outer, sign * width);
      }
      return total as ExtendedCiphertext;
    } finally {
      rows.return(undefined);
    }
  }

  #sumDirect(evaluator: Evaluator, rotations: HoistedRotations, scale: number): ExtendedCiphertext {
    const giants = this.split.giants.filter((k) => k !== 0);
    const rows = this.#sums(evaluator, [0, ...giants], rotations);
    try {
      const total = this.#rows.has(0) ? next(rows) : evaluator.zeroExtended(this.level, scale, this.slots);
      for (const giant of giants) {
        using partial = next(rows);
        evaluator.accumulateRotated(total, partial, giant);
      }
      return total;
    } finally {
      rows.return(undefined);
    }
  }

  /**
   * Σ plaintext · baby rotation of these giant steps, those that have a row, in their order. Some rows are made together:
   * each rotation is read once for them.
   */
  *#sums(
    evaluator: Evaluator,
    giants: readonly number[],
    rotations: HoistedRotations,
  ): Generator<ExtendedCiphertext, undefined> {
    const present = giants.filter((giant) => this.#rows.has(giant));
    for (let first = 0; first < present.length; first += rowsTogether) {
      const rows = evaluator.plainSums(
        present
          .slice(first, first + rowsTogether)
          .map((giant) =>
            (this.#rows.get(giant) as readonly Term[]).map(
              ({ baby, plaintext }) => [rotations.get(baby), plaintext] as const,
            ),
          ),
      );
      let taken = 0;
      try {
        for (const row of rows) {
          taken++;
          yield row;
        }
      } finally {
        for (const row of rows.slice(taken)) row[Symbol.dispose]();
      }
    }
    return undefined;
  }

  [Symbol.dispose](): void {
    this.release();
  }
}

/** The next of values that are there. */
function next<Value>(values: Iterator<Value, undefined>): Value {
  return values.next().value as Value;
}
