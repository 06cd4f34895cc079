/**
 * Every encrypted operator against the plaintext twin: the graph of a small model is taken apart,
 * each operation gets fresh encryptions of the twin's values, and every slot of its results that
 * means something is compared.
 */
import { describe, expect, test } from "vitest";
import { Fixture, sharedBackend } from "../../../test/support/ckks.ts";
import { geometryOf, longCases } from "../../../test/support/geometry.ts";
import { coveredDiagonals, largestDifference, slotVectors, sumGroups } from "../../../test/support/slots.ts";
import { LazyKeys, type Shape, type SmallModel, smallModel } from "../../../test/support/transformer.ts";
import { type Ciphertext, Context, Evaluator, type ParametersSpec } from "../../ckks/index.ts";
import { embed } from "../../model/index.ts";
import {
  describeOperation,
  expandedCount,
  type Geometry,
  type Operation,
  scoreBlocks,
  scoreCount,
  type Tensor,
} from "../../program/index.ts";
import { buildGraph, type UnscheduledProgram } from "../graph/index.ts";
import { Twin } from "../twin.ts";
import { foldWeights } from "../weights.ts";
import { Environment } from "./environment.ts";
import { executeOperation } from "./execute.ts";

const spec: ParametersSpec = {
  name: "insecure-operators",
  logN: 11,
  logBase: 58,
  logLevels: new Array<number>(9).fill(50),
  logSpecial: [29, 29, 29, 29],
  logScale: 50,
  secret: { kind: "ternary" },
  insecure: true,
};

/** The largest error allowed of any slot. */
const tolerance = 2 ** -30;

interface Case {
  readonly title: string;
  readonly shape: Shape;
  readonly tokens: number;
  readonly length: number;
  /** Lanes a token over the width of a hidden vector. */
  readonly spread: number;
  /** Long layout. */
  readonly long?: { readonly lanes: number; readonly blocks: number; readonly babySteps: number };
}

const small = { hidden: 8, heads: 2, inner: 20 };
const cases: readonly Case[] = [
  { title: "no spare lanes, diagonals in blocks", shape: small, tokens: 4, length: 3, spread: 1 },
  { title: "no spare lanes, several ciphertexts of scores", shape: small, tokens: 16, length: 11, spread: 1 },
  { title: "two groups, several ciphertexts of scores", shape: small, tokens: 16, length: 13, spread: 2 },
  { title: "four groups", shape: small, tokens: 8, length: 5, spread: 4 },
  { title: "more groups than tokens", shape: small, tokens: 2, length: 1, spread: 4 },
  { title: "a full text", shape: small, tokens: 8, length: 8, spread: 2 },
  {
    title: "three heads, features that leave lanes empty",
    shape: { hidden: 12, heads: 3, inner: 40 },
    tokens: 8,
    length: 7,
    spread: 2,
  },
  {
    title: "three heads without spare lanes",
    shape: { hidden: 12, heads: 3, inner: 40 },
    tokens: 4,
    length: 3,
    spread: 1,
  },
  {
    title: "one head, several groups of lanes for the inner layer",
    shape: { hidden: 4, heads: 1, inner: 30 },
    tokens: 4,
    length: 3,
    spread: 4,
  },
  { title: "heads of one feature", shape: { hidden: 4, heads: 4, inner: 6 }, tokens: 4, length: 3, spread: 2 },
  {
    title: "long: four groups, padding",
    shape: small,
    tokens: 16,
    length: 13,
    spread: 1,
    long: { lanes: 8, blocks: 1, babySteps: 2 },
  },
  {
    title: "long: one group, three heads in four lanes, no padding",
    shape: { hidden: 12, heads: 3, inner: 20 },
    tokens: 8,
    length: 8,
    spread: 1,
    long: { lanes: 4, blocks: 1, babySteps: 4 },
  },
  {
    title: "long: two blocks, two groups, one baby step",
    shape: small,
    tokens: 8,
    length: 11,
    spread: 1,
    long: { lanes: 4, blocks: 2, babySteps: 1 },
  },
  {
    title: "long: giant steps of inputs",
    ...longCases.turnedInputs,
  },
  {
    title: "long: products summed over Q",
    ...longCases.manyOutputs,
  },
  {
    title: "long: giant steps of sums over Q",
    ...longCases.rotatedSums,
  },
  {
    title: "long: more groups than tokens",
    shape: small,
    tokens: 2,
    length: 2,
    spread: 1,
    long: { lanes: 8, blocks: 1, babySteps: 1 },
  },
];

const short = cases.filter(({ long }) => long === undefined);

class Bench {
  readonly model: SmallModel;
  readonly graph: UnscheduledProgram;
  readonly geometry: Geometry;
  readonly environment: Environment;
  readonly #fixture: Fixture;
  readonly #length: number;
  readonly #twin: Twin;
  readonly #masked: ReadonlySet<string>;

  constructor(context: Context, one: Case) {
    const { shape, length } = one;
    this.model = smallModel(shape);
    this.geometry = geometryOf(one);
    this.graph = buildGraph(this.model.checkpoint.config, this.model.calibration, this.geometry, length);
    this.#fixture = new Fixture(context, 5);
    const keys = new LazyKeys(context, this.#fixture.generator, this.#fixture.secret);
    this.environment = new Environment(new Evaluator(context, keys), this.geometry, length);
    this.#twin = new Twin(this.model.checkpoint);
    this.#length = length;
    this.#masked = new Set(
      this.graph.operations
        .filter(({ kind }) => kind === "polynomial" || kind === "expand" || kind === "mask")
        .flatMap(({ outputs }) =>
          outputs[0]?.endsWith("value.masked") ? [...outputs, "layer0.value.offset"] : outputs,
        ),
    );
  }

