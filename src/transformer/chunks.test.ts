/** Chunks of operations: nothing is left out, nothing is made twice, and memory is bounded. */
import { describe, expect, test } from "vitest";
import { geometryOf } from "../../test/support/geometry.ts";
import { bootParameters, smallModel } from "../../test/support/transformer.ts";
import { ciphertextsOf, describeOperation, type Operation, range, type Tensor } from "../program/index.ts";
import { chunksOf, cutResults } from "./chunks.ts";
import { buildGraph } from "./graph/index.ts";

const shape = { hidden: 8, heads: 2, inner: 20, tokens: 32 };
const geometry = geometryOf({ shape, tokens: 16, spread: 1, long: { lanes: 4, blocks: 2, babySteps: 2 } });
const { checkpoint, calibration } = smallModel(shape);
const graph = buildGraph(checkpoint.config, calibration, geometry, 27);
const parameters = bootParameters(8);
const level = 4;
const operations = graph.operations
  .filter(({ kind }) => kind !== "input" && kind !== "output")
  .map((operation) => ({ ...operation, level }) as Operation);
const byKind = (kind: Operation["kind"]): Operation => operations.find((one) => one.kind === kind) as Operation;

/** Bytes of the sum of one score: three polynomials. */
const scoreBytes = 3 * parameters.limbs(level) * parameters.degree * 4;

describe.each([1, 5 * scoreBytes, 2 ** 30])("chunks of %i bytes", (bytes) => {
  test("hold every result once, in order", () => {
    for (const operation of operations) {
      const chunks = chunksOf(graph, operation, parameters, bytes);
      for (const [o, name] of operation.outputs.entries()) {
        const all = chunks.flatMap(({ outputs }) => outputs[o] as readonly number[]);
        expect(all, describeOperation(operation)).toEqual(range(ciphertextsOf(graph.tensors[name] as Tensor)));
      }
    }
  });

  test("go from token block to token block", () => {
    const operation = byKind("linear");
    const blocks = chunksOf(graph, operation, parameters, bytes).map(({ outputs }) =>
      outputs.flatMap((list, o) => {
        const { count } = graph.tensors[operation.outputs[o] as string] as Tensor;
        return list.map((number) => Math.floor(number / count));
      }),
    );
    expect(new Set(blocks.flat()).size).toBe(geometry.blocks);
    for (const [i, next] of blocks.slice(1).entries())
      expect(Math.max(...(blocks[i] as number[]))).toBeLessThanOrEqual(Math.min(...next));
  });

  test("hold whole rows of scores, no more than fit", () => {
    for (const { outputs } of chunksOf(graph, byKind("scores"), parameters, bytes)) {
      const [indices] = outputs as [readonly number[]];
      expect(indices.length % geometry.babySteps).toBe(0);
      expect(indices.length).toBeLessThanOrEqual(Math.max(geometry.babySteps, Math.floor(bytes / scoreBytes)));
    }
  });
});

test("what sums nothing, or sums few results, is not cut", () => {
  for (const kind of ["polynomial", "context", "denominators", "square-sum"] as const)
    expect(chunksOf(graph, byKind(kind), parameters, 1)).toHaveLength(1);
});

test("scores with fewer giant steps than baby steps are cut by columns, those of a device that has few rows as well", () => {
  const wide = geometryOf({ shape, tokens: 32, spread: 1, long: { lanes: 2, blocks: 1, babySteps: 8 } });
  const { operations, tensors } = buildGraph(checkpoint.config, calibration, wide, 32);
  const scores = operations.find(({ kind }) => kind === "scores") as Operation;
  const count = ciphertextsOf(tensors[scores.outputs[0] as string] as Tensor);
  expect(count).toBe(32);
  for (const numbers of [range(count), range(count).slice(0, 16)]) {
    const chunks = cutResults({ tensors, geometry: wide }, scores, [numbers], 2).map(([list]) => list as number[]);
    expect(chunks.flat().sort((a, b) => a - b)).toEqual(numbers);
    for (const chunk of chunks) {
      expect(new Set(chunk.map((number) => number % wide.babySteps)).size).toBe(4);
      expect(new Set(chunk.map((number) => Math.floor(number / wide.babySteps))).size).toBe(numbers.length / 8);
    }
  }
  // Rows that are cut stay rows.
  const cut = cutResults({ tensors, geometry: wide }, scores, [range(12)], 2).map(([list]) => list);
  expect(cut).toEqual([range(8), [8, 9, 10, 11]]);
});
