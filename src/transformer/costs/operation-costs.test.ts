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
  type LinearOperation,
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

interface Counted {
  readonly work: KernelWork;
  readonly bytes: readonly number[];
}

/** A part of an operation, and the phases of it that are compared. */
interface Asked {
  readonly title: string;
  readonly part: Part;
  readonly phases: readonly OperationPhase[];
}

class Bench {
  readonly program;
  readonly costs: OperationCosts;
  readonly #backend = new NullBackend();
  readonly #communicator: CountingCommunicator | undefined;
  readonly #environment: Environment;
  readonly #constants = {
    weights: (operation: LinearOperation, index: number) => emptyWeights(this.program, operation, index),
  };

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

  /** Makes what contexts keep from the first time on: runs are counted without it. */
  warm(operation: Operation, part: Part): void {
    this.#whole(operation, part);
  }

  /** Work, and bytes by collective, of really running the part: by phase, as far as it is asked for. */
  run(operation: Operation, { part, phases }: Asked): Partial<Record<OperationPhase, Counted>> {
    const counts: Partial<Record<OperationPhase, Counted>> = {};
    if (phases.includes("whole")) counts.whole = this.#whole(operation, part);
    if (!phases.includes("sums")) return counts;
    const { program } = this;
    const [inputs, constants] = [this.#inputs(operation), this.#constants];
    const from = this.#counted();
    const sums = partialSums(this.#environment, program, operation, inputs, constants, part);
    const middle = this.#counted();
    counts.sums = difference(middle, from);
    if (!phases.includes("finish")) return counts;
    for (const [o, list] of sums.entries())
      for (const [at, sum] of list.entries())
        finishSum(this.#environment, program, operation, o, part.outputs[o]?.[at] as number, sum, constants);
    counts.finish = difference(this.#counted(), middle);
    return counts;
  }

  #whole(operation: Operation, part: Part): Counted {
    const inputs = this.#inputs(operation);
    const from = this.#counted();
    executeOperation(this.#environment, this.program, operation, inputs, this.#constants, part);
    return difference(this.#counted(), from);
  }

  #inputs({ inputs, level }: Operation): Ciphertext[][] {
    const { evaluator, scale, slots } = this.#environment;
    return inputs.map((name) =>
      range(ciphertextsOf(this.tensor(name))).map(() => evaluator.zero(level as number, scale, slots)),
    );
  }

  #counted(): Counted {
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
  parts(operation: Operation): Asked[] {
    const whole = wholePart(this.program, operation);
    const half = { outputs: whole.outputs.map((list) => list.filter((i) => i % 3 !== 0)) };
    const second = { outputs: whole.outputs.map((list) => list.slice(Math.floor(list.length / 2))) };
    const last = { outputs: whole.outputs.map((list, o) => (o === 0 ? list.slice(-1) : [])) };
    const parts = Object.entries({ whole, half, second, last });
    if (!isSumming(this.program, operation)) return parts.map(([title, part]) => ({ title, part, phases: ["whole"] }));
    const summed = this.#halfOfTerms(operation);
    return parts.flatMap(([title, part]): Asked[] => [
      { title, part, phases: ["whole", "sums", "finish"] },
      { title: `${title}, half of the terms`, part: { ...part, summed }, phases: ["sums"] },
    ]);
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
    const parts = bench.parts(operation).filter(({ title }) => titles.test(title));
    bench.warm(operation, (parts[0] as Asked).part);
    for (const asked of parts) {
      const counts = bench.run(operation, asked);
      for (const phase of asked.phases) {
        const { work, bytes } = counts[phase] as Counted;
        // On ranks, refreshing copies a little more or less with what lay in its memory before.
        const tolerance = operation.kind === "bootstrap" && bytes.length > 0 ? 0.03 : 0;
        const place = `${describeOperation(operation)} ${phase} ${asked.title}`;
        const found = bench.costs.work(operation, phase, asked.part);
        for (const kind of kernelNames)
          if (Math.abs(found[kind] - work[kind]) > tolerance * work[kind])
            wrong.push(`${place}: ${kind} ${found[kind]} for ${work[kind]}`);
        const sent = bench.costs.bytes(operation, phase, asked.part);
        for (const [i, name] of collectiveNames.entries())
          if (sent[i] !== bytes[i]) wrong.push(`${place}: ${name} ${sent[i]} bytes for ${bytes[i]}`);
      }
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

function difference(after: Counted, before: Counted): Counted {
  const work = emptyWork();
  for (const name of kernelNames) work[name] = after.work[name] - before.work[name];
  return { work, bytes: after.bytes.map((n, i) => n - (before.bytes[i] as number)) };
}
