/** Work by units against what the null backend counts when operators really run, and on what cases. */

import { Bootstrapper } from "../../src/circuits/index.ts";
import { type Ciphertext, Context, Evaluator, type KeyName, type Parameters } from "../../src/ckks/index.ts";
import {
  CountingCommunicator,
  collectiveNames,
  emptyWork,
  type KernelWork,
  kernelNames,
  NullBackend,
  Repeats,
  type ShardingName,
  shardedBackend,
  shardingNames,
} from "../../src/kernels/index.ts";
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
} from "../../src/program/index.ts";
import { BlankKeys } from "../../src/transformer/costs/blank-keys.ts";
import { emptyWeights } from "../../src/transformer/costs/empty-weights.ts";
import { OperationCosts, type OperationPhase } from "../../src/transformer/costs/operation-costs.ts";
import { RecordingKeys } from "../../src/transformer/costs/recording-keys.ts";
import { buildGraph, type UnscheduledProgram } from "../../src/transformer/graph/index.ts";
import { Environment } from "../../src/transformer/operators/environment.ts";
import { executeOperation, finishSum, isSumming, partialSums } from "../../src/transformer/operators/execute.ts";
import { type GeometryCase, geometryOf, longCases } from "./geometry.ts";
import { bootParameters, smallModel } from "./transformer.ts";

export interface CostCase extends GeometryCase {
  readonly title: string;
  readonly length: number;
  readonly logN: number;
  /** Levels, and shardings over two ranks, of the tests that always run; all of the others run in the long tests. */
  readonly levels: readonly number[];
  readonly shardings: readonly ShardingName[];
  /** Has many ciphertexts: of ranks the last part alone. */
  readonly heavy?: boolean;
}

export const costLevels = [3, 5, 8];

export const costCases: readonly CostCase[] = [
  { title: "two blocks, two groups", ...longCases.blocksAndGroups, levels: costLevels, shardings: shardingNames },
  { title: "one block, one group", ...longCases.oneGroup, levels: [5], shardings: ["coefficient"] },
  { title: "giant steps of inputs", ...longCases.turnedInputs, levels: [3, 8], shardings: ["limb-oa"] },
  { title: "sums over Q", ...longCases.manyOutputs, levels: [5], shardings: ["limb"], heavy: true },
  { title: "giant steps of sums over Q", ...longCases.rotatedSums, levels: [5], shardings: ["limb"], heavy: true },
  {
    title: "eight lanes, four groups, padded text",
    shape: { hidden: 12, heads: 2, inner: 24, tokens: 16 },
    tokens: 16,
    length: 13,
    spread: 1,
    logN: 9,
    long: { lanes: 8, blocks: 1, babySteps: 2 },
    levels: costLevels,
    shardings: ["limb-ib"],
  },
  {
    title: "short, several groups and score blocks",
    shape: { hidden: 8, heads: 2, inner: 20, tokens: 16 },
    tokens: 16,
    length: 13,
    spread: 2,
    logN: 9,
    levels: costLevels,
    shardings: shardingNames,
  },
  {
    title: "short, one group",
    shape: { hidden: 8, heads: 4, inner: 12, tokens: 8 },
    tokens: 8,
    length: 8,
    spread: 1,
    logN: 8,
    levels: [8],
    shardings: ["limb-ib"],
  },
];

/** Where the program runs: on one device, or as one rank of several. */
interface Place {
  readonly sharding: ShardingName;
  readonly rank: number;
  readonly size: number;
}

/** Costs of a rank of their own, on which repeats are counted once. */
function costsOfRank(
  program: UnscheduledProgram,
  parameters: Parameters,
  { sharding, rank, size }: Place,
  bootstrapper: Bootstrapper,
): OperationCosts {
  const inner = new NullBackend();
  const communicator = new CountingCommunicator(rank, size);
  const repeats = new Repeats(inner, communicator);
  const backend = shardedBackend(inner, communicator, { name: sharding, chain: parameters }, { repeats });
  const context = new Context(parameters, backend);
  const meter = (): number[] => collectiveNames.map((name) => communicator.bytes[name]);
  return new OperationCosts(context, inner, program, bootstrapper, { meter });
}

