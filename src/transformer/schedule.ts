/**
 * Where to bootstrap: the shortest path through the levels. Operations are taken in order; a state is
 * the level of every tensor that is still to be read; before each operation any of its inputs may be
 * refreshed to any level up to that of bootstrapping (less is cheaper for what follows). Costs are
 * seconds of the machine at hand, and count every ciphertext of a tensor.
 */
import { AegisError } from "../base/errors.ts";
import {
  bootstrapBound,
  bootstrapCounts,
  describeOperation,
  type Operation,
  type Program,
  type Tensor,
} from "../program/index.ts";
import type { UnscheduledProgram } from "./graph/index.ts";

/** What operations cost. */
export interface CostModel {
  /** Seconds of an operation at a level. */
  operation(operation: Operation, level: number): number;
  /** Seconds of one bootstrapping of so many ciphertexts with real values. */
  bootstrap(size: 1 | 2): number;
}

export interface ScheduleOptions {
  readonly preset: string;
  /** Level after bootstrapping; also the highest level of the input. */
  readonly bootstrapLevel: number;
  /** Lowest level that bootstrapping takes. */
  readonly bootstrapInput: number;
  readonly logScale: number;
}

/** What is done before an operation. */
interface Decision {
  readonly refreshed: readonly string[];
  readonly target: number;
  /** Level the operation runs at. */
  readonly level: number;
}

/** Levels of the tensors that are still to be read, in the order of {@link liveTensors}. */
interface State {
  readonly levels: readonly number[];
  readonly cost: number;
  readonly previous: State | undefined;
  readonly decision: Decision | undefined;
}

/** A program with levels and bootstraps, of least total cost. Throws `program` when none fits. */
export function schedule(program: UnscheduledProgram, costs: CostModel, options: ScheduleOptions): Program {
  const live = liveTensors(program);
  let states: State[] = [{ levels: [], cost: 0, previous: undefined, decision: undefined }];
  for (const [index, operation] of program.operations.entries()) {
    const step = new Step(program, operation, costs, options, live[index] as string[], live[index + 1] as string[]);
    const next = new Map<string, State>();
    for (const state of states) step.extend(state, next);
    states = withoutDominated([...next.values()]);
    if (states.length === 0) {
      throw new AegisError(
        "program",
        `${describeOperation(operation)}: needs ${operation.depth} levels, bootstrapping gives ${options.bootstrapLevel}`,
        {
          hint: "use parameters with more levels after bootstrapping",
        },
      );
    }
  }
  const best = states.reduce((a, b) => (b.cost < a.cost ? b : a));
  return emit(program, best, options);
}

/** Mark of a refreshed tensor, after its name. */
const refreshMark = "*";

/** Name in the graph of a tensor that may have been refreshed. */
export function originOf(name: string): string {
  return name.endsWith(refreshMark) ? originOf(name.slice(0, -1)) : name;
}

/** Tensors that are to be read before each operation or after it, and at the end. */
function liveTensors({ operations }: UnscheduledProgram): string[][] {
  const live: string[][] = [[]];
  const reads = new Map<string, number>();
  for (const [index, { inputs }] of operations.entries()) for (const name of inputs) reads.set(name, index);
  for (const [index, { outputs }] of operations.entries()) {
    const before = live[index] as string[];
    live.push([...before, ...outputs].filter((name) => (reads.get(name) ?? -1) > index));
  }
  return live;
}

/** Inputs of an operation, by number, that are refreshed before it. */
interface Refresh {
  readonly inputs: readonly number[];
  readonly others: readonly number[];
  readonly cost: number;
}

/** One operation: everything that does not depend on the state is found once. */
class Step {
  readonly #operation: Operation;
  readonly #options: ScheduleOptions;
  readonly #inputs: readonly string[];
  /** Of every input: where it stands among the levels before the operation. */
  readonly #places: readonly number[];
  /** Sets of inputs that could be refreshed, with the price. */
  readonly #refreshes: readonly Refresh[];
  /** Of every tensor that lives on: its place before, the input that it is, or −1 for each. */
  readonly #after: readonly { readonly place: number; readonly input: number }[];
  readonly #cost: (level: number) => number;
  readonly #known: number[] = [];

