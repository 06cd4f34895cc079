/**
 * Linear layers of the long layout: a matrix of blocks over input and output ciphertexts, each block
 * by its diagonals over the lanes of a token. Weights depend on the lane only, so a diagonal encodes
 * into the subring of degree 2·lanes. Rotations that would cross a token's border have no weight.
 *
 * Products are summed over QP (double hoisting), or over Q where many outputs read the same rotations: a
 * ModDown of each rotation is then less work than the special primes in every product, and every output is
 * summed at its own level. Diagonals are split into baby steps and giant steps, which rotate the
 * inputs before or the sums afterwards: the fewer ciphertexts are rotated more. Keys pass by outermost:
 * several inputs and their giant steps are hoisted, and one baby step of all of them follows another.
 */
import { RotationChain, Turn } from "../../../circuits/index.ts";
import { Ciphertext, ExtendedCiphertext, type Plaintext } from "../../../ckks/index.ts";
import type { Limbs, ProductSums } from "../../../kernels/index.ts";
import type { Geometry, LinearOperation, Part, Program, Tensor } from "../../../program/index.ts";
import type { Poly } from "../../../ring/poly.ts";
import type { FoldedWeights } from "../../weights.ts";
import type { Environment } from "../environment.ts";
import { PartialSum } from "../sum.ts";
import { inputFeatures, outputFeatures } from "./features.ts";
import { giantsOf, hoistsAtOnce, type LinearSplit, placeOf, splitLinear, sumLevel } from "./linear-split.ts";

/** Rotations that are alive at a time. */
const rotationsAtOnce = 16;

/**
 * Partial sums of the outputs in `part`, in its order: for each the rows of all giant steps, two
 * polynomials over QP a row.
 */
export function linearSums(
  environment: Environment,
  program: Pick<Program, "tensors" | "geometry">,
  operation: LinearOperation,
  input: readonly (Ciphertext | undefined)[],
  part: Part,
  fold: (index: number) => FoldedWeights,
): PartialSum[][] {
  const { geometry, tensors } = program;
  const level = operation.level as number;
  const source = tensors[operation.inputs[0] as string] as Tensor;
  const split = splitLinear(program, operation);
  const terms = part.summed ?? Array.from({ length: source.count }, (_, i) => i);
  const { parameters } = environment.evaluator.context;
  const sums = part.outputs.map((indices, o): Row[][] => {
    const level = sumLevel(program, operation, o);
    const scale = environment.scale * parameters.levelModulus(level);
    const parts = (): Row["parts"] =>
      split.basis === "QP" ? environment.zeroExtended(level, scale).parts : environment.zeroSum(level);
    return indices.map(() => giantsOf(split, o).map(() => ({ parts: parts(), level, scale })));
  });
  const folded = part.outputs.map((indices, o) => (indices.length > 0 ? fold(o) : undefined));
  for (let block = 0; block < source.blocks; block++) {
    const here = part.outputs.map((indices, o) => {
      const { count } = tensors[operation.outputs[o] as string] as Tensor;
      return indices.flatMap((index, at) =>
        Math.floor(index / count) === block ? [{ at, place: index % count }] : [],
      );
    });
    if (here.every((places) => places.length === 0)) continue;
    const diagonalsOf = (term: number): Diagonal[] => {
      const diagonals: Diagonal[] = [];
      for (const [o, places] of here.entries()) {
        const weights = folded[o];
        if (weights === undefined) continue;
        const output = tensors[operation.outputs[o] as string] as Tensor;
        const giants = giantsOf(split, o);
        const block = { weights, input: source, output };
        for (const { at, place } of places)
          addDiagonals(
            diagonals,
            sums[o]?.[at] as Row[],
            split,
            giants,
            blockDiagonals(geometry, split, block, place, term),
          );
      }
      return diagonals;
    };
    const turning = terms.map(
      (term): Turning => ({
        operand: input[block * source.count + term] as Ciphertext,
        diagonals: diagonalsOf(term),
      }),
    );
    sumTurns(environment, turning, split, level);
  }
  return sums.map((outputs) =>
    outputs.map((rows) => {
      const { level, scale } = rows[0] as Row;
      const parts = rows.flatMap((row) => row.parts);
      return new PartialSum(parts, level, scale);
    }),
  );
}