class Bench {
  readonly program;
  readonly costs: OperationCosts;
  readonly #backend = new NullBackend();
  readonly #communicator: CountingCommunicator | undefined;
  readonly #environment: Environment;

  constructor(one: CostCase, place?: Place) {
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
    this.costs =
      place === undefined
        ? new OperationCosts(context, this.#backend, program, bootstrapper)
        : costsOfRank(program, parameters, place, bootstrapper);
  }

  operations(level: number): Operation[] {
    const operations = this.program.operations.filter(({ kind }) => kind !== "input" && kind !== "output");
    const inputs = (operations.find(({ kind }) => kind === "linear") as Operation).outputs.slice(0, 2);
    const refresh = { id: 0, kind: "bootstrap", path: ["test"], inputs, outputs: inputs, depth: 0, target: 5 };
    return [...operations, refresh as Operation].map((operation) => ({ ...operation, level }) as Operation);
  }

  /** Work, and bytes by collective, of really running these phases of the part, one after the other. */
  run(operation: Operation, phases: readonly OperationPhase[], part: Part): Counted[] {
    const { program } = this;
    const level = operation.level as number;
    const { evaluator, scale, slots } = this.#environment;
    const inputs = operation.inputs.map((name) =>
      range(ciphertextsOf(this.tensor(name))).map((): Ciphertext => evaluator.zero(level, scale, slots)),
    );
    const constants = { weights: (o: Operation, index: number) => emptyWeights(program, o, index) };
    let from = this.#counted();
    let sums: ReturnType<typeof partialSums> = [];
    return phases.map((phase) => {
      if (phase === "whole") executeOperation(this.#environment, program, operation, inputs, constants, part);
      else if (phase === "sums") sums = partialSums(this.#environment, program, operation, inputs, constants, part);
      else
        for (const [o, list] of sums.entries())
          for (const [at, sum] of list.entries())
            finishSum(this.#environment, program, operation, o, part.outputs[o]?.[at] as number, sum, constants);
      const to = this.#counted();
      const counted = difference(to, from);
      from = to;
      return counted;
    });
  }

  /** Keys with the highest level of each, and most bytes beside operands and keys, of really running a part. */
  sample(operation: Operation, part: Part): { keys: Map<KeyName, number>; bytes: number } {
    const level = operation.level as number;
    const { evaluator, geometry, length, bootstrapper, scale, slots } = this.#environment;
    const keys = new RecordingKeys(evaluator.context, this.#backend);
    const environment = new Environment(new Evaluator(evaluator.context, keys), geometry, length, bootstrapper);
    const inputs = operation.inputs.map((name) =>
      range(ciphertextsOf(this.tensor(name))).map((): Ciphertext => evaluator.zero(level, scale, slots)),
    );
    const constants = { weights: (o: Operation, index: number) => emptyWeights(this.program, o, index) };
    this.#backend.forgetPeak();
    const { used } = this.#backend.memory();
    executeOperation(environment, this.program, operation, inputs, constants, part);
    return { keys: keys.levels, bytes: this.#backend.memory().peak - used };
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

  /** All, about half of the outputs, half of the summed terms, the last ciphertext alone; no part twice. */
  parts(operation: Operation): { title: string; phases: readonly OperationPhase[]; part: Part }[] {
    const whole = wholePart(this.program, operation);
    const half = { outputs: whole.outputs.map((list) => list.filter((i) => i % 3 !== 0)) };
    const second = { outputs: whole.outputs.map((list) => list.slice(Math.floor(list.length / 2))) };
    const last = { outputs: whole.outputs.map((list, o) => (o === 0 ? list.slice(-1) : [])) };
    const parts = new Map<string, { title: string; part: Part }>();
    for (const [title, part] of Object.entries({ whole, half, second, last })) {
      if (part.outputs.every((list) => list.length === 0)) continue;
      const same = parts.get(JSON.stringify(part));
      parts.set(JSON.stringify(part), { title: same === undefined ? title : `${same.title}, ${title}`, part });
    }
    return [...parts.values()].flatMap(({ title, part }) => {
      const all = { title, phases: ["whole"] as OperationPhase[], part };
      if (!isSumming(this.program, operation)) return [all];
      const summed = this.#halfOfTerms(operation);
      return [
        all,
        { title, phases: ["sums", "finish"] as OperationPhase[], part },
        { title: `${title}, half of the terms`, phases: ["sums"] as OperationPhase[], part: { ...part, summed } },
      ];
    });
  }

  /** Places of the input axis; of diagonals whole giant steps, without the first. */
  #halfOfTerms(operation: Operation): number[] {
    const { count, axis } = this.tensor(operation.inputs[0] as string);
    const { geometry } = this.program;
    if (axis !== "diagonal") return range(Math.ceil(count / 2));
    return range(diagonalCount(geometry)).filter((index) => diagonalAt(geometry, index).giant % 2 === 1);
  }
}

/** Operations that need other keys, or other bytes at most, when they really run than their samples say. */
export function mistakesOfSamples(one: CostCase, level: number): string[] {
  const bench = new Bench(one);
  const wrong: string[] = [];
  for (const operation of bench.operations(level).filter(({ depth }) => depth <= level)) {
    if (isSumming(bench.program, operation)) continue;
    const [{ part }] = bench.parts(operation) as [ReturnType<Bench["parts"]>[number]];
    const [real, sample] = [bench.sample(operation, part), bench.costs.sample(operation, part)];
    const place = describeOperation(operation);
    if (JSON.stringify([...sample.keys].sort()) !== JSON.stringify([...real.keys].sort()))
      wrong.push(`${place}: keys ${[...sample.keys]} for ${[...real.keys]}`);
    // Blocks of memory are multiples of 64 bytes.
    if (Math.abs(sample.bytes - real.bytes) > 1e-3 * real.bytes)
      wrong.push(`${place}: ${sample.bytes} bytes for ${real.bytes}`);
  }
  return wrong;
}

interface Counted {
  readonly work: KernelWork;
  readonly bytes: readonly number[];
}

function difference(after: Counted, before: Counted): Counted {
  const work = emptyWork();
  for (const name of kernelNames) work[name] = after.work[name] - before.work[name];
  return { work, bytes: after.bytes.map((n, i) => n - (before.bytes[i] as number)) };
}

/** What differs between counts by units and real runs, in words. */
function mistakes(bench: Bench, level: number, titles = /./): string[] {
  const wrong: string[] = [];
  for (const operation of bench.operations(level).filter(({ depth }) => depth <= level)) {
    const parts = bench.parts(operation).filter(({ title }) => titles.test(title));
    // Makes what contexts keep, for all parts: the first is the whole where there is more than one.
    for (const { part } of parts.slice(0, 1)) bench.run(operation, ["whole"], part);
    // What is traced at another level holds at this one.
    for (const { part } of parts) bench.costs.work({ ...operation, level: level + 1 } as Operation, "whole", part);
    for (const { title, phases, part } of parts) {
      for (const [i, { work, bytes }] of bench.run(operation, phases, part).entries()) {
        const phase = phases[i] as OperationPhase;
        // On ranks, refreshing copies a little more or less with what lay in its memory before.
        const tolerance = operation.kind === "bootstrap" && bytes.length > 0 ? 0.04 : 0;
        const place = `${describeOperation(operation)} ${phase} ${title}`;
        const found = bench.costs.work(operation, phase, part);
        for (const kind of kernelNames)
          if (Math.abs(found[kind] - work[kind]) > tolerance * work[kind])
            wrong.push(`${place}: ${kind} ${found[kind]} for ${work[kind]}`);
        const sent = bench.costs.bytes(operation, phase, part);
        for (const [at, name] of collectiveNames.entries())
          if (sent[at] !== bytes[at]) wrong.push(`${place}: ${name} ${sent[at]} bytes for ${bytes[at]}`);
      }
    }
  }
  return wrong;
}

/** Mistakes on one device. */
export function mistakesAtLevel(one: CostCase, level: number): string[] {
  return mistakes(new Bench(one), level);
}

/** Mistakes on the last of two ranks. */
export function mistakesOfRank(one: CostCase, sharding: ShardingName): string[] {
  return mistakes(new Bench(one, { sharding, rank: 1, size: 2 }), 5, one.heavy ? /last/ : /whole|last/);
}
