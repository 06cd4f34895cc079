/**
 * Linear layers of the long layout: a matrix of blocks over input and output ciphertexts, each block
 * by its diagonals over the lanes of a token. Weights depend on the lane only, so a diagonal encodes
 * into the subring of degree 2·lanes. Rotations that would cross a token's border have no weight.
 *
 * Products are summed over QP. Diagonals are split into baby steps, made once for each input
 * ciphertext, and giant steps, made once for each output: the fewer ciphertexts are rotated more.
 */
import { HoistedRotations } from "../../../circuits/index.ts";
import type { Ciphertext, Plaintext } from "../../../ckks/index.ts";
import { ExtendedCiphertext } from "../../../ckks/index.ts";
import type { Limbs } from "../../../kernels/index.ts";
import {
  ciphertextsOf,
  type Geometry,
  type LinearOperation,
  type Part,
  type Program,
  type Tensor,
} from "../../../program/index.ts";
import type { FoldedWeights } from "../../weights.ts";
import type { Environment } from "../environment.ts";
import { PartialSum } from "../sum.ts";

/** Rotations of one input that are alive at a time. */
const babiesAtOnce = 16;
/** Relative cost of a giant step (one key switch) to a baby step (one hoisted product). */
const giantCost = 6;

/** Feature that a lane of a ciphertext holds; undefined when it holds none, or when it is not to be written. */
type FeatureAt = (index: number, lane: number) => number | undefined;

/** How the diagonals of an operation are split. Depends on the program alone, never on devices. */
export interface LinearSplit {
  /** 0: every diagonal is a baby step. */
  readonly babySteps: number;
  /** Diagonals that occur, by output of the operation. */
  readonly shifts: readonly (readonly number[])[];
}

/** Splits that have been found, by the tensors of a program. */
const found = new WeakMap<Program["tensors"], Map<string, LinearSplit>>();

/** Least rotations for all of the operation. */
export function splitLinear(program: Pick<Program, "tensors" | "geometry">, operation: LinearOperation): LinearSplit {
  const { inputs, outputs } = operation;
  const known = found.get(program.tensors) ?? new Map<string, LinearSplit>();
  found.set(program.tensors, known);
  const key = `${inputs.join()} → ${outputs.join()} ${program.geometry.lanes}`;
  const split = known.get(key) ?? leastRotations(program, operation);
  known.set(key, split);
  return split;
}

function leastRotations(program: Pick<Program, "tensors" | "geometry">, operation: LinearOperation): LinearSplit {
  const { geometry, tensors } = program;
  const input = tensors[operation.inputs[0] as string] as Tensor;
  const outputs = operation.outputs.map((name) => tensors[name] as Tensor);
  const shifts = outputs.map((output) => shiftsOf(geometry, input, output));
  const blocks = Math.max(...outputs.map((output) => output.blocks));
  let best = 0;
  let least = input.count * blocks * new Set(shifts.flat()).size;
  for (let babySteps = 1; babySteps <= geometry.lanes; babySteps *= 2) {
    const babies = new Set(shifts.flat().map((k) => modulo(k, babySteps))).size;
    const giants = outputs.map(
      (output, o) => ciphertextsOf(output) * (new Set(shifts[o]?.map((k) => Math.floor(k / babySteps))).size - 1),
    );
    const cost = input.count * blocks * babies + giantCost * giants.reduce((sum, n) => sum + n, 0);
    if (cost < least) {
      least = cost;
      best = babySteps;
    }
  }
  return { babySteps: best, shifts };
}

/** Giant steps of output `o`, ascending; 0 is always among them. */
export function giantsOf({ babySteps, shifts }: LinearSplit, o: number): number[] {
  if (babySteps === 0) return [0];
  const giants = new Set((shifts[o] as readonly number[]).map((k) => Math.floor(k / babySteps)));
  giants.add(0);
  return [...giants].sort((a, b) => a - b);
}

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
    for (const term of terms) {
      const operand = input[block * source.count + term] as Ciphertext;
      using rotations = new HoistedRotations(environment.evaluator, operand, level, environment.slots);
      const diagonals: Diagonal[] = [];
      for (const [o, places] of here.entries()) {
        const weights = folded[o];
        if (weights === undefined) continue;
        const output = tensors[operation.outputs[o] as string] as Tensor;
        const giants = giantsOf(split, o);
        for (const { at, place } of places) {
          const block = blockDiagonals(geometry, split, { weights, input: source, output }, place, term);
          for (const { giant, baby, values } of block) {
            const rows = sums[o]?.[at] as ExtendedCiphertext[];
            const row = rows[giants.indexOf(giant)] as ExtendedCiphertext;
            diagonals.push({ row, baby, values });
          }
        }
      }
      accumulate(environment, rotations, diagonals, level, scale / operand.scale);
    }
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
  readonly baby: number;
  readonly values: Float64Array;
}