/** Adds the diagonals of a block, with the rows that their products go to. */
function addDiagonals(
  diagonals: Diagonal[],
  rows: readonly Row[],
  split: LinearSplit,
  giants: readonly number[],
  block: readonly BlockDiagonal[],
): void {
  for (const { giant, baby, values } of block) {
    const row = rows[split.giants === "sums" ? giants.indexOf(giant) : 0] as Row;
    diagonals.push({ row, turn: split.giants === "inputs" ? giant : 0, baby, values });
  }
}

/** The output ciphertext of a total: giant steps, division by P (if over QP) and the level's modulus, bias. */
export function finishLinear(
  environment: Environment,
  program: Pick<Program, "tensors" | "geometry">,
  operation: LinearOperation,
  o: number,
  index: number,
  sum: PartialSum,
  fold: (index: number) => FoldedWeights,
): Ciphertext {
  const { geometry, tensors } = program;
  const output = tensors[operation.outputs[o] as string] as Tensor;
  const split = splitLinear(program, operation);
  const steps = split.basis === "QP" || split.giants === "sums";
  using product = steps ? giantSteps(environment, split, o, sum) : environment.rescaleSum(sum);
  const feature = outputFeatures(geometry, output);
  const { bias } = fold(o);
  const place = index % output.count;
  return environment.addVector(
    product,
    environment.lanes((lane) => {
      const f = feature(place, lane);
      return f === undefined ? 0 : (bias[f] ?? 0);
    }),
  );
}

/**
 * Rotated sums of the giant steps of output `o`, divided by P and the level's modulus. Sums over Q are switched as
 * they are; those that others are added to are made over QP.
 */
function giantSteps(environment: Environment, split: LinearSplit, o: number, sum: PartialSum): Ciphertext {
  const { evaluator, slots } = environment;
  const giants = giantsOf(split, o);
  const { level, scale } = sum;
  const outermost = [Math.min(0, ...giants), Math.max(0, ...giants)];
  const held: Disposable[] = [];
  const rows = new Map(
    giants.map((giant, g): readonly [number, Ciphertext | ExtendedCiphertext] => {
      const parts = sum.parts.slice(2 * g, 2 * g + 2) as [Poly, Poly];
      if (split.basis === "QP") return [giant, new ExtendedCiphertext(parts, level, scale, slots)];
      const narrow = new Ciphertext(parts, level, scale, slots);
      if (giant !== 0 && outermost.includes(giant)) return [giant, narrow];
      const extended = evaluator.extend(narrow);
      held.push(extended);
      return [giant, extended];
    }),
  );
  const total = rows.get(0) as ExtendedCiphertext;
  for (const sign of [1, -1]) {
    // Horner's rule from the outermost giant step inwards.
    for (let giant = sign * Math.max(0, ...giants.map((k) => sign * k)); giant !== 0; giant -= sign) {
      const inner = (giant === sign ? total : rows.get(giant - sign)) as ExtendedCiphertext;
      evaluator.accumulateRotated(inner, rows.get(giant) as Ciphertext | ExtendedCiphertext, sign * split.babySteps);
    }
  }
  const product = evaluator.modDownRescale(total);
  for (const extended of held) extended[Symbol.dispose]();
  return product;
}

/** A sum of products: two polynomials over QP or Q. */
interface Row {
  readonly parts: readonly [Poly, Poly];
  readonly level: number;
  readonly scale: number;
}

interface Diagonal {
  readonly row: Row;
  /** Giant step of the input, and baby step from there. */
  readonly turn: number;
  readonly baby: number;
  readonly values: Float64Array;
}

/** An input with the diagonals that it is multiplied by. */
interface Turning {
  readonly operand: Ciphertext;
  readonly diagonals: readonly Diagonal[];
}

