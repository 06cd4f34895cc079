/**
 * Runs one operation of a program, or a part of it, on ciphertexts: real ones, or those of the null
 * backend. Tensors are lists of ciphertexts by number (block·count + i) with holes where a part does
 * not need them.
 */
import { AegisError } from "../../base/errors.ts";
import type { Ciphertext } from "../../ckks/index.ts";
import { type Operation, type Part, type Program, range, type Tensor, wholePart } from "../../program/index.ts";
import type { FoldedWeights } from "../weights.ts";
import { bootstrap } from "./bootstrap.ts";
import type { Environment } from "./environment.ts";
import { contextSums, contextsAtOnce, finishContext } from "./long/context.ts";
import { denominatorSums, finishDenominators } from "./long/denominators.ts";
import { finishLinear, linearSums } from "./long/linear.ts";
import { giantsOf, splitLinear, sumLevel } from "./long/linear-split.ts";
import { mask, offset } from "./long/mask.ts";
import { finishScores, scoreSums } from "./long/scores.ts";
import { finishSquareSum, squareSums } from "./long/square-sum.ts";
import { multiply, polynomial } from "./pointwise.ts";
import { context, denominators, expand, replicate, scores } from "./short/attention.ts";
import { linear } from "./short/linear.ts";
import { squareSum } from "./short/square-sum.ts";
import type { PartialSum } from "./sum.ts";

/** What an operation may ask for besides its inputs. */
export interface Constants {
  /** Weights of layer `index` of a linear operation. */
  weights(operation: Extract<Operation, { kind: "linear" }>, index: number): FoldedWeights;
}

/** Ciphertexts of a tensor by number. */
export type Shard = readonly (Ciphertext | undefined)[];

/** What parts of programs are executed with. */
type Graph = Pick<Program, "tensors" | "geometry">;

/** Operations that sum over ciphertexts of an input, so that parts of the sum may be made apart. */
const summing: readonly Operation["kind"][] = ["linear", "scores", "context", "denominators", "square-sum"];

/** Whether the operation can be run by {@link partialSums} and {@link finishSum}. */
export function isSumming({ geometry }: Graph, operation: Operation): boolean {
  return geometry.layout === "long" && summing.includes(operation.kind);
}

/** What a partial sum is made of. */
export interface SumShape {
  readonly polynomials: number;
  /** Over QP, or over Q. */
  readonly extended: boolean;
  readonly level: number;
}

/** A partial sum of output `o`. */
export function sumShape(program: Graph, operation: Operation, o: number): SumShape {
  const level = operation.level as number;
  switch (operation.kind) {
    case "linear": {
      const split = splitLinear(program, operation);
      const polynomials = 2 * giantsOf(split, o).length;
      return { polynomials, extended: split.basis === "QP", level: sumLevel(program, operation, o) };
    }
    case "context":
    case "denominators":
      return { polynomials: 2, extended: true, level };
    default:
      return { polynomials: 3, extended: false, level };
  }
}

/** Results whose sums are made one after another, since they share little: sums take more memory than results. */
function apart(operation: Operation, outputs: Part["outputs"]): Part["outputs"][] {
  const [first] = outputs;
  if (operation.kind !== "context" || first === undefined || first.length === 0) return [outputs];
  return range(Math.ceil(first.length / contextsAtOnce)).map((k) => [
    first.slice(k * contextsAtOnce, (k + 1) * contextsAtOnce),
  ]);
}

/**
 * Results of a part, for each output in the order of the part's numbers; the caller disposes of them.
 * Inputs are left unchanged.
 */
