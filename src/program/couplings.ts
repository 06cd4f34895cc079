/**
 * How operations couple the axes of what they read. Placement follows from this table alone: an
 * operation is local where no axis that is spread over devices is coupled; otherwise the coupling says
 * which collective it needs.
 *
 * - `pointwise`: element i of the output reads element i of the input
 * - `reduced`: every output is a sum over the axis; partial sums are enough
 * - `gathered`: every output reads the whole axis
 * - `shifted`: every output reads a neighbour
 *
 * Application axes: `axis` is what the ciphertexts of the input's block are indexed by (feature,
 * dimension or diagonal), `block` the token block. Encryption axes: `limb` is gathered by whatever
 * changes the basis (key switching, rescaling, bootstrapping), `coefficient` by whatever transforms
 * or permutes (the NTTs around a change of basis, automorphisms).
 */
import type { Geometry } from "./layout.ts";
import { diagonalAt } from "./layout.ts";
import { bootstrapPairs } from "./pairs.ts";
import { type Part, range } from "./part.ts";
import { ciphertextsOf, type Operation, type OperationKind, type Program, type Tensor } from "./program.ts";
import { shapeOf } from "./shape.ts";

export type Coupling = "pointwise" | "reduced" | "gathered" | "shifted";

/** Couplings of one input. */
export interface InputCoupling {
  readonly axis: Coupling;
  readonly block: Coupling;
}

export interface OperationCoupling {
  readonly inputs: readonly InputCoupling[];
  readonly limb: Coupling;
  readonly coefficient: Coupling;
}

const pointwise: InputCoupling = { axis: "pointwise", block: "pointwise" };
const reduced: InputCoupling = { axis: "reduced", block: "pointwise" };
const gathered: InputCoupling = { axis: "gathered", block: "gathered" };

/** One or more inputs; the last entry stands for all that follow. */
function coupling(inputs: readonly InputCoupling[], ring: Coupling = "gathered"): OperationCoupling {
  return { inputs, limb: ring, coefficient: ring };
}

/** The long layout. */
const long: Record<OperationKind, OperationCoupling> = {
  input: coupling([], "pointwise"),
  output: coupling([pointwise], "pointwise"),
  add: coupling([pointwise, pointwise], "pointwise"),
  polynomial: coupling([pointwise]),
  offset: coupling([pointwise]),
  mask: coupling([pointwise]),
  // The second factor may be one ciphertext for all of a block.
  multiply: coupling([pointwise, pointwise]),
  bootstrap: coupling([pointwise]),
  linear: coupling([reduced]),
  // Queries of their own block, keys of all blocks: a diagonal says which.
  scores: coupling([reduced, { axis: "reduced", block: "gathered" }]),
  denominators: coupling([reduced]),
  context: coupling([reduced, { axis: "pointwise", block: "gathered" }]),
  "square-sum": coupling([reduced]),
  replicate: coupling([pointwise]),
  expand: coupling([gathered]),
};

/** The short layout: attention is inside few ciphertexts, which are read whole. */
const short: Record<OperationKind, OperationCoupling> = {
  ...long,
  linear: coupling([gathered]),
  scores: coupling([gathered, gathered]),
  expand: coupling([gathered]),
  denominators: coupling([gathered]),
  context: coupling([gathered, gathered]),
  "square-sum": coupling([gathered]),
};

/** The table's entry of an operation. */
export function couplingOf({ layout }: Pick<Geometry, "layout">, kind: OperationKind): OperationCoupling {
  return (layout === "long" ? long : short)[kind];
}

/** The coupling of input `i`. */
export function inputCoupling(entry: OperationCoupling, i: number): InputCoupling {
  return entry.inputs[Math.min(i, entry.inputs.length - 1)] as InputCoupling;
}

/** What parts read, by geometry and shape of the operation: layers share their parts. */
const known = new WeakMap<Part, Map<Geometry, Map<string, readonly (readonly number[])[]>>>();

