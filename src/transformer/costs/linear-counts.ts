/**
 * How many diagonals the blocks of a linear layer of the long layout have, and which rotations they
 * read, by kinds of ciphertexts: those that hold features in the same lanes are of one kind. All
 * weights count as other than zero.
 */
import type { LinearOperation, Part, Program, Tensor } from "../../program/index.ts";
import { giantsOf, type LinearSplit, placeOf, splitLinear } from "../operators/long/linear-split.ts";

type Graph = Pick<Program, "tensors" | "geometry">;

/** Lanes that hold features, one entry for each kind, and the kind of each place of the tensor. */
interface Kinds {
  readonly lanes: readonly (readonly number[])[];
  readonly kindOf: Uint16Array;
}

/** What partial sums of a part are made of. */
export interface LinearUnits {
  readonly zeros: number;
  readonly terms: number;
  /** Rows to be cleared and terms, by output. */
  readonly byOutput: readonly { readonly zeros: number; readonly terms: number }[];
  /** Rotations that are not the operand itself, of operands or of what was turned before. */
  readonly downs: number;
  /** Those among them whose operand is not rotated. */
  readonly lifted: number;
  /** Operands that are rotated. */
  readonly operands: number;
  /** Rotations of operands by steps (0 too), with how often each is made. */
  readonly rotations: ReadonlyMap<number, number>;
  /** Operands turned by giant steps, hoisted again. */
  readonly turns: number;
  /** Rotations of those, by steps other than 0. */
  readonly furtherRotations: ReadonlyMap<number, number>;
}

/** Rotations of one operand by two levels of steps. */
interface Rotations {
  readonly own: ReadonlySet<number>;
  /** How many turns are hoisted again. */
  readonly turns: number;
  /** With how many turns are rotated by each. */
  readonly further: ReadonlyMap<number, number>;
  /** Rotations that are multiplied, other than by 0. */
  readonly downs: number;
}

interface Pair {
  readonly shifts: ReadonlySet<number>;
  /** Diagonals whose operand is not rotated. */
  readonly lifted: number;
}

/** Counts for one linear operation, at any level. */
export class LinearCounts {
  readonly split: LinearSplit;
  readonly #giants: readonly number[];
  readonly #input: Kinds;
  readonly #outputs: readonly Kinds[];
  readonly #counts: readonly number[];
  /** By kind of input, output and kind of output. */
  readonly #pairs = new Map<string, Pair>();
  readonly #unions = new Map<string, Rotations>();

  constructor(program: Graph, operation: LinearOperation) {
    const outputs = operation.outputs.map((name) => program.tensors[name] as Tensor);
    this.split = splitLinear(program, operation);
    this.#giants = outputs.map((_, o) => giantsOf(this.split, o).length);
    this.#input = kinds(program, program.tensors[operation.inputs[0] as string] as Tensor, false);
    this.#outputs = outputs.map((output) => kinds(program, output, output.content === "single"));
    this.#counts = outputs.map(({ count }) => count);
  }

