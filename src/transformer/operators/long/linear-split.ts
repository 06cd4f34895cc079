/**
 * How the diagonals of a linear layer of the long layout are split, k = giant·babySteps + baby, for few
 * rotations and few keys. A key that does not stay in memory costs more than a rotation by it.
 */
import { ciphertextsOf, type LinearOperation, type Program, type Tensor } from "../../../program/index.ts";
import { inputFeatures, laneSet, outputFeatures } from "./features.ts";

type Graph = Pick<Program, "tensors" | "geometry">;

/** Turns of inputs that are hoisted at a time: each key serves all of them. */
export const hoistsAtOnce = 8;

// Costs in rotations of a hoisted ciphertext over QP. They hardly depend on the level, since
// rotations, keys and their bytes alike grow with digits × limbs.

/** A ModDown of part 1, a ModUp and a rotation. */
const giantCost = 8.7;
/** Paging a key in at 0.38 s/GiB: half of it is expanded by ChaCha, half is copied. */
const pageCost = 4;
/** What a further key costs beside being paged in again: its making and its way to the device, over many runs. */
const keyCost = 8;
/** Keys that stay: 0.6 GiB at high levels, about what sums, operands and results leave of a device. */
const residentKeys = 16;
/** Ciphertexts over QP whose sums are made together. */
const sumsAtOnce = 64;

/** How the diagonals of an operation are split. Depends on the program alone, never on devices. */
export interface LinearSplit {
  /**
   * What giant steps rotate: inputs before their baby steps, or sums of products after them. None:
   * every diagonal is a baby step.
   */
  readonly giants: "none" | "inputs" | "sums";
  /** 0 without giant steps. */
  readonly babySteps: number;
  /** Diagonals that occur, by output of the operation. */
  readonly shifts: readonly (readonly number[])[];
}

/** Splits that have been found, by the tensors of a program. */
const found = new WeakMap<Program["tensors"], Map<string, LinearSplit>>();

/** The split that costs least for all of the operation. */
export function splitLinear(program: Graph, operation: LinearOperation): LinearSplit {
  const { inputs, outputs } = operation;
  const known = found.get(program.tensors) ?? new Map<string, LinearSplit>();
  found.set(program.tensors, known);
  const key = `${inputs.join()} → ${outputs.join()} ${program.geometry.lanes}`;
  const split = known.get(key) ?? cheapest(program, operation);
  known.set(key, split);
  return split;
}

/** Giant step and baby step of a diagonal. */
export function placeOf({ babySteps }: LinearSplit, k: number): { giant: number; baby: number } {
  const giant = babySteps === 0 ? 0 : Math.floor(k / babySteps);
  return { giant, baby: k - giant * babySteps };
}

/** Giant steps that rotate sums of output `o`, ascending; 0 is always among them. */
export function giantsOf(split: LinearSplit, o: number): number[] {
  if (split.giants !== "sums") return [0];
  return ascending([0, ...(split.shifts[o] as readonly number[]).map((k) => placeOf(split, k).giant)]);
}

function cheapest(program: Graph, operation: LinearOperation): LinearSplit {
  const { geometry, tensors } = program;
  const input = tensors[operation.inputs[0] as string] as Tensor;
  const outputs = operation.outputs.map((name) => tensors[name] as Tensor);
  const shifts = outputs.map((output) => shiftsOf(program, input, output));
  const splits: LinearSplit[] = [{ giants: "none", babySteps: 0, shifts }];
  for (let babySteps = 1; babySteps <= geometry.lanes; babySteps *= 2)
    splits.push({ giants: "sums", babySteps, shifts }, { giants: "inputs", babySteps, shifts });
  const costs = splits.map((split) => costOf(split, input, outputs));
  return splits[costs.indexOf(Math.min(...costs))] as LinearSplit;
}

/** In rotations of a hoisted ciphertext. What all splits have in common is left out. */
function costOf(split: LinearSplit, input: Tensor, outputs: readonly Tensor[]): number {
  const all = ascending(split.shifts.flat());
  const babies = new Set(all.map((k) => placeOf(split, k).baby));
  const giants = ascending([0, ...all.map((k) => placeOf(split, k).giant)]);
  const turns = (giants.at(-1) as number) - (giants[0] as number);
  const rows = outputs.map((output, o) => ciphertextsOf(output) * giantsOf(split, o).length);
  const blocks = Math.max(...outputs.map((output) => output.blocks));
  /** How often the inputs of a block are taken. */
  const passes = Math.max(blocks, Math.ceil(sum(rows) / sumsAtOnce));
  const babyKeys = babies.size - (babies.has(0) ? 1 : 0);
  const giantKeys = Number(giants[0] !== 0) + Number(giants.at(-1) !== 0);
  const paging = (hoists: number): number => {
    const keys = babyKeys + giantKeys;
    const rounds = passes * Math.ceil(hoists / hoistsAtOnce);
    return keyCost * keys + pageCost * (rounds - 1) * Math.max(0, keys - residentKeys);
  };
  if (split.giants === "inputs") {
    const rotations = all.filter((k) => placeOf(split, k).baby !== 0).length;
    return passes * input.count * (rotations + giantCost * turns) + paging(input.count * giants.length);
  }
  const afterwards = sum(rows) - sum(outputs.map(ciphertextsOf));
  return passes * input.count * babyKeys + giantCost * afterwards + paging(input.count);
}

function shiftsOf({ geometry }: Graph, input: Tensor, output: Tensor): number[] {
  const { lanes } = geometry;
  const read = laneSet(lanes, input.count, inputFeatures(geometry, input));
  const written = laneSet(lanes, output.count, outputFeatures(geometry, output));
  return ascending(written.flatMap((lane) => read.map((from) => from - lane)));
}

function ascending(values: readonly number[]): number[] {
  return [...new Set(values)].sort((a, b) => a - b);
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
