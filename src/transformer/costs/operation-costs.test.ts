/** Work by units against what the null backend counts when the operators really run. */
import { describe, expect, test } from "vitest";
import { type GeometryCase, geometryOf, longCases } from "../../../test/support/geometry.ts";
import { bootParameters, smallModel } from "../../../test/support/transformer.ts";
import { Bootstrapper } from "../../circuits/index.ts";
import { type Ciphertext, Context, Evaluator } from "../../ckks/index.ts";
import {
  CountingCommunicator,
  collectiveNames,
  emptyWork,
  type KernelWork,
  kernelNames,
  NullBackend,
  type ShardingName,
  shardedBackend,
  shardingNames,
} from "../../kernels/index.ts";
import {
  ciphertextsOf,
  describeOperation,
  diagonalAt,
  diagonalCount,
  type Operation,
  type Part,
  range,
  slotsOf,
  type Tensor,
  wholePart,
} from "../../program/index.ts";
import { buildGraph } from "../graph/index.ts";
import { Environment } from "../operators/environment.ts";
import { executeOperation, finishSum, isSumming, partialSums } from "../operators/execute.ts";
import { BlankKeys } from "./blank-keys.ts";
import { emptyWeights } from "./empty-weights.ts";
import { OperationCosts, type OperationPhase } from "./operation-costs.ts";

interface Case extends GeometryCase {
  readonly title: string;
  readonly length: number;
  readonly logN: number;
  /** Has many ciphertexts: one level and one sharding take as long as all of the others. */
  readonly heavy?: boolean;
}

const cases: readonly Case[] = [
  { title: "two blocks, two groups", ...longCases.blocksAndGroups },
  { title: "one block, one group", ...longCases.oneGroup },
  { title: "giant steps of inputs", ...longCases.turnedInputs },
  { title: "sums over Q", ...longCases.manyOutputs, heavy: true },
  { title: "giant steps of sums over Q", ...longCases.rotatedSums, heavy: true },
  {
    title: "eight lanes, four groups, padded text",
    shape: { hidden: 12, heads: 2, inner: 24, tokens: 16 },
    tokens: 16,
    length: 13,
    spread: 1,
    logN: 9,
    long: { lanes: 8, blocks: 1, babySteps: 2 },
  },
];

/** Where the program runs: on one device, or as one rank of several. */
interface Place {
  readonly sharding: ShardingName;
  readonly rank: number;
  readonly size: number;
}

class Bench {
  readonly program;
  readonly costs: OperationCosts;
  readonly #backend = new NullBackend();
  readonly #communicator: CountingCommunicator | undefined;
  readonly #environment: Environment;