  constructor(
    program: UnscheduledProgram,
    operation: Operation,
    costs: CostModel,
    options: ScheduleOptions,
    before: readonly string[],
    after: readonly string[],
  ) {
    const tensor = (name: string): Tensor => program.tensors[name] as Tensor;
    const inputs = [...new Set(operation.inputs)];
    this.#operation = operation;
    this.#options = options;
    this.#inputs = inputs;
    this.#places = inputs.map((name) => before.indexOf(name));
    const sets = Array.from({ length: 2 ** inputs.length }, (_, set): Refresh => {
      const chosen = [...inputs.keys()].filter((i) => set & (1 << i));
      const refreshed = chosen.map((i) => tensor(inputs[i] as string));
      return {
        inputs: chosen,
        others: [...inputs.keys()].filter((i) => !chosen.includes(i)),
        cost: refreshCost(costs, refreshed),
      };
    });
    this.#refreshes = sets.filter((set) =>
      set.inputs.every((i) => tensor(inputs[i] as string).magnitude <= bootstrapBound),
    );
    this.#after = after.map((name) => ({ place: before.indexOf(name), input: inputs.indexOf(name) }));
    this.#cost = (level) => costs.operation(operation, level);
  }

  /** Adds what can follow a state to `next`, the cheaper of equal ones. */
  extend(state: State, next: Map<string, State>): void {
    const { depth } = this.#operation;
    const { bootstrapLevel, bootstrapInput } = this.#options;
    if (this.#inputs.length === 0) {
      for (let level = Math.max(1, depth); level <= bootstrapLevel; level++) this.#add(state, next, [], 0, level, 0);
      return;
    }
    const levels = this.#places.map((place) => state.levels[place] as number);
    const lowest = (set: readonly number[]): number => Math.min(...set.map((i) => levels[i] as number));
    for (const { inputs, others, cost } of this.#refreshes) {
      const rest = lowest(others);
      if (inputs.length === 0) {
        if (rest >= depth) this.#add(state, next, inputs, 0, rest, cost);
        continue;
      }
      const least = lowest(inputs);
      if (least < bootstrapInput) continue;
      for (let target = Math.max(depth, least + 1); target <= bootstrapLevel; target++) {
        const level = Math.min(rest, target);
        if (level >= depth) this.#add(state, next, inputs, target, level, cost);
      }
    }
  }

  #add(
    state: State,
    next: Map<string, State>,
    refreshed: readonly number[],
    target: number,
    level: number,
    refresh: number,
  ): void {
    const own = (this.#known[level] ??= this.#cost(level));
    const cost = state.cost + refresh + own;
    const levels = this.#after.map(({ place, input }) => {
      if (place < 0) return level - this.#operation.depth;
      return refreshed.includes(input) ? target : (state.levels[place] as number);
    });
    const key = levels.join();
    const present = next.get(key);
    if (present !== undefined && present.cost <= cost) return;
    const decision = { refreshed: refreshed.map((i) => this.#inputs[i] as string), target, level };
    next.set(key, { levels, cost, previous: state, decision });
  }
}

/** Drops states that another beats in cost and in every level. */
function withoutDominated(states: State[]): State[] {
  const sorted = states.sort((a, b) => a.cost - b.cost);
  const kept: State[] = [];
  for (const state of sorted) {
    const { levels } = state;
    const dominated = kept.some((better) => better.levels.every((level, i) => level >= (levels[i] as number)));
    if (!dominated) kept.push(state);
  }
  return kept;
}

/** Seconds that refreshing these tensors together takes. */
export function refreshCost(costs: Pick<CostModel, "bootstrap">, tensors: readonly Tensor[]): number {
  const { pairs, singles } = bootstrapCounts(tensors);
  return pairs * costs.bootstrap(2) + singles * costs.bootstrap(1);
}

function emit(program: UnscheduledProgram, end: State, options: ScheduleOptions): Program {
  const chain: State[] = [];
  for (let state: State | undefined = end; state?.previous !== undefined; state = state.previous) chain.unshift(state);
  const operations: Operation[] = [];
  const tensors: Record<string, Tensor> = {};
  const current = new Map<string, string>(); // name in the graph → name after refreshes
  const declare = (tensor: Tensor, level: number): void => {
    tensors[tensor.name] = { ...tensor, level, logScale: options.logScale };
  };
  for (const [index, operation] of program.operations.entries()) {
    const { refreshed, target, level } = (chain[index] as State).decision as Decision;
    if (refreshed.length > 0) {
      const inputs = refreshed.map((name) => current.get(name) as string);
      const outputs = inputs.map((name) => `${name}${refreshMark}`);
      for (const [i, name] of refreshed.entries()) {
        declare({ ...(program.tensors[name] as Tensor), name: outputs[i] as string }, target);
        current.set(name, outputs[i] as string);
      }
      const lowest = Math.min(...inputs.map((name) => (tensors[name] as Tensor).level as number));
      operations.push({
        id: operations.length,
        kind: "bootstrap",
        path: operation.path,
        inputs,
        outputs,
        depth: 0,
        level: lowest,
        target,
      });
    }
    for (const name of operation.outputs) {
      declare(program.tensors[name] as Tensor, level - operation.depth);
      current.set(name, name);
    }
    operations.push({
      ...operation,
      id: operations.length,
      level,
      inputs: operation.inputs.map((name) => current.get(name) as string),
    } as Operation);
  }
  return { ...program, preset: options.preset, tensors, operations, output: current.get(program.output) as string };
}