  /** Numbers of one output by their kind. */
  byKind(o: number, indices: readonly number[]): Map<number, number[]> {
    const { kindOf } = this.#outputs[o] as Kinds;
    const found = new Map<number, number[]>();
    for (const index of indices) {
      const kind = kindOf[index % (this.#counts[o] as number)] as number;
      const list = found.get(kind);
      if (list === undefined) found.set(kind, [index]);
      else list.push(index);
    }
    return found;
  }

  /** Terms of each giant step of a kind of output: rotated ones, unrotated ones alone, or none. */
  rows(o: number, kind: number): ("rotated" | "lifted" | "none")[] {
    const shifts = this.#input.lanes.flatMap((_, input) => [...this.#pair(input, o, kind).shifts]);
    return giantsOf(this.split, o).map((giant) => {
      const mine = shifts.filter((k) => this.split.giants !== "sums" || placeOf(this.split, k).giant === giant);
      if (mine.length === 0) return "none";
      return mine.every((k) => this.#isLifted(k)) ? "lifted" : "rotated";
    });
  }

  of(part: Part): LinearUnits {
    const terms = tally(part.summed?.map((i) => this.#input.kindOf[i] as number) ?? this.#input.kindOf);
    const places = part.outputs.map((indices, o) => {
      const { kindOf } = this.#outputs[o] as Kinds;
      const total = this.#counts[o] as number;
      const byBlock = new Map<number, Map<number, number>>();
      for (const index of indices) {
        const block = Math.floor(index / total);
        let here = byBlock.get(block);
        if (here === undefined) byBlock.set(block, (here = new Map()));
        const kind = kindOf[index % total] as number;
        here.set(kind, (here.get(kind) ?? 0) + 1);
      }
      return byBlock;
    });
    const blocks = new Set(places.flatMap((byBlock) => [...byBlock.keys()]));
    const rotations = new Map<number, number>();
    const furtherRotations = new Map<number, number>();
    const byOutput = part.outputs.map((indices, o) => ({
      zeros: indices.length * (this.#giants[o] as number),
      terms: 0,
    }));
    let turns = 0;
    let downs = 0;
    let lifted = 0;
    let operands = 0;
    for (const block of blocks) {
      const present = places.flatMap((byBlock, o) =>
        [...(byBlock.get(block) ?? [])].map(([kind, n]) => ({ o, kind, n })),
      );
      for (const [term, times] of terms) {
        operands += times;
        for (const { o, kind, n } of present) {
          const pair = this.#pair(term, o, kind);
          (byOutput[o] as { terms: number }).terms += times * n * pair.shifts.size;
          lifted += times * n * pair.lifted;
        }
        const made = this.#union(term, present);
        turns += times * made.turns;
        downs += times * made.downs;
        for (const steps of made.own) count(rotations, steps, times);
        for (const [steps, turned] of made.further) count(furtherRotations, steps, times * turned);
      }
    }
    const zeros = byOutput.reduce((sum, one) => sum + one.zeros, 0);
    const diagonals = byOutput.reduce((sum, one) => sum + one.terms, 0);
    return { zeros, terms: diagonals, byOutput, downs, lifted, operands, rotations, turns, furtherRotations };
  }

  #pair(input: number, o: number, kind: number): Pair {
    const key = `${input} ${o} ${kind}`;
    let pair = this.#pairs.get(key);
    if (pair === undefined) {
      const shifts = new Set<number>();
      const { lanes } = this.#outputs[o] as Kinds;
      for (const lane of lanes[kind] as readonly number[])
        for (const read of this.#input.lanes[input] as readonly number[]) shifts.add(read - lane);
      pair = { shifts, lifted: [...shifts].filter((k) => this.#isLifted(k)).length };
      this.#pairs.set(key, pair);
    }
    return pair;
  }

  /** Whether a diagonal multiplies the operand as it is. */
  #isLifted(k: number): boolean {
    return this.split.giants === "sums" ? placeOf(this.split, k).baby === 0 : k === 0;
  }

  #union(input: number, present: readonly { o: number; kind: number }[]): Rotations {
    const key = `${input}: ${[...new Set(present.map(({ o, kind }) => `${o} ${kind}`))].sort().join()}`;
    let union = this.#unions.get(key);
    if (union === undefined) {
      union = this.#rotations(new Set(present.flatMap(({ o, kind }) => [...this.#pair(input, o, kind).shifts])));
      this.#unions.set(key, union);
    }
    return union;
  }

  #rotations(shifts: ReadonlySet<number>): Rotations {
    const places = [...shifts].map((k) => placeOf(this.split, k));
    const downs = [...shifts].filter((k) => k !== 0).length;
    if (this.split.giants !== "inputs") {
      const own = new Set(places.map(({ baby }) => baby));
      return { own, turns: 0, further: new Map(), downs: own.size - Number(own.has(0)) };
    }
    const own = new Set<number>();
    const further = new Map<number, number>();
    for (const { giant, baby } of places) {
      if (giant === 0) own.add(baby);
      else if (baby !== 0) count(further, baby, 1);
    }
    // Either way every turn is made from the one before it, the first from the operand.
    const giants = places.map(({ giant }) => giant);
    let turns = 0;
    for (const sign of [1, -1]) {
      const furthest = Math.max(0, ...giants.map((giant) => sign * giant));
      if (furthest > 0) own.add(sign * this.split.babySteps);
      if (furthest > 1) count(further, sign * this.split.babySteps, furthest - 1);
      turns += furthest;
    }
    return { own, turns, further, downs };
  }
}

function kinds({ geometry }: Graph, tensor: Tensor, firstGroupOnly: boolean): Kinds {
  const { lanes: all, width, heads } = geometry;
  const features = tensor.features ?? Number.POSITIVE_INFINITY;
  const holds = (index: number, lane: number): boolean =>
    tensor.axis === "dimension"
      ? lane % width < heads && !(firstGroupOnly && lane >= width)
      : index * all + lane < features;
  const lanes: number[][] = [];
  const known = new Map<string, number>();
  const kindOf = Uint16Array.from({ length: tensor.count }, (_, index) => {
    const list: number[] = [];
    for (let lane = 0; lane < all; lane++) if (holds(index, lane)) list.push(lane);
    const key = list.join();
    const kind = known.get(key) ?? lanes.push(list) - 1;
    known.set(key, kind);
    return kind;
  });
  return { lanes, kindOf };
}

function tally(values: Iterable<number>): Map<number, number> {
  const counts = new Map<number, number>();
  for (const value of values) count(counts, value, 1);
  return counts;
}

function count(counts: Map<number, number>, key: number, times: number): void {
  counts.set(key, (counts.get(key) ?? 0) + times);
}