  tensor(name: string): Tensor {
    return this.graph.tensors[name] as Tensor;
  }

  /** What the twin stores under a name. */
  stored(name: string): Float64Array {
    const { norm } = this.tensor(name);
    const program = { ...this.graph, output: name, classes: Number.POSITIVE_INFINITY };
    return this.#twin
      .run(program, embed(this.model.checkpoint, this.model.ids(this.#length)))
      .logits.map((x) => x / norm);
  }

  vectors(name: string, undefinedAs: number): Float64Array[] {
    const rows = { data: this.stored(name), length: this.#length };
    return slotVectors(this.tensor(name), this.geometry, rows, this.#masked.has(name), undefinedAs);
  }

  encrypt(name: string, level: number): Ciphertext[] {
    return this.vectors(name, 0.75).map((values) => this.#fixture.encrypt(values, level));
  }

  /** Runs the operation on encryptions one level above the lowest, and gives its largest error. */
  run(operation: Operation): { error: number; levels: number[]; outputs: Float64Array[][] } {
    const level = operation.depth + 1;
    const inputs = operation.inputs.map((name, i) => this.encrypt(name, level + (operation.kind === "add" ? 0 : i)));
    const results = executeOperation(this.environment, this.graph, { ...operation, level } as Operation, inputs, {
      weights: (linear, index) => foldWeights(linear.weights[index], this.model.checkpoint),
    });
    const decrypted = results.map((list) => list.map((a) => this.#fixture.decryptor.decrypt(a)));
    let error = 0;
    for (const [i, name] of operation.outputs.entries()) {
      for (const [part, expected] of this.expected(operation, name).entries()) {
        const got = decrypted[i][part];
        const grouped = this.tensor(name).content === "grouped";
        const sum = (values: Float64Array): Float64Array => (grouped ? sumGroups(values, this.geometry) : values);
        error = Math.max(
          error,
          largestDifference(sum(expected), sum(got.real)),
          largestDifference(new Float64Array(expected.length), got.imaginary),
        );
      }
    }
    const levels = results.flat().map((a) => a.level);
    for (const a of [...inputs, ...results].flat()) a.dispose();
    return { error, levels, outputs: decrypted.map((list) => list.map(({ real }) => real)) };
  }

  /** NaN where anything may stand. */
  expected(operation: Operation, name: string): Float64Array[] {
    const { lanes, width, layout, tokens } = this.geometry;
    const vectors = this.vectors(name, Number.NaN);
    if (layout === "long") {
      const { count } = this.tensor(name);
      return vectors.map((values, index) =>
        values.map((value, slot) => {
          if (operation.kind !== "polynomial") return value;
          if (operation.mask === "first-token" && (slot >= lanes || index >= count)) return 0;
          // An unmasked polynomial has a value at zero.
          return value === 0 && slot < tokens * lanes ? Number.NaN : value;
        }),
      );
    }
    const hidden = this.model.checkpoint.config.hiddenSize;
    return vectors.map((values, part) =>
      values.map((value, slot) => {
        const lane = slot % lanes;
        const token = Math.floor(slot / lanes);
        if (operation.kind === "polynomial" && operation.mask === "first-token" && token > 0) return 0;
        // Constants are added to every slot, and an unmasked polynomial has a value at zero.
        if (operation.kind === "scores") return value === 0 ? Number.NaN : value;
        if (operation.kind === "polynomial" && operation.mask === "none")
          return lane + part * lanes < this.columns(name) ? value : Number.NaN;
        // Lanes between the features and the width: only zeros of the operand count there.
        if (lane >= hidden && lane < width && !["expand", "replicate", "linear", "add"].includes(operation.kind))
          return Number.NaN;
        return value;
      }),
    );
  }

  columns(name: string): number {
    return this.stored(name).length / this.#length;
  }
}

describe.each(cases)("$title ($tokens tokens, $length real)", (one) => {
  test("every operation of the model is what the twin computes", async () => {
    const bench = new Bench(new Context(spec, await sharedBackend()), one);
    for (const operation of bench.graph.operations) {
      if (operation.kind === "input" || operation.kind === "output") continue;
      const place = describeOperation(operation);
      const { error, levels } = bench.run(operation);
      expect(error, place).toBeLessThan(tolerance);
      expect(new Set(levels), place).toEqual(new Set([1]));
    }
  });

  test.skipIf(one.long !== undefined)("the diagonals cover every pair of tokens once", () => {
    const geometry = geometryOf(one);
    const diagonals = coveredDiagonals(geometry);
    expect(new Set(diagonals.map((r) => r % one.tokens)).size).toBe(one.tokens);
    expect(diagonals.length).toBe(one.tokens);
  });
});

test("the cases reach what they are named for", () => {
  const geometry = (index: number): Geometry => geometryOf(short[index]);
  expect(scoreBlocks(geometry(0))).toBeGreaterThan(1);
  expect(scoreCount(geometry(1))).toBeGreaterThan(1);
  expect(expandedCount(geometry(2))).toBeGreaterThan(geometry(2).headSize);
  expect(expandedCount(geometry(3))).toBe(2);
  expect(expandedCount(geometry(4))).toBe(1);
});
