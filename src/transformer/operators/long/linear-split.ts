/**
 * How the diagonals of a linear layer of the long layout are split, k = giant·babySteps + baby, for few
 * rotations and few keys. A key that does not stay in memory costs more than a rotation by it.
 */
import { ciphertextsOf, type LinearOperation, type Program, range, type Tensor } from "../../../program/index.ts";
import { inputFeatures, laneSet, outputFeatures } from "./features.ts";

type Graph = Pick<Program, "tensors" | "geometry">;

/** Turns of inputs that are hoisted at a time: each key serves all of them. */
export const hoistsAtOnce = 4;

// Costs in rotations of a hoisted ciphertext over QP. They hardly depend on the level, since
// rotations, keys and their bytes alike grow with digits × limbs.

/** A ModDown of part 1, a ModUp and a rotation. */
const giantCost = 8.7;
/** A ModDown of both parts. */
const downCost = 3.2;
/** What a product costs more over QP than over Q. */
const productCost = 0.08;
/** Paging a key in at 0.38 s/GiB: half of it is expanded by ChaCha, half is copied. */
const pageCost = 4;
/** What a further key costs beside being paged in again: its making and its way to the device, over many runs. */
const keyCost = 8;
/** Keys that stay: 0.6 GiB at high levels, about what sums, operands and results leave of a device. */
const residentKeys = 16;
/**
 * Sums that are made together, each row of giant steps one of them. Over QP they lie at the operation's level with
 * all special primes; over Q at that of their output, and devices that share an operation out hold a share of them.
 */
const sumsAtOnce = { QP: 64, Q: 512 };
/**
 * What a further row of sums costs that devices may have to send one another, where a layer has fewer outputs than
 * inputs and is summed where its inputs are. Tried from 0 to 80 on plans of BERT-Base at 2048 tokens for four
 * devices: without it they send nearly twice as much for feed-forward, and take 0.3 % less time.
 */
const rowCost = 60;

/** How the diagonals of an operation are split. Depends on the program alone, never on devices. */
export interface LinearSplit {
  /**
   * What giant steps rotate: inputs before their baby steps, or sums of products after them. None:
   * every diagonal is a baby step.
   */
  readonly giants: "none" | "inputs" | "sums";
  /**
   * What products are summed over: QP, with one ModDown for each sum, or Q, with one for each rotation,
   * where many outputs read the same rotations. Over Q every output is summed at its own level.
   */
  readonly basis: "QP" | "Q";
  /** 0 without giant steps. */
  readonly babySteps: number;
  /** Diagonals that occur, by output of the operation. */
  readonly shifts: readonly (readonly number[])[];
}

/** Splits that have been found: by the tensors of a program, and by shapes, which layers and candidates share. */
const found = new WeakMap<Program["tensors"], Map<string, LinearSplit>>();
const byShape = new Map<string, LinearSplit>();

/** The split that costs least for all of the operation. */
export function splitLinear(program: Graph, operation: LinearOperation): LinearSplit {
  const { inputs, outputs } = operation;
  const known = found.get(program.tensors) ?? new Map<string, LinearSplit>();
  found.set(program.tensors, known);
  const names = `${inputs.join()} → ${outputs.join()} ${program.geometry.lanes}`;
  let split = known.get(names);
  if (split === undefined) {
    const shape = shapeOf(program, operation);
    split = byShape.get(shape) ?? cheapest(program, operation);
    byShape.set(shape, split);
    known.set(names, split);
  }
  return split;
}

/** All that a split depends on. */
function shapeOf({ tensors, geometry }: Graph, { inputs, outputs }: LinearOperation): string {
  const { lanes, width, heads, headSize } = geometry;
  const shapes = [inputs[0] as string, ...outputs].map((name) => {
    const { content, axis, blocks, count, features } = tensors[name] as Tensor;
    return [content, axis, blocks, count, features];
  });
  return JSON.stringify([lanes, width, heads, headSize, shapes]);
}

/** Level that sums of output `o` are made at: the operation's, or over Q that of the output and one. */
export function sumLevel(program: Graph, operation: LinearOperation, o: number): number {
  const level = operation.level as number;
  if (splitLinear(program, operation).basis === "QP") return level;
  const { level: kept } = program.tensors[operation.outputs[o] as string] as Tensor;
  return Math.min(level, (kept ?? level) + 1);
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
  const splits: LinearSplit[] = [];
  for (const basis of ["QP", "Q"] as const) splits.push({ giants: "none", basis, babySteps: 0, shifts });
  for (let babySteps = 1; babySteps <= geometry.lanes; babySteps *= 2) {
    for (const giants of ["sums", "inputs"] as const)
      for (const basis of ["QP", "Q"] as const) splits.push({ giants, basis, babySteps, shifts });
  }
  const costs = splits.map((split) => costOf(split, input, outputs));
  return splits[costs.indexOf(Math.min(...costs))] as LinearSplit;
}