/** rows += diagonals ⊙ rotations of their inputs, a few hoisted turns of inputs at a time. */
function sumTurns(
  environment: Environment,
  turning: readonly Turning[],
  { babySteps, basis }: LinearSplit,
  level: number,
): void {
  const { evaluator, slots } = environment;
  const waiting = turning.flatMap((input) => {
    const turns = [...new Set([0, ...input.diagonals.map(({ turn }) => turn)])];
    // Outwards from 0, since turns are made from one another.
    turns.sort((a, b) => Number(a < 0) - Number(b < 0) || Math.abs(a) - Math.abs(b));
    return turns.map((turn) => ({ input, turn }));
  });
  const chains = new Map<Turning, RotationChain>();
  while (waiting.length > 0) {
    const group = waiting.splice(0, hoistsAtOnce).map(({ input, turn }) => {
      const { operand, diagonals } = input;
      const chain = chains.get(input) ?? new RotationChain(evaluator, operand, level, slots, babySteps);
      chains.set(input, chain);
      return { turn: chain.at(turn), diagonals: byBabyStep(diagonals, turn), scale: operand.scale };
    });
    accumulate(environment, group, basis);
    for (const [input, chain] of chains) {
      const left = waiting.filter((one) => one.input === input).map(({ turn }) => turn);
      chain.keepFor(left);
      if (left.length === 0) chains.delete(input);
    }
  }
}

/** Diagonals of one turn, by baby step. */
type ByBabyStep = ReadonlyMap<number, readonly Diagonal[]>;

function byBabyStep(diagonals: readonly Diagonal[], turn: number): ByBabyStep {
  const found = new Map<number, Diagonal[]>();
  for (const diagonal of diagonals) {
    if (diagonal.turn !== turn) continue;
    const alike = found.get(diagonal.baby);
    if (alike === undefined) found.set(diagonal.baby, [diagonal]);
    else alike.push(diagonal);
  }
  return found;
}

/** Hoisted turns, the diagonals that their rotations are multiplied by, and the scale of the turned inputs. */
type Group = readonly { turn: Turn; diagonals: ByBabyStep; scale: number }[];

/**
 * rows += diagonals ⊙ rotations, by as many baby steps at a time as rotations may be alive. Turns
 * themselves come first, since half of each is not needed any more; inputs themselves come last, since
 * they are made over QP for it.
 */
function accumulate(environment: Environment, group: Group, basis: LinearSplit["basis"]): void {
  const babies = new Set(group.flatMap(({ diagonals }) => [...diagonals.keys()]));
  babies.delete(0);
  const ascending = [...babies].sort((a, b) => a - b);
  const atOnce = Math.max(1, Math.floor(rotationsAtOnce / group.length));
  const unrotated = (rotations: boolean): void => {
    const mine = group.filter(({ turn }) => turn.isRotation === rotations);
    multiplySums(environment, mine, [0], basis);
    for (const { turn } of mine) turn.settle();
  };
  unrotated(true);
  for (let first = 0; first < ascending.length; first += atOnce)
    multiplySums(environment, group, ascending.slice(first, first + atOnce), basis);
  unrotated(false);
}

/** rows += diagonals ⊙ rotations by these baby steps. */
function multiplySums(
  environment: Environment,
  group: Group,
  babies: readonly number[],
  basis: LinearSplit["basis"],
): void {
  const made: Rotated[] = [];
  const products = new Map<Row, RowProducts>();
  for (const step of babies) {
    const reading = group.filter(({ diagonals }) => diagonals.has(step));
    const turns = reading.map(({ turn }) => turn);
    const rotations = rotate(turns, step, basis);
    if (step !== 0) made.push(...rotations);
    for (const [i, { diagonals, scale }] of reading.entries()) {
      const rotated = rotations[i] as Rotated;
      for (const { row, values } of diagonals.get(step) as readonly Diagonal[]) {
        let terms = products.get(row);
        if (terms === undefined) products.set(row, (terms = new RowProducts(row, basis === "QP")));
        terms.add(environment, values, rotated, scale);
      }
    }
  }
  const { kernels } = environment.evaluator.context.ring;
  for (const { logRun, sums } of alikeSums(products.values())) kernels.multiplySums(sums, true, logRun);
  for (const terms of products.values()) terms.dispose();
  for (const rotated of made) rotated[Symbol.dispose]();
}

