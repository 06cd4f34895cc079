/**
 * How a device takes an operation of the long layout: few results at a time, for its memory. Operands
 * are rotated anew for every chunk.
 */
import type { Parameters } from "../ckks/index.ts";
import { type Operation, type Part, type Program, range, type Tensor, wholePart } from "../program/index.ts";
import { isSumming, sumShape } from "./operators/execute.ts";

/** Results whose sums take about this much are made together. */
export const defaultChunkBytes = 2 ** 30;

type Ring = Pick<Parameters, "degree" | "limbs" | "specialCount">;

/**
 * Results that take `bytes` together as sums or as they are, or as many as there are where nothing is kept for long.
 * Scores come in whole rows of baby steps.
 */
export function chunkSize(
  program: Pick<Program, "tensors" | "geometry">,
  operation: Operation,
  ring: Ring,
  bytes: number,
): number {
  // Their operands go one by one as results come.
  if (operation.kind === "offset" || operation.kind === "mask")
    return Math.max(1, Math.floor(bytes / (4 * ring.degree * 2 * ring.limbs(operation.level as number))));
  if (!isSumming(program, operation) || (operation.kind !== "linear" && operation.kind !== "scores"))
    return Number.POSITIVE_INFINITY;
  const largest = Math.max(
    ...operation.outputs.map((_, o) => {
      const { polynomials, extended, level } = sumShape(program, operation, o);
      return polynomials * (ring.limbs(level) + (extended ? ring.specialCount : 0));
    }),
  );
  const unit = rowOf(program, operation);
  return Math.max(unit, Math.floor(bytes / (4 * ring.degree * largest) / unit) * unit);
}

/**
 * Results cut into `count` chunks of whole rows, or of whole columns, as even as that allows: [chunk][output].
 * Those of one token block follow one another, since chunks of several blocks have the inputs of each to
 * rotate.
 */
export function cutResults(
  program: Pick<Program, "tensors" | "geometry">,
  operation: Operation,
  results: readonly (readonly number[])[],
  count: number,
): number[][][] {
  const columns = columnsOf(program, operation, results);
  const unit = columns?.height ?? rowOf(program, operation);
  const blockOf = ({ o, number }: { o: number; number: number }): number =>
    Math.floor(number / (program.tensors[operation.outputs[o] as string] as Tensor).count);
  const all = (columns === undefined ? results : [columns.numbers])
    .flatMap((list, o) => list.map((number) => ({ o, number })))
    .sort((a, b) => blockOf(a) - blockOf(b));
  const units = Math.ceil(all.length / unit);
  return range(count).map((chunk) => {
    const from = unit * Math.floor((chunk * units) / count);
    const taken = all.slice(from, unit * Math.floor(((chunk + 1) * units) / count));
    return results.map((_, o) =>
      taken
        .filter((one) => one.o === o)
        .map(({ number }) => number)
        .sort((a, b) => a - b),
    );
  });
}

/**
 * Scores by columns, where that means fewer rotations: a chunk of rows rotates keys by all baby steps anew, a
 * chunk of columns queries by all giant steps. Undefined where rows are as good, or cut.
 */
function columnsOf(
  { geometry }: Pick<Program, "geometry">,
  { kind }: Operation,
  [numbers = []]: readonly (readonly number[])[],
): { readonly numbers: readonly number[]; readonly height: number } | undefined {
  const { babySteps, blocks, layout } = geometry;
  if (kind !== "scores" || layout !== "long" || blocks > 1) return undefined;
  const height = numbers.length / babySteps;
  const rows = new Set(numbers.map((number) => Math.floor(number / babySteps)));
  if (height >= babySteps || rows.size !== height) return undefined;
  return { numbers: numbers.toSorted((a, b) => (a % babySteps) - (b % babySteps) || a - b), height };
}

/** Parts that are an operation together, for one device. */
export function chunksOf(
  program: Pick<Program, "tensors" | "geometry">,
  operation: Operation,
  ring: Ring,
  bytes = defaultChunkBytes,
): Part[] {
  const { outputs } = wholePart(program, operation);
  const size = chunkSize(program, operation, ring, bytes);
  const total = outputs.reduce((sum, list) => sum + list.length, 0);
  const count = Math.max(1, Math.ceil(total / size));
  return cutResults(program, operation, outputs, count).map((chunk) => ({ outputs: chunk }));
}

function rowOf({ geometry }: Pick<Program, "geometry">, operation: Operation): number {
  return operation.kind === "scores" && geometry.layout === "long" ? geometry.babySteps : 1;
}