  constructor(one: (typeof cases)[number], place?: Place) {
    const { checkpoint, calibration } = smallModel(one.shape);
    const program = buildGraph(checkpoint.config, calibration, geometryOf(one), one.length);
    const parameters = bootParameters(one.logN);
    const communicator = place && new CountingCommunicator(place.rank, place.size);
    const backend =
      place && communicator
        ? shardedBackend(this.#backend, communicator, { name: place.sharding, chain: parameters })
        : this.#backend;
    const context = new Context(parameters, backend);
    const bootstrapper = new Bootstrapper(context, slotsOf(program.geometry));
    const keys = new BlankKeys(context);
    this.#communicator = communicator;
    this.program = program;
    this.#environment = new Environment(new Evaluator(context, keys), program.geometry, one.length, bootstrapper);
    this.costs = new OperationCosts(
      context,
      this.#backend,
      program,
      bootstrapper,
      communicator && { meter: () => collectiveNames.map((name) => communicator.bytes[name]) },
    );
  }

  operations(level: number): Operation[] {
    const operations = this.program.operations.filter(({ kind }) => kind !== "input" && kind !== "output");
    const inputs = (operations.find(({ kind }) => kind === "linear") as Operation).outputs.slice(0, 2);
    const refresh = { id: 0, kind: "bootstrap", path: ["test"], inputs, outputs: inputs, depth: 0, target: 5 };
    return [...operations, refresh as Operation].map((operation) => ({ ...operation, level }) as Operation);
  }

  /** Work, and bytes by collective, of really running the part. The first run makes what contexts keep. */
  run(operation: Operation, phase: OperationPhase, part: Part): { work: KernelWork; bytes: number[] } {
    this.#once(operation, phase, part);
    return this.#once(operation, phase, part);
  }

  #once(operation: Operation, phase: OperationPhase, part: Part): { work: KernelWork; bytes: number[] } {
    const { program } = this;
    const level = operation.level as number;
    const { evaluator, scale, slots } = this.#environment;
    const inputs = operation.inputs.map((name) =>
      range(ciphertextsOf(this.tensor(name))).map((): Ciphertext => evaluator.zero(level, scale, slots)),
    );
    const constants = { weights: (o: Operation, index: number) => emptyWeights(program, o, index) };
    const from = this.#counted();
    if (phase === "whole") {
      executeOperation(this.#environment, program, operation, inputs, constants, part);
      return difference(this.#counted(), from);
    }
    const sums = partialSums(this.#environment, program, operation, inputs, constants, part);
    const middle = this.#counted();
    if (phase === "sums") return difference(middle, from);
    for (const [o, list] of sums.entries())
      for (const [at, sum] of list.entries())
        finishSum(this.#environment, program, operation, o, part.outputs[o]?.[at] as number, sum, constants);
    return difference(this.#counted(), middle);
  }

  #counted(): { work: KernelWork; bytes: number[] } {
    const communicator = this.#communicator;
    return {
      work: { ...this.#backend.work },
      bytes: communicator === undefined ? [] : collectiveNames.map((name) => communicator.bytes[name]),
    };
  }

  tensor(name: string): Tensor {
    return this.program.tensors[name] as Tensor;
  }

  /** All, about half of the outputs, half of the summed terms, the last ciphertext alone. */
  parts(operation: Operation): { title: string; phase: OperationPhase; part: Part }[] {
    const whole = wholePart(this.program, operation);
    const half = { outputs: whole.outputs.map((list) => list.filter((i) => i % 3 !== 0)) };
    const second = { outputs: whole.outputs.map((list) => list.slice(Math.floor(list.length / 2))) };
    const last = { outputs: whole.outputs.map((list, o) => (o === 0 ? list.slice(-1) : [])) };
    const parts = Object.entries({ whole, half, second, last });
    const list = parts.map(([title, part]) => ({ title, phase: "whole" as OperationPhase, part }));
    if (!isSumming(this.program, operation)) return list;
    for (const [title, part] of parts) {
      const summed = this.#halfOfTerms(operation);
      list.push(
        { title, phase: "sums", part },
        { title, phase: "finish", part },
        { title: `${title}, half of the terms`, phase: "sums", part: { ...part, summed } },
      );
    }
    return list;
  }

  /** Places of the input axis; of diagonals whole giant steps, without the first. */
  #halfOfTerms(operation: Operation): number[] {
    const { count, axis } = this.tensor(operation.inputs[0] as string);
    const { geometry } = this.program;
    if (axis !== "diagonal") return range(Math.ceil(count / 2));
    return range(diagonalCount(geometry)).filter((index) => diagonalAt(geometry, index).giant % 2 === 1);
  }
}

/** What differs between counts by units and real runs, in words. */
function mistakes(bench: Bench, level: number, titles = /./): string[] {
  const wrong: string[] = [];
  for (const operation of bench.operations(level).filter(({ depth }) => depth <= level)) {
    for (const { title, phase, part } of bench.parts(operation)) {
      if (!titles.test(title)) continue;
      const { work, bytes } = bench.run(operation, phase, part);
      // On ranks, refreshing copies a little more or less with what lay in its memory before.
      const tolerance = operation.kind === "bootstrap" && bytes.length > 0 ? 0.03 : 0;
      const place = `${describeOperation(operation)} ${phase} ${title}`;
      const found = bench.costs.work(operation, phase, part);
      for (const kind of kernelNames)
        if (Math.abs(found[kind] - work[kind]) > tolerance * work[kind])
          wrong.push(`${place}: ${kind} ${found[kind]} for ${work[kind]}`);
      const sent = bench.costs.bytes(operation, phase, part);
      for (const [i, name] of collectiveNames.entries())
        if (sent[i] !== bytes[i]) wrong.push(`${place}: ${name} ${sent[i]} bytes for ${bytes[i]}`);
    }
  }
  return wrong;
}

describe.each(cases)("$title", (one) => {
  const bench = new Bench(one);

  test.each(one.heavy ? [5] : [3, 5, 8])("work of parts at level %i", (level) => {
    expect(mistakes(bench, level)).toEqual([]);
  });

  test.each(one.heavy ? (["limb"] as const) : shardingNames)(
    "work and bytes of one rank of two, sharding %s",
    (sharding) => {
      const titles = one.heavy ? /last/ : /whole|last/;
      expect(mistakes(new Bench(one, { sharding, rank: 1, size: 2 }), 5, titles)).toEqual([]);
    },
  );
});

interface Counted {
  readonly work: KernelWork;
  readonly bytes: readonly number[];
}

function difference(after: Counted, before: Counted): { work: KernelWork; bytes: number[] } {
  const work = emptyWork();
  for (const name of kernelNames) work[name] = after.work[name] - before.work[name];
  return { work, bytes: after.bytes.map((n, i) => n - (before.bytes[i] as number)) };
}