/** What is to be added to a row. */
class RowProducts {
  readonly row: Row;
  readonly #extended: boolean;
  readonly #plaintexts: Plaintext[] = [];
  readonly #rotated: Rotated[] = [];

  constructor(row: Row, extended: boolean) {
    this.row = row;
    this.#extended = extended;
  }

  get logRun(): number {
    return (this.#plaintexts[0] as Plaintext).logRun;
  }

  add({ evaluator }: Environment, values: Float64Array, rotated: Rotated, scale: number): void {
    const { row } = this;
    const options = { level: row.level, scale: row.scale / scale, use: "product", extended: this.#extended } as const;
    this.#plaintexts.push(evaluator.encode(values, options));
    this.#rotated.push(rotated);
  }

  /** Rows read the same rotations, those of lower levels their first limbs. */
  get sums(): ProductSums {
    const { parts } = this.row;
    const { length } = parts[0].moduli;
    const a: Limbs[] = [];
    const b0: Limbs[] = [];
    const b1: Limbs[] = [];
    for (let t = 0; t < this.#plaintexts.length; t++) {
      const rotated = this.#rotated[t] as Rotated;
      a.push((this.#plaintexts[t] as Plaintext).poly);
      b0.push((rotated.parts[0] as Poly).limbs(0, length));
      b1.push((rotated.parts[1] as Poly).limbs(0, length));
    }
    return { dst: parts, a, b: [b0, b1] };
  }

  dispose(): void {
    for (const plaintext of this.#plaintexts) plaintext.dispose();
  }
}

/** Sums that can be made together: at one level, with runs of one length. */
function alikeSums(products: Iterable<RowProducts>): Iterable<{ logRun: number; sums: ProductSums[] }> {
  const alike = new Map<string, { logRun: number; sums: ProductSums[] }>();
  for (const terms of products) {
    const { row, logRun, sums } = terms;
    const key = `${row.level} ${logRun}`;
    let like = alike.get(key);
    if (like === undefined) alike.set(key, (like = { logRun, sums: [] }));
    like.sums.push(sums);
  }
  return alike.values();
}

type Rotated = ExtendedCiphertext | Ciphertext;

/** Rotations by `steps`; the turns themselves for 0, which stay theirs. */
function rotate(turns: readonly Turn[], steps: number, basis: LinearSplit["basis"]): Rotated[] {
  const extended = basis === "QP";
  if (steps === 0) return turns.map((turn) => (extended ? turn.extended : turn.ciphertext));
  return extended ? Turn.rotateTogether(turns, steps) : Turn.rotateOverQ(turns, steps);
}

/** A diagonal, split into steps. */
interface BlockDiagonal {
  readonly giant: number;
  readonly baby: number;
  readonly values: Float64Array;
}

/** Non-zero diagonals that take input ciphertext `from` to output ciphertext `to`, shifted for their giant steps. */
function blockDiagonals(
  geometry: Geometry,
  split: LinearSplit,
  { weights, input, output }: { weights: FoldedWeights; input: Tensor; output: Tensor },
  to: number,
  from: number,
): BlockDiagonal[] {
  const { lanes } = geometry;
  const inputFeature = inputFeatures(geometry, input);
  const outputFeature = outputFeatures(geometry, output);
  const found = new Map<number, BlockDiagonal>();
  for (let lane = 0; lane < lanes; lane++) {
    const row = outputFeature(to, lane);
    if (row === undefined || row >= weights.rows) continue;
    for (let read = 0; read < lanes; read++) {
      const column = inputFeature(from, read);
      if (column === undefined || column >= weights.columns) continue;
      const weight = weights.at(row, column);
      if (weight === 0) continue;
      const k = read - lane;
      let diagonal = found.get(k);
      if (diagonal === undefined) {
        diagonal = { ...placeOf(split, k), values: new Float64Array(lanes) };
        found.set(k, diagonal);
      }
      // Sums are rotated after the product, weights before it.
      const ahead = split.giants === "sums" ? diagonal.giant * split.babySteps : 0;
      diagonal.values[modulo(lane + ahead, lanes)] = weight;
    }
  }
  return [...found.values()];
}

function modulo(k: number, n: number): number {
  return ((k % n) + n) % n;
}