export function executeOperation(
  environment: Environment,
  program: Graph,
  operation: Operation,
  inputs: readonly Shard[],
  constants: Constants,
  part: Part = wholePart(program, operation),
): Ciphertext[][] {
  if (isSumming(program, operation)) {
    const results = part.outputs.map((): Ciphertext[] => []);
    for (const outputs of apart(operation, part.outputs)) {
      const sums = partialSums(environment, program, operation, inputs, constants, { ...part, outputs });
      for (const [o, list] of sums.entries())
        for (const [at, partial] of list.entries()) {
          using sum = partial;
          const index = outputs[o]?.[at] as number;
          results[o]?.push(finishSum(environment, program, operation, o, index, sum, constants));
        }
    }
    return results;
  }
  const level = operation.level as number;
  const [first, second] = inputs;
  const one = (index: number): Ciphertext => inputs[index]?.[0] as Ciphertext;
  const each = (apply: (index: number) => Ciphertext): Ciphertext[][] => [(part.outputs[0] ?? []).map(apply)];
  switch (operation.kind) {
    case "input":
    case "output":
      return [];
    case "replicate": {
      using at = environment.at(one(0), level);
      return [[replicate(environment, at)]];
    }
    case "linear":
      return linear(environment, program, operation, first as readonly Ciphertext[], part, (index) =>
        constants.weights(operation, index),
      );
    case "add":
      return each((i) => environment.evaluator.add(first?.[i] as Ciphertext, second?.[i] as Ciphertext));
    case "scores":
      return [scores(environment, operation, one(0), one(1), part.outputs[0] as readonly number[])];
    case "polynomial":
      return each((i) => polynomial(environment, operation, first?.[i] as Ciphertext, place(program, operation, i)));
    case "offset":
      return each((i) => offset(environment, first?.[i] as Ciphertext, level));
    case "mask":
      return each((i) => mask(environment, operation, first?.[i] as Ciphertext, place(program, operation, i).block));
    case "expand":
      return [expand(environment, operation, first as readonly Ciphertext[], part.outputs[0] as readonly number[])];
    case "denominators":
      return [[denominators(environment, operation, first as readonly Ciphertext[])]];
    case "context":
      return [[context(environment, level, first as readonly Ciphertext[], one(1))]];
    case "multiply": {
      const other = program.tensors[operation.inputs[1] as string] as Tensor;
      // A factor with one ciphertext a block multiplies all of the block.
      return each((i) => {
        const { block } = place(program, operation, i);
        const factor = second?.[other.count === 1 ? block : i] as Ciphertext;
        return multiply(environment, level, first?.[i] as Ciphertext, factor);
      });
    }
    case "square-sum":
      return [[squareSum(environment, operation, one(0))]];
    case "bootstrap":
      return bootstrap(environment, program, operation, inputs, part);
  }
}

/** Partial sums of a part of a summing operation, for each output in the part's order. */
export function partialSums(
  environment: Environment,
  program: Graph,
  operation: Operation,
  inputs: readonly Shard[],
  constants: Constants,
  part: Part,
): PartialSum[][] {
  const [first, second] = inputs as readonly [Shard, Shard];
  switch (operation.kind) {
    case "linear":
      return linearSums(environment, program, operation, first, part, (index) => constants.weights(operation, index));
    case "scores":
      return [scoreSums(environment, operation, first, second, part)];
    case "context":
      return [contextSums(environment, operation, first, second, part)];
    case "denominators":
      return [denominatorSums(environment, operation, first, part)];
    case "square-sum": {
      const { count } = program.tensors[operation.inputs[0] as string] as Tensor;
      return [squareSums(environment, operation, first, count, part)];
    }
    default:
      throw new AegisError("internal", `${operation.kind}: sums over nothing`);
  }
}

/** What follows the sum: ciphertext `index` of output `o`. The sum's memory may be used up but stays its own. */
export function finishSum(
  environment: Environment,
  program: Graph,
  operation: Operation,
  o: number,
  index: number,
  sum: PartialSum,
  constants: Constants,
): Ciphertext {
  switch (operation.kind) {
    case "linear": {
      const made = finishLinear(environment, program, operation, o, index, sum, (i) => constants.weights(operation, i));
      // Of several outputs some may be read at lower levels than others.
      const { level = made.level } = program.tensors[operation.outputs[o] as string] as Tensor;
      if (level >= made.level) return made;
      using high = made;
      return environment.at(high, level);
    }
    case "scores":
      return finishScores(environment, operation, sum);
    case "context":
      return finishContext(environment, sum);
    case "denominators":
      return finishDenominators(environment, operation, sum);
    case "square-sum":
      return finishSquareSum(environment, operation, sum);
    default:
      throw new AegisError("internal", `${operation.kind}: sums over nothing`);
  }
}

/** Block and place of ciphertext `index` of an operation's first output. */
function place({ tensors }: Graph, operation: Operation, index: number): { block: number; place: number } {
  const { count } = tensors[operation.outputs[0] as string] as Tensor;
  return { block: Math.floor(index / count), place: index % count };
}