/** Numbers of the ciphertexts of each input that a part reads, ascending: the table, ciphertext by ciphertext. */
export function readsOf(
  program: Pick<Program, "tensors" | "geometry">,
  operation: Operation,
  part: Part,
): readonly (readonly number[])[] {
  let byGeometry = known.get(part);
  if (byGeometry === undefined) known.set(part, (byGeometry = new Map()));
  let byShape = byGeometry.get(program.geometry);
  if (byShape === undefined) byGeometry.set(program.geometry, (byShape = new Map()));
  const shape = shapeOf(program, operation);
  let reads = byShape.get(shape);
  if (reads === undefined) byShape.set(shape, (reads = lookUp(program, operation, part)));
  return reads;
}

function lookUp(program: Pick<Program, "tensors" | "geometry">, operation: Operation, part: Part): number[][] {
  const { geometry, tensors } = program;
  const entry = couplingOf(geometry, operation.kind);
  if (part.outputs.every((indices) => indices.length === 0)) return operation.inputs.map(() => []);
  if (operation.kind === "bootstrap") return bootstrapReads(program, operation, part);
  return operation.inputs.map((name, i) => {
    const input = tensors[name] as Tensor;
    const { axis, block } = inputCoupling(entry, i);
    const terms = axis === "reduced" ? (part.summed ?? range(input.count)) : range(input.count);
    const across = block === "pointwise" ? undefined : blocksAcross(geometry, operation, input, part);
    const read = new Set<number>();
    const wholeBlocks = new Set<number>();
    for (const [o, indices] of part.outputs.entries()) {
      const { count } = tensors[operation.outputs[o] as string] as Tensor;
      for (const index of indices) {
        const place = index % count;
        const blocks = across === undefined ? [Math.floor(index / count)] : across(place);
        for (const b of blocks) {
          if (axis === "pointwise") read.add(b * input.count + (input.count === 1 ? 0 : place));
          else wholeBlocks.add(b);
        }
      }
    }
    for (const b of wholeBlocks) for (const place of terms) read.add(b * input.count + place);
    return [...read].sort((x, y) => x - y);
  });
}

/** Blocks of an input that is read across blocks, by place of the output. */
function blocksAcross(
  geometry: Geometry,
  operation: Operation,
  input: Tensor,
  part: Part,
): (place: number) => readonly number[] {
  // A diagonal is of one block of keys; a context sums those of the diagonals that it is given.
  if (operation.kind === "scores" && geometry.layout === "long")
    return (place) => [diagonalAt(geometry, place).keyBlock];
  const all =
    operation.kind === "context" && geometry.layout === "long" && part.summed !== undefined
      ? [...new Set(part.summed.map((index) => diagonalAt(geometry, index).keyBlock))]
      : range(input.blocks);
  return () => all;
}

/** Whole pairs, wherever their members lie. */
function bootstrapReads({ tensors }: Pick<Program, "tensors">, operation: Operation, part: Part): number[][] {
  const inputs = operation.inputs.map((name) => tensors[name] as Tensor);
  const wanted = part.outputs.map((indices) => new Set(indices));
  const read = inputs.map(() => new Set<number>());
  for (const pair of bootstrapPairs(inputs)) {
    if (!pair.some(({ tensor, index }) => wanted[tensor]?.has(index))) continue;
    for (const { tensor, index } of pair) read[tensor]?.add(index);
  }
  return read.map((set) => [...set].sort((a, b) => a - b));
}

/** Numbers of all ciphertexts of a tensor. */
export function allOf(tensor: Tensor): number[] {
  return range(ciphertextsOf(tensor));
}

/** Places along the axis of these ciphertexts, ascending. */
export function axisPlaces(tensor: Pick<Tensor, "count">, numbers: readonly number[]): number[] {
  return [...new Set(numbers.map((number) => number % tensor.count))].sort((a, b) => a - b);
}
