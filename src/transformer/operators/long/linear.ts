/**
 * Linear layers of the long layout: a matrix of blocks over input and output ciphertexts, each block
 * by its diagonals over the lanes of a token. Weights depend on the lane only, so a diagonal encodes
 * into the subring of degree 2·lanes. Rotations that would cross a token's border have no weight.
 *
 * Products are summed over QP. Diagonals are split into baby steps and giant steps, which rotate the
 * inputs before or the sums afterwards: the fewer ciphertexts are rotated more. Keys pass by outermost:
 * several inputs and their giant steps are hoisted, and one baby step of all of them follows another.
 */
import { RotationChain, Turn } from "../../../circuits/index.ts";
import { type Ciphertext, ExtendedCiphertext, type Plaintext } from "../../../ckks/index.ts";
import type { Limbs, ProductSums } from "../../../kernels/index.ts";
import type { Geometry, LinearOperation, Part, Program, Tensor } from "../../../program/index.ts";
import type { FoldedWeights } from "../../weights.ts";
import type { Environment } from "../environment.ts";
import { PartialSum } from "../sum.ts";
import { inputFeatures, outputFeatures } from "./features.ts";
import { giantsOf, hoistsAtOnce, type LinearSplit, placeOf, splitLinear } from "./linear-split.ts";

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
  const scale = environment.scale * environment.evaluator.context.parameters.levelModulus(level);
  const sums = part.outputs.map((indices, o) =>
    indices.map(() => giantsOf(split, o).map(() => environment.zeroExtended(level, scale))),
  );
  const folded = part.outputs.map((indices, o) => (indices.length > 0 ? fold(o) : undefined));
  for (let block = 0; block < source.blocks; block++) {
    const here = part.outputs.map((indices, o) => {
      const { count } = tensors[operation.outputs[o] as string] as Tensor;
      return indices.flatMap((index, at) =>
        Math.floor(index / count) === block ? [{ at, place: index % count }] : [],
      );
    });
    if (here.every((places) => places.length === 0)) continue;
    const turning = terms.map((term): Turning => {
      const diagonals: Diagonal[] = [];
      for (const [o, places] of here.entries()) {
        const weights = folded[o];
        if (weights === undefined) continue;
        const output = tensors[operation.outputs[o] as string] as Tensor;
        const giants = giantsOf(split, o);
        for (const { at, place } of places) {
          const rows = sums[o]?.[at] as ExtendedCiphertext[];
          for (const { giant, baby, values } of blockDiagonals(
            geometry,
            split,
            { weights, input: source, output },
            place,
            term,
          )) {
            const after = split.giants === "sums" ? giants.indexOf(giant) : 0;
            const row = rows[after] as ExtendedCiphertext;
            diagonals.push({ row, turn: split.giants === "inputs" ? giant : 0, baby, values });
          }
        }
      }
      return { operand: input[block * source.count + term] as Ciphertext, diagonals };
    });
    sumTurns(environment, turning, split.babySteps, level, scale);
  }
  return sums.map((outputs) =>
    outputs.map(
      (rows) =>
        new PartialSum(
          rows.flatMap((row) => row.parts),
          level,
          scale,
        ),
    ),
  );
}

/** The output ciphertext of a total: giant steps, division by P and the level's modulus, bias. */
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
  const { evaluator } = environment;
  const output = tensors[operation.outputs[o] as string] as Tensor;
  const split = splitLinear(program, operation);
  const giants = giantsOf(split, o);
  const rows = new Map(
    giants.map((giant, g) => [
      giant,
      new ExtendedCiphertext(
        [sum.parts[2 * g], sum.parts[2 * g + 1]] as unknown as ExtendedCiphertext["parts"],
        sum.level,
        sum.scale,
        environment.slots,
      ),
    ]),
  );
  const total = rows.get(0) as ExtendedCiphertext;
  for (const sign of [1, -1]) {
    // Horner's rule from the outermost giant step inwards.
    for (let giant = sign * Math.max(0, ...giants.map((k) => sign * k)); giant !== 0; giant -= sign) {
      const inner = giant === sign ? total : (rows.get(giant - sign) as ExtendedCiphertext);
      evaluator.accumulateRotated(inner, rows.get(giant) as ExtendedCiphertext, sign * split.babySteps);
    }
  }
  using product = evaluator.modDownRescale(total);
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