/** In rotations of a hoisted ciphertext. What all splits have in common is left out. */
function costOf(split: LinearSplit, input: Tensor, outputs: readonly Tensor[]): number {
  const rows = outputs.map((_, o) => giantsOf(split, o).length);
  const passes = passesOf(outputs, Math.max(1, Math.floor(sumsAtOnce[split.basis] / Math.max(...rows))));
  const all = stepsOf(split, range(outputs.length));
  const keys = all.babies.size + Number(all.least < 0) + Number(all.most > 0);
  let cost = keyCost * keys;
  let rounds = 0;
  for (const [key, times] of passes) {
    const { rotations, babies, least, most, places } = stepsOf(split, key.split(" ").map(Number));
    const turned = split.giants === "inputs";
    if (split.basis === "Q") cost += times * input.count * downCost * (turned ? places : babies.size);
    cost += times * input.count * (turned ? rotations + giantCost * (most - least) : babies.size);
    rounds += times * Math.ceil((input.count * (turned ? most - least + 1 : 1)) / hoistsAtOnce);
  }
  cost += pageCost * (rounds - 1) * Math.max(0, keys - residentKeys);
  if (split.basis === "QP") {
    const diagonals = outputs.map((output, o) => ciphertextsOf(output) * (split.shifts[o] as readonly number[]).length);
    cost += productCost * input.count * diagonals.reduce((sum, n) => sum + n, 0);
  }
  const count = outputs.reduce((sum, output) => sum + ciphertextsOf(output), 0);
  const further = outputs.reduce((sum, output, o) => sum + ciphertextsOf(output) * ((rows[o] as number) - 1), 0);
  return cost + (giantCost + (count < ciphertextsOf(input) ? rowCost : 0)) * further;
}

/** Steps by which inputs are rotated for some of the outputs; giant steps from `least` to `most`. */
function stepsOf(split: LinearSplit, outputs: readonly number[]) {
  const places = ascending(outputs.flatMap((o) => split.shifts[o] as readonly number[])).map((k) => placeOf(split, k));
  const rotated = places.map(({ baby }) => baby).filter((baby) => baby !== 0);
  const giants = places.map(({ giant }) => giant);
  return {
    rotations: rotated.length,
    /** That are not the inputs themselves. */
    places: places.filter(({ giant, baby }) => giant !== 0 || baby !== 0).length,
    babies: new Set(rotated),
    least: Math.min(0, ...giants),
    most: Math.max(0, ...giants),
  };
}

/**
 * Passes over the inputs of a token block, one for each block that a chunk of `size` ciphertexts has
 * outputs of: which outputs those are, with how often that occurs.
 */
function passesOf(outputs: readonly Tensor[], size: number): Map<string, number> {
  const blocks = Math.max(...outputs.map((output) => output.blocks));
  const ordered = range(blocks).flatMap((block) =>
    outputs.flatMap(({ blocks, count }, o) => (block < blocks ? range(count).map(() => ({ block, o })) : [])),
  );
  const chunks = Math.ceil(ordered.length / size);
  const passes = new Map<string, number>();
  for (let chunk = 0; chunk < chunks; chunk++) {
    const [from, to] = [chunk, chunk + 1].map((c) => Math.floor((c * ordered.length) / chunks));
    const present = new Map<number, Set<number>>();
    for (const { block, o } of ordered.slice(from, to)) present.set(block, (present.get(block) ?? new Set()).add(o));
    for (const set of present.values()) {
      const key = [...set].join(" ");
      passes.set(key, (passes.get(key) ?? 0) + 1);
    }
  }
  return passes;
}

function shiftsOf({ geometry }: Graph, input: Tensor, output: Tensor): number[] {
  const { lanes } = geometry;
  const read = laneSet(lanes, input.count, inputFeatures(geometry, input));
  const written = laneSet(lanes, output.count, outputFeatures(geometry, output));
  const shifts = new Set<number>();
  for (const lane of written) for (const from of read) shifts.add(from - lane);
  return ascending([...shifts]);
}

function ascending(values: readonly number[]): number[] {
  return [...new Set(values)].sort((a, b) => a - b);
}
