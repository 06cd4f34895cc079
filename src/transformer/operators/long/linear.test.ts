/** Linear layers of the long layout: the split of diagonals, keys asked for, sums of parts. */
import { afterAll, describe, expect, test } from "vitest";
import { Fixture, sharedBackend, wordsOf } from "../../../../test/support/ckks.ts";
import { geometryOf, longCases } from "../../../../test/support/geometry.ts";
import { bootParameters, LazyKeys, smallModel } from "../../../../test/support/transformer.ts";
import { Ciphertext, Context, Evaluator } from "../../../ckks/index.ts";
import { NullBackend } from "../../../kernels/index.ts";
import {
  ciphertextsOf,
  type LinearOperation,
  type Part,
  range,
  type Tensor,
  wholePart,
} from "../../../program/index.ts";
import { emptyWeights, RecordingKeys } from "../../costs/index.ts";
import { buildGraph } from "../../graph/index.ts";
import { foldWeights } from "../../weights.ts";
import { Environment } from "../environment.ts";
import { sumShape } from "../execute.ts";
import type { PartialSum } from "../sum.ts";
import { finishLinear, linearSums } from "./linear.ts";
import { giantsOf, hoistsAtOnce, placeOf, splitLinear } from "./linear-split.ts";

const one = longCases.turnedInputs;
const { checkpoint, calibration } = smallModel(one.shape);
const graph = buildGraph(checkpoint.config, calibration, geometryOf(one), one.length);
const linears = graph.operations.filter((operation): operation is LinearOperation => operation.kind === "linear");
const [attention] = linears as [LinearOperation];
const tensor = (name: string): Tensor => graph.tensors[name] as Tensor;

afterAll(async () => (await sharedBackend()).dispose());

describe("split", () => {
  test("many outputs of few inputs: inputs are turned several times either way, more of them than are hoisted at a time", () => {
    const split = splitLinear(graph, attention);
    const giants = new Set(split.shifts.flat().map((k) => placeOf(split, k).giant));
    expect(split.giants).toBe("inputs");
    expect([...giants].sort((a, b) => a - b)).toEqual([-2, -1, 0, 1]);
    expect(tensor(attention.inputs[0] as string).count * giants.size).toBeGreaterThan(hoistsAtOnce);
    expect(attention.outputs.map((_, o) => giantsOf(split, o))).toEqual(attention.outputs.map(() => [0]));
  });

  test("few outputs of many inputs: sums are rotated", () => {
    const few = linears.find(({ inputs }) => tensor(inputs[0] as string).content === "grouped") as LinearOperation;
    expect(tensor(few.inputs[0] as string).count).toBeGreaterThan(ciphertextsOf(tensor(few.outputs[0] as string)));
    expect(splitLinear(graph, few).giants).toBe("sums");
  });

  test("giant and baby steps make up every diagonal", () => {
    for (const operation of linears) {
      const split = splitLinear(graph, operation);
      for (const k of split.shifts.flat()) {
        const { giant, baby } = placeOf(split, k);
        expect(giant * split.babySteps + baby).toBe(k);
        if (split.giants !== "none") expect(baby).toBeLessThan(split.babySteps);
      }
    }
  });
});

/** Keys in the order of their use when the sums of a part are made. */
function keysUsed(part: Part): string[] {
  const backend = new NullBackend();
  const context = new Context(bootParameters(one.logN), backend);
  const keys = new RecordingKeys(context, backend);
  const environment = new Environment(new Evaluator(context, keys), graph.geometry, graph.length);
  const operation = { ...attention, level: 5 };
  const count = ciphertextsOf(tensor(attention.inputs[0] as string));
  const inputs = range(count).map(() => environment.evaluator.zero(5, environment.scale, environment.slots));
  linearSums(environment, graph, operation, inputs, part, (o) => emptyWeights(graph, operation, o));
  return keys.sequence.map(({ name }) => name);
}

test("keys: those of baby steps and of one giant step either way, one after another for all hoisted turns", () => {
  const used = keysUsed(wholePart(graph, attention));
  const split = splitLinear(graph, attention);
  const babies = new Set(split.shifts.flat().map((k) => placeOf(split, k).baby));
  babies.delete(0);
  expect(new Set(used).size).toBe(babies.size + 2);
  // Runs of uses of one key: two groups of turns go through the babies, and chains are turned in between.
  const rounds = Math.ceil((tensor(attention.inputs[0] as string).count * 4) / hoistsAtOnce);
  const turns = 3 * tensor(attention.inputs[0] as string).count;
  const runs = used.filter((name, i) => name !== used[i - 1]).length;
  expect(runs).toBeLessThanOrEqual(rounds * babies.size + turns);
});

test("keys: one ciphertext of each output shows all of them", () => {
  const first = attention.outputs.map(() => [0]);
  expect(new Set(keysUsed({ outputs: first, summed: [0] }))).toEqual(new Set(keysUsed(wholePart(graph, attention))));
});