interface Diagonal {
  readonly row: ExtendedCiphertext;
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
  step: number,
  level: number,
  scale: number,
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
      const chain = chains.get(input) ?? new RotationChain(evaluator, operand, level, slots, step);
      chains.set(input, chain);
      return {
        turn: chain.at(turn),
        diagonals: diagonals.filter((diagonal) => diagonal.turn === turn),
        scale: scale / operand.scale,
      };
    });
    accumulate(environment, group, level);
    for (const [input, chain] of chains) {
      const left = waiting.filter((one) => one.input === input).map(({ turn }) => turn);
      chain.keepFor(left);
      if (left.length === 0) chains.delete(input);
    }
  }
}

/** Hoisted turns, the diagonals that their rotations are multiplied by, and the scale of these. */
type Group = readonly { turn: Turn; diagonals: readonly Diagonal[]; scale: number }[];

/**
 * rows += diagonals ⊙ rotations, by as many baby steps at a time as rotations may be alive. Turns
 * themselves come first, since half of each is not needed any more; inputs themselves come last, since
 * they are made over QP for it.
 */
function accumulate(environment: Environment, group: Group, level: number): void {
  const babies = new Set(group.flatMap(({ diagonals }) => diagonals.map(({ baby }) => baby)));
  babies.delete(0);
  const ascending = [...babies].sort((a, b) => a - b);
  const atOnce = Math.max(1, Math.floor(rotationsAtOnce / group.length));
  const unrotated = (rotations: boolean): void => {
    const mine = group.filter(({ turn }) => turn.isRotation === rotations);
    multiplySums(environment, mine, [0], level);
    for (const { turn } of mine) turn.settle();
  };
  unrotated(true);
  for (let first = 0; first < ascending.length; first += atOnce)
    multiplySums(environment, group, ascending.slice(first, first + atOnce), level);
  unrotated(false);
}

/** rows += diagonals ⊙ rotations by these baby steps. */
function multiplySums(environment: Environment, group: Group, babies: readonly number[], level: number): void {
  const { kernels } = environment.evaluator.context.ring;
  const made: ExtendedCiphertext[] = [];
  const byRow = new Map<ExtendedCiphertext, { plaintexts: Plaintext[]; b0: Limbs[]; b1: Limbs[] }>();
  for (const step of babies) {
    const reading = group.flatMap(({ turn, diagonals, scale }) => {
      const mine = diagonals.filter(({ baby }) => baby === step);
      return mine.length === 0 ? [] : [{ turn, mine, scale }];
    });
    const turns = reading.map(({ turn }) => turn);
    const rotations = step === 0 ? turns.map((turn) => turn.extended) : Turn.rotateTogether(turns, step);
    if (step !== 0) made.push(...rotations);
    for (const [i, { mine, scale }] of reading.entries()) {
      const rotated = rotations[i] as ExtendedCiphertext;
      for (const { row, values } of mine) {
        const terms = byRow.get(row) ?? { plaintexts: [], b0: [], b1: [] };
        terms.plaintexts.push(environment.encoder.encode(values, { level, scale, use: "product", extended: true }));
        terms.b0.push(rotated.parts[0]);
        terms.b1.push(rotated.parts[1]);
        byRow.set(row, terms);
      }
    }
  }
  // Rows read the same rotations; their diagonals are in the same subring.
  const byRun = new Map<number, ProductSums[]>();
  for (const [{ parts }, { plaintexts, b0, b1 }] of byRow) {
    const { logRun } = plaintexts[0] as Plaintext;
    const sums = byRun.get(logRun) ?? [];
    sums.push({ dst: parts, a: plaintexts.map(({ poly }) => poly), b: [b0, b1] });
    byRun.set(logRun, sums);
  }
  for (const [logRun, sums] of byRun) kernels.multiplySums(sums, true, logRun);
  for (const { plaintexts } of byRow.values()) for (const plaintext of plaintexts) plaintext.dispose();
  for (const rotated of made) rotated[Symbol.dispose]();
}

/** Non-zero diagonals that take input ciphertext `from` to output ciphertext `to`, shifted for their giant steps. */
function blockDiagonals(
  geometry: Geometry,
  split: LinearSplit,
  { weights, input, output }: { weights: FoldedWeights; input: Tensor; output: Tensor },
  to: number,
  from: number,
): { giant: number; baby: number; values: Float64Array }[] {
  const { lanes } = geometry;
  const inputFeature = inputFeatures(geometry, input);
  const outputFeature = outputFeatures(geometry, output);
  const found = new Map<number, { giant: number; baby: number; values: Float64Array }>();
  for (let lane = 0; lane < lanes; lane++) {
    const row = outputFeature(to, lane);
    if (row === undefined || row >= weights.rows) continue;
    for (let read = 0; read < lanes; read++) {
      const column = inputFeature(from, read);
      if (column === undefined || column >= weights.columns) continue;
      const weight = weights.matrix[row * weights.columns + column] as number;
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