/** rows += diagonals ⊙ baby rotations, a few rotations at a time. */
function accumulate(
  environment: Environment,
  rotations: HoistedRotations,
  diagonals: readonly Diagonal[],
  level: number,
  scale: number,
): void {
  const { kernels } = environment.evaluator.context.ring;
  const babies = [...new Set(diagonals.map(({ baby }) => baby))].sort((a, b) => a - b);
  for (let first = 0; first < babies.length; first += babiesAtOnce) {
    const alive = new Set(babies.slice(first, first + babiesAtOnce));
    const byRow = new Map<ExtendedCiphertext, { plaintexts: Plaintext[]; b0: Limbs[]; b1: Limbs[] }>();
    for (const { row, baby, values } of diagonals) {
      if (!alive.has(baby)) continue;
      const { parts } = rotations.get(baby);
      const terms = byRow.get(row) ?? { plaintexts: [], b0: [], b1: [] };
      terms.plaintexts.push(environment.encoder.encode(values, { level, scale, use: "product", extended: true }));
      terms.b0.push(parts[0]);
      terms.b1.push(parts[1]);
      byRow.set(row, terms);
    }
    for (const [{ parts }, { plaintexts, b0, b1 }] of byRow) {
      const { logRun } = plaintexts[0] as Plaintext;
      kernels.multiplySumPair(
        parts[0],
        parts[1],
        plaintexts.map((p): Limbs => p.poly),
        b0,
        b1,
        true,
        logRun,
      );
      for (const plaintext of plaintexts) plaintext.dispose();
    }
    for (const baby of alive) rotations.release(baby);
  }
}

/** Non-zero diagonals that take input ciphertext `from` to output ciphertext `to`, shifted for their giant steps. */
function blockDiagonals(
  geometry: Geometry,
  { babySteps }: LinearSplit,
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
        const giant = babySteps === 0 ? 0 : Math.floor(k / babySteps);
        diagonal = { giant, baby: k - giant * babySteps, values: new Float64Array(lanes) };
        found.set(k, diagonal);
      }
      diagonal.values[modulo(lane + diagonal.giant * babySteps, lanes)] = weight;
    }
  }
  return [...found.values()];
}

function shiftsOf(geometry: Geometry, input: Tensor, output: Tensor): number[] {
  const { lanes } = geometry;
  const read = laneSet(lanes, input.count, inputFeatures(geometry, input));
  const written = laneSet(lanes, output.count, outputFeatures(geometry, output));
  const shifts = new Set<number>();
  for (const lane of written) for (const from of read) shifts.add(from - lane);
  return [...shifts].sort((a, b) => a - b);
}

function laneSet(lanes: number, count: number, feature: FeatureAt): number[] {
  const used: number[] = [];
  for (let lane = 0; lane < lanes; lane++) {
    for (let index = 0; index < count; index++) {
      if (feature(index, lane) === undefined) continue;
      used.push(lane);
      break;
    }
  }
  return used;
}

function inputFeatures(geometry: Geometry, tensor: Tensor): FeatureAt {
  return tensor.axis === "dimension" ? headFeatures(geometry, false) : wideFeatures(geometry, tensor);
}

function outputFeatures(geometry: Geometry, tensor: Tensor): FeatureAt {
  return tensor.axis === "dimension"
    ? headFeatures(geometry, tensor.content === "single")
    : wideFeatures(geometry, tensor);
}

function wideFeatures({ lanes }: Geometry, { features = Number.POSITIVE_INFINITY }: Tensor): FeatureAt {
  return (index, lane) => {
    const feature = index * lanes + lane;
    return feature < features ? feature : undefined;
  };
}

function headFeatures({ width, heads, headSize }: Geometry, firstGroupOnly: boolean): FeatureAt {
  return (index, lane) => {
    const head = lane % width;
    return head >= heads || (firstGroupOnly && lane >= width) ? undefined : head * headSize + index;
  };
}

function modulo(k: number, n: number): number {
  return ((k % n) + n) % n;
}