test("many inputs of many outputs: sums over Q are rotated", () => {
  const one = longCases.rotatedSums;
  const { checkpoint, calibration } = smallModel(one.shape);
  const graph = buildGraph(checkpoint.config, calibration, geometryOf(one), one.length);
  const splits = graph.operations.flatMap((operation) =>
    operation.kind === "linear" ? [splitLinear(graph, operation)] : [],
  );
  expect(splits.some(({ giants, basis }) => giants === "sums" && basis === "Q")).toBe(true);
});

test.each(["turnedInputs", "manyOutputs", "rotatedSums"] as const)(
  "sums of parts add up to the sum of all, bit for bit: %s",
  async (name) => {
    const one = longCases[name];
    const { checkpoint, calibration } = smallModel(one.shape);
    const graph = buildGraph(checkpoint.config, calibration, geometryOf(one), one.length);
    const attention = graph.operations.find(({ kind }) => kind === "linear") as LinearOperation;
    const tensor = (name: string): Tensor => graph.tensors[name] as Tensor;
    expect(splitLinear(graph, attention).basis).toBe(name === "turnedInputs" ? "QP" : "Q");
    const context = new Context(bootParameters(one.logN), await sharedBackend());
    const fixture = new Fixture(context, 7);
    const environment = new Environment(
      new Evaluator(context, new LazyKeys(context, fixture.generator, fixture.secret)),
      graph.geometry,
      graph.length,
    );
    const operation = { ...attention, level: 2 };
    const { count } = tensor(attention.inputs[0] as string);
    const inputs = range(count).map((i): Ciphertext => {
      const values = Float64Array.from({ length: environment.slots }, (_, slot) => Math.sin(slot + i));
      return fixture.encrypt(values, 2);
    });
    const weights = (o: number) => foldWeights(attention.weights[o], checkpoint);
    const sums = (part: Part): PartialSum[][] => linearSums(environment, graph, operation, inputs, part, weights);
    const words = ({ parts, level, scale }: PartialSum): number[][] =>
      wordsOf(new Ciphertext(parts, level, scale, environment.slots));

    const outputs = attention.outputs.map((name) => range(Math.min(2, ciphertextsOf(tensor(name)))));
    const all = sums({ outputs });
    const partial = range(count).map((i) => sums({ outputs, summed: [i] }));
    for (const [o, list] of all.entries()) {
      const [alone] = sums({ outputs: outputs.map((mine, other) => (other === o ? mine.slice(-1) : [])) })[o] ?? [];
      expect(words(alone as PartialSum)).toEqual(words(list.at(-1) as PartialSum));
      for (const [at, whole] of list.entries()) {
        const [first, ...others] = partial.map((part) => part[o]?.[at] as PartialSum) as [PartialSum];
        for (const other of others) first.add(context, other);
        expect(words(first)).toEqual(words(whole));
      }
    }
  },
);

test("over Q each output is summed at its own level, one above that of the output", () => {
  const one = longCases.manyOutputs;
  const { checkpoint, calibration } = smallModel(one.shape);
  const graph = buildGraph(checkpoint.config, calibration, geometryOf(one), one.length);
  const attention = graph.operations.find(({ kind }) => kind === "linear") as LinearOperation;
  const levels = attention.outputs.map((_, o) => (o === 1 ? 2 : 4));
  const tensors = { ...graph.tensors };
  for (const [o, name] of attention.outputs.entries())
    tensors[name] = { ...(tensors[name] as Tensor), level: levels[o] as number };
  const backend = new NullBackend();
  const context = new Context(bootParameters(one.logN), backend);
  const environment = new Environment(
    new Evaluator(context, new RecordingKeys(context, backend)),
    graph.geometry,
    graph.length,
  );
  const operation = { ...attention, level: 5 };
  const program = { ...graph, tensors };
  const count = ciphertextsOf(tensors[attention.inputs[0] as string] as Tensor);
  const inputs = range(count).map(() => environment.evaluator.zero(5, environment.scale, environment.slots));
  const weights = (o: number) => emptyWeights(graph, operation, o);
  const part = { outputs: attention.outputs.map(() => [0]) };
  const sums = linearSums(environment, program, operation, inputs, part, weights);
  for (const [o, [sum]] of sums.entries()) {
    const shape = sumShape(program, operation, o);
    expect(shape).toEqual({ polynomials: 2, extended: false, level: (levels[o] as number) + 1 });
    expect(sum?.level).toBe(shape.level);
    expect(sum?.parts[0]?.moduli).toEqual(context.parameters.moduli(shape.level));
    const made = finishLinear(environment, program, operation, o, 0, sum as PartialSum, weights);
    expect(made.level).toBe(levels[o]);
    expect(made.scale / environment.scale).toBeCloseTo(1, 9);
  }
});
